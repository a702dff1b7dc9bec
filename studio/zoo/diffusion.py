r"""A diffusion model learns to remove noise step by step; from pure noise it generates images.

The *forward process* adds noise to an image $x_0$ in $T = 1000$ small steps. It needs no network,
and any step can be computed directly: with $\bar\alpha_t$ falling from 1 to almost 0,

$$x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad
\epsilon \sim \mathcal{N}(0, I)$$

The network gets $x_t$ and $t$ and predicts the noise $\epsilon$ in it; the loss is the squared
error of that prediction (equation 14). There is no game to keep in balance as in a GAN. To sample,
start at $x_T$ and step back $T$ times, each time removing a part of the predicted noise and adding
a smaller one (`sample`, Algorithm 2).

**The network** must output an image of the input's size, and capture both texture and content: a
U-Net. Each level has residual blocks, and every block is conditioned on the time: $t$ becomes sines
and cosines, like positions in a transformer, passes through two linear layers, and is added to the
block's channels. Where the maps are small, at $16 \times 16$, self-attention lets every pixel
attend to every other. Not only the levels have skips: *each* block of the decoder gets the map of a
block of the encoder.

**What to watch.** One image costs a thousand forward passes, so the MACs of one pass matter more
than anywhere else (better samplers need 20 to 50). MACs grow with $HW$ and most of them lie in the
upper levels; the parameters lie in the lower ones. Attention costs $N^2$ for $N = HW$ pixels: at
$64 \times 64$ it costs 256 times as much as at $16 \times 16$.

Shapes: B batch, C channels of the image, C' of a map, c base_channels, E = 4c, H W image,
H' W' map, N = H'W' pixels of a map.

Paper: Ho et al., "Denoising Diffusion Probabilistic Models", NeurIPS 2020,
https://arxiv.org/abs/2006.11239

Official code: https://github.com/hojonathanho/diffusion
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.family import Family, Guide, Preset, Result
from studio.knobs import knob


@dataclass(frozen=True, kw_only=True)
class DiffusionConfig:
    """Hyper-parameters of the U-Net (appendix B of the paper)."""

    depth: int = knob(2, "Residual blocks in each level", axis="depth", ge=1, le=4)
    base_channels: int = knob(
        128, "Channels c of the top level", axis="width", ge=32, le=320, step=32, multiple=32
    )
    channel_mult: tuple[int, ...] = knob(
        (1, 2, 2, 2), "Channels of each level over c", ge=1, le=8, lengths=(2, 3, 4, 5, 6)
    )
    attention_resolutions: tuple[int, ...] = knob(
        (16,), "Resolutions with attention", ge=4, le=64, lengths=(1, 2, 3)
    )
    num_heads: int = knob(1, "Attention heads h", axis="heads", options=(1, 2, 4, 8, 16))
    image_size: int = knob(32, "Height and width", axis="resolution", ge=8, le=256, step=8)
    in_channels: int = knob(3, "Channels C of the image", ge=1, le=16)
    dropout: float = knob(0.1, "Dropout rate in residual blocks", ge=0.0, le=0.9, step=0.05)

    def __post_init__(self) -> None:
        halvings = len(self.channel_mult) - 1
        shrinks = 2**halvings
        if self.image_size % shrinks or self.image_size < 2 * shrinks:
            raise ValueError(
                f"image_size={self.image_size} is not divisible by 2^{halvings} = {shrinks} with a"
                f" quotient of 2 or more (channel_mult={self.channel_mult})"
            )


class GroupNorm32(nn.GroupNorm):
    """Group normalisation with 32 groups and the ε = 1e-6 of the official code."""

    def __init__(self, channels: int) -> None:
        super().__init__(32, channels, eps=1e-6)


class TimeEmbedding(nn.Module):
    """Time steps (B) to (B, E): sines and cosines of c/2 frequencies, then two linear layers.

    The frequencies fall from 1 to 1/10000, both ends included: hence the c/2 - 1.
    """

    frequency: Tensor

    def __init__(self, channels: int, embed_dim: int) -> None:
        super().__init__()
        half = channels // 2
        frequency = torch.exp(-math.log(10000.0) / (half - 1) * torch.arange(half))
        self.register_buffer("frequency", frequency, persistent=False)
        self.linear_1 = nn.Linear(channels, embed_dim)
        self.act = nn.SiLU()
        self.linear_2 = nn.Linear(embed_dim, embed_dim)

    def forward(self, time: Tensor) -> Tensor:
        angle = time[:, None] * self.frequency  # (B, c/2)
        x = torch.cat((angle.sin(), angle.cos()), dim=1)  # (B, c)
        return self.linear_2(self.act(self.linear_1(x)))  # (B, E)


class TimedResidualBlock(nn.Module):
    """Norm, SiLU, convolution, twice; the time is added between: a shift of each channel.

    (B, C, H, W) and (B, E) -> (B, C', H, W).
    """

    def __init__(self, in_channels: int, channels: int, embed_dim: int, dropout: float) -> None:
        super().__init__()
        self.norm1 = GroupNorm32(in_channels)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.time = nn.Linear(embed_dim, channels)
        self.norm2 = GroupNorm32(channels)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.act = nn.SiLU()
        self.shortcut: nn.Module = nn.Identity()
        if in_channels != channels:
            self.shortcut = nn.Conv2d(in_channels, channels, 1)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        residual = self.conv1(self.act(self.norm1(x)))  # (B, C', H, W)
        shift = self.time(self.act(time))[:, :, None, None]  # (B, C', 1, 1)
        residual = self.act(self.norm2(residual + shift))  # (B, C', H, W)
        residual = self.conv2(self.dropout(residual))  # (B, C', H, W)
        return self.shortcut(x) + residual  # (B, C', H, W)


class PixelAttention(nn.Module):
    """Self-attention among the pixels of a map, with a residual: (B, C, H, W) -> the same."""

    def __init__(self, channels: int, num_heads: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.norm = GroupNorm32(channels)
        self.q = nn.Linear(channels, channels)
        self.k = nn.Linear(channels, channels)
        self.v = nn.Linear(channels, channels)
        self.proj = nn.Linear(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        pixels = self.norm(x).flatten(2).transpose(1, 2)  # (B, N, C)
        q, k, v = self.q(pixels), self.k(pixels), self.v(pixels)  # 3 × (B, N, C)
        q, k, v = self.split(q), self.split(k), self.split(v)  # 3 × (B, h, N, d)
        attended = F.scaled_dot_product_attention(q, k, v)  # (B, h, N, d)
        attended = attended.transpose(1, 2).flatten(2)  # (B, N, C)
        residual = self.proj(attended).transpose(1, 2)  # (B, C, N)
        return x + residual.view_as(x)  # (B, C, H, W)

    def split(self, x: Tensor) -> Tensor:
        """(B, N, C) -> (B, h, N, d)."""
        B, N, _ = x.shape
        return x.view(B, N, self.num_heads, -1).transpose(1, 2)


class StridedDown(nn.Module):
    """A 3 × 3 convolution of stride 2: (B, C, H, W) -> (B, C, H/2, W/2).

    Padded on the right and below only, as the official code's "same" padding does it.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 1, 0, 1))  # (B, C, H+1, W+1)
        return self.conv(x)  # (B, C, H', W')


class NearestUp(nn.Module):
    """Nearest-neighbour upsampling and a 3 × 3 convolution: (B, C, H, W) -> (B, C, 2H, 2W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")  # (B, C, 2*H, 2*W)
        return self.conv(x)


class DownLevel(nn.Module):
    """Residual blocks, some followed by attention, then the downsampling to the next level.

    Returns all of their maps, for the skips; the next level continues from the last.
    """

    def __init__(
        self,
        in_channels: int,
        channels: int,
        depth: int,
        attends: bool,
        goes_down: bool,
        embed_dim: int,
        num_heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        widths = [in_channels] + [channels] * (depth - 1)
        self.attentions = nn.ModuleList(
            PixelAttention(channels, num_heads) if attends else nn.Identity() for _ in widths
        )
        self.blocks = nn.ModuleList(
            TimedResidualBlock(width, channels, embed_dim, dropout) for width in widths
        )
        self.down = StridedDown(channels) if goes_down else None

    def forward(self, x: Tensor, time: Tensor) -> list[Tensor]:
        maps = []
        for block, attention in zip(self.blocks, self.attentions, strict=True):
            x = attention(block(x, time))  # (B, C', H, W)
            maps.append(x)
        return maps if self.down is None else [*maps, self.down(x)]


class UpLevel(nn.Module):
    """Residual blocks, each with a skip, then the upsampling to the next level."""

    def __init__(
        self,
        in_channels: int,
        skip_channels: list[int],
        channels: int,
        attends: bool,
        goes_up: bool,
        embed_dim: int,
        num_heads: int,
        dropout: float,
    ) -> None:
        super().__init__()
        widths = [in_channels] + [channels] * (len(skip_channels) - 1)
        self.attentions = nn.ModuleList(
            PixelAttention(channels, num_heads) if attends else nn.Identity() for _ in widths
        )
        self.blocks = nn.ModuleList(
            TimedResidualBlock(width + skip, channels, embed_dim, dropout)
            for width, skip in zip(widths, skip_channels, strict=True)
        )
        self.up = NearestUp(channels) if goes_up else nn.Identity()

    def forward(self, x: Tensor, skips: list[Tensor], time: Tensor) -> Tensor:
        for block, attention, skip in zip(self.blocks, self.attentions, skips, strict=True):
            x = torch.cat((x, skip), dim=1)  # (B, C', H, W)
            x = attention(block(x, time))  # (B, C'', H, W)
        return self.up(x)  # (B, C', H', W')


class Middle(nn.Module):
    """The bottleneck: two residual blocks with attention between. Keeps (B, C, H, W)."""

    def __init__(self, channels: int, embed_dim: int, num_heads: int, dropout: float) -> None:
        super().__init__()
        self.attention = PixelAttention(channels, num_heads)
        self.block1 = TimedResidualBlock(channels, channels, embed_dim, dropout)
        self.block2 = TimedResidualBlock(channels, channels, embed_dim, dropout)

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        x = self.attention(self.block1(x, time))
        return self.block2(x, time)


class DDPM(nn.Module):
    """The noise ε(x, t) in an image x at time t: a U-Net conditioned on the time."""

    def __init__(self, config: DiffusionConfig) -> None:
        super().__init__()
        self.shape = (config.in_channels, config.image_size, config.image_size)
        self.depth = config.depth
        c, depth = config.base_channels, config.depth
        layer = (4 * c, config.num_heads, config.dropout)
        levels = [
            (c * mult, config.image_size // 2**i in config.attention_resolutions)
            for i, mult in enumerate(config.channel_mult)
        ]
        # Registered in the order of diffusers' UNet2DModel: its weights fit one after the other.
        self.conv_in = nn.Conv2d(config.in_channels, c, 3, padding=1)
        self.time_embedding = TimeEmbedding(c, 4 * c)
        self.downs, self.ups = nn.ModuleList(), nn.ModuleList()
        channels, skips = c, [c]
        for i, (width, attends) in enumerate(levels, start=1):
            goes_down = i < len(levels)
            self.downs.append(DownLevel(channels, width, depth, attends, goes_down, *layer))
            channels, skips = width, skips + [width] * (depth + goes_down)
        self.middle = Middle(channels, *layer)
        for i, (width, attends) in reversed(list(enumerate(levels))):
            joined = [skips.pop() for _ in range(depth + 1)]
            self.ups.append(UpLevel(channels, joined, width, attends, i > 0, *layer))
            channels = width
        self.norm_out = GroupNorm32(channels)
        self.act = nn.SiLU()
        self.conv_out = nn.Conv2d(channels, config.in_channels, 3, padding=1)
        self.init_weights()

    def init_weights(self) -> None:
        """Xavier; zero in each block's last layer, so that it starts as the identity."""
        for name, parameter in self.named_parameters():
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)
        for module in self.modules():
            if isinstance(module, TimedResidualBlock):
                nn.init.zeros_(module.conv2.weight)
            elif isinstance(module, PixelAttention):
                nn.init.zeros_(module.proj.weight)
        nn.init.zeros_(self.conv_out.weight)

    def forward(self, images: Tensor, time: Tensor) -> Tensor:
        """Noisy images (B, C, H, W) and their times (B), 0 to 999, to the noise (B, C, H, W)."""
        time = self.time_embedding(time)  # (B, E)
        skips = [self.conv_in(images)]
        for level in self.downs:
            skips = [*skips, *level(skips[-1], time)]
        x = self.middle(skips[-1], time)  # (B, C', H', W')
        for level in self.ups:
            x = level(x, [skips.pop() for _ in range(self.depth + 1)], time)  # (B, C', H', W')
        return self.conv_out(self.act(self.norm_out(x)))  # (B, C, H, W)

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Images (count, C, H, W) in [-1, 1], from noise in 1000 steps (Algorithm 2, σ² = β)."""
        device = self.conv_in.weight.device
        beta = torch.linspace(1e-4, 0.02, 1000, device=device)
        alpha_bar = (1 - beta).cumprod(dim=0)
        x = torch.randn(count, *self.shape, device=device)
        for t in reversed(range(len(beta))):
            noise = self(x, torch.full((count,), t, device=device))
            mean = (x - beta[t] / (1 - alpha_bar[t]).sqrt() * noise) / (1 - beta[t]).sqrt()
            x = mean + beta[t].sqrt() * torch.randn_like(x) if t > 0 else mean
        return x


def example(config: DiffusionConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of noisy images (B, C, H, W), and the time of each (B), 0 to 999."""
    images = torch.randn(batch, config.in_channels, config.image_size, config.image_size)
    return images, torch.randint(1000, (batch,))


def large(base_channels: int = 128) -> DiffusionConfig:
    """The network for images of 256 × 256: six levels, no dropout."""
    return DiffusionConfig(
        base_channels=base_channels,
        channel_mult=(1, 1, 2, 2, 4, 4),
        image_size=256,
        dropout=0.0,
    )


APPENDIX_B = "Ho et al. 2020, appendix B ({}), counted from diffusers UNet2DModel"
BEDROOM = "Ho et al. 2020, appendix B: about 256M, by more filters; here 192"

# fmt: off
PRESETS = (
    Preset("DDPM CIFAR-10", DiffusionConfig(), 35_746_307, APPENDIX_B.format("35.7M")),
    Preset("DDPM 64x64", DiffusionConfig(image_size=64), 35_746_307, "the network for CIFAR-10, whose weights fit any size"),  # noqa: E501
    Preset("DDPM LSUN/CelebA-HQ 256", large(), 113_673_219, APPENDIX_B.format("114M")),
    Preset("DDPM LSUN Bedroom large", large(192), 255_677_955, BEDROOM),
)
# fmt: on

TABLE_1 = "Ho et al. 2020, Table 1 (unconditional)"
TABLE_3 = "Ho et al. 2020, Table 3"

FAMILY = Family(
    title="Diffusion (DDPM U-Net)",
    config=DiffusionConfig,
    model=DDPM,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("generation",),
        data="medium",
        use_when="images must be both good and diverse, and sampling one may take seconds",
        avoid_when="images must come in milliseconds (a GAN), or a compact code is wanted (a VAE)",
        strengths=(
            "trains steadily: a squared error, and no adversary",
            "covers all of the data, without mode collapse",
            "can be guided while it samples: by a class, a text, or the known part of an image",
        ),
        cost=r"with $n$ blocks in level $i$ of $c_i$ channels: about $18\,n\,c_i^2$ parameters "
        r"down and $27 (n + 1) c_i^2$ up, times $HW / 4^i$ in MACs, and $2 N^2 c_i$ MACs more for "
        r"each attention; all of it once for each of the 1000 steps",
        related=("unet", "dit", "gan", "vae"),
        results=(
            Result("DDPM CIFAR-10", "CIFAR-10 FID", 3.17, "", TABLE_1),
            Result("DDPM CIFAR-10", "CIFAR-10 Inception score", 9.46, "", TABLE_1),
            Result("DDPM LSUN/CelebA-HQ 256", "LSUN Bedroom FID", 6.36, "", TABLE_3),
            Result("DDPM LSUN/CelebA-HQ 256", "LSUN Church FID", 7.89, "", TABLE_3),
            Result("DDPM LSUN Bedroom large", "LSUN Bedroom FID", 4.90, "", TABLE_3),
        ),
    ),
)
