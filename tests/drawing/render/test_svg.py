"""The SVG: well formed, escaped, open to those who cannot see it; and DOT with all the names."""

from __future__ import annotations

import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from studio.drawing.decoration import CHANGE_SIGNS, Mark, heat_colours
from studio.drawing.figure import Heading
from studio.drawing.graph import Graph, Node
from studio.drawing.layout.layered import layout
from studio.drawing.render.dot import dot
from studio.drawing.render.svg import Theme, svg
from tests.drawing.examples import EXAMPLES, blocks
from tests.drawing.graphs import graphs

SVG = "{http://www.w3.org/2000/svg}"


def groups(text: str) -> dict[str, ElementTree.Element]:
    root = ElementTree.fromstring(text)
    return {g.attrib["data-id"]: g for g in root.iter(f"{SVG}g") if "data-id" in g.attrib}


@settings(max_examples=60, deadline=None, derandomize=True)
@given(graphs())
def test_any_text_is_escaped(drawn: tuple[Graph, frozenset[str]]) -> None:
    picture = layout(*drawn)
    nodes = groups(svg(picture))
    assert list(nodes) == [box.node.id for box in picture.boxes]
    for box in picture.boxes:
        said = nodes[box.node.id].findtext(f"{SVG}title") or ""
        assert box.node.facts[0] in said


def test_nodes_say_what_they_are_without_being_seen() -> None:
    block = groups(svg(layout(EXAMPLES["vit"]())))["blocks.0"]
    assert block.attrib["role"] == "button"
    assert block.attrib["tabindex"] == "0"
    assert block.attrib["aria-expanded"] == "false"
    assert block.attrib["aria-label"] == "EncoderBlock, 7.09 M parameters, 12 times, fed by +"
    opened = groups(svg(layout(EXAMPLES["vit"](), frozenset({"blocks.0"}))))
    assert opened["blocks.0"].attrib["aria-expanded"] == "true"
    assert "aria-expanded" not in opened["blocks.0.norm1"].attrib


def test_nodes_name_what_they_feed_as_far_as_it_is_drawn() -> None:
    graph = EXAMPLES["vit"]()
    folded = groups(svg(layout(graph)))
    assert folded["blocks.0"].attrib["data-to"].split() == ["norm"]
    assert "data-to" not in folded["logits"].attrib
    for opened in (frozenset[str](), blocks(graph)):
        picture = layout(graph, opened)
        nodes = groups(svg(picture))
        told = {(a, b) for a, g in nodes.items() for b in g.attrib.get("data-to", "").split()}
        assert told == {(arrow.source, arrow.target) for arrow in picture.arrows}


def test_facts_are_spoken_and_the_selected_node_is_pressed() -> None:
    box = Node(id="fc", label="Linear", detail="6 k", repeat=2, facts=("in: 1 × 3", "6,000 values"))
    picture = layout(Graph(Node(id="", label="net", children=(box,)), ()))
    spoken = groups(svg(picture, selected="fc"))["fc"]
    assert spoken.attrib["aria-label"] == "Linear, 6 k, 2 times, in: 1 × 3, 6,000 values"
    assert spoken.attrib["aria-pressed"] == "true"
    assert groups(svg(picture, highlighted="fc"))["fc"].attrib["aria-pressed"] == "false"


def test_paper_needs_no_page() -> None:
    graph = EXAMPLES["unet"]()
    paper, page = (svg(layout(graph), theme=theme) for theme in ("paper", "page"))
    assert "var(" not in paper
    assert re.sub(r"var\(--g-[a-z-]+,(#[0-9a-f]{6})\)", r"\1", page) == paper.replace(
        '<rect width="100%" height="100%" fill="#ffffff"/>', ""
    )


@pytest.mark.parametrize("theme", ["page", "paper"])
def test_the_selected_node_is_marked(theme: Theme) -> None:
    picture = layout(EXAMPLES["vit"]())
    marked = groups(svg(picture, selected="head", theme=theme))
    assert [name for name, g in marked.items() if "selected" in g.attrib["class"].split()] == [
        "head"
    ]


def test_a_repeated_block_is_a_stack_of_cards() -> None:
    nodes = groups(svg(layout(EXAMPLES["vit"]())))
    assert len(nodes["blocks.0"].findall(f"{SVG}rect")) == 3
    assert "EncoderBlock × 12" in [text.text for text in nodes["blocks.0"].iter(f"{SVG}text")]
    assert len(nodes["norm"].findall(f"{SVG}rect")) == 1


@pytest.mark.parametrize("name", EXAMPLES)
def test_dot_names_every_node_and_clusters_open_blocks(name: str) -> None:
    graph = EXAMPLES[name]()
    text = dot(graph, blocks(graph))
    assert text.count("{") == text.count("}") == 1 + len(blocks(graph) - {""})
    for node in graph.root.walk():
        assert node.id in text
        assert node.label in text
    assert text.count("->") == len(layout(graph, blocks(graph)).arrows)


ODD = Node(id="a:b", label='<b> "x" \\n', children=())


def test_dot_quotes_what_it_would_read_as_its_own() -> None:
    text = dot(Graph(Node(id="", label="", children=(ODD, Node(id="c", label="c"))), ()))
    assert "a_b" in text
    assert '\\"x\\"' in text


def test_dot_has_the_heat_and_the_change_of_each_box() -> None:
    a, b = (Node(id=name, label=name) for name in "ab")
    marks = {"a": Mark(heat=1.0), "b": Mark(change="grew", note="twice as much")}
    text = dot(Graph(Node(id="", label="", children=(a, b)), ()), marks=marks)
    first, second = (next(line for line in text.splitlines() if f"\t{x} [" in line) for x in "ab")
    assert f'fillcolor="{heat_colours(1.0)[0]}"' in first
    assert f"{CHANGE_SIGNS['grew']} b" in second
    assert "twice as much" in second


@pytest.mark.parametrize("name", [*EXAMPLES, "odd"])
def test_graphviz_draws_the_dot_form(name: str) -> None:
    if not shutil.which("dot"):
        pytest.skip("there is no dot on the path: Graphviz is not installed")
    graph = (
        EXAMPLES[name]() if name in EXAMPLES else Graph(Node(id="", label="", children=(ODD,)), ())
    )
    heading = Heading(title='A "title" & more', figures=("1 M parameters", "2 GMACs"), link="x?a=1")
    text = dot(graph, blocks(graph), heading)
    done = subprocess.run(["dot", "-Tsvg"], input=text.encode(), capture_output=True, check=True)
    said = [element.text for element in ElementTree.fromstring(done.stdout).iter(f"{SVG}text")]
    assert said.count('A "title" & more') == 1
    assert said.count("1 M parameters · 2 GMACs") == 1
    assert {node.label for node in graph.root.children if not node.children} <= set(said)
