"""The drawn graph is the data flow of the trace."""

from __future__ import annotations

import pytest

from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.analysis.graph.layer_graph import build_graph, stage_titles
from studio.drawing.graph import Graph, Node
from studio.family import Design, Family
from tests.designs import corners, small

FAMILIES = list(zoo.families().values())


def drawn(design: Design) -> Graph:
    return build_graph(profile(design).root, stage_titles(design.config))


def node(picture: Graph, name: str) -> Node:
    return next(n for n in picture.root.walk() if n.id == name)


def into(picture: Graph, target: str) -> list[str]:
    return [edge.source for edge in picture.edges if edge.target == target]


def vit(**knobs: object) -> Graph:
    return drawn(zoo.family("vit").design("ViT-B/16", **knobs))


def test_equal_blocks_fold_and_the_depth_knob_is_the_number() -> None:
    assert node(vit(), "blocks.0").repeat == 12
    assert node(vit(depth=5), "blocks.0").repeat == 5


def test_residuals_are_visible_inside_a_block() -> None:
    picture = vit()
    assert into(picture, "blocks.0.add") == ["add", "blocks.0.attn.proj"]
    assert into(picture, "blocks.0.add#2") == ["blocks.0.add", "blocks.0.mlp.fc2"]


def test_what_joins_the_flow_has_its_name() -> None:
    picture = vit()
    assert into(picture, "cat") == ["class_token", "patch_embed.proj"]
    assert into(picture, "add") == ["cat", "pos_embed"]


def test_plumbing_is_not_drawn() -> None:
    labels = {n.label for n in vit(dropout=0.1).root.walk()}
    assert not labels & {"Dropout", "Flatten", "transpose", "flatten", "expand", "getitem", "view"}


def test_a_constant_is_not_drawn() -> None:
    bert = drawn(zoo.family("bert").design())
    assert into(bert, "embed.segment") == []
    labels = {n.label for family in FAMILIES for n in drawn(family.design()).root.walk()}
    assert not labels & {"zeros", "zeros like", "ones like", "arange"}


def test_a_repeated_block_that_begins_with_zeros_is_fed_by_its_own_end() -> None:
    picture = drawn(zoo.family("detr").design())
    assert node(picture, "decoder.0").repeat == 6
    assert into(picture, "decoder.0.add") == ["decoder.0.norm3", "queries.weight"]
    assert into(picture, "decoder.0.attn.v_proj") == ["decoder.0.norm3"]


def test_operations_have_a_sign_or_a_word_of_the_field() -> None:
    labels = {
        n.label
        for family in FAMILIES
        for preset in family.presets
        for n in drawn(family.design(preset.name)).root.walk()
        if n.kind == "operation"
    }
    assert {"+", "×", "÷", "concat", "softmax attention", "mean", "up-sample"} <= labels
    assert not {label for label in labels if "_" in label or label.startswith("linalg")}
    assert not labels & {"mul", "add", "cat", "div", "rsqrt", "getitem", "flatten", "long", "amax"}


def test_edges_carry_the_shapes_that_are_used() -> None:
    labels = {(e.source, e.target): e.label_between(e.source, e.target) for e in vit().edges}
    assert labels["input", "patch_embed.proj"] == "(B, C, H, W) = (1, 3, 224, 224)"
    assert labels["head", "output"] == "(B, num_classes) = (1, 1000)"


def test_an_edge_that_takes_a_part_says_of_what() -> None:
    labels = {(e.source, e.target): e.label_between(e.source, e.target) for e in vit().edges}
    assert labels["norm", "head"] == "(B, T, D) = (1, 197, 768) → (1, 768)"
    # All of it, in another shape; from outside the block, what the block gives.
    assert labels["patch_embed.proj", "cat"] == (
        "(B, D, H/P, W/P) = (1, 768, 14, 14) → (1, 196, 768)"
    )
    (edge,) = (e for e in vit().edges if e.source == "patch_embed.proj")
    assert edge.label_between("patch_embed", "cat") == "(B, N, D) = (1, 196, 768)"


def test_what_joins_the_flow_says_its_shape() -> None:
    assert node(vit(), "class_token").facts == ("(1, 1, 768)", "768 values")


HYBRIDS = zoo.family("hybrid")


@pytest.mark.parametrize("preset", [preset.name for preset in HYBRIDS.presets])
def test_each_row_of_a_composition_is_one_node(preset: str) -> None:
    design = HYBRIDS.design(preset)
    picture = drawn(design)
    shown = [n.id for n in picture.root.children if n.kind == "module"]
    assert shown == ["stem", *(f"stages.{i}" for i in range(len(design.config.stages))), "head"]
    assert [node(picture, name).label for name in shown] == list(
        stage_titles(design.config).values()
    )


def test_rows_are_called_by_number_and_kind_and_unfold_to_their_blocks() -> None:
    picture = drawn(HYBRIDS.design("R50+ViT-B/16"))
    assert node(picture, "stages.2").label == "2 StandardisedResidual × 9"
    assert [n.repeat for n in node(picture, "stages.2").children] == [1, 8]
    assert node(picture, "head").label == "head ClassTokenHead"


def test_a_row_that_computes_nothing_is_on_the_way() -> None:
    picture = drawn(HYBRIDS.design("CRNN"))
    assert into(picture, "stages.9") == ["stages.8.act"]
    assert "stages.9" in {edge.source for edge in picture.edges}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_every_node_has_its_own_name_and_every_edge_its_ends(family: Family) -> None:
    designs = [family.design(preset.name) for preset in family.presets]
    for design in [*designs, *(d for _, d in corners(family, small(family)))]:
        picture = drawn(design)
        names = [n.id for n in picture.root.walk()]
        assert len(names) == len(set(names))
        assert {e.source for e in picture.edges} | {e.target for e in picture.edges} <= set(names)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_every_box_is_on_a_way_from_an_input_or_a_parameter_to_an_output(family: Family) -> None:
    picture = drawn(family.design())
    leaves = [n for n in picture.root.walk() if not n.children]
    for leaf in leaves:
        # A layer of weights may read a constant: BERT's segments, where there is but one text.
        source = leaf.kind in ("input", "parameter") or leaf.figures.params
        fed = source or into(picture, leaf.id)
        used = leaf.kind == "output" or any(e.source == leaf.id for e in picture.edges)
        assert fed, leaf.id
        assert used, leaf.id


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_folded_presets_stay_small(family: Family) -> None:
    for preset in family.presets:
        assert len(drawn(family.design(preset.name)).root.children) < 60
