"""The top of the page: what the design is, and its figures against where one came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape

import streamlit as st

from studio.analysis import units
from studio.app import figures
from studio.app.state import Case, State

URL = re.compile(r"https?://[^\s,;)]+")

# One style for all figures of the page. Colours are mixed from the text's own, so that they hold in
# the light and in the dark theme.
STYLE = """<style>
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(10.2rem, 1fr)); gap: .6rem;
  font-variant-numeric: tabular-nums; }
.figure { border: 1px solid color-mix(in srgb, currentColor 16%, transparent); border-radius: .4rem;
  padding: .45rem .8rem .5rem; min-height: 6.6rem; line-height: 1.32; }
.figure h6 { margin: 0; padding: 0; font-size: .8rem; font-weight: 500; opacity: .72; }
.figure b { display: block; font-size: 1.65rem; font-weight: 600; line-height: 1.28;
  white-space: nowrap; letter-spacing: -.01em; }
.figure p { margin: 0; font-size: .78rem; opacity: .78; }
.figure p.tick { color: #2f8f5b; opacity: 1; }
</style>"""


@dataclass(frozen=True)
class Figure:
    """One headline figure: how it is called, read from a case, and written."""

    name: str
    read: Callable[[Case], float]
    write: Callable[[float], str]


FIGURES = (
    Figure("Parameters", lambda case: figures.profiled(case).params, units.count),
    Figure("Compute, one forward pass", lambda case: figures.profiled(case).macs, units.macs),
    Figure("Activation memory", lambda case: figures.profiled(case).activation_bytes, units.size),
    Figure(
        "Training memory (Adam)", lambda case: figures.profiled(case).training_bytes(), units.size
    ),
)


def title(now: State) -> None:
    """The design, its family, and the paper."""
    design = now.design
    paper = URL.search(design.family.lesson[design.family.lesson.find("Paper:") :])
    link = f" · [paper]({paper.group()})" if paper else ""
    st.markdown(f"### {design.title} &nbsp;:small[:gray[{design.family.title}{link}]]")


def headline(now: State) -> None:
    cells = (card(f.name, f.write(f.read(now.case)), _notes(f, now)) for f in FIGURES)
    st.html(f'{STYLE}<div class="figures">{"".join(cells)}</div>')


def card(name: str, value: str, notes: Iterator[str]) -> str:
    """A figure as HTML; the notes are HTML already."""
    return (
        f'<div class="figure"><h6>{escape(name)}</h6><b>{escape(value)}</b>{"".join(notes)}</div>'
    )


def _notes(figure: Figure, now: State) -> Iterator[str]:
    value = figure.read(now.case)
    for case, label in ((now.previous, "previous"), (now.pinned, "pinned")):
        if case:
            yield note(change(value, figure.read(case), figure.write), label)
    preset = now.design.preset
    if figure.name == "Parameters" and preset and preset.params:
        equal = preset.params == value
        sign = "✓ as published" if equal else "published"
        yield f'<p class="{"tick" if equal else ""}">{sign}: {preset.params:,}</p>'


def note(change: str, label: str) -> str:
    """A line beneath a figure: how it moved against the previous or the pinned case."""
    return f"<p>{escape(change)} vs {label}</p>"


def change(value: float, before: float, write: Callable[[float], str]) -> str:
    """How a figure moved: `+7.1 M (×1.33)`, and `=` where it stayed."""
    if value == before:
        return "="
    sign = "+" if value > before else "−"
    ratio = f" (×{value / before:.3g})" if before else ""
    return f"{sign}{write(abs(value - before))}{ratio}"
