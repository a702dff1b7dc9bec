"""The text of a measured latency, the same on the page, in the report and in the shell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from studio.analysis import units
from studio.bench.idle_latency import idle_latency
from studio.bench.results import Measurement


class Latency(NamedTuple):
    """A latency as text.

    `value`: the latency of an idle machine, with `≈` if it is estimated. `band`: its IQR or its
    expected range. `under_load`: the measured latency if the machine was busy, else empty.
    """

    value: str
    band: str
    under_load: str


def format_latency(found: Measurement, device: str = "cpu") -> Latency:
    """The text of a measurement."""
    expected, seen = idle_latency(found, device), units.seconds(found.median_s)
    if expected is None:
        return Latency(seen, f"IQR {format_iqr(found)}", "")
    band = f"{units.seconds(expected.low)} to {units.seconds(expected.high)} when idle"
    return Latency(f"≈ {units.seconds(expected.seconds)}", band, f"{seen} under load")


def condition_texts(found: Measurement) -> Iterator[str]:
    """The conditions of a measurement in words."""
    yield "training step" if found.mode == "training" else "inference"
    yield found.dtype
    if found.layout != "contiguous":
        yield found.layout
    if found.compiled:
        yield "compiled"
    yield f"{found.threads} thread" + "s" * (found.threads > 1)


def format_iqr(found: Measurement) -> str:
    """The interquartile range of the runs."""
    return f"{units.seconds(found.q25_s)} to {units.seconds(found.q75_s)}"
