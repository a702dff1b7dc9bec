"""How long a measurement will take, before it begins: what cannot end in time is not begun."""

from __future__ import annotations

from studio.bench.results import Conditions

MIN_CALLS = (
    6  # about the fewest of a measurement: a first one, one that warms up, three and building
)
SLOW_S = 3.0  # a call that takes longer is not warmed up, and timed twice: it varies little
MIN_SLOW_CALLS = 4
PASSES_PER_STEP = 3  # forward passes that a training step takes as long as

# MACs a second, a CPU's for each thread. Large designs of ten families reach 35 G in float32 on one
# thread of a server's processor, 24 G beside three busy neighbours. Below this nothing that could
# end is refused; of accelerators it is what the smallest of the last ten years do.
RATES = {"cpu": 30e9, "cuda": 1e12, "mps": 300e9}


def min_duration_s(macs: int, conditions: Conditions) -> float:
    """Seconds that measuring a model of so many MACs takes at `rate`; 0 where that is unknown."""
    passes = PASSES_PER_STEP if conditions.mode == "training" else 1
    known = mac_rate(conditions)
    call_s = passes * macs / known if known else 0.0
    return max(MIN_CALLS * min(call_s, SLOW_S), MIN_SLOW_CALLS * call_s)


def mac_rate(conditions: Conditions) -> float:
    """MACs a second that may be hoped for on such a device; 0 for a device of another kind."""
    kind = conditions.device.partition(":")[0]
    return RATES.get(kind, 0.0) * (conditions.threads if kind == "cpu" else 1)
