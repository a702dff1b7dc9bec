"""Small log-log line charts as SVG: a cost along one axis of a design."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from html import escape

from studio.drawing.render.svg import FONT, PAPER
from studio.drawing.text_metrics import text_width

WIDTH, HEIGHT = 350.0, 218.0  # of one plot, in pixels
LEFT, RIGHT, TOP, BOTTOM = 56.0, 22.0, 30.0, 42.0  # margins in pixels
TITLE, TICK = 12.5, 10.5  # font sizes in pixels
LINE, HIGHLIGHT = "#4a7fc1", "#e8590c"
TICK_STEPS = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 1.2, 1.4, 1.6, 1.8, 2, *range(3, 10)),
)


@dataclass(frozen=True)
class Plot:
    """Costs `ys` of designs at `xs` along an axis, all positive. `here`: the x of the highlighted
    design. `write`: formats a cost with its unit."""

    title: str
    axis: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]
    here: float
    write: Callable[[float], str]


@dataclass(frozen=True)
class Scale:
    """A logarithmic scale from values (`low` to `high`) to pixels (`start` to `end`)."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        share = math.log(value / self.low) / math.log(self.high / self.low)
        return round(self.start + share * (self.end - self.start), 1)


def chart(plots: Sequence[Plot]) -> str:
    """Plots side by side as one self-contained SVG element."""
    width = WIDTH * len(plots)
    parts = (
        f'<g transform="translate({WIDTH * number:g} 0)">{"".join(_plot(plot))}</g>'
        for number, plot in enumerate(plots)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{HEIGHT:g}" '
        f'viewBox="0 0 {width:g} {HEIGHT:g}" font-family="{FONT}" font-size="{TICK}" '
        f'fill="{PAPER["muted"]}">{"".join(parts)}</svg>'
    )


def _plot(plot: Plot) -> Iterator[str]:
    across = Scale(min(plot.xs) / 1.06, max(plot.xs) * 1.06, LEFT, WIDTH - RIGHT)
    up = Scale(*_y_range(plot.ys), HEIGHT - BOTTOM, TOP)
    yield _text(LEFT, 15, plot.title, "start", f'font-size="{TITLE}" fill="{PAPER["ink"]}"')
    for value in ticks(up.low, up.high, most=5):
        y = up(value)
        yield f'<path d="M{LEFT:g} {y:g}H{WIDTH - RIGHT:g}" stroke="{PAPER["input"]}"/>'
        yield _text(LEFT - 6, y + 3.5, compact(plot.write(value)), "end")
    yield from _x_axis(plot, across)
    points = [(across(x), up(y)) for x, y in zip(plot.xs, plot.ys, strict=True)]
    path = "L".join(f"{x:g} {y:g}" for x, y in points)
    yield f'<path d="M{path}" fill="none" stroke="{LINE}" stroke-width="2"/>'
    for x, (left, top) in zip(plot.xs, points, strict=True):
        size, colour = (5, HIGHLIGHT) if x == plot.here else (2.5, LINE)
        yield f'<circle cx="{left:g}" cy="{top:g}" r="{size:g}" fill="{colour}"/>'
    yield from _value_label(plot, points)


def _x_axis(plot: Plot, across: Scale) -> Iterator[str]:
    """The x axis: its name, and as many values as fit, the highlighted one first."""
    bottom, line = HEIGHT - BOTTOM, PAPER["input-line"]
    yield f'<path d="M{LEFT:g} {bottom:g}H{WIDTH - RIGHT:g}" stroke="{line}"/>'
    taken: list[tuple[float, float]] = []
    for x in sorted(plot.xs, key=lambda x: x != plot.here):
        place, half = across(x), text_width(f"{x:g}", TICK) / 2 + 3
        yield f'<path d="M{place:g} {bottom:g}v4" stroke="{line}"/>'
        if all(place + half < low or place - half > high for low, high in taken):
            taken.append((place - half, place + half))
            strong = f'fill="{HIGHLIGHT}" font-weight="600"' if x == plot.here else ""
            yield _text(place, bottom + 15, f"{x:g}", "middle", strong)
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, plot.axis, "middle")


def _value_label(plot: Plot, points: Sequence[tuple[float, float]]) -> Iterator[str]:
    """The value of the highlighted design, beside its point and clear of the line."""
    for x, y, (left, top) in zip(plot.xs, plot.ys, points, strict=True):
        if x == plot.here:
            end = left > WIDTH / 2
            falls = plot.ys[-1] < plot.ys[0]
            place = top - 9 if end != falls else top + 17
            style = f'fill="{HIGHLIGHT}" font-weight="600"'
            anchor = "end" if end else "start"
            yield _text(left + (2 if end else -2), place, plot.write(y), anchor, style)


def _text(x: float, y: float, text: str, anchor: str, style: str = "") -> str:
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}" {style}>{escape(text)}</text>'


def _y_range(ys: Sequence[float]) -> tuple[float, float]:
    """The range of the y axis: the values with a margin, at least a factor of two."""
    low, high = min(ys) / 1.25, max(ys) * 1.25
    spare = max(1.0, math.sqrt(2 * low / high))
    return low / spare, high * spare


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round values between `low` and `high`: at least three if possible, about `most` at most."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in TICK_STEPS:
        values = [step * 10.0**k for k in decades for step in steps]
        inside = [value for value in values if low <= value <= high]
        if len(inside) >= 3:
            return inside[:: math.ceil(len(inside) / most)]
    return inside


def compact(text: str) -> str:
    """Shorten a formatted value for a tick: `20.0 GMACs` to `20 G`."""
    number, _, unit = text.removesuffix("MACs").partition(" ")
    return f"{float(number):g} {unit}".rstrip()
