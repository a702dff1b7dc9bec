"""The visible graph as a table for screen readers: one row a box, in the order of the data flow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from studio.drawing.graph import Figures, Graph, Node
from studio.drawing.visible import join_labels, visible_graph

HEADERS = ("Box", "Inputs from", "Output", "Parameters", "MACs", "Saved for backward (bytes)")
NOTE = "Figures cover all repeats of a box, within one repeat of the block around it."


class NodeRow(NamedTuple):
    """One box.

    `depth`: number of open blocks around it. `inputs`: names of the boxes that feed it, including
    feedback from the previous repeat. `output`: shapes that it outputs. `figures`: the cost of all
    its repeats.
    """

    id: str
    name: str
    depth: int
    inputs: tuple[str, ...]
    output: str
    figures: Figures

    def cells(self, name: str, indent: float) -> str:
        """The cells as HTML, in the order of HEADERS. `name` is HTML; `indent` is rem per level."""
        figures = (self.figures.params, self.figures.macs, self.figures.saved_bytes)
        texts = (", ".join(self.inputs), self.output, *(f"{n:,}" if n else "–" for n in figures))
        first = f'<th scope="row" style="padding-left:{indent * self.depth:g}rem">{name}</th>'
        return first + "".join(f"<td>{escape(text)}</td>" for text in texts)


def header_cells() -> str:
    """The header cells as HTML."""
    return "".join(f'<th scope="col">{head}</th>' for head in HEADERS)


def node_rows(graph: Graph, opened: frozenset[str] = frozenset()) -> tuple[NodeRow, ...]:
    """One row for each visible box when the blocks in `opened` are open, in the order of the data
    flow. Boxes with the same label are numbered."""
    seen = visible_graph(graph, opened)
    nodes = [node for node in graph.root.walk() if node.id in seen.paths]
    names = unique_names(nodes)
    fed: dict[str, list[str]] = {}
    for edge in seen.edges:
        fed.setdefault(edge.target, []).append(names[edge.source])
    return tuple(
        NodeRow(
            id=node.id,
            name=names[node.id] + (f" × {node.repeat}" if node.repeat > 1 else ""),
            depth=len(seen.paths[node.id]) - 1,
            inputs=tuple(fed.get(node.id, ())),
            output=join_labels(seen.outputs.get(node.id, ())),
            figures=node.figures,
        )
        for node in nodes
    )


def unique_names(nodes: Sequence[Node]) -> dict[str, str]:
    """The labels of nodes by id; labels that occur more than once get a number."""
    total, number = Counter(node.label for node in nodes), Counter[str]()
    names = {}
    for node in nodes:
        number[node.label] += 1
        many = total[node.label] > 1
        names[node.id] = f"{node.label} ({number[node.label]})" if many else node.label
    return names
