"""What the page shows, as one value: every control changes it, and every view is drawn from it.

Streamlit can bind a widget to a query parameter by itself. Here a control may land on another value
than the one asked for (heads must divide the width), a preset moves all controls at once, and only
what differs from a preset is written into the link. So one value is the truth; the widgets and the
link are views of it, and only callbacks change it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NoReturn, get_args
from urllib.parse import parse_qsl, urlencode

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from studio import zoo
from studio.analysis.profile import Optimizer
from studio.app import devices
from studio.family import Design, DesignError, Preset
from studio.knobs import Axis, Knob, Mode
from studio.measure.request import CHOICES, Conditions

TABS = ("Scaling", "Layers", "Memory", "Code", "Lesson")
BATCH = Knob(name="batch", default=1, help="Examples in one forward pass", ge=1, le=1024)
HELP = {
    "mode": "A forward pass, or a training step: forward, backward, and an update by SGD",
    "dtype": "Of the weights and the activations; the figures of memory stay those of float32",
    "layout": "Of images in memory: channel by channel, or pixel by pixel with all its channels;"
    " only models that take images can have the second",
    "compiled": "torch.compile, whose own time is told apart",
}
CONDITIONS = {BATCH.name: BATCH} | {
    name: Knob(
        name=name,
        default=choices[0],
        help=HELP[name],
        options=() if isinstance(choices[0], bool) else choices,
    )
    for name, choices in CHOICES.items()
}
DEVICE = "device"
TAB = Knob(name="tab", default=TABS[0], help="The view that is open", options=TABS)
AXIS = Knob(name="axis", default="", help="The axis of the charts", options=get_args(Axis))

MEMORY = {
    "mode": Knob(name="memory.mode", default="training", help="", options=get_args(Mode)),
    "optimizer": Knob(
        name="memory.optimizer", default="adam", help="", options=get_args(Optimizer)
    ),
    "over": Knob(name="memory.over", default="batch", help="", options=("batch", "resolution")),
    "room": Knob(name="memory.room", default=0.0, help="Gigabytes", ge=0, le=1e6),
}


@dataclass(frozen=True)
class Question:
    """What the Memory tab is asked; `room` in GB, 0 for what this machine has free."""

    mode: Mode = "training"
    optimizer: Optimizer = "adam"
    over: Literal["batch", "resolution"] = "batch"
    room: float = 0.0

    @property
    def link(self) -> dict[str, str]:
        values = ((knob, getattr(self, name)) for name, knob in MEMORY.items())
        return {knob.name: knob.text(value) for knob, value in values if value != knob.default}

    @classmethod
    def taken(cls, settings: dict[str, str]) -> Question:
        """The question that a link asks, taken out of it."""
        return cls(
            **{k: knob.read(settings.pop(knob.name, knob.default)) for k, knob in MEMORY.items()}
        )


@dataclass(frozen=True)
class Case:
    """A design, the batch that it is given, and how it is timed: what all figures of the page are
    figures of. The names are those of `Conditions`."""

    design: Design
    batch: int = 1
    mode: Mode = "inference"
    dtype: str = "float32"
    layout: str = "contiguous"
    compiled: bool = False
    device: str = devices.FIRST

    @property
    def conditions(self) -> Conditions:
        return Conditions(**{name: getattr(self, name) for name in (*CONDITIONS, DEVICE)})

    @property
    def threads(self) -> str:
        """How many compute it, in words; empty of a device that has none."""
        return "1 thread" if self.device == devices.FIRST else ""

    def to_query(self, base: Preset | None = None) -> dict[str, str]:
        """The parameters that name this case, told from a preset (by default the nearest one)."""
        values = ((knob, getattr(self, knob.name)) for knob in CONDITIONS.values())
        named = {knob.name: knob.text(value) for knob, value in values if value != knob.default}
        named |= {DEVICE: self.device} if self.device != devices.default() else {}
        return self.design.to_query(base) | named

    @classmethod
    def named(cls, link: Mapping[str, str]) -> Case:
        """The case that parameters name. Raises DesignError."""
        settings = dict(link)
        read = {n: knob.read(settings.pop(n, knob.default)) for n, knob in CONDITIONS.items()}
        device = devices.read(settings.pop(DEVICE, devices.default()))
        return cls(zoo.design_from_query(settings), **read, device=device)


@dataclass(frozen=True, kw_only=True)
class State:
    """The case on the page, those it is compared with, and what there is to say about the change.

    `preset` is the one that was chosen: title and link tell the design as changes to it, however
    many there are. `axis` is the one on the scaling charts: the last one turned or chosen.
    `question` is what the Memory tab is asked. `opened` and `node` are the open blocks and the
    selected node of the layer graph, by their ids; one that the graph does not have is not drawn.
    `notes` tells for a knob why it did not land where it was put, `refusal` what was refused.
    """

    case: Case
    preset: Preset
    previous: Case | None = None
    pinned: Case | None = None
    tab: str = TABS[0]
    axis: Axis | None = None
    question: Question = Question()
    opened: tuple[str, ...] = ()
    node: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""

    @property
    def design(self) -> Design:
        return self.case.design

    @property
    def title(self) -> str:
        return self.design.titled(self.preset)

    def moved(self, case: Case, notes: Mapping[str, str] | None = None) -> State:
        """Another case; the one left becomes the previous one."""
        previous = self.previous if case == self.case else self.case
        return replace(self, case=case, previous=previous, notes=notes or {}, refusal="")

    def turned(self, knob: str, value: object) -> State:
        """One knob turned, as far as the rules allow. A refusal leaves all as it is."""
        try:
            if knob == DEVICE:
                return self.moved(replace(self.case, device=devices.read(str(value))))
            if knob in CONDITIONS:
                return self.moved(replace(self.case, **{knob: CONDITIONS[knob].read(value)}))
            turn = self.design.family.turn(self.design.config, knob, value)
        except DesignError as error:
            return replace(self, notes={}, refusal=str(error))
        design = Design(self.design.family, turn.config)
        notes = {knob: turn.why} if turn.why else {}
        axis = self.design.family.knobs[knob].axis or self.axis
        return replace(self.moved(replace(self.case, design=design), notes), axis=axis)

    def chosen(self, family: str, preset: str | None = None) -> State:
        """A preset of a family, by default its first one."""
        design = zoo.family(family).design(preset)
        moved = replace(self.moved(replace(self.case, design=design)), preset=design.base)
        return moved if design.family is self.design.family else replace(moved, opened=(), node="")

    @property
    def link(self) -> dict[str, str]:
        """The parameters that restore this page: the case, and each part of the view that differs
        from a first visit's."""
        view: dict[str, str] = {TAB.name: self.tab} if self.tab != TAB.default else {}
        view |= {AXIS.name: self.axis} if self.axis else {}
        view |= self.question.link
        view |= {"open": ",".join(self.opened)} if self.opened else {}
        view |= {"node": self.node} if self.node else {}
        view |= {"pin": urlencode(self.pinned.to_query())} if self.pinned else {}
        return self.case.to_query(self.preset) | view

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

    def followed(self, link: Mapping[str, str]) -> State:
        """The page that a link asks for. A link that cannot be followed leaves all as it is."""
        try:
            return self._restored(started(link))
        except DesignError as error:
            return replace(self, refusal=f"This link cannot be followed: {error}.")

    def _restored(self, settings: dict[str, str]) -> State:
        tab = TAB.read(settings.pop(TAB.name, TAB.default))
        axis = AXIS.read(settings.pop(AXIS.name)) if AXIS.name in settings else None
        question = Question.taken(settings)
        pin = dict(parse_qsl(settings.pop("pin", "")))
        opened, node = settings.pop("open", ""), settings.pop("node", "")
        case, pinned = Case.named(settings), Case.named(pin) if pin else None
        return replace(
            self.moved(case),
            preset=case.design.family.design(settings.get("preset")).base,
            tab=tab,
            axis=axis,
            question=question,
            opened=tuple(filter(None, opened.split(","))),
            node=node,
            pinned=pinned,
        )


START = zoo.family("vit").design("ViT-S/16")  # famous, foldable, and quick to measure
FIRST = State(case=Case(START), preset=START.base)


def started(link: Mapping[str, str]) -> dict[str, str]:
    """A link that names no family speaks of the design that the page starts with."""
    return dict(link) if "family" in link else START.to_query() | dict(link)


def arrived() -> State:
    """The session's state at the start of a run of the whole page.

    The link is followed on the first run, and when the reader went to another one (the back
    button). A run that the page brought about itself says so (`stay`): its message may have left a
    slow browser before it heard of the page's new link.
    """
    link = st.query_params.to_dict()
    ours = st.session_state.pop("ours", False)
    st.session_state.drawing = {}
    state: State | None = st.session_state.get("state")
    if state is None:
        state = replace(FIRST.followed(link), previous=None)
    elif not (ours or link == st.session_state.link):
        state = state.followed(link)
    else:
        link = st.session_state.link
    state = state.placed()
    st.session_state.state, st.session_state.link = state, link
    return state


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


def sent() -> None:
    """All controls have been drawn, and the browser hears of it."""
    st.session_state.unsent = set()
    st.session_state.drawn = st.session_state.drawing


def is_meant(key: str) -> bool:
    """Whether somebody has moved this widget. For callbacks.

    A browser that is late tells, along with what was moved, the values of widgets that are on the
    page no more, and old values of those that it has not yet heard were set to others.
    """
    drawn: dict[str, object] = st.session_state.get("drawn", {}) | st.session_state.drawing
    left: dict[str, object] = st.session_state.setdefault("left", {})
    told = st.session_state[key]
    moved = [other for other, shown in drawn.items() if st.session_state.get(other, shown) != shown]
    if key not in drawn or (len(moved) > 1 and key in left and told == left[key]):
        return False
    left.pop(key, None)
    return True
