"""A picture for a paper: outlines in the place of texts, a heading, and the same in pixels."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from PIL import Image

from studio.drawing.figure import Figure, Heading
from studio.drawing.graph import Graph, Node
from studio.drawing.layout.layered import layout
from studio.drawing.render.glyphs import advance_width, outline_text, shape
from studio.drawing.render.png import MAX_PIXELS, png
from studio.drawing.render.print_svg import MAX_LINES, print_svg, wrap
from studio.drawing.render.svg import svg
from studio.drawing.text_metrics import text_width
from tests.drawing.examples import EXAMPLES, blocks
from tests.drawing.graphs import graphs

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
HEADING = Heading(
    title="Vision Transformer: ViT <B> & more",
    figures=("86.6 M parameters", "17.6 GMACs"),
    link="https://example.org/?family=vit&depth=6",
)
OURS = "× → · − … ² √ ± – — ’ “ ” µ Δ σ"  # that the studio writes beside letters


def sheet(name: str, **changes: object) -> Figure:
    return replace(Figure(graph=EXAMPLES[name](), heading=HEADING), **changes)


def text_svg(text: str, **attributes: str) -> str:
    given = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    return f'<svg {names}><g><text x="50" y="20"{given}>{text}</text></g></svg>'


@pytest.mark.parametrize("name", EXAMPLES)
def test_every_text_is_outlines_that_the_file_holds(name: str) -> None:
    graph = EXAMPLES[name]()
    root = ElementTree.fromstring(print_svg(sheet(name, opened=blocks(graph))))
    assert not list(root.iter(f"{SVG}text"))
    held = {path.attrib["id"] for path in root.iter(f"{SVG}path") if "id" in path.attrib}
    used = {use.attrib[HREF] for use in root.iter(f"{SVG}use")}
    assert used == {f"#{one}" for one in held}
    assert "font" not in "".join(key for element in root.iter() for key in element.attrib)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(graphs())
def test_nodes_keep_their_names_and_nothing_is_pressed(drawn: tuple[Graph, frozenset[str]]) -> None:
    graph, opened = drawn
    root = ElementTree.fromstring(print_svg(Figure(graph=graph, heading=HEADING, opened=opened)))
    live = ElementTree.fromstring(svg(layout(graph, opened)))
    named = [
        {g.attrib["data-id"]: g for g in one.iter(f"{SVG}g") if "data-id" in g.attrib}
        for one in (root, live)
    ]
    assert list(named[0]) == list(named[1])
    for ours, theirs in zip(*(one.values() for one in named), strict=True):
        assert ours.attrib["aria-label"] == theirs.attrib["aria-label"]
        assert ours.findtext(f"{SVG}title") == theirs.findtext(f"{SVG}title")
        assert ours.attrib["role"] == "img"
        assert not {"tabindex", "aria-expanded", "aria-pressed"} & set(ours.attrib)


def test_the_heading_says_what_it_is_and_links() -> None:
    root = ElementTree.fromstring(print_svg(sheet("vit")))
    assert root.findtext(f"{SVG}title") == HEADING.title
    assert "17.6 GMACs" in (root.findtext(f"{SVG}desc") or "")
    assert [a.attrib[HREF] for a in root.iter(f"{SVG}a")] == [HEADING.link]
    said = [g.attrib["aria-label"] for g in root.findall(f"{SVG}g") if "aria-label" in g.attrib]
    assert said[:2] == [HEADING.title, "86.6 M parameters · 17.6 GMACs"]
    command = Heading(title="ViT", link="studio export vit")
    assert "<a " not in print_svg(sheet("vit", heading=command))


def test_the_graph_lies_below_the_heading_on_white() -> None:
    root = ElementTree.fromstring(print_svg(sheet("resnet")))
    ground = root.find(f"{SVG}rect")
    assert ground is not None
    assert (ground.attrib["fill"], ground.attrib["width"]) == ("#ffffff", "100%")
    picture = layout(EXAMPLES["resnet"]())
    top = float(root.attrib["height"]) - picture.height
    drawn = root.findall(f"{SVG}g")[-1]
    _, y = map(float, re.findall(r"[\d.]+", drawn.attrib["transform"]))
    assert y == pytest.approx(top)
    for text in root.iter(f"{SVG}g"):
        if text.attrib.get("aria-label") == HEADING.title:
            assert float(re.findall(r"[\d.]+", text.attrib["transform"])[1]) < top
    assert "var(" not in ElementTree.tostring(root, encoding="unicode")


def test_lines_of_a_heading_are_no_wider_than_asked() -> None:
    link = "https://example.org/?" + "&".join(f"knob_{i}={i}" for i in range(40))
    lines = wrap(link, 10.5, "400", 300)
    assert len(lines) == MAX_LINES
    assert lines[-1].endswith(" …")
    assert all(advance_width(line, 10.5) <= 320 for line in lines)
    assert "".join(lines[:-1]) == link[: sum(map(len, lines[:-1]))]
    assert wrap("86.6 M parameters · 17.6 GMACs", 12, "400", 110) == [
        "86.6 M parameters",
        "17.6 GMACs",
    ]
    assert wrap("", 12, "400", 100) == []


def test_texts_stand_where_they_stood() -> None:
    wide = advance_width("Linear", 13, "600")
    for anchor, x in (("start", 50), ("middle", 50 - wide / 2), ("end", 50 - wide)):
        drawn = outline_text(
            text_svg("Linear", font_size="13", font_weight="600", text_anchor=anchor)
        )
        found = re.search(r"translate\(([\d.]+) 20\) scale\(0\.013\)", drawn)
        assert found
        assert float(found[1]) == pytest.approx(x, abs=0.01)


def test_letters_are_kerned_and_fit_where_the_layout_gives_them_room() -> None:
    assert advance_width("AV", 10) < advance_width("A", 10) + advance_width("V", 10)
    assert advance_width("Linear", 13, "600") > advance_width("Linear", 13, "400")
    for text in ("EncoderBlock × 12", "1 × 197 × 768 → 1 × 768", "softmax attention", OURS):
        assert advance_width(text, 13, "600") <= text_width(text, 13)


def test_the_face_has_what_the_studio_writes_and_the_rest_falls_back() -> None:
    assert 0 not in [glyph.number for glyph in shape(OURS)[0]]
    assert shape("Ｌ＋") == shape("L+")
    assert shape("漢")[0][0].number == 0  # an empty box stands for it
    drawn = ElementTree.fromstring(outline_text(text_svg("漢字")))
    assert any(g.attrib.get("aria-label") == "漢字" for g in drawn.iter(f"{SVG}g"))


def test_pixels_are_as_many_as_the_file_says() -> None:
    drawn = print_svg(sheet("vit"))
    root = ElementTree.fromstring(drawn)
    size = [float(root.attrib[side]) for side in ("width", "height")]
    for scale in (1.0, 2.0):
        picture = Image.open(io.BytesIO(png(drawn, scale)))
        assert list(picture.size) == pytest.approx([side * scale for side in size], abs=1)
        assert picture.info["dpi"] == pytest.approx((96 * scale, 96 * scale), abs=0.1)
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    dark = sum(picture.convert("L").crop((0, 0, picture.width, 60)).histogram()[:100])
    assert dark > 100  # the title is there, without any font of this machine


def test_a_picture_of_a_hundred_metres_is_drawn_smaller() -> None:
    huge = '<svg xmlns="http://www.w3.org/2000/svg" width="1000" height="400000"></svg>'
    picture = Image.open(io.BytesIO(png(huge)))
    assert picture.width * picture.height <= MAX_PIXELS * 1.05


def test_a_graph_without_edges_or_a_name_is_drawn_too() -> None:
    alone = Graph(Node(id="", label="", children=(Node(id="a", label=""),)), ())
    assert print_svg(Figure(graph=alone, heading=Heading(title="")))
