"""From a task and a budget to a design on the page, driven without a browser."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import pytest

from studio.advice.published import metrics, published_results
from studio.app.charts import pareto as chart_of_sizes
from studio.app.charts.tradeoff import COSTS, scatter
from studio.family import DesignError
from studio.process.backend import CallExecutor
from studio.tasks import Task
from studio.workbench import results
from studio.workbench.jobs.architect_jobs import FamilySearch
from studio.workbench.jobs.recommendations import Answer, sizes
from studio.workbench.link import Link
from studio.workbench.page import requirements_form
from studio.workbench.page.requirements_form import RequirementsForm
from studio.workbench.page.state import FIRST
from studio.workbench.pending import Failed, Ready, Waiting
from tests.app.conftest import StillWorkbench, run, session_of, state, visited

ASKED = {"view": "Architect", "ask.task": "time-series", "ask.max-params": "300 k"}


pytestmark = pytest.mark.usefixtures("still")


def test_a_choice_is_opened_and_keeps_the_budget() -> None:
    app = visited(ASKED)
    app.button(key="open.1").click()
    run(app)
    assert state(app).view == "Explore"
    assert "time-series" in state(app).design.family.guide.tasks
    assert results.profile_of(state(app).workload).params <= 300_000


def test_what_is_typed_is_in_the_link_and_asked_at_once() -> None:
    app = visited(ASKED)
    app.text_input(key="ask.max-params").set_value("100k")
    run(app)
    assert state(app).link["ask.max-params"] == "100k"
    assert FIRST.follow_link(state(app).link).requirements == state(app).requirements
    app.button(key="open.1").click()
    run(app)
    assert results.profile_of(state(app).workload).params <= 100_000


@pytest.mark.parametrize(
    ("link", "sentence"),
    [
        ({"ask.max-params": "many"}, "Parameters: 'many' is not a valid number of parameters"),
        ({"ask.max-params": "0"}, "too small"),
        ({"ask.max-params": "7"}, "did you mean 7M?"),
        (
            {"ask.max-memory": "2 kB"},
            "No design fits in 2.00 kB of memory for a forward pass. The smallest is ",
        ),
        ({"ask.task": "juggling"}, "it takes classification"),
    ],
)
def test_what_cannot_be_had_is_one_sentence(link: dict[str, str], sentence: str) -> None:
    app = visited(ASKED | link)
    assert sentence in app.warning[0].value


def test_an_unread_field_is_named_and_nothing_is_lost() -> None:
    form = RequirementsForm().with_text("image_size", "big").with_text("max-macs", "1G")
    with pytest.raises(DesignError, match="Image size: 'big' is not a whole number"):
        _ = form.brief
    assert form.text("max-macs") == "1G"
    assert form.with_text("image_size", "").brief.limits.macs == 10**9


def test_a_task_asks_for_what_concerns_it() -> None:
    assert "vocab_size" in requirements_form.input_knobs("language")
    assert not {"image_size", "vocab_size"} & requirements_form.input_knobs("time-series").keys()
    assert set(requirements_form.input_knobs("detection")) == {
        "image_size",
        "in_channels",
        "num_classes",
    }


@pytest.mark.parametrize("task", ["classification", "generation"])
def test_fields_of_the_other_kind_of_data_are_hidden_and_text_is_asked_for(task: Task) -> None:
    images, text = RequirementsForm(task), RequirementsForm(task, data="text")
    assert not {"seq_len", "vocab_size"} & requirements_form.input_knobs(task, images.kind).keys()
    assert not {"image_size", "in_channels"} & requirements_form.input_knobs(task, text.kind).keys()
    assert "vocab_size" in text.brief.settings
    assert "image_size" not in text.with_text("image_size", "64").brief.settings
    assert RequirementsForm.from_link(Link(text.link)) == text
    app = visited(ASKED | {"ask.task": task})
    labels = {field.label for field in app.text_input}
    assert "Image size" in labels
    assert not {"Sequence length", "Vocabulary"} & labels
    shown = visited(ASKED | {"ask.task": "segmentation"})
    assert shown.text_input(key="ask.image_size").placeholder == "default (512)"


class Queue:
    """A process that answers when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Future[Any], Any]] = []

    def submit(self, function: Any, /, *arguments: Any, limit_s: float) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: function(*arguments)))
        return future

    def work(self) -> None:
        future, call = self.waiting.pop(0)
        future.set_result(call())


def test_choices_are_there_as_families_are_counted() -> None:
    queue = Queue()
    search = FamilySearch(RequirementsForm("time-series").request, cast(CallExecutor, queue))
    total = len(queue.waiting)
    assert search.poll() == Waiting(so_far=Answer())
    for counted in range(1, total):
        queue.work()
        found = search.poll()
        assert isinstance(found, Waiting)
        assert found.progress == counted / total
        assert found.so_far
        assert len(found.so_far.choices) == counted
    queue.work()
    found = search.poll()
    assert isinstance(found, Ready)
    assert found.value.why
    assert len(found.value.choices) == total


def test_a_search_that_fails_says_so_to_all_and_sizes_no_more_families() -> None:
    queue = Queue()
    search = FamilySearch(RequirementsForm("time-series").request, cast(CallExecutor, queue))
    parts = [future for future, _ in queue.waiting]
    parts[0].set_exception(RuntimeError("the process ended"))
    for _ in range(3):
        assert search.poll() == Failed("the process ended")
    assert all(part.cancelled() for part in parts[1:])


def test_a_search_that_finds_nothing_says_why() -> None:
    queue = Queue()
    form = RequirementsForm("time-series").with_text("max-memory", "2 kB")
    search = FamilySearch(form.request, cast(CallExecutor, queue))
    while queue.waiting:
        queue.work()
        found = search.poll()
    assert isinstance(found, Ready)
    assert found.value.refusal.startswith("No design fits in 2.00 kB")
    assert found.value.nearest


def test_the_map_draws_published_results_alone() -> None:
    found = published_results("detection")
    metric = metrics(found)[0]
    of_metric = [one for one in found if one.result.metric == metric]
    for cost in COSTS:
        drawn = scatter(of_metric, (), cost)
        values = [y for trace in drawn["data"] for y in trace["y"]]
        assert sorted(values) == sorted(one.result.value for one in of_metric)


def test_the_sizes_of_a_choice_are_drawn_with_their_costs() -> None:
    app = visited(ASKED)
    app.button(key="sizes.1").click()
    run(app)
    here = session_of(app).sizes_of
    assert here
    drawn = sizes(here, state(app).requirements.brief.limits, 1)
    trace = chart_of_sizes.scatter(drawn, here)["data"][0]
    assert (
        max(
            y
            for y, mark in zip(trace["y"], trace["marker"]["symbol"], strict=True)
            if mark == "circle"
        )
        <= 300_000
    )
    assert results.profile_of(state(app).workload) is not None
    app.button(key="sizes.1").click()
    run(app)
    assert session_of(app).sizes_of is None


def test_the_report_of_a_choice_states_the_task_and_the_limit(bench: StillWorkbench) -> None:
    app = visited(ASKED)
    app.button(key="open.1").click()
    run(app)
    here = state(app)
    found = bench.report(here.workload, here.requirements.request)
    assert isinstance(found, Ready)
    assert "Requirements, at batch 1" in found.value.markdown
    assert "300 k" in found.value.markdown
    other = here.set_knob("batch", 2)
    for workload, is_chosen in ((other.workload, True), (FIRST.workload, False)):
        found = bench.report(workload, here.requirements.request)
        assert isinstance(found, Ready)
        assert ("Requirements, at batch" in found.value.markdown) == is_chosen
    shown = visited(here.link | {"tab": "Report"})
    assert [button.label for button in shown.get("download_button")] == [
        "Printable HTML",
        "Markdown",
    ]
