"""The view in which a user composes a network: its stages beside its layer graph."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from studio import zoo
from studio.app import session
from studio.app.compose.editor import NAMES, editor, fault_card
from studio.app.controls.navigation import compose_button, open_composition
from studio.app.markup import html, plain
from studio.app.views.page_frame import Rest, picture
from studio.family import Design, Family
from studio.workbench import results
from studio.workbench.compose import composition
from studio.workbench.page.state import State


def compose(now: State) -> Rest:
    left, right = st.columns([6, 5])
    family = now.design.family
    with right, st.container(key="beside", gap="small"):
        if now.invalid_composition:
            fault_card(now, now.invalid_composition)
        shown = (
            results.invalid_graph(family, now.invalid_composition)
            if now.invalid_composition
            else results.graph(now.workload)
        )
        highlighted = now.place if family.is_composed else ""
        scroll_to = now.invalid_composition.place if now.invalid_composition else highlighted
        beneath = picture(
            now, shown, _select_in_graph, highlighted=highlighted, scroll_to=scroll_to
        )

    def rest() -> None:
        stages(now, left)
        beneath()

    return rest


def stages(now: State, place: DeltaGenerator) -> None:
    """The stages of a composition, or the starting points of one."""
    family = now.design.family
    with place:
        if not family.is_composed:
            starting_points(now)
            return
        with st.container(horizontal=True, gap="xsmall", wrap=False, key="names"):
            start_button(family, "secondary")
            html(NAMES)
        editor(now)


def starting_points(now: State) -> None:
    """The starting points of a composition, for a design that is not one."""
    title = plain(now.title)
    if now.design.family.stages:
        st.info(f"{title} is built of stages. Open it here to edit them one by one.")
        compose_button()
    else:
        st.info(f"{title} cannot be edited stage by stage. Start a network of your own instead.")
    for family in zoo.families().values():
        if family.is_composed:
            start_button(family, "primary")


def start_button(family: Family, kind: Literal["primary", "secondary"]) -> None:
    st.button(
        "Start from scratch",
        key=f"start.{family.key}",
        type=kind,
        help="A stem, one stage and a head: the smallest network of stages",
        on_click=_start,
        args=(family,),
    )


def _start(family: Family) -> None:
    session.commit(
        open_composition(
            session.current(), lambda _: Design(family, composition.smallest_config(family))
        )
    )


def _select_in_graph(blocks: tuple[str, ...], node: str) -> None:
    """Open the stage that is selected in the graph."""
    now = session.current()
    new = [node] if node != now.node else list(set(blocks) ^ set(now.opened))
    new = new if len(new) == 1 else []  # a level opens many at once
    named = [".".join(name.split(".")[: 2 if name.startswith("stages.") else 1]) for name in new]
    place = next(filter(None, named), now.place)
    session.commit(replace(now, opened=blocks, node=node, place=place))
