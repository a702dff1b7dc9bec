"""The predicted peak, held against what torch's allocator hands out in a real step."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import Any

import pytest
import torch
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch.profiler import ProfilerActivity
from torch.profiler import profile as watched

import studio
from studio.analysis import memory
from studio.analysis.memory import largest_batch, over_batches, peak, quick
from studio.analysis.profile import Optimizer
from studio.family import Design, DesignError, Family
from studio.knobs import Mode
from tests.designs import small, tensors

FAMILIES = studio.families()
SMALL = {
    "ResNet-50": studio.design("resnet", "ResNet-50", image_size=64),
    "ViT-B/16": studio.design("vit", "ViT-B/16", image_size=64, depth=3),
    "U-Net": studio.design("unet", image_size=96, base_channels=16),
    "GPT-2": studio.design("gpt", "GPT-2 small", depth=2, seq_len=64, vocab_size=2000),
}


def allocated(design: Design, batch: int, optimizer: Optimizer) -> int:
    """The peak of torch's allocator in the second training step: what is there when it begins, and
    every allocation in it that the profiler saw."""
    model, inputs = studio.build(design).train(), studio.example(design, batch)
    stepper = made(optimizer, list(model.parameters()))

    def loss() -> Any:
        return sum(t.square().mean() for t in tensors(model(*inputs)) if t.is_floating_point())

    def step() -> None:
        loss().backward()
        stepper.step()
        stepper.zero_grad(set_to_none=True)

    step()
    states = [t for state in stepper.state.values() for t in state.values()]
    there = [*model.parameters(), *model.buffers(), *inputs, *filter(torch.is_tensor, states)]
    with watched(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step()
    assert seen.profiler is not None
    roots = seen.profiler.kineto_results.experimental_event_tree()
    events = sorted(allocations(roots), key=lambda event: event.start_time_ns)
    return sum(t.nbytes for t in there) + max(
        accumulate(event.extra_fields.alloc_size for event in events)
    )


def made(optimizer: Optimizer, parameters: list[Any]) -> torch.optim.Optimizer:
    if optimizer == "adam":
        return torch.optim.Adam(parameters, foreach=False)
    momentum = 0.9 if optimizer == "momentum" else 0
    return torch.optim.SGD(parameters, 1e-3, momentum=momentum, foreach=False)


def allocations(nodes: Any) -> Iterator[Any]:
    for node in nodes:
        if "Allocation" in str(node.tag):
            yield node
        yield from allocations(node.children)


@pytest.mark.parametrize("batch", [1, 6])
@pytest.mark.parametrize("design", SMALL.values(), ids=SMALL)
def test_the_training_peak_is_the_allocators(design: Design, batch: int) -> None:
    predicted = peak(design, batch, "training").total
    assert predicted == pytest.approx(allocated(design, batch, "adam"), rel=0.1)


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "adam"])
def test_the_peak_may_be_in_the_optimisers_step(optimizer: Optimizer) -> None:
    design = studio.design("gpt", depth=1, seq_len=64, vocab_size=20_000)
    predicted = peak(design, 1, "training", optimizer).total
    assert predicted == pytest.approx(allocated(design, 1, optimizer), rel=0.02)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=str)
@pytest.mark.parametrize("mode", ["inference", "training"])
def test_every_family_is_simulated_and_any_batch_follows_from_three(
    family: Family, mode: Mode
) -> None:
    design = small(family)
    batches = (2, 3, 5, 16)  # over one pixel, batch norm cannot learn from one example
    simulated = tuple(peak(design, batch, mode) for batch in batches)
    assert not any(found.note for found in simulated)
    assert over_batches(design, batches, mode) == simulated
    totals = [found.total for found in simulated]
    assert totals == sorted(totals)
    assert totals[0] < totals[-1]  # where the optimiser's step is the peak, more examples add none
    assert bool(simulated[0].states) == (mode == "training")


@pytest.mark.parametrize("family", FAMILIES.values(), ids=str)
def test_the_layer_tree_knows_the_peak_of_inference(family: Family) -> None:
    if family.key in ("faster_rcnn", "recurrent"):
        pytest.skip("the tree keeps all levels of the pyramid, and knows no fused LSTM")
    design = small(family)
    assert quick(design, 2).total == peak(design, 2).total


def test_the_parts_are_those_of_the_profile() -> None:
    design = studio.design("vit", depth=2)
    figures = studio.profile(design)
    adam, sgd = peak(design, 4, "training"), peak(design, 4, "training", "sgd")
    assert adam.parameters == figures.parameter_bytes
    assert (adam.states, sgd.states) == (2 * figures.parameter_bytes, 0)
    assert 0 < adam.gradients <= figures.parameter_bytes
    assert adam.activations == sgd.activations


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_the_largest_batch_fits_and_one_more_does_not(mode: Mode) -> None:
    design = SMALL["U-Net"]
    alone = peak(design, 1, mode).total
    for room in (alone, 3.3 * alone, 40 * alone):
        batch = largest_batch(design, room, mode)
        assert peak(design, batch, mode).total <= room < peak(design, batch + 1, mode).total


def test_where_one_example_does_not_fit_the_largest_batch_is_none() -> None:
    design = SMALL["ViT-B/16"]
    need = peak(design, 1, "training").total
    assert largest_batch(design, need, "training") >= 1
    assert largest_batch(design, need - 1, "training") == 0


def test_what_fake_tensors_cannot_run_is_said_and_taken_from_the_layers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unable(*_: Any) -> Any:
        raise DataDependentOutputException(torch.ops.aten.nonzero.default)

    monkeypatch.setattr(memory, "course", unable)
    design = studio.design("vit", depth=5)
    found = peak(design, 2, "training", "sgd")
    assert found.total == studio.profile(design, 2).training_bytes("sgd")
    assert found.note == "predicted from the layer tree: fake tensors cannot run nonzero.default"
    assert over_batches(design, (2,), "training", "sgd") == (found,)


def test_a_batch_that_there_is_not_is_refused() -> None:
    with pytest.raises(DesignError, match="batch=0"):
        peak(SMALL["U-Net"], 0)
