"""The panel of a selected box."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

import studio
from studio import zoo
from studio.analysis.inspect.node_details import TRAINING_STATE, NodeDetails
from studio.app.diagram.node_panel import details_html, excerpt, node_text
from studio.app.markup import is_harmless
from studio.drawing.graph import Node
from studio.workbench import results
from studio.workbench.workload import Workload
from tests.app.conftest import visited

VIT = Workload(zoo.family("vit").design("ViT-B/16"))


def panel(app: AppTest) -> str:
    return next(h.proto.body for h in app.get("html") if 'class="node-panel"' in h.proto.body)


def test_the_selected_box_tells_its_cost_with_the_design_put_in(still: None) -> None:
    app = visited({"family": "vit", "preset": "ViT-B/16", "node": "blocks.0.attn.qkv"})
    text = panel(app)
    assert "3·D × D + 3·D = 2,304 × 768 + 2,304 = 1,771,776" in text
    assert "(B, T, 3·D) = (1, 197, 2304)" in text
    assert "12 times" in text


def test_a_sum_of_parts_is_told_by_their_names() -> None:
    inspection = results.details_of(VIT, "")
    assert inspection
    text = details_html(inspection, VIT)
    assert "86,567,656" in text
    assert "class_token" in text or "class token" in text


def test_a_module_of_ones_own_tells_what_it_holds_of_its_arguments() -> None:
    inspection = results.details_of(VIT, "blocks.0.attn")
    assert inspection
    assert "<dt>Attributes</dt><dd>num_heads=12, head_dim=64" in details_html(inspection, VIT)


def test_the_whole_tells_what_it_holds_itself() -> None:
    dit = results.details_of(Workload(zoo.family("dit").design()), "")
    assert dit
    assert dit.attributes == "side=16, patch_size=2, in_channels=4, num_classes=1000"


def test_what_costs_nothing_is_said_to_be_free() -> None:
    inspection = results.details_of(VIT, "blocks.0.mlp.act")
    assert inspection
    assert "<dt>Zero</dt><dd>parameters, MACs</dd>" in details_html(inspection, VIT)


def test_against_a_pinned_design_each_cost_tells_by_how_much_it_moved() -> None:
    small = Workload(VIT.design.replace(depth=10))
    now, before = (results.details_of(workload, "blocks.0") for workload in (VIT, small))
    assert now
    assert "+14.2 M vs pinned" in details_html(now, VIT, before)
    assert "vs pinned" not in details_html(now, VIT, now)


def test_a_box_that_another_design_had_is_no_error(still: None) -> None:
    app = visited({"family": "vit", "preset": "ViT-B/16", "node": "stages.9"})
    assert not any('class="node-panel"' in h.proto.body for h in app.get("html"))


def test_what_grows_with_the_square_is_said_of_attention_alone() -> None:
    block, layer = (results.details_of(VIT, name) for name in ("blocks.0", "blocks.0.mlp.fc1"))
    assert block
    assert layer
    assert "grows with tokens²" in details_html(block, VIT)
    assert "grows with" not in details_html(layer, VIT)


def test_the_lines_of_a_class_are_those_of_the_file() -> None:
    text = "import torch\n\n\nclass A:\n    x = 1\n\n\nclass B:\n    y = 2\n"
    assert excerpt(text, ("Linear", "B")) == ("B", 8, ["class B:", "    y = 2"])
    assert excerpt(text, ("Linear",)) == ("", 0, [])


def test_text_is_escaped() -> None:
    inspection = results.details_of(VIT, "blocks.0")
    assert inspection
    assert "<script>" not in details_html(replace(inspection, label="<script>"), VIT)


def test_a_box_without_facts_is_its_name_alone() -> None:
    assert node_text(Node(id="x", label="a<b")) == "<b>a&lt;b</b>"
    assert node_text(Node(id="x", label="x", facts=("1 × 3",))) == "<b>x</b> · 1 × 3"


@pytest.mark.parametrize("family", studio.families())
def test_what_is_told_of_every_box_is_html_that_the_page_shows(family: str) -> None:
    """A share of `< 0.1 %` is no tag."""
    for node, inspection in inspected(family):
        assert is_harmless(details_html(inspection, Workload(studio.design(family)))), node


@pytest.mark.parametrize("family", studio.families())
def test_a_percentage_is_of_a_total_that_is_shown(family: str) -> None:
    (_, whole), *parts = inspected(family)
    totals = {cost.name: cost.formula.total for cost in whole.costs}
    for node, inspection in parts:
        for cost in inspection.costs:
            assert cost.whole in (0, totals[cost.name]), (node, cost.name)
            if cost.name == TRAINING_STATE:
                assert not cost.whole
                assert "not all alive at the peak" in cost.formula.note or not cost.formula.total
        text = details_html(inspection, Workload(studio.design(family)))
        assert text.count("of the model") <= 3, node  # parameters, MACs, saved activations


def inspected(family: str) -> Iterator[tuple[str, NodeDetails]]:
    """The whole and the outermost boxes of a family's default."""
    workload = Workload(studio.design(family))
    for node in ("", *(child.id for child in results.graph(workload).root.children)):
        if found := results.details_of(workload, node):
            yield node, found


@pytest.mark.parametrize(
    ("family", "node", "saved"),
    [("vit", "blocks.0.norm1", "saved statistics 1,576"), ("vit", "norm", "saved statistics")],
)
def test_the_mean_and_deviation_that_a_norm_keeps_are_no_temporaries(family, node, saved) -> None:
    workload = Workload(studio.design(family, preset="ViT-B/16"))
    inspection = results.details_of(workload, node)
    assert inspection
    text = details_html(inspection, workload)
    assert saved in text
    assert "temporaries" not in text
