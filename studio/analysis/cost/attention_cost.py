"""The cost of attention: how it grows with the number of tokens, and what a causal mask would save.

Attention is counted in full, as torch, timm and papers count it: every query with every key. Under
a causal mask a query attends to no later key, and a kernel may skip those pairs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from studio.analysis import units
from studio.analysis.cost.connectivity import SUMS
from studio.analysis.cost.op_costs import distinct_traces
from studio.analysis.trace.tree import ATTENTION, INPUT, Source, Trace

CAUSAL = "is_causal=True"  # in the settings of a causal attention call
MASK = "causal_mask"  # the name of the buffer that makes an attention call causal
Flags = tuple[bool, ...]  # for each tensor: does it contain a causal mask?
Saving = tuple[int, Flags]  # MACs saved, and the flags of the outputs


@dataclass(frozen=True)
class AttentionCost:
    """MACs of q kᵀ and of the product with v, out of the `total_macs` of a layer or block.

    `crossover_tokens` is the number of tokens at which attention costs as much as the rest, if the
    rest grows linearly with the tokens; None if it does not.
    """

    macs: int
    total_macs: int
    queries: int
    keys: int
    crossover_tokens: int | None

    @property
    def law(self) -> str:
        return "tokens²" if self.queries == self.keys else "queries × keys"


def attention_cost(trace: Trace) -> AttentionCost | None:
    """The cost of the most expensive form of attention in a trace; None if there is none."""
    found: Counter[tuple[int, int]] = Counter()
    inside = distinct_traces(trace)
    for part, runs in inside:
        if part.kind == ATTENTION:
            found[part.inputs[0][-2], part.inputs[1][-2]] += part.macs * runs
    if not found:
        return None
    (queries, keys), macs = found.most_common(1)[0]
    rest = trace.macs - macs
    is_linear = len(found) == 1 and queries == keys and _rest_is_per_token(inside, keys)
    crossover = keys * rest // macs if is_linear and rest else None
    return AttentionCost(macs, trace.macs, queries, keys, crossover)


def _rest_is_per_token(inside: tuple[tuple[Trace, int], ...], tokens: int) -> bool:
    """Whether everything but attention is linear layers applied to every token."""
    others = [t for t, _ in inside if t.macs and not t.calls and t.kind != ATTENTION]
    return all(
        issubclass(t.cls or object, nn.Linear) and tokens in t.outputs[0][:-1] for t in others
    )


def causal_saving(root: Trace) -> int:
    """MACs of attention above the diagonal: (N - 1) / 2N of its MACs for N tokens.

    0 for a model without causal attention.
    """
    return _saving(root, (False,) * len(root.inputs), {})[0]


def causal_note(root: Trace) -> str:
    """The causal saving as a sentence; empty for a model without causal attention."""
    saving = causal_saving(root)
    if not saving:
        return ""
    return (
        "Causal attention is counted in full: a kernel that skips the masked half saves up to"
        f" {units.macs(saving)}."
    )


def _saving(trace: Trace, masked: Flags, known: dict[tuple[int, Flags], Saving]) -> Saving:
    """The saving in a trace given the flags of its inputs, and the flags of its outputs."""
    key = id(trace), masked
    if key not in known:
        is_module = trace.is_module
        known[key] = _in_module(trace, masked, known) if is_module else _in_op(trace, masked)
    return known[key]


def _in_module(trace: Trace, masked: Flags, known: dict[tuple[int, Flags], Saving]) -> Saving:
    saving, outputs = 0, list[Flags]()
    for call in trace.calls:
        inputs = tuple(_is_masked(source, masked, outputs) for source in call.sources)
        inside, flags = _saving(call.trace, inputs, known)
        saving += inside
        outputs.append(flags)
    return saving, tuple(_is_masked(source, masked, outputs) for source in trace.returns)


def _in_op(trace: Trace, masked: Flags) -> Saving:
    """A sum passes a mask on; attention consumes it."""
    if trace.kind != ATTENTION:
        return 0, (trace.kind in SUMS and any(masked),) * len(trace.outputs)
    is_causal = CAUSAL in trace.settings or any(masked[3:])  # after queries, keys and values
    return _masked_macs(trace) if is_causal else 0, (False,) * len(trace.outputs)


def _masked_macs(attention: Trace) -> int:
    """MACs of the pairs of T queries and S keys in which the key comes after the query."""
    T, S = (shape[-2] for shape in attention.inputs[:2])
    rows = min(T, S)
    pairs = rows * (S - 1) - rows * (rows - 1) // 2
    return attention.macs * pairs // (T * S)


def _is_masked(source: Source | str | None, masked: Flags, outputs: Sequence[Flags]) -> bool:
    match source:
        case None:
            return False
        case str():
            return source.rpartition(".")[2] == MASK
        case Source(call, output):
            return (masked if call == INPUT else outputs[call])[output]
