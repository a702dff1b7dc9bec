"""What is drawn on a box beyond itself: its share of the whole, its heat, or how it has changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Change = Literal["grew", "shrank", "appeared", "vanished", "turned", "stayed"]

# From cool to hot by lightness alone, as ColorBrewer's YlGnBu, so that any colour vision and a
# black and white print keep the order. On a dark page it runs the other way: hot is always what
# stands out most from the page.
SCALE = (
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
DARKER = 6  # the first of them on which a text is white
BLACK, WHITE = "#10182a", "#ffffff"
LETTERS = "abcdefghi"  # the names of the colours
STROKE = 1.6

# The hues of a change, of Okabe and Ito: more is blue, less is vermilion, in any colour vision. Its
# sign tells it without any hue.
HUES: dict[Change, str] = {
    "grew": "more",
    "appeared": "more",
    "shrank": "less",
    "vanished": "less",
    "turned": "turned",
}
SIGNS: dict[Change, str] = {
    "grew": "▲",
    "shrank": "▼",
    "appeared": "+",
    "vanished": "−",
    "turned": "≠",
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


PLAIN = Mark()
NO_MARKS: Mapping[str, Mark] = MappingProxyType({})  # by the ids of nodes


def step(heat: float) -> int:
    """Which colour of the scale a heat from 0 to 1 has; what lies beyond has the last one."""
    return min(max(round(heat * (len(SCALE) - 1)), 0), len(SCALE) - 1)


def colour(heat: float, dark: bool = False) -> tuple[str, str]:
    """The colour of a heat, and that of a text on it, on a light or a dark page."""
    at = step(heat)
    at = len(SCALE) - 1 - at if dark else at
    return SCALE[at], WHITE if at >= DARKER else BLACK


def named(heat: float) -> tuple[str, str]:
    """The names of the two colours, which each theme has its own of."""
    letter = LETTERS[step(heat)]
    return f"heat-{letter}", f"heat-{letter}-ink"


def palette(dark: bool = False) -> dict[str, str]:
    """The colours of the whole scale by their names."""
    found: dict[str, str] = {}
    for i in range(len(SCALE)):
        heat = i / (len(SCALE) - 1)
        found |= dict(zip(named(heat), colour(heat, dark), strict=True))
    return found


def bar(x: float, y: float, w: float, share: float, fill: str) -> Iterator[str]:
    """A bar of width `w` with its upper left corner at (x, y), filled as far as the share goes. A
    share too small to see is a dot."""
    place = f'x="{x:g}" y="{y:g}" height="3.5" rx="1.75" fill="{fill}"'
    yield f'<rect class="whole" {place} width="{w:g}" opacity="0.16"/>'
    if share > 0:
        yield f'<rect class="share" {place} width="{max(3.5, min(share, 1) * w):.4g}"/>'


def symbol(change: Change, x: float, y: float, colour: str) -> str:
    """The sign of a change around (x, y), drawn, so that it looks the same in any font."""
    if change in ("grew", "shrank"):
        up = 1 if change == "grew" else -1
        return (
            f'<path class="change" d="M{x - 4:g} {y + 3.5 * up:g}l4{-7 * up:+g} 4{7 * up:+g}z" '
            f'fill="{colour}"/>'
        )
    lines = {
        "appeared": f"M{x - 4:g} {y:g}h8M{x:g} {y - 4:g}v8",
        "vanished": f"M{x - 4:g} {y:g}h8",
        "turned": f"M{x - 4:g} {y - 1.8:g}h8m-8 3.6h8M{x + 2.2:g} {y - 4.6:g}l-4.4 9.2",
    }
    return (
        f'<path class="change" d="{lines[change]}" fill="none" stroke="{colour}" '
        f'stroke-width="{STROKE}" stroke-linecap="round"/>'
    )
