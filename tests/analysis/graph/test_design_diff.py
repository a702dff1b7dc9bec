"""What changed from one design to another."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

import studio
from studio.analysis.cost.layer_table import LayerRow, layer_rows
from studio.analysis.cost.profiler import profile, training_trace
from studio.analysis.graph.cost_heatmap import METRICS, TIME
from studio.analysis.graph.design_diff import GraphDiff, align, graph_diff, layer_diffs
from studio.analysis.graph.layer_graph import build_graph, stage_titles
from studio.drawing.decoration import Change
from studio.drawing.graph import Graph, Node
from studio.drawing.layout.layered import layout
from studio.drawing.render.svg import svg
from studio.family import Design


def design(family: str, preset: str | None = None, **knobs: object) -> Design:
    return studio.design(family, preset=preset, **knobs)


def drawn(one: Design) -> Graph:
    return build_graph(profile(one).root, stage_titles(one.config), training_trace(one, 1))


def told(before: Design, now: Design, quantity: str = "parameters") -> GraphDiff:
    return graph_diff(drawn(before), drawn(now), METRICS[quantity])


def changes(found: GraphDiff) -> dict[str, Change]:
    """Of the boxes that did not stay."""
    return {n: m.change for n, m in found.marks.items() if m.change and m.change != "unchanged"}


def box(found: GraphDiff, name: str) -> Node:
    return next(node for node in found.graph.root.walk() if node.id == name)


VIT = design("vit", "ViT-B/16")
RESNETS = {n: design("resnet", f"ResNet-{n}") for n in (18, 50, 101)}


@pytest.mark.parametrize("family", ["vit", "resnet", "unet", "t5", "gan", "hybrid"])
@pytest.mark.parametrize("quantity", ["parameters", "memory"])
def test_a_design_does_not_differ_from_itself(family: str, quantity: str) -> None:
    one = design(family)
    found = told(one, one, quantity)
    assert found.is_empty
    assert found.graph.edges == drawn(one).edges


def test_another_depth_is_one_change() -> None:
    found = told(VIT, design("vit", "ViT-B/16", depth=6))
    assert changes(found) == {"blocks.0": "shrank"}
    block = box(found, "blocks.0")
    assert (block.label, block.repeat) == ("EncoderBlock × 12 →", 6)
    assert block.detail == "42.5 M (−42.5 M)"
    assert "EncoderBlock × 12 → × 6" in svg(layout(found.graph))


def test_one_that_is_left_of_many_says_so() -> None:
    assert box(told(VIT, design("vit", "ViT-B/16", depth=1)), "blocks.0").label == (
        "EncoderBlock × 12 → × 1"
    )


def test_other_heads_turn_the_attention_and_all_around_it() -> None:
    found = told(VIT, design("vit", "ViT-B/16", num_heads=6))
    around = ["blocks.0", "blocks.0.attn", "blocks.0.attn.scaled_dot_product_attention"]
    assert changes(found) == dict.fromkeys(around, "modified")
    assert "197" in found.marks[around[-1]].note
    saved = changes(told(VIT, design("vit", "ViT-B/16", num_heads=6), "activations"))
    assert saved == dict.fromkeys(around, "shrank")


def test_only_the_third_stage_of_a_resnet_50_grows_to_that_of_a_resnet_101() -> None:
    found = told(RESNETS[50], RESNETS[101])
    assert changes(found) == {"stages.2": "grew", "stages.2.1": "grew"}
    params = RESNETS[101].base.params - RESNETS[50].base.params
    assert f"+{params / 1e6:.1f} M" in box(found, "stages.2").detail
    assert box(found, "stages.2.1").label == "ResidualUnit × 5 →"


def test_what_appeared_there_vanishes_back() -> None:
    there, back = told(RESNETS[18], RESNETS[50]), told(RESNETS[50], RESNETS[18])
    new = {name for name, change in changes(there).items() if change == "added"}
    gone = {name for name, change in changes(back).items() if change == "removed"}
    assert new == gone
    assert "stages.0.0.residual.conv3" in new
    grew = Counter(changes(there).values())
    shrank = Counter(changes(back).values())
    assert (grew["grew"], grew["shrank"]) == (shrank["shrank"], shrank["grew"])


def test_ghosts_stand_where_they_were_with_their_edges() -> None:
    found = told(RESNETS[50], RESNETS[18])
    inside = [node.id.rpartition(".")[2] for node in box(found, "stages.0.0.residual").children]
    assert inside.index("conv3") > inside.index("conv2")
    before = {(e.source, e.target) for e in drawn(RESNETS[50]).edges}
    after = {(e.source, e.target) for e in drawn(RESNETS[18]).edges}
    merged = [(e.source, e.target) for e in found.graph.edges]
    gone = {name for name, change in changes(found).items() if change == "removed"}
    assert after <= set(merged) <= before | after
    assert {edge for edge in before if gone & set(edge)} <= set(merged)
    assert len(merged) == len(set(merged))
    names = [node.id for node in found.graph.root.walk()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("pair", [(18, 50), (50, 18)])
def test_both_designs_in_one_graph_can_be_drawn_at_every_level(pair: tuple[int, int]) -> None:
    found = told(*(RESNETS[n] for n in pair))
    blocks = frozenset(node.id for node in found.graph.root.walk() if node.children)
    for opened in (frozenset[str](), blocks):
        picture = layout(found.graph, opened)
        text = svg(picture, marks=found.marks)
        assert text.count('data-id="') == len(picture.boxes)


def test_another_class_is_named_with_the_one_before() -> None:
    found = told(RESNETS[18], RESNETS[50])
    assert box(found, "stages.1.0.residual").label == "BasicBlock → Bottleneck"


def test_another_input_turns_what_costs_the_same() -> None:
    found = told(VIT, design("vit", "ViT-B/16", image_size=384))
    assert changes(found)["pos_embed"] == "grew"
    assert changes(found)["blocks.0"] == "modified"
    was, now = ("(B, C, H, W) = (1, 3, 224, 224)", "(B, C, H, W) = (1, 3, 384, 384)")
    assert box(found, "input").detail == f"{was} → {now}"
    assert changes(told(VIT, design("vit", "ViT-B/16", image_size=384), "macs"))["blocks.0"] == (
        "grew"
    )


def test_times_that_are_near_are_the_same() -> None:
    times = {"": 1.0, "norm": 0.1, "head": 0.1}
    later = times | {"norm": 0.105, "head": 0.2}
    found = graph_diff(drawn(VIT), drawn(VIT), TIME, (times, later))
    assert changes(found) == {"head": "grew"}


def table(one: Design) -> list[LayerRow]:
    return list(layer_rows(training_trace(one, 1)))


def test_rows_of_the_table_tell_what_moved() -> None:
    shallow = design("vit", "ViT-B/16", depth=6)
    found = {layer.row.path: layer for layer in layer_diffs(table(VIT), table(shallow))}
    block = found["blocks.0 ×6"]
    assert block.change == "shrank"
    assert block.delta.params == -6 * 7_087_872
    assert block.before is not None
    assert block.before.params == 12 * 7_087_872
    assert found["head"].change == "unchanged"


def test_deltas_of_the_outermost_rows_add_up_to_that_of_the_models() -> None:
    found = layer_diffs(table(RESNETS[18]), table(RESNETS[50]))
    assert {"added", "grew", "unchanged"} <= {layer.change for layer in found}
    outermost = [layer.delta for layer in found if layer.row.level == 1]
    params = RESNETS[50].base.params - RESNETS[18].base.params
    assert sum(delta.params for delta in outermost) == params
    macs = profile(RESNETS[50]).macs - profile(RESNETS[18]).macs
    assert sum(delta.macs for delta in outermost) == macs


def test_layers_of_other_families_are_all_others() -> None:
    found = layer_diffs(table(VIT), table(RESNETS[18]), alike=False)
    assert {layer.change for layer in found} == {"added", "removed"}
    assert len(found) == len(table(VIT)) + len(table(RESNETS[18]))


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.lists(st.sampled_from("abcdefgh"), unique=True),
)
def test_alignment_keeps_the_order_of_now_and_loses_nobody(old: list[str], new: list[str]) -> None:
    found = align(old, new)
    assert sorted(found) == sorted({*old, *new})
    assert [name for name in found if name in new] == new
    assert align(old, old) == old
