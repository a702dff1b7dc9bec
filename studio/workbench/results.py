"""Cached results about a workload: profile, graph, node details, exported script.

Everything here is a pure function of immutable values, so all sessions share the results, and
nothing is copied. The caches are keyed by what a result depends on, the design and its batch: a
change of device, dtype or layout does not compute them again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import torchinfo
from torchinfo.torchinfo import clear_cached_forward_pass

from studio.analysis.cost.layer_table import LayerRow, layer_rows
from studio.analysis.cost.profiler import Profile, profile, training_trace
from studio.analysis.cost.roofline import DeviceLimits, bottleneck
from studio.analysis.graph import layer_graph as drawn
from studio.analysis.inspect.node_details import NodeDetails, node_details
from studio.analysis.trace.building.meta_model import build_on_meta, example_on_meta
from studio.analysis.trace.tree import Trace
from studio.codegen.script import Script
from studio.drawing.graph import Edge, Graph, Node
from studio.exports import standalone_script
from studio.family import Design, Family
from studio.process.caching import bounded
from studio.records import place_label
from studio.workbench.compose.composition import InvalidComposition, valid_prefix
from studio.workbench.workload import Workload

Uses = tuple[Graph, Mapping[str, drawn.NodeUse]]
ITEM_BYTES = 2300  # of a graph for each box and edge


def profile_of(workload: Workload) -> Profile:
    """The profile, its training trace included."""
    found = profile(workload.design, workload.batch)
    training_trace(workload.design, workload.batch)
    return found


def graph_bytes(graph: Graph) -> float:
    """Approximate memory of a graph and its node uses in bytes, within a factor of 2.5."""
    return ITEM_BYTES * (len(graph.edges) + sum(1 for _ in graph.root.walk()))


def graph(workload: Workload) -> Graph:
    return graph_with_uses(workload)[0]


def graph_with_uses(workload: Workload) -> Uses:
    """The graph, and the modules or operations behind each node."""
    return _graph_with_uses(workload.design, workload.batch)


@bounded(megabytes=64, size=lambda found: graph_bytes(found[0]))
def _graph_with_uses(design: Design, batch: int) -> Uses:
    root, trained = profile(design, batch).root, training_trace(design, batch)
    return drawn.build_graph_with_uses(root, drawn.stage_titles(design.config), trained)


@bounded(megabytes=8)
def invalid_graph(family: Family, invalid: InvalidComposition) -> Graph:
    """The graph of the valid stages, followed by the first stage that does not fit."""
    legal = valid_prefix(family, invalid)
    label, facts = place_label(invalid.place, invalid.stages[invalid.at]), (invalid.fault,)
    fault = Node(id=invalid.place, label=label, detail="does not fit", kind="fault", facts=facts)
    if legal is None:
        return Graph(Node(id="", label=family.key, children=(fault,)), ())
    whole = drawn.build_graph(profile(Design(family, legal)).root, drawn.stage_titles(legal))
    return _graph_with_fault(whole, fault, invalid)


def _graph_with_fault(graph: Graph, fault: Node, invalid: InvalidComposition) -> Graph:
    """The graph with a fault node in place of its head (or of the only stage); edges into it show
    the shape that arrives and the one that the stage takes."""
    ended = {"head"} if invalid.at > 1 else {"head", "stages"}
    beyond = {
        node.id
        for child in graph.root.children
        if child.kind == "output" or child.id.partition(".")[0] in ended
        for node in child.walk()
    }
    children = tuple(child for child in graph.root.children if child.id not in beyond)
    edges = dict.fromkeys(
        replace(
            edge,
            target=fault.id,
            label=_mismatch_label(edge, invalid.stages[invalid.at].input_dims),
            at=(),
        )
        if edge.target in beyond
        else edge
        for edge in graph.edges
        if edge.source not in beyond
    )
    return Graph(replace(graph.root, children=(*children, fault)), tuple(edges))


def _mismatch_label(edge: Edge, wanted: str) -> str:
    """`(B, 196, 768) → takes (B, C, H, W)`."""
    return f"{edge.label_between(edge.source, edge.target)} → takes {wanted}"


def details_of(workload: Workload, node: str) -> NodeDetails | None:
    """Details of a node of the graph ("" is the whole model); None if there is no such node."""
    return _details_of(workload.design, workload.batch, node)


@bounded(megabytes=8)
def _details_of(design: Design, batch: int, node: str) -> NodeDetails | None:
    graph, uses = _graph_with_uses(design, batch)
    return node_details(node, graph, uses, profile(design, batch))


def training_trace_of(workload: Workload) -> Trace:
    """The trace in training mode, with the tensors that each layer saves for backward."""
    profile_of(workload)
    return training_trace(workload.design, workload.batch)


def layer_rows_of(workload: Workload) -> tuple[LayerRow, ...]:
    """The rows of the table of layers."""
    return _layer_rows_of(workload.design, workload.batch)


@bounded(megabytes=16)
def _layer_rows_of(design: Design, batch: int) -> tuple[LayerRow, ...]:
    return tuple(layer_rows(training_trace(design, batch)))


def limiting_resources(workload: Workload, device: DeviceLimits) -> list[str]:
    """The resource that limits each row of the table of layers on a device; empty for none."""
    return _limiting_resources(workload.design, workload.batch, device)


@bounded(megabytes=4)
def _limiting_resources(design: Design, batch: int, device: DeviceLimits) -> list[str]:
    """Cached: each row visits its whole subtree."""
    return [bottleneck(device, row.trace) or "" for row in _layer_rows_of(design, batch)]


def torchinfo_summary(design: Design, batch: int) -> str:
    """torchinfo's summary of the model, on the meta device. Takes up to seconds."""
    inputs = example_on_meta(design, batch)
    statistics = torchinfo.summary(
        build_on_meta(design),
        input_data=inputs,
        device="meta",
        verbose=0,
        depth=4,
        col_names=("output_size", "num_params", "mult_adds"),
    )
    text = str(statistics)
    clear_cached_forward_pass()  # torchinfo caches the last model of every class
    return text


def script_of(workload: Workload, link: str = "") -> Script:
    """The standalone script; the figures that it asserts are for batch 1."""
    return _script_of(workload.design, link)


@bounded(megabytes=16)
def _script_of(design: Design, link: str) -> Script:
    return standalone_script(design, link)
