"""Where paths meet, against what the papers draw."""

from __future__ import annotations

import pytest

import studio
from studio.analysis.cost.connectivity import count_attention, count_connections


@pytest.mark.parametrize(
    ("family", "preset", "expected"),
    [
        ("resnet", "ResNet-50", {("residual", "ResidualUnit"): 16}),
        ("gpt", "GPT-2 small", {("residual", "PreNormBlock"): 24}),
        ("unet", None, {("skip", "Decoder"): 4}),
        ("inception", None, {("branches", "InceptionModule"): 9}),
        ("vgg", None, {}),
        ("vae", None, {}),  # the noise of the latent values is added to their mean
        ("bert", "BERT-mini", {("residual", "BERTBlock"): 8}),
        (
            "llama",
            "Stories-15M",
            {("residual", "LlamaBlock"): 12, ("gate", "GatedMLP"): 6},  # and no rotation
        ),
        (
            "efficientnet",
            "EfficientNet-B0",
            {("residual", "MBConvBlock"): 9, ("gate", "SqueezeExcite"): 16},
        ),
    ],
)
def test_meetings(family: str, preset: str | None, expected: dict[tuple[str, str], int]) -> None:
    assert count_connections(studio.profile(studio.design(family, preset)).root) == expected


def test_plain_units_have_no_residual() -> None:
    plain = studio.design("resnet", shortcut="PlainUnit")
    assert not count_connections(studio.profile(plain).root)


def test_attention_knows_its_heads_and_tokens() -> None:
    ((form, runs),) = count_attention(studio.profile(studio.design("vit")).root).items()
    assert (form.heads, form.head_dim, form.queries, form.keys, runs) == (12, 64, 197, 197, 12)
