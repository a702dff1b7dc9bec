"""Everything known about one node of a layer graph, as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from studio.analysis import units
from studio.analysis.cost.attention_cost import AttentionCost, attention_cost
from studio.analysis.cost.profiler import Profile, training_trace
from studio.analysis.cost.saves_per_call import CallSaves
from studio.analysis.graph.layer_graph import NodeUse, module_paths, walk_with_repeats
from studio.analysis.inspect.formulas import node_cost
from studio.analysis.inspect.formulas.formula import Formula, Names
from studio.analysis.inspect.formulas.layer_cost import LayerDims
from studio.analysis.inspect.formulas.node_cost import tensor_shapes
from studio.analysis.inspect.receptive_field import ReceptiveField, receptive_fields
from studio.analysis.names.purpose import purpose_of
from studio.analysis.trace.tree import Call, Shape
from studio.drawing.graph import Graph, Node

TRAINING_STATE = "Training state"
# The sum over the model exceeds its peak training memory, so the note says what is summed.
TRAINING_STATE_NOTE = (
    "parameters, gradients, optimizer states (Adam) and saved activations of this block; not all"
    " alive at the peak"
)


@dataclass(frozen=True)
class TensorInfo:
    """An input or output: its shape and the names of its dimensions."""

    shape: Shape
    names: Names = ()


@dataclass(frozen=True)
class CostItem:
    """One cost of a node: its formula, and its share of the model's total.

    `times` is how often the blocks around the node repeat; `whole` is the total, 0 if there is no
    such share.
    """

    name: str
    formula: Formula
    times: int
    whole: int
    write: Callable[[float], str]

    @property
    def share(self) -> float:
        return self.formula.total * self.times / self.whole if self.whole else 0.0


@dataclass(frozen=True)
class NodeDetails:
    """What a node is and what it costs.

    `kind` is its class or operation, `settings` the arguments of a torch layer, `attributes` those
    stored on another module. `repeat` equal neighbours are one node, `times` is how often the
    blocks around them repeat. `modules` are the paths of its modules; empty for an operation.
    `source` are the classes whose lines define it: its own, else the one that calls it. `purpose`
    says what it is for, in one sentence.
    """

    id: str
    label: str
    kind: str
    settings: str
    repeat: int
    times: int
    inputs: tuple[TensorInfo, ...]
    outputs: tuple[TensorInfo, ...]
    costs: tuple[CostItem, ...]
    attributes: str = ""
    receptive_fields: tuple[ReceptiveField, ...] = ()
    attention: AttentionCost | None = None
    modules: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    purpose: str = ""


def node_details(
    name: str, graph: Graph, uses: Mapping[str, NodeUse], profile: Profile
) -> NodeDetails | None:
    """The details of a node in a design's graph; "" is the whole model. None if there is no such
    node."""
    found = next((pair for pair in walk_with_repeats(graph.root) if pair[0].id == name), None)
    if found is None:
        return None
    node, times = found
    use = uses.get(name) if name else model_use(profile)
    if use is None:
        return _tensor_details(node, times, graph.root, uses, profile)
    trace, dims = use.call.trace, layer_dims(use)
    return NodeDetails(
        id=name,
        label=node.label,
        kind=trace.kind,
        purpose=purpose_of(trace),
        settings=trace.settings,
        repeat=node.repeat,
        times=times,
        inputs=_tensor_infos(trace.inputs, dims.inputs),
        outputs=_tensor_infos(trace.outputs, dims.outputs),
        costs=tuple(_costs(node, use, times, dims, profile, graph.root)),
        attributes=_shared_attributes(use),
        receptive_fields=receptive_fields(name, profile.root, uses) if name else (),
        attention=attention_cost(trace),
        modules=module_paths(name, uses) if trace.is_module else (),
        source=tuple(cls.__name__ for cls in (trace.cls, use.caller.cls) if cls),
    )


def _shared_attributes(use: NodeUse) -> str:
    """The attributes that all modules of a node have in common; empty if they differ."""
    if use.repeat == 1:
        return use.call.trace.attributes
    calls = use.caller.calls
    first = next(i for i, call in enumerate(calls) if call is use.call)
    attributes = {call.trace.attributes for call in calls[first : first + use.repeat]}
    return attributes.pop() if len(attributes) == 1 else ""


def model_use(profile: Profile) -> NodeUse:
    """The use of the model itself."""
    trained = training_trace(profile.design, profile.batch)
    saves = CallSaves(trained.saved_bytes, {})
    return NodeUse(Call("", profile.root, ()), 1, profile.root, 1, ((trained, saves),))


def layer_dims(use: NodeUse) -> LayerDims:
    """The dimension names of the inputs and outputs of a call."""
    return LayerDims(*(tuple(names or () for names in side) for side in use.dims))


def _tensor_infos(shapes: tuple[Shape, ...], names: tuple[Names, ...]) -> tuple[TensorInfo, ...]:
    known = names or ((),) * len(shapes)
    return tuple(TensorInfo(shape, dims) for shape, dims in zip(shapes, known, strict=True))


def _costs(
    node: Node, use: NodeUse, times: int, dims: LayerDims, profile: Profile, root: Node
) -> Iterator[CostItem]:
    total, memory = root.figures, node_cost.memory_formula(node, use)
    counted = node_cost.parameter_formula(node, use, dims)
    yield CostItem("Parameters", counted, times, total.params, units.count)
    yield CostItem("MACs", node_cost.mac_formula(node, use, dims), times, total.macs, units.macs)
    saved = node_cost.saved_formula(node, use, dims)
    yield CostItem("Saved activations", saved, times, total.saved_bytes, units.size)
    yield training_state(memory, times)


def training_state(memory: Formula, times: int) -> CostItem:
    """Parameters, gradients, optimizer states and saved activations of a block. It has no share:
    the sum over the blocks is not a figure of the model."""
    return CostItem(
        TRAINING_STATE,
        replace(memory, note=TRAINING_STATE_NOTE) if memory.total else memory,
        times,
        0,
        units.size,
    )


def _tensor_details(
    node: Node, times: int, root: Node, uses: Mapping[str, NodeUse], profile: Profile
) -> NodeDetails:
    """A parameter that is used directly, or an input or output of the network."""
    shape = _shape(node, uses, profile)
    flow = (TensorInfo(shape),) if shape is not None else ()
    counted = node_cost.tensor_formula(shape or (), bool(node.figures.params))
    memory = node_cost.memory_formula(node, None)
    costs = (
        CostItem("Parameters", counted, times, root.figures.params, units.count),
        training_state(memory, times),
    )
    return NodeDetails(
        id=node.id,
        label=node.label,
        kind=node.kind,
        settings="",
        repeat=1,
        times=times,
        inputs=() if node.kind != "output" else flow,
        outputs=() if node.kind == "output" else flow,
        costs=costs if node.kind == "parameter" else (),
    )


def _shape(node: Node, uses: Mapping[str, NodeUse], profile: Profile) -> Shape | None:
    if node.kind == "parameter":
        return tensor_shapes(profile.root, uses).get(node.id)
    ends = {"input": profile.inputs, "output": profile.output_shapes}.get(node.kind, ())
    at = int(node.id.removeprefix(node.kind) or 0) if ends else 0
    return ends[at] if at < len(ends) else None
