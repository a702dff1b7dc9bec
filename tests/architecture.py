"""The architecture picture of the README, drawn from the import contracts of pyproject.toml.

`python -m tests.architecture` writes it anew; a test keeps it up to date.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parents[1]
PICTURE = PROJECT / "assets" / "architecture.svg"
WIDTH, GAP, PADDING = 880, 8, 8
ROOM_HEIGHT, INNER_HEIGHT = 30, 26  # of a title, and of a row of rooms within a room
OPEN_SHARE = 2.5  # the width of a room that shows its rooms, beside one that does not
ENTRY = "__main__"  # no room: `python -m studio`
HEAD = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"
  aria-label="The rooms of the studio: each imports only from the rows below it">
<style>
  text {{ font: 15px system-ui, sans-serif; fill: #1f2933; text-anchor: middle }}
  .inner {{ font-size: 12px }}
  rect {{ fill: #fff4e6; stroke: #d9480f }}
  rect.inner {{ fill: #ffffff; stroke: #d9480f88 }}
  @media (prefers-color-scheme: dark) {{
    text {{ fill: #f1f3f5 }}
    rect {{ fill: #3b2417; stroke: #ff922b }}
    rect.inner {{ fill: #1c1410; stroke: #ff922b88 }}
  }}
</style>
"""

Layers = Sequence[Sequence[str]]  # from the highest to the lowest; rooms of one layer are siblings


@dataclass(frozen=True)
class Box:
    """A room in the picture, in pixels."""

    name: str
    x: float
    y: float
    width: float
    height: float
    title_y: float
    inner: bool = False

    def svg(self) -> str:
        kind = ' class="inner"' if self.inner else ""
        return (
            f'<rect{kind} x="{self.x:g}" y="{self.y:g}" width="{self.width:g}"'
            f' height="{self.height:g}" rx="5"/>'
            f'<text{kind} x="{self.x + self.width / 2:g}" y="{self.title_y:g}">{self.name}</text>\n'
        )


def contracts(pyproject: str) -> Mapping[str, Layers]:
    """The layers of each package that has a contract."""
    found = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    return {
        contract["containers"][0]: [
            re.findall(r"\w+", layer) for layer in contract["layers"] if layer != ENTRY
        ]
        for contract in found
        if contract["type"] == "layers"
    }


def boxes(layers: Mapping[str, Layers]) -> Iterator[Box]:
    """Every room, row by row; a room with a contract of its own shows its rooms within it."""
    y = PADDING
    for row in layers["studio"]:
        inner = [layers.get(f"studio.{name}", ()) for name in row]
        shares = [OPEN_SHARE if rooms else 1.0 for rooms in inner]
        tallest = ROOM_HEIGHT + max(INNER_HEIGHT * len(rooms) for rooms in inner)
        spans = _columns(shares, PADDING, WIDTH - 2 * PADDING)
        for name, rooms, (x, width) in zip(row, inner, spans, strict=True):
            yield Box(name, x, y, width, tallest, y + 20)
            yield from _inner_boxes(rooms, x + GAP, y + ROOM_HEIGHT - 2, width - 2 * GAP)
        y += tallest + GAP


def _inner_boxes(layers: Layers, x: float, y: float, width: float) -> Iterator[Box]:
    for depth, row in enumerate(layers):
        top = y + depth * INNER_HEIGHT
        for name, (left, across) in zip(row, _columns([1.0] * len(row), x, width), strict=True):
            yield Box(name, left, top, across, INNER_HEIGHT - 5, top + 15, inner=True)


def _columns(shares: Sequence[float], left: float, width: float) -> Iterator[tuple[float, float]]:
    """The left edge and the width of each box of a row, which shares the width out."""
    unit = (width - GAP * (len(shares) - 1)) / sum(shares)
    for share in shares:
        yield round(left, 1), round(share * unit, 1)
        left += share * unit + GAP


def picture(pyproject: str) -> str:
    """The SVG text."""
    drawn = list(boxes(contracts(pyproject)))
    height = max(box.y + box.height for box in drawn) + PADDING
    head = HEAD.format(width=WIDTH, height=f"{height:g}")
    return head + "".join(box.svg() for box in drawn) + "</svg>\n"


if __name__ == "__main__":
    PICTURE.write_text(picture((PROJECT / "pyproject.toml").read_text("utf-8")), "utf-8")
