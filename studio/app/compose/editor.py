"""The editor of a composition: one line per stage, the open stage as a card of controls.

The first line is the stem, the last the head. Notes and faults are shown at their stage.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from html import escape

import streamlit as st

from studio.analysis.names.purpose import purpose
from studio.app import session
from studio.app.compose.stage_knobs import stage_sections
from studio.app.compose.stage_picker import kind_popover
from studio.app.knob_panel.panel import knob_panel
from studio.app.markup import html, plain
from studio.records import place_label
from studio.stages.stage import JOINS, Flow, Map
from studio.workbench import results
from studio.workbench.compose import composition, fixes
from studio.workbench.compose.composition import InvalidComposition, Stages
from studio.workbench.page.state import State

STYLE = """<style>
.st-key-stage-list .stElementContainer:has(.row) { flex: 0 0 auto; width: auto; }
.st-key-stage-list { gap: .1rem; }
.st-key-fault { background: color-mix(in srgb, #e03c28 8%, var(--background-color, transparent));
  border-color: light-dark(#c0392b, #ff7b6b); }
.stColumn:has(.st-key-beside) > .stVerticalBlock { position: sticky; top: 3.6rem; }
.stMain:has(.st-key-fault) .figure { opacity: .45; }
@media (max-width: 640px) { .st-key-fault { position: fixed; inset: auto .5rem .5rem; width: auto;
  z-index: 99; background: light-dark(#fdeeec, #3a1f1f); box-shadow: 0 2px 14px #0006; } }
.st-key-card { margin: .3rem 0; }
.st-key-stage-list button[kind="tertiary"] { min-height: 1.8rem; padding-block: 0; }
.st-key-stage-list button[kind="tertiary"] :is(div, span) { min-width: 0; }
.st-key-stage-list button[kind="tertiary"] > div,
.st-key-stage-list button[kind="tertiary"] > div > span {
  width: 100%; justify-content: flex-start; }
.row { display: grid; grid-template-columns: 8.6rem 3.3rem 3.3rem; gap: .35rem; font-size: .8rem;
  font-variant-numeric: tabular-nums; text-align: right; line-height: 1.9rem; }
.row.names { opacity: .7; line-height: 2.4rem; justify-content: end; }
.row span { padding: 0 .3rem; border-radius: .2rem; white-space: nowrap; }
.row b { color: light-dark(#c0392b, #ff7b6b); font-weight: 600; }
@media (max-width: 640px) { .row { grid-template-columns: 6.2rem 2.6rem 2.6rem; gap: .15rem;
  font-size: .74rem; } }
</style>"""
NAMES = '<div class="row names"><span>output shape</span><span>params</span><span>MACs</span></div>'
INSERTED = " :small[:orange[→ inserted]]"
FAULT = ":material/error:"


def editor(now: State) -> None:
    """All stages of the composition on the page."""
    stages, opened = now.stages, composition.index(now.stages, now.place)
    html(STYLE)
    with st.container(key="stage-list", gap="xsmall"):
        lines = stage_figures(now)
        for i, line in enumerate(lines):
            if i == opened:
                stage_card(now, stages, i, line)
            else:
                collapsed_stage(now, stages, i, line)


def collapsed_stage(now: State, stages: Stages, i: int, line: str) -> None:
    """A stage as one line; a click opens it."""
    place = composition.place(stages, i)
    with st.container(horizontal=True, gap="xsmall", wrap=False, vertical_alignment="center"):
        st.button(
            summary(stages, i) + (INSERTED if place in now.notes else ""),
            key=f"stage.{place}",
            type="tertiary",
            width="stretch",
            icon=FAULT if is_fault(now, place) else None,
            on_click=_open,
            args=(place,),
        )
        html(line)
    if is_fault(now, place):
        fault_message(now)


def summary(stages: Stages, i: int) -> str:
    """`2 Transformer  depth 4 · heads 8`: kind, inputs it joins, and scaling knobs."""
    stage, number = stages[i], composition.place(stages, i).removeprefix("stages.")
    scaled = [
        f"{name} {knob.text(getattr(stage, name))}"
        for name, knob in composition.knobs_of(stage).items()
        if knob.axis or name in JOINS
    ]
    values = plain(" · ".join(scaled))
    return f"`{plain(number)}` **{plain(type(stage).__name__)}** :small[:gray[{values}]]"


def stage_card(now: State, stages: Stages, i: int, line: str) -> None:
    """The open stage: kind, knobs, actions, and its fault if it does not fit."""
    place = composition.place(stages, i)
    stage = stages[i]
    with st.container(border=True, gap="xsmall", key="card"):
        with st.container(
            horizontal=True, gap="xsmall", vertical_alignment="center", horizontal_alignment="right"
        ):
            st.markdown(f"`{plain(place.removeprefix('stages.'))}`", width="content")
            kind_menu(now, stages, i)
            html(line)
        if is_fault(now, place):
            fault_message(now)
        if why := now.notes.get(place):
            st.caption(plain(f"→ {type(stage).__name__} was {why}."))
        st.caption(plain(purpose(type(stage))))
        knob_panel(now, "stage-knobs", stage_sections)
        if place != "head":
            stage_actions(now, stages, i)


def kind_menu(now: State, stages: Stages, i: int) -> None:
    """A menu to change the kind of a stage."""
    place, here = composition.place(stages, i), type(stages[i]).__name__
    kind_popover(
        here,
        composition.kinds(now.design.family, place),
        now.design.family,
        partial(composition.change_connected_kind, now.design.family, stages, i),
        _choose_kind,
        place,
        bold=True,
        key=f"kind-{place}-{here}",  # a new key closes the menu after a choice
    )


def stage_actions(now: State, stages: Stages, i: int) -> None:
    """Buttons that add, duplicate, move and remove a stage."""
    place, count = composition.place(stages, i), len(stages) - 2
    lengths = now.design.family.knobs["stages"].lengths
    full, alone = count + 1 not in lengths, count - 1 not in lengths
    with st.container(horizontal=True, gap="xsmall", key="actions"):
        kind_popover(
            "Add stage after",
            composition.kinds(now.design.family, "stages"),
            now.design.family,
            partial(composition.add_connected_stage, now.design.family, stages, i),
            _add,
            place,
            key=f"add-{place}",
            disabled=full,
            width="content",
        )
        if 0 < i <= count:
            st.button(
                "Duplicate", key="duplicate", disabled=full, on_click=_do, args=("duplicate",)
            )
            st.button("↑", key="up", help="Up", disabled=i == 1, on_click=_do, args=("up",))
            st.button(
                "↓", key="down", help="Down", disabled=i == count, on_click=_do, args=("down",)
            )
            st.button("Remove", key="remove", disabled=alone, on_click=_do, args=("remove",))


def fault_message(now: State) -> None:
    """The fault, shown at its stage."""
    assert now.invalid_composition
    st.markdown(f":small[:red[{plain(now.invalid_composition.fault)}.]]")


def fault_card(now: State, invalid: InvalidComposition) -> None:
    """The first stage that does not fit, why, and a button for each fix."""
    with st.container(key="fault", gap="xsmall", border=True):
        stage = place_label(invalid.place, invalid.stages[invalid.at])
        st.markdown(f":red[{FAULT} **{plain(stage)} does not fit.**] {plain(invalid.fault)}.")
        with st.container(horizontal=True, gap="xsmall", key="fixes"):
            for n, fix in enumerate(fixes.fixes(now.design.family, invalid)):
                key = f"fix.{n}"
                label = plain(fix.label)
                st.button(label, key=key, type="primary", on_click=_apply_fix, args=(fix.stages,))
            if invalid.place != now.place:
                st.button("Show the stage", key="goto", on_click=_open, args=(invalid.place,))
        st.caption("The figures above are for your last valid design.")


def is_fault(now: State, place: str) -> bool:
    return now.invalid_composition is not None and now.invalid_composition.place == place


def stage_figures(now: State) -> list[str]:
    """Output shape and share of parameters and MACs of each stage, as HTML. For an invalid
    composition only the output shapes, up to the fault."""
    family = now.design.family
    legal = (
        composition.valid_prefix(family, now.invalid_composition)
        if now.invalid_composition
        else now.design.config
    )
    flows = [flow_shape(flow) for flow in composition.outputs(legal)] if legal else []
    if now.invalid_composition:
        flows = flows[: now.invalid_composition.at]
        gone = [""] * (len(now.stages) - len(flows) - 1)
        return [figure_cells(flow) for flow in flows] + [
            figure_cells("<b>does not fit</b>"),
            *map(figure_cells, gone),
        ]
    root = results.profile_of(now.workload).root
    bodies = {call.name: call.trace for call in root.calls}
    flows.append(f"({', '.join(map(str, root.outputs[0][1:]))})")
    places = (composition.place(now.stages, i) for i in range(len(now.stages)))
    found = [bodies.get(place) for place in places]
    return [
        figure_cells(escape(flow), _share(trace.params, root.params), _share(trace.macs, root.macs))
        if trace
        else figure_cells(escape(flow))
        for flow, trace in zip(flows, found, strict=True)
    ]


def flow_shape(flow: Flow) -> str:
    """`(256, 56, 56)` or `(196, 768)`; a clip has its number of frames first."""
    if not isinstance(flow, Map):
        return f"({flow.count}, {flow.width})"
    clip = f"{flow.frames}, " if flow.frames > 1 else ""
    return f"({clip}{flow.channels}, {flow.height}, {flow.width})"


def figure_cells(flow: str, params: str = "", macs: str = "") -> str:
    return f'<div class="row"><span>{flow}</span>{params or "<i></i>"}{macs or "<i></i>"}</div>'


def _share(part: float, whole: float) -> str:
    """A percentage over a bar of that length."""
    share = part / whole if whole else 0.0
    bar = f"color-mix(in srgb, #1f77c4 28%, transparent) {share:.1%}"
    text = f"{share:.0%}" if share >= 0.01 or not share else "&lt; 1%"
    return (
        f'<span style="background: linear-gradient(to right, {bar}, transparent {share:.1%})">'
        f"{text}</span>"
    )


def _open(place: str) -> None:
    session.commit(replace(session.current(), place=place))


def _choose_kind(place: str, name: str) -> None:
    now = session.current()
    i = composition.index(now.stages, place)
    chosen = composition.kinds(now.design.family, place)[name]
    session.commit(
        now.with_stages(
            composition.change_connected_kind(now.design.family, now.stages, i, chosen), i
        )
    )


def _add(place: str, name: str) -> None:
    now = session.current()
    i = composition.index(now.stages, place)
    chosen = composition.kinds(now.design.family, "stages")[name]
    session.commit(
        now.with_stages(
            composition.add_connected_stage(now.design.family, now.stages, i, chosen), i + 1
        )
    )


def _do(action: str) -> None:
    now = session.current()
    i = composition.index(now.stages, now.place)
    stages, at = {
        "duplicate": lambda: (composition.duplicate_stage(now.stages, i), i + 1),
        "up": lambda: (composition.move_stage(now.stages, i, -1), i - 1),
        "down": lambda: (composition.move_stage(now.stages, i, 1), i + 1),
        "remove": lambda: (composition.remove_stage(now.stages, i), max(i - 1, 1)),
    }[action]()
    session.commit(now.with_stages(stages, at))


def _apply_fix(stages: Stages) -> None:
    now = session.current()
    i = min(composition.index(now.stages, now.place), len(stages) - 1)
    session.commit(now.with_stages(stages, i))
