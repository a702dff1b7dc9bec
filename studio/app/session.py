"""One browser's session: the only file of the studio that names `st.session_state`.

A run of the page begins with `restore`, draws from the state that it returns, and ends with
`mark_rendered`. Only callbacks change the state, by `commit`; the page then runs again.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from time import monotonic, sleep
from typing import Any, NoReturn

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from studio.family import Design
from studio.workbench.gc_policy import GcPolicy
from studio.workbench.jobs.auto_benchmark import AutoBenchmark
from studio.workbench.jobs.running_sweep import SessionSweep
from studio.workbench.page.history import NO_HISTORY, History
from studio.workbench.page.knob_moves import Applied
from studio.workbench.page.state import FIRST, State
from studio.workbench.page.widget_sync import WidgetSync
from studio.workbench.page_runs import PageRuns
from studio.workbench.workbench import Workbench
from studio.workbench.workload import Workload

LINKS = 16  # of the page's latest links, which a late browser may still report
STEP_S = 0.005  # of a pause
SWITCH_S = 0.001
KEY = "session"


class StreamlitRuns(PageRuns):
    """What Streamlit knows about the run of the page that a thread is in."""

    def is_fragment(self) -> bool:
        context = get_script_run_ctx(suppress_warning=True)
        return bool(context and context.fragment_ids_this_run)

    def stop_if_outdated(self) -> None:
        """Streamlit ends a run whose reader has moved on when it reads the session's state."""
        st.session_state.get(KEY)

    def is_connected(self, session: str) -> bool:
        """A name that is no session's always counts."""
        if not (session and runtime.exists()):
            return True
        return runtime.get_instance().is_active_session(session)


RUNS = StreamlitRuns()


@st.cache_resource
def shared_workbench() -> Workbench:
    """The workbench of the server, for all its sessions."""
    return Workbench(RUNS)


@st.cache_resource
def prepare_server() -> None:
    """Once in a server's process: shorten the interpreter's switch interval to 1 ms, so that
    figures do not wait behind a busy thread; collect garbage only while nothing is drawn; start
    the process that works out the values of sliders."""
    sys.setswitchinterval(SWITCH_S)
    shared_workbench().start()
    GcPolicy(shared_workbench().priority).start()


def bench() -> Workbench:
    """The workbench that serves this session."""
    return shared_workbench()


@dataclass(frozen=True)
class Upload:
    """The file that was read last, and what to say about it."""

    file_id: str = ""
    note: str = ""


NO_UPLOAD = Upload()


@dataclass
class Session:
    """What the server keeps for one browser, beside the values of its widgets.

    `is_ours` says that the page has started its next run itself, `wants_page` that the whole page
    is to be drawn after a callback in a fragment. `painted` is the workload that the browser shows,
    `benchmark` measures it; `sweep` and `comparison` are the sweeps that the reader
    has started. `blocks` are the open blocks and the selected node of the graphs of Compare.
    """

    state: State
    link: dict[str, str]
    earlier_links: tuple[dict[str, str], ...] = ()
    is_ours: bool = False
    wants_page: bool = False
    painted: Workload | None = None
    widgets: WidgetSync = field(default_factory=lambda: WidgetSync(RUNS.is_fragment))
    applied_moves: dict[str, Applied] = field(default_factory=dict)  # by knob panel
    history: History = NO_HISTORY
    benchmark: AutoBenchmark | None = None
    sweep: SessionSweep = field(default_factory=SessionSweep)
    comparison: SessionSweep = field(default_factory=SessionSweep)
    free_gb: float | None = None  # of memory, as first seen: it changes all the time
    sizes_of: Design | None = None  # the choice whose other sizes are shown
    blocks: dict[Workload, tuple[tuple[str, ...], str]] = field(default_factory=dict)
    upload: Upload = NO_UPLOAD


def mine() -> Session:
    """The session of the browser that this run serves, once the page has been restored."""
    found: Session = st.session_state[KEY]
    return found


def is_new() -> bool:
    """Whether this is the first run of this browser's page."""
    return KEY not in st.session_state


def restore() -> State:
    """The session's state at the start of a run of the whole page.

    The link is followed on the first run, and when the reader went to another one (the back
    button). A run that the page started itself keeps its state: its message may have left a slow
    browser before it heard of the page's new link. So may any other message (`_is_late`).
    """
    link = st.query_params.to_dict()
    found: Session | None = st.session_state.get(KEY)
    if found is None:
        bench().arrivals.note()
        state = replace(FIRST.follow_link(link), previous=None)
        found = st.session_state[KEY] = Session(state, link)
    elif not (found.is_ours or link == found.link or _is_late(found, link)):
        found.state, found.link = found.state.follow_link(link), link
    found.is_ours = found.wants_page = False
    found.widgets.begin_run()
    found.state = found.state.on_known_device(bench().devices.known())
    return found.state


def _is_late(found: Session, link: dict[str, str]) -> bool:
    """Whether a browser reports a link that the page had before, and no reader went back to it."""
    context = get_script_run_ctx()
    went = context is not None and context.is_history_navigation
    return not went and link in found.earlier_links


def mark_rendered() -> None:
    """All widgets have been drawn, and are sent to the browser."""
    mine().widgets.end_run()


def current() -> State:
    """The session's state, for callbacks: they run before the page does."""
    return mine().state


def name() -> str:
    """The name of this browser's session, by which it is served in turn with the others."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def commit(state: State) -> None:
    """Make this the session's state. For callbacks."""
    found = mine()
    if state.link != found.link:
        found.earlier_links = (*found.earlier_links, found.link)[-LINKS:]
        found.link = state.link
    found.state, found.is_ours = state, True


def write_link() -> None:
    """Tell the browser the link of what the page shows, where it has another one. The browser draws
    all of its page again for it, so that figures and graph go first."""
    if st.query_params.to_dict() != mine().link:
        st.query_params.from_dict(mine().link)


def keep_state() -> None:
    """The page itself starts its next run, which keeps the state. For callbacks."""
    mine().is_ours = True


def request_page() -> None:
    """Have the whole page drawn after this callback, also where its widget is in a fragment."""
    mine().is_ours = mine().wants_page = True


def rerun_page() -> NoReturn:
    """Run the whole page again, from within a fragment."""
    keep_state()
    st.rerun()


def widget(key: str, shown: object, /, **default: object) -> dict[str, Any]:
    """The `key` and the default of a widget that shows a value; see `WidgetSync.arguments`."""
    return mine().widgets.arguments(st.session_state, key, shown, **default)


def value(key: str) -> Any:
    """The value of a widget, for its callback."""
    return st.session_state[key]


def known_value(key: str) -> Any:
    """What a component has reported so far, while the page is drawn; empty at first."""
    return st.session_state.get(key, {})


def applied_serials() -> dict[str, int]:
    """The serial number of the last applied move, by the name of each knob panel of a browser."""
    panels = mine().applied_moves.values()
    return {name: serial for panel in panels for name, serial in panel.serials.items()}


def user_changed(key: str) -> bool:
    """Whether a person has moved a widget, for its callback."""
    return mine().widgets.user_changed(st.session_state, key)


def pause(seconds: float) -> None:
    """Wait, unless a newer run of the page is waiting."""
    end = monotonic() + seconds
    while (left := end - monotonic()) > 0:
        sleep(min(left, STEP_S))
        RUNS.stop_if_outdated()
