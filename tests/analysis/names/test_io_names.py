"""What the ends of a network are called."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.analysis.graph.layer_graph import build_graph
from studio.analysis.trace.tracer import trace
from studio.drawing.graph import Graph

ENDS = {
    "vae": (["images", "noise"], ["restored", "mean", "log variance"]),
    "detr": (["images"], ["logits", "boxes"]),
    "t5": (["source", "target"], ["output"]),
    "gan": (["z"], ["scores"]),  # as its parts call what it only hands on
}


class Nameless(nn.Module):
    def forward(self, x: Tensor, *others: Tensor) -> tuple[Tensor, ...]:
        return x + 1, others[0] * 2


class Pair(nn.Module):
    def forward(self, images: Tensor, deep: bool = False) -> tuple[Tensor, ...]:
        def halves(t: Tensor) -> tuple[Tensor, Tensor]:
            first, second = t.chunk(2)
            return first, second

        if deep:
            loss, boxes = halves(images * 2)
            return loss, boxes
        logits, boxes = images + 1, images * 3
        return logits, boxes


def ends(drawn: Graph) -> tuple[list[str], list[str]]:
    of_kind = {
        kind: [node.label for node in drawn.root.children if node.kind == kind]
        for kind in ("input", "output")
    }
    return of_kind["input"], of_kind["output"]


@pytest.mark.parametrize("family", ENDS)
def test_ends_have_the_names_that_the_forward_gives_them(family: str) -> None:
    assert ends(build_graph(profile(zoo.family(family).design()).root)) == ENDS[family]


def test_a_part_that_is_left_out_hides_no_name() -> None:
    alone = zoo.family("gan").design("DCGAN discriminator")
    assert ends(build_graph(profile(alone).root)) == (["images"], ["scores"])


def test_ends_without_names_are_numbered() -> None:
    found = trace(Nameless(), (torch.ones(2), torch.ones(2)))
    assert ends(build_graph(found)) == (["input 1", "input 2"], ["output 1", "output 2"])


def test_only_what_every_return_of_the_forward_itself_says_is_a_name() -> None:
    found = build_graph(trace(Pair(), (torch.ones(2),)))
    assert ends(found) == (["images"], ["output", "boxes"])


@pytest.mark.parametrize(("auxiliary", "names"), [(False, ["out"]), (True, ["out", "aux"])])
def test_a_dict_of_outputs_names_them_by_its_keys(auxiliary: bool, names: list[str]) -> None:
    design = zoo.family("deeplab").design(auxiliary=auxiliary)
    assert ends(build_graph(profile(design).root))[1] == names
