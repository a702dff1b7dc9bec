"""Random graphs for properties: trees of blocks up to three deep, with any edges between nodes."""

from __future__ import annotations

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
