"""The layers of a traced model as rows of a table, with their costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from studio.analysis import units
from studio.analysis.trace.tree import Trace
from studio.drawing.graph import Figures

OWN = "(own)"


@dataclass(frozen=True)
class LayerRow:
    """A layer, or a run of equal layers, with the costs of all repeats together.

    `modules` are the paths of all modules in the run, `trace` is that of one of them; `level` is 1
    for the layers of the model, 2 for those inside them.
    """

    path: str
    kind: str
    output: str
    params: int
    macs: int
    saved_bytes: int
    activation_count: int
    modules: tuple[str, ...]
    trace: Trace
    level: int

    @property
    def figures(self) -> Figures:
        return Figures(self.params, self.macs, self.saved_bytes, self.activation_count)

    def minus(self, other: LayerRow) -> LayerRow:
        return replace(
            self,
            params=self.params - other.params,
            macs=self.macs - other.macs,
            saved_bytes=self.saved_bytes - other.saved_bytes,
            activation_count=self.activation_count - other.activation_count,
        )


def layer_rows(
    trace: Trace, path: str = "", calls: int = 1, within: tuple[str, ...] = ("",), level: int = 1
) -> Iterator[LayerRow]:
    """The layers inside a trace that runs `calls` times, each followed by those inside it, then the
    cost of the trace itself that is in none of its layers: together they add up to the trace.

    Runs of equal layers are one row. A module that is called twice has its parameters once:
    `within` are the paths of the modules.
    """
    own = _row(f"{path}{OWN}", trace, calls, within, "outside its layers", "", level)
    whole = own
    for _, equal in groupby(trace.calls, key=lambda call: id(call.trace)):
        run = tuple(equal)
        inner = run[0].trace
        if not inner.is_module and not inner.macs:
            continue
        name, repeats = f"{path}{run[0].name}", calls * len(run)
        names = dict.fromkeys(call.name for call in run)
        modules = tuple(f"{outer}.{one}".lstrip(".") for outer in within for one in names)
        label = name if len(run) == 1 else f"{name} ×{len(run)}"
        shapes = ", ".join(map(units.shape, inner.outputs))
        row = _row(label, inner, repeats, modules, inner.kind, shapes, level)
        yield row
        yield from layer_rows(inner, f"{name}.", repeats, modules, level + 1)
        own = own.minus(row)
    if own != whole and (own.params or own.macs or own.saved_bytes):
        yield own


def _row(
    path: str,
    trace: Trace,
    calls: int,
    modules: tuple[str, ...],
    kind: str,
    output: str,
    level: int,
) -> LayerRow:
    params, written = trace.params * len(modules), trace.activation_count * calls
    costs = params, trace.macs * calls, trace.saved_bytes * calls, written
    return LayerRow(path, kind, output, *costs, modules, trace, level)
