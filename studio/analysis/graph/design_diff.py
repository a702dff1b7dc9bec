"""The difference between two designs of a family: in the graph, and layer by layer.

Nodes and layers with the same path are the same. In the graph a repeated block is compared as a
whole, and its inside within one of the repeats, so that another depth is one change; the rows of a
table include all repeats, since they add up.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from studio.analysis.cost.layer_table import LayerRow
from studio.analysis.graph.cost_heatmap import (
    DEFAULT_METRIC,
    NO_SECONDS,
    TIME,
    Metric,
    cost_shares,
    node_costs,
    percent,
)
from studio.analysis.graph.layer_graph import walk_with_repeats
from studio.drawing.decoration import Change, Mark
from studio.drawing.graph import Figures, Graph, Node

TIME_NOISE = 0.1  # measured times that differ by less count as equal
ENDS = ("input", "output", "fault")
MAX_FACTS = 3  # changed facts in a note
Seconds = Mapping[str, float]


@dataclass(frozen=True)
class GraphDiff:
    """One graph of both designs, with removed nodes at their old position with their edges, and for
    each node how it changed."""

    graph: Graph
    marks: Mapping[str, Mark]

    @property
    def is_empty(self) -> bool:
        return all(mark.change == "unchanged" for mark in self.marks.values())


def graph_diff(
    before: Graph,
    now: Graph,
    metric: Metric = DEFAULT_METRIC,
    seconds: tuple[Seconds, Seconds] = (NO_SECONDS, NO_SECONDS),
) -> GraphDiff:
    """The difference of two graphs in one metric; `seconds` are the measured times of each."""
    old, new = (
        _DesignCosts.of(graph, metric, times)
        for graph, times in zip((before, now), seconds, strict=True)
    )
    both = _GraphPair(old, new, metric)
    root = both.merge(now.root)
    changes = both.changes(root)
    gone = {name for name, change in changes.items() if change == "removed"}
    named = {node.id for node in root.walk()}
    ghosts = (
        edge if edge.source in gone else replace(edge, label="", at=())
        for edge in before.edges
        if gone & {edge.source, edge.target} and {edge.source, edge.target} <= named
    )
    part = cost_shares(node_costs(now, metric, seconds[1]))
    marks = {
        name: Mark(part.get(name) or None, None, change, both.note(name, change, part.get(name)))
        for name, change in changes.items()
    }
    merged = Graph(both.annotate(root, changes), (*now.edges, *ghosts))
    return GraphDiff(merged, MappingProxyType(marks))


@dataclass(frozen=True)
class _DesignCosts:
    """One of the two designs: its nodes by id, and the cost of each within one repeat of the block
    around it."""

    nodes: Mapping[str, Node]
    costs: Mapping[str, float]

    @classmethod
    def of(cls, graph: Graph, metric: Metric, seconds: Seconds) -> _DesignCosts:
        found = node_costs(graph, metric, seconds)
        each = {
            n.id: found[n.id] / times for n, times in walk_with_repeats(graph.root) if n.id in found
        }
        return cls({node.id: node for node in graph.root.walk()}, each)


@dataclass(frozen=True)
class _GraphPair:
    before: _DesignCosts
    now: _DesignCosts
    metric: Metric

    def merge(self, node: Node) -> Node:
        """A node of the second design, with the removed nodes inside it."""
        if not node.children:
            return node
        old = self.before.nodes.get(node.id)
        known = {child.id: child for child in old.children} if old else {}
        ghosts = {name: self._ghost(child) for name, child in known.items()}
        here = {child.id: self.merge(child) for child in node.children}
        found = (here.get(name) or ghosts.get(name) for name in align(list(known), list(here)))
        return replace(node, children=tuple(filter(None, found)))

    def _ghost(self, node: Node) -> Node | None:
        """The part of a node of the first design that does not exist in the second."""
        children = tuple(filter(None, map(self._ghost, node.children)))
        gone = node.id not in self.now.nodes and (children or not node.children)
        return replace(node, children=children) if gone else None

    def changes(self, root: Node) -> dict[str, Change]:
        """How each node changed; a block with a change inside is at least modified."""
        found: dict[str, Change] = {}
        for node in reversed(list(root.walk())):
            inside = any(found[child.id] != "unchanged" for child in node.children)
            found[node.id] = self._change(node.id, inside)
        del found[root.id]
        return found

    def _change(self, name: str, inside: bool) -> Change:
        old, new = self.before.nodes.get(name), self.now.nodes.get(name)
        if old is None:
            return "added"
        if new is None:
            return "removed"
        moved = self._cost_change(name)
        if moved:
            return "grew" if moved > 0 else "shrank"
        same = _appearance(old) == _appearance(new) and not inside
        return "unchanged" if same else "modified"

    def _cost_change(self, name: str) -> float:
        """How much more a node of both designs costs; 0 if its cost is not known in both."""
        if name not in self.before.costs or name not in self.now.costs:
            return 0.0
        old, new = self.before.costs[name], self.now.costs[name]
        if self.metric is TIME and abs(new - old) <= TIME_NOISE * max(old, new):
            return 0.0
        return new - old

    def annotate(self, node: Node, changes: Mapping[str, Change]) -> Node:
        """The merged nodes, with texts that say what changed."""
        children = tuple(self.annotate(child, changes) for child in node.children)
        if not node.id:
            return replace(node, children=children)
        change = changes[node.id]
        detail = node.detail if node.is_symbol else self._detail(node, change)
        return replace(node, label=self._label(node), detail=detail, children=children)

    def _label(self, node: Node) -> str:
        """Its label, with the old label or number of repeats if it changed."""
        old = self.before.nodes.get(node.id)
        if old is None or (old.label, old.repeat) == (node.label, node.repeat) or node.is_symbol:
            return node.label
        if old.label != node.label:
            return f"{old.label} → {node.label}"
        once = " × 1" if node.repeat == 1 else ""  # other numbers are drawn behind the name anyway
        return f"{node.label} × {old.repeat} →{once}"

    def _detail(self, node: Node, change: Change) -> str:
        old = self.before.nodes.get(node.id)
        if node.kind in ENDS:
            turned = old and old.detail != node.detail and node.id in self.now.nodes
            return f"{old.detail} → {node.detail}" if old and turned else node.detail
        was, is_ = self.before.costs.get(node.id, 0.0), self.now.costs.get(node.id, 0.0)
        match change:
            case "added":
                return _signed_text(is_, self.metric) if is_ else "new"
            case "removed":
                return _signed_text(-was, self.metric) if was else "gone"
            case "grew" | "shrank":
                return f"{self.metric.write(is_)} ({_signed_text(is_ - was, self.metric)})"
            case _:
                usual = self.metric is DEFAULT_METRIC or node.kind == "parameter"
                return node.detail if usual else self.metric.write(is_) if is_ else ""

    def note(self, name: str, change: Change, share: float | None) -> str:
        """The change in words, and its share of the total."""
        old, new = self.before.nodes.get(name), self.now.nodes.get(name)
        was, is_ = self.before.costs.get(name, 0.0), self.now.costs.get(name, 0.0)
        text = f"{change}: {_signed_text(is_ - was, self.metric)}" if was != is_ else change
        text = "as in the pinned design" if change == "unchanged" else text
        if old and new and change != "unchanged":
            text = "; ".join((text, *_changed_facts(old, new)))
        return f"{text}; {percent(share)} of {self.metric.total_text}" if share else text


def _appearance(node: Node) -> tuple[object, ...]:
    return node.label, node.kind, node.repeat, node.detail, node.facts


def _changed_facts(old: Node, new: Node) -> Iterator[str]:
    """The first facts that changed, as `before → after`; without a prefix that both have."""
    pairs = zip(old.facts[1:], new.facts[1:], strict=False)
    moved = [
        f"{before} → {after.removeprefix(before[: before.find(': ') + 2])}"
        for before, after in pairs
        if before != after
    ]
    more = len(moved) - MAX_FACTS
    yield from moved[:MAX_FACTS]
    if more > 0:
        yield f"and {more} more"


def _signed_text(value: float, metric: Metric) -> str:
    """`+3.1 M`"""
    return f"{'−' if value < 0 else '+'}{metric.write(abs(value))}"


def align(before: Sequence[str], now: Sequence[str]) -> list[str]:
    """The names in `now` in order, with each removed name after the one that it followed."""
    present, order = set(now), list(now)
    at = 0
    for name in before:
        if name in present:
            at = order.index(name) + 1
        else:
            order.insert(at, name)
            at += 1
    return order


@dataclass(frozen=True)
class LayerDiff:
    """A row of the table of both designs: a layer as it is, or as it was if it was removed."""

    row: LayerRow
    before: Figures | None
    now: Figures | None

    @property
    def change(self) -> Change:
        """`modified` if some costs grew and others shrank."""
        if self.before is None:
            return "added"
        if self.now is None:
            return "removed"
        delta = self.delta
        moved = [by for by in (delta.params, delta.macs, delta.saved_bytes) if by]
        if not moved:
            return "unchanged"
        return "grew" if min(moved) > 0 else "shrank" if max(moved) < 0 else "modified"

    @property
    def delta(self) -> Figures:
        return (self.now or Figures()) - (self.before or Figures())


def layer_diffs(
    before: Sequence[LayerRow], now: Sequence[LayerRow], alike: bool = True
) -> list[LayerDiff]:
    """The rows of both tables in one. If the families are not `alike`, no two layers are
    the same."""
    old, new = _by_name(before, "" if alike else "before "), _by_name(now, "")
    return [
        LayerDiff(
            new.get(name) or old[name],
            old[name].figures if name in old else None,
            new[name].figures if name in new else None,
        )
        for name in align(list(old), list(new))
    ]


def _by_name(rows: Sequence[LayerRow], prefix: str) -> dict[str, LayerRow]:
    """By path, without the number of repeats; a layer that is called again is another one."""
    seen: Counter[str] = Counter()
    found = {}
    for row in rows:
        path = row.path.partition(" ×")[0]
        seen[path] += 1
        found[f"{prefix}{path}#{seen[path]}"] = row
    return found
