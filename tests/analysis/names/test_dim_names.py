"""Axes have the names that the source gives them, and no name is untrue."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.analysis.graph.layer_graph import build_graph_with_uses, stage_titles
from studio.analysis.names.dim_names import DimLetters, IODims, name_dims, no_dims, shape_text
from studio.analysis.names.shape_comments import DimNames, Lines, evaluate, stated_shapes
from studio.analysis.trace.tree import Shape, Trace
from studio.family import Family
from tests.designs import small

FAMILIES = list(zoo.families().values())


def labels(family: str, preset: str = "", **knobs: object) -> dict[tuple[str, str], str]:
    kind = zoo.family(family)
    design = kind.design(preset or kind.presets[0].name, **knobs)
    picture, _ = build_graph_with_uses(profile(design).root, stage_titles(design.config))
    return {
        (e.source, e.target): e.label_between(e.source, e.target)
        for e in picture.edges
        for edge in picture.edges
    }


def test_tokens_and_their_class_token() -> None:
    found = labels("vit")
    assert found["patch_embed.proj", "cat"] == "(B, D, H/P, W/P) = (1, 768, 14, 14) → (1, 196, 768)"
    assert found["class_token", "cat"] == "(B, 1, D) = (1, 1, 768)"
    assert found["cat", "add"] == "(B, T, D) = (1, 197, 768)"
    assert found["pos_embed", "add"] == "(B, T, D) = (1, 197, 768)"


def test_inside_a_block_its_own_letters_hold_unless_they_mean_something_else_outside() -> None:
    """A block calls its tokens N; around ViT's blocks N are the patches, and T the tokens."""
    found = labels("vit")
    assert found["blocks.0.norm1", "blocks.0.attn.qkv"] == "(B, T, D) = (1, 197, 768)"
    assert found["blocks.0.add#2", "norm"] == "(B, T, D) = (1, 197, 768)"
    assert found["blocks.0.mlp.fc1", "blocks.0.mlp.act"] == "(B, T, hidden) = (1, 197, 3072)"
    alike = labels("attention")
    assert alike["blocks.0.norm1", "blocks.0.attn.qkv"] == "(B, N, D) = (1, 128, 256)"


def test_heads() -> None:
    found = labels("detr")
    attention = "decoder.0.cross_attn"
    at = f"{attention}.scaled_dot_product_attention"
    assert found[f"{attention}.q_proj", at] == "(B, Q, D) = (1, 100, 256) → (1, 8, 100, 32)"
    assert found[f"{attention}.k_proj", at] == "(B, S, D) = (1, 625, 256) → (1, 8, 625, 32)"
    assert found[at, f"{attention}.o_proj"] == "(B, n, Q, d) = (1, 8, 100, 32) → (1, 100, 256)"
    head = "scaled_dot_product_attention"
    (ends,) = calls("vit", "SelfAttention", head)
    assert ends == IODims((("B", "h", "N", "d"),) * 3, (("B", "h", "N", "d"),))


def test_maps_of_a_residual_stage() -> None:
    found = labels("resnet", "ResNet-50")
    first = "stages.0.0.residual"
    assert found[f"{first}.conv1", f"{first}.norm1"] == "(B, w, H₁, W₁) = (1, 64, 56, 56)"
    assert found[f"{first}.conv3", f"{first}.norm3"] == "(B, 4·w, H₁, W₁) = (1, 256, 56, 56)"
    assert found["stages.0.1.relu", "stages.1.0.residual.conv1"] == (
        "(B, C₂, H₁, W₁) = (1, 256, 56, 56)"
    )


def test_a_layer_without_a_word_is_named_as_usual_for_its_kind() -> None:
    found = labels("resnet", "ResNet-50")
    below = "stages.0.0.downsample"
    assert found[f"{below}.0", f"{below}.1"] == "(B, C₂, H₁, W₁) = (1, 256, 56, 56)"


def test_the_model_names_what_it_takes_and_gives() -> None:
    root = profile(zoo.family("detr").design()).root
    own = name_dims(root, no_dims(root)).own
    assert own == IODims((("B", "C", "H", "W"),), (("B", "Q", "K + 1"), ("B", "Q", "4")))


def test_promises_are_told_in_the_letters_of_the_caller() -> None:
    """A stack of T5 calls its tokens T; those of the source are N where the stack is called."""
    root = profile(zoo.family("t5").design()).root
    encoder = next(
        ends
        for call, ends in zip(root.calls, name_dims(root, no_dims(root)).calls, strict=True)
        if call.name == "encoder"
    )
    assert encoder == IODims((("B", "N"),), (("B", "N", "D"),))


def calls(family: str, block: str, kind: str) -> list[IODims]:
    """The names at the calls of a kind in the first block of another kind."""
    root = profile(zoo.family(family).design()).root
    body = next(b for b, _ in forwards(root, no_dims(root)) if b.kind == block)
    ends = name_dims(body, no_dims(body)).calls
    return [e for call, e in zip(body.calls, ends, strict=True) if call.trace.kind == kind]


def forwards(body: Trace, outside: IODims) -> Iterator[tuple[Trace, IODims]]:
    """All bodies that call others, with how those who call them name their ends."""
    yield body, outside
    for call, ends in zip(body.calls, name_dims(body, outside).calls, strict=True):
        if call.trace.calls:
            yield from forwards(call.trace, ends)


def stated(body: Trace, outside: IODims) -> Iterator[tuple[DimNames, Shape]]:
    """Every name that is given within a body, with the shape that it is given to."""
    own, within = name_dims(body, outside)
    ends = [(own, body), *zip(within, (call.trace for call in body.calls), strict=True)]
    for names, whose in ends:
        shapes = (*whose.inputs, *whose.outputs)
        for axes, shape in zip((*names.ins, *names.outs), shapes, strict=True):
            if axes:
                yield axes, shape


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_nearly_every_layer_has_named_axes_of_the_right_rank(family: Family) -> None:
    for preset in family.presets:
        design = family.design(preset.name)
        root = profile(design).root
        found = [
            axes
            for body, outside in forwards(root, no_dims(root))
            for call, ends in zip(body.calls, name_dims(body, outside).calls, strict=True)
            if call.trace.is_module
            for axes in ends.outs[:1]
        ]
        assert sum(axes is not None for axes in found) >= 0.8 * len(found)
        assert all(
            len(axes) == len(shape)
            for body, outside in forwards(root, no_dims(root))
            for axes, shape in stated(body, outside)
        )


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_a_letter_means_one_size_within_a_forward_and_numbers_are_true(family: Family) -> None:
    for design in (family.design(), small(family)):
        root = profile(design).root
        for body, outside in forwards(root, no_dims(root)):
            letters: dict[str, set[int]] = {}
            for axes, shape in stated(body, outside):
                for name, size in zip(axes, shape, strict=True):
                    letters.setdefault(name, set()).add(size)
            plain = {k: sizes for k, sizes in letters.items() if k.isidentifier()}
            if not _in_loop(body):
                assert {k: n for k, n in plain.items() if len(n) > 1} == {}, body.kind
            assert all(sizes == {int(k)} for k, sizes in letters.items() if k.isdigit())
            known = {k: next(iter(sizes)) for k, sizes in plain.items() if len(sizes) == 1}
            for name in letters.keys() - plain.keys():
                assert evaluate(name, known) in (None, *letters[name]), (body.kind, name)


def _in_loop(body: Trace) -> bool:
    """Whether a forward runs round a loop, in each round of which its letters are new."""
    module: Any = body.cls
    return module is not None and any(s.loop for s in stated_shapes(module).statements)


def test_another_size_has_another_name() -> None:
    letters = DimLetters()
    assert letters.bind(("B", "C", "H", "W"), (1, 64, 56, 56))
    assert not letters.bind(("B", "C", "H", "W"), (1, 32, 56, 56))
    assert letters.adapt(("B", "C", "H", "W"), (1, 32, 56, 56)) == ("B", "C'", "H", "W")
    assert letters.adapt(("B", "C", "4", "4"), (1, 64, 56, 56)) is None
    assert letters.adapt(("B", "C"), (1, 64, 56, 56)) is None
    assert letters.carry(("B", "C", "H", "W"), (1, 64, 56, 56), (1, 64, 1, 1)) == (
        ("B", "C", "1", "1")
    )


def test_a_letter_of_a_loop_may_change_from_round_to_round() -> None:
    letters = DimLetters()
    assert letters.bind(("B", "C"), (1, 64), line=3, loop=Lines(2, 5))
    assert letters.bind(("B", "C"), (1, 32), line=3, loop=Lines(2, 5))
    assert not letters.bind(("B", "C"), (1, 16), line=9)


def test_a_shape_is_written_with_its_names_where_it_has_some() -> None:
    assert shape_text(("B", "N", "3*D"), (1, 197, 2304)) == "(B, N, 3·D) = (1, 197, 2304)"
    assert shape_text(None, (1, 768)) == "(1, 768)"
    assert shape_text((), ()) == shape_text(None, ()) == ""
