"""From a trace to a layer graph: nested blocks, operations that compute, and the data between them.

Left out is what computes nothing (views, casts, dropout in evaluation mode), and what does not
depend on the input (initial zeros, position indices), unless it is a parameter or a buffer.
Consecutive calls of one trace become one node with a `repeat`. Edges run from the node that
computes the data to the node that uses it, at any depth, so that a residual can be followed into a
block.

Each stage of a composition is one node with a title, even if it computes nothing or equals its
neighbour.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from studio.analysis.cost.saves_per_call import CallSaves, Occurrence, SavedTensors, occurrences
from studio.analysis.graph.disambiguation import (
    NO_LABEL,
    NodeLabel,
    distinguishing_labels,
    output_size,
)
from studio.analysis.graph.node_text import (
    add_sizes_where_equal,
    call_node,
    is_constant,
    is_undrawn,
    parameter_node,
)
from studio.analysis.names import io_names
from studio.analysis.names.dim_letters import Alphabet, Scope
from studio.analysis.names.dim_names import (
    Dims,
    ForwardDims,
    IODims,
    name_dims,
    no_dims,
    shape_text,
)
from studio.analysis.trace.tree import INPUT, Call, Shape, Source, Trace
from studio.drawing.graph import Edge, Figures, Graph, Node
from studio.records import RecordKnob, knobs_of, place_label

NO_TITLES: Mapping[str, str] = MappingProxyType({})
LOOP_SOURCE = "↺"  # placeholder source of a repeated block whose first input is a constant (a loop)
NO_CROSSINGS: Mapping[str, str] = MappingProxyType({})


class NodeUse(NamedTuple):
    """The calls that a node stands for: `repeat` calls of one trace, made by `caller`.

    `outer_repeats` is how often the blocks around them repeat. `saved` is what each call saves for
    the backward pass, if known; `label` distinguishes the node from others of its class.
    """

    call: Call
    repeat: int
    caller: Trace
    outer_repeats: int
    saved: tuple[tuple[Trace, CallSaves], ...] = ()
    dims: IODims = IODims((), ())
    label: NodeLabel = NO_LABEL


class TensorOrigin(NamedTuple):
    """A tensor in the graph: the node that computed it, its shape there, and the text of its shape
    at each block border that it has crossed since."""

    node: str
    shape: Shape
    crossings: Mapping[str, str] = NO_CROSSINGS

    def crossing(self, box: str, shape: Shape, dims: Dims) -> TensorOrigin:
        """The same tensor after it has crossed the border of a box with this shape."""
        return self._replace(crossings={**self.crossings, box: shape_text(dims, shape)})


def stage_titles(config: Any) -> dict[str, str]:
    """The titles of the stages of a composition in its graph, by path: `1 Residual × 3`."""
    kinds = {name: k for name, k in knobs_of(config).items() if isinstance(k, RecordKnob)}
    stages = chain.from_iterable(k.entries(getattr(config, name)) for name, k in kinds.items())
    return {path: f"{place_label(path, stage)}{_times(stage)}" for path, stage in stages}


def _times(stage: Any) -> str:
    """The number of blocks of a stage that is scaled by depth, if there are several."""
    knob = knobs_of(stage).get("depth")
    depth = stage.depth if knob and knob.axis == "depth" else 1
    return f" × {depth}" if depth > 1 else ""


def build_graph(
    root: Trace, titles: Mapping[str, str] = NO_TITLES, training: Trace | None = None
) -> Graph:
    """The layer graph of a model traced in inference mode. Ids are module paths, the same at any
    depth. Bytes saved for the backward pass come from its trace in training mode."""
    return build_graph_with_uses(root, titles, training)[0]


def build_graph_with_uses(
    root: Trace, titles: Mapping[str, str] = NO_TITLES, training: Trace | None = None
) -> tuple[Graph, Mapping[str, NodeUse]]:
    """The layer graph, and the calls that each of its nodes stands for."""
    plan = GraphBuilder(titles, called_modules(root))
    local = name_dims(root, no_dims(root))
    scope = Scope.of(root, local, (None,) * len(root.inputs))
    dims = plan.alphabet.translate(scope, local.own.ins, root.inputs)
    inputs = _end_nodes("input", io_names.input_names(root), root.inputs, dims)
    given = [
        TensorOrigin(node.id, shape).crossing(node.id, shape, names)
        for node, shape, names in zip(inputs, root.inputs, dims, strict=True)
    ]
    here = BlockContext("", "", SavedTensors(training) if training else None, 1)
    children, made = plan.build_block(root, here, given, local, scope)
    dims = plan.alphabet.translate(scope, local.own.outs, root.outputs)
    outputs = _end_nodes("output", io_names.output_names(root), root.outputs, dims)
    for node, source, shape, names in zip(outputs, made, root.outputs, dims, strict=True):
        plan.connect(source, node.id, shape, names)
    saved = training.saved_bytes if training else 0
    figures = Figures(root.owned_params, root.macs, saved, root.activation_count)
    shown = (*inputs, *children, *outputs)
    whole = Node(id="", label=root.kind, children=shown, figures=figures)
    return Graph(whole, tuple(plan.edges)), MappingProxyType(plan.uses)


def _end_nodes(
    kind: Literal["input", "output"],
    names: Sequence[str],
    shapes: Sequence[Shape],
    dims: Sequence[Dims],
) -> tuple[Node, ...]:
    """The nodes where data enters or leaves the network."""
    texts = map(shape_text, dims, shapes)
    return tuple(
        Node(id=f"{kind}{i or ''}", label=name, detail=text, kind=kind, facts=(text,))
        for i, (name, text) in enumerate(zip(names, texts, strict=True))
    )


class BlockContext(NamedTuple):
    """The block being built: ids of its nodes begin with `path`, paths of its modules with
    `modules` (the same for a module that is called again); `saved` is what it saves for the
    backward pass, `times` how often it runs."""

    path: str
    modules: str
    saved: SavedTensors | None
    times: int

    def unboxed_saves(self, shown: Mapping[Occurrence, str]) -> dict[str, int]:
        """Bytes saved by calls without a node (dropout, which exists in training only), by the node
        of the call before, or of the first call."""
        found: dict[str, int] = {}
        owner = next(iter(shown.values()), "")
        for name, (_, saves) in self.saved.calls.items() if self.saved else ():
            owner = shown.get(name, owner)
            if owner and name not in shown and saves.nbytes:
                found[owner] = found.get(owner, 0) + saves.nbytes
        return found


def add_saved_bytes(node: Node, more: int) -> Node:
    """The node, and the last node inside it, with more bytes saved for the backward pass."""
    figures, children = node.figures + Figures(saved_bytes=more), node.children
    if children and node.repeat == 1:
        children = (*children[:-1], add_saved_bytes(children[-1], more))
    return replace(node, figures=figures, children=children)


@dataclass
class GraphBuilder:
    """Builds the tree of nodes and collects the edges.

    `uses` are the calls that nodes stand for, `counted` the parameters and modules counted so far.
    """

    stage_titles: Mapping[str, str]
    called_modules: Container[str]
    alphabet: Alphabet = field(default_factory=Alphabet)
    edges: list[Edge] = field(default_factory=list)
    uses: dict[str, NodeUse] = field(default_factory=dict)
    counted: set[str] = field(default_factory=set)

    def connect(
        self, source: TensorOrigin | None, target: str, shape: Shape, dims: Dims = None
    ) -> None:
        """Add an edge from the source's node, which says what leaves it and what enters the
        target."""
        if source is not None:
            there = source.crossing(target, shape, dims)
            self.edges.append(Edge(source.node, target, at=tuple(there.crossings.items())))

    def build_block(
        self,
        trace: Trace,
        block: BlockContext,
        inputs: Sequence[TensorOrigin | None],
        local: ForwardDims,
        scope: Scope,
    ) -> tuple[tuple[Node, ...], list[TensorOrigin | None]]:
        """The nodes of a trace's calls, and for each of its outputs the node that computes it.
        `local` are the dimension names in its forward, `scope` what their letters mean."""
        nodes: dict[str, Node] = {}
        made: list[list[TensorOrigin | None]] = []  # by call and output
        names = occurrences(trace.calls)
        words = distinguishing_labels(trace.calls, block.modules.removesuffix("."))
        own = dict((*trace.weights, *trace.buffers))
        shapes = own | dict(trace.external_tensors)

        def origin(source: Source | str | None) -> TensorOrigin | None:
            if isinstance(source, str):
                name = f"{block.path}{source}" if source in own else source
                nodes.setdefault(name, self._parameter(trace, block, name, source, shapes[source]))
                return TensorOrigin(name, shapes[source])
            if source is None:
                return None
            made_by = inputs if source.call == INPUT else made[source.call]
            return made_by[source.output]

        separate = {name.removeprefix(block.path) for name in self.stage_titles}
        shown: dict[Occurrence, str] = {}  # the node of each call
        for first, repeat in _runs(trace.calls, separate):
            call = trace.calls[first]
            sources = [origin(source) for source in call.sources]
            is_stage = f"{block.path}{call.name}" in self.stage_titles
            if is_constant(call.trace, fed=any(sources)):
                outputs: list[TensorOrigin | None] = [None] * len(call.trace.outputs)
            elif is_undrawn(call.trace) and not is_stage:
                outputs = [sources[0]] * len(call.trace.outputs)
            else:
                run = names[first : first + repeat]
                saves = block.saved.calls_of(run) if block.saved else ()
                label = words.get(call.name, NO_LABEL)
                ends = local.calls[first + repeat - 1]
                use = NodeUse(call, repeat, trace, block.times, saves, ends, label)
                node, outputs = self.build_call(use, block, run, sources, scope)
                spread = repeat == 1 and _is_list(call.trace) and not is_stage
                boxes = node.children if spread else (node,)
                nodes |= {box.id: box for box in boxes}
                shown |= dict.fromkeys(run, boxes[-1].id)
            made += [outputs] * repeat
        for name, more in block.unboxed_saves(shown).items():
            nodes[name] = add_saved_bytes(nodes[name], more)
        outs = [origin(source) for source in trace.returns]  # an output may be a parameter
        return self._distinct(nodes), outs

    def build_call(
        self,
        use: NodeUse,
        block: BlockContext,
        run: Sequence[Occurrence],
        sources: list[TensorOrigin | None],
        scope: Scope,
    ) -> tuple[Node, list[TensorOrigin | None]]:
        call, trace, saved = use.call, use.call.trace, block.saved
        again = f"#{run[0][1] + 1}" if run[0][1] else ""
        name = f"{block.path}{call.name}{again}"
        module = call.name if call.is_external else f"{block.modules}{call.name}"
        owned = trace.owned_params if self._count_once(module) else 0
        saved_bytes = sum(map(saved.bytes_of, run)) if saved else 0
        self.uses[name] = use
        mark, looped = len(self.edges), use.repeat > 1 and sources[0] is None
        if looped:
            sources = [TensorOrigin(LOOP_SOURCE, trace.inputs[0]), *sources[1:]]
        inner = saved.inside(run[min(1, len(run) - 1)]) if saved else None
        below = BlockContext(f"{name}.", f"{module}.", inner, use.outer_repeats * use.repeat)
        ins = self.alphabet.translate(scope, use.dims.ins, trace.inputs)
        given = [
            source and source.crossing(name, shape, names)
            for source, shape, names in zip(sources, trace.inputs, ins, strict=True)
        ]
        children: tuple[Node, ...] = ()
        outputs: list[TensorOrigin | None] = []
        if trace.calls:
            local = name_dims(trace, use.dims)
            inner_scope = Scope.of(trace, local, ins)
            children, outputs = self.build_block(trace, below, given, local, inner_scope)
        dims = IODims(ins, self.alphabet.translate(scope, use.dims.outs, trace.outputs))
        self.uses[name] = use._replace(dims=dims)
        own = [TensorOrigin(name, shape) for shape in trace.outputs]
        if not children:
            for source, shape, names in zip(given, trace.inputs, dims.ins, strict=True):
                self.connect(source, name, shape, names)
            outputs = list(own)
        if looped and outputs[0]:
            self._close_loop(mark, outputs[0].node)
        # A block may call a module of another block, which counts where it is first called.
        params = sum(child.figures.params for child in children) if children else owned
        work = trace.macs * use.repeat, saved_bytes, trace.activation_count * use.repeat
        figures = Figures(params * use.repeat, *work)
        title = self.stage_titles.get(name, "")
        label = NO_LABEL if title else use.label
        node = call_node(call, name, use.repeat, figures, children, dims, title, label)
        return node, [
            (made or mine).crossing(name, shape, names)
            for made, mine, shape, names in zip(outputs, own, trace.outputs, dims.outs, strict=True)
        ]

    def _distinct(self, nodes: Mapping[str, Node]) -> tuple[Node, ...]:
        sizes = {
            name: output_size(self.uses[name].call.trace) for name in nodes if name in self.uses
        }
        return add_sizes_where_equal(tuple(nodes.values()), sizes)

    def _close_loop(self, mark: int, end: str) -> None:
        """Feed a repeated block that begins with a constant from its own end, as all but the first
        repeat are. `mark` is the index of its first edge."""
        self.edges[mark:] = [
            replace(edge, source=end, feedback=True) if edge.source == LOOP_SOURCE else edge
            for edge in self.edges[mark:]
        ]

    def _count_once(self, name: str) -> bool:
        """Whether a module or tensor has not been counted yet; from now on it is."""
        new = name not in self.counted
        self.counted.add(name)
        return new

    def _parameter(
        self, trace: Trace, block: BlockContext, name: str, label: str, shape: Shape
    ) -> Node:
        """The node of a parameter or a buffer that is used directly. One of another module has its
        full path, and counts here only if that module is never called."""
        mine = dict(trace.weights)
        whole = f"{block.modules}{label}" if label in mine else label
        counts = label in mine or (
            label in dict(trace.external_tensors) and not self._is_called(label)
        )
        params = math.prod(shape) if counts and self._count_once(whole) else 0
        return parameter_node(name, label, shape, Figures(params))

    def _is_called(self, tensor: str) -> bool:
        return tensor.rpartition(".")[0] in self.called_modules


def called_modules(trace: Trace, path: str = "") -> frozenset[str]:
    """The paths of the called modules; of equal consecutive ones only the first."""
    found = set()
    for first, _ in _runs(trace.calls, ()):
        call = trace.calls[first]
        if call.trace.is_module:
            module = call.name if call.is_external else f"{path}{call.name}"
            found |= {module} | called_modules(call.trace, f"{module}.")
    return frozenset(found)


def _is_list(trace: Trace) -> bool:
    """Whether a Sequential is a plain list of blocks; one of layers is a block of its own."""
    return trace.kind == "Sequential" and any(call.trace.calls for call in trace.calls)


def _runs(calls: Sequence[Call], separate: Container[str]) -> Iterator[tuple[int, int]]:
    """(first, length) of each chain of calls of one trace that feed one another; calls in
    `separate` are chains of one."""
    first = 0
    while first < len(calls):
        end = first + 1
        while end < len(calls) and calls[end].name not in separate and _continues_run(calls, end):
            end += 1
        yield first, end - first
        first = end


def _continues_run(calls: Sequence[Call], number: int) -> bool:
    """Whether this call applies the module of the last call again, to the output of that call."""
    this, last = calls[number], calls[number - 1]
    return (
        this.trace is last.trace
        and this.name != last.name
        and this.trace.is_module
        and this.sources[:1] == (Source(number - 1),)
        and this.sources[1:] == last.sources[1:]
    )


def walk_with_repeats(node: Node, times: int = 1) -> Iterator[tuple[Node, int]]:
    """A node and everything below it, each with how often the blocks around it repeat."""
    yield node, times
    for child in node.children:
        yield from walk_with_repeats(child, times * node.repeat)


def module_paths(name: str, uses: Mapping[str, NodeUse]) -> tuple[str, ...]:
    """The paths of all modules that a node stands for; the model itself is ""."""
    if not name:
        return ("",)
    use = uses[name]
    calls = use.caller.calls
    first = next(i for i, call in enumerate(calls) if call is use.call)
    run = dict.fromkeys(call.name for call in calls[first : first + use.repeat])
    outer, _, number = name.rpartition("#")
    around = (outer if outer and number.isdigit() else name).removesuffix(use.call.name)
    above = module_paths(around.removesuffix("."), uses)
    return tuple(f"{path}.{one}".lstrip(".") for path in above for one in run)
