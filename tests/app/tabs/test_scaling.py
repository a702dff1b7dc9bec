"""What may be measured, which figures compare, and what the charts say of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import studio
from studio import measurable
from studio.analysis import units
from studio.analysis.cost.scaling import axes, axis_points, exponent
from studio.app.charts import scaling_text
from studio.app.charts.scaling_chart import Curve, Panel, Unit, figure
from studio.app.header.latency_card import change_lines, conditions_text, is_noise
from studio.app.tabs import scaling
from studio.bench.conditions import Conditions
from studio.bench.results import Measurement
from studio.bench.timing import time_bound
from studio.process.errors import MeasureError
from studio.workbench import results
from studio.workbench.jobs import benchmarkable
from studio.workbench.jobs.benchmarkable import is_quick, obstacle
from studio.workbench.page.state import State
from studio.workbench.workload import Workload
from tests.app.conftest import MAIN, StillWorkbench, put, state
from tests.app.test_page import figures

MADE = Measurement(
    median_s=0.008, q25_s=0.0076, q75_s=0.0089, p95_s=None, runs=9, first_call_s=0.1,
    cpu_s=None, clean=True, device="CPU", threads=1, dtype="float32", batch=1, torch_version="2",
)  # fmt: skip


def made(median_s: float, clean: bool | None = True) -> Measurement:
    quarters = {"q25_s": 0.99 * median_s, "q75_s": 1.01 * median_s}
    return replace(MADE, median_s=median_s, clean=clean, **quarters)


@pytest.fixture(autouse=True)
def _bench(bench: StillWorkbench) -> None:
    """A workbench of its own for each test."""


def swept(
    bench: StillWorkbench,
    workloads: tuple[Workload, ...],
    seconds: list[float],
    *,
    finished: bool = True,
    **how: Any,
) -> None:
    """As a sweep that has ended, or was cancelled, leaves the measurements."""
    bench.measurements.add_all(workloads, [made(s, **how) for s in seconds], finished=finished)


def page() -> State:
    design = studio.design("vit", "ViT-Ti/16")
    return State(workload=Workload(design), preset=design.base, axis="depth")


def along_depth() -> tuple[tuple[Workload, ...], Any]:
    state = page()
    return scaling.workloads(state), scaling.axes(state.design)["depth"]


def test_only_the_points_of_one_sweep_are_fitted(bench: StillWorkbench) -> None:
    shown, knob = along_depth()
    swept(bench, shown[1:], [0.001 * workload.design.config.depth for workload in shown[1:]])
    bench.measurements.add(shown[0], made(9.0))
    curve = scaling.measured_curve(shown, knob)
    assert len(curve.xs) == len(shown)
    assert curve.separate == {shown[0].design.config.depth}
    assert curve.power == pytest.approx(1)
    assert "Hollow points: measured separately (not used in the fit)." in scaling.legend(shown, 0)


def test_a_finished_sweep_under_load_says_why_its_marks_are_hollow(bench: StillWorkbench) -> None:
    shown, _ = along_depth()
    swept(bench, shown, [0.01] * len(shown))
    assert "Hollow" not in scaling.legend(shown, 0)
    for workload in shown:
        bench.measurements.forget(workload)
    swept(bench, shown, [0.01] * len(shown), clean=False)
    assert "Hollow points: under load" in scaling.legend(shown, 0)


def test_a_mark_says_what_the_ends_of_its_bar_are(
    bench: StillWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown, _ = along_depth()
    swept(bench, shown, [0.01] * len(shown))
    assert hover(shown) == "10.0 ms, IQR 9.90 ms–10.1 ms"
    monkeypatch.setattr(scaling, "run_to_run_deviation", lambda point, device: 0.25)
    assert hover(shown) == "10.0 ms, run-to-run deviation 8.00 ms–12.5 ms"


def hover(shown: tuple[Workload, ...]) -> str:
    """What the first mark of the latency tells."""
    (*_, latency) = scaling.panels(page().workload, shown, scaling.axes(page().design)["depth"])
    drawn = figure((latency,), "depth", 12.0, 400)
    text: str = drawn["data"][-1]["text"][0]
    return text


def test_the_legend_says_what_is_expected_by_what() -> None:
    shown, _ = along_depth()
    assert "Dashed" not in scaling.legend(shown, 0)
    assert "Dashed line: a bound. Pale dashed line: another." in scaling.legend(
        shown, 0, ("a bound", "another")
    )


def test_the_exponents_stand_in_a_sentence_and_one_of_them_in_the_title(
    bench: StillWorkbench,
) -> None:
    shown, knob = along_depth()
    swept(bench, shown, [0.001 * workload.design.config.depth**0.5 for workload in shown])
    panels = scaling.panels(shown[3], shown, knob)
    latency, macs = panels[-1].curves[-1], panels[1].curves[0]
    told = scaling_text.interpretation(latency, macs, Unit("depth"), macs.xs[3])
    assert panels[-1].law.endswith("∝ depth<sup><b>0.50</b></sup></span>")
    assert "Latency grows as depth^0.50 (0.50 near this design); MACs as depth^0.9" in told
    assert "more slowly" in told


def test_under_load_the_exponent_is_that_of_cpu_time_for_all_points_alike(
    bench: StillWorkbench,
) -> None:
    shown, knob = along_depth()
    swept(bench, shown, [0.001 * workload.design.config.depth**2 for workload in shown])
    for i, workload in enumerate(shown):  # some points had quiet runs, and some had none
        depth = workload.design.config.depth
        point = replace(made(0.001 * depth**2), cpu_s=0.001 * depth, clean=bool(i % 2))
        bench.measurements.add(workload, point, bench.measurements.sweep_of(workload))
    panels = scaling.panels(shown[3], shown, knob)
    latency, macs = panels[-1].curves[-1], panels[1].curves[0]
    assert "depth<sup><b>1.00</b></sup><br>in CPU time" in panels[-1].law
    told = scaling_text.interpretation(latency, macs, Unit("depth"), macs.xs[3])
    assert "CPU time grows as depth^1.00" in told
    assert "Wall time was unreliable: the machine was busy." in told


@pytest.mark.parametrize(
    ("later", "stays"),
    [
        ({"runs": 3}, True),
        ({"runs": 90}, False),
        ({"runs": 90, "clean": False}, True),
    ],
)
def test_a_worse_look_does_not_replace_a_better_one(
    bench: StillWorkbench, later: dict[str, Any], stays: bool
) -> None:
    workload, known = along_depth()[0][0], replace(made(0.01), runs=30, clean=True)
    found = replace(known, median_s=0.02, **later)
    bench.measurements.add(workload, known)
    bench.measurements.add(workload, found)
    assert bench.point(workload) == (known if stays else found)
    bench.measurements.add(workload, MeasureError("no memory"))
    assert isinstance(bench.point(workload), Measurement)


def test_a_cancelled_sweep_is_drawn_hollow_and_fitted_to_nothing(bench: StillWorkbench) -> None:
    shown, knob = along_depth()
    swept(
        bench, shown, [0.001 * workload.design.config.depth for workload in shown], finished=False
    )
    curve = scaling.measured_curve(shown, knob)
    assert curve.separate == set(curve.xs)
    assert curve.power is None


def test_first_looks_do_not_replace_a_finished_sweep_but_a_later_sweep_does(
    bench: StillWorkbench,
) -> None:
    shown, _ = along_depth()
    swept(bench, shown, [0.01] * len(shown))
    swept(bench, shown, [0.02] * len(shown), finished=False)
    assert bench.point(shown[0]) == made(0.01)
    swept(bench, shown[:4], [0.03] * 4)
    assert bench.point(shown[0]) == made(0.03)
    assert scaling.measured_separately(shown) == set(shown[4:])


def test_counts_alone_are_called_exact() -> None:
    shown, knob = along_depth()
    drawn = scaling.panels(shown[0], shown, knob)
    kinds = {panel.title: {c.kind for c in panel.curves} for panel in drawn}
    assert kinds == {
        "Parameters, activation count": {"exact"},
        "MACs": {"exact"},
        "Memory": {"predicted"},
        "Measured latency": {"measured"},
    }
    assert "memory is predicted" in scaling.legend(shown, 0)
    counts = drawn[0].curves[1].ys
    assert counts == tuple(results.profile_of(workload).activation_count for workload in shown)


@pytest.mark.parametrize("count", range(1, 8))
def test_panels_fill_the_figure_and_lie_beside_one_another(count: int) -> None:
    panel = Panel("Cost", units.count, (Curve("", (1, 2, 3), (1, 2, 3)),))
    layout = figure((panel,) * count, "depth", 1, 400)["layout"]
    areas = [
        (*layout[f"xaxis{n}"]["domain"], *layout[f"yaxis{n}"]["domain"])
        for n in range(1, count + 1)
    ]
    for (left, right, low, high), (others_left, others_right, *others) in combinations(areas, 2):
        assert right < others_left or others_right < left or high < others[0] or others[1] < low
    assert max(right for _, right, _, _ in areas[-2:]) == 1
    assert min(low for _, _, low, _ in areas) == pytest.approx(0)
    assert max(high for *_, high in areas) == 1
    titled = [n for n in range(1, count + 1) if layout[f"xaxis{n}"].get("title")]
    assert titled == [n for n in range(1, count + 1) if areas[n - 1][2] == areas[-1][2]]


def drawn(ys: tuple[float, ...]) -> dict[str, Any]:
    xs = tuple(range(1, len(ys) + 1))
    panel = Panel("Time", units.seconds, (Curve("", xs, ys),), few="few", empty="press")
    exact = Panel("Cost", units.count, (Curve("", (1, 2, 3, 4, 5), (1, 2, 3, 4, 5)),))
    return figure((exact, panel), "depth", 1, 400)


def words(chart: dict[str, Any]) -> str:
    return " | ".join(note["text"] for note in chart["layout"]["annotations"])


@pytest.mark.parametrize(
    ("ys", "says"),
    [((1, 4, 16, 64, 256), "not a power law"), ((1, 4, 9, 16), "<b>2.00</b>"), ((1, 4), "few")],
)
def test_a_panel_says_what_law_there_is(ys: tuple[float, ...], says: str) -> None:
    assert says in words(drawn(ys)).partition("Time")[2]


def test_each_law_has_a_line_and_titles_in_a_row_are_level() -> None:
    """Beside one another two laws are wider than a panel on a telephone."""
    shown, knob = along_depth()
    words = figure(scaling.panels(page().workload, shown, knob), "depth", 12.0, 400)
    heads = [note["text"] for note in words["layout"]["annotations"] if "<b>" in note["text"]]
    lines = [head.split("<br>") for head in heads]
    assert [len(line) for line in lines] == [3, 3, 3, 3]
    assert "activations" in lines[0][2]
    assert lines[2][0] == "<b>Memory</b>"
    assert "training" in lines[2][1]
    assert "inference" in lines[2][2]


@pytest.mark.parametrize(
    ("family", "axis", "word"),
    [
        ("vit", "resolution", "tokens"),
        ("gpt", "resolution", "tokens"),
        ("vit", "depth", "depth"),
        ("resnet", "resolution", "image_size"),
        ("resnet", "depth", "(total blocks)"),
    ],
)
def test_laws_are_told_in_tokens_where_attention_is_shown(
    family: str, axis: str, word: str
) -> None:
    design = studio.design(family)
    knob = axes(design)[axis]
    shown = tuple(Workload(one) for one in axis_points(design, axis, 5))
    unit = scaling.unit_of(shown, knob)
    assert unit.word == word
    panels = scaling.panels(Workload(design), shown, knob)
    text = words(figure(panels, knob.name, 1, 400, unit))
    assert f"∝ {word}<sup>" in text
    if word == "tokens":  # MACs of attention grow between linearly and with the square
        power = exponent(panels[1].curves[0].xs, panels[1].curves[0].ys)
        assert power is not None
        assert 0.95 < power / unit.power < 2


def test_an_empty_panel_has_a_hint_in_the_place_of_a_scale() -> None:
    chart = drawn(())
    assert "press" in words(chart)
    assert chart["layout"]["yaxis2"]["tickvals"] == []
    assert chart["layout"]["yaxis1"]["tickvals"] != []


@pytest.mark.parametrize(
    ("one", "other", "noise"),
    [
        (made(0.100), made(0.101), True),
        (made(0.100), made(0.200), False),
        (made(0.100, clean=False), made(0.200), True),
        (made(0.100), made(0.200, clean=None), False),
    ],
)
def test_what_may_be_chance_is_no_change(
    bench: StillWorkbench, one: Measurement, other: Measurement, noise: bool
) -> None:
    assert is_noise(one, other) == is_noise(other, one) == noise
    state = page().set_knob("depth", 5)
    assert state.previous
    bench.measurements.add(state.workload, one)
    bench.measurements.add(state.previous, other)
    told = "".join(change_lines(state))
    assert ("within noise of previous" in told) == noise
    assert ("moved" in told) != noise


def test_the_default_unet_is_measured_by_itself() -> None:
    assert is_quick(results.profile_of(Workload(studio.design("unet"))))


def test_a_sweep_holds_the_case_on_the_page_and_nothing_much_slower(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown, _ = along_depth()
    monkeypatch.setattr(
        benchmarkable, "QUICK_MACS", results.profile_of(shown[2]).macs / benchmarkable.SWEPT
    )
    timed = [workload for workload in shown if scaling.is_in_sweep(workload, shown[5])]
    assert timed == [*shown[:3], shown[5]]
    monkeypatch.setitem(time_bound.RATES, "cpu", 1.0)
    assert obstacle(shown[5])
    assert not scaling.is_in_sweep(shown[5], shown[5])


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("family", ["detr", "diffusion", "t5", "faster_rcnn", "gpt", "yolo"])
def test_every_axis_of_a_large_family_is_drawn_without_a_pause(family: str) -> None:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.query_params["family"] = family
    app.run()
    for axis in scaling.axes(studio.design(family)):
        put(app, replace(state(app), axis=axis))
        app.run()
        assert not app.exception
        assert not app.button(key="sweep-start").disabled


@pytest.mark.parametrize(
    ("days", "says"), [(0, ""), (1, "yesterday"), (3, "3 days ago"), (100, "on 20")]
)
def test_a_figure_of_an_earlier_day_says_so(bench: StillWorkbench, days: int, says: str) -> None:
    then = datetime.now().astimezone() - timedelta(days=days)
    point = replace(made(0.1), measured_at=then.astimezone(UTC).isoformat(timespec="seconds"))
    shown, _ = along_depth()
    bench.measurements.add(shown[0], point)
    bench.measurements.add(shown[1], replace(point, measured_at=datetime.now(UTC).isoformat()))
    assert says in conditions_text(point)
    assert ("measured" in conditions_text(point)) == bool(days)
    assert says in scaling.legend(shown, 0)
    assert ("the oldest" in scaling.legend(shown, 0)) == bool(days)


@pytest.mark.usefixtures("still")
def test_what_cannot_be_measured_has_a_sentence_in_the_place_of_a_button() -> None:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    for name, value in {"family": "bert", "layout": "channels_last"}.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception
    assert not {"measure", "sweep-start"} & {button.key for button in app.button}
    why = measurable.measuring_problem(studio.design("bert"), Conditions(layout="channels_last"))
    assert "needs images" in why
    assert any(why in caption.value for caption in app.caption)
    with pytest.raises(MeasureError, match="needs images"):
        studio.measure(studio.design("bert"), layout="channels_last")
    assert not measurable.measuring_problem(
        studio.design("cnn"), Conditions(layout="channels_last")
    )


@pytest.mark.usefixtures("still")
def test_layers_of_a_training_step_are_not_offered() -> None:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    for name, value in {"family": "cnn", "mode": "training", "tab": "Layers"}.items():
        app.query_params[name] = value
    app.run()
    assert "time-layers" not in {button.key for button in app.button}
    assert any("mode=inference works" in caption.value for caption in app.caption)


@pytest.mark.usefixtures("still")
def test_figures_of_another_device_say_which_are_missing() -> None:
    app = AppTest.from_file(str(MAIN), default_timeout=60).run()
    compute, bandwidth = (f"device.{label}" for label in scaling.DEVICE[:2])
    app.text_input(key=compute).set_value("19.5").run()
    assert "Enter both compute and bandwidth." in [note.value for note in app.caption]
    app.text_input(key=bandwidth).set_value("1555 GB/s").run()
    said = " ".join(note.value for note in app.caption)
    assert "Enter both" not in said
    assert "roofline bound of the other device" in said


def test_a_compilation_says_that_it_takes_long(still: None) -> None:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.query_params["compiled"] = "true"
    assert "compiling, which may take minutes" in figures(app.run())
