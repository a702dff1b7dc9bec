"""A widget for each kind of knob. It shows the state; its callback sets the knob."""

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
STEPS = 100  # a slider with more cannot be set precisely
OCTAVES = 6  # from so many doublings on, a slider has geometric steps


def control(now: State, knob: Knob, value: Any, within: str = "") -> None:
    """The widget of one knob, with a note if the value was snapped; `within` is the kind of the
    stage that has the knob."""
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
    """A number input for a size that is linked to a ratio."""
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
    """The knob's name without the place of its stage."""
    return knob.name.rpartition(".")[2]


def label_and_help(knob: Knob) -> dict[str, Any]:
    """Label and tooltip of the knob's widget."""
    return {"label": plain(label(knob)), "help": plain(knob.help) or None}


def switch(knob: Knob, value: Any, key: str) -> None:
    """A toggle for a flag, a choice for options."""
    if isinstance(value, bool):
        shown = session.widget(key, value, value=value)
        st.toggle(**label_and_help(knob), **shown, **on_change(knob.name, key))
    else:
        options(knob, knob.text(value), key)


def on_change(knob: str, key: str) -> dict[str, Any]:
    """The callback of a widget, as keyword arguments."""
    return {"on_change": _set_knob, "args": (knob, key)}


def _set_knob(knob: str, key: str) -> None:
    if session.user_changed(key):
        session.commit(session.current().set_knob(knob, session.value(key)))


def number(knob: Knob, value: float, key: str, marks: Iterable[float], **rules: Any) -> None:
    """A slider with equal steps; with geometric steps if the range is huge or the value is off the
    grid."""
    low, high = knob.kind(knob.clamp(knob.ge or 0)), knob.kind(knob.clamp(knob.le or math.inf))
    step = knob.kind(knob.step or 1)
    rules |= label_and_help(knob)
    wide = (high - low) / step > STEPS and high / max(low, 1) >= 2**OCTAVES
    if not wide and (knob.kind is not int or knob.clamp(value) == value):
        shown = session.widget(key, value, value=value)
        st.slider(min_value=low, max_value=high, step=step, **shown, **rules)
        return
    values = ladder(knob, marks)
    if value not in values:  # a slider with other options needs another key
        values, key = sorted([*values, value]), f"{key}={value}"
        rules["args"] = (knob.name, key) if len(rules["args"]) == 2 else (*rules["args"][:-1], key)
    shown = session.widget(key, value, value=value)
    st.select_slider(options=values, format_func=_number_text, **shown, **rules)


def _number_text(value: float) -> str:
    return f"{value:,}".replace(",", "\u2009")


def ladder(knob: Knob, marks: Iterable[float] = ()) -> list[Any]:
    """About a hundred geometrically spaced values over the range, `marks` included."""
    low, high = knob.clamp(knob.ge or 1), knob.clamp(knob.le or math.inf)
    octaves = max(1, math.floor(math.log2(high / max(low, 1))))
    parts = max(p for p in (1, 2, 4, 8, 16) if p == 1 or p * octaves <= STEPS)
    steps = {knob.clamp(2.0**k * (1 + part / parts)) for k in range(24) for part in range(parts)}
    return sorted({low, high, *steps, *marks})


def entries(now: State, knob: Knob, value: tuple[int, ...], key: str) -> None:
    """A tuple: its length if that may vary, and a slider for each entry, two in a row."""
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
    """The callback of the widget of one tuple entry, as keyword arguments."""
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
    """A segmented control if the options fit on one line, else a select box. Classes by name."""
    names = [knob.text(option) for option in knob.options]
    rules = label_and_help(knob) | on_change(knob.name, key)
    if sum(map(len, names)) + 4 * len(names) <= 34:
        shown = session.widget(key, value, default=value)
        st.segmented_control(options=names, format_func=plain, required=True, **shown, **rules)
    else:
        shown = session.widget(key, value, index=names.index(value))
        st.selectbox(options=names, **shown, **rules)


def preset_values(now: State, knob: Knob) -> Iterator[Any]:
    """Values of the family's presets; none for knobs of stages, which differ between presets."""
    known = now.design.family.presets if knob.name in now.design.family.knobs else ()
    return (getattr(preset.config, knob.name) for preset in known)
