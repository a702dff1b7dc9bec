"""Formulas: each says the figure of its node, and a block's is the sum of its parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

import pytest

from studio import zoo
from studio.analysis.cost.profiler import profile, training_trace
from studio.analysis.graph.layer_graph import (
    NodeUse,
    build_graph_with_uses,
    stage_titles,
    walk_with_repeats,
)
from studio.analysis.inspect.formulas.formula import Factor, Formula, Term, part, remainder
from studio.analysis.inspect.formulas.layer_cost import LayerDims, mac_terms, weight_terms
from studio.analysis.inspect.formulas.node_cost import (
    mac_formula,
    memory_formula,
    parameter_formula,
    saved_formula,
    tensor_formula,
    tensor_shapes,
)
from studio.analysis.inspect.node_details import NodeDetails, model_use, node_details
from studio.drawing.graph import Figures, Graph, Node
from studio.family import Design, Family
from tests.commit_sample import commit_sample
from tests.designs import options, small

FAMILIES = list(zoo.families().values())
READ = (lambda f: f.params, lambda f: f.macs, lambda f: f.saved_bytes)


def designs(family: Family) -> Iterator[Design]:
    yield from (family.design(preset.name) for preset in family.presets)
    yield from (design for _, design in options(family))


@lru_cache(maxsize=512)
def drawn(design: Design) -> tuple[Graph, Mapping[str, NodeUse]]:
    return build_graph_with_uses(
        profile(design).root, stage_titles(design.config), training_trace(design, 1)
    )


def looked(family: str, preset: str, node: str, **knobs: object) -> NodeDetails:
    design = zoo.family(family).design(preset, **knobs)
    inspection = node_details(node, *drawn(design), profile(design))
    assert inspection is not None
    return inspection


def written(family: str, preset: str, node: str, figure: int = 0, **knobs: object) -> str:
    return looked(family, preset, node, **knobs).costs[figure].formula.text()


@pytest.mark.parametrize(
    "family", commit_sample("formulas", FAMILIES, 12), ids=lambda family: family.key
)
def test_every_formula_is_the_figure_of_its_node(family: Family) -> None:
    for design in designs(family):
        found = profile(design)
        graph, uses = drawn(design)
        shapes = tensor_shapes(found.root, uses)
        for node in graph.root.walk():
            use = uses.get(node.id) if node.id else model_use(found)
            if node.kind == "parameter":
                counted = tensor_formula(shapes[node.id], bool(node.figures.params))
            else:
                counted = parameter_formula(node, use)
            told = counted.total, mac_formula(node, use).total, saved_formula(node, use).total
            figures = node.figures
            shown = figures.params, figures.macs, figures.saved_bytes
            assert told == shown, (design.title, node.id)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_every_node_can_be_inspected(family: Family) -> None:
    design = small(family)
    found = profile(design)
    graph, uses = drawn(design)
    for node in graph.root.walk():
        inspection = node_details(node.id, graph, uses, found)
        assert inspection is not None
        assert inspection.inputs or inspection.outputs, node.id
        assert all(0 <= cost.share <= 1 or not node.id for cost in inspection.costs), node.id
    assert node_details("nowhere", graph, uses, found) is None


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_the_whole_holds_its_parameters_and_what_it_saves(
    family: Family,
) -> None:
    for preset in family.presets:
        design = family.design(preset.name)
        found = profile(design)
        inspection = node_details("", *drawn(design), found)
        assert inspection is not None
        frozen = 12 * (found.params - found.trainable_params)
        held = 16 * found.params - frozen + found.saved_bytes
        assert inspection.costs[3].formula.total == held


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_no_layer_of_a_preset_is_without_letters(family: Family) -> None:
    """What costs parameters or MACs says how, not only how many."""
    for preset in family.presets:
        uses = drawn(family.design(preset.name))[1]
        for name, use in uses.items():
            body = use.call.trace
            if not body.calls:
                assert all(term.symbols for term in mac_terms(body)), (preset.name, name)
                assert all(term.symbols for term in weight_terms(body)), (preset.name, name)
                assert "summed" not in {f.symbol for t in mac_terms(body) for f in t.factors}, name


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_the_terms_of_a_block_are_its_parts(family: Family) -> None:
    """All that a block's formula has beside the figures of its children has a name of its own."""
    design = family.design()
    graph, uses = drawn(design)
    for node, _ in walk_with_repeats(graph.root):
        use = uses.get(node.id)
        if node.children and use:
            for formula, read in zip(
                (parameter_formula(node, use), mac_formula(node, use)), READ, strict=False
            ):
                parts = sum(read(child.figures) for child in node.children)
                beside = sum(t.value for t in formula.terms if t.name.startswith("that no"))
                assert formula.total == node.repeat * (parts + beside), node.id


def test_the_letters_of_layers() -> None:
    linear = written("vit", "ViT-B/16", "blocks.0.attn.qkv")
    assert linear == "3*D × D + 3*D = 2,304 × 768 + 2,304 = 1,771,776"
    filters = written("resnet", "ResNet-50", "stem.conv")
    assert filters == "C₁ × C × k × k = 64 × 3 × 7 × 7 = 9,408"
    assert written("vit", "ViT-B/16", "blocks.0.norm1") == "2 × D = 2 × 768 = 1,536"
    pixels = written("resnet", "ResNet-50", "stem.conv", 1)
    assert pixels.startswith("B × H/2 × W/2 × C₁ × C × k × k = 1 × 112 × 112 × 64 × 3 × 7 × 7 =")


def test_names_of_axes_take_the_place_of_torchs_words() -> None:
    design = zoo.family("vit").design("ViT-B/16")
    uses = build_graph_with_uses(profile(design).root)[1]
    body = uses["blocks.0.attn.qkv"].call.trace
    axes = LayerDims((("B", "N", "D"),), (("B", "N", "3*D"),))
    assert Formula(weight_terms(body, axes)).symbols == "3*D × D + 3*D"
    assert Formula(mac_terms(body, axes)).symbols == "B × N × D × 3*D"
    summed = LayerDims((("B", "N + 1", "D"),), (("B", "N + 1", "3*D"),))
    assert Formula(mac_terms(body, summed)).symbols == "B × (N + 1) × D × 3*D"


def test_a_block_is_the_sum_of_its_parts_by_name() -> None:
    whole = written("vit", "ViT-B/16", "")
    assert "blocks.0–11 12 × 7,087,872 + norm 1,536 + head 769,000 = 86,567,656" in whole
    block = written("vit", "ViT-B/16", "blocks.0")
    assert block == (
        "12 × (norm1 1,536 + attn 2,362,368 + norm2 1,536 + mlp 4,722,432) = 85,054,464"
    )


def test_a_tied_head_says_where_it_is_counted() -> None:
    head = looked("gpt", "GPT-2 small", "head").costs[0].formula
    assert (head.total, head.note) == (0, "weight is token_embed.weight, counted there")
    again = looked("faster_rcnn", "Faster R-CNN R50-FPN", "rpn.head#2.objectness")
    assert again.costs[0].formula.note == "called again: counted at rpn.head.objectness"


def test_what_does_not_learn_has_no_gradient() -> None:
    stem = looked("detr", "DETR-R50", "backbone.stem.conv")
    assert stem.costs[3].formula.text() == "bytes × frozen = 4 × 9,408 = 37,632"


def test_shares_are_of_the_whole_with_all_repeats() -> None:
    one = looked("vit", "ViT-B/16", "blocks.0.attn")
    assert (one.times, one.costs[0].whole) == (12, 86_567_656)
    assert one.costs[0].share == pytest.approx(12 * 2_362_368 / 86_567_656)
    assert one.modules == tuple(f"blocks.{i}.attn" for i in range(12))


def test_attention_says_how_it_grows() -> None:
    found = looked("vit", "ViT-B/16", "blocks.0").attention
    assert found is not None
    assert (found.law, found.queries) == ("tokens²", 197)
    # 12 N D² in linear layers, 2 N² D in attention: the square takes over at N = 6 D.
    assert found.crossover_tokens == 6 * 768
    assert 12 * found.macs == found.total_macs * 12 - 12 * (12 * 197 * 768**2)
    assert looked("resnet", "ResNet-50", "stages.0").attention is None


def test_a_formula_is_written_without_steps_that_only_repeat() -> None:
    assert Formula((part("norm", 1536),)).text() == "norm 1,536"
    assert Formula((Term((Factor("D", 768),)),)).text() == "D = 768"
    less = Formula((part("blocks", 12, 4), remainder("counted before", -2)))
    assert (less.text(), less.total) == ("blocks 4 × 3 − counted before 2 = 10", 10)
    assert Formula().text() == "0"


def test_memory_is_four_values_a_parameter_and_what_is_saved() -> None:
    node = Node(id="a", label="a", figures=Figures(10, 0, 300))
    assert memory_formula(node, None).total == 4 * 4 * 10 + 300
    assert saved_formula(node, None).total == 300  # a box has what no box beside it has
