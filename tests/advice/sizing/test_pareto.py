"""The grid around a design: counted exactly, marked by the limits, and by what is worth a look."""

from __future__ import annotations

import gc

import pytest

import studio
from studio.advice.budget import Limits
from studio.advice.sizing.pareto import FACTORS, SIZES, Candidate, candidates, grid, pareto_front
from studio.analysis.cost.profiler import clear_caches, profile

NANO = studio.design("vit", "ViT-Ti/16", image_size=64, num_classes=10)
LIMITS = Limits(params=4_000_000, macs=60_000_000)


@pytest.fixture(scope="module")
def found() -> tuple[Candidate, ...]:
    return candidates(NANO, LIMITS)


def test_candidates_are_counted_as_any_design_is(found: tuple[Candidate, ...]) -> None:
    clear_caches()
    for candidate in found[::20]:
        assert candidate.profile == profile(candidate.design)


def test_what_fits_is_within_every_limit(found: tuple[Candidate, ...]) -> None:
    for candidate in found:
        within = candidate.profile.params <= 4_000_000 and candidate.profile.macs <= 60_000_000
        assert candidate.fits == within
    assert {candidate.fits for candidate in found} == {True, False}


def test_the_best_are_those_that_nothing_that_fits_dominates(found: tuple[Candidate, ...]) -> None:
    fitting = [(c.profile.params, c.profile.macs) for c in found if c.fits]

    def dominated(params: int, macs: int) -> bool:
        return any(p >= params and m <= macs and (p, m) != (params, macs) for p, m in fitting)

    best = [(c.profile.params, c.profile.macs) for c in found if c.best]
    assert best == sorted(best)
    assert set(best) == {figures for figures in fitting if not dominated(*figures)}


def test_each_size_of_inputs_has_a_front_of_its_own() -> None:
    sizes = candidates(NANO, Limits(), along=("resolution", "width"))
    best = {c.design.value("image_size") for c in sizes if c.best}
    assert len(best) > 3
    assert best == {c.design.value("image_size") for c in sizes}


def test_the_start_is_among_them_and_the_task_keeps_its_resolution() -> None:
    sizes = grid(NANO)
    assert sizes[0] == NANO
    assert {design.value("image_size") for design in sizes} == {64}
    assert len(sizes) > 200


def test_heads_keep_their_width_as_the_design_grows() -> None:
    sizes = [(d.value("embed_dim"), d.value("num_heads")) for d in grid(NANO, ("width", "heads"))]
    assert {width for width, _ in sizes} == {w for w, heads in sizes if w == 64 * heads}


@pytest.mark.parametrize("family", studio.families())
def test_every_family_has_candidates(family: str) -> None:
    sizes = grid(studio.design(family))
    assert 1 < len(sizes) <= 2 * len(FACTORS["width"]) * len(FACTORS["depth"]) * 3
    assert len(set(sizes)) == len(sizes)


def test_the_collector_is_left_as_it_was() -> None:
    candidates(NANO, Limits(), along=())
    assert gc.get_freeze_count() == 0
    assert gc.isenabled()
    assert SIZES == ("width", "heads", "depth")


def test_a_front_of_nothing_is_nothing() -> None:
    assert list(pareto_front([])) == []
