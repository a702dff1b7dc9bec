"""The Layers tab: our own table of layers, and torchinfo's beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby
from typing import Any

import pandas  # type: ignore[import-untyped]  # streamlit's own: it shows a Styler as written
import streamlit as st

from studio.analysis import units
from studio.analysis.body import Body
from studio.app import figures, state
from studio.app.state import Case, State

COLUMNS = {
    "Layer": st.column_config.TextColumn(width=172, help="Its path in the model"),
    "Kind": st.column_config.TextColumn(width=84, help="Its class, or the operation"),
    "Output": st.column_config.TextColumn(width=88, help="The shape that leaves it"),
    "Parameters": st.column_config.NumberColumn(width=76),
    "MMACs": st.column_config.NumberColumn(
        width=63, help="Millions of multiply-accumulates in one forward pass"
    ),
    "Saved": st.column_config.NumberColumn(width=63, help="Activations kept for the backward pass"),
}
WRITTEN = {"Parameters": "{:,}".format, "MMACs": "{:,.1f}".format, "Saved": units.size}
OWN = "(own)"
READING = (
    "Rows with none inside add up to this; ×n: n equal layers together. (own): what a block has"
    " beside its layers, as activations that one makes and the next keeps; below zero where layers"
    " share weights, which count once."
)


@dataclass(frozen=True)
class Row:
    """A layer, or a run of equal ones, with the figures of all its repeats together."""

    path: str
    kind: str
    output: str
    params: int
    macs: int
    saved_bytes: int

    def without(self, other: Row) -> Row:
        return replace(
            self,
            params=self.params - other.params,
            macs=self.macs - other.macs,
            saved_bytes=self.saved_bytes - other.saved_bytes,
        )


def layers(now: State) -> None:
    rows = pandas.DataFrame(table(now.case)).style.format(WRITTEN)
    st.dataframe(rows, hide_index=True, height=340, column_config=COLUMNS, key="layers")
    st.caption(f"**{total(figures.trained(now.case))}**  \n{READING}")
    with st.expander("The same model by torchinfo", key="torchinfo", on_change=state.stay) as other:
        if other.open:
            with st.spinner("torchinfo runs the model on meta; a recurrent one takes seconds"):
                text = figures.summary(now.case)
            st.code(text, language=None, height=360)


@lru_cache(maxsize=64)
def table(case: Case) -> dict[str, list[Any]]:
    """The columns by their names. The rows are `walk`'s."""
    rows = (vars(row) | {"macs": row.macs / 1e6} for row in walk(figures.trained(case)))
    return dict(
        zip(COLUMNS, map(list, zip(*(row.values() for row in rows), strict=True)), strict=True)
    )


def total(body: Body) -> str:
    """What the rows add up to."""
    saved = f"{units.size(body.saved_bytes)} saved"
    return f"Total: {body.params:,} parameters · {body.macs / 1e6:,.1f} MMACs · {saved}"


def walk(body: Body, path: str = "", calls: int = 1, copies: int = 1) -> Iterator[Row]:
    """The layers inside a body that is called so often, each followed by what is inside it, and
    last what the body has beside them: together they add up to it. Runs of equal ones are folded.

    A module that is called twice has its weights once: `copies` counts the modules.
    """
    own = _row(f"{path}{OWN}", body, calls, copies, "beside its layers", "")
    whole = own
    for _, equal in groupby(body.calls, key=lambda call: id(call.body)):
        run = tuple(equal)
        inner = run[0].body
        if not inner.is_module and not inner.macs:
            continue
        name, repeats = f"{path}{run[0].name}", calls * len(run)
        modules = copies * len({call.name for call in run})
        label = name if len(run) == 1 else f"{name} ×{len(run)}"
        shapes = ", ".join(map(units.shape, inner.outputs))
        row = _row(label, inner, repeats, modules, inner.kind, shapes)
        yield row
        yield from walk(inner, f"{name}.", repeats, modules)
        own = own.without(row)
    if own != whole and (own.params or own.macs or own.saved_bytes):
        yield own


def _row(path: str, body: Body, calls: int, copies: int, kind: str, output: str) -> Row:
    costs = body.params * copies, body.macs * calls, body.saved_bytes * calls
    return Row(path, kind, output, *costs)
