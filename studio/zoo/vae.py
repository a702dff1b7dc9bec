r"""A variational autoencoder encodes an image as a distribution over a few latent values.

An autoencoder compresses an image $x$ to a short code and learns to reconstruct it. Its codes lie
anywhere, and a point between two of them means nothing. The VAE's *encoder* predicts a distribution
in place of a point: a mean $\mu$ and a variance $\sigma^2$ for each of $Z$ latent values. The
*decoder* must reconstruct $x$ from any sample of it, and each distribution is pulled towards the
standard normal one. So the latent space has no gaps: to generate a new image, take $z \sim
\mathcal{N}(0, I)$ and decode it.

Both goals together are a lower bound on the likelihood of the data, the ELBO (equation 10 of the
paper),

$$\log p(x) \ge \mathbb{E}_{q(z|x)}[\log p(x|z)]
+ \tfrac{1}{2} \sum_j (1 + \log \sigma_j^2 - \mu_j^2 - \sigma_j^2)$$

whose first term is the reconstruction (cross-entropy or squared error) and whose second is the
negative Kullback-Leibler divergence from the prior.

**The reparameterisation.** A gradient cannot pass through a sample from $\mathcal{N}(\mu,
\sigma^2)$. It passes through $z = \mu + \sigma \epsilon$, where all randomness is in $\epsilon \sim
\mathcal{N}(0, I)$. Here $\epsilon$ is a second *input*, so the model is a deterministic function,
the same in training, in evaluation and exported; a noise of zeros gives the mean.

**What to watch.** With the squared error images are blurred: the mean of all plausible ones. A
large weight on the divergence, or a strong decoder, makes latent values carry no information
(*posterior collapse*). The linear layers at the bottleneck grow with the size of the flattened map:
one level more shrinks it four-fold, and doubles its channels.

Shapes: B batch, C channels, H W image, Z latent_dim, F features of the encoder.

Paper: Kingma & Welling, "Auto-Encoding Variational Bayes", ICLR 2014,
https://arxiv.org/abs/1312.6114

Official code: none by the authors for these sizes; the MLP is that of
https://github.com/pytorch/examples/tree/main/vae and the convolutions are those of
https://github.com/AntixK/PyTorch-VAE
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from studio.family import Family, Guide, Preset
from studio.knobs import knob


class Encoder(nn.Module):
    """Images to features: (B, C, H, W) -> (B, num_features).

    Each layer divides the side of the map by `shrinks`. `mirror(latent_dim)` is the decoder, whose
    layers are these in reverse: (B, Z) -> (B, C, H, W).
    """

    shrinks: int
    num_features: int
    mirror: Callable[[int], nn.Module]
    layers: nn.Sequential

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)  # (B, F)


class ConvEncoder(Encoder):
    """Each layer halves the map and doubles the channels, with BatchNorm."""

    shrinks = 2

    def __init__(
        self,
        in_channels: int,
        image_size: int,
        width: int,
        depth: int,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        widths = tuple(width * 2**i for i in range(depth))
        layers = [
            nn.Sequential(nn.Conv2d(c, d, 3, stride=2, padding=1), nn.BatchNorm2d(d), activation())
            for c, d in pairwise((in_channels, *widths))
        ]
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.in_channels, self.widths, self.activation = in_channels, widths, activation
        self.side = image_size // 2**depth
        self.num_features = widths[-1] * self.side**2

    def mirror(self, latent_dim: int) -> nn.Module:
        return ConvDecoder(latent_dim, self.widths, self.side, self.in_channels, self.activation)


class ConvDecoder(nn.Sequential):
    """Transposed convolutions double the map; the last gives the image, in [-1, 1]."""

    def __init__(
        self,
        latent_dim: int,
        widths: tuple[int, ...],
        side: int,
        in_channels: int,
        activation: type[nn.Module],
    ) -> None:
        super().__init__(
            nn.Linear(latent_dim, widths[-1] * side**2),
            nn.Unflatten(1, (widths[-1], side, side)),
            *(
                nn.Sequential(
                    nn.ConvTranspose2d(c, d, 3, stride=2, padding=1, output_padding=1),
                    nn.BatchNorm2d(d),
                    activation(),
                )
                for c, d in pairwise((*reversed(widths), widths[0]))
            ),
            nn.Conv2d(widths[0], in_channels, 3, padding=1),
            nn.Tanh(),
        )


class MLPEncoder(Encoder):
    """The paper's: hidden layers of one width on the flattened pixels."""

    shrinks = 1

    def __init__(
        self,
        in_channels: int,
        image_size: int,
        width: int,
        depth: int,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        image = (in_channels, image_size, image_size)
        layers = [
            nn.Sequential(nn.Linear(c, d), activation())
            for c, d in pairwise((math.prod(image), *[width] * depth))
        ]
        self.layers = nn.Sequential(nn.Flatten(), *layers)
        self.image, self.depth, self.activation = image, depth, activation
        self.num_features = width

    def mirror(self, latent_dim: int) -> nn.Module:
        return MLPDecoder(latent_dim, self.num_features, self.depth, self.image, self.activation)


class MLPDecoder(nn.Sequential):
    """The same hidden layers, and a sigmoid for pixels in [0, 1]."""

    def __init__(
        self,
        latent_dim: int,
        width: int,
        depth: int,
        image: tuple[int, int, int],
        activation: type[nn.Module],
    ) -> None:
        layers = [
            nn.Sequential(nn.Linear(c, d), activation())
            for c, d in pairwise((latent_dim, *[width] * depth))
        ]
        pixels = nn.Linear(width, math.prod(image))
        super().__init__(*layers, pixels, nn.Sigmoid(), nn.Unflatten(1, image))


@dataclass(frozen=True, kw_only=True)
class VAEConfig:
    """Hyper-parameters of a VAE."""

    encoder: type[Encoder] = knob(
        ConvEncoder, "Encoder; the decoder mirrors it", options=(ConvEncoder, MLPEncoder)
    )
    depth: int = knob(2, "Layers of the encoder", axis="depth", ge=1, le=6)
    base_channels: int = knob(
        32,
        "Channels of the first layer, doubled with each; for an MLP, units of every layer",
        axis="width",
        ge=4,
        le=512,
        step=4,
    )
    latent_dim: int = knob(20, "Latent dimension Z", axis="width", ge=1, le=1024)
    image_size: int = knob(28, "Input height and width", axis="resolution", ge=4, le=256, step=4)
    in_channels: int = knob(1, "Channels C of the image", ge=1, le=16)
    activation: type[nn.Module] = knob(
        nn.LeakyReLU, "Activation", options=(nn.LeakyReLU, nn.ReLU, nn.SiLU, nn.Tanh)
    )

    def __post_init__(self) -> None:
        shrinks = self.encoder.shrinks**self.depth
        if self.image_size % shrinks or self.image_size < 2 * shrinks:
            raise ValueError(
                f"image_size={self.image_size} is not divisible by {shrinks} with a quotient of 2"
                f" or more (depth={self.depth})"
            )


class VAE(nn.Module):
    """Encode to a distribution, sample from it, decode."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.latent_dim = config.latent_dim
        self.encoder = config.encoder(
            config.in_channels,
            config.image_size,
            config.base_channels,
            config.depth,
            config.activation,
        )
        self.mean = nn.Linear(self.encoder.num_features, config.latent_dim)
        self.log_variance = nn.Linear(self.encoder.num_features, config.latent_dim)
        self.decoder = self.encoder.mirror(config.latent_dim)

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images (B, C, H, W) and noise ε (B, Z) to (B, C, H, W), (B, Z) and (B, Z).

        The noise is drawn from N(0, I), or zeros for the mean. The results are the restored
        images, the mean and the log-variance.
        """
        x = self.encoder(images)  # (B, F)
        mean, log_variance = self.mean(x), self.log_variance(x)  # 2 × (B, Z)
        z = mean + torch.exp(0.5 * log_variance) * noise  # (B, Z)
        restored = self.decoder(z)  # (B, C, H, W)
        return restored, mean, log_variance

    @torch.no_grad()
    def sample(self, count: int) -> Tensor:
        """Images (count, C, H, W) that are decoded from the prior."""
        z = torch.randn(count, self.latent_dim, device=self.mean.weight.device)
        return self.decoder(z)


def example(config: VAEConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch of images (B, C, H, W) in [0, 1], and the noise (B, Z) of the latent values."""
    images = torch.rand(batch, config.in_channels, config.image_size, config.image_size)
    return images, torch.randn(batch, config.latent_dim)


def mlp(
    hidden: int, latent_dim: int, activation: type[nn.Module], depth: int = 1, image_size: int = 28
) -> VAEConfig:
    """A VAE without convolutions, by default on MNIST's 784 pixels."""
    return VAEConfig(
        encoder=MLPEncoder,
        depth=depth,
        base_channels=hidden,
        latent_dim=latent_dim,
        image_size=image_size,
        activation=activation,
    )


CELEBA = VAEConfig(depth=5, latent_dim=128, image_size=64, in_channels=3)
TWO_LEVELS = "the layers of AntixK/PyTorch-VAE with two levels, summed"
ANTIXK = "AntixK/PyTorch-VAE, VanillaVAE, summed over the layers"
EXAMPLES = "pytorch/examples, vae"
KINGMA = "Kingma & Welling 2014, section 5 (500 hidden units), summed over the layers"

# fmt: off
PRESETS = (
    Preset("Conv VAE 28x28", VAEConfig(), 238_473, TWO_LEVELS),
    Preset("MLP VAE 784-400-20", mlp(400, 20, nn.ReLU), 652_824, EXAMPLES),
    Preset("MLP VAE 784-500-20", mlp(500, 20, nn.Tanh), 815_824, KINGMA),
    Preset("MLP VAE 784-500-2", mlp(500, 2, nn.Tanh), 788_788, KINGMA),
    Preset("Conv VAE 64x64", CELEBA, 3_937_635, ANTIXK),
)
# fmt: on

FAMILY = Family(
    title="Variational Autoencoder",
    config=VAEConfig,
    model=VAE,
    example=example,
    presets=PRESETS,
    guide=Guide(
        tasks=("generation",),
        data="small",
        use_when="a smooth, compact code is wanted: to compress, to interpolate, to find what is "
        "unusual, or as the space in which a diffusion model works",
        avoid_when="the images themselves must be sharp: take a GAN or a diffusion model",
        strengths=(
            "trains steadily: one loss, which is a bound on the likelihood",
            "it includes an encoder: images become latent vectors to compare and interpolate",
            "sampling is one pass through the decoder",
        ),
        cost=r"with $L$ levels of $c$ channels and more: about $3 c^2 4^L$ parameters, and "
        r"$3 Z F$ between the features $F = c\,2^{L-1} HW / 4^L$ and the $Z$ latent values",
        related=("gan", "diffusion"),
    ),
)
