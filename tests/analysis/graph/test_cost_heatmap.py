"""What each box of a graph costs, its share of the whole, and its heat."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import pytest

import studio
from studio.analysis.cost.profiler import profile, training_trace
from studio.analysis.graph.cost_heatmap import (
    METRICS,
    TIME,
    HeatScale,
    closed_nodes,
    cost_shares,
    heat_map,
    module_paths,
    node_costs,
    node_seconds,
    percent,
    share_bars,
)
from studio.analysis.graph.layer_graph import NodeUse, build_graph_with_uses, stage_titles
from studio.drawing.graph import Graph
from studio.family import Design

COUNTED = [name for name, quantity in METRICS.items() if quantity.read]
DESIGNS = [
    studio.design("vit", preset="ViT-B/16"),
    studio.design("resnet", preset="ResNet-50"),
    studio.design("unet"),
    studio.design("detr"),
]


def drawn(design: Design) -> tuple[Graph, Mapping[str, NodeUse]]:
    training = training_trace(design, 1)
    return build_graph_with_uses(profile(design).root, stage_titles(design.config), training)


@pytest.mark.parametrize("name", ["parameters", "macs"])
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.title)
def test_shares_add_up_to_the_whole_on_every_level(design: Design, name: str) -> None:
    graph, _ = drawn(design)
    found = cost_shares(node_costs(graph, METRICS[name]))
    assert found[""] == 1.0
    for block in graph.root.walk():
        if block.children:
            inside = sum(found[child.id] for child in block.children)
            assert inside == pytest.approx(found[block.id], rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.title)
def test_what_is_open_does_not_cost_more_than_the_whole(design: Design, name: str) -> None:
    graph, _ = drawn(design)
    found = node_costs(graph, METRICS[name])
    everything = frozenset(node.id for node in graph.root.walk())
    for opened in (frozenset[str](), everything):
        assert sum(found[node.id] for node in closed_nodes(graph, opened)) <= found[""] * (1 + 1e-9)


def test_costs_are_those_of_the_model() -> None:
    design = DESIGNS[0]
    graph, _ = drawn(design)
    found = profile(design)
    assert node_costs(graph, METRICS["parameters"])[""] == found.params
    assert node_costs(graph, METRICS["macs"])[""] == found.macs
    assert node_costs(graph, METRICS["activations"])[""] == found.saved_bytes
    trained = 16 * found.params + found.saved_bytes
    assert node_costs(graph, METRICS["memory"])[""] == trained


def test_boxes_in_a_repeated_block_cost_what_all_its_repeats_do() -> None:
    graph, _ = drawn(DESIGNS[0])
    found = node_costs(graph, METRICS["parameters"])
    assert found["blocks.0.mlp.fc1"] == 12 * (768 * 3072 + 3072)


def test_heat_is_monotone_and_a_quarter_is_halfway() -> None:
    scale = HeatScale(METRICS["macs"], 1e9)
    heats = [scale.heat(value) for value in (-5.0, 0.0, 1.0, 1e6, 2.5e8, 1e9, 1e12)]
    assert all(a <= b for a, b in pairwise(heats))
    assert (heats[0], heats[4], heats[-1]) == (0.0, 0.5, 1.0)
    assert scale.value(0.5) == 2.5e8
    assert HeatScale(METRICS["macs"], 0.0).heat(0.0) == 0.0


@pytest.mark.parametrize("name", COUNTED)
@pytest.mark.parametrize("opened", [(), ("blocks.0",), ("blocks.0", "blocks.0.attn")])
def test_the_hottest_of_the_boxes_seen_costs_most(name: str, opened: tuple[str, ...]) -> None:
    graph, _ = drawn(DESIGNS[0])
    quantity = METRICS[name]
    hot, found = heat_map(graph, quantity, opened), node_costs(graph, quantity)
    seen = [node.id for node in closed_nodes(graph, opened) if node.id in hot.marks]
    by_cost = sorted(seen, key=lambda name: found[name])
    heats = [hot.marks[name].heat or 0.0 for name in by_cost]
    assert all(a <= b for a, b in pairwise(heats))
    assert heats[-1] == 1.0
    assert hot.scale.top == found[by_cost[-1]]


def test_a_box_says_its_cost_times_how_often_it_is_there_and_its_share() -> None:
    hot = heat_map(drawn(DESIGNS[0])[0], METRICS["macs"], ("blocks.0",))
    boxes = {node.id: node for node in hot.graph.root.walk()}
    assert boxes["blocks.0"].detail == "12 × 1.45 GMACs · 99 %"
    assert boxes["blocks.0.attn"].detail == "12 × 524 MMACs · 36 %"
    assert boxes["norm"].detail == ""
    assert hot.marks["blocks.0.attn"].note == "36 % of the MACs: 6.29 GMACs in all"
    assert not {"input", "output"} & set(hot.marks)


def test_bars_are_on_what_has_a_share() -> None:
    bars = share_bars(drawn(DESIGNS[0])[0])
    assert bars["blocks.0"].share == pytest.approx(85_054_464 / 86_567_656)
    assert "98 % of the parameters" in bars["blocks.0"].note
    assert not {"", "add", "input"} & set(bars)


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.title)
def test_boxes_stand_for_the_modules_of_the_model(design: Design) -> None:
    graph, uses = drawn(design)
    known = {name for name, _ in studio.build(design, device="meta").named_modules()}
    stood: list[str] = []
    for node in graph.root.walk():
        if node.id in uses and uses[node.id].call.trace.is_module:
            paths = module_paths(node.id, uses)
            assert set(paths) <= known
            assert len(paths) % node.repeat == 0
            stood += [] if node.children or "#" in node.id else paths  # called again
    assert len(stood) == len(set(stood))


def test_the_time_of_a_box_is_that_of_all_its_modules() -> None:
    graph, uses = drawn(DESIGNS[0])
    model = studio.build(DESIGNS[0], device="meta")
    times = {name: 1.0 for name, _ in model.named_modules()} | {"": 200.0, "blocks.3": 5.0}
    found = node_costs(graph, TIME, node_seconds(uses, times))
    assert found["blocks.0"] == 11 + 5
    assert found["blocks.0.attn.qkv"] == 12
    assert found["norm"] == 1
    assert found[""] == 200
    assert "add" not in found
    hot = heat_map(graph, TIME, (), node_seconds(uses, times))
    assert hot.marks["blocks.0"].heat == 1.0
    assert "add" not in hot.marks


def test_without_times_nothing_is_hot() -> None:
    assert heat_map(drawn(DESIGNS[0])[0], TIME).marks == {}


def test_small_shares_keep_a_digit() -> None:
    assert [percent(s) for s in (0.0, 0.0004, 0.0713, 0.0999, 0.98, 1.0)] == [
        "0 %",
        "< 0.1 %",
        "7.1 %",
        "10 %",
        "98 %",
        "100 %",
    ]
