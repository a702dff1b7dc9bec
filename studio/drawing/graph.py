"""A graph to draw: a tree of nodes (blocks hold children) and edges between them, as values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

DIM_NAMES = re.compile(r"\([^()]*\) = (?=\()")
Kind = Literal["input", "output", "module", "operation", "parameter", "fault"]


@dataclass(frozen=True)
class Figures:
    """What a box costs: parameters that no box before it has, multiply-accumulates of a forward
    pass, the activations in bytes that are kept for the backward pass, and the activation count:
    elements that convolutions and matrix products write."""

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
    """One box. `id` is its path (`blocks.0.attn`); a node with children is a block that opens, and
    then has its `own` name among its like on its frame.

    `repeat` equal neighbours are drawn as one block marked `× repeat`: its children are those of
    one of them. `facts` are short lines for the reader who looks closer (shapes, parameters, MACs).
    `figures` are those of all repeats together, within one of the block around it. A `fault` is
    where a network breaks off.
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
    """Data that flows from one node to another; both ends may lie anywhere in the tree. What flows
    back is for the next repeat of the block around both, `again`.

    `label` is what flows. Where it has another shape on its way (a flatten is no box), `at` says
    what leaves and enters each box at its ends: the ends themselves, and the blocks around each.
    """

    source: str
    target: str
    label: str = ""
    feedback: bool = False
    at: tuple[tuple[str, str], ...] = ()

    def label_between(self, source: str, target: str) -> str:
        """What flows, seen from a box around its source (or itself) to one around its target."""
        there = dict(self.at)
        left, entered = there.get(source, ""), there.get(target, "")
        if not (left and entered):
            return left or entered or self.label
        if without_dim_names(left) == without_dim_names(entered):
            return max(left, entered, key=lambda text: text != without_dim_names(text))
        return f"{left} → {without_dim_names(entered)}"


@dataclass(frozen=True)
class Graph:
    """The whole picture. The root itself is not drawn, only what is in it."""

    root: Node
    edges: tuple[Edge, ...]


def without_dim_names(label: str) -> str:
    """A label without the names of axes: the numbers alone."""
    return DIM_NAMES.sub("", label)
