r"""A GAN learns to generate images in a game between a forger and a detective.

The *generator* $G$ turns noise $z$ into an image. The *discriminator* $D$ looks at an image and
predicts the probability that it is real. Both learn at once, from the same objective,

$$\min_G \max_D \; \mathbb{E}_x[\log D(x)] + \mathbb{E}_z[\log(1 - D(G(z)))]$$

and nobody has to define what a good image is: $D$ is a learned loss function. In equilibrium $G$
samples from the distribution of the data and $D$ can only guess.

The **DCGAN** is the recipe that made it work with convolutions, and its two networks mirror each
other. $G$ starts from a map of $4 \times 4$ and doubles it with transposed convolutions while the
channels halve; $D$ halves the image with strided convolutions while the channels double. No
pooling, no dense hidden layers; BatchNorm everywhere except at the image and at the score; ReLU in
$G$, leaky ReLU in $D$, and tanh for pixels in $[-1, 1]$. A kernel of 4 with a stride of 2 covers
each pixel equally often, which helps against checkerboard patterns.

**What to watch.** Each further level doubles the side of the image and the width of the narrowest
map, so that parameters grow fourfold. Training needs balance: a $D$ that is far ahead leaves $G$
without a gradient, so in practice $G$ maximises $\log D(G(z))$ instead. And $G$ may generate the
same few images over and over (*mode collapse*); the scores do not show it, so look at the images.
With Adam, use $\beta_1 = 0.5$ and a learning rate of 0.0002.

Shapes: B batch, Z latent_dim, c base_channels, C channels of the image, C' of a map,
H W image (4 · 2^depth), H' W' map.

Paper: Radford et al., "Unsupervised Representation Learning with Deep Convolutional Generative
Adversarial Networks", ICLR 2016, https://arxiv.org/abs/1511.06434 (the game: Goodfellow et al.,
2014, https://arxiv.org/abs/1406.2661)

Official code: https://github.com/Newmu/dcgan_code (the layers here are those of
https://github.com/pytorch/examples/tree/main/dcgan)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from studio.family import Family, Guide, Preset
from studio.knobs import knob


class Generator(nn.Module):
    """Noise to images in [-1, 1]: (B, Z, 1, 1) -> (B, C, H, W), with H = W = 4 · 2^depth.

    Its layers are, in the words of the paper, fractionally-strided convolutions.
    """

    def __init__(self, latent_dim: int, in_channels: int, base_channels: int, depth: int) -> None:
        super().__init__()
        widths = [base_channels * 2**i for i in reversed(range(depth))]
        layers: list[nn.Module] = [nn.ConvTranspose2d(latent_dim, widths[0], 4, bias=False)]
        for width, narrower in zip(widths, [*widths[1:], in_channels], strict=True):
            layers += [
                nn.BatchNorm2d(width),
                nn.ReLU(),
                nn.ConvTranspose2d(width, narrower, 4, stride=2, padding=1, bias=False),
            ]
        self.main = nn.Sequential(*layers, nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        return self.main(z)  # (B, C, H, W)


class Discriminator(nn.Module):
    """Images to the probability that each is real: (B, C, H, W) -> (B,).

    `latent_dim` is the generator's and not needed: the two are built alike.
    """

    def __init__(self, latent_dim: int, in_channels: int, base_channels: int, depth: int) -> None:
        super().__init__()
        widths = [base_channels * 2**i for i in range(depth)]
        layers: list[nn.Module] = [
            nn.Conv2d(in_channels, widths[0], 4, stride=2, padding=1, bias=False),
            nn.LeakyReLU(0.2),
        ]
        for width, wider in pairwise(widths):
            layers += [
                nn.Conv2d(width, wider, 4, stride=2, padding=1, bias=False),
                nn.BatchNorm2d(wider),
                nn.LeakyReLU(0.2),
            ]
        self.main = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 4, bias=False), nn.Sigmoid())

    def forward(self, images: Tensor) -> Tensor:
        scores = self.main(images)  # (B, 1, 1, 1)
        return scores.flatten()  # (B)


@dataclass(frozen=True, kw_only=True)
class GANConfig:
    """Hyper-parameters of a DCGAN. Leave one of the two out to see the other alone."""

    generator: type[nn.Module] = knob(
        Generator,
        "Generator; Identity leaves it out, so that the input is images",
        options=(Generator, nn.Identity),
    )
    discriminator: type[nn.Module] = knob(
        Discriminator,
        "Discriminator; Identity leaves it out, so that the output is images",
        options=(Discriminator, nn.Identity),
    )
    depth: int = knob(
        4,
        "Layers that double the resolution: images have 4 · 2^depth pixels a side",
        axis="depth",
        ge=1,
        le=6,
    )
    base_channels: int = knob(
        64,
        "Channels c of the layer next to the image; doubled with each layer inwards",
        axis="width",
        ge=8,
        le=256,
        step=8,
    )
    latent_dim: int = knob(100, "Dimension Z of the noise", ge=1, le=1024)
    in_channels: int = knob(3, "Channels C of the image", ge=1, le=16)

    def __post_init__(self) -> None:
        if self.generator is self.discriminator:
            raise ValueError("generator=Identity and discriminator=Identity leave nothing to build")


class DCGAN(nn.Module):
    """Generator and discriminator in sequence, or one of the two."""

    def __init__(self, config: GANConfig) -> None:
        super().__init__()
        self.latent_dim = config.latent_dim
        sizes = (config.latent_dim, config.in_channels, config.base_channels, config.depth)
        # nn.Identity takes the arguments of the network it stands for, and ignores them.
        self.generator = config.generator(*sizes)
        self.discriminator = config.discriminator(*sizes)
        self.init_weights()

    def init_weights(self) -> None:
        """Normal, σ = 0.02 (section 4); BatchNorm gains around 1 (pytorch/examples)."""
        for module in self.modules():
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.normal_(module.weight, 0.0, 0.02)
            elif isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.weight, 1.0, 0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Noise (B, Z, 1, 1) to scores (B,).

        Without the discriminator to images (B, C, H, W); without the generator from images.
        """
        images = self.generator(x)  # (B, C, H, W)
        return self.discriminator(images)

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Images (count, C, H, W) in [-1, 1] that the generator draws from new noise."""
        z = torch.randn(count, self.latent_dim, 1, 1, device=next(self.parameters()).device)
        return self.generator(z)


def example(config: GANConfig, batch: int) -> tuple[Tensor, ...]:
    """Noise (B, Z, 1, 1), or a batch of images (B, C, H, W) where there is no generator."""
    if config.generator is nn.Identity:
        side = 4 * 2**config.depth
        return (torch.randn(batch, config.in_channels, side, side),)
    return (torch.randn(batch, config.latent_dim, 1, 1),)


def pair(base_channels: int = 64, in_channels: int = 3, depth: int = 4) -> GANConfig:
    """Generator and discriminator of one width; images of 64 × 64 by default."""
    return GANConfig(base_channels=base_channels, in_channels=in_channels, depth=depth)


def generator(base_channels: int = 64, in_channels: int = 3, depth: int = 4) -> GANConfig:
    """The generator of such a pair alone."""
    return GANConfig(
        discriminator=nn.Identity,
        base_channels=base_channels,
        in_channels=in_channels,
        depth=depth,
    )


def discriminator(base_channels: int = 64, in_channels: int = 3, depth: int = 4) -> GANConfig:
    """The discriminator of such a pair alone."""
    return GANConfig(
        generator=nn.Identity,
        base_channels=base_channels,
        in_channels=in_channels,
        depth=depth,
    )


EXAMPLE = "pytorch/examples, dcgan (ngf = ndf = 64)"
FIGURE_1 = "Radford et al. 2016, Figure 1 (1024 channels at 4 × 4), without biases"
MIRROR = "the mirror of the paper's Figure 1, in the layers of pytorch/examples"
RESIZED = "the layers of pytorch/examples with a level more or less, summed"

# fmt: off
PRESETS = (
    Preset("DCGAN", pair(), 6_342_272, EXAMPLE),
    Preset("DCGAN generator", generator(), 3_576_704, EXAMPLE),
    Preset("DCGAN discriminator", discriminator(), 2_765_568, EXAMPLE),
    Preset("DCGAN grey", pair(in_channels=1), 6_338_176, EXAMPLE + " with nc = 1"),
    Preset("DCGAN generator grey", generator(in_channels=1), 3_574_656, EXAMPLE + " with nc = 1"),
    Preset("DCGAN discriminator grey", discriminator(in_channels=1), 2_763_520, EXAMPLE + " with nc = 1"),  # noqa: E501
    Preset("DCGAN-128", pair(128), 23_694_592, FIGURE_1),
    Preset("DCGAN-128 generator", generator(128), 12_658_432, FIGURE_1),
    Preset("DCGAN-128 discriminator", discriminator(128), 11_036_160, MIRROR),
    Preset("DCGAN 32x32", pair(depth=3), 1_732_224, RESIZED),
    Preset("DCGAN 128x128", pair(depth=5), 23_950_976, RESIZED),
)
# fmt: on

FAMILY = Family(
    title="GAN (DCGAN)",
    config=GANConfig,
    model=DCGAN,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("generation",),
        data="medium",
        use_when="images must come fast, in one pass: faces, textures, data augmentation",
        avoid_when="all of the data's variety must be covered, or training has to be steady: "
        "take a diffusion model",
        strengths=(
            "one forward pass generates an image, where diffusion takes dozens",
            "sharp images, since a blurred one is easy to tell",
            "the discriminator's features serve a classifier without labels (section 5)",
        ),
        cost=r"of each half, with $L$ levels: about $\frac{32}{3} c^2 4^{L-1}$ parameters between "
        r"the levels, and $2 c^2 H W$ MACs from each level to the next",
        related=("vae", "diffusion"),
    ),
)
