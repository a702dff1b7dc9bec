"""A graph as one HTML file: what it holds, and that nothing in it ends early."""

from __future__ import annotations

import json
import re
from html import escape
from typing import Any

import pytest

import studio
from studio.drawing.figure import Figure, Heading
from studio.drawing.graph import Graph, Node
from studio.drawing.levels import levels
from studio.drawing.node_table import node_rows
from studio.drawing.render.html import html
from studio.exports import figure
from tests.drawing.examples import EXAMPLES, blocks

HEADING = Heading(title="ViT <B>", figures=("1 M parameters",), link="https://example.org/?a=1&b=2")


def data(text: str) -> Any:
    found = re.search(r'<script type="application/json" id="file">(.*?)</script>', text, re.S)
    assert found
    return json.loads(found[1])


def rows(text: str) -> list[tuple[str, str]]:
    """The box of each row, and what feeds it."""
    return re.findall(r'<tr data-id="([^"]*)">.*?</th><td>(.*?)</td>', text)


@pytest.mark.parametrize("name", EXAMPLES)
def test_it_holds_each_level_once_and_shows_the_one_that_was_open(name: str) -> None:
    graph = EXAMPLES[name]()
    steps = levels(graph)
    for level, opened in enumerate(steps):
        found = data(html(Figure(graph=graph, heading=HEADING, opened=opened)))
        assert [set(one["open"]) for one in found["pictures"]] == list(map(set, steps))
        assert [one["level"] for one in found["pictures"]] == list(range(len(steps)))
        assert found["first"] == level
        assert ["svg" not in one for one in found["pictures"]] == [
            i == level for i in range(len(steps))
        ]  # the first one stands in the page, for those without scripts


def test_blocks_that_are_open_at_no_level_are_a_picture_of_their_own() -> None:
    graph = EXAMPLES["resnet"]()
    found = data(html(Figure(graph=graph, heading=HEADING, opened=frozenset({"b", "gone"}))))
    assert (found["first"], found["pictures"][0]["level"]) == (0, -1)
    assert found["pictures"][0]["open"] == ["b"]
    assert len(found["pictures"]) == 1 + len(levels(graph))


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_table_says_what_its_picture_says(name: str) -> None:
    graph = EXAMPLES[name]()
    text = html(Figure(graph=graph, heading=HEADING))
    page, _, _ = text.partition('<script type="application/json"')
    shown = [page, *(one["rows"] for one in data(text)["pictures"][1:])]
    for found, opened in zip(shown, levels(graph), strict=True):
        said = [(row.id, escape(", ".join(row.inputs))) for row in node_rows(graph, opened)]
        assert rows(found) == said
    assert set(data(text)["nodes"]) == {node.id for node in graph.root.walk()} - {""}


def test_it_asks_for_nothing_and_says_what_opens_it_again() -> None:
    text = html(Figure(graph=EXAMPLES["vit"](), heading=HEADING))
    assert "default-src 'none'" in text
    assert 'href="https://example.org/?a=1&amp;b=2"' in text
    assert "<title>ViT &lt;B&gt;</title>" in text
    addresses = re.findall(r"https?://[\w./?=&;-]+", text)
    assert set(addresses) == {"http://www.w3.org/2000/svg", "https://example.org/?a=1&amp;b=2"}
    assert not re.findall(r'(?:src=|@import|url\()(?!"?data:)', text)


def test_no_name_ends_the_script_or_begins_a_comment() -> None:
    odd = Node(id="x", label="</script><!-- $title", facts=("<script>", "<!--"))
    text = html(Figure(graph=Graph(Node(id="", label="", children=(odd,)), ()), heading=HEADING))
    assert data(text)["nodes"]["x"] == [odd.label, "", *odd.facts]
    assert text.count("</script>") == 2
    assert "<!--" not in text


def test_the_largest_is_a_few_megabytes() -> None:
    largest = studio.design("detr")
    text = html(figure(largest, 0, ""))
    assert len(text.encode()) < 4_000_000


def test_a_block_too_deep_for_the_file_is_told() -> None:
    graph = EXAMPLES["vit"]()
    assert data(html(Figure(graph=graph, heading=HEADING)))["more"] == ""
    many = tuple(Node(id=f"b.{i}", label="x") for i in range(700))
    block = Node(id="b", label="Block", children=many)
    wide = Graph(Node(id="", label="", children=(block,)), ())
    assert "not in this file" in data(html(Figure(graph=wide, heading=HEADING)))["more"]
    assert blocks(wide) >= {"b"}
