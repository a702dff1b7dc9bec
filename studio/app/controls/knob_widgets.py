"""A control for each kind of knob. A control shows the state, and its callback turns the knob."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import streamlit as st

from studio.app import session
from studio.app.markup import plain
from studio.knobs import Knob
from studio.workbench.page.state import State

FEW = 3  # options that fit side by side
STEPS = 100  # more than that on one slider cannot be aimed at
OCTAVES = 6  # a range of so many doublings is turned by its ladder, not by equal steps


def control(now: State, knob: Knob, value: Any, within: str = "") -> None:
    """The control of one knob, and why it did not land where it was put; `within` is the kind of
    the record that has the knob."""
    key = f"{now.design.family.key}.{within}{knob.name}"
    if isinstance(value, tuple):
        entries(now, knob, value, key)
    elif isinstance(value, bool) or knob.options:
        switch(knob, value, key)
    else:
        number(knob, value, key, preset_values(now, knob), **on_change(knob.name, key))
    if knob.size and "." not in knob.name:
        size(now, knob.size)
    if why := now.notes.get(knob.name):
        st.caption(f":orange[→] {plain(why)}")


def size(now: State, name: str) -> None:
    """The control of a size, which is linked to its ratio: a number to type in."""
    knob = now.design.family.knob(now.design.config, name)
    value, key = now.design.value(name), f"{now.design.family.key}.{name}"
    shown = session.widget(key, value, value=value)
    st.number_input(
        min_value=int(knob.ge or 1),
        max_value=int(knob.le or value),
        step=int(knob.step or 1),
        **label_and_help(knob),
        **shown,
        **on_change(name, key),
    )
    if why := now.notes.get(name):
        st.caption(f":orange[→] {plain(why)}")


def label(knob: Knob) -> str:
    """Its name without the place of the record that has it."""
    return knob.name.rpartition(".")[2]


def label_and_help(knob: Knob) -> dict[str, Any]:
    """What its control is called, and what its tooltip says."""
    return {"label": plain(label(knob)), "help": plain(knob.help) or None}


def switch(knob: Knob, value: Any, key: str) -> None:
    """The control of a knob that is on or off, or one of a few."""
    if isinstance(value, bool):
        shown = session.widget(key, value, value=value)
        st.toggle(**label_and_help(knob), **shown, **on_change(knob.name, key))
    else:
        options(knob, knob.text(value), key)


def on_change(knob: str, key: str) -> dict[str, Any]:
    """What a control does when it is moved."""
    return {"on_change": _set_knob, "args": (knob, key)}


def _set_knob(knob: str, key: str) -> None:
    if session.user_changed(key):
        session.commit(session.current().set_knob(knob, session.value(key)))


def number(knob: Knob, value: float, key: str, marks: Iterable[float], **rules: Any) -> None:
    """A slider of equal steps; of a ladder of round values where the range is huge, or where the
    value lies between two steps."""
    low, high = knob.kind(knob.clamp(knob.ge or 0)), knob.kind(knob.clamp(knob.le or math.inf))
    step = knob.kind(knob.step or 1)
    rules |= label_and_help(knob)
    wide = (high - low) / step > STEPS and high / max(low, 1) >= 2**OCTAVES
    if not wide and (knob.kind is not int or knob.clamp(value) == value):
        shown = session.widget(key, value, value=value)
        st.slider(min_value=low, max_value=high, step=step, **shown, **rules)
        return
    values = ladder(knob, marks)
    if value not in values:  # another ladder is another slider, so it needs another key
        values, key = sorted([*values, value]), f"{key}={value}"
        rules["args"] = (knob.name, key) if len(rules["args"]) == 2 else (*rules["args"][:-1], key)
    shown = session.widget(key, value, value=value)
    st.select_slider(options=values, format_func=_number_text, **shown, **rules)


def _number_text(value: float) -> str:
    return f"{value:,}".replace(",", "\u2009")


def ladder(knob: Knob, marks: Iterable[float] = ()) -> list[Any]:
    """About a hundred values from end to end, evenly spread in ratio, and the marks among them."""
    low, high = knob.clamp(knob.ge or 1), knob.clamp(knob.le or math.inf)
    octaves = max(1, math.floor(math.log2(high / max(low, 1))))
    parts = max(p for p in (1, 2, 4, 8, 16) if p == 1 or p * octaves <= STEPS)
    steps = {knob.clamp(2.0**k * (1 + part / parts)) for k in range(24) for part in range(parts)}
    return sorted({low, high, *steps, *marks})


def entries(now: State, knob: Knob, value: tuple[int, ...], key: str) -> None:
    """A tuple: how many entries it has where that may vary, and a slider for each, two in a row."""
    if len(knob.lengths) > 1:
        lengths(knob, value, f"{key}.length")
    place, _, name = knob.name.rpartition(".")
    entry_name = name if place else "stage"
    grid = st.columns(2, gap="xsmall", wrap=False)
    for i, entry in enumerate(value):
        one = replace(
            knob, name=f"{entry_name} {i + 1}", default=knob.default[0], lengths=(), help=""
        )
        marks = {p[i] for p in preset_values(now, knob) if i < len(p)}
        with grid[i % 2]:
            where = f"{key}.{i}"
            number(one, entry, where, marks, **on_entry_change(knob.name, i, where))


def on_entry_change(knob: str, i: int, key: str) -> dict[str, Any]:
    """What the control of one entry of a tuple does when it is moved."""
    return {"on_change": _set_entry, "args": (knob, i, key)}


def _set_entry(knob: str, i: int, key: str) -> None:
    if not session.user_changed(key):
        return
    now = session.current()
    value = now.value(knob)
    session.commit(now.set_knob(knob, (*value[:i], session.value(key), *value[i + 1 :])))


def lengths(knob: Knob, value: tuple[int, ...], key: str) -> None:
    st.segmented_control(
        **label_and_help(knob),
        options=knob.lengths,
        format_func=plain,
        **session.widget(key, len(value), default=len(value)),
        required=True,
        on_change=_set_length,
        args=(knob.name, key),
    )


def _set_length(knob: str, key: str) -> None:
    if not session.user_changed(key):
        return
    now = session.current()
    value, length = now.value(knob), session.value(key)
    session.commit(now.set_knob(knob, (value + value[-1:] * length)[:length]))


def options(knob: Knob, value: str, key: str) -> None:
    """Side by side where there are few, else a list. Classes are shown by their names."""
    names = [knob.text(option) for option in knob.options]
    rules = label_and_help(knob) | on_change(knob.name, key)
    if sum(map(len, names)) + 4 * len(names) <= 34:
        shown = session.widget(key, value, default=value)
        st.segmented_control(options=names, format_func=plain, required=True, **shown, **rules)
    else:
        shown = session.widget(key, value, index=names.index(value))
        st.selectbox(options=names, **shown, **rules)


def preset_values(now: State, knob: Knob) -> Iterator[Any]:
    """The values that the family's presets have; rows of compositions are not the same in each."""
    known = now.design.family.presets if knob.name in now.design.family.knobs else ()
    return (getattr(preset.config, knob.name) for preset in known)
