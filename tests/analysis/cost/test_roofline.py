"""The roofline: what holds an operation back, and figures of a device as people write them."""

from __future__ import annotations

import pytest

import studio
from studio.analysis.cost.op_costs import total_cost
from studio.analysis.cost.roofline import Bottleneck, DeviceLimits, bottleneck, roofline_seconds
from studio.analysis.trace.tree import Call, Trace
from studio.knobs import DesignError

UNIT = DeviceLimits(flops_per_s=1, bytes_per_s=1, seconds_per_op=0)
GPU = DeviceLimits.read(19.5, 1555, 5)
ADD = Trace("add", False, ((10,), (10,)), ((10,),))  # 120 bytes, no FLOPs
PRODUCT = Trace("matmul", False, ((10, 10), (10, 10)), ((10, 10),), macs=1000)  # 1200 bytes
BLOCK = Trace("Block", True, ((10,),), ((10,),), calls=(Call("", ADD, ()), Call("", PRODUCT, ())))


def test_each_operation_takes_the_longer_of_computing_and_moving() -> None:
    assert roofline_seconds(UNIT, BLOCK) == 120 + max(2000, 1200)
    late = DeviceLimits(flops_per_s=1, bytes_per_s=1, seconds_per_op=7)
    assert roofline_seconds(late, BLOCK) == roofline_seconds(UNIT, BLOCK) + 2 * 7


@pytest.mark.parametrize(
    ("body", "overhead", "held_by"),
    [
        (ADD, 0, "memory"),
        (PRODUCT, 0, "compute"),
        (BLOCK, 0, "compute"),
        (ADD, 121, "overhead"),
        (BLOCK, 1500, "overhead"),
    ],
)
def test_a_layer_is_bound_by_what_most_of_its_time_goes_into(
    body: Trace, overhead: float, held_by: Bottleneck
) -> None:
    assert (
        bottleneck(DeviceLimits(flops_per_s=1, bytes_per_s=1, seconds_per_op=overhead), body)
        == held_by
    )


def test_what_starts_nothing_is_bound_by_nothing() -> None:
    assert bottleneck(GPU, Trace("Dropout", True, ((4,),), ((4,),), is_passthrough=True)) is None


def test_no_design_is_faster_than_any_one_limit() -> None:
    root = studio.profile(studio.design("vit")).root
    total = total_cost(root)
    limits = total.flops / GPU.flops_per_s, total.moved_bytes / GPU.bytes_per_s
    assert roofline_seconds(GPU, root) >= max(limits) + total.operations * GPU.seconds_per_op


def test_a_batch_moves_a_layer_from_memory_to_compute() -> None:
    held_by = []
    for batch in (1, 256):
        root = studio.profile(studio.design("vgg"), batch).root
        held_by.append(bottleneck(DeviceLimits.read(19.5, 1555, 0), root.calls[-1].trace))
    assert held_by == ["memory", "compute"]


def test_figures_are_read_with_and_without_their_unit() -> None:
    assert (
        DeviceLimits.read("19.5 TFLOP/s", " 1555GB/s", "5 µs")
        == GPU
        == DeviceLimits.read("19.5", 1.555e3, 5)
    )
    assert GPU.flops_per_s == pytest.approx(19.5e12)
    assert GPU.bytes_per_s == pytest.approx(1.555e12)
    assert GPU.seconds_per_op == pytest.approx(5e-6)


@pytest.mark.parametrize(
    ("given", "said", "nearest"),
    [
        (("fast", 1, 1), "compute is a number of TFLOP/s from 0.001 to 100000, not 'fast'", ()),
        ((0, 1, 1), "compute is a number of TFLOP/s from 0.001 to 100000, not 0", (0.001,)),
        ((1, "nan", 1), "bandwidth is a number of GB/s from 0.1 to 100000, not 'nan'", ()),
        ((1, "inf", 1), "bandwidth is a number of GB/s from 0.1 to 100000, not 'inf'", (1e5,)),
        ((1, 1, -1), "overhead per operation is a number of µs from 0 to 100000, not -1", (0,)),
        ((1, 1, True), "overhead per operation is a number of µs from 0 to 100000, not True", ()),
    ],
)
def test_a_figure_that_cannot_be_is_one_sentence(
    given: tuple[object, object, object], said: str, nearest: tuple[float, ...]
) -> None:
    with pytest.raises(DesignError) as raised:
        DeviceLimits.read(*given)
    assert str(raised.value) == said
    assert raised.value.nearest == nearest
