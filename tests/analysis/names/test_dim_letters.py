"""In a whole picture a letter means one size, and what an arrow says is what leaves its box."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

import pytest

from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.analysis.graph.layer_graph import build_graph_with_uses, stage_titles
from studio.analysis.names.shape_comments import evaluate
from studio.drawing.graph import Graph, Node, without_dim_names
from studio.drawing.visible import visible_graph
from studio.family import Design, Family
from tests.designs import small

FAMILIES = list(zoo.families().values())
SIDE = re.compile(r"H\d*")
NAMED = re.compile(r"\(([^()=]*)\) = \(([^()]*)\)")
INDEX = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def drawn(design: Design) -> Graph:
    return build_graph_with_uses(profile(design).root, stage_titles(design.config))[0]


def texts(graph: Graph) -> Iterator[str]:
    """All that a picture says of shapes, however it is folded."""
    for node in graph.root.walk():
        yield from (node.detail, *node.facts)
    for edge in graph.edges:
        yield from (text for _, text in edge.at)


def sizes(graph: Graph) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for names, numbers in (pair for text in texts(graph) for pair in NAMED.findall(text)):
        for name, number in zip(names.split(", "), numbers.split(", "), strict=True):
            found.setdefault(name.translate(INDEX), set()).add(int(number))
    return found


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_a_letter_means_one_size_in_a_picture_and_terms_are_true(family: Family) -> None:
    for design in (*(family.design(preset.name) for preset in family.presets), small(family)):
        found = sizes(drawn(design))
        assert {name: n for name, n in found.items() if len(n) > 1} == {}, design.title
        known = {name: min(n) for name, n in found.items()}
        letters = {name: size for name, size in known.items() if name.isidentifier()}
        for name, size in known.items():
            assert evaluate(name.replace("^", "**"), letters) in (None, size), (design.title, name)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_the_sides_of_a_map_are_called_alike_wherever_it_goes(family: Family) -> None:
    """Where a square map is named by letters these are H and W of one index, never h beside w."""
    for design in (family.design(), small(family)):
        for names, numbers in (p for text in texts(drawn(design)) for p in NAMED.findall(text)):
            named = zip(names.split(", "), numbers.split(", "), strict=True)
            for (high, m), (wide, n) in pairwise(named):
                pair = (high.translate(INDEX), wide.translate(INDEX))
                assert not (pair[0][0] == "h" and pair[1][0] == "w"), (design.title, names)
                if m == n and SIDE.fullmatch(pair[0]) and pair[1][0] == "W":
                    assert pair[1] == pair[0].replace("H", "W"), (design.title, names)


def test_a_map_that_keeps_its_size_keeps_its_letters() -> None:
    """From a backbone to a head whose own words for it are h and w."""
    for family, left, taken in (
        ("detr", "backbone.stages.3.1.relu", "input_proj"),
        ("deeplab", "backbone.stages.3.1.relu", "head.aspp.views.0.conv"),
    ):
        labels = {(e.source, e.target): e for e in drawn(zoo.family(family).design()).edges}
        before = labels[left, taken].label_between(left, taken)
        after = next(e.label_between(taken, e.target) for e in labels.values() if e.source == taken)
        sides = [NAMED.findall(text)[0][0].split(", ")[2:] for text in (before, after)]
        assert sides[0] == sides[1], (family, before, after)


def test_the_input_of_a_composition_is_named_by_the_stem_that_takes_it() -> None:
    labels = [node.detail for node in drawn(zoo.family("hybrid").design()).root.children]
    assert labels[0] == "(B, C, H, W) = (1, 3, 224, 224)"


def children(block: Node, opened: frozenset[str]) -> Iterator[Node]:
    for node in block.children:
        yield node
        if node.id in opened:
            yield from children(node, opened)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_an_arrow_says_what_leaves_its_box_and_not_what_the_next_makes_of_it(
    family: Family,
) -> None:
    """As the boxes at its ends say themselves: a flatten in the next stage is not this one's."""
    graph = drawn(family.design())
    blocks = [node.id for node in graph.root.walk() if node.children]
    for opened in (frozenset[str](), frozenset(blocks[:1]), frozenset(blocks)):
        facts = {
            node.id: [fact for fact in node.facts if fact.startswith(("in: ", "out: "))]
            for node in children(graph.root, opened)
        }
        for edge in (edge for edge in visible_graph(graph, opened).edges if not edge.feedback):
            left, *taken = (
                part.split(" · ") for part in without_dim_names(edge.label).split(" → ")
            )
            outs = "".join(fact for fact in facts[edge.source] if fact.startswith("out"))
            if outs and " more" not in edge.label:
                assert all(shape in without_dim_names(outs) for shape in left), edge
            ins = "".join(fact for fact in facts[edge.target] if fact.startswith("in"))
            if ins and taken and len(left) == 1:
                assert all(shape in without_dim_names(ins) for shape in taken[-1]), edge


def test_the_flatten_of_a_stage_of_tokens_is_drawn_within_it() -> None:
    labels = {
        (edge.source, edge.target): without_dim_names(edge.label)
        for edge in visible_graph(drawn(zoo.family("hybrid").design()), frozenset()).edges
    }
    assert labels["stages.2", "stages.3"] == "(1, 256, 14, 14)"
    assert labels["stages.3", "stages.4"] == "(1, 197, 256)"
