"""What is drawn on a box beyond itself: its share of the whole, its heat, or how it has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Change = Literal["grew", "shrank", "added", "removed", "modified", "unchanged"]

# From cool to hot by lightness alone, as ColorBrewer's YlGnBu, so that any colour vision and a
# black and white print keep the order. On a dark page it runs the other way: hot is always what
# stands out most from the page.
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
FIRST_DARK = 6  # the first of them on which a text is white
BLACK, WHITE = "#10182a", "#ffffff"
LETTERS = "abcdefghi"  # the names of the colours
SYMBOL_STROKE = 1.6

# The hues of a change, of Okabe and Ito: more is blue, less is vermilion, in any colour vision. Its
# sign tells it without any hue.
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
    """What one box bears: a bar as long as its `share` (0 to 1) of its lower edge, the colour of
    its `heat` (0 to 1), the sign and the hue of a `change`. None of each is none at all. `note`
    says the same to who looks closer, or cannot see."""

    share: float | None = None
    heat: float | None = None
    change: Change | None = None
    note: str = ""


NO_MARK = Mark()
NO_MARKS: Mapping[str, Mark] = MappingProxyType({})  # by the ids of nodes


def heat_step(heat: float) -> int:
    """Which colour of the scale a heat from 0 to 1 has; what lies beyond has the last one."""
    return min(max(round(heat * (len(HEAT_SCALE) - 1)), 0), len(HEAT_SCALE) - 1)


def heat_colours(heat: float, dark: bool = False) -> tuple[str, str]:
    """The colour of a heat, and that of a text on it, on a light or a dark page."""
    at = heat_step(heat)
    at = len(HEAT_SCALE) - 1 - at if dark else at
    return HEAT_SCALE[at], WHITE if at >= FIRST_DARK else BLACK


def heat_names(heat: float) -> tuple[str, str]:
    """The names of the two colours, which each theme has its own of."""
    letter = LETTERS[heat_step(heat)]
    return f"heat-{letter}", f"heat-{letter}-ink"


def heat_palette(dark: bool = False) -> dict[str, str]:
    """The colours of the whole scale by their names."""
    found: dict[str, str] = {}
    for i in range(len(HEAT_SCALE)):
        heat = i / (len(HEAT_SCALE) - 1)
        found |= dict(zip(heat_names(heat), heat_colours(heat, dark), strict=True))
    return found


def share_bar(x: float, y: float, w: float, share: float, fill: str) -> Iterator[str]:
    """A bar of width `w` with its upper left corner at (x, y), filled as far as the share goes. A
    share too small to see is a dot."""
    place = f'x="{x:g}" y="{y:g}" height="3.5" rx="1.75" fill="{fill}"'
    yield f'<rect class="whole" {place} width="{w:g}" opacity="0.16"/>'
    if share > 0:
        yield f'<rect class="share" {place} width="{max(3.5, min(share, 1) * w):.4g}"/>'


def change_symbol(change: Change, x: float, y: float, colour: str) -> str:
    """The sign of a change around (x, y), drawn, so that it looks the same in any font."""
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
