"""The Lesson tab: the family's lesson, guide, and published results."""

from __future__ import annotations

import re

import streamlit as st

import studio
from studio.app import session
from studio.app.markup import plain, trusted
from studio.family import Family, Guide
from studio.workbench.page.state import State

DATASET = {"small": "little data", "medium": "a medium-sized dataset", "large": "a large dataset"}
DISPLAYED = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)  # Markdown wants the signs on their own lines


def lesson(now: State) -> None:
    family = now.design.family
    st.markdown(trusted(DISPLAYED.sub(r"$$\n\1\n$$", family.lesson)))
    st.markdown(trusted(guide_text(family.guide)))
    if family.guide.results:
        st.table(published_results(family))
    related_families(family)


def guide_text(guide: Guide) -> str:
    strengths = "\n".join(f"- {strength}" for strength in guide.strengths)
    return (
        f"For {', '.join(guide.tasks)}; needs {DATASET[guide.data]}.\n\n"
        f"**Use it when** {guide.use_when}.\n\n**Avoid it when** {guide.avoid_when}.\n\n"
        f"**Strengths**\n\n{strengths}\n\n**What it costs:** {guide.cost}."
    )


def published_results(family: Family) -> dict[str, list[str]]:
    """Published results, each with its source."""
    found = family.guide.results
    return {
        "Preset": [result.preset for result in found],
        "Metric": [result.metric for result in found],
        "Published": [f"{result.value:g} {result.unit}" for result in found],
        "Source": [result.source for result in found],
    }


def related_families(family: Family) -> None:
    """Buttons to the related families."""
    known = studio.families()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Related**")
        for key in family.guide.related:
            if key in known:
                st.button(
                    plain(known[key].title), key=f"related.{key}", on_click=_open, args=(key,)
                )


def _open(family: str) -> None:
    session.commit(session.current().choose_preset(family))
