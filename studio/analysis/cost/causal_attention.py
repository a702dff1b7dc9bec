"""What of causal attention is counted although a mask hides it.

Attention is counted in full, as torch, timm and papers count it: every query with every key. Under
a causal mask a query sees no key that comes after it, and a kernel may skip those pairs.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.analysis import units
from studio.analysis.cost.connectivity import ATTENTION, SUMS
from studio.analysis.trace.tree import INPUT, Source, Trace

CAUSAL = "is_causal=True"  # the settings of an attention that is causal by itself
MASK = "causal_mask"  # the name of a buffer that makes another causal
Flags = tuple[bool, ...]  # of tensors: whether a causal mask is in them
Found = tuple[int, Flags]


def causal_saving(root: Trace) -> int:
    """The multiply-accumulates of score and value products above the diagonal: for N tokens the
    part (N - 1) / 2N of these products, 0 without causal attention."""
    return _walked(root, (False,) * len(root.inputs), {})[0]


def causal_note(root: Trace) -> str:
    """The same as a sentence; empty without causal attention."""
    saving = causal_saving(root)
    if not saving:
        return ""
    return (
        "Causal attention is counted in full: a kernel that skips the masked half saves up to"
        f" {units.macs(saving)}."
    )


def _walked(trace: Trace, masked: Flags, known: dict[tuple[int, Flags], Found]) -> Found:
    """The saving in a body whose inputs are so, and which of its outputs have the mask in them."""
    key = id(trace), masked
    if key not in known:
        known[key] = _module(trace, masked, known) if trace.is_module else _operation(trace, masked)
    return known[key]


def _module(trace: Trace, masked: Flags, known: dict[tuple[int, Flags], Found]) -> Found:
    saving, made = 0, list[Flags]()
    for call in trace.calls:
        given = tuple(_is_masked(source, masked, made) for source in call.sources)
        inside, outputs = _walked(call.trace, given, known)
        saving += inside
        made.append(outputs)
    return saving, tuple(_is_masked(source, masked, made) for source in trace.returns)


def _operation(trace: Trace, masked: Flags) -> Found:
    """A sum hands a mask on, and attention uses it up."""
    if trace.kind != ATTENTION:
        return 0, (trace.kind in SUMS and any(masked),) * len(trace.outputs)
    is_causal = CAUSAL in trace.settings or any(masked[3:])  # after queries, keys and values
    return _hidden(trace) if is_causal else 0, (False,) * len(trace.outputs)


def _hidden(attention: Trace) -> int:
    """The MACs of those pairs of T queries and S keys whose key comes after the query."""
    T, S = (shape[-2] for shape in attention.inputs[:2])
    rows = min(T, S)
    pairs = rows * (S - 1) - rows * (rows - 1) // 2
    return attention.macs * pairs // (T * S)


def _is_masked(source: Source | str | None, masked: Flags, made: Sequence[Flags]) -> bool:
    match source:
        case None:
            return False
        case str():
            return source.rpartition(".")[2] == MASK
        case Source(call, output):
            return (masked if call == INPUT else made[call])[output]
