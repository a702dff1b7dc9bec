"""The columns of the layer table that compare two designs, and the colours of its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pandas  # type: ignore[import-untyped]  # streamlit's own: it shows a Styler as written
import streamlit as st

from studio.analysis import units
from studio.analysis.graph.cost_heatmap import HeatScale
from studio.analysis.graph.design_diff import LayerDiff
from studio.drawing.decoration import CHANGE_HUES, CHANGE_SIGNS, heat_colours
from studio.drawing.graph import Figures

# The hues of the graph's changes, mixed into the page as there: (background, text) by theme.
TINTS = {
    ("more", False): ("#cbe0ea", "#1c2433"),
    ("less", False): ("#efd8c9", "#1c2433"),
    ("more", True): ("#253a49", "#e9e6df"),
    ("less", True): ("#3f322d", "#e9e6df"),
}
READ: dict[str, Callable[[Figures], float]] = {
    "Parameters": lambda found: found.params,
    "MMACs": lambda found: found.macs / 1e6,
    "Saved": lambda found: found.saved_bytes,
}
DELTAS = {f"Δ {name}": read for name, read in READ.items()}
BEFORE = {f"{name} before": read for name, read in READ.items()}
CHANGE = "Change"
MEMORY = "Training"  # a column that is shown while layers are coloured by it


def is_dark() -> bool:
    """Whether the page is dark: cells need literal colours, not those of the theme."""
    return str(st.context.theme.type) == "dark"


def columns(layers: Iterable[LayerDiff]) -> dict[str, list[Any]]:
    """The layers of both designs: the kind of change, the differences of the figures, and the
    figures after and before. A design that lacks a layer has None."""
    rows = list(layers)
    named: dict[str, list[Any]] = {
        "Layer": [row.row.path for row in rows],
        CHANGE: [change(row) for row in rows],
    }
    moved = {name: [read(row.delta) or None for row in rows] for name, read in DELTAS.items()}
    now = {name: _read(read, (row.now for row in rows)) for name, read in READ.items()}
    before = {name: _read(read, (row.before for row in rows)) for name, read in BEFORE.items()}
    shapes = {
        "Kind": [row.row.kind for row in rows],
        "Output": [row.row.output for row in rows],
    }
    return named | moved | now | before | shapes


def _read(read: Callable[[Figures], float], found: Iterable[Figures | None]) -> list[float | None]:
    return [read(figures) if figures else None for figures in found]


def change(layer: LayerDiff) -> str:
    """The change as a sign and a word; empty if nothing changed."""
    return f"{CHANGE_SIGNS[layer.change]} {layer.change}" if layer.change in CHANGE_SIGNS else ""


def with_sign(write: Callable[[float], str]) -> Callable[[float], str]:
    """With a sign, so that a change can be read without colour."""
    return lambda value: f"{'−' if value < 0 else '+'}{write(abs(value))}"


FORMATS = {
    "Parameters": "{:,.0f}".format,
    "MMACs": "{:,.1f}".format,
    "Saved": units.size,
}
FORMATS |= {f"Δ {name}": with_sign(write) for name, write in FORMATS.items()} | {
    f"{name} before": write for name, write in FORMATS.items()
}


def styled_table(
    columns: Mapping[str, Sequence[Any]],
    forms: Mapping[str, Callable[[float], str]],
    styles: Mapping[str, Sequence[str]],
) -> Any:
    """A pandas Styler: each column with its number format and its cell styles."""
    known = {name: form for name, form in forms.items() if name in columns}
    shown = pandas.DataFrame(columns).style.format(known, na_rep="")
    for name, cells in styles.items():
        shown.apply(lambda _, cells=cells: cells, subset=[name])
    return shown


def diff_styles(values: Iterable[float | None], dark: bool) -> list[str]:
    """The styles of a column of differences: one hue for more, another for less."""
    return [
        _style(*TINTS[CHANGE_HUES["grew" if value > 0 else "shrank"], dark]) if value else ""
        for value in (None if value != value else value for value in values)  # NaN where empty
    ]


def heat_styles(values: Iterable[float | None], scale: HeatScale, dark: bool) -> list[str]:
    """The styles of a column: the colours of the graph's boxes, by the same scale."""
    return [
        "" if value is None or value != value else _style(*heat_colours(scale.heat(value), dark))
        for value in values
    ]


def _style(background: str, text: str) -> str:
    return f"background-color: {background}; color: {text}"
