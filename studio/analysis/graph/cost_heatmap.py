"""The cost of each node of a graph, its share of the total, and its colour in a heat map."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from studio.analysis import units
from studio.analysis.graph.layer_graph import NodeUse, module_paths, walk_with_repeats
from studio.drawing.decoration import Mark
from studio.drawing.graph import Figures, Graph, Node

ADAM_BYTES_PER_PARAMETER = 16  # in float32: weight, gradient and two moments
NO_SECONDS: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True)
class Metric:
    """What nodes are compared by: title, `total_text` as in "7 % of the parameters", how it is
    written, and how it is read from the figures of a node. Time has no `read`: it is measured."""

    title: str
    total_text: str
    write: Callable[[float], str]
    read: Callable[[Figures], float] | None = None


METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        "parameters": Metric(
            "Parameters", "the parameters", units.count, lambda found: found.params
        ),
        "macs": Metric("MACs", "the MACs", units.macs, lambda found: found.macs),
        "activations": Metric(
            "Saved activations",
            "the activations saved for the backward pass",
            units.size,
            lambda found: found.saved_bytes,
        ),
        "activation_count": Metric(
            "Activation count",
            "the activation count",
            units.count,
            lambda found: found.activation_count,
        ),
        "memory": Metric(
            "Training state",
            "the training state (parameters, gradients, Adam's states and saved activations; not"
            " all alive at the peak)",
            units.size,
            lambda found: ADAM_BYTES_PER_PARAMETER * found.params + found.saved_bytes,
        ),
        "time": Metric("Measured time", "the measured time", units.seconds),
    }
)
TIME = METRICS["time"]
DEFAULT_METRIC = METRICS["parameters"]


@dataclass(frozen=True)
class HeatScale:
    """From 0 to `top`, the largest value shown. Heat is the square root, so that a node with a
    quarter of the top is halfway: costs differ by orders of magnitude."""

    metric: Metric
    top: float

    def heat(self, value: float) -> float:
        """From 0 to 1; values above the top have the heat of the top."""
        return math.sqrt(min(max(value, 0.0) / self.top, 1.0)) if self.top else 0.0

    def value(self, heat: float) -> float:
        """The value with this heat."""
        return self.top * heat * heat


def node_costs(
    graph: Graph, metric: Metric, seconds: Mapping[str, float] = NO_SECONDS
) -> dict[str, float]:
    """The cost of each node in the whole model, with all repeats of it and of the blocks around it,
    so that the nodes of a block add up to the block. The root, "", is the total. `seconds` are
    measured times; a node without a measured time has no cost then."""
    if metric.read is None:
        known = {node.id for node in graph.root.walk()}
        return {name: time for name, time in seconds.items() if name in known}
    return {
        node.id: metric.read(node.figures) * times for node, times in walk_with_repeats(graph.root)
    }


def cost_shares(found: Mapping[str, float]) -> dict[str, float]:
    """Costs as shares of the total; empty if the total is 0."""
    whole = found.get("", 0.0)
    return {name: value / whole for name, value in found.items()} if whole else {}


def share_bars(graph: Graph, metric: Metric = DEFAULT_METRIC) -> dict[str, Mark]:
    """A bar on each node that has a share."""
    found = node_costs(graph, metric)
    return {
        name: Mark(share=share, note=_note(share, found[name], metric))
        for name, share in cost_shares(found).items()
        if name and share > 0
    }


@dataclass(frozen=True)
class HeatMap:
    """A graph whose nodes show their cost in one metric and are coloured by it."""

    graph: Graph
    marks: Mapping[str, Mark]
    scale: HeatScale


def heat_map(
    graph: Graph,
    metric: Metric,
    opened: Container[str] = (),
    seconds: Mapping[str, float] = NO_SECONDS,
) -> HeatMap:
    """The graph coloured by a metric, with the blocks in `opened` expanded. The hottest colour is
    that of the most expensive visible node that is not expanded."""
    found = node_costs(graph, metric, seconds)
    part = cost_shares(found)
    scale = HeatScale(
        metric, max((found.get(n.id, 0.0) for n in closed_nodes(graph, opened)), default=0.0)
    )
    marks, details = {}, {}
    for node, times in walk_with_repeats(graph.root):
        if node.id and node.id in found and node.kind not in ("input", "output", "fault"):
            value, share = found[node.id], part.get(node.id, 0.0)
            marks[node.id] = Mark(
                share=share or None,
                heat=scale.heat(value),
                note=_note(share, value, metric),
            )
            every = times * node.repeat  # it is coloured by all of them together
            one = metric.write(value / every)
            one = f"{every} × {one}" if every > 1 else one
            details[node.id] = f"{one} · {percent(share)}" if value else ""
    return HeatMap(replace(graph, root=_with_details(graph.root, details)), marks, scale)


def closed_nodes(graph: Graph, opened: Container[str]) -> Iterator[Node]:
    """The visible nodes that are not expanded."""
    return _closed_nodes(graph.root, opened)


def _closed_nodes(block: Node, opened: Container[str]) -> Iterator[Node]:
    for node in block.children:
        if node.children and node.id in opened:
            yield from _closed_nodes(node, opened)
        else:
            yield node


def _with_details(node: Node, details: Mapping[str, str]) -> Node:
    """The nodes with these details instead of their own; operator signs and tensors have no room
    for one."""
    detail = node.detail if node.is_symbol or node.kind == "parameter" else details.get(node.id, "")
    detail = node.detail if node.kind in ("input", "output", "fault") else detail
    return replace(
        node,
        detail=detail,
        children=tuple(_with_details(child, details) for child in node.children),
    )


def _note(share: float, value: float, metric: Metric) -> str:
    return f"{percent(share)} of {metric.total_text}: {metric.write(value)} in all"


def percent(share: float) -> str:
    """0.0713 -> "7.1 %"; tiny shares are "< 0.1 %"."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    return f"{100 * share:.{1 if 0 < share < 0.0995 else 0}f} %"


def node_seconds(uses: Mapping[str, NodeUse], times: Mapping[str, float]) -> dict[str, float]:
    """The seconds of each module node, from those of all modules by path: with all its repeats and
    those of the blocks around it. A module that is called again counts at its first call, as the
    profiler cannot separate its calls."""
    found: dict[str, float] = {}
    counted: set[str] = set()
    for name, use in uses.items():
        if use.call.trace.is_module:
            paths = [path for path in module_paths(name, uses) if path not in counted]
            known = [times[path] for path in paths if path in times]
            counted |= set(paths)
            if known:
                found[name] = sum(known)
    return found | ({"": times[""]} if "" in times else {})
