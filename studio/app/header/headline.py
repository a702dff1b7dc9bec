"""The top of the page: what the design is, and its figures against where one came from."""

from __future__ import annotations

import streamlit as st

from studio.analysis.trace.priority_lock import prioritize
from studio.app.markup import plain, trusted
from studio.app.preview.cards import card, figure_cards
from studio.family import Design
from studio.workbench.page.figures import FIGURES, URL, figure_help, figure_text
from studio.workbench.page.state import State


def title(now: State) -> None:
    """The design, its family, and the paper."""
    design = now.design
    paper = paper_of(design)
    cited = f" · [paper]({trusted(paper)})" if paper else ""
    st.markdown(f"### {plain(now.title)} &nbsp;:small[:gray[{plain(design.family.title)}{cited}]]")


def paper_of(design: Design) -> str:
    """The address of the paper of a design; empty for a user's own composition."""
    if design.family.is_composed and not design.preset:
        return ""
    lesson = design.family.lesson
    found = URL.search(lesson[lesson.find("Paper:") :])
    return found.group() if found else ""


def headline(now: State) -> None:
    with prioritize():
        cells = [card(f.name, *figure_text(f, now), help=figure_help(f, now)) for f in FIGURES]
    preset = now.design.preset
    address = URL.search(preset.source) if preset else None
    links = (address.group(),) if address else ()
    figure_cards(f'<div class="figures">{"".join(cells)}</div>', "figures", links)
