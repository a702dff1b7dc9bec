"""Roofline: how long a design would take if every operation ran at a limit of the device.

Williams, Waterman and Patterson, "Roofline: an insightful visual performance model for multicore
architectures" (CACM 52, 2009), with a fixed overhead for each operation. Few kernels reach
the limits: over five families on one CPU the sum was 0.7 of the measured time, from 0.3 to 1.0. So
it orders designs and says what holds a layer back, and that is all.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from studio.analysis.cost.op_costs import of_operation, operations
from studio.analysis.trace.tree import Body
from studio.knobs import DesignError
from studio.quoting import quoted

Bound = Literal["compute", "memory", "overhead"]


class Figure(NamedTuple):
    """A figure of a device as people write it: its unit, what the unit is worth, and its range."""

    name: str
    unit: str
    worth: float
    least: float
    most: float

    def read(self, given: object) -> float:
        """In seconds, FLOPs and bytes. Raises DesignError."""
        try:
            number = float(str(given).strip().removesuffix(self.unit))
        except ValueError:
            number = float("nan")
        if not self.least <= number <= self.most:
            nearest = min(max(number, self.least), self.most)
            raise DesignError(
                f"{self.name} is a number of {self.unit} from {self.least:g} to {self.most:g},"
                f" not {quoted(given)}",
                knob=self.name,
                value=given,
                nearest=() if number != number else (nearest,),
            )
        return number * self.worth


COMPUTE = Figure("compute", "TFLOP/s", 1e12, 1e-3, 1e5)
BANDWIDTH = Figure("bandwidth", "GB/s", 1e9, 1e-1, 1e5)
OVERHEAD = Figure("overhead per operation", "µs", 1e-6, 0, 1e5)


@dataclass(frozen=True, kw_only=True)
class Device:
    """The limits of a device: FLOPs and bytes a second, and the seconds that starting one
    operation takes."""

    flops_per_s: float
    bytes_per_s: float
    seconds_per_op: float

    @classmethod
    def read(cls, compute: object, bandwidth: object, overhead: object) -> Device:
        """From figures as a data sheet has them, numbers or text: TFLOP/s in float32, GB/s, and
        microseconds an operation. Raises DesignError in one sentence.

        >>> Device.read(19.5, "1555 GB/s", "5").bytes_per_s
        1555000000000.0
        """
        return cls(
            flops_per_s=COMPUTE.read(compute),
            bytes_per_s=BANDWIDTH.read(bandwidth),
            seconds_per_op=OVERHEAD.read(overhead),
        )


def seconds(device: Device, root: Body) -> float:
    """The sum over a model's operations of computing or moving, whichever takes longer, and of
    starting. It orders designs and is no latency."""
    return sum(_spent(device, root).values())


def bound(device: Device, body: Body) -> Bound | None:
    """What most of a layer's roofline goes into, `overhead` being that of all its operations; None
    for one that starts none."""
    longest, name = max((seconds, name) for name, seconds in _spent(device, body).items())
    return name if longest else None


def _spent(device: Device, root: Body) -> dict[Bound, float]:
    """The seconds of a model's operations, by what they wait for."""
    spent: dict[Bound, float] = {"compute": 0.0, "memory": 0.0, "overhead": 0.0}
    for body, runs in operations(root):
        work = of_operation(body)
        compute, memory = work.flops / device.flops_per_s, work.moved_bytes / device.bytes_per_s
        spent["compute" if compute > memory else "memory"] += runs * max(compute, memory)
        spent["overhead"] += runs * device.seconds_per_op
    return spent
