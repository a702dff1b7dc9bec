"""A picture that asks a text: deaf while the gate is closed, and not afterwards."""

from __future__ import annotations

import torch

import studio
from studio.zoo.cross_attention import CrossAttentionEncoder


def test_the_gate_decides_whether_the_text_is_heard() -> None:
    torch.manual_seed(0)
    design = studio.design("cross_attention", vocab_size=50)
    model = CrossAttentionEncoder(design.config).eval()
    images, words = studio.example(design, batch=2)
    others = (words + 1) % 50
    assert torch.equal(model(images, words), model(images, others))
    for name, parameter in model.named_parameters():
        if name.endswith("gate.alpha"):
            torch.nn.init.ones_(parameter)
    assert not torch.allclose(model(images, words), model(images, others))


def test_words_cost_less_than_they_would_in_one_sequence() -> None:
    """Attention from N patches to M words is N · M, so that its cost is linear in the text."""
    short, long, longer = (
        studio.profile(studio.design("cross_attention", preset="Base", text_depth=1, seq_len=n))
        for n in (100, 200, 300)
    )
    text = 2 * 100**2 * 768 * 2  # what the one block of the text adds beside, by its square
    assert longer.macs - 2 * long.macs + short.macs == text
