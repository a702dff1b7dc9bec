"""The curves of predicted latency: fitted to measured designs, or the roofline of a device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from studio.analysis.cost import roofline
from studio.analysis.cost.latency_model import LatencyModel
from studio.analysis.cost.roofline import DeviceLimits
from studio.app import session
from studio.app.charts.scaling_chart import MEASURED, PALE, Curve
from studio.workbench import results
from studio.workbench.jobs.predicted_latency import op_cost
from studio.workbench.workload import Workload


def predicted_curves(
    shown: Sequence[Workload],
    xs: tuple[float, ...],
    here: Workload,
    other: DeviceLimits | None = None,
) -> Iterator[Curve]:
    """Curves of predicted latency: this machine's, and another device's if its peak rates were
    typed in."""
    predictor, device = session.bench().predictor(here), session.bench().device(here)
    if predictor:
        yield fitted_curve(predictor, shown, xs)
    elif device and here.mode == "inference":
        yield roofline_curve(device, shown, xs, "roofline bound, good for ranking only", MEASURED)
    if other:
        yield roofline_curve(
            other, shown, xs, "roofline bound of the other device, good for ranking only", PALE
        )


def fitted_curve(
    predictor: LatencyModel, shown: Sequence[Workload], xs: tuple[float, ...]
) -> Curve:
    found = [predictor(op_cost(workload)) for workload in shown]
    narrow = predictor.has_band
    n = predictor.measured
    share = f"{n / (n + 1):.0%}".replace("%", " %")
    return Curve(
        f"predicted idle latency, fitted to {n} measured designs"
        + (f"; the band should contain about {share} of new measurements" if narrow else ""),
        xs,
        tuple(point.seconds for point in found),
        MEASURED,
        "predicted-latency",
        low=tuple(point.low for point in found) if narrow else (),
        high=tuple(point.high for point in found) if narrow else (),
    )


def roofline_curve(
    device: DeviceLimits, shown: Sequence[Workload], xs: tuple[float, ...], name: str, colour: str
) -> Curve:
    found = (
        roofline.roofline_seconds(device, results.profile_of(workload).root) for workload in shown
    )
    return Curve(name, xs, tuple(found), colour, "predicted-latency")
