"""Marks on boxes: bars, heat and changes, which can be read in both themes and without colours."""

from __future__ import annotations

from itertools import pairwise
from xml.etree import ElementTree

import pytest

from studio.drawing.decoration import (
    CHANGE_HUES,
    CHANGE_SIGNS,
    HEAT_SCALE,
    Change,
    Mark,
    heat_colours,
    heat_names,
    heat_palette,
    heat_step,
    share_bar,
)
from studio.drawing.layout.layered import layout
from studio.drawing.render.svg import PAPER, Theme, svg
from studio.drawing.viewer import viewer_style
from tests.drawing.examples import EXAMPLES
from tests.drawing.render.test_svg import SVG, groups

CHANGES: list[Change] = list(CHANGE_HUES)


def luminance(text: str) -> float:
    """Relative luminance, as the Web Content Accessibility Guidelines define it."""
    parts = [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def vit(name: str, mark: Mark, theme: Theme = "page") -> ElementTree.Element:
    return groups(svg(layout(EXAMPLES["vit"]()), marks={name: mark}, theme=theme))[name]


@pytest.mark.parametrize("dark", [False, True])
def test_a_text_can_be_read_on_every_colour_of_heat(dark: bool) -> None:
    for i in range(101):
        assert contrast(*heat_colours(i / 100, dark)) >= 4.5


def test_hotter_is_always_further_from_the_page() -> None:
    steps = [i / (len(HEAT_SCALE) - 1) for i in range(len(HEAT_SCALE))]
    light = [luminance(heat_colours(heat)[0]) for heat in steps]
    dark = [luminance(heat_colours(heat, dark=True)[0]) for heat in steps]
    assert all(a > b for a, b in pairwise(light))
    assert all(a < b for a, b in pairwise(dark))


def test_heat_beyond_the_scale_has_its_last_colour() -> None:
    assert [heat_step(heat) for heat in (-1.0, 0.0, 0.5, 1.0, 7.0)] == [0, 0, 4, 8, 8]


def test_the_page_knows_every_colour_that_marks_have() -> None:
    css = viewer_style()
    hues = {*CHANGE_HUES.values(), "bar", "more-fill", "less-fill"}
    assert all(f"--g-{name}:" in css for name in (*heat_palette(), *hues))
    assert {*heat_palette(), *hues} <= set(PAPER)


def test_a_hot_box_has_the_colour_of_its_heat() -> None:
    face = vit("head", Mark(heat=1.0), "paper").find(f"{SVG}rect[@class='face']")
    assert face is not None
    assert face.attrib["fill"] == HEAT_SCALE[-1]
    texts = [text.attrib["fill"] for text in vit("head", Mark(heat=1.0)).iter(f"{SVG}text")]
    assert all(heat_names(1.0)[1] in fill for fill in texts)


@pytest.mark.parametrize("share", [0.0, 1e-6, 0.25, 1.0])
def test_a_bar_is_as_long_as_the_share(share: float) -> None:
    whole, *part = [ElementTree.fromstring(rect) for rect in share_bar(0, 0, 100, share, "#000000")]
    assert float(whole.attrib["width"]) == 100
    lengths = [float(rect.attrib["width"]) for rect in part]
    assert lengths == ([] if not share else [max(3.5, 100 * share)])


def test_bars_lie_within_their_boxes_and_below_the_texts() -> None:
    graph = EXAMPLES["unet"]()
    picture = layout(graph)
    nodes = groups(svg(picture, marks={n.id: Mark(share=0.5) for n in graph.root.walk()}))
    for box in picture.boxes:
        for rect in nodes[box.node.id].findall(f"{SVG}rect[@class='whole']"):
            x, y, w, h = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
            assert box.x < x
            assert x + w < box.x + box.w
            assert y + h < box.y + box.h
            lines = [float(text.attrib["y"]) for text in nodes[box.node.id].iter(f"{SVG}text")]
            assert max(lines) < y


def test_what_a_mark_says_is_said_to_who_cannot_see_it() -> None:
    node = vit("blocks.0", Mark(share=0.5, note="50 % of the parameters"))
    assert node.attrib["aria-label"].endswith(", 12 times, fed by +, 50 % of the parameters")
    assert "50 % of the parameters" in (node.findtext(f"{SVG}title") or "")


@pytest.mark.parametrize("change", CHANGES)
def test_each_change_has_a_sign_of_its_own(change: Change) -> None:
    signs = {
        kind: vit("head", Mark(change=kind)).find(f"{SVG}path[@class='change']") for kind in CHANGES
    }
    assert all(sign is not None for sign in signs.values())
    forms = {kind: sign.attrib["d"] for kind, sign in signs.items() if sign is not None}
    assert len(set(forms.values())) == len(CHANGES) == len(CHANGE_SIGNS)
    assert change in vit("head", Mark(change=change)).attrib["class"].split()


def test_what_stayed_has_no_sign_and_what_vanished_is_dashed_with_its_lines() -> None:
    assert vit("head", Mark(change="unchanged")).find(f"{SVG}path[@class='change']") is None
    face = vit("head", Mark(change="removed")).find(f"{SVG}rect[@class='face']")
    assert face is not None
    assert "stroke-dasharray" in face.attrib
    picture = layout(EXAMPLES["vit"]())
    root = ElementTree.fromstring(svg(picture, marks={"head": Mark(change="removed")}))
    wires = {g.attrib["data-source"]: g for g in root.iter(f"{SVG}g") if "data-source" in g.attrib}
    dashed = {name for name, g in wires.items() if "stroke-dasharray" in next(iter(g)).attrib}
    assert dashed == {
        arrow.source for arrow in picture.arrows if "head" in (arrow.source, arrow.target)
    }


def test_marks_are_drawn_on_paper_without_the_page() -> None:
    graph = EXAMPLES["vit"]()
    marks = {n.id: Mark(share=0.3, heat=0.3, change="grew") for n in graph.root.walk()}
    assert "var(" not in svg(layout(graph), theme="paper", marks=marks)
