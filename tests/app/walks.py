"""Random walks over the page: what a hand can do to its state, one action after another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import strategies as st

import studio
from studio.advice.questions import SETTINGS
from studio.analysis.cost.scaling import axes
from studio.app.controls import history, navigation, sidebar
from studio.knobs import Knob
from studio.workbench.compose import composition, fixes
from studio.workbench.page.colour_mode import DIFFERENCE, HEAT
from studio.workbench.page.memory_options import MEMORY
from studio.workbench.page.requirements_form import LATENCY, LIMIT_FIELDS, STRATEGY, TASK
from studio.workbench.page.state import TABS, VIEWS, State
from studio.workbench.workload import CONDITIONS
from tests.designs import ends

Draw = Callable[[st.SearchStrategy[Any]], Any]
Action = Callable[[State, Draw], State]
IDS = st.text("abcdefghijklmnopqrstuvwxyz_.0123456789×·# ", min_size=1, max_size=30).map(str.strip)
TYPED = st.text(max_size=40)


def choose(now: State, draw: Draw) -> State:
    family = draw(st.sampled_from(list(studio.families().values())))
    name = draw(st.none() | st.sampled_from([preset.name for preset in family.presets]))
    return now.choose_preset(family.key, name)


def turn(now: State, draw: Draw) -> State:
    """A knob of the design, or of one of its rows, anywhere between its ends."""
    knobs = dict(now.design.knobs)
    if now.invalid_composition:  # the page has the controls of its rows
        knobs = {
            f"{composition.place(now.stages, i)}.{name}": knob
            for i, row in enumerate(now.stages)
            for name, knob in composition.knobs_of(row).items()
        }
    name = draw(st.sampled_from(list(knobs)))
    return now.set_knob(name, draw(values(knobs[name])))


def values(knob: Knob) -> st.SearchStrategy[Any]:
    known = st.sampled_from([knob.default, *ends(knob)])
    if knob.options or isinstance(knob.default, (bool, tuple)):
        return known
    low, high = knob.clamp(knob.ge or 0), knob.clamp(knob.le or 100)
    if knob.kind is int:
        return known | st.integers(low, high).map(knob.clamp)
    return known | st.floats(low, high)


def use(now: State, draw: Draw) -> State:
    """Batch, mode, number format, layout, compilation."""
    knob = draw(st.sampled_from(list(CONDITIONS.values())))
    return now.set_knob(knob.name, draw(values(knob)))


def pin(now: State, draw: Draw) -> State:
    return sidebar.toggle_pin(now)


def look(now: State, draw: Draw) -> State:
    """Another page, tab, axis, colour."""
    match draw(st.sampled_from(("view", "tab", "axis", "heat", "difference"))):
        case "view":
            return replace(now, view=draw(st.sampled_from(VIEWS)))
        case "tab":
            return replace(now, tab=draw(st.sampled_from(TABS)))
        case "axis":
            return replace(now, axis=draw(st.sampled_from(list(axes(now.design)))))
        case "heat":
            return replace(
                now, colour_mode=replace(now.colour_mode, heat=draw(st.sampled_from(HEAT.options)))
            )
        case _:
            seen = draw(values(DIFFERENCE))
            return replace(now, colour_mode=replace(now.colour_mode, difference=seen))


def ask(now: State, draw: Draw) -> State:
    """Another question of the Memory tab, or of the architect."""
    if draw(st.booleans()):
        name = draw(st.sampled_from(list(MEMORY)))
        asked = draw(values(MEMORY[name]))
        return replace(now, memory_options=replace(now.memory_options, **{name: asked}))
    name = draw(st.sampled_from(("task", "strategy", *LIMIT_FIELDS, LATENCY, *SETTINGS, "batch")))
    if name in ("task", "strategy"):
        chosen = draw(st.sampled_from((TASK if name == "task" else STRATEGY).options))
        return replace(now, requirements=replace(now.requirements, **{name: chosen}))
    return replace(now, requirements=now.requirements.with_text(name, draw(TYPED)))


def unfold(now: State, draw: Draw) -> State:
    opened = draw(st.lists(IDS.filter(bool), max_size=4))
    return replace(now, opened=tuple(opened), node=draw(st.just("") | IDS))


def compose(now: State, draw: Draw) -> State:
    """A row added, taken away, moved, made another kind; where there are none, rows to begin with.

    What a button of the page does not offer (a stage beyond the last) is not tried.
    """
    family = now.design.family
    if not family.is_composed:
        return navigation.open_composition(now, begin if draw(st.booleans()) else studio.as_stages)
    rows, lengths = now.stages, family.knobs["stages"].lengths
    many = len(rows) - 2
    i = draw(st.integers(1, many))
    kinds = list(composition.kinds(family, "stages").values())
    can = ["open", "kind"]
    can += ["add", "duplicate"] if many + 1 in lengths else []
    can += ["remove"] if many - 1 in lengths else []
    can += ["up"] if i > 1 else []
    can += ["mend"] if now.invalid_composition else []
    match draw(st.sampled_from(can)):
        case "add":
            kind = draw(st.sampled_from(kinds))
            return now.with_stages(composition.add_connected_stage(family, rows, i, kind), i + 1)
        case "duplicate":
            return now.with_stages(composition.duplicate_stage(rows, i), i + 1)
        case "remove":
            return now.with_stages(composition.remove_stage(rows, i), max(i - 1, 1))
        case "up":
            return now.with_stages(composition.move_stage(rows, i, -1), i - 1)
        case "mend":
            return mend(now, draw)
        case "kind":
            return rekind(now, draw)
    return replace(now, place=composition.place(rows, draw(st.integers(0, len(rows) - 1))))


def begin(_: studio.Design) -> studio.Design:
    hybrid = studio.families()["hybrid"]
    return studio.Design(hybrid, composition.smallest_config(hybrid))


def mend(now: State, draw: Draw) -> State:
    assert now.invalid_composition
    mends = fixes.fixes(now.design.family, now.invalid_composition)
    if not mends:
        return now
    rows = draw(st.sampled_from(mends)).stages
    return now.with_stages(rows, min(composition.index(now.stages, now.place), len(rows) - 1))


def rekind(now: State, draw: Draw) -> State:
    """A stem, stage or head becomes another kind."""
    rows, family = now.stages, now.design.family
    i = draw(st.integers(0, len(rows) - 1))
    kinds = list(composition.kinds(family, composition.place(rows, i)).values())
    return now.with_stages(
        composition.change_connected_kind(family, rows, i, draw(st.sampled_from(kinds))), i
    )


def go_back(now: State, draw: Draw) -> State:
    """Undo, a design of another page, the preset again."""
    match draw(st.sampled_from(("undo", "open", "reset"))):
        case "undo" if now.previous:
            base = now.previous.design.base
            return history.restore_visit(now, history.Visit(now.previous, base))
        case "open":
            family = draw(st.sampled_from(list(studio.families().values())))
            return navigation.open_design(now, family.design())
        case _:
            return sidebar.reset_to_preset(now)


ACTIONS: tuple[Action, ...] = (
    *(choose, turn, turn, turn, use, pin, look, ask, unfold, compose, compose, compose, go_back),
)
