"""In a whole picture a letter means one size, and what an arrow says is what leaves its box."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from studio import zoo
from studio.analysis.comments import value
from studio.analysis.graph import planned, rows
from studio.analysis.profile import profile
from studio.drawing.flow import flow
from studio.drawing.graph import Graph, Node, plain
from studio.family import Design, Family
from tests.designs import small

FAMILIES = list(zoo.families().values())
NAMED = re.compile(r"\(([^()=]*)\) = \(([^()]*)\)")
INDEX = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")


def drawn(design: Design) -> Graph:
    return planned(profile(design).root, rows(design.config))[0]


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
            assert value(name.replace("^", "**"), letters) in (None, size), (design.title, name)


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
        for edge in (edge for edge in flow(graph, opened).edges if not edge.again):
            left, *taken = (part.split(" · ") for part in plain(edge.label).split(" → "))
            outs = "".join(fact for fact in facts[edge.source] if fact.startswith("out"))
            if outs and " more" not in edge.label:
                assert all(shape in plain(outs) for shape in left), edge
            ins = "".join(fact for fact in facts[edge.target] if fact.startswith("in"))
            if ins and taken and len(left) == 1:
                assert all(shape in plain(ins) for shape in taken[-1]), edge


def test_the_flatten_of_a_stage_of_tokens_is_drawn_within_it() -> None:
    labels = {
        (edge.source, edge.target): plain(edge.label)
        for edge in flow(drawn(zoo.family("hybrid").design()), frozenset()).edges
    }
    assert labels["stages.2", "stages.3"] == "(1, 256, 14, 14)"
    assert labels["stages.3", "stages.4"] == "(1, 197, 256)"
