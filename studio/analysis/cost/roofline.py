"""Roofline: how long a design would take if every operation ran at a limit of the device.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures" (CACM 52, 2009), with a fixed overhead per operation. Few kernels reach the limits:
for five families on one CPU the roofline was 0.7 of the measured time, from 0.3 to 1.0. So it ranks
designs and shows what limits a layer, but does not predict latency.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from studio.analysis.cost.op_costs import op_cost, operations
from studio.analysis.trace.tree import Trace
from studio.knobs import DesignError
from studio.quoting import quoted

Bottleneck = Literal["compute", "memory", "overhead"]


class DataSheetValue(NamedTuple):
    """A value of a data sheet: its unit, the scale of the unit, and its range."""

    name: str
    unit: str
    scale: float
    minimum: float
    maximum: float

    def read(self, value: object) -> float:
        """The value in seconds, FLOPs or bytes. Raises DesignError."""
        try:
            number = float(str(value).strip().removesuffix(self.unit))
        except ValueError:
            number = float("nan")
        if not self.minimum <= number <= self.maximum:
            nearest = min(max(number, self.minimum), self.maximum)
            raise DesignError(
                f"{self.name} is a number of {self.unit} from {self.minimum:g} to {self.maximum:g},"
                f" not {quoted(value)}",
                knob=self.name,
                value=value,
                nearest=() if number != number else (nearest,),
            )
        return number * self.scale


COMPUTE = DataSheetValue("compute", "TFLOP/s", 1e12, 1e-3, 1e5)
BANDWIDTH = DataSheetValue("bandwidth", "GB/s", 1e9, 1e-1, 1e5)
OVERHEAD = DataSheetValue("overhead per operation", "µs", 1e-6, 0, 1e5)


@dataclass(frozen=True, kw_only=True)
class DeviceLimits:
    """The limits of a device: FLOPs and bytes per second, and the seconds to start one
    operation."""

    flops_per_s: float
    bytes_per_s: float
    seconds_per_op: float

    @classmethod
    def read(cls, compute: object, bandwidth: object, overhead: object) -> DeviceLimits:
        """From data sheet values, as numbers or text: TFLOP/s in float32, GB/s, and microseconds
        per operation. Raises DesignError in one sentence.

        >>> DeviceLimits.read(19.5, "1555 GB/s", "5").bytes_per_s
        1555000000000.0
        """
        return cls(
            flops_per_s=COMPUTE.read(compute),
            bytes_per_s=BANDWIDTH.read(bandwidth),
            seconds_per_op=OVERHEAD.read(overhead),
        )


def roofline_seconds(device: DeviceLimits, root: Trace) -> float:
    """The sum over a model's operations of the larger of compute and memory time, plus the
    overhead. It ranks designs; it does not predict latency."""
    return sum(_seconds_by_bottleneck(device, root).values())


def bottleneck(device: DeviceLimits, trace: Trace) -> Bottleneck | None:
    """What takes most of a layer's roofline time, `overhead` being that of all its operations; None
    for a layer without operations."""
    longest, name = max(
        (seconds, name) for name, seconds in _seconds_by_bottleneck(device, trace).items()
    )
    return name if longest else None


def _seconds_by_bottleneck(device: DeviceLimits, root: Trace) -> dict[Bottleneck, float]:
    """The roofline seconds of a model's operations, by what limits them."""
    spent: dict[Bottleneck, float] = {"compute": 0.0, "memory": 0.0, "overhead": 0.0}
    for trace, runs in operations(root):
        work = op_cost(trace)
        compute, memory = work.flops / device.flops_per_s, work.moved_bytes / device.bytes_per_s
        spent["compute" if compute > memory else "memory"] += runs * max(compute, memory)
        spent["overhead"] += runs * device.seconds_per_op
    return spent
