"""Answers by question: asked once, shared, bounded, and tried anew after a failure."""

from __future__ import annotations

from concurrent.futures import Future

import pytest

from studio.workbench.jobs.shared_work import Call, SharedWork
from studio.workbench.pending import Failed, NotAsked, Ready, Waiting


def test_a_question_is_asked_once_and_answered_for_all() -> None:
    tasks, future = SharedWork[int](limit=4), Future[int]()
    asked: list[Future[int]] = []

    def start() -> Call[int]:
        asked.append(future)
        return Call(future)

    assert tasks("six times seven", start) == Waiting()
    assert tasks("six times seven", start) == Waiting()
    future.set_result(42)
    assert tasks("six times seven", start) == Ready(42)
    assert len(asked) == 1


def test_a_failure_is_the_answer_for_all_who_ask_until_it_is_tried_again() -> None:
    failed, fine = Future[int](), Future[int]()
    failed.set_exception(RuntimeError("no process"))
    fine.set_result(1)
    tasks = SharedWork[int](limit=4)
    for _ in range(3):
        assert tasks("a", lambda: Call(failed)) == Failed("no process")
    assert tasks.known("a") == Failed("no process")
    assert tasks.known("b") == NotAsked()
    soon = SharedWork[int](limit=4, retry_s=-1.0)
    assert soon("a", lambda: Call(failed)) == Failed("no process")
    assert soon("a", lambda: Call(fine)) == Ready(1)
    assert soon.known("a") == Ready(1)


def test_the_question_asked_longest_ago_is_forgotten() -> None:
    tasks, asked = SharedWork[str](limit=2), []

    def ask(question: str) -> None:
        def start() -> Call[str]:
            asked.append(question)
            future = Future[str]()
            future.set_result(question)
            return Call(future)

        assert tasks(question, start) == Ready(question)

    for question in "abacb":
        ask(question)
    assert asked == list("abcb")


def test_an_earlier_question_of_a_session_is_dropped_unless_another_session_asks_it() -> None:
    tasks, calls = SharedWork[str](limit=8), dict[str, Future[str]]()

    def ask(question: str, session: str) -> None:
        def start() -> Call[str]:
            calls[question] = Future()
            return Call(calls[question])

        tasks(question, start, session)

    ask("shared", "one")
    ask("shared", "other")
    ask("alone", "one")
    assert not calls["shared"].cancelled()
    ask("next", "one")
    assert calls["alone"].cancelled()
    assert tasks.known("alone") == NotAsked()
    calls["next"].set_result("found")
    ask("last", "one")
    assert tasks.known("next") == Ready("found")


def test_a_call_that_has_begun_is_left_to_end() -> None:
    tasks, running = SharedWork[str](limit=8), Future[str]()
    running.set_running_or_notify_cancel()
    tasks("first", lambda: Call(running), "one")
    tasks("second", lambda: Call(Future()), "one")
    assert running.running()


def test_who_comes_back_to_a_question_whose_call_runs_gets_its_result() -> None:
    work, running = SharedWork[str](limit=8), Future[str]()
    running.set_running_or_notify_cancel()
    work("first", lambda: Call(running), "one")
    work("second", lambda: Call(Future()), "one")
    running.set_result("found")
    assert work("first", pytest.fail, "one") == Ready("found")


def test_a_question_that_nobody_polls_any_more_is_dropped() -> None:
    work, left, wanted = SharedWork[str](limit=8, away_s=-1.0), Future[str](), Future[str]()
    work("of a closed page", lambda: Call(left))
    work("of an open page", lambda: Call(wanted))
    assert left.cancelled()
    assert work.known("of a closed page") == NotAsked()
    assert not wanted.cancelled()


def test_a_failure_without_words_is_named() -> None:
    failed = Future[str]()
    failed.set_exception(AssertionError())
    assert SharedWork[str](limit=8)("a", lambda: Call(failed)) == Failed("AssertionError")
