"""The sidebar: family, preset, and every knob of the design, grouped by scaling axis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import get_args

import streamlit as st

import studio
from studio.analysis import units
from studio.app import session
from studio.app.controls.history import history
from studio.app.controls.navigation import compose_button
from studio.app.knob_panel.contents import design_sections
from studio.app.knob_panel.panel import knob_panel
from studio.app.knob_panel.rows import Section
from studio.app.markup import plain
from studio.family import Family
from studio.tasks import Task
from studio.workbench.page.state import VIEWS, State

COMPOSE = VIEWS[1]


def sidebar(now: State) -> None:
    views(now)
    history(now)
    pickers(now)
    if now.design.family.is_composed and now.view != COMPOSE:
        st.button(
            "Edit its stages", key="edit", on_click=_set_view, args=(COMPOSE,), width="stretch"
        )
    if now.design.family.stages and now.view != COMPOSE:
        compose_button()
    knob_panel(now, "knobs", sidebar_sections)


def sidebar_sections(now: State) -> tuple[Section, ...]:
    """What the knob panel of the sidebar shows."""
    return design_sections(now, session.bench().devices.known())


def views(now: State) -> None:
    st.segmented_control(
        "View",
        VIEWS,
        **session.widget("view", now.view, default=now.view),
        required=True,
        label_visibility="collapsed",
        on_change=_choose_view,
        width="stretch",
    )


def _choose_view() -> None:
    if session.user_changed("view"):
        _set_view(session.value("view"))


def _set_view(view: str) -> None:
    session.commit(replace(session.current(), view=view))


def pickers(now: State) -> None:
    """The pickers of family and preset, and their buttons."""
    families, family = by_task(studio.families()), now.design.family
    st.selectbox(
        "Family",
        list(families),
        format_func=lambda key: search_label(families[key]),
        **session.widget("family", family.key, index=list(families).index(family.key)),
        on_change=_choose_family,
    )
    key = f"{family.key}.preset"
    presets = [preset.name for preset in family.presets]
    st.selectbox(
        "Preset",
        presets,
        format_func=lambda name: preset_label(family, name),
        **session.widget(key, now.preset.name, index=presets.index(now.preset.name)),
        on_change=_choose_preset,
        args=(family.key, key),
    )
    with st.container(horizontal=True, gap="xsmall", wrap=False):
        buttons(now)
    if now.pins:
        several = f"{len(now.pins)} pinned designs" if len(now.pins) > 1 else "the pinned design"
        st.button(
            f"Compare with {several}",
            key="compare",
            on_click=_set_view,
            args=(VIEWS[3],),
            width="stretch",
        )


def by_task(families: Mapping[str, Family]) -> dict[str, Family]:
    """Families sorted by their main task, then by title."""
    tasks = get_args(Task)
    order = sorted(families.values(), key=lambda f: (tasks.index(f.guide.tasks[0]), f.title))
    return {family.key: family for family in order}


def search_label(family: Family) -> str:
    """Title and tasks of a family, to search for either."""
    return f"{family.title} · {', '.join(family.guide.tasks)}"


def _choose_family() -> None:
    """Ignores the family that is already on the page: a slow browser may report it as a choice,
    which would reset the design."""
    now = session.current()
    if session.user_changed("family") and session.value("family") != now.design.family.key:
        session.commit(now.choose_preset(session.value("family")))


def _choose_preset(family: str, key: str) -> None:
    now = session.current()
    if session.user_changed(key) and (family, session.value(key)) != (
        now.design.family.key,
        now.preset.name,
    ):
        session.commit(now.choose_preset(family, session.value(key)))


def buttons(now: State) -> None:
    """Reset and pin."""
    st.button(
        "Reset to preset",
        help=f"Undo all changes to {plain(now.preset.name)}",
        disabled=now.design.config == now.preset.config and now.invalid_composition is None,
        on_click=lambda: session.commit(reset_to_preset(session.current())),
        width="stretch",
    )
    st.button(
        "Unpin" if now.workload in now.pins else "Pin",
        help="Pin this design to compare later ones with it",
        on_click=lambda: session.commit(toggle_pin(session.current())),
        width="stretch",
    )


def preset_label(family: Family, name: str) -> str:
    """A preset's name with its published count."""
    params = family.preset(name).params
    return f"{name} · {units.count(params)}" if params else name


def reset_to_preset(now: State) -> State:
    return now.choose_preset(now.design.family.key, now.preset.name)


def toggle_pin(now: State) -> State:
    return now.unpin(now.workload) if now.workload in now.pins else now.pin(now.workload)
