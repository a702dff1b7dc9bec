"""The top of the page: what the design is, and its figures against where one came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from html import escape

import streamlit as st

from studio.analysis import units
from studio.analysis.cost.attention_cost import causal_note
from studio.analysis.cost.profiler import Profile
from studio.analysis.cost.starved_norm import batch_too_small, training_memory_text
from studio.analysis.trace.priority_lock import prioritize
from studio.app.markup import html, link, plain, trusted
from studio.family import Design
from studio.workbench import results
from studio.workbench.page.state import State

SAME = "unchanged"
REPOSITORY = re.compile(r"https?://(?:github\.com/)?([^\s,;)]+)")  # owner/repo, or host/path
URL = re.compile(r"https?://[^\s,;)]+")

# One style for all figures of the page. Colours are mixed from the text's own, so that they hold in
# the light and in the dark theme.
STYLE = """<style>
.stMainBlockContainer { padding-left: 2rem; padding-right: 2rem; }
.stSidebar .stVerticalBlock { gap: .55rem; }
.stSidebar .stColumn { min-width: 0; }
.figures { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: .5rem;
  font-variant-numeric: tabular-nums; }
/* Room for every line a card may come to have, so that nothing beneath the cards ever moves. */
.stMain { --high: 8.5rem; --lines: 1; }
@media (min-width: 641px) and (max-width: 1200px) { .stMain { --high: 10.9rem; --lines: 2; } }
/* Where the graph and the charts would have less than this each, one is beneath the other. */
.st-key-beside > div > .stHorizontalBlock { flex-wrap: wrap; }
.st-key-beside > div > .stHorizontalBlock > .stColumn { min-width: min(17rem, 100%); }
.figures.one { grid-template-columns: minmax(0, 1fr); }
.figure { border: 1px solid color-mix(in srgb, currentColor 16%, transparent); border-radius: .4rem;
  padding: .45rem .8rem .5rem; min-height: var(--high); line-height: 1.32;
  container-type: inline-size; }
.figure.short { min-height: calc(var(--high) - 3rem); }
@media (max-width: 640px) { .figures { grid-template-columns: repeat(2, minmax(0, 1fr)); } }
/* Beside the sidebar, the cards of a narrow page stand two and two; the latency card is as high. */
@media (min-width: 769px) and (max-width: 960px) {
  .stMain { --high: 8.5rem; }
  .figures:not(.one) { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .figures.one .figure { min-height: calc(2 * var(--high) + .5rem); }
  .figures.one .figure.short { min-height: calc(2 * var(--high) - 2.5rem); }
}
.stVerticalBlock:has(> .st-key-again) { position: relative; }
.st-key-again { position: absolute; top: 1.2rem; right: .6rem; width: auto; }
.stHorizontalBlock > :not(.stColumn):has([class*="st-key-downloads"]) { flex: 0 0 8.2rem; }
[class*="st-key-downloads"] button { white-space: nowrap; }
.st-key-measure { margin-top: -.5rem; }
.st-key-measure button { min-height: 2.5rem; }
.figure h6 { margin: 0; padding: 0; font-size: .8rem; font-weight: 500; opacity: .75; }
.figure h6[title] { cursor: help; text-decoration: underline dotted; text-underline-offset: .2em; }
.figure b { display: block; font-size: clamp(1rem, 14.5cqi, 1.65rem);
  font-weight: 600; line-height: 1.28; white-space: nowrap; letter-spacing: -.01em; }
.figure p { margin: 0; font-size: .78rem; opacity: .8; overflow-wrap: anywhere; }
.figure p[title] { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2;
  overflow: hidden; }
/* A reason that stands alone is whole; up to four lines of a measurement share the card. */
.figures.one p { -webkit-line-clamp: var(--lines); }
.figures.one p:nth-of-type(-n+2):nth-last-of-type(-n+2) { -webkit-line-clamp: 2; }
.figures.one p:nth-of-type(4) { -webkit-line-clamp: 1; }
.figures.one p:only-of-type { -webkit-line-clamp: none; }
.figure p a { color: inherit; }
.figure p.tick { color: light-dark(#1b6e42, #6fd19c); opacity: 1; }
.figure p.moved { font-weight: 600; opacity: 1; }
</style>"""


@dataclass(frozen=True)
class Figure:
    """One headline figure: its name, how it is read from a profile and written, and its help."""

    name: str
    read: Callable[[Profile], float]
    write: Callable[[float], str]
    note: Callable[[Profile], str]
    help: str = ""
    notes: Callable[[Profile], str] = lambda _: ""  # added to the help, for one design
    lacks: Callable[[Profile], str] = lambda _: ""  # why a design has no such figure


FIGURES = (
    Figure(
        "Parameters",
        lambda found: found.params,
        units.count,
        lambda found: f"{units.size(found.parameter_bytes)} in float32",
    ),
    Figure(
        "Compute, one forward pass",
        lambda found: found.macs,
        units.macs,
        lambda found: f"= {units.macs(found.flops).removesuffix('MACs')}FLOPs, batch {found.batch}",
        "Multiply-accumulates of convolutions and matrix products; one MAC is two FLOPs. timm's"
        " numbers are 1 to 6 % higher, since it counts norms. YOLO's published FLOPs are those of"
        " the fused network.",
        lambda found: causal_note(found.root),
    ),
    Figure(
        "Peak activation memory",
        lambda found: found.activation_bytes,
        units.size,
        lambda found: f"inference, batch {found.batch}",
        "The most bytes of activations alive at once in a forward pass, inputs and outputs"
        " included. Not the activation count of RegNet, timm and fvcore (elements that"
        " convolutions and matrix products write), which the command line and the Layers tab give.",
    ),
    Figure(
        "Training memory",
        lambda found: found.training_bytes(),
        units.size,
        lambda found: (
            f"Adam; {units.size(found.saved_bytes)} saved for backward, batch {found.batch}"
        ),
        "Peak memory of one training step in float32: the most that parameters, gradients, Adam's"
        " states and activations take at one time. On a CPU within 10 % of the tensors alive at the"
        " peak; kernel workspace and the CUDA context come on top. The Memory tab shows its parts.",
        lacks=lambda found: batch_too_small(found.design, found.batch),
    ),
)


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
    html(f'{STYLE}<div class="figures">{"".join(cells)}</div>', links)


def card(name: str, value: str, notes: Iterable[str], kind: str = "figure", help: str = "") -> str:
    """A figure as HTML. `notes` are HTML."""
    head = f'<h6 title="{escape(help)}">' if help else "<h6>"
    below = "".join(notes)
    return f'<div class="{kind}">{head}{escape(name)}</h6><b>{escape(value)}</b>{below}</div>'


def figure_help(figure: Figure, now: State) -> str:
    """The help of a figure, with the notes on this design."""
    return f"{figure.help} {figure.notes(results.profile_of(now.workload))}".strip()


def figure_text(figure: Figure, now: State) -> tuple[str, list[str]]:
    """The value of a figure for the page's workload, and the lines below it."""
    here = results.profile_of(now.workload)
    if why := figure.lacks(here):
        return "—", [
            f'<p title="{escape(why)}">{escape(training_memory_text(here))}: {escape(why)}</p>'
        ]
    value = figure.read(here)
    notes = [f"<p>{escape(figure.note(here))}</p>"]
    if figure is FIGURES[0] and (preset := now.design.preset) and preset.params:
        notes = [published_count(here.params, preset.params, preset.source)]
    for workload, label in now.others:
        if figure.lacks(results.profile_of(workload)):
            continue  # there is nothing to compare with
        before = figure.read(results.profile_of(workload))
        notes.append(change_line(change(value, before, figure.write), label))
    return figure.write(value), notes


def published_count(ours: int, params: int, source: str) -> str:
    """The published number of parameters with its source, and a tick where ours is equal."""
    mark, word, tick = ("✓ ", "matches", ' class="tick"') if ours == params else ("", "in", "")
    short = REPOSITORY.sub(r"\1", source)
    return (
        f'<p{tick} title="{escape(source)}">{mark}{params:,}, {word}'
        f" <small>{link_to_source(short, source)}</small></p>"
    )


def link_to_source(text: str, source: str) -> str:
    """A text as HTML, linked to the address in its source where there is one."""
    address = URL.search(source)
    return link(text, address.group()) if address else escape(text)


def change_line(change: str, label: str) -> str:
    """A line below a figure: its change against the previous or the pinned workload."""
    moved = "" if change == SAME else ' class="moved"'
    text = f"{escape(change)} vs {label}"
    return f'<p{moved} title="{text}">{text}</p>'


def change(value: float, before: float, write: Callable[[float], str]) -> str:
    """The change of a figure: `+7.1 M (×1.33)`, without a ratio of 1.00, or `unchanged`."""
    if value == before:
        return SAME
    sign = "+" if value > before else "−"
    ratio = f"{value / before:.3g}" if before else "1"
    return f"{sign}{write(abs(value - before))}" + (f" (×{ratio})" if ratio != "1" else "")
