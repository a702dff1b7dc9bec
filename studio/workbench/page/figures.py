"""The headline figures of the page as texts: what each is, and its changes against where one came
from. The lines below a figure are HTML, since some link to a source.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from studio.analysis import units
from studio.analysis.cost.summary import CostSummary, cost_summary
from studio.quoting import link
from studio.workbench.page.state import State
from studio.workbench.workload import Workload

SAME = "unchanged"
REPOSITORY = re.compile(r"https?://(?:github\.com/)?([^\s,;)]+)")  # owner/repo, or host/path
URL = re.compile(r"https?://[^\s,;)]+")


@dataclass(frozen=True)
class Figure:
    """One headline figure: its name, how it is read and written, and its help."""

    name: str
    read: Callable[[CostSummary], float]
    write: Callable[[float], str]
    note: Callable[[CostSummary], str]
    help: str = ""
    notes: Callable[[CostSummary], str] = lambda _: ""  # added to the help, for one design
    lacks: Callable[[CostSummary], str] = lambda _: ""  # why a design has no such figure


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
        lambda found: found.causal_note,
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
        lambda found: found.training_bytes,
        units.size,
        lambda found: (
            f"Adam; {units.size(found.saved_bytes)} saved for backward, batch {found.batch}"
        ),
        "Peak memory of one training step in float32: the most that parameters, gradients, Adam's"
        " states and activations take at one time. On a CPU within 10 % of the tensors alive at the"
        " peak; kernel workspace and the CUDA context come on top. The Memory tab shows its parts.",
        lacks=lambda found: found.no_training,
    ),
)


def summary_of(workload: Workload) -> CostSummary:
    return cost_summary(workload.design, workload.batch)


def figure_help(figure: Figure, now: State) -> str:
    """The help of a figure, with the notes on this design."""
    return f"{figure.help} {figure.notes(summary_of(now.workload))}".strip()


def figure_text(figure: Figure, now: State) -> tuple[str, list[str]]:
    """The value of a figure for the page's workload, and the lines below it."""
    here = summary_of(now.workload)
    if why := figure.lacks(here):
        text = escape(f"cannot be trained at batch {here.batch}: {why}")
        return "—", [f'<p title="{escape(why)}">{text}</p>']
    value = figure.read(here)
    notes = [f"<p>{escape(figure.note(here))}</p>"]
    if figure is FIGURES[0] and (preset := now.design.preset) and preset.params:
        notes = [published_count(here.params, preset.params, preset.source)]
    for workload, label in now.others:
        if figure.lacks(summary_of(workload)):
            continue  # there is nothing to compare with
        before = figure.read(summary_of(workload))
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
