"""What a design has a device do: read off the tree, for every family."""

from __future__ import annotations

from time import perf_counter

import pytest

import studio
from studio.analysis.cost.op_costs import OpCost, op_cost, operations, total_cost
from studio.analysis.trace.tree import Call, Trace
from studio.family import Family

FAMILIES = studio.families()
LINEAR = Trace(
    "Linear",
    True,
    inputs=((2, 8),),
    outputs=((2, 4),),
    params=36,
    macs=64,
    weights=(("weight", (4, 8)), ("bias", (4,))),
)


def calling(*bodies: Trace) -> Trace:
    calls = tuple(Call(str(i), body, ()) for i, body in enumerate(bodies))
    return Trace("Block", True, ((2, 8),), ((2, 4),), calls=calls)


def test_a_layer_reads_its_input_and_its_weights_and_writes_its_output() -> None:
    assert op_cost(LINEAR) == OpCost(128, 4 * (16 + 36 + 8), 4 * 36, 1)


def test_a_look_up_reads_the_rows_that_it_writes() -> None:
    table = Trace("Embedding", True, ((1, 3),), ((1, 3, 8),), weights=(("weight", (1000, 8)),))
    assert op_cost(table) == OpCost(0, 4 * (3 + 24 + 24), 4 * 24, 1)


def test_a_shared_body_counts_as_often_as_it_runs() -> None:
    block = calling(LINEAR, LINEAR)
    root = calling(block, LINEAR, block)
    assert operations(root) == ((LINEAR, 5),)
    assert total_cost(root) == OpCost(*(5 * part for part in op_cost(LINEAR)))


def test_what_hands_its_input_on_is_no_operation() -> None:
    dropout = Trace("Dropout", True, ((2, 4),), ((2, 4),), is_passthrough=True)
    assert operations(calling(dropout)) == ()
    assert total_cost(dropout) == OpCost(0, 0, 0, 0)


@pytest.mark.parametrize("family", FAMILIES.values(), ids=str)
def test_the_flops_are_the_profile_s_and_all_weights_are_read(family: Family) -> None:
    profile = studio.profile(family.design(family.presets[0].name))
    found = total_cost(profile.root)
    assert found.flops == profile.flops
    assert 0 < found.weight_bytes < found.moved_bytes
    assert found.operations >= sum(1 for _ in operations(profile.root))


def test_a_larger_batch_moves_more_activations_and_the_same_weights() -> None:
    one, four = (
        total_cost(studio.profile(studio.design("resnet"), batch).root) for batch in (1, 4)
    )
    assert four.flops == 4 * one.flops
    assert four.weight_bytes == one.weight_bytes
    assert four.moved_bytes - four.weight_bytes == 4 * (one.moved_bytes - one.weight_bytes)
    assert four.operations == one.operations


def test_a_deep_tree_is_walked_as_fast_as_a_shallow_one() -> None:
    root = calling(LINEAR)
    for _ in range(60):  # 2^60 calls
        root = calling(root, root)
    start = perf_counter()
    assert total_cost(root).operations == 2**60
    assert perf_counter() - start < 1
