"""What the generative families draw: the right kind of thing, from the right distribution.

For data from a normal distribution the best possible answer of a diffusion model is known in
closed form. A sampler that is given it in place of a network must draw from that distribution.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import studio

MEAN, SPREAD = 0.6, 0.3
ALPHA_BAR = (1 - torch.linspace(1e-4, 0.02, 1000)).cumprod(dim=0)


def noise_in(x: Tensor, time: Tensor, mean: Tensor | float) -> Tensor:
    """The expected noise in x at a time, where the data are normal (mean, SPREAD)."""
    kept = ALPHA_BAR[time][:, None, None, None]
    variance = kept * SPREAD**2 + 1 - kept
    return (1 - kept).sqrt() * (x - kept.sqrt() * mean) / variance


def test_a_gan_draws_images_between_minus_one_and_one() -> None:
    model: Any = studio.build(studio.design("gan", base_channels=8)).eval()
    images = model.sample(3)
    assert images.shape == (3, 3, 64, 64)
    assert 0 < images.abs().max() <= 1
    assert not torch.equal(images[0], images[1])


def test_the_noise_of_a_vae_is_scaled_and_shifted(monkeypatch: pytest.MonkeyPatch) -> None:
    design = studio.design("vae", base_channels=4)
    model: Any = studio.build(design).eval()
    images, noise = studio.example(design, batch=2)
    monkeypatch.setattr(model, "decoder", nn.Identity())
    with torch.no_grad():
        z, mean, log_variance = model(images, noise)
        centre, *_ = model(images, torch.zeros_like(noise))
    assert torch.equal(centre, mean)
    torch.testing.assert_close((z - mean) / noise, log_variance.exp().sqrt(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("preset", ["Conv VAE 28x28", "MLP VAE 784-400-20"])
def test_a_vae_decodes_images_from_its_prior(preset: str) -> None:
    model: Any = studio.build(studio.design("vae", preset=preset, base_channels=4)).eval()
    assert model.sample(3).shape == (3, 1, 28, 28)


def test_ddpm_draws_from_the_distribution_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    design = studio.design("diffusion", base_channels=32, depth=1, image_size=16)
    model: Any = studio.build(design)
    monkeypatch.setattr(model, "forward", lambda x, time: noise_in(x, time, MEAN))
    drawn = model.sample(8)
    assert drawn.shape == (8, 3, 16, 16)
    assert drawn.mean() == pytest.approx(MEAN, abs=0.02)
    assert drawn.std() == pytest.approx(SPREAD, abs=0.02)


def test_dit_draws_from_the_distribution_of_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    design = studio.design("dit", depth=1, embed_dim=64, num_heads=1, num_classes=2)
    means = torch.tensor([-MEAN, MEAN, 0.0])  # of the two classes, and of the null class

    def answer(x: Tensor, time: Tensor, labels: Tensor) -> Tensor:
        noise = noise_in(x, time, means[labels][:, None, None, None])
        return torch.cat((noise, torch.full_like(noise, torch.nan)), dim=1)  # no use for Σ

    model: Any = studio.build(design)
    monkeypatch.setattr(model, "forward", answer)
    drawn = model.sample(torch.tensor([0, 1]), guidance=1.0)
    assert drawn.shape == (2, 4, 32, 32)
    assert drawn.mean(dim=(1, 2, 3)).tolist() == pytest.approx([-MEAN, MEAN], abs=0.03)
    assert drawn.std(dim=(1, 2, 3)).tolist() == pytest.approx([SPREAD] * 2, abs=0.03)
    stretched = model.sample(torch.tensor([0, 1]), guidance=2.0).mean(dim=(1, 2, 3))
    assert stretched.tolist() == pytest.approx([-2 * MEAN, 2 * MEAN], abs=0.06)


def test_dit_drops_labels_in_training_only() -> None:
    torch.manual_seed(0)
    design = studio.design("dit", depth=1, embed_dim=64, num_heads=1, class_dropout=0.5)
    embedder: Any = studio.build(design).y_embedder
    null, labels = embedder.embedding_table.weight[1000], torch.zeros(400, dtype=torch.long)
    dropped = (embedder.train()(labels) == null).all(dim=1)
    assert 150 < dropped.sum() < 250
    assert not (embedder.eval()(labels) == null).any()
