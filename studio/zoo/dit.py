r"""A Diffusion Transformer removes noise with a plain transformer in place of a U-Net.

Diffusion learns to predict the noise $\epsilon$ in a noisy image (see the family `diffusion`). The
DiT works not on pixels but on *latents*: an autoencoder has compressed an image of $256 \times 256
\times 3$ to $32 \times 32 \times 4$ beforehand. The latents are cut into $N = (H/P)^2$ patches, as
in a ViT; $L$ blocks work on the tokens; a linear map turns each token back into its patch. Nothing
in it is specific to images, no downsampling and no skips, and yet it generates better images than
earlier U-Nets, and better ones the more compute a pass takes: the patch size matters as much as the
depth.

**adaLN-Zero: conditioning on time and class.** Both are embedded and added to one vector $c$. In
each block a linear map turns $c$ into six vectors of width $D$: a shift $\beta$, a scale $\gamma$
and a gate $\alpha$ for the attention, and the same for the MLP,

$$x \leftarrow x + \alpha \odot F(\mathrm{LN}(x) \odot (1 + \gamma) + \beta)$$

The layer norm has no gain and no bias of its own: it gets them from $c$. That linear map is
initialised to zero, so $\alpha = 0$ and each block starts as the identity, which trains much better
(Figure 5). It holds a third of the weights of a block and takes hardly any of its compute.

**Guidance.** In training one label in ten is replaced by a *null class*, so that one network learns
to generate with and without a class. To sample, both predictions are computed and their difference
is amplified (`sample`): images match the class better, with less variety.

**What to watch.** Halving the patch size hardly changes the parameters but makes four times the
tokens: DiT-XL/8, /4 and /2 have about the same size and cost 1 : 4 : 16. With $\Sigma$ learned the
output has two values for each input: the noise, and how large a step's variance is between its two
limits.

Shapes: B batch, C in_channels, C' channels out (2C with learned Σ), H W latents, P patch_size,
N = HW/P² tokens, D embed_dim, h heads, d = D/h, F = 256 frequencies.

Paper: Peebles & Xie, "Scalable Diffusion Models with Transformers", ICCV 2023,
https://arxiv.org/abs/2212.09748

Official code: https://github.com/facebookresearch/DiT
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from studio.blocks.attention import SelfAttention
from studio.blocks.mlp import MLP, TanhGELU
from studio.family import Family, Guide, Preset, Result
from studio.knobs import knob


@dataclass(frozen=True, kw_only=True)
class DiTConfig:
    """Hyper-parameters of a DiT (Table 1 of the paper)."""

    depth: int = knob(12, "Blocks L", axis="depth", ge=1, le=40)
    embed_dim: int = knob(384, "Token width D", axis="width", ge=64, le=1664, step=64, multiple=4)
    mlp_ratio: float = knob(
        4.0,
        "Hidden width of the MLP over D",
        ge=1.0,
        le=8.0,
        step=0.5,
        of="embed_dim",
        size="mlp_dim",
    )
    num_heads: int = knob(6, "Attention heads h", axis="heads", ge=1, le=32)
    image_size: int = knob(
        32,
        "Height and width of the latents: 1/8 of the image's",
        axis="resolution",
        ge=8,
        le=128,
        step=2,
    )
    patch_size: int = knob(2, "Patch height and width P", axis="resolution", options=(2, 4, 8))
    in_channels: int = knob(4, "Channels C of the latents", ge=1, le=16)
    num_classes: int = knob(1000, "Classes K, without the null class", ge=1, le=30000)
    class_dropout: float = knob(
        0.1,
        "Rate at which training replaces the label by the null class",
        ge=0.0,
        le=0.9,
        step=0.05,
    )
    learn_sigma: bool = knob(True, "Also predict the variance of a step")
    activation: type[nn.Module] = knob(
        TanhGELU, "Activation of the MLP", options=(TanhGELU, nn.GELU, nn.SiLU)
    )

    def __post_init__(self) -> None:
        if self.embed_dim % self.num_heads:
            raise ValueError(f"num_heads={self.num_heads} must divide embed_dim={self.embed_dim}")
        if self.image_size % self.patch_size:
            raise ValueError(
                f"image_size={self.image_size} must be a multiple of patch_size={self.patch_size}"
            )


class LatentPatches(nn.Module):
    """Cut into P × P patches, map each to D: (B, C, H, W) -> (B, N, D)."""

    def __init__(self, patch_size: int, in_channels: int, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_channels, embed_dim, patch_size, stride=patch_size)

    def forward(self, latents: Tensor) -> Tensor:
        x = self.proj(latents)  # (B, D, H/P, W/P)
        return x.flatten(2).transpose(1, 2)  # (B, N, D)


class TimestepEmbedder(nn.Module):
    """Time steps (B) to (B, D): cosines and sines of 128 frequencies, then an MLP."""

    frequency: Tensor

    def __init__(self, embed_dim: int) -> None:
        super().__init__()
        frequency = torch.exp(-math.log(10000.0) / 128 * torch.arange(128))
        self.register_buffer("frequency", frequency, persistent=False)
        self.mlp = nn.Sequential(
            nn.Linear(256, embed_dim), nn.SiLU(), nn.Linear(embed_dim, embed_dim)
        )

    def forward(self, time: Tensor) -> Tensor:
        angle = time[:, None] * self.frequency  # (B, F/2)
        x = torch.cat((angle.cos(), angle.sin()), dim=1)  # (B, F)
        return self.mlp(x)  # (B, D)


class LabelEmbedder(nn.Module):
    """Labels (B) to (B, D). Label `num_classes` is the null class; in training some become it."""

    def __init__(self, num_classes: int, embed_dim: int, dropout: float) -> None:
        super().__init__()
        self.num_classes, self.dropout = num_classes, dropout
        self.embedding_table = nn.Embedding(num_classes + 1, embed_dim)

    def forward(self, labels: Tensor) -> Tensor:
        if self.training:
            dropped = torch.rand(labels.shape, device=labels.device) < self.dropout  # (B)
            labels = torch.where(dropped, self.num_classes, labels)
        return self.embedding_table(labels)  # (B, D)


def modulate(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Tokens (B, N, D) times 1 + scale, plus shift, both (B, D)."""
    return x * (1 + scale.unsqueeze(1)) + shift.unsqueeze(1)


class DiTBlock(nn.Module):
    """A transformer block with adaLN-Zero (section 3.2): (B, N, D) and c (B, D) -> (B, N, D)."""

    def __init__(
        self, embed_dim: int, num_heads: int, hidden_dim: int, activation: type[nn.Module]
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dim, eps=1e-6, elementwise_affine=False)
        self.attn = SelfAttention(embed_dim, num_heads)
        self.norm2 = nn.LayerNorm(embed_dim, eps=1e-6, elementwise_affine=False)
        self.mlp = MLP(embed_dim, hidden_dim, activation)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(embed_dim, 6 * embed_dim))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift, scale, gate, mlp_shift, mlp_scale, mlp_gate = (  # 6 × (B, D)
            self.adaLN_modulation(c).chunk(6, dim=1)
        )
        x = x + gate.unsqueeze(1) * self.attn(modulate(self.norm1(x), shift, scale))
        return x + mlp_gate.unsqueeze(1) * self.mlp(modulate(self.norm2(x), mlp_shift, mlp_scale))


class FinalLayer(nn.Module):
    """Each token back to the values of its patch: (B, N, D) and c (B, D) -> (B, N, P²C')."""

    def __init__(self, embed_dim: int, patch_size: int, out_channels: int) -> None:
        super().__init__()
        self.norm_final = nn.LayerNorm(embed_dim, eps=1e-6, elementwise_affine=False)
        self.linear = nn.Linear(embed_dim, patch_size**2 * out_channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(embed_dim, 2 * embed_dim))

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(c).chunk(2, dim=1)  # 2 × (B, D)
        x = modulate(self.norm_final(x), shift, scale)
        return self.linear(x)  # (B, N, K)


def sincos_grid(side: int, embed_dim: int) -> Tensor:
    """Fixed positions (1, side², D) of a grid: half of the features say the column, half the row.

    Of each half the first part are sines, the second cosines, of D/4 frequencies.
    """
    quarter = torch.arange(embed_dim // 4, dtype=torch.float64) / (embed_dim // 4)
    angle = torch.arange(side, dtype=torch.float64)[:, None] * 10000.0**-quarter  # (side, D/4)
    line = torch.cat((angle.sin(), angle.cos()), dim=1).float()  # (side, D/2)
    columns = line[None].expand(side, -1, -1)
    rows = line[:, None].expand(-1, side, -1)
    return torch.cat((columns, rows), dim=2).view(1, side * side, embed_dim)


class DiT(nn.Module):
    """Patches with fixed positions, L blocks, patches again. Names are the official code's."""

    pos_embed: Tensor

    def __init__(self, config: DiTConfig) -> None:
        super().__init__()
        D, P = config.embed_dim, config.patch_size
        self.side, self.patch_size = config.image_size // P, P
        self.in_channels, self.num_classes = config.in_channels, config.num_classes
        out_channels = config.in_channels * (2 if config.learn_sigma else 1)
        # A constant, and so a buffer; the official code has it as a frozen parameter.
        self.register_buffer("pos_embed", sincos_grid(self.side, D))
        self.x_embedder = LatentPatches(P, config.in_channels, D)
        self.t_embedder = TimestepEmbedder(D)
        self.y_embedder = LabelEmbedder(config.num_classes, D, config.class_dropout)
        hidden = round(D * config.mlp_ratio)
        self.blocks = nn.ModuleList(
            DiTBlock(D, config.num_heads, hidden, config.activation) for _ in range(config.depth)
        )
        self.final_layer = FinalLayer(D, P, out_channels)
        self.init_weights()

    def init_weights(self) -> None:
        """Xavier in linear layers, σ = 0.02 in embeddings; zero gates and output (adaLN-Zero)."""
        for name, parameter in self.named_parameters():
            ends = "adaLN" in name or name.startswith("final_layer")
            if parameter.dim() == 1 or ends:
                nn.init.zeros_(parameter)
            elif name.startswith(("t_embedder", "y_embedder")):
                nn.init.normal_(parameter, std=0.02)
            else:
                nn.init.xavier_uniform_(parameter.flatten(1))

    def forward(self, latents: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        """Noisy latents (B, C, H, W), times (B) below 1000 and labels (B), to (B, C', H, W).

        The first C channels are the noise; with learn_sigma C more are the variance.
        """
        x = self.x_embedder(latents) + self.pos_embed  # (B, N, D)
        c = self.t_embedder(time) + self.y_embedder(labels)  # (B, D)
        for block in self.blocks:
            x = block(x, c)  # (B, N, D)
        x = self.final_layer(x, c)  # (B, N, K)
        P = self.patch_size
        x = x.view(-1, self.side, self.side, P, P, x.shape[2] // P**2)  # (B, H/P, W/P, P, P, C')
        x = x.permute(0, 5, 1, 3, 2, 4)  # (B, C', H/P, P, W/P, P)
        return x.reshape(x.shape[0], x.shape[1], self.side * P, -1)  # (B, C', H, W)

    @torch.no_grad()
    def sample(self, labels: Tensor, steps: int = 50, guidance: float = 4.0) -> Tensor:
        """Latents (B, C, H, W) of the classes `labels` (B), with classifier-free guidance.

        Uses DDIM without noise (Song et al. 2021, equation 12) at `steps` evenly spaced times of
        the 1000; needs the predicted noise, not the variance. A guidance of 1 has no effect.
        """
        count, side = len(labels), self.side * self.patch_size
        beta = torch.linspace(1e-4, 0.02, 1000, device=labels.device)
        alpha_bar = torch.cat((beta.new_ones(1), (1 - beta).cumprod(dim=0)))  # at time t - 1
        times = torch.linspace(1000, 0, steps + 1, device=labels.device).round().long()
        both = torch.cat((labels, torch.full_like(labels, self.num_classes)))
        x = torch.randn(count, self.in_channels, side, side, device=labels.device)
        for now, then in pairwise(times.unbind()):
            noise = self(torch.cat((x, x)), (now - 1).expand(2 * count), both)
            with_class, without = noise[:, : self.in_channels].chunk(2)
            noise = without + guidance * (with_class - without)
            clean = (x - (1 - alpha_bar[now]).sqrt() * noise) / alpha_bar[now].sqrt()
            x = alpha_bar[then].sqrt() * clean + (1 - alpha_bar[then]).sqrt() * noise
        return x


def example(config: DiTConfig, batch: int) -> tuple[Tensor, ...]:
    """Noisy latents (B, C, H, W), the time of each (B), 0 to 999, and the class of each (B)."""
    latents = torch.randn(batch, config.in_channels, config.image_size, config.image_size)
    return latents, torch.randint(1000, (batch,)), torch.randint(config.num_classes, (batch,))


SIZES = {"S": (12, 384, 6), "B": (12, 768, 12), "L": (24, 1024, 16), "XL": (28, 1152, 16)}


def dit(size: str, patch_size: int, image_size: int = 32) -> DiTConfig:
    """A row of Table 1."""
    depth, embed_dim, num_heads = SIZES[size]
    return DiTConfig(
        depth=depth,
        embed_dim=embed_dim,
        num_heads=num_heads,
        patch_size=patch_size,
        image_size=image_size,
    )


CODE = "facebookresearch/DiT, {}, trainable parameters (positions are frozen)"

# fmt: off
PRESETS = (
    Preset("DiT-S/2", dit("S", 2), 32_865_056, CODE.format("DiT_S_2")),
    Preset("DiT-S/4", dit("S", 4), 32_920_448, CODE.format("DiT_S_4")),
    Preset("DiT-S/8", dit("S", 8), 33_142_016, CODE.format("DiT_S_8")),
    Preset("DiT-B/2", dit("B", 2), 130_315_808, CODE.format("DiT_B_2")),
    Preset("DiT-B/4", dit("B", 4), 130_426_496, CODE.format("DiT_B_4")),
    Preset("DiT-B/8", dit("B", 8), 130_869_248, CODE.format("DiT_B_8")),
    Preset("DiT-L/2", dit("L", 2), 457_840_672, CODE.format("DiT_L_2")),
    Preset("DiT-L/4", dit("L", 4), 457_988_224, CODE.format("DiT_L_4")),
    Preset("DiT-L/8", dit("L", 8), 458_578_432, CODE.format("DiT_L_8")),
    Preset("DiT-XL/2", dit("XL", 2), 674_834_720, CODE.format("DiT_XL_2")),
    Preset("DiT-XL/4", dit("XL", 4), 675_000_704, CODE.format("DiT_XL_4")),
    Preset("DiT-XL/8", dit("XL", 8), 675_664_640, CODE.format("DiT_XL_8")),
    Preset("DiT-XL/2 @512", dit("XL", 2, 64), 674_834_720, CODE.format("DiT_XL_2, input_size 64")),
)
# fmt: on

TABLE_2 = "Peebles & Xie 2023, Table 2 (7M steps, guidance 1.50)"
TABLE_3 = "Peebles & Xie 2023, Table 3 (3M steps, guidance 1.50)"
TABLE_4 = "Peebles & Xie 2023, Table 4 (400K steps, no guidance)"
FID = "ImageNet 256x256 FID"

FAMILY = Family(
    title="Diffusion Transformer (DiT)",
    config=DiTConfig,
    model=DiT,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("generation",),
        data="large",
        use_when="diffusion is to be scaled up: much data, much compute, latents of an autoencoder",
        avoid_when="images are few or small, or generated as pixels: a U-Net needs less data",
        strengths=(
            "more compute a pass gives better images, in depth, width or tokens alike",
            "one uniform block: everything that makes transformers fast applies",
            "class and time reach every block at hardly any cost",
        ),
        cost=r"$18 L D^2$ parameters, a third of them in adaLN; $L(12 N D^2 + 2 N^2 D)$ MACs for "
        r"$N = HW/P^2$ tokens; once for each step, twice with guidance",
        related=("diffusion", "vit", "vae"),
        results=(
            Result("DiT-S/2", FID, 68.40, "", TABLE_4),
            Result("DiT-S/4", FID, 100.41, "", TABLE_4),
            Result("DiT-S/8", FID, 153.60, "", TABLE_4),
            Result("DiT-B/2", FID, 43.47, "", TABLE_4),
            Result("DiT-B/4", FID, 68.38, "", TABLE_4),
            Result("DiT-B/8", FID, 122.74, "", TABLE_4),
            Result("DiT-L/2", FID, 23.33, "", TABLE_4),
            Result("DiT-L/4", FID, 45.64, "", TABLE_4),
            Result("DiT-L/8", FID, 118.87, "", TABLE_4),
            Result("DiT-XL/2", FID, 19.47, "", TABLE_4),
            Result("DiT-XL/4", FID, 43.01, "", TABLE_4),
            Result("DiT-XL/8", FID, 106.41, "", TABLE_4),
            Result("DiT-XL/2", FID + ", guided", 2.27, "", TABLE_2),
            Result("DiT-XL/2 @512", "ImageNet 512x512 FID, guided", 3.04, "", TABLE_3),
        ),
    ),
)
