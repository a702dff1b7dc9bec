"""Open a design: on the Explore page, or stage by stage in Compose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import streamlit as st

import studio
from studio.app import session
from studio.family import Design, DesignError
from studio.workbench.page.link_parts import PLACE
from studio.workbench.page.state import VIEWS, State


def compose_button() -> None:
    st.button(
        "Edit stage by stage",
        key="as-stages",
        help="The same network in Compose, each stage with its own knobs",
        on_click=lambda: session.commit(open_composition(session.current(), studio.as_stages)),
        width="stretch",
    )


def open_design(now: State, design: Design) -> State:
    """The Explore page with another design."""
    moved = now.with_workload(replace(now.workload, design=design))
    return replace(
        moved,
        preset=design.base,
        view=VIEWS[0],
        opened=(),
        node="",
        axis=None,
        invalid_composition=None,
    )


def open_composition(now: State, composed: Callable[[Design], Design]) -> State:
    """The Compose page with the composition made from the design. A refusal changes nothing."""
    try:
        design = composed(now.design)
    except DesignError as error:
        return replace(now, notes={}, refusal=str(error))
    moved = now.with_workload(replace(now.workload, design=design))
    moved = replace(moved, view=VIEWS[1], place=PLACE, opened=(), node="", axis=None)
    return replace(moved, preset=design.base, invalid_composition=None)
