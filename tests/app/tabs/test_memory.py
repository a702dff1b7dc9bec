"""The Memory tab, driven without a browser."""

from __future__ import annotations

import json
import time

import pytest
from streamlit.testing.v1 import AppTest

import studio
from studio.analysis import units
from studio.analysis.cost.peak_memory import largest_batch, peak_memory
from studio.app.tabs import memory
from studio.app.tabs.memory import largest_batch_text
from studio.workbench.jobs.memory_plan import MemoryRequest, plan
from studio.workbench.pending import Waiting
from studio.workbench.workload import Workload
from tests.app.conftest import MAIN, StillWorkbench, state

CNN = {"family": "cnn", "tab": "Memory"}
LINK = CNN | {"batch": "16", "memory.room": "0.5"}


def opened(link: dict[str, str]) -> AppTest:
    """The page once its simulation is over: a browser looks again by itself."""
    app = AppTest.from_file(str(MAIN), default_timeout=120)
    for name, value in link.items():
        app.query_params[name] = value
    return settled(app.run())


def settled(app: AppTest) -> AppTest:
    """A browser polls until the plan is there."""
    while any("Looking for the largest batch" in text.value for text in app.markdown):
        time.sleep(0.05)
        app.run()
    assert not app.exception
    return app


def bars(app: AppTest) -> dict[str, dict[str, float]]:
    """The chart: for each part its size at each place of the axis."""
    (chart,) = app.get("plotly_chart")
    traces = json.loads(chart.proto.spec)["data"]
    return {t["name"]: dict(zip(t["x"], t["y"], strict=True)) for t in traces if "name" in t}


def said(app: AppTest) -> str:
    return " ".join(element.value for element in (*app.markdown, *app.caption))


@pytest.mark.usefixtures("still")
def test_the_chart_stacks_the_simulated_parts_over_the_batch() -> None:
    app, design = opened(LINK), studio.design("cnn")
    found = bars(app)
    assert list(found) == ["Parameters", "Gradients", "Optimizer states", "Activations"]
    assert list(found["Parameters"]) == ["2", "4", "8", "16", "32", "64", "128"]
    for batch in (2, 16, 128):
        stacked = sum(part[str(batch)] for part in found.values())
        assert stacked == peak_memory(design, batch, "training").total
    assert "Simulated" in said(app)


@pytest.mark.usefixtures("still")
def test_the_largest_batch_is_one_sentence_and_follows_the_room() -> None:
    app, design = opened(LINK), studio.design("cnn")
    largest = largest_batch(design, 0.5e9, "training")
    at = units.size(peak_memory(design, largest, "training").total)
    safe = largest_batch(design, (0.5e9 - 0.2e9) / 1.7, "training")
    assert f"whose tensors fit in 500 MB is {largest:,}** (image_size=32)" in said(app)
    assert f"training with Adam peaks at {at} there" in said(app)
    assert "1.2–1.7× its tensors" in said(app)
    assert f"**batch {safe:,} fits**" in said(app)
    assert 0 < safe < largest
    settled(app.number_input(key="memory.room").set_value(0.2).run())
    assert f"fit in 200 MB is {largest_batch(design, 0.2e9, 'training'):,}**" in said(app)
    assert state(app).link["memory.room"] == "0.2"


@pytest.mark.usefixtures("still")
def test_inference_has_neither_gradients_nor_states() -> None:
    found = bars(opened(LINK | {"memory.mode": "inference"}))
    assert list(found) == ["Parameters", "Activations"]


@pytest.mark.usefixtures("still")
def test_the_chart_goes_over_the_resolution_where_there_is_one() -> None:
    found = bars(opened(LINK | {"memory.over": "resolution", "memory.optimizer": "sgd"}))
    design = studio.design("cnn")
    assert "Optimizer states" not in found
    assert str(design.config.image_size) in found["Activations"]
    sizes = list(found["Activations"].values())
    assert sizes == sorted(set(sizes))


@pytest.mark.usefixtures("still")
def test_the_link_restores_what_was_asked_and_a_bad_one_is_a_sentence() -> None:
    link = LINK | {"memory.mode": "inference", "memory.over": "resolution"}
    assert state(opened(link)).memory_options.link == {
        name: value for name, value in link.items() if name.startswith("memory.")
    }
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    app.query_params["memory.mode"] = "trainig"
    (warning,) = app.run().warning
    assert "memory.mode=trainig is not one of its options" in warning.value


def test_the_page_does_not_wait_for_a_long_simulation(
    bench: StillWorkbench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "peak_memory", lambda request, session: Waiting())
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    for name, value in LINK.items():
        app.query_params[name] = value
    found = bars(app.run())
    predicted = peak_memory(studio.design("cnn"), 16, "training").total
    assert {place: sum(part[place] for part in found.values()) for place in ["16"]} == {
        "16": predicted
    }
    assert list(found["Parameters"]) == ["16"]
    assert "the other bars follow" in said(app)


def test_where_nothing_fits_it_says_what_one_example_needs() -> None:
    design = studio.design("vit", depth=3)
    request = MemoryRequest((Workload(design),), Workload(design), "training", "adam", 1e6)
    answer = plan(request)
    need = units.size(peak_memory(design, 1, "training").total)
    assert largest_batch_text(request, answer) == (
        f"**Nothing fits in 1.00 MB** (image_size=224):"
        f" training with Adam at batch 1 needs {need} already."
    )


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("over", ["batch", "resolution"])
def test_the_case_on_the_page_is_on_the_chart_however_it_is_timed(over: str) -> None:
    app = opened(CNN | {"dtype": "bfloat16", "mode": "training", "memory.over": over})
    now = state(app)
    assert now.workload.counted in memory.chart_workloads(now)


def test_the_resolution_of_a_composition_is_that_of_its_stem() -> None:
    workload = Workload(studio.design("hybrid", preset="CoAtNet-0"))
    assert memory.resolution_text(workload) == " (stem.image_size=224)"


@pytest.mark.usefixtures("still")
def test_a_step_that_cannot_be_trained_is_refused_with_what_works() -> None:
    app = AppTest.from_file(str(MAIN), default_timeout=120)
    for name, value in {"family": "inception", "tab": "Memory"}.items():
        app.query_params[name] = value
    app.query_params["image_size"], app.query_params["pool_kernel_size"] = "48", "3"
    app.run()
    assert not app.exception
    (refused,) = [element.value for element in app.warning]
    assert refused.startswith("batch=1 at image")
    assert "batch=2" in refused
    assert not app.get("plotly_chart")
