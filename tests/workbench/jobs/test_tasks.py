"""Answers by question: asked once, shared, bounded, and tried anew after a failure."""

from __future__ import annotations

from concurrent.futures import Future

from studio.workbench.jobs.tasks import Tasks
from studio.workbench.pending import Failed, Ready, Waiting


def test_a_question_is_asked_once_and_answered_for_all() -> None:
    tasks, future = Tasks[int](limit=4), Future[int]()
    asked: list[Future[int]] = []

    def submit() -> Future[int]:
        asked.append(future)
        return future

    assert tasks("six times seven", submit) == Waiting()
    assert tasks("six times seven", submit) == Waiting()
    future.set_result(42)
    assert tasks("six times seven", submit) == Ready(42)
    assert len(asked) == 1


def test_a_failure_is_the_answer_for_all_who_ask_until_it_is_tried_again() -> None:
    failed, fine = Future[int](), Future[int]()
    failed.set_exception(RuntimeError("no process"))
    fine.set_result(1)
    tasks = Tasks[int](limit=4)
    for _ in range(3):
        assert tasks("a", lambda: failed) == Failed("no process")
    assert tasks.known("a") is None
    soon = Tasks[int](limit=4, retry_s=-1.0)
    assert soon("a", lambda: failed) == Failed("no process")
    assert soon("a", lambda: fine) == Ready(1)
    assert soon.known("a") == 1


def test_the_question_asked_longest_ago_is_forgotten() -> None:
    tasks, asked = Tasks[str](limit=2), []

    def ask(question: str) -> None:
        def submit() -> Future[str]:
            asked.append(question)
            future = Future[str]()
            future.set_result(question)
            return future

        assert tasks(question, submit) == Ready(question)

    for question in "abacb":
        ask(question)
    assert asked == list("abcb")
