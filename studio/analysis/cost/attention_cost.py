"""How the cost of attention grows with the number of tokens."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from torch import nn

from studio.analysis.cost.connectivity import ATTENTION
from studio.analysis.cost.op_costs import distinct_traces
from studio.analysis.trace.tree import Trace


@dataclass(frozen=True)
class AttentionCost:
    """The products q kᵀ and with v of a layer or block: `macs` of the `whole`, for so many queries
    and keys. `meets` is the number of tokens at which they would cost as much as all else, where
    all else grows with the number itself; None where that cannot be said."""

    macs: int
    total_macs: int
    queries: int
    keys: int
    crossover_tokens: int | None

    @property
    def law(self) -> str:
        return "tokens²" if self.queries == self.keys else "queries × keys"


def attention_cost(trace: Trace) -> AttentionCost | None:
    """Of the attention in a body; of several forms of it that which costs most. None without."""
    found: Counter[tuple[int, int]] = Counter()
    inside = distinct_traces(trace)
    for part, runs in inside:
        if part.kind == ATTENTION:
            found[part.inputs[0][-2], part.inputs[1][-2]] += part.macs * runs
    if not found:
        return None
    (queries, keys), macs = found.most_common(1)[0]
    even = len(found) == 1 and queries == keys and _rest_is_per_token(inside, keys)
    rest = trace.macs - macs
    return AttentionCost(
        macs, trace.macs, queries, keys, keys * rest // macs if even and rest else None
    )


def _rest_is_per_token(inside: tuple[tuple[Trace, int], ...], tokens: int) -> bool:
    """Whether all else is linear layers that are laid on every token."""
    others = [b for b, _ in inside if b.macs and not b.calls and b.kind != ATTENTION]
    return all(
        issubclass(b.cls or object, nn.Linear) and tokens in b.outputs[0][:-1] for b in others
    )
