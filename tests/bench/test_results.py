from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from studio.bench.conditions import Conditions
from studio.bench.results import Measurement, Samples
from studio.process.errors import MeasureError

CPU = Conditions()


def samples(walls: list[float], cpus: list[float]) -> Samples:
    return Samples(
        walls=tuple(walls),
        cpus=tuple(cpus),
        block=1,
        first_call_s=0.5,
        weight_bytes=8,
        device="a CPU",
        torch_version="2",
    )


def test_figures_are_quantiles():
    measured = samples([4.0, 1.0, 2.0, 5.0, 3.0], [4.0, 1.0, 2.0, 5.0, 3.0]).measurement(CPU)
    assert (measured.q25_s, measured.median_s, measured.q75_s) == (2.0, 3.0, 4.0)
    assert (measured.runs, measured.cpu_s, measured.clean) == (5, 3.0, True)
    assert measured.first_call_s == 0.5


@pytest.mark.parametrize(("runs", "told"), [(59, False), (60, True)])
def test_p95_needs_sixty_runs(runs: int, told: bool):
    measured = samples([1.0] * runs, [1.0] * runs).measurement(CPU)
    assert (measured.p95_s is not None) == told


def test_interrupted_runs_are_set_aside():
    measured = samples([1.0, 1.1, 1.2] + [2.0] * 9, [1.0, 1.1, 1.2] + [1.1] * 9).measurement(CPU)
    assert (measured.median_s, measured.runs, measured.clean) == (1.1, 3, True)


def test_a_busy_machine_says_so():
    measured = samples([1.0, 1.0] + [2.0] * 9, [1.0, 1.0] + [1.1] * 9).measurement(CPU)
    assert (measured.median_s, measured.runs, measured.clean) == (2.0, 11, False)


@pytest.mark.parametrize("conditions", [Conditions(device="cuda"), Conditions(threads=2)])
def test_cpu_time_tells_nothing_about_accelerators_and_several_threads(conditions: Conditions):
    measured = samples([1.0] * 3, [0.1] * 3).measurement(conditions)
    assert (measured.clean, measured.cpu_s) == (None, None)


def test_rounds_add_up():
    both = samples([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) + samples([4.0, 5.0, 6.0], [4.0, 5.0, 6.0])
    assert both.measurement(CPU).runs == 6
    assert both.spent_s == 21.0


def test_json_promises_no_false_precision():
    measured = samples([1 / 3] * 3, [1 / 3] * 3).measurement(Conditions(batch=2))
    written = json.loads(json.dumps(dict(measured.to_dict())))
    keys = {"device", "threads", "dtype", "batch", "median_s", "q25_s", "q75_s", "runs", "clean"}
    assert keys <= written.keys()
    assert (written["median_s"], written["throughput"]) == (0.3333, 6.0)
    assert "mean" not in str(written.keys())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"batch": 0}, "batch=0 is not a whole number from 1"),
        ({"threads": 0}, "threads=0 is not a whole number from 1"),
        ({"threads": None}, "threads=None is not a whole number from 1"),
        ({"dtype": "int8"}, "dtype=int8 is not float32, bfloat16 or float16"),
        ({"mode": "train"}, "mode=train is not inference or training"),
        ({"layout": "nhwc"}, "layout=nhwc is not contiguous or channels_last"),
        ({"layout": ["contiguous"]}, "is not contiguous or channels_last"),
        ({"compiled": 1}, "compiled=1 is not False or True"),
    ],
)
def test_impossible_conditions_are_refused(wrong: dict[str, object], said: str):
    with pytest.raises(MeasureError) as refusal:
        Conditions(**wrong)
    assert said in str(refusal.value)


def measured(**conditions: object) -> Measurement:
    return samples([1 / 3, 0.1 + 0.2, 2.0], [1 / 3, 0.1 + 0.2, 2.0]).measurement(
        Conditions(**conditions)
    )


def test_a_measurement_says_how_it_was_made():
    choices = {"mode": "training", "layout": "channels_last", "dtype": "bfloat16", "batch": 2}
    written = measured(**choices).to_dict()
    assert {name: written[name] for name in choices} == choices
    assert (written["compiled"], written["compile_s"]) == (False, None)


def test_rounds_keep_the_first_rounds_compilation():
    first, later = (replace(samples([1.0], [1.0]), compile_s=s) for s in (30.0, 40.0))
    assert (first + later).compile_s == 30.0


@pytest.mark.parametrize("conditions", [{}, {"threads": 2}, {"mode": "training", "compiled": True}])
def test_a_measurement_is_read_back_to_the_last_digit(conditions: dict[str, object]):
    made = measured(**conditions)
    assert Measurement.from_json(made.to_json()) == made


def test_a_measurement_says_when_it_was_made_and_an_older_one_is_read_without():
    made = measured()
    age = datetime.now(UTC) - datetime.fromisoformat(made.to_dict()["measured_at"])
    assert abs(age) < timedelta(minutes=1)
    older = json.loads(made.to_json())
    del older["measured_at"]
    assert Measurement.from_json(json.dumps(older)) == replace(made, measured_at="")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[1]",
        "[" * 100_000,
        "3",
        "{}",
        json.dumps({**json.loads(measured().to_json()), "more": 1}),
        json.dumps({**json.loads(measured().to_json()), "median_s": "fast"}),
        json.dumps({**json.loads(measured().to_json()), "runs": None}),
        json.dumps({**json.loads(measured().to_json()), "measured_at": "lately"}),
    ],
)
def test_other_text_is_no_measurement(text: str):
    with pytest.raises(MeasureError, match="holds no measurement"):
        Measurement.from_json(text)
