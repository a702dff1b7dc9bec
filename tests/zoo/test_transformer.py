"""The layers of the Transformer are those of torch, and the decoder does not look ahead."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

import studio
from studio.zoo.transformer import PostNorm, PreNorm, SourceLayer, TargetLayer, Transformer

SIZES = (32, 4, 64)  # embed_dim, num_heads, hidden_dim


def in_our_order(state: dict[str, Tensor], attentions: tuple[str, ...]) -> Iterator[Tensor]:
    """The tensors of a layer of torch: each sub-layer, then its norm."""
    for number, name in enumerate(attentions, start=1):
        weights = state[f"{name}.in_proj_weight"].chunk(3)
        biases = state[f"{name}.in_proj_bias"].chunk(3)
        yield from (tensor for pair in zip(weights, biases, strict=True) for tensor in pair)
        yield from (state[f"{name}.out_proj.{part}"] for part in ("weight", "bias"))
        yield from (state[f"norm{number}.{part}"] for part in ("weight", "bias"))
    for name in ("linear1", "linear2", f"norm{len(attentions) + 1}"):
        yield from (state[f"{name}.{part}"] for part in ("weight", "bias"))


def same_weights(ours: nn.Module, torchs: nn.Module, attentions: tuple[str, ...]) -> None:
    for parameter in torchs.parameters():
        nn.init.normal_(parameter, std=0.3)
    tensors = in_our_order(torchs.state_dict(), attentions)
    ours.load_state_dict(dict(zip(ours.state_dict(), tensors, strict=True)))


@pytest.mark.parametrize("residual", [PostNorm, PreNorm])
def test_the_layers_are_those_of_torch(residual: type[nn.Module]) -> None:
    torch.manual_seed(0)
    source, target = torch.randn(2, 9, 32), torch.randn(2, 7, 32)
    settings = {"dropout": 0.0, "layer_norm_eps": 1e-6, "batch_first": True}
    settings["norm_first"] = residual is PreNorm
    encoder = nn.TransformerEncoderLayer(*SIZES, **settings)  # type: ignore[arg-type]
    decoder = nn.TransformerDecoderLayer(*SIZES, **settings)  # type: ignore[arg-type]
    ours = SourceLayer(*SIZES, residual, 0.0), TargetLayer(*SIZES, residual, 0.0)
    same_weights(ours[0], encoder, ("self_attn",))
    same_weights(ours[1], decoder, ("self_attn", "multihead_attn"))
    mask = nn.Transformer.generate_square_subsequent_mask(7)
    torch.testing.assert_close(ours[0](source), encoder(source))
    torch.testing.assert_close(ours[1](target, source), decoder(target, source, tgt_mask=mask))


def test_which_matrices_are_shared() -> None:
    counts = {}
    for shared in (True, False):
        for tied in (True, False):
            design = studio.design("transformer", shared_embed=shared, tied_head=tied)
            counts[shared, tied] = studio.profile(design).params
    one, matrix = counts[True, True], 37000 * 512
    assert counts[True, False] == counts[False, True] == one + matrix
    assert counts[False, False] == one + 2 * matrix


def small() -> Transformer:
    torch.manual_seed(0)
    config = studio.design(
        "transformer", depth=2, embed_dim=64, vocab_size=50, seq_len=8, target_len=16
    ).config
    return Transformer(config).eval()


def test_a_word_does_not_depend_on_those_after_it() -> None:
    model, source = small(), torch.randint(50, (1, 8))
    target = torch.randint(50, (1, 16))
    changed = torch.cat((target[:, :9], (target[:, 9:] + 1) % 50), dim=1)
    before, after = model(source, target), model(source, changed)
    torch.testing.assert_close(before[:, :9], after[:, :9])
    assert not torch.allclose(before[:, 9:], after[:, 9:])


def test_translation_writes_the_likeliest_words_one_by_one() -> None:
    model, source = small(), torch.randint(50, (2, 8))
    written = model.translate(source, start=0, end=50, max_new_tokens=5)
    given = torch.cat((torch.zeros(2, 1, dtype=torch.long), written[:, :-1]), dim=1)
    assert torch.equal(model(source, given).argmax(dim=-1), written)
    first = int(written[0, 0])
    stopped = model.translate(source[:1], start=0, end=first, max_new_tokens=5)
    assert stopped.tolist() == [[first]]
