"""The results of measurements: values only, without torch.

A latency is a median with its interquartile range. A mean follows the outliers of a shared machine,
and the spread within one run says little about the spread between runs, so neither a mean nor a
confidence interval is given.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, get_type_hints

from studio.bench.conditions import Conditions
from studio.process.errors import MeasureError
from studio.quoting import echoed, named
from studio.serialization.strict_json import parse
from studio.version import __version__

CLEAN_SHARE = 0.97  # CPU share of the wall time above which a run counts as uninterrupted
QUIET_RUNS, QUIET_SHARE = 3, 0.1  # so many uninterrupted runs are enough
RUNS_FOR_P95 = 60  # with fewer, the 95th percentile is one of the three slowest runs


Floats = tuple[float, ...]
TEXTS = (  # of a measurement
    *("device", "dtype", "torch_version", "mode", "layout", "measured_at", "studio_version"),
)


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The raw times of one subject, in seconds per call; those of several rounds add up.

    A model faster than a millisecond is timed in blocks of `block` calls; a block is one sample.
    """

    walls: Floats
    cpus: Floats
    block: int
    first_call_s: float
    weight_bytes: int
    device: str
    torch_version: str
    compile_s: float | None = None

    def __add__(self, later: Samples) -> Samples:
        merged = {"walls": self.walls + later.walls, "cpus": self.cpus + later.cpus}
        begun = {"first_call_s": self.first_call_s, "compile_s": self.compile_s}
        return Samples(**{**vars(later), **merged, **begun})

    @property
    def spent_s(self) -> float:
        return sum(self.walls) * self.block

    def measurement(self, conditions: Conditions) -> Measurement:
        """Their median and quartiles, measured as of now."""
        walls, cpus, clean = self._undisturbed(conditions)
        twentieths = statistics.quantiles(walls, n=20, method="inclusive")
        return Measurement(
            median_s=statistics.median(walls),
            q25_s=twentieths[4],
            q75_s=twentieths[14],
            p95_s=twentieths[18] if len(walls) >= RUNS_FOR_P95 else None,
            runs=len(walls),
            first_call_s=self.first_call_s,
            cpu_s=statistics.median(cpus) if clean is not None else None,
            clean=clean,
            device=self.device,
            threads=conditions.threads,
            dtype=conditions.dtype,
            batch=conditions.batch,
            torch_version=self.torch_version,
            mode=conditions.mode,
            layout=conditions.layout,
            compiled=conditions.compiled,
            compile_s=self.compile_s,
            measured_at=utc_text(time.time()),
            studio_version=__version__,
        )

    def _undisturbed(self, conditions: Conditions) -> tuple[Floats, Floats, bool | None]:
        """Wall and CPU times of the uninterrupted runs, and whether there were enough.

        One thread that never waits spends its wall time computing. Otherwise CPU time says nothing
        (None), and on a machine too busy for this all runs count (False).
        """
        if conditions.device != "cpu" or conditions.threads > 1:
            return self.walls, self.cpus, None
        pairs = zip(self.walls, self.cpus, strict=True)
        quiet = [(wall, cpu) for wall, cpu in pairs if cpu >= CLEAN_SHARE * wall]
        if len(quiet) < max(min(QUIET_RUNS, len(self.walls)), QUIET_SHARE * len(self.walls)):
            return self.walls, self.cpus, False
        walls, cpus = zip(*quiet, strict=True)
        return walls, cpus, True


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """The latency of one call (a forward pass or a training step) and how it was measured.

    Times are in seconds. The first call is separate, since it pays for lazy initialisation; so is
    `compile_s`, the call before it, in which torch.compile ran (None if nothing was compiled).
    `cpu_s` is the median CPU time of a call, which load hardly affects (one thread on a CPU, else
    None). `clean`: the figures are those of uninterrupted runs; False if the machine was too busy
    for enough of them, None if unknown (accelerators, several threads). `p95_s` needs 60 runs.
    `measured_at` is the UTC time in ISO 8601, by the clock of the calling process; empty if an
    older studio wrote it.
    """

    median_s: float
    q25_s: float
    q75_s: float
    p95_s: float | None
    runs: int
    first_call_s: float
    cpu_s: float | None
    clean: bool | None
    device: str
    threads: int
    dtype: str
    batch: int
    torch_version: str
    mode: str = "inference"
    layout: str = "contiguous"
    compiled: bool = False
    compile_s: float | None = None
    measured_at: str = ""
    studio_version: str = ""

    def __post_init__(self) -> None:
        """Names from other machines and files are shown in reports and on the page, so they are
        escaped."""
        for name in TEXTS:
            object.__setattr__(self, name, named(str(getattr(self, name))))

    @property
    def throughput(self) -> float:
        """Examples per second at this batch."""
        return self.batch / self.median_s

    def to_dict(self) -> Mapping[str, Any]:
        """Plain JSON values, times to four significant digits: ratios of medians are good to about
        1 %."""
        return _rounded(asdict(self) | {"throughput": self.throughput})

    def to_json(self) -> str:
        """Every figure in full, for `from_json`; `to_dict` is for people."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Measurement:
        """The measurement written by `to_json`. Raises MeasureError for other text."""
        kinds = get_type_hints(cls)
        try:
            found = cls(**parse(text))
            if found.measured_at:
                datetime.fromisoformat(found.measured_at)
        except (ValueError, TypeError):
            raise MeasureError("this text holds no measurement") from None
        for name, value in vars(found).items():
            if not isinstance(value, kinds[name]):
                raise MeasureError(f"this text holds no measurement: {name}={echoed(value)}")
        return found


def comparable_seconds(points: Sequence[Measurement]) -> tuple[float, ...]:
    """Times of several designs that can be compared, in seconds: medians if no run was disturbed,
    else CPU times of all of them (medians if those are unknown)."""
    times = tuple(point.cpu_s for point in points if point.cpu_s is not None)
    disturbed = any(point.clean is False for point in points)
    if disturbed and len(times) == len(points):
        return times
    return tuple(point.median_s for point in points)


@dataclass(frozen=True)
class LayerTime:
    """The time of one module in a forward pass, in seconds: of all its `calls` together, without
    (`own_s`) and with (`total_s`) the modules it calls. `clean` is that of the whole pass, as in
    `Measurement`."""

    own_s: float
    total_s: float
    calls: int
    clean: bool | None = None

    def to_dict(self) -> Mapping[str, Any]:
        """Plain JSON values, times to four significant digits."""
        return _rounded(asdict(self))


def utc_text(seconds: float) -> str:
    """Seconds since 1970 as UTC in ISO 8601: `2026-11-23T18:27:00+00:00`."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


def _rounded(figures: Mapping[str, Any]) -> Mapping[str, Any]:
    return MappingProxyType(
        {k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in figures.items()}
    )
