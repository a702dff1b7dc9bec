"""What stands on a box so that it can be told from its like."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.analysis.graph.layer_graph import build_graph, stage_titles
from studio.analysis.trace.tracer import trace
from studio.drawing.graph import Node, without_dim_names
from studio.drawing.layout.box_text import detail_text as drawn_detail
from studio.family import Family
from tests.designs import small


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key_proj, self.out1 = (nn.Linear(4, 4) for _ in range(3))
        self.conv1, self.conv2 = nn.Conv1d(3, 3, 1), nn.Conv1d(3, 3, 3, padding=2, dilation=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv2(self.conv1(self.out1(self.query(x) * self.key_proj(x))))


def details(root: Node, label: str) -> list[str]:
    return [node.detail for node in root.walk() if node.label == label]


def test_modules_of_one_class_have_their_names_and_convolutions_their_windows() -> None:
    root = build_graph(trace(Attention(), (torch.randn(1, 3, 4),))).root
    linear, conv = details(root, "Linear"), details(root, "Conv1d")
    assert linear == [f"{name} · 20 parameters" for name in ("query", "key proj", "out1")]
    assert conv == [
        "kernel 1 · dilation 1 · 12 parameters",
        "kernel 3 · dilation 2 · 30 parameters",
    ]


def test_blocks_say_what_their_convolutions_have_other_than_their_like() -> None:
    tcn = build_graph(profile(zoo.family("tcn").design()).root).root
    rates = [detail.partition(" · ")[0] for detail in details(tcn, "TemporalBlock")]
    assert rates == [f"dilation {2**i}" for i in range(len(rates))]
    efficientnet = build_graph(profile(zoo.family("efficientnet").design()).root).root
    found = [detail.rpartition(" · ")[0] for detail in details(efficientnet, "MBConvBlock")]
    assert found[:4] == ["3 × 3", "3 × 3 · stride 2", "3 × 3", "5 × 5 · stride 2"]


def test_the_stages_of_a_network_say_which_they_are_and_what_they_give() -> None:
    root = build_graph(profile(zoo.family("resnet").design("ResNet-50")).root).root
    assert [detail.rpartition(" · ")[0] for detail in details(root, "ResidualStage")] == [
        "stage 1 · 256 × 56 × 56",
        "stage 2 · 512 × 28 × 28",
        "stage 3 · 1024 × 14 × 14",
        "stage 4 · 2048 × 7 × 7",
    ]


@pytest.mark.parametrize("family", zoo.families().values(), ids=lambda family: family.key)
def test_no_two_modules_side_by_side_say_the_same_of_different_things(family: Family) -> None:
    """Of one name and one line below it, two boxes give tensors of one size and cost the same."""
    for design in (*(family.design(preset.name) for preset in family.presets), small(family)):
        picture = build_graph(profile(design).root, stage_titles(design.config))
        for block in picture.root.walk():
            seen: dict[tuple[str, str], set[tuple[str, ...]]] = {}
            for node in block.children:
                if node.kind == "module":
                    costs = tuple(fact for fact in node.facts if fact.startswith("out: "))
                    costs += tuple(fact for fact in node.facts if " parameters" in fact)
                    text = (node.label, drawn_detail(node))
                    seen.setdefault(text, set()).add(tuple(map(without_dim_names, costs)))
            assert {text: n for text, n in seen.items() if len(n) > 1} == {}, design.title
