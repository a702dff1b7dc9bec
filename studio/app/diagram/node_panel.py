"""Node details: shapes, costs with their formulas, measured time, receptive field, source."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import replace
from html import escape

import streamlit as st

from studio.advice.choice_text import as_clause
from studio.analysis import units
from studio.analysis.cost.attention_cost import AttentionCost
from studio.analysis.graph.cost_heatmap import percent
from studio.analysis.inspect.node_details import CostItem, NodeDetails, TensorInfo
from studio.analysis.inspect.receptive_field import ReceptiveField
from studio.analysis.names.dim_names import shape_text
from studio.analysis.names.purpose import purpose
from studio.app import session
from studio.app.diagram.colouring import compared_workload
from studio.app.diagram.layer_diff import with_sign
from studio.app.diagram.layer_timing import layer_times
from studio.app.links import page_link
from studio.app.markup import html, plain
from studio.drawing.graph import Node
from studio.workbench import results
from studio.workbench.compose import composition
from studio.workbench.page.state import State
from studio.workbench.workload import Workload

HINT = "Click a block to open it; click a layer to see where its cost comes from."
REMOVED = "<small>Removed. In the pinned design:</small>"
STYLE = """<style>
.st-key-node-panel { position: relative; }
.st-key-unselect { position: absolute; top: .35rem; right: .8rem; width: auto; }
:has(> .st-key-over) { position: sticky; bottom: 0; z-index: 9; }
.st-key-over .st-key-node-panel { max-height: 36vh; overflow-y: auto; background: SHEET;
  box-shadow: 0 -.3rem 1rem rgb(0 0 0 / 18%); }
@media (max-width: 768px) {
  .stMain .st-key-node-panel { position: fixed; inset: auto 0 0 0; z-index: 99; max-height: 46vh;
    overflow-y: auto; background: SHEET; box-shadow: 0 -.3rem 1rem rgb(0 0 0 / 25%); }
}
.node-panel { font-size: .8rem; line-height: 1.4; font-variant-numeric: tabular-nums; }
.node-panel h6 { margin: 0 0 .1rem; padding: 0; font-size: .95rem; font-weight: 600; }
.node-panel p { margin: 0 0 .2rem; font-size: .8rem; }
.node-panel h6 small { font-weight: 400; opacity: .75; }
.node-panel dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem .8rem;
  margin: .3rem 0 0; }
.node-panel dl dt, .node-panel dl dd { margin: 0; padding: 0; font-size: .8rem; }
.node-panel dt { opacity: .75; font-weight: 400; }
.node-panel dd { overflow-wrap: anywhere; }
.node-panel dd b { font-weight: 600; }
.node-panel dd div { font-family: 'Source Code Pro', ui-monospace, monospace; font-size: .72rem;
  opacity: .85; }
</style>""".replace("SHEET", "var(--st-background-color, light-dark(#fffdf8, #14181f))")


def node_panel(now: State, node: Node) -> None:
    """Details of the selected node, and its source on demand; a sheet at the bottom of a narrow
    screen."""
    with st.container(border=True, key="node-panel", gap="xsmall"):
        _details(now, node)
        st.button("Close", key="unselect", type="tertiary", on_click=_unselect)


def _unselect() -> None:
    session.commit(replace(session.current(), node=""))


def _details(now: State, node: Node) -> None:
    found = None if now.invalid_composition else results.details_of(now.workload, node.id)
    pinned = None if now.invalid_composition else compared_workload(now)
    alike = pinned and pinned.design.family is now.design.family  # else no layer can be aligned
    before = results.details_of(pinned, node.id) if pinned and alike else None
    if found:
        html(f"{STYLE}{details_html(found, now.workload, before)}")
        if found.source:
            source_expander(now, found)
    elif pinned and before:
        html(f"{STYLE}{REMOVED}{details_html(before, pinned)}")
    else:  # a node of an invalid composition
        html(f"{STYLE}<small>{node_text(node)}</small>")


def node_text(node: Node) -> str:
    """Label and facts of a node whose cost is not known."""
    return " · ".join([f"<b>{escape(node.label)}</b>", *map(escape, node.facts)])


def details_html(found: NodeDetails, workload: Workload, before: NodeDetails | None = None) -> str:
    """The details as HTML, with the measured time, and cost differences from `before`."""
    lines = "".join(
        f"<dt>{name}</dt><dd>{text}</dd>" for name, text in _lines(found, workload, before)
    )
    times = f" × {found.repeat}" if found.repeat > 1 else ""
    place = f"<small>{escape(found.id)}</small>" if found.id != found.label else ""
    head = f"<h6>{escape(found.label)}{times} {place}</h6>"
    what = escape(purpose_of(found, workload))
    return f'<div class="node-panel">{head}<p>{what}</p><dl>{lines}</dl></div>'


def purpose_of(found: NodeDetails, workload: Workload) -> str:
    """What the node is for: by stage kind in a composition, else by class or operation."""
    rows = (
        dict(composition.stages_by_place(workload.design.config))
        if is_composition(workload)
        else {}
    )
    return purpose(type(rows[found.id])) if found.id in rows else found.purpose


def is_composition(workload: Workload) -> bool:
    return workload.design.family.is_composed


def _lines(
    found: NodeDetails, workload: Workload, before: NodeDetails | None
) -> Iterator[tuple[str, str]]:
    """Names and texts, as HTML."""
    yield from _signature(found)
    old = {cost.name: cost for cost in before.costs} if before else {}
    free = []
    for cost in found.costs:
        moved = _cost_change(old[cost.name], cost) if cost.name in old else ""
        if cost.formula.total or cost.formula.note or moved:
            yield escape(cost.name), _cost(cost, moved)
        else:
            free.append(as_clause(cost.name))
    if free:
        yield "Zero", escape(", ".join(free))
    if time := _time(found, workload):
        yield "Measured", time
    if found.attention:
        yield "Attention", _attention_growth(found.attention)
    seen = (
        _receptive_field(field, many=len(found.receptive_fields) > 1)
        for field in found.receptive_fields
    )
    yield from (("Receptive field", text) for text in seen if text)


def _signature(found: NodeDetails) -> Iterator[tuple[str, str]]:
    """Constructor arguments, attributes, and the shapes of inputs and outputs."""
    kind = escape(found.kind) if found.kind != found.label else ""
    if made := " ".join(filter(None, (kind, escape(found.settings)))):
        yield "Arguments", made
    if found.attributes:
        yield "Attributes", escape(found.attributes)
    for name, flows in (("Inputs", found.inputs), ("Output", found.outputs)):
        if flows:
            yield name, _flows(flows)


def _flows(flows: tuple[TensorInfo, ...]) -> str:
    """Shapes; equal ones once, with their count."""
    texts = [shape_text(flow.names or None, flow.shape) for flow in flows]
    counted = {text: texts.count(text) for text in texts}
    return ", ".join(f"{n} × {escape(t)}" if n > 1 else escape(t) for t, n in counted.items())


def _cost_change(old: CostItem, new: CostItem) -> str:
    """Difference of a cost from the pinned design; empty if there is none."""
    delta = new.formula.total - old.formula.total
    return f"{with_sign(new.write)(delta)} vs pinned" if delta else ""


def _cost(cost: CostItem, moved: str = "") -> str:
    """The total, its share of the model, and the formula."""
    total, times = cost.formula.total, cost.times
    exact = f"<b>{cost.write(total)}</b>"
    share = f" · {_share(cost.share)} of the model" if cost.whole and cost.share < 1 else ""
    again = f", {times:,} times" if times > 1 else ""
    unit = " B" if cost.write is units.size else ""
    steps = escape(cost.formula.text()).replace("*", "·") + unit
    note = escape(cost.formula.note)
    other = f" · <b>{escape(moved)}</b>" if moved else ""
    return f"{exact}{again}{share}{other}<div>{steps}</div>{note}"


def _share(part: float) -> str:
    """A share in percent, as HTML: a small one is `< 0.1 %`."""
    return escape(percent(part))


def _time(found: NodeDetails, workload: Workload) -> str:
    """Measured time of the modules that the node represents; empty if not timed."""
    times = layer_times(workload)
    known = [times[path].total_s for path in found.modules if path in times]
    if not known:
        return ""
    whole = times[""].total_s if "" in times else 0.0
    share = f" · {_share(sum(known) / whole)} of a forward pass" if whole else ""
    return f"<b>{units.seconds(sum(known))}</b>{share}"


def _attention_growth(found: AttentionCost) -> str:
    """The share of MACs that grows quadratically with the tokens, and where it exceeds half."""
    share = _share(found.macs / found.total_macs) if found.total_macs else ""
    tokens = (
        f"{found.queries:,} tokens"
        if found.queries == found.keys
        else f"{found.queries:,} queries and {found.keys:,} keys"
    )
    meets = f", half from {found.crossover_tokens:,} tokens" if found.crossover_tokens else ""
    part = "" if found.macs == found.total_macs else f": {share} of this block's MACs at {tokens}"
    return f"grows with {found.law}{part}{meets}"


def _receptive_field(field: ReceptiveField, many: bool) -> str:
    """Receptive field of one output value in an input."""
    name = f"input {field.input + 1}" if many else "input"
    if field.all_by:
        return f"the whole {name} ({escape(field.all_by)})"
    if field.size is None:
        return ""
    size, grid = (" × ".join(map(str, sides)) for sides in (field.size, field.grid))
    return f"{size} of the {grid} {name}"


def source_expander(now: State, found: NodeDetails) -> None:
    """The class in the exported file, with its line numbers."""
    with st.expander("Source", key="source", on_change=session.keep_state) as shown:
        if not shown.open:
            return
        text = results.script_of(now.workload, page_link(now)).text
        name, first, lines = excerpt(text, found.source)
        if not name:
            st.caption("A PyTorch layer; the exported file imports it.")
            return
        last = first + len(lines) - 1
        st.caption(f"`{plain(name)}`, lines {first:d} to {last:d} of the exported file")
        st.code("\n".join(lines), language="python")


def excerpt(text: str, names: tuple[str, ...]) -> tuple[str, int, list[str]]:
    """The first of these classes that a file defines: its name, its first line and all its lines;
    an empty name if it defines none."""
    classes = {n.name: n for n in ast.parse(text).body if isinstance(n, ast.ClassDef)}
    for name in names:
        if name in classes:
            node = classes[name]
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            return name, first, text.splitlines()[first - 1 : node.end_lineno]
    return "", 0, []
