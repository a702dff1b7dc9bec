"""How latency grows compared with MACs, in words."""

from __future__ import annotations

from functools import lru_cache

from studio.analysis.cost.attention_cost import attention_cost
from studio.analysis.cost.scaling import average_slope, exponent, local_slope
from studio.app.charts.scaling_chart import MEASURED, Curve, Unit
from studio.workbench import results
from studio.workbench.workload import Workload

ALIKE = 0.1  # twice the difference in exponents between repeated sweeps


@lru_cache(maxsize=256)
def unit(shown: tuple[Workload, ...], xs: tuple[float, ...], word: str) -> Unit:
    """The variable of the power laws along an axis: its knob, or the number of attention tokens if
    that grows with the knob, as it does with the square of the image size."""
    found = [attention_cost(results.profile_of(workload).root) for workload in shown]
    tokens = [one.queries for one in found if one and one.queries == one.keys]
    power = exponent(xs, tokens) if len(tokens) == len(xs) else None
    return Unit("tokens", power) if power and power > 0.5 else Unit(word)


def slopes(latency: Curve, macs: Curve, here: float) -> tuple[float, float | None, float] | None:
    """The exponents of latency over the range and at `here`, and of the MACs over the same range;
    None if too few points were measured together."""
    xs, ys = zip(*latency.together, strict=True) if latency.together else ((), ())
    work = dict(zip(macs.xs, macs.ys, strict=True))
    average, of_macs = average_slope(xs, ys), average_slope(xs, [work[x] for x in xs])
    if average is None or of_macs is None:
        return None
    return average, local_slope(xs, ys, here), of_macs


def law(latency: Curve, macs: Curve, unit: Unit, here: float) -> str:
    """`∝ depth^0.86`, the average over the range, as a title of the chart; empty without."""
    found = slopes(latency, macs, here)
    if found is None:
        return ""
    power = f"{found[0] / unit.power:.2f}".replace("-", "−")
    text = f"∝ {unit.word}<sup><b>{power}</b></sup>{'<br>in CPU time' * bool(latency.steady)}"
    return f'<span style="color:{MEASURED}">{text}</span>'


def interpretation(latency: Curve, macs: Curve, unit: Unit, here: float) -> str:
    """The exponents and what their difference means; empty if there are none."""
    found = slopes(latency, macs, here)
    if found is None:
        return ""
    average, local, of_macs = found

    def grows(power: float) -> str:
        return f"{unit.word}^{power / unit.power:.2f}".replace("-", "−")

    beside = f" ({local / unit.power:.2f} near this design)" if local is not None else ""
    what = "CPU time" if latency.steady else "Latency"
    laws = f"{what} grows as {grows(average)}{beside.replace('-', '−')}; MACs as {grows(of_macs)}."
    if latency.steady:
        laws += " Wall time was unreliable: the machine was busy."
    untold = latency.loaded and not latency.steady
    meaning = "Some points were measured under load." if untold else _meaning(average, of_macs)
    return f"{laws} {meaning}"


def _meaning(average: float, of_macs: float) -> str:
    if average < of_macs - ALIKE:
        return (
            "Latency grows more slowly than the MACs: smaller designs spend their time on launching"
            " operations and moving data."
        )
    if average > of_macs + ALIKE:
        return (
            "Latency grows faster than the MACs: larger designs no longer fit the caches, or spend"
            " time on work that MACs do not count."
        )
    return "Latency grows with the MACs: the device is compute-bound."
