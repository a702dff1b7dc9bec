from __future__ import annotations

import gc
import statistics
import time
from concurrent.futures import CancelledError
from typing import Any

import pytest

from studio.bench.conditions import Conditions
from studio.bench.results import Measurement
from studio.bench.shared_jobs import JobOwners, SharedJobs
from studio.bench.sweep import SweepJob
from studio.process import fair_queue as fronts
from studio.process.errors import MeasureError
from studio.process.fair_queue import LEAD, FairQueue, QueueClient
from studio.process.worker import Worker
from tests.bench.simulated import Simulated, only, subject
from tests.bench.subjects import layers, sleeper
from tests.process.processes import wait_until

CPU = Conditions()


@pytest.fixture
def engine() -> Simulated:
    return Simulated()


def test_forty_sessions_behind_a_greedy_one_have_their_first_points_soon(engine: Simulated):
    front = FairQueue(engine)
    first: dict[str, float] = {}
    order: list[str] = []

    def ask(session: str, points: int) -> list[Any]:
        def served(_: object) -> None:
            first.setdefault(session, engine.clock_s)
            order.append(session)

        tickets = [front.submit(session, abs, (), i) for i in range(points)]
        for ticket in tickets:
            ticket.add_done_callback(served)
        return tickets

    tickets = ask("greedy", 120)
    tickets += [t for i in range(40) for t in ask(f"session {i}", 8)]
    engine.open.set()
    wait_until(lambda: len(order) == 120 + 40 * 8)
    del first["greedy"]
    assert statistics.median(first.values()) <= 1.0
    assert max(first.values()) <= 1.0
    assert order.index("greedy", 2) > 40  # its second turn, after everybody's first
    last = {session: len(order) - order[::-1].index(session) for session in first}
    assert max(last.values()) - min(last.values()) <= 41  # they end together
    assert engine.most == 1


def test_a_session_that_asks_again_and_again_starves_nobody(engine: Simulated):
    """The ranks of those that wait rise only by their own calls."""
    front = FairQueue(engine)
    order: list[str] = []
    engine.open.set()

    def again(session: str, left: int) -> None:
        order.append(session)
        if left:
            front.submit(session, abs, ()).add_done_callback(lambda _: again(session, left - 1))

    patient = [front.submit("patient", abs, ()) for _ in range(10)]
    patient[-1].add_done_callback(lambda _: order.append("patient"))
    for restless in ("a", "b", "c"):
        again(restless, 40)
    wait_until(lambda: len(order) == 3 * 41 + 1)
    assert order.index("patient") <= 4 * 12 + 3


def test_cancelled_calls_cost_no_turns(engine: Simulated):
    """As of a session that drags a slider, whose every step cancels the call before."""
    front = FairQueue(engine)
    order: list[str] = []
    served = front.submit("a", abs, ())
    wait_until(served.running)
    for _ in range(30):
        dragged = front.submit("b", abs, ())
        assert dragged.cancel()
        assert dragged.done()
    dragged = front.submit("b", abs, ())
    others = [front.submit("c", abs, ()) for _ in range(8)]
    assert dragged.position == 1
    for session, call in (("b", dragged), *(("c", call) for call in others)):
        call.add_done_callback(lambda _, s=session: order.append(s))
    engine.open.set()
    wait_until(lambda: len(order) == 9)
    assert order[0] == "b"


def test_what_most_sessions_wait_for_is_served_first_among_those_that_are_due(engine: Simulated):
    front = FairQueue(engine)
    order: list[str] = []
    served = front.submit("a", abs, ())
    wait_until(served.running)
    company = {"b": 1, "c": 1, "d": 3}
    tickets: dict[str, list[Any]] = {}
    for session in "bcdbcd":
        ticket = front.submit(session, abs, (), demand=lambda s=session: company[s])
        ticket.add_done_callback(lambda _, s=session: order.append(s))
        tickets.setdefault(session, []).append(ticket)
    assert [tickets[session][0].position for session in company] == [2, 3, 1]
    company["c"] = 2  # somebody joins while it waits
    assert [tickets[session][0].position for session in company] == [3, 2, 1]
    engine.open.set()
    wait_until(lambda: len(order) == 6)
    assert "".join(order) == "dcbdcb"


def test_a_first_figure_goes_before_rounds_that_only_refine(engine: Simulated):
    front = FairQueue(engine)
    order: list[str] = []
    served = front.submit("a", abs, ())
    wait_until(served.running)
    for session in "bc":
        for _ in range(2):
            refined = front.submit(session, abs, ())
            refined.add_done_callback(lambda _, s=session: order.append(s))
    for session in "cd":  # c has asked twice already
        looked = front.submit(session, abs, (), is_first=lambda: True)
        looked.add_done_callback(lambda _, s=session: order.append(s.upper()))
    engine.open.set()
    wait_until(lambda: len(order) == 6)
    assert "".join(order) == "DCbcbc"


def test_first_figures_without_end_starve_nobody(engine: Simulated):
    """A hand that never leaves a slider asks for one first figure after the other."""
    front = FairQueue(engine)
    order: list[str] = []
    engine.open.set()

    def again(session: str, left: int) -> None:
        order.append(session)
        if left:
            looked = front.submit(session, abs, (), is_first=lambda: True)
            looked.add_done_callback(lambda _: again(session, left - 1))

    patient = [front.submit("patient", abs, ()) for _ in range(10)]
    patient[-1].add_done_callback(lambda _: order.append("patient"))
    for restless in ("a", "b", "c"):
        again(restless, 40)
    wait_until(lambda: len(order) == 3 * 41 + 1)
    assert order.index("patient") <= 3 * (12 + LEAD) + 3


def test_the_position_counts_the_calls_of_others_alone(engine: Simulated):
    front = FairQueue(engine)
    served = front.submit("a", abs, ())
    wait_until(served.running)
    mine = [front.submit("b", abs, ()) for _ in range(2)]
    others = [front.submit(session, abs, ()) for session in "cd"]
    assert [ticket.position for ticket in mine] == [1, 3]
    assert others[1].position == 3
    assert others[0].cancel()
    assert [ticket.position for ticket in mine] == [1, 2]
    assert len(front) == 4
    engine.open.set()
    assert mine[1].result(timeout=20) == ()
    assert [ticket.position for ticket in mine] == [0, 0]


def test_what_the_engine_refuses_is_for_the_one_who_asked(lab: Worker):
    stopped = Worker()
    stopped.stop()
    with pytest.raises(MeasureError, match="has been stopped"):
        QueueClient(FairQueue(stopped)).submit(abs, -3).result(timeout=20)
    desk = QueueClient(FairQueue(lab))
    with pytest.raises(MeasureError, match="could not be run"):
        desk.submit(int, "three").result(timeout=60)
    assert desk.submit(abs, -3).result(timeout=20) == 3


def test_cancel_through_the_front_really_stops(lab: Worker):
    desk = QueueClient(FairQueue(lab))
    running, waiting = desk.submit(time.sleep, 60), desk.submit(time.sleep, 60)
    wait_until(running.running)
    assert waiting.cancel()
    assert running.cancel()
    with pytest.raises(CancelledError):
        running.result(timeout=30)
    assert desk.submit(abs, -3).result(timeout=30) == 3


def test_there_is_one_front_for_an_engine(lab: Worker, monkeypatch: pytest.MonkeyPatch):
    idle = Simulated()
    monkeypatch.setattr(fronts, "backends", lambda device: (lab, idle))
    assert fronts.queue_client(session="a").queue is fronts.queue_client(session="b").queue
    waiting = fronts.queue_client().submit(time.sleep, 60)
    assert fronts.queue_client().queue is fronts.fair_queue(idle)
    waiting.cancel()


def asked(
    jobs: SharedJobs, engine: Simulated, session: str, name: str = "s", points: int = 8
) -> Any:
    subjects = [subject(f"{name}{i}") for i in range(points)]
    front = fronts.fair_queue(engine)
    return jobs.ask(
        subjects, CPU, budget_s=1.0, session=session, queue=only(QueueClient(front, session))
    )


def test_forty_sweeps_at_once_stream_and_equal_ones_are_made_once(engine: Simulated):
    jobs, first = SharedJobs(), {}
    engine.open.set()
    shares = {f"{i}": asked(jobs, engine, f"{i}", name=f"design {i % 10} ") for i in range(40)}

    def all_have_begun() -> bool:
        for session, one in shares.items():
            if isinstance(one.snapshot()[0], Measurement):
                first.setdefault(session, engine.clock_s)
        return len(first) == 40

    wait_until(all_have_begun)
    wait_until(lambda: all(one.done for one in shares.values()))
    assert {one.progress for one in shares.values()} == {1.0}
    assert {one.error for one in shares.values()} == {None}
    looks = [call[0] for call in engine.calls if len(call[0]) == 1]
    assert len(looks) == len(set(looks)) == 10 * 8  # every point exactly once


def test_an_owner_who_cancels_only_lets_go(engine: Simulated):
    jobs = SharedJobs()
    one, other = (asked(jobs, engine, session) for session in "ab")
    job = one.job
    assert other.job is job
    one.cancel()
    assert (one.done, other.done, job.done) == (True, False, False)
    engine.open.set()
    wait_until(lambda: other.done)
    assert (one.progress, other.progress) == (0.0, 1.0)
    assert one.snapshot() == (None,) * 8
    assert asked(jobs, engine, "c").job is not job


def test_nobody_joins_a_job_that_is_being_cancelled(
    engine: Simulated, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last owner lets go just when another has found the job and is about to join."""
    jobs = SharedJobs()
    one, join = asked(jobs, engine, "a"), JobOwners.join

    def late(owners: JobOwners, *who: Any) -> bool:
        one.cancel()
        return join(owners, *who)

    monkeypatch.setattr(JobOwners, "join", late)
    other = asked(jobs, engine, "b")
    engine.open.set()
    wait_until(lambda: other.done)
    assert (other.error, other.progress) == (None, 1.0)


def test_a_job_that_nobody_owns_any_more_ends(lab: Worker):
    """Its owner was dropped, and never said that it had gone."""
    jobs = SharedJobs()
    mine = jobs.ask([layers(1), sleeper(60)], CPU, budget_s=1.0, queue=only(lab))
    job, pid = mine.job, lab.warm().result(timeout=60)
    wait_until(lambda: job.snapshot()[0] is not None)
    del mine
    gc.collect()
    wait_until(lambda: job.done, seconds=20)
    assert job.error is None
    assert isinstance(job.snapshot()[0], Measurement)
    wait_until(lambda: lab.pid != pid)


def test_a_browser_that_closes_is_waited_for_a_while(lab: Worker):
    here = {"a", "b"}
    jobs, shares = SharedJobs(away_s=1.0), []
    for session in "ab":
        rules = {"queue": only(lab), "present": lambda session=session: session in here}
        shares.append(jobs.ask([layers(1), layers(2)], CPU, budget_s=600.0, **rules))
    job = shares[0].job
    wait_until(lambda: None not in job.snapshot())
    here.remove("a")
    time.sleep(2.5)
    assert not job.done
    here.remove("b")
    wait_until(lambda: job.done, seconds=20)
    assert job.error is None
    assert 0 < job.progress < 1


def test_a_job_tells_its_place_and_the_time_left(engine: Simulated):
    front = FairQueue(engine)
    ahead = [front.submit(session, abs, ()) for session in "ab"]
    job = SweepJob(
        [subject("one"), subject("two")], CPU, budget_s=1.0, queue=only(QueueClient(front, "c"))
    )
    wait_until(lambda: job.position == 2)
    assert job.eta_s is None
    engine.open.set()
    wait_until(lambda: all(ticket.done() for ticket in ahead) and job.progress > 0)
    assert job.eta_s is not None
    wait_until(lambda: job.done)
    assert (job.position, job.eta_s) == (0, 0.0)
