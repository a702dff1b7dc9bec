"""A lower bound of the time a measurement takes, so that one which cannot finish is not started."""

from __future__ import annotations

from studio.bench.conditions import Conditions

MIN_CALLS = 6  # per measurement: the first, a warm-up, three timed, and building
SLOW_S = 3.0  # slower calls are not warmed up, and timed twice: they vary little
MIN_SLOW_CALLS = 4
PASSES_PER_STEP = 3  # forward passes that take as long as a training step

# MACs per second, for a CPU per thread. Large designs of ten families reach 35 G in float32 on one
# thread of a server CPU, 24 G beside three busy processes. With these rates nothing that could
# finish is refused; those of accelerators are the smallest of the last ten years.
RATES = {"cpu": 30e9, "cuda": 1e12, "mps": 300e9}


def min_duration_s(macs: int, conditions: Conditions) -> float:
    """Seconds to measure a model with so many MACs at `mac_rate`; 0 if the rate is unknown."""
    passes = PASSES_PER_STEP if conditions.mode == "training" else 1
    known = mac_rate(conditions)
    call_s = passes * macs / known if known else 0.0
    return max(MIN_CALLS * min(call_s, SLOW_S), MIN_SLOW_CALLS * call_s)


def mac_rate(conditions: Conditions) -> float:
    """An optimistic rate of MACs per second on a device; 0 for an unknown kind of device."""
    kind = conditions.device.partition(":")[0]
    return RATES.get(kind, 0.0) * (conditions.threads if kind == "cpu" else 1)
