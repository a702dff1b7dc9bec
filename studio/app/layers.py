"""The Layers tab: our own table of layers, and torchinfo's beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Any

import streamlit as st

from studio.analysis import units
from studio.analysis.body import Body
from studio.app import figures
from studio.app.state import Case, State

COLUMNS = {
    "Layer": st.column_config.TextColumn(width=105, help="Its path in the model"),
    "Kind": st.column_config.TextColumn(help="Its class, or the operation"),
    "Output": st.column_config.TextColumn(help="The shape that leaves it"),
    "Parameters": st.column_config.NumberColumn(format="localized", width=80),
    "MMACs": st.column_config.NumberColumn(
        format="%.1f", width=65, help="Millions of multiply-accumulates in one forward pass"
    ),
    "Saved": st.column_config.NumberColumn(
        format="bytes", width=68, help="Activations kept for the backward pass"
    ),
}


@dataclass(frozen=True)
class Row:
    """A layer, or a run of equal ones, with the figures of all its repeats together."""

    path: str
    kind: str
    output: str
    params: int
    mmacs: float
    saved_bytes: int


def layers(now: State) -> None:
    st.dataframe(table(now.case), hide_index=True, height=360, column_config=COLUMNS, key="layers")
    st.caption(
        "Figures of a run (×12) are of all its layers together. All are part of their block."
    )
    with st.expander("The same model by torchinfo", key="torchinfo", on_change="rerun") as other:
        if other.open:
            with st.spinner("torchinfo runs the model on meta; a recurrent one takes seconds"):
                text = figures.summary(now.case)
            st.code(text, language=None, height=360)


@lru_cache(maxsize=64)
def table(case: Case) -> dict[str, list[Any]]:
    """The columns by their names. The rows are `walk`'s."""
    rows = (vars(row).values() for row in walk(figures.trained(case)))
    return dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))


def walk(body: Body, path: str = "", times: int = 1) -> Iterator[Row]:
    """The layers inside a body, each followed by what is inside it; runs of equal ones folded."""
    for _, run in groupby(body.calls, key=lambda call: id(call.body)):
        calls = tuple(run)
        first, inner = calls[0], calls[0].body
        if not inner.is_module and not inner.macs:
            continue
        name = f"{path}{first.name}"
        repeats = times * len(calls)
        weights = times * len({call.name for call in calls})
        yield Row(
            name if len(calls) == 1 else f"{name} ×{len(calls)}",
            inner.kind,
            ", ".join(map(units.shape, inner.outputs)),
            inner.params * weights,
            inner.macs * repeats / 1e6,
            inner.saved_bytes * repeats,
        )
        yield from walk(inner, f"{name}.", repeats)
