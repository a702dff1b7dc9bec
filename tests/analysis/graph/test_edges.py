"""The edges of every family's graph are its data flow, as autograd tells it.

Autograd is a witness of its own: the model runs on real numbers, and from the input of every layer
its graph is walked back to the outputs of the layers before. What is drawn between two layers
(operations, parameters) is contracted, and both must name the same pairs.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor, nn

from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.analysis.graph.layer_graph import NodeUse, build_graph_with_uses, stage_titles
from studio.analysis.trace.pytree import tensors_in
from studio.drawing.graph import Graph, Node
from studio.drawing.visible import visible_graph
from studio.family import Design, Family
from tests.designs import small

FAMILIES = list(zoo.families().values())
Pairs = set[tuple[str, str]]


Instances = Mapping[str, int]  # of each folded block on the way, which of its repeats


class Layer(NamedTuple):
    """The box of a layer, and which of the calls that it stands for."""

    box: str
    instances: Instances


class Witness:
    """Runs a model and notes from which layers' outputs each layer's inputs were made. `layers`
    are the drawn ones by the names of their calls."""

    def __init__(self, model: nn.Module, layers: Mapping[str, Layer]) -> None:
        self.layers = layers
        self.names = {module: name for name, module in model.named_modules()}
        self.calls: list[Call] = [Call("", "", Counter())]  # those under way
        self.made: dict[Any, Layer] = {}  # a step of autograd's -> the layer that ends with it
        self.kept: list[Any] = []  # so that no two steps share a place
        self.pairs: Pairs = set()
        for module in self.names:
            if module is not model:
                module.register_forward_pre_hook(self.begin)
                module.register_forward_hook(self.end)

    def begin(self, module: nn.Module, given: Any) -> None:
        around = self.calls[-1]
        path = self.names[module]
        name = path.removeprefix(f"{around.path}." if around.path else "")
        around.seen[name] += 1
        again = f"#{around.seen[name]}" if around.seen[name] > 1 else ""
        whole = f"{around.name}.{name}{again}" if around.name else f"{name}{again}"
        self.calls.append(Call(whole, path, Counter()))

    def end(self, module: nn.Module, given: Any, result: Any) -> None:
        layer = self.layers.get(self.calls.pop().name)
        if layer is None:
            return
        inputs = [t for t in tensors_in(given) if t.grad_fn is not None]
        outputs = [t for t in tensors_in(result) if t.grad_fn is not None]
        for source in chain.from_iterable(map(self.sources, inputs)):
            if not _is_from_repeat_to_repeat(source, layer):
                self.pairs.add((source.box, layer.box))
        self.made |= {tensor.grad_fn: layer for tensor in outputs}
        self.kept += inputs + outputs

    def sources(self, tensor: Tensor) -> list[Layer]:
        """The layers from whose outputs a tensor was made, without another layer between."""
        found, seen, waiting = [], set(), [tensor.grad_fn]
        while waiting:
            step = waiting.pop()
            if step in self.made:
                found.append(self.made[step])
            elif step is not None and step not in seen:
                seen.add(step)
                waiting += [before for before, _ in step.next_functions]
        return found


def _is_from_repeat_to_repeat(a: Layer, b: Layer) -> bool:
    """Of one folded block: that it feeds itself is what folding says, and is not drawn."""
    return any(b.instances.get(name, number) != number for name, number in a.instances.items())


class Call(NamedTuple):
    """A module call under way: the name of its box, the path of its module, and how often it has
    called each of its own."""

    name: str
    path: str
    seen: Counter[str]


def witnessed(design: Design, layers: Mapping[str, Layer]) -> Pairs:
    torch.manual_seed(0)
    model = design.family.model(design.config).eval().requires_grad_()
    witness = Witness(model, layers)
    model(*design.family.example(design.config, 2))
    return witness.pairs


def layers_of(graph: Graph, uses: Mapping[str, NodeUse]) -> dict[str, Layer]:
    """The drawn layers, by the names of all the calls that they stand for."""
    found: dict[str, Layer] = {}

    def visit(block: Node, before: str, after: str, instances: Instances) -> None:
        """`before` begins the ids in this block, `after` the names of the calls."""
        for node in block.children:
            if node.kind != "module":
                continue
            for i, name in enumerate(run(uses[node.id])):
                called = after + node.id.removeprefix(before).replace(uses[node.id].call.name, name)
                here = {**instances, node.id: i} if node.repeat > 1 else instances
                if is_layer(node):
                    found[called] = Layer(node.id, here)
                visit(node, f"{node.id}.", f"{called}.", here)

    visit(graph.root, "", "", {})
    return found


def run(use: NodeUse) -> list[str]:
    """The names of the calls that a node stands for."""
    first = next(i for i, call in enumerate(use.caller.calls) if call is use.call)
    return [call.name for call in use.caller.calls[first : first + use.repeat]]


def is_layer(node: Node) -> bool:
    return node.kind == "module" and not node.children


def contracted(graph: Graph) -> Pairs:
    """The pairs of drawn layers between which there are only operations."""
    nodes = {node.id: node for node in graph.root.walk()}
    after = defaultdict(list)
    for edge in graph.edges:
        after[edge.source].append(edge.target)

    def reached(name: str, seen: set[str]) -> Iterator[str]:
        for target in after[name]:
            if is_layer(nodes[target]):
                yield target
            elif target not in seen:
                seen.add(target)
                yield from reached(target, seen)

    layers = [name for name, node in nodes.items() if is_layer(node)]
    return {(name, target) for name in layers for target in reached(name, set())}


# Where a choice stands between two layers (which boxes to look at) there is data flow, but no
# gradient: autograd cannot be a witness of all that is drawn.
CHOOSING = {"faster_rcnn", "mask_rcnn"}


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_edges_between_layers_are_those_of_autograd(family: Family) -> None:
    design = small(family)
    graph, uses = build_graph_with_uses(profile(design, 2).root, stage_titles(design.config))
    found, seen = contracted(graph), witnessed(design, layers_of(graph, uses))
    assert seen - found == set()
    assert family.key in CHOOSING or found - seen == set()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_folded_edges_are_those_of_what_is_inside(family: Family) -> None:
    graph = build_graph_with_uses(
        profile(family.design()).root, stage_titles(family.design().config)
    )[0]
    inside = {node.id: top.id for top in graph.root.children for node in top.walk()}
    lifted = {(inside[edge.source], inside[edge.target]) for edge in graph.edges}
    drawn = {(edge.source, edge.target) for edge in visible_graph(graph, frozenset()).edges}
    assert drawn == {(a, b) for a, b in lifted if a != b}
