"""The memoised trace says what a naive run would have said."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from studio import zoo
from studio.analysis.trace.building.meta_model import build_on_meta, example_on_meta
from studio.analysis.trace.counter_mode import CounterMode, memory_of
from studio.analysis.trace.memo import CachedTrace, Memo
from studio.analysis.trace.tracer import trace
from studio.analysis.trace.training_trace import trace_training
from studio.analysis.trace.tree import INPUT, Source, Trace
from studio.family import Design, Family
from tests.commit_sample import commit_sample
from tests.designs import corners, small

FAMILIES = list(zoo.families().values())
PRESETS = [
    pytest.param(family.design(preset.name), id=f"{family.key} {preset.name}")
    for family in FAMILIES
    for preset in family.presets
]


def by_key(family: Family) -> str:
    return family.key


class Nothing(dict[Any, CachedTrace]):
    def __setitem__(self, key: Any, value: CachedTrace) -> None:
        pass


class Forgetful(Memo):
    """A memo that keeps nothing: every module call is run."""

    def clear(self) -> None:
        super().clear()
        self.traces = Nothing()


@pytest.mark.parametrize("design", commit_sample("naive MACs", PRESETS, len(PRESETS) // 2))
def test_macs_equal_those_of_a_naive_run(design: Design) -> None:
    model, inputs = build_on_meta(design), example_on_meta(design, 1)
    with FlopCounterMode(display=False) as naive:
        model(*inputs)
    assert 2 * trace(model, inputs, Memo()).macs == naive.get_total_flops()


@pytest.mark.parametrize("family", commit_sample("equal bodies", FAMILIES, 10), ids=by_key)
def test_reusing_equal_bodies_changes_nothing(family: Family) -> None:
    for label, design in [("default", family.design()), *corners(family, small(family))]:
        model, inputs = build_on_meta(design), example_on_meta(design, 2)
        assert trace(model, inputs, Memo()) == trace(model, inputs, Forgetful()), label


@pytest.mark.parametrize("family", FAMILIES, ids=by_key)
def test_reusing_equal_passes_changes_nothing(family: Family) -> None:
    for design in (family.design(), small(family)):
        model, inputs = build_on_meta(design).train(), example_on_meta(design, 2)
        body, tape, learned = trace_training(model, inputs, Memo())
        again, anew, once_more = trace_training(model, inputs, Forgetful())
        assert (body, tape.usage, learned) == (again, anew.usage, once_more)


@pytest.mark.parametrize("family", FAMILIES, ids=by_key)
def test_a_second_trace_is_the_first_one_again(family: Family) -> None:
    memo = Memo()
    first, second = (
        trace(build_on_meta(d), example_on_meta(d, 1), memo) for d in [family.design()] * 2
    )
    assert first is second


# A recurrent layer is counted by rule; its kernels on a device keep what they like.
CONVOLUTIONAL = [family for family in FAMILIES if family.key in ("cnn", "resnet", "unet")]


@pytest.mark.parametrize("family", CONVOLUTIONAL, ids=by_key)
def test_saved_bytes_are_those_that_autograd_keeps_on_a_real_device(family: Family) -> None:
    design = small(family)
    model, inputs = family.model(design.config).train(), family.example(design.config, 4)
    constants = {memory_of(t) for t in (*model.parameters(), *model.buffers(), *inputs)}
    kept: dict[int, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if memory_of(tensor) not in constants:
            kept.setdefault(memory_of(tensor), tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        outputs = model(*inputs)
    real = sum(t.untyped_storage().nbytes() for t in kept.values())
    del outputs
    assert (
        trace_training(build_on_meta(design).train(), example_on_meta(design, 4))[0].saved_bytes
        == real
    )


@pytest.mark.parametrize("family", CONVOLUTIONAL, ids=by_key)
def test_peak_bytes_are_those_alive_in_a_real_run(family: Family) -> None:
    design = small(family)
    model, inputs = family.model(design.config).eval(), family.example(design.config, 4)
    with torch.no_grad(), CounterMode() as meter:
        model(*inputs)
    assert trace(build_on_meta(design), example_on_meta(design, 4)).peak_bytes == meter.peak


class Twice(nn.Module):
    """One layer, used twice, then added to its input."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layer(self.layer(x))


def on_meta(*shape: int) -> Tensor:
    return torch.empty(shape, device="meta")


def test_a_reused_layer_counts_its_parameters_once_and_its_work_twice() -> None:
    body = trace(Twice().to("meta"), (on_meta(2, 8),))
    assert (body.params, body.macs) == (8 * 8 + 8, 2 * (2 * 8 * 8))


class Tied(nn.Module):
    """Two layers that share a weight, or do not."""

    def __init__(self, tied: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(8, 8, bias=False), nn.Linear(8, 8, bias=False)
        if tied:
            self.second.weight = self.first.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


def test_a_tied_weight_is_not_taken_for_one_of_its_own() -> None:
    memo = Memo()
    with torch.device("meta"):
        models = [Tied(tied) for tied in (False, True)]
    bodies = [trace(model, (on_meta(2, 8),), memo) for model in models]
    assert [body.params for body in bodies] == [128, 64]
    assert [call.trace.params for call in bodies[1].calls] == [64, 64]


def test_a_residual_is_an_edge_from_the_input() -> None:
    body = trace(Twice().to("meta"), (on_meta(2, 8),))
    add = body.calls[-1]
    assert (add.trace.kind, add.sources) == ("add", (Source(INPUT), Source(1)))
    assert body.returns == (Source(2),)


def test_equal_blocks_are_one_body() -> None:
    body = trace(nn.Sequential(*(Twice() for _ in range(5))).to("meta").eval(), (on_meta(2, 8),))
    assert len({id(call.trace) for call in body.calls}) == 1
    assert body.macs == 5 * body.calls[0].trace.macs


def test_modules_that_differ_in_an_attribute_are_not_equal() -> None:
    model = nn.Sequential(nn.Softmax(dim=0), nn.Softmax(dim=1)).to("meta")
    first, second = trace(model, (on_meta(3, 3),)).calls
    assert first.trace is not second.trace


def test_a_layer_with_a_hook_is_run_each_time() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4)).to("meta")
    runs: list[nn.Module] = []
    for layer in model:
        layer.register_forward_hook(lambda module, inputs, output: runs.append(module))
    trace(model, (on_meta(2, 4),))
    assert runs == list(model)


def test_the_model_is_left_as_it_was() -> None:
    model = Twice().to("meta")
    trace(model, (on_meta(2, 8),))
    assert "forward" not in vars(model) | vars(model.layer)


def test_the_model_is_left_as_it_was_when_it_fails() -> None:
    model = Twice().to("meta")
    with pytest.raises(RuntimeError):
        trace(model, (on_meta(2, 9),))
    assert "forward" not in vars(model) | vars(model.layer)


class Nested(nn.Module):
    """Returns a dictionary of a tensor and a tuple, and takes a keyword."""

    def forward(self, x: Tensor, *, scale: float) -> dict[str, Any]:
        return {"twice": x * scale, "parts": (x + 1, x + 2)}


class Outer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ModuleList([Nested(), Nested()])

    def forward(self, x: Tensor) -> Tensor:
        first, second = (module(x, scale=2.0) for module in self.inner)
        return first["twice"] + second["parts"][1]


def outputs(body: Trace) -> list[tuple[int, ...]]:
    return [shape for call in body.calls for shape in call.trace.outputs]


def test_nested_results_survive_a_replay() -> None:
    body = trace(Outer().to("meta"), (on_meta(2, 3),))
    assert outputs(body) == [(2, 3)] * 7
    assert body.calls[0].trace is body.calls[1].trace
    assert body.calls[2].sources == (Source(0, 0), Source(1, 2))
