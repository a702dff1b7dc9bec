"""Language models: who sees whom, and how a text goes on."""

from __future__ import annotations

import pytest
import torch

import studio
from studio.blocks.position import RotaryPosition, apply_rotary
from studio.family import Design
from tests.designs import small

DECODERS = [
    small(studio.families()["gpt"]),
    small(studio.families()["gpt"]).replace(block="PostNormBlock"),
    small(studio.families()["llama"]).replace(num_heads=4, num_kv_heads=2),
]
every_decoder = pytest.mark.parametrize("design", DECODERS, ids=lambda design: design.title)


@every_decoder
def test_a_token_is_blind_to_what_follows_it_and_to_nothing_else(design: Design) -> None:
    model, (tokens,) = studio.build(design).eval(), studio.example(design, batch=1)
    changed = tokens.clone()
    changed[0, 20] = (tokens[0, 20] + 1) % design.config.vocab_size
    with torch.inference_mode():
        differs = (model(tokens) != model(changed)).any(dim=2)[0]
    assert not differs[:20].any()
    assert differs[20:].all()


@every_decoder
def test_a_text_goes_on_with_the_likeliest_token(design: Design) -> None:
    model, (tokens,) = studio.build(design).eval(), studio.example(design, batch=2)
    longer = model.generate(tokens, steps=3, top_k=1)
    assert torch.equal(longer[:, : tokens.shape[1]], tokens)
    for end in range(tokens.shape[1], longer.shape[1]):
        seen = longer[:, :end][:, -design.config.seq_len :]
        assert torch.equal(model(seen)[:, -1].argmax(dim=1), longer[:, end])


def test_the_same_seed_draws_the_same_text_from_the_likeliest_alone() -> None:
    design = DECODERS[0]
    model, (tokens,) = studio.build(design).eval(), studio.example(design, batch=1)
    texts = []
    for _ in range(2):
        torch.manual_seed(1)
        texts.append(model.generate(tokens, steps=8, temperature=5.0, top_k=3))
    assert torch.equal(*texts)
    likeliest = model(texts[0][:, : tokens.shape[1]])[0, -1].topk(3).indices
    assert texts[0][0, tokens.shape[1]] in likeliest


@pytest.mark.parametrize("factor", [1.0, 8.0])
def test_a_rotated_product_knows_the_distance_alone(factor: float) -> None:
    rotary = RotaryPosition(16, theta=10000.0, factor=factor)
    cos, sin = rotary(torch.zeros(1, 40, 1))
    q, k = torch.randn(2, 1, 1, 1, 16).expand(2, 1, 1, 40, 16)
    products = (apply_rotary(q, cos, sin) @ apply_rotary(k, cos, sin).mT)[0, 0]
    for distance in (0, 1, 17):
        along = products.diagonal(-distance)
        torch.testing.assert_close(along, along[:1].expand_as(along), rtol=0, atol=1e-4)
    assert (products[:, 0] - products[0, 0]).abs().max() > 0.01


def test_a_factor_slows_slow_turns_and_leaves_fast_ones() -> None:
    plain, slowed = (RotaryPosition(128, 500000.0, factor).speed for factor in (1.0, 8.0))
    ratio = plain / slowed
    assert ratio[0] == pytest.approx(1.0)
    assert ratio[-1] == pytest.approx(8.0)
    assert ((ratio[1:] - ratio[:-1]) > -1e-5).all()


def test_bert_does_not_look_at_padding() -> None:
    design = small(studio.families()["bert"])
    model, (tokens,) = studio.build(design).eval(), studio.example(design, batch=1)
    padding = torch.arange(tokens.shape[1])[None] >= 10
    other = torch.where(padding, (tokens + 1) % design.config.vocab_size, tokens)
    with torch.inference_mode():
        texts = [model(t, padding=padding)[0][:, :10] for t in (tokens, other)]
        alone = model(tokens[:, :10])[0]
    assert torch.equal(*texts)
    torch.testing.assert_close(texts[0], alone)


def test_a_tied_head_is_the_embedding_and_an_untied_one_is_not() -> None:
    design = small(studio.families()["llama"])
    tied, free = (studio.build(design.replace(tied_head=choice)) for choice in (True, False))
    assert tied.head.weight is tied.token_embed.weight
    assert free.head.weight is not free.token_embed.weight
