"""Random graphs for properties: trees of blocks up to three deep, with any edges between nodes; and
chains with skips one within the other, which are drawn as a U."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import strategies as st

from studio.drawing.graph import Edge, Graph, Kind, Node

KINDS: list[Kind] = ["input", "output", "module", "operation", "parameter"]
TEXTS = st.text("abcWM+ <&\"'", max_size=12)


@st.composite
def nodes(draw: st.DrawFn, id: str, depth: int = 0) -> Node:
    inner = draw(st.integers(0, 4 if depth < 2 else 0)) if draw(st.booleans()) else 0
    return Node(
        id=id,
        label=draw(TEXTS),
        detail=draw(TEXTS),
        kind="module" if inner else draw(st.sampled_from(KINDS)),
        repeat=draw(st.sampled_from([1, 1, 12])),
        facts=(draw(TEXTS),),
        children=tuple(draw(nodes(f"{id}.{i}", depth + 1)) for i in range(inner)),
    )


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Graph, frozenset[str]]:
    """A graph, and which of its blocks are open. Edges mostly follow the order of the nodes."""
    children = tuple(draw(nodes(f"n{i}")) for i in range(draw(st.integers(1, 6))))
    root = Node(id="", label="net", children=children)
    names = [node.id for node in root.walk()][1:]
    places = st.integers(0, len(names) - 1)
    pairs = draw(st.lists(st.tuples(places, places), max_size=14))
    back = draw(st.booleans())
    ordered = [(a, b) if back else (min(a, b), max(a, b)) for a, b in pairs if a != b]
    edges = tuple(Edge(names[a], names[b], draw(TEXTS)) for a, b in ordered)
    blocks = [node.id for node in root.walk() if node.children and node.id]
    opened = draw(st.frozensets(st.sampled_from(blocks))) if blocks else frozenset()
    return Graph(root, edges), opened


@st.composite
def horseshoes(draw: st.DrawFn) -> tuple[Graph, frozenset[str]]:
    """A chain with two or three skips, and which of its blocks are open."""
    skips = draw(st.integers(2, 3))
    between = [draw(st.integers(1 if i == skips else 0, 2)) for i in range(2 * skips + 1)]
    children, joined = [], []
    for i, many in enumerate(between):
        joined.append(len(children))
        children += [draw(nodes(f"n{i}.{j}", 1)) for j in range(many + (i < 2 * skips))]
    ends = [joined[i + 1] - 1 for i in range(2 * skips)]
    pairs = [
        *pairwise(range(len(children))),
        *zip(ends[:skips], ends[: skips - 1 : -1], strict=True),
    ]
    insides = [[leaf.id for leaf in child.walk() if not leaf.children] for child in children]
    edges = [Edge(insides[a][-1], draw(st.sampled_from(insides[b])), draw(TEXTS)) for a, b in pairs]
    root = Node(id="", label="net", children=tuple(children))
    blocks = [node.id for node in root.walk() if node.children and node.id]
    opened = draw(st.frozensets(st.sampled_from(blocks))) if blocks else frozenset()
    return Graph(root, tuple(edges)), opened
