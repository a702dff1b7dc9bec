"""The time of each layer: measured when asked, in the measuring process, and shared by all."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import streamlit as st

from studio.app import session
from studio.app.markup import plain
from studio.bench.results import LayerTime
from studio.bench.timing.layer_times import measure_layers, unsupported_reason
from studio.process.fair_queue import queue_client
from studio.workbench.measurements import obstacle, subject
from studio.workbench.workload import Case

Times = Mapping[str, LayerTime]  # by the path of a module, as in `named_modules()`
BUDGET_S = 1.5
KEPT = 128
_POOL = ThreadPoolExecutor(KEPT, "layers")  # of threads that only wait


@dataclass
class Timings:
    """The latest timings of layers, finished and under way, by case."""

    asked: OrderedDict[Case, Future[dict[str, LayerTime]]] = field(default_factory=OrderedDict)

    def ask(self, case: Case, session: str) -> None:
        """Have them timed, again where they are known. The page does not wait for a cluster."""
        self.asked[case] = _POOL.submit(_timed, case, session)
        self.asked.move_to_end(case)
        while len(self.asked) > KEPT:
            self.asked.popitem(last=False)

    def waits(self, case: Case) -> bool:
        task = self.asked.get(case)
        return task is not None and not task.done()

    def known(self, case: Case) -> Times:
        """Empty where there are none, or none yet."""
        task = self._done(case)
        return task.result() if task and not task.exception() else {}

    def trouble(self, case: Case) -> str:
        """Why there are none, in one sentence; empty where that is not known."""
        task = self._done(case)
        return str(task.exception() or "") if task else ""

    def _done(self, case: Case) -> Future[dict[str, LayerTime]] | None:
        task = self.asked.get(case)  # looked up once: another session may push it out
        return task if task and task.done() else None


def _timed(case: Case, session: str) -> dict[str, LayerTime]:
    conditions = case.conditions
    task = queue_client(conditions.device, session).submit(
        measure_layers, subject(case), conditions, BUDGET_S, limit_s=conditions.limit_s
    )
    return task.result()


TIMINGS = Timings()


def button(case: Case) -> None:
    """Asks for the times of the layers, and says why where there are none, or can be none."""
    if why := unsupported_reason(case.conditions) or obstacle(case):
        st.caption(f"Layers cannot be timed here: {plain(why)}.")
        return
    words, right = st.columns([3, 2], vertical_alignment="center")
    if why := TIMINGS.trouble(case):
        words.caption(f":orange[{plain(why)}]")
    again = "Time again" if TIMINGS.known(case) else "Time each layer"
    right.button(
        "measuring …" if TIMINGS.waits(case) else again,
        key="time-layers",
        help="With torch.profiler, in a separate process",
        disabled=TIMINGS.waits(case),
        on_click=_ask,
        args=(case,),
        width="stretch",
    )


def _ask(case: Case) -> None:
    session.stay()
    TIMINGS.ask(case, session.session())
