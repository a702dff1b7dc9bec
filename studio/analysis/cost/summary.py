"""What a design costs in a few numbers, without the traces that they are read from.

A profile holds the trace of the whole model, which is why only a few hundred fit into its cache;
of these there is room for every value of every slider.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from studio.analysis.cost.attention_cost import causal_note
from studio.analysis.cost.profiler import profile
from studio.analysis.cost.starved_norm import batch_too_small, can_train
from studio.family import Design


@dataclass(frozen=True)
class CostSummary:
    """The cost of a design for one batch, in float32: counts, and bytes of memory.

    `causal_note` is a sentence on causal attention, where there is any. Where no training step is
    possible, `no_training` says why, and the two figures of training are zero.
    """

    batch: int
    params: int
    parameter_bytes: int
    macs: int
    activation_count: int
    activation_bytes: int
    inference_bytes: int
    saved_bytes: int
    training_bytes: int
    causal_note: str
    no_training: str

    @property
    def flops(self) -> int:
        """Floating-point operations: two per multiply-accumulate."""
        return 2 * self.macs


@lru_cache(maxsize=4096)
def cost_summary(design: Design, batch: int = 1) -> CostSummary:
    """The costs of a design for a batch. Raises DesignError."""
    found = profile(design, batch)
    trains = can_train(found)
    return CostSummary(
        batch=found.batch,
        params=found.params,
        parameter_bytes=found.parameter_bytes,
        macs=found.macs,
        activation_count=found.activation_count,
        activation_bytes=found.activation_bytes,
        inference_bytes=found.inference_bytes,
        saved_bytes=found.saved_bytes if trains else 0,
        training_bytes=found.training_bytes() if trains else 0,
        causal_note=causal_note(found.root),
        no_training="" if trains else batch_too_small(found.design, found.batch),
    )
