"""Caches are bounded by the memory of what they hold, and know how much that is."""

from __future__ import annotations

import pytest

import studio
from studio.analysis.cost.profiler import (
    TRAINING_CALL_BYTES,
    profile,
    trace_bytes,
    training_step,
    training_trace,
)
from studio.process.caching import bounded, size_bytes
from studio.workbench import results
from studio.workbench.workload import Workload


def test_what_was_used_longest_ago_is_forgotten() -> None:
    made = []

    @bounded(megabytes=3.1)
    def million(letter: str) -> bytes:
        made.append(letter)
        return letter.encode() * 1_000_000

    for letter in "abcadcb":
        million(letter)
    assert made == list("abcdb")


def test_a_result_larger_than_the_bound_is_returned() -> None:
    large = bounded(megabytes=1)(lambda: b" " * 2_000_000)
    assert len(large()) == len(large()) == 2_000_000


def test_a_value_weighs_what_it_refers_to_once() -> None:
    text = "x" * 10_000
    assert size_bytes([text, text]) == pytest.approx(10_000, rel=0.02)
    assert size_bytes((studio.Design, studio.families()["vit"])) < 200


@pytest.mark.parametrize("key", studio.families())
def test_estimates_of_memory_are_near(key: str) -> None:
    design = studio.design(key)
    counted, trained = profile(design), training_trace(design, 1)
    graph, uses = results.graph_with_uses(Workload(design))
    found = {
        "trace": (trace_bytes(counted.root), counted),
        "training": (
            trace_bytes(trained, TRAINING_CALL_BYTES),
            (trained, training_step(design, 1)),
        ),
        "graph": (results.graph_bytes(graph), (graph, uses)),
    }
    ratios = {name: estimate / size_bytes(value) for name, (estimate, value) in found.items()}
    assert all(0.4 <= ratio <= 2.5 for ratio in ratios.values()), ratios
