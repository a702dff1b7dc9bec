"""All there is to know about one node of a layer graph, as a value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from studio.analysis import units
from studio.analysis.cost.attention_cost import Growth, growth
from studio.analysis.cost.profiler import Profile, training_trace
from studio.analysis.cost.saved_tensors import Kept
from studio.analysis.graph.layer_graph import Use, modules, walked
from studio.analysis.inspect.formulas import node_cost
from studio.analysis.inspect.formulas.formula import Formula, Names
from studio.analysis.inspect.formulas.layer_cost import Axes
from studio.analysis.inspect.formulas.node_cost import tensor_shapes
from studio.analysis.inspect.receptive_field import Field, fields
from studio.analysis.names.purpose import purpose_of
from studio.analysis.trace.tree import Call, Shape
from studio.drawing.graph import Graph, Node

HELD = "Training state"
MEANING = (  # said of every sum: the model's is more than the peak of its training memory
    "parameters, gradients, optimizer states (Adam) and saved activations of this block; not all"
    " alive at the peak"
)


@dataclass(frozen=True)
class Flow:
    """A tensor that goes in or comes out: its shape, and how its axes are called."""

    shape: Shape
    names: Names = ()


@dataclass(frozen=True)
class Cost:
    """One figure of a node: its formula, and what part of the model it is, with all repeats of the
    node and of the blocks around it (`times` the total); `whole` is 0 where there is no such share.
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
class Inspection:
    """What a node is and what it costs.

    `kind` is its class, or the operation; `settings` its arguments, `held` what a module of one's
    own holds of them. `repeat` equal neighbours are one node, `times` is how often the blocks
    around them repeat. `modules` are the paths of the modules it stands for, empty for what is no
    module. `source` are the classes whose lines tell of it: its own, else the one that calls it.
    `purpose` is what it is for, in a sentence.
    """

    id: str
    label: str
    kind: str
    settings: str
    repeat: int
    times: int
    inputs: tuple[Flow, ...]
    outputs: tuple[Flow, ...]
    costs: tuple[Cost, ...]
    held: str = ""
    fields: tuple[Field, ...] = ()
    growth: Growth | None = None
    modules: tuple[str, ...] = ()
    source: tuple[str, ...] = ()
    purpose: str = ""


def inspect(
    name: str, graph: Graph, uses: Mapping[str, Use], profile: Profile
) -> Inspection | None:
    """The node of that id in a design's graph; "" is the whole model. None where there is none."""
    found = next((pair for pair in walked(graph.root) if pair[0].id == name), None)
    if found is None:
        return None
    node, times = found
    use = uses.get(name) if name else whole(profile)
    if use is None:
        return _tensor(node, times, graph.root, uses, profile)
    body, axes = use.call.body, axes_of(use)
    return Inspection(
        id=name,
        label=node.label,
        kind=body.kind,
        purpose=purpose_of(body),
        settings=body.settings,
        repeat=node.repeat,
        times=times,
        inputs=_flows(body.inputs, axes.inputs),
        outputs=_flows(body.outputs, axes.outputs),
        costs=tuple(_costs(node, use, times, axes, profile, graph.root)),
        held=_held(use),
        fields=fields(name, profile.root, uses) if name else (),
        growth=growth(body),
        modules=modules(name, uses) if body.is_module else (),
        source=tuple(cls.__name__ for cls in (body.cls, use.within.cls) if cls),
    )


def _held(use: Use) -> str:
    """What all that the node stands for hold; empty where they differ in it."""
    if use.repeat == 1:
        return use.call.body.held
    calls = use.within.calls
    first = next(i for i, call in enumerate(calls) if call is use.call)
    held = {call.body.held for call in calls[first : first + use.repeat]}
    return held.pop() if len(held) == 1 else ""


def whole(profile: Profile) -> Use:
    """The use of the model itself."""
    trained = training_trace(profile.design, profile.batch)
    kept = Kept(trained.saved_bytes, {})
    return Use(Call("", profile.root, ()), 1, profile.root, 1, ((trained, kept),))


def axes_of(use: Use) -> Axes:
    """How the axes of what flows in and out of a call are named."""
    return Axes(*(tuple(names or () for names in side) for side in use.axes))


def _flows(shapes: tuple[Shape, ...], names: tuple[Names, ...]) -> tuple[Flow, ...]:
    known = names or ((),) * len(shapes)
    return tuple(Flow(shape, axes) for shape, axes in zip(shapes, known, strict=True))


def _costs(
    node: Node, use: Use, times: int, axes: Axes, profile: Profile, root: Node
) -> Iterator[Cost]:
    total, memory = root.figures, node_cost.memory(node, use)
    counted = node_cost.parameters(node, use, axes)
    yield Cost("Parameters", counted, times, total.params, units.count)
    yield Cost("MACs", node_cost.macs(node, use, axes), times, total.macs, units.macs)
    saved = node_cost.saved(node, use, axes)
    yield Cost("Saved activations", saved, times, total.saved_bytes, units.size)
    yield held(memory, times)


def held(memory: Formula, times: int) -> Cost:
    """What of a block is alive at some time of a training step. No share is told: nothing that is
    shown is the sum of it over the blocks."""
    return Cost(
        HELD, replace(memory, note=MEANING) if memory.total else memory, times, 0, units.size
    )


def _tensor(
    node: Node, times: int, root: Node, uses: Mapping[str, Use], profile: Profile
) -> Inspection:
    """A parameter that joins the flow, or an end of the network."""
    shape = _shape(node, uses, profile)
    flow = (Flow(shape),) if shape is not None else ()
    counted = node_cost.of_tensor(shape or (), bool(node.figures.params))
    memory = node_cost.memory(node, None)
    costs = (
        Cost("Parameters", counted, times, root.figures.params, units.count),
        held(memory, times),
    )
    return Inspection(
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


def _shape(node: Node, uses: Mapping[str, Use], profile: Profile) -> Shape | None:
    if node.kind == "parameter":
        return tensor_shapes(profile.root, uses).get(node.id)
    ends = {"input": profile.inputs, "output": profile.output_shapes}.get(node.kind, ())
    at = int(node.id.removeprefix(node.kind) or 0) if ends else 0
    return ends[at] if at < len(ends) else None
