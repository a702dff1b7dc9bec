"""What the page shows, as one value: every control changes it, and every view is drawn from it.

Streamlit can bind a widget to a query parameter by itself. Here a control may land on another value
than the one asked for (heads must divide the width), a preset moves all controls at once, and only
what differs from a preset is written into the link. So one value is the truth; the widgets and the
link are views of it, and only callbacks change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, NoReturn, get_args

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from studio import zoo
from studio.analysis.cost.scaling import axes
from studio.app.runs import RUNS
from studio.family import Design, DesignError, Preset, Turn
from studio.knobs import Axis, Knob
from studio.workbench import devices
from studio.workbench.compose import composition
from studio.workbench.compose.composition import Draft, Rows
from studio.workbench.page import link_parts
from studio.workbench.page.colour_mode import NO_LENS, Lens
from studio.workbench.page.link import Link
from studio.workbench.page.link_parts import MOST_PINS, PLACE
from studio.workbench.page.memory_options import NO_QUESTION, Question
from studio.workbench.page.requirements_form import NO_COMMISSION, Commission
from studio.workbench.workload import CONDITIONS, DEVICE, Case

VIEWS = ("Explore", "Compose", "Architect", "Compare")
TABS = ("Scaling", "Layers", "Memory", "Code", "Report", "Lesson")
MOST_LEFT = 16  # links that a late browser may still tell
TAB = Knob(name="tab", default=TABS[0], help="The view that is open", options=TABS)
IGNORED = "link"  # the note on what of a link was left out
NAME, MOST_OPEN = 200, 1000  # characters of the id of a box, and boxes that a link opens
VIEW = Knob(name="view", default=VIEWS[0], help="The page that is open", options=VIEWS)
AXIS = Knob(name="axis", default="", help="The axis of the charts", options=get_args(Axis))


@dataclass(frozen=True, kw_only=True)
class State:
    """The case on the page, those it is compared with, and what there is to say about the change.

    `preset` is the one that was chosen: title and link tell the design as changes to it, however
    many there are. `axis` is the one on the scaling charts: the last one turned or chosen.
    `question` is what the Memory tab is asked, `commission` what the architect is, `lens` how the
    layers are coloured. `opened` and `node` are the open blocks and the selected node of the layer
    graph, by their ids; one that the graph does not have is not drawn.
    `place` is the open row of a composition. Its rows may not fit: they are the `draft` then, and
    the case is the last one that did. `notes` tells for a knob why it did not land where it was
    put, for a place what was inserted there, and what of a link was left out; `refusal` what was
    refused.
    """

    case: Case
    preset: Preset
    previous: Case | None = None
    pins: tuple[Case, ...] = ()
    view: str = VIEWS[0]
    tab: str = TABS[0]
    axis: str | None = None
    question: Question = NO_QUESTION
    commission: Commission = NO_COMMISSION
    lens: Lens = NO_LENS
    opened: tuple[str, ...] = ()
    node: str = ""
    place: str = PLACE
    draft: Draft | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""

    @property
    def design(self) -> Design:
        return self.case.design

    @property
    def pinned(self) -> Case | None:
        """The case that was pinned last: the figures on the page are told against it."""
        return self.pins[-1] if self.pins else None

    def pin(self, case: Case) -> State:
        """With a case among the pins, as the last one; of too many the oldest gives way."""
        return replace(self, pins=(*self.unpin(case).pins, case)[-MOST_PINS:])

    def unpin(self, case: Case) -> State:
        return replace(self, pins=tuple(pin for pin in self.pins if pin != case))

    @property
    def others(self) -> tuple[tuple[Case, str], ...]:
        """The cases that the figures on the page are told against, and how these are called."""
        known = ((self.previous, "previous"), (self.pinned, "pinned"))
        return tuple((case, name) for case, name in known if case and case != self.case)

    @property
    def title(self) -> str:
        return link_parts.title(self.design) or self.design.titled(self.preset)

    @property
    def rows(self) -> Rows:
        """The rows of a composition, as they are on the page."""
        return self.draft.rows if self.draft else composition.rows_of(self.design.config)

    def value(self, knob: str) -> Any:
        """The value of a knob of the design, or of a row, as it is on the page."""
        place, _, name = knob.rpartition(".")
        if not place:
            return self.design.value(knob)
        return getattr(self.rows[composition.index(self.rows, place)], name)

    def moved(self, case: Case, notes: Mapping[str, str] | None = None) -> State:
        """Another case; the one left becomes the previous one."""
        previous = self.previous if case == self.case else self.case
        draft = self.draft if case.design == self.design else None
        known = self.axis in AXIS.options or self.axis in axes(case.design)
        axis = self.axis if known else None
        moved = replace(self, case=case, previous=previous, draft=draft, axis=axis)
        return replace(moved, notes=notes or {}, refusal="")

    def turned(self, knob: str, value: object) -> State:
        """One knob turned, as far as the rules allow. A refusal leaves all as it is."""
        try:
            if knob == DEVICE:
                return self.moved(replace(self.case, device=devices.read(str(value))))
            if knob in CONDITIONS:
                return self.moved(replace(self.case, **{knob: CONDITIONS[knob].read(value)}))
            if "." in knob:
                return self._turned_within(knob, value)
            return self._landed(knob, self.design.family.turn(self.design.config, knob, value))
        except DesignError as error:
            return replace(self, notes={}, refusal=str(error))

    def _landed(self, knob: str, turn: Turn) -> State:
        design = replace(self.design, config=turn.config)
        notes = {knob: turn.why} if turn.why else {}
        along = next((axis for axis, one in axes(design).items() if one.name == knob), None)
        turned = self.design.family.knob(self.design.config, knob)
        axis = along or turned.axis or self.axis
        return replace(self.moved(replace(self.case, design=design), notes), axis=axis)

    def _turned_within(self, knob: str, value: object) -> State:
        """A knob of a row turned; where no rows near fit, they are kept as a draft. Raises
        DesignError."""
        if not self.draft:
            with suppress(DesignError):
                turn = self.design.family.turn(self.design.config, knob, value)
                if len(turn.config.stages) == len(self.design.config.stages):
                    return self._landed(knob, turn)
        place, _, name = knob.rpartition(".")
        i = composition.index(self.rows, place)
        return self.composed(composition.turned(self.rows, i, name, value), i)

    def composed(self, rows: Rows, i: int) -> State:
        """The composition of these rows, with row `i` open; where they do not fit, as a draft."""
        found = composition.fit(self.design.family, rows)
        broken = found if isinstance(found, Draft) else None
        fitted = broken.rows if broken else composition.rows_of(found)
        new = composition.inserted(rows, fitted)
        kept = [at for at in range(len(fitted)) if at not in new]
        place = composition.place(fitted, kept[i])
        notes = {composition.place(fitted, at): composition.WHY_INSERTED for at in new}
        if broken:
            return replace(self, draft=broken, place=place, notes=notes, refusal="")
        moved = self.moved(replace(self.case, design=replace(self.design, config=found)), notes)
        return replace(moved, draft=None, place=place)

    def chosen(self, family: str, preset: str | None = None) -> State:
        """A preset of a family, by default its first one."""
        known = zoo.family(family)
        design = known.design(preset or known.presets[0].name)
        base = design.origin or design.base
        moved = replace(self.moved(replace(self.case, design=design)), preset=base, draft=None)
        return moved if design.family is self.design.family else replace(moved, opened=(), node="")

    @property
    def link(self) -> dict[str, str]:
        """The parameters that restore this page: the case, and each part of the view that differs
        from a first visit's."""
        view: dict[str, str] = {VIEW.name: self.view} if self.view != VIEW.default else {}
        view |= {TAB.name: self.tab} if self.tab != TAB.default else {}
        view |= {AXIS.name: self.axis} if self.axis else {}
        view |= self.question.link | self.commission.link | self.lens.link
        view |= {"open": ",".join(self.opened)} if self.opened else {}
        view |= {"node": self.node} if self.node else {}
        view |= {"place": self.place} if self.place != PLACE else {}
        if self.draft:
            view |= {"draft": composition.text(self.design.family, self.draft.rows)}
        return self.case.to_query(self.preset) | view | link_parts.pinning(self.pins)

    def placed(self) -> State:
        """On a device that there is: a cluster may answer after its device has been asked for."""
        try:
            device, refusal = devices.read(self.case.device), self.refusal
        except DesignError as error:
            device = devices.default()
            refusal = f"Measured on {device}: {error}."
        if device == self.case.device:
            return self
        return replace(self, case=replace(self.case, device=device), refusal=refusal)

    def followed(self, parameters: Mapping[str, str]) -> State:
        """The page that a link asks for. What cannot be lands on the nearest that works, and what
        the page does not know is left out; both are said."""
        link = Link(parameters)
        found = self._restored(link)
        notes = {IGNORED: link.ignored} if link.ignored else {}
        return replace(found, refusal=link.refusal, notes={**found.notes, **link.inserted, **notes})

    def _restored(self, link: Link) -> State:
        case, preset = Case.read(link, START.family.key)
        rows = link_parts.draft(link, case.design)
        start = replace(self.moved(case), preset=preset, draft=None, place=link_parts.place(link))
        start = start._with_rows(link, rows) if rows else start
        own = tuple(axis for axis in axes(start.design) if axis not in AXIS.options)
        return replace(
            start,
            previous=self.moved(start.case).previous,
            view=link.take(VIEW),
            tab=link.take(TAB),
            axis=link.take(replace(AXIS, options=AXIS.options + own)) or None,
            question=Question.taken(link),
            commission=Commission.taken(link),
            lens=Lens.taken(link),
            opened=tuple(filter(None, link.text("open").split(",")[:MOST_OPEN])),
            node=link.text("node", NAME),
            pins=link_parts.pins(link, START.family.key),
        )

    def _with_rows(self, link: Link, rows: Rows) -> State:
        """The rows that a link writes as a draft. Where they fit they are the design; what had to
        be inserted for that is said."""
        found = self.composed(rows, composition.index(rows, self.place))
        link.inserted = {}  # into what the draft takes the place of
        if not found.draft:
            link.say_inserted(zoo.changed(self.design, composition.settings(rows)))
        return found


START = zoo.family("vit").design()  # famous and foldable; as everywhere, without a preset
FIRST = State(case=Case(START), preset=START.base)


def arrived() -> State:
    """The session's state at the start of a run of the whole page.

    The link is followed on the first run, and when the reader went to another one (the back
    button). A run that the page brought about itself says so (`stay`): its message may have left a
    slow browser before it heard of the page's new link. So may any other message (`_is_late`).
    """
    link = st.query_params.to_dict()
    ours = st.session_state.pop("ours", False)
    _drawn_until_now()
    state: State | None = st.session_state.get("state")
    if state is None:
        state = replace(FIRST.followed(link), previous=None)
    elif not (ours or link == st.session_state.link or _is_late(link)):
        state = state.followed(link)
    else:
        link = st.session_state.link
    state = state.placed()
    st.session_state.state, st.session_state.link = state, link
    return state


def _is_late(link: dict[str, str]) -> bool:
    """Whether a browser tells a link that the page had before, and no reader went back to it."""
    context = get_script_run_ctx()
    went = context is not None and context.is_history_navigation
    return not went and link in st.session_state.get("left_links", ())


def current() -> State:
    """The session's state, for callbacks: they run before the page does."""
    state: State = st.session_state.state
    return state


def session() -> str:
    """The name of this browser's session, by which it is served in turn with the others."""
    context = get_script_run_ctx()
    return context.session_id if context else ""


def put(state: State) -> None:
    """Make this the session's state and write its link. For callbacks."""
    if state.link != st.session_state.link:
        left = st.session_state.get("left_links", ())
        st.session_state.left_links = (*left, st.session_state.link)[-MOST_LEFT:]
        st.session_state.link = state.link
        st.query_params.from_dict(state.link)
    st.session_state.state = state
    stay()


def stay() -> None:
    """The next run of the page is our own doing, and keeps its state."""
    st.session_state.ours = True


def again() -> NoReturn:
    """Run the whole page again, from within a part of it."""
    stay()
    st.rerun()


def view(key: str, shown: object, /, **default: object) -> dict[str, Any]:
    """The key of a widget that now shows this value, and its default (`value=` or the like).

    A browser that never hears of a value starts a control at its default, and tells it as if
    somebody had moved it there: so the default is the value. Where the control has to move, the
    value is set, in every run until one has come to its end; and else not, so that a run that comes
    late does not pull a slider back from under the hand.
    """
    st.session_state.setdefault("drawing", {})[key] = shown
    unsent: set[str] = st.session_state.setdefault("unsent", set())
    before = st.session_state.get(key, shown)
    if before != shown:
        st.session_state.setdefault("left", {})[key] = before
    if key in unsent or before != shown:
        unsent.add(key)
        st.session_state[key] = shown
        return {"key": key}
    return {"key": key, **default}


def _drawn_until_now() -> None:
    """Runs that were broken off drew controls too, and the browser may show them."""
    drawn: dict[str, object] = st.session_state.get("drawn", {})
    st.session_state.drawn = drawn | st.session_state.get("drawing", {})
    st.session_state.drawing = {}


def sent() -> None:
    """All controls have been drawn, and the browser hears of it."""
    st.session_state.unsent = set()
    st.session_state.drawn = st.session_state.drawing


def is_meant(key: str) -> bool:
    """Whether somebody has moved this widget. For callbacks.

    A browser that is late tells, along with what was moved, the values of widgets that are on the
    page no more, and old values of those that it has not yet heard were set to others. A part of
    the page that looks again by itself tells them all too, sometimes just before the run that a
    control brings: nobody moved any (a control that asks here brings a run of the whole page), and
    what it told is forgotten, so that the control's own run finds it moved.
    """
    drawn: dict[str, object] = st.session_state.get("drawn", {}) | st.session_state.drawing
    if RUNS.is_fragment():
        if key in drawn:
            st.session_state[key] = drawn[key]
            st.session_state.setdefault("unsent", set()).add(key)  # set, so without a default
        return False
    left: dict[str, object] = st.session_state.setdefault("left", {})
    told = st.session_state[key]
    moved = [other for other, shown in drawn.items() if st.session_state.get(other, shown) != shown]
    if key not in drawn or (len(moved) > 1 and key in left and told == left[key]):
        return False
    left.pop(key, None)
    return True
