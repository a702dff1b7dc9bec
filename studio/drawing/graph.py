"""The graph to draw, as frozen values: a tree of nodes (blocks have children) and the edges."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

DIM_NAMES = re.compile(r"\([^()]*\) = (?=\()")
Kind = Literal["input", "output", "module", "operation", "parameter", "fault"]


@dataclass(frozen=True)
class Figures:
    """The cost of one box.

    `params`: parameters, shared ones counted at their first use only. `macs`: multiply-accumulates
    of a forward pass. `saved_bytes`: tensors saved for the backward pass. `activation_count`:
    elements written by convolutions and matrix products.
    """

    params: int = 0
    macs: int = 0
    saved_bytes: int = 0
    activation_count: int = 0

    def __add__(self, other: Figures) -> Figures:
        return Figures(
            self.params + other.params,
            self.macs + other.macs,
            self.saved_bytes + other.saved_bytes,
            self.activation_count + other.activation_count,
        )

    def __sub__(self, other: Figures) -> Figures:
        return self + other * -1

    def __mul__(self, times: int) -> Figures:
        return Figures(
            self.params * times,
            self.macs * times,
            self.saved_bytes * times,
            self.activation_count * times,
        )


@dataclass(frozen=True, kw_only=True)
class Node:
    """One box. A node with children is a block, which can be drawn open or closed.

    `id`: path of the module, such as `blocks.0.attn`. `name`: what tells a block from others of the
    same class, shown on the frame of an open block. `repeat`: the number of consecutive identical
    blocks that are drawn as one, marked `× repeat`; `children` are those of one repeat. `facts`:
    lines of the tooltip (shapes, parameters, MACs). `figures`: the cost of all repeats, within one
    repeat of the parent. A node of kind `fault` is where an invalid network stops.
    """

    id: str
    label: str
    detail: str = ""
    name: str = ""
    kind: Kind = "module"
    repeat: int = 1
    facts: tuple[str, ...] = ()
    figures: Figures = Figures()
    children: tuple[Node, ...] = ()

    @property
    def is_symbol(self) -> bool:
        """True for an operation of one or two characters, such as +, drawn as a round symbol."""
        return self.kind == "operation" and len(self.label) <= 2 and not self.detail

    def walk(self) -> Iterator[Node]:
        """This node and all its descendants, in the order of the data flow."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True)
class Edge:
    """A tensor that flows from one node to another, anywhere in the tree.

    `feedback`: the tensor goes to the next repeat of the block around both nodes. `label`: its
    shape. An operation that is not drawn, such as flatten, can change the shape on the way; `at`
    then holds pairs (node id, shape) for both ends and for the blocks around each.
    """

    source: str
    target: str
    label: str = ""
    feedback: bool = False
    at: tuple[tuple[str, str], ...] = ()

    def label_between(self, source: str, target: str) -> str:
        """The shapes between two boxes: the ends of the edge, or blocks around them."""
        shapes = dict(self.at)
        left, entered = shapes.get(source, ""), shapes.get(target, "")
        if not (left and entered):
            return left or entered or self.label
        if without_dim_names(left) == without_dim_names(entered):
            return max(left, entered, key=lambda text: text != without_dim_names(text))
        return f"{left} → {without_dim_names(entered)}"


@dataclass(frozen=True)
class Graph:
    """A whole graph. The root is not drawn, only its descendants."""

    root: Node
    edges: tuple[Edge, ...]


def without_dim_names(label: str) -> str:
    """A shape label without names of dimensions: `(B, N, D) = (1, 197, 768)` as `(1, 197, 768)`."""
    return DIM_NAMES.sub("", label)
