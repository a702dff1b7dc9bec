"""The layer graph in an app: the page says what it shows, its picture is in the payload."""

from __future__ import annotations

import json
from typing import Any

from streamlit.testing.v1 import AppTest

from studio.app.diagram.component import open_blocks, script
from studio.drawing.graph import Graph, Node


def page() -> None:
    import streamlit as st

    from studio.app.diagram.component import layer_graph
    from studio.drawing.graph import Edge, Graph, Node

    block = Node(id="b", label="Block", children=(Node(id="b.fc", label="Linear <fc>"),))
    root = Node(id="", label="net", children=(Node(id="x", label="x", kind="input"), block))
    graph, shown = Graph(root, (Edge("x", "b.fc"),)), st.session_state.get("shown", {})
    node = layer_graph(
        graph, key="graph", opened=shown.get("open", ()), selected=shown.get("selected", "")
    )
    st.write(f"selected: {node and node.id}")


def payload(app: AppTest) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(app.get("bidi_component")[0].proto.json)
    return sent


def asked(**wish: object) -> tuple[str, ...]:
    return open_blocks(small(), wish)


def small() -> Graph:
    inner = Node(id="b.c", label="c", children=(Node(id="b.c.fc", label="fc"),))
    block = Node(id="b", label="b", children=(inner,))
    return Graph(Node(id="", label="net", children=(block, Node(id="out", label="out"))), ())


def run(**state: object) -> AppTest:
    app = AppTest.from_function(page, default_timeout=30)
    if state:
        app.session_state["shown"] = state
    app.run()
    assert not app.exception
    return app


def test_blocks_are_closed_at_first() -> None:
    app = run()
    assert 'data-id="b"' in payload(app)["svg"]
    assert 'data-id="b.fc"' not in payload(app)["svg"]
    assert app.markdown[0].value == "selected: None"


def test_open_blocks_and_selection_come_from_the_page() -> None:
    app = run(open=["b"], selected="b.fc")
    sent = payload(app)
    assert sent["open"] == ["b"]
    assert "Linear &lt;fc&gt;" in sent["svg"]
    assert app.markdown[0].value == "selected: b.fc"


def test_what_the_graph_does_not_have_is_neither_open_nor_selected() -> None:
    app = run(open=["gone", "b"], selected="gone.too")
    assert payload(app)["open"] == ["b"]
    assert payload(app)["selected"] == ""
    assert app.markdown[0].value == "selected: None"


def test_the_picture_is_the_same_whatever_is_selected() -> None:
    plain, chosen = payload(run(open=["b"])), payload(run(open=["b"], selected="b.fc"))
    assert chosen["svg"] == plain["svg"]  # so it is not drawn anew
    assert (plain["selected"], chosen["selected"]) == ("", "b.fc")


def test_a_block_can_be_selected() -> None:
    app = run(selected="b")
    assert payload(app)["selected"] == "b"
    assert app.markdown[0].value == "selected: b"


def test_levels_that_are_offered_and_the_one_shown() -> None:
    closed, opened = payload(run()), payload(run(open=["b"]))
    assert (closed["levels"], closed["level"], closed["more"]) == (1, 0, "")
    assert (opened["levels"], opened["level"]) == (1, 1)


def test_a_level_that_is_asked_for_opens_blocks_in_the_order_of_the_data() -> None:
    assert asked(level=0, selected="") == ()
    assert asked(level=1, selected="") == ("b",)
    assert asked(level=2, selected="") == ("b", "b.c")
    assert asked(level=99, selected="") == ("b", "b.c")
    assert asked(open=["b"], selected="") == ("b",)


def test_the_code_is_one_module_without_anything_from_outside() -> None:
    code = script()
    assert "export class View" in code
    assert code.count("export default") == 1
    assert "import " not in code
