"""Decorations of a box: a bar for its share of the cost, a heat colour, a sign of its change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Change = Literal["grew", "shrank", "added", "removed", "modified", "unchanged"]

# ColorBrewer's YlGnBu, light to dark: its order by lightness survives colour blindness and
# black-and-white print. Reversed on a dark page, so that hot always has the highest contrast.
HEAT_SCALE = (
    "#f7fcd9",
    "#e3f4bd",
    "#bfe6b5",
    "#8bd3ba",
    "#4fb9c4",
    "#2f99c2",
    "#2b73b3",
    "#283f97",
    "#152260",
)
FIRST_DARK = 6  # index of the first colour that needs white text
BLACK, WHITE = "#10182a", "#ffffff"
LETTERS = "abcdefghi"  # one a colour: CSS variables --g-heat-a to --g-heat-i
SYMBOL_STROKE = 1.6

# Okabe and Ito's blue (more) and vermilion (less), distinct in any colour vision. The sign repeats
# the information without colour.
CHANGE_HUES: dict[Change, str] = {
    "grew": "more",
    "added": "more",
    "shrank": "less",
    "removed": "less",
    "modified": "modified",
}
CHANGE_SIGNS: dict[Change, str] = {
    "grew": "▲",
    "shrank": "▼",
    "added": "+",
    "removed": "−",
    "modified": "≠",
}


@dataclass(frozen=True)
class Mark:
    """Decorations of one box; None means not drawn.

    `share`: 0 to 1, length of a bar along the lower edge. `heat`: 0 to 1, colour of the box.
    `change`: its sign and hue. `note`: the same in words, for the tooltip and screen readers.
    """

    share: float | None = None
    heat: float | None = None
    change: Change | None = None
    note: str = ""


NO_MARK = Mark()
NO_MARKS: Mapping[str, Mark] = MappingProxyType({})  # node id -> Mark


def heat_step(heat: float) -> int:
    """The index of a heat (0 to 1) in HEAT_SCALE; values outside are clamped."""
    return min(max(round(heat * (len(HEAT_SCALE) - 1)), 0), len(HEAT_SCALE) - 1)


def heat_colours(heat: float, dark: bool = False) -> tuple[str, str]:
    """The fill and the text colour for a heat, on a light or a dark page."""
    at = heat_step(heat)
    at = len(HEAT_SCALE) - 1 - at if dark else at
    return HEAT_SCALE[at], WHITE if at >= FIRST_DARK else BLACK


def heat_names(heat: float) -> tuple[str, str]:
    """The names of the fill and the text colour of a heat; each theme defines them."""
    letter = LETTERS[heat_step(heat)]
    return f"heat-{letter}", f"heat-{letter}-ink"


def heat_palette(dark: bool = False) -> dict[str, str]:
    """All colours of the scale by name."""
    found: dict[str, str] = {}
    for i in range(len(HEAT_SCALE)):
        heat = i / (len(HEAT_SCALE) - 1)
        found |= dict(zip(heat_names(heat), heat_colours(heat, dark), strict=True))
    return found


def share_bar(x: float, y: float, w: float, share: float, fill: str) -> Iterator[str]:
    """A bar of width `w` with its upper left corner at (x, y), filled to `share`. A share too small
    to see becomes a dot."""
    place = f'x="{x:g}" y="{y:g}" height="3.5" rx="1.75" fill="{fill}"'
    yield f'<rect class="whole" {place} width="{w:g}" opacity="0.16"/>'
    if share > 0:
        yield f'<rect class="share" {place} width="{max(3.5, min(share, 1) * w):.4g}"/>'


def change_symbol(change: Change, x: float, y: float, colour: str) -> str:
    """The sign of a change, centred at (x, y), as a path: a text would depend on the font."""
    if change in ("grew", "shrank"):
        up = 1 if change == "grew" else -1
        return (
            f'<path class="change" d="M{x - 4:g} {y + 3.5 * up:g}l4{-7 * up:+g} 4{7 * up:+g}z" '
            f'fill="{colour}"/>'
        )
    lines = {
        "added": f"M{x - 4:g} {y:g}h8M{x:g} {y - 4:g}v8",
        "removed": f"M{x - 4:g} {y:g}h8",
        "modified": f"M{x - 4:g} {y - 1.8:g}h8m-8 3.6h8M{x + 2.2:g} {y - 4.6:g}l-4.4 9.2",
    }
    return (
        f'<path class="change" d="{lines[change]}" fill="none" stroke="{colour}" '
        f'stroke-width="{SYMBOL_STROKE}" stroke-linecap="round"/>'
    )
