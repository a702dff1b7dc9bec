"""Tables of a slider's values: near ones first, filled while somebody asks, exact."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from studio.analysis.cost.latency_model import LatencyModel
from studio.workbench.jobs import value_tables
from studio.workbench.jobs.sizing_process import InPlace
from studio.workbench.jobs.value_tables import (
    MOST_TABLES,
    REACH,
    ValueQuestion,
    ValueTable,
    ValueTables,
    landing,
    landings_within,
)
from studio.workbench.page.state import FIRST, State
from studio.workbench.page.turn import Turn
from studio.workbench.pending import Failed, Ready

DEPTHS = ValueQuestion(Turn("depth"), tuple(range(1, 49)), FIRST.workload, FIRST.preset)


def known(tables: ValueTables, hand: float, question: ValueQuestion = DEPTHS) -> ValueTable:
    found = tables(question, hand, "")
    assert isinstance(found, Ready)
    return found.value


def test_the_values_nearest_to_the_hand_come_first_and_far_ones_not_at_all() -> None:
    assert DEPTHS.near(12)[:5] == (12, 11, 13, 10, 14)
    assert DEPTHS.near(48)[:2] == (48, 47)
    assert min(DEPTHS.near(48)) == 48 - REACH
    assert DEPTHS.near(12.4)[0] == 13  # a hand between two values


def test_a_call_takes_as_long_as_it_may_and_finds_at_least_one() -> None:
    assert len(landings_within(DEPTHS, (3, 4, 5), 0.0)) == 1
    assert [found.value for found in landings_within(DEPTHS, (3, 4, 5), 1e9)] == [3, 4, 5]


def test_a_table_grows_by_looking_until_all_near_values_are_there() -> None:
    tables = ValueTables(lambda session: InPlace())
    assert known(tables, 12) == ValueTable((), complete=False)
    sizes = []
    while not (found := known(tables, 12)).complete:
        sizes.append(len(found.landings))
    values = [one.value for one in found.landings]
    assert sizes == sorted(sizes)
    assert values == sorted(DEPTHS.near(12))
    assert not known(tables, 48).complete  # there are more, near to there
    while not (found := known(tables, 48)).complete:
        pass
    assert {one.value for one in found.landings} == {*DEPTHS.near(12), *DEPTHS.near(48)}


class Counted(InPlace):
    """Counts its calls, and makes none of them."""

    def __init__(self) -> None:
        self.calls: list[Future[Any]] = []

    def submit(
        self, function: Callable[..., Any], /, *arguments: Any, limit_s: float = 0.0
    ) -> Future[Any]:
        self.calls.append(Future())
        return self.calls[-1]


def test_there_is_one_call_at_a_time_and_none_without_a_look() -> None:
    process = Counted()
    tables = ValueTables(lambda session: process)
    for _ in range(5):
        known(tables, 12)
    assert len(process.calls) == 1
    process.calls[0].set_result(landings_within(DEPTHS, (12,), 0.0))
    assert len(process.calls) == 1
    assert [one.value for one in known(tables, 12).landings] == [12]
    assert len(process.calls) == 2


def test_a_failure_is_told_and_tried_again() -> None:
    process = Counted()
    tables = ValueTables(lambda session: process)
    known(tables, 12)
    process.calls[0].set_exception(OSError("the process is gone"))
    assert tables(DEPTHS, 12, "") == Failed("the process is gone")
    assert known(tables, 12) == ValueTable((), complete=False)
    assert len(process.calls) == 2


def test_only_the_latest_tables_are_kept() -> None:
    tables = ValueTables(lambda session: Counted())
    for n in range(MOST_TABLES + 9):
        known(tables, 1, ValueQuestion(Turn("depth"), (n, n + 1), FIRST.workload, FIRST.preset))
    assert len(tables._tables) == MOST_TABLES


def test_a_refused_value_has_a_reason_and_no_figures() -> None:
    now = FIRST.choose_preset("vit")
    found = landing(ValueQuestion(Turn("depth"), (10**9,), now.workload, now.preset), 10**9)
    assert found.note
    assert found.landed != 10**9
    assert found.figures == ()


def test_a_value_that_fails_does_not_take_the_others_with_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def figures(now: State) -> list[tuple[str, list[str]]]:
        if now.design.value("depth") == 4:
            raise OSError("no memory")
        return [("1 M", [])]

    monkeypatch.setattr(value_tables, "figure_texts", figures)
    found = landings_within(DEPTHS, (3, 4, 5), 1e9)
    assert [(one.note, bool(one.figures)) for one in found] == [
        ("", True),
        ("no memory", False),
        ("", True),
    ]


def test_the_marks_are_where_the_charts_have_the_design() -> None:
    question = ValueQuestion(
        Turn("depth"), (5,), FIRST.workload, FIRST.preset, axis="depth", predictor=None
    )
    marks = landing(question, 5).marks
    assert marks
    assert marks.x == 5
    cost = value_tables.summary_of(Turn("depth")(FIRST, 5).workload)
    assert marks.panels[1] == (cost.macs,)
    assert marks.panels[2] == (cost.training_bytes, cost.inference_bytes)
    assert marks.panels[3] == (None,)


def test_a_folded_graph_says_how_often_a_block_is_repeated() -> None:
    assert landing(DEPTHS, 5).boxes == (
        ("blocks.0", ("EncoderBlock × 5", "7.09 M parameters each")),
    )
    assert landing(DEPTHS, 12).boxes == ()  # as it is
    widths = ValueQuestion(Turn("embed_dim"), (384,), FIRST.workload, FIRST.preset)
    assert landing(widths, 384).boxes == ()  # all shapes change


def test_a_predicted_latency_comes_with_its_band_where_that_says_something() -> None:
    sure, unsure = (LatencyModel((1e-9, 0.0, 0.0, 0.0), factor, 5) for factor in (1.5, math.inf))
    ((value, notes),) = value_tables.predicted_text(sure, FIRST.workload)
    assert value.startswith("≈ ")
    assert len(notes) == 2
    assert " to " in notes[0]
    ((same, only),) = value_tables.predicted_text(unsure, FIRST.workload)
    assert (same, only) == (value, notes[1:])
    assert value_tables.predicted_text(None, FIRST.workload) == ()
