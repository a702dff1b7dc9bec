from __future__ import annotations

import json

import pytest

from studio.measure.request import Conditions, MeasureError, Samples

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


@pytest.mark.parametrize("wrong", [{"batch": 0}, {"threads": 0}, {"dtype": "int8"}])
def test_impossible_conditions_are_refused(wrong: dict[str, object]):
    with pytest.raises(MeasureError, match=next(iter(wrong))):
        Conditions(**wrong)
