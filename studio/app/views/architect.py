"""The Architect view: from a task and a budget to recommended designs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from html import escape
from itertools import zip_longest
from typing import Any, NamedTuple

import streamlit as st

from studio.advice.choice_text import format_percent
from studio.advice.recommend import Choice, families_for
from studio.advice.requirements import RecommendationRequest
from studio.advice.task_inputs import FIELDS, default_source, default_text
from studio.analysis import units
from studio.analysis.cost.profiler import Profile
from studio.app import session
from studio.app.charts.pareto import size_chart
from studio.app.charts.tradeoff import tradeoff_chart
from studio.app.controls.navigation import open_design
from studio.app.markup import html, plain, trusted
from studio.app.pending import poll
from studio.family import BATCH, Design, DesignError
from studio.knobs import Knob
from studio.workbench.jobs.recommendations import Answer
from studio.workbench.page.requirements_form import (
    DATA,
    EXAMPLES,
    LATENCY,
    LIMIT_FIELDS,
    MOST,
    STRATEGY,
    TASK,
    RequirementsForm,
    input_knobs,
)
from studio.workbench.page.state import State
from studio.workbench.pending import Failed, Ready, Waiting

FULL = 3  # choices shown in full; the others are collapsed
SIZING = "Sizing candidates … {} of {} families, built on the meta device and counted exactly."
TIMING = "Benchmarking a few sizes of each family: takes a minute or two."
STYLE = """<style>
.choice { line-height: 1.4; font-variant-numeric: tabular-nums; }
.choice h5 { margin: 0; padding: 0; font-size: 1.15rem; }
.choice h5 small { font-weight: 400; opacity: .75; }
.choice .knobs { font-size: .82rem; opacity: .8; overflow-wrap: anywhere; }
.choice .costs { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr));
  gap: .1rem 1rem; margin: .45rem 0; }
.choice .costs span { font-size: .78rem; opacity: .8; display: block; }
.choice .costs b { font-weight: 600; }
.choice .used { height: .4rem; border-radius: .2rem; overflow: hidden;
  background: color-mix(in srgb, currentColor 14%, transparent); }
.choice .used i { display: block; height: 100%; background: #4a7fc1; }
.choice ul { list-style: none; margin: .3rem 0 0; padding: 0; font-size: .88rem; }
.choice li { padding-left: 1.2rem; text-indent: -1.2rem; margin: .1rem 0; }
.choice li::before { display: inline-block; width: 1.2rem; text-indent: 0; font-weight: 700; }
.choice .for::before { content: "+"; color: light-dark(#1b6e42, #6fd19c); }
.choice .but::before { content: "−"; color: light-dark(#b3400a, #ff9b63); }
.choice .bent::before { content: "→"; }
</style>"""


class Entry(NamedTuple):
    """A field: its label, what stands in it while it is empty, and where that comes from."""

    label: str
    hint: str
    help: str = ""


def architect(now: State) -> None:
    html(STYLE)
    st.markdown("### From a task and a budget to a design")
    left, right = st.columns([4, 7], gap="large")
    with left:
        requirements(now.requirements)
    with right:
        recommendations(now.requirements)


def requirements(form: RequirementsForm) -> None:
    """The form: task, data, budget and strategy."""
    _pick(TASK, form.task, "Task")
    st.markdown(":small[**THE DATA**]")
    if len(FIELDS[form.task]) > 1:
        _pick(DATA, form.data, "Kind of data")
    data = {
        name: Entry(
            label,
            default_text(form.task, name, form.kind),
            default_source(form.task, name, form.kind),
        )
        for name, label in input_knobs(form.task, form.kind).items()
    }
    _fields(form, data | {EXAMPLES: Entry("Training examples", "unknown")})
    st.markdown(":small[**THE BUDGET, AT MOST**]")
    budget = {
        name: Entry(limit.label, f"e.g. {limit.quantity.example}")
        for name, limit in LIMIT_FIELDS.items()
    }
    _fields(form, budget)
    latency = Entry("Latency on this machine", "e.g. 20 ms")
    _fields(form, {LATENCY: latency, BATCH.name: Entry("Batch", "1")})
    _pick(STRATEGY, form.strategy, "Strategy")


def _fields(form: RequirementsForm, fields: Mapping[str, Entry]) -> None:
    """Two in a row, on a narrow page too."""
    names = list(fields)
    for pair in zip_longest(names[::2], names[1::2]):
        for column, name in zip(st.columns(2, gap="small", wrap=False), pair, strict=True):
            if name:
                with column:
                    _field(form, name, fields[name])


def _pick(knob: Knob, value: str, label: str) -> None:
    key = f"ask.{knob.name}"
    shown = session.widget(key, value, index=knob.options.index(value))
    rules: dict[str, Any] = {
        "help": plain(knob.help),
        "on_change": _choose,
        "args": (knob.name, key),
    }
    st.selectbox(plain(label), knob.options, format_func=_words, **shown, **rules)


def _words(option: str) -> str:
    return option.capitalize().replace("-", " ")


def _choose(name: str, key: str) -> None:
    if session.user_changed(key):
        now = session.current()
        form = replace(now.requirements, **{name: session.value(key)})
        session.commit(replace(now, requirements=form))


def _field(form: RequirementsForm, name: str, entry: Entry) -> None:
    key = f"ask.{name}"
    shown = session.widget(key, form.text(name), value=form.text(name))
    rules: dict[str, Any] = {"max_chars": MOST, "on_change": _set_text, "args": (name, key)}
    text = plain(entry.help) if entry.help else None
    st.text_input(plain(entry.label), placeholder=entry.hint, help=text, **rules, **shown)


def _set_text(name: str, key: str) -> None:
    if session.user_changed(key):
        now = session.current()
        session.commit(
            replace(now, requirements=now.requirements.with_text(name, session.value(key)))
        )


def recommendations(form: RequirementsForm) -> None:
    """The choices as they are found; the page is drawn again with each, until the last is there."""
    try:
        request = form.request
    except DesignError as refusal:
        _warning(f"{refusal}")
        return
    found = session.bench().recommend(request, session.name())
    if isinstance(found, Failed):
        _warning(f"The sizes could not be counted: {found.reason}")
        return
    answer = found.value if isinstance(found, Ready) else None
    if isinstance(found, Waiting):
        answer = found.so_far
        poll(lambda: _progress(form, found), lambda: _is_unchanged(request, found), waits=True)
    if answer and answer.refusal:
        _warning(answer.refusal)
        if nearest := answer.nearest:
            st.button("Open the nearest design", on_click=_open, args=(nearest,))
    elif answer and answer.choices:
        _choices(answer, form, isinstance(found, Ready))


def _is_unchanged(request: RecommendationRequest, found: Waiting[Answer]) -> bool:
    """Whether no other family has been sized since."""
    now = session.bench().recommend(request, session.name())
    return isinstance(now, Waiting) and now.progress == found.progress


def _progress(form: RequirementsForm, found: Waiting[Answer]) -> None:
    count = len(families_for(form.task))
    counted = SIZING.format(round(found.progress * count), count)
    st.progress(found.progress, plain(TIMING if form.text(LATENCY) else counted))


def _warning(sentence: str) -> None:
    end = "" if sentence.endswith("?") else "."
    sentence = sentence[0].upper() + sentence[1:] + end
    st.warning(plain(sentence), icon=":material/block:")


def _choices(found: Answer, form: RequirementsForm, is_over: bool) -> None:
    if is_over:
        html(f'<div class="choice">{escape(found.why)}</div>')
        tradeoff_chart(form, found.choices, session.current().workload)
    for rank, choice in enumerate(found.choices, 1):
        if rank <= FULL:
            with st.container(border=True):
                choice_card(choice, rank, form)
        else:
            with st.expander(plain(f"{rank} · {choice.title} · {_compute(choice)}")):
                choice_card(choice, rank, form)


def choice_card(choice: Choice, rank: int, form: RequirementsForm) -> None:
    """One recommended design: cost, reasons, doubts, and a button to open it."""
    html(f'<div class="choice">{"".join(_parts(choice, rank, form))}</div>')
    if choice.cost:
        st.caption(f"What it costs: {trusted(choice.cost)}")
    with st.container(horizontal=True, gap="small"):
        st.button(
            "Open this design",
            key=f"open.{rank}",
            type="primary" if rank == 1 else "secondary",
            on_click=_open,
            args=(choice.design,),
        )
        more = session.mine().sizes_of == choice.design
        st.button(
            "Fewer sizes" if more else "Other sizes of this family",
            key=f"sizes.{rank}",
            on_click=_ask_sizes,
            args=(None if more else choice.design,),
        )
    if more:
        size_chart(form.brief, choice.design)


def _open(design: Design) -> None:
    session.commit(open_design(session.current(), design))


def _ask_sizes(design: Design | None) -> None:
    session.mine().sizes_of = design
    session.keep_state()


def _parts(choice: Choice, rank: int, form: RequirementsForm) -> Iterator[str]:
    family = choice.design.family.title
    yield f"<h5>{rank} · {escape(choice.title)} <small>{escape(family)}</small></h5>"
    if choice.knobs:
        yield f'<div class="knobs">{escape(choice.knobs)}</div>'
    cells = (f"<div><span>{name}</span><b>{value}</b></div>" for name, value in _costs(choice))
    yield f'<div class="costs">{"".join(cells)}</div>'
    if choice.share:
        share = f"{format_percent(choice.share)} of the binding limit"
        yield f'<div class="used" title="{share}"><i style="width:{choice.share:.1%}"></i></div>'
    words = (("for", choice.reasons), ("but", choice.doubts), ("bent", choice.notes))
    lines = (f'<li class="{kind}">{escape(line)}</li>' for kind, lines in words for line in lines)
    yield f"<ul>{''.join(lines)}</ul>"


def _costs(choice: Choice) -> Iterator[tuple[str, str]]:
    found: Profile = choice.profile
    yield "Input", " and ".join(units.shape(shape[1:]) for shape in found.inputs if shape[1:])
    yield "Parameters", units.count(found.params)
    yield "Compute, one example", _compute(choice)
    yield f"Inference, batch {found.batch}", units.size(found.inference_bytes)
    yield f"Training, batch {found.batch}", choice.training_memory


def _compute(choice: Choice) -> str:
    return units.macs(choice.profile.macs // choice.profile.batch)
