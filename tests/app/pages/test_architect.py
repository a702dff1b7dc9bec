"""From a task and a budget to a design on the page, driven without a browser."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any

import pytest

from studio.advice.published import metrics, published_results
from studio.app.charts import pareto as chart_of_sizes
from studio.app.charts.tradeoff import COSTS, scatter
from studio.app.session import FIRST
from studio.bench.results import Measurement
from studio.family import Design, DesignError, Task
from studio.workbench import results
from studio.workbench.architect_jobs import Search, Timed, chosen
from studio.workbench.page import requirements_form
from studio.workbench.page.link import Link
from studio.workbench.page.requirements_form import Commission
from studio.workbench.recommendations import Documents, Size, answer, documents, sizes
from studio.workbench.workload import Case
from tests.app.conftest import run, state, visited

ASKED = {"view": "Architect", "ask.task": "time-series", "ask.max-params": "300 k"}


def done(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future


def asked(wish: Commission) -> Timed:
    """As the page asks, but here, and at once."""
    return Timed(done(answer(wish.brief, wish.strategy)))


@pytest.fixture(autouse=True)
def at_once(still: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def sizes_of(start: Design, wish: Commission) -> Future[tuple[Size, ...]]:
        return done(sizes(start, wish.brief.limits, wish.brief.batch))

    monkeypatch.setattr("studio.app.pages.architect.asked", asked)
    monkeypatch.setattr(
        "studio.app.charts.tradeoff.map_of", lambda task: done(published_results(task))
    )
    monkeypatch.setattr("studio.app.charts.pareto.sizes_of", sizes_of)


def test_a_choice_is_opened_and_keeps_the_budget() -> None:
    app = visited(ASKED)
    app.button(key="open.1").click()
    run(app)
    assert state(app).view == "Explore"
    assert "time-series" in state(app).design.family.guide.tasks
    assert results.profiled(state(app).case).params <= 300_000


def test_what_is_typed_is_in_the_link_and_asked_at_once() -> None:
    app = visited(ASKED)
    app.text_input(key="ask.max-params").set_value("100k")
    run(app)
    assert state(app).link["ask.max-params"] == "100k"
    assert FIRST.followed(state(app).link).commission == state(app).commission
    app.button(key="open.1").click()
    run(app)
    assert results.profiled(state(app).case).params <= 100_000


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
    wish = Commission().written("image_size", "big").written("max-macs", "1G")
    with pytest.raises(DesignError, match="Image size: 'big' is not a whole number"):
        _ = wish.brief
    assert wish.text("max-macs") == "1G"
    assert wish.written("image_size", "").brief.limits.macs == 10**9


def test_a_task_asks_for_what_concerns_it() -> None:
    assert "vocab_size" in requirements_form.settings_of("language")
    assert not {"image_size", "vocab_size"} & requirements_form.settings_of("time-series").keys()
    assert set(requirements_form.settings_of("detection")) == {
        "image_size",
        "in_channels",
        "num_classes",
    }


@pytest.mark.parametrize("task", ["classification", "generation"])
def test_fields_of_the_other_kind_of_data_are_hidden_and_text_is_asked_for(task: Task) -> None:
    images, text = Commission(task), Commission(task, data="text")
    assert not {"seq_len", "vocab_size"} & requirements_form.settings_of(task, images.kind).keys()
    assert not {"image_size", "in_channels"} & requirements_form.settings_of(task, text.kind).keys()
    assert "vocab_size" in text.brief.settings
    assert "image_size" not in text.written("image_size", "64").brief.settings
    assert Commission.taken(Link(text.link)) == text
    app = visited(ASKED | {"ask.task": task})
    labels = {field.label for field in app.text_input}
    assert "Image size" in labels
    assert not {"Sequence length", "Vocabulary"} & labels
    shown = visited(ASKED | {"ask.task": "segmentation"})
    assert shown.text_input(key="ask.image_size").placeholder == "default (512)"


class Desk:
    """A desk where calls are answered when the test says so."""

    def __init__(self, front: object) -> None:
        self.waiting: list[tuple[Future[Any], Any]] = []

    def submit(self, function: Any, /, *arguments: Any, limit_s: float) -> Future[Any]:
        future: Future[Any] = Future()
        self.waiting.append((future, lambda: function(*arguments)))
        return future

    def work(self) -> None:
        future, call = self.waiting.pop(0)
        future.set_result(call())


def test_choices_are_there_as_families_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(None)
    monkeypatch.setattr("studio.workbench.architect_jobs.QueueClient", lambda front: desk)
    monkeypatch.setattr("studio.workbench.architect_jobs.office", lambda: None)
    search = Search(Commission("time-series").brief, "recommended")
    assert (search.count, search.answer().choices) == (0, ())
    for counted in range(1, search.total + 1):
        desk.work()
        assert (search.count, len(search.answer().choices)) == (counted, counted)
    assert search.is_over
    assert search.answer().why


def test_a_search_that_finds_nothing_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(None)
    monkeypatch.setattr("studio.workbench.architect_jobs.QueueClient", lambda front: desk)
    monkeypatch.setattr("studio.workbench.architect_jobs.office", lambda: None)
    wish = Commission("time-series").written("max-memory", "2 kB")
    search = Search(wish.brief, "recommended")
    while desk.waiting:
        desk.work()
        found = search.answer()
    assert search.is_over
    assert found.refusal.startswith("No design fits in 2.00 kB")
    assert found.nearest


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
    here = app.session_state["sizes.of"]
    drawn = sizes(here, state(app).commission.brief.limits, 1)
    trace = chart_of_sizes.scatter(drawn, here)["data"][0]
    assert (
        max(
            y
            for y, mark in zip(trace["y"], trace["marker"]["symbol"], strict=True)
            if mark == "circle"
        )
        <= 300_000
    )
    assert results.profiled(state(app).case) is not None
    app.button(key="sizes.1").click()
    run(app)
    assert app.session_state["sizes.of"] is None


def written(
    case: Case, measured: Measurement | None, wish: Commission, link: str
) -> Future[Documents]:
    choice = chosen(case.design, wish)
    brief = wish.brief if choice else None
    return done(documents(case.design, case.batch, measured, brief, choice, link))


def test_the_report_of_a_choice_states_the_task_and_the_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("studio.app.tabs.report_tab.report_on", written)
    monkeypatch.setattr("studio.workbench.architect_jobs.asked", asked)
    app = visited(ASKED)
    app.button(key="open.1").click()
    run(app)
    here = state(app)
    found = written(here.case, None, here.commission, "").result()
    assert "Requirements, at batch 1" in found.markdown
    assert "300 k" in found.markdown
    other = here.turned("batch", 2)
    assert chosen(other.design, other.commission) is not None
    assert chosen(FIRST.design, here.commission) is None
    shown = visited(here.link | {"tab": "Report"})
    assert [button.label for button in shown.get("download_button")] == [
        "Printable HTML",
        "Markdown",
    ]
