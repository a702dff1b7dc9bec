"""What the measured growth of latency says beside the growth of the work."""

from __future__ import annotations

from studio.analysis.scaling import average_slope, local_slope
from studio.app.charts import MEASURED, Curve

ALIKE = 0.1  # exponents of sweeps differ by less than half of it by chance


def slopes(latency: Curve, macs: Curve, here: float) -> tuple[float, float | None, float] | None:
    """The exponents of latency over the range and at `here`, and of the MACs over the same range;
    None where too few points were measured together."""
    xs, ys = zip(*latency.together, strict=True) if latency.together else ((), ())
    work = dict(zip(macs.xs, macs.ys, strict=True))
    average, of_macs = average_slope(xs, ys), average_slope(xs, [work[x] for x in xs])
    if average is None or of_macs is None:
        return None
    return average, local_slope(xs, ys, here), of_macs


def law(latency: Curve, macs: Curve, axis: str, here: float) -> str:
    """`∝ depth^0.86`, the average over the range, as a title of the chart; empty without."""
    found = slopes(latency, macs, here)
    if found is None:
        return ""
    text = f"∝ {axis}<sup><b>{found[0]:.2f}</b></sup>{'<br>in CPU time' * bool(latency.steady)}"
    return f'<span style="color:{MEASURED}">{text.replace("-", "−")}</span>'


def reading(latency: Curve, macs: Curve, here: float) -> str:
    """The exponents and what the gap between them means, in two sentences; empty without."""
    found = slopes(latency, macs, here)
    if found is None:
        return ""
    average, local, of_macs = found
    beside = f", here {local:.2f}" if local is not None else ""
    of_what = "CPU time (the machine was busy)" if latency.steady else "latency"
    figures = f"Exponent of {of_what} {average:.2f}{beside}; of the MACs {of_macs:.2f}."
    untold = latency.loaded and not latency.steady
    meaning = "Some of it was measured under load." if untold else _meaning(average, of_macs)
    return f"{figures.replace('-', '−')} {meaning}"


def _meaning(average: float, of_macs: float) -> str:
    if average < of_macs - ALIKE:
        return (
            "Latency grows more slowly than the MACs: the smaller designs spend their time on"
            " starting operations and on moving data."
        )
    if average > of_macs + ALIKE:
        return (
            "Latency grows faster than the MACs: what the larger designs work on no longer fits"
            " the caches, or is not counted in MACs."
        )
    return "Latency grows as the MACs do: this device is busy computing."
