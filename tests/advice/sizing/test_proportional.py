"""A recommendation is a design that an engineer would build."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import studio
from studio.advice.budget import Limits, cost
from studio.advice.recommend import Choice, choose_in_family, families_for
from studio.advice.requirements import Brief
from studio.advice.sizing.proportions import MAX_SPREAD, head_dims, round_width, size_knobs, spread
from studio.family import Design, Family
from studio.tasks import TASKS, Task

BUDGETS = (10**5, 10**6, 5 * 10**6, 3 * 10**7, 10**8, 10**9, 8 * 10**9)
FAMILIES = studio.families()
BITS = 3


def widths(design: Design) -> list[int]:
    """Of each stage."""
    found = [design.value(name) for name, k in size_knobs(design).items() if k.axis == "width"]
    flat = [entry for value in found for entry in (value if isinstance(value, tuple) else (value,))]
    return [width for width in flat if isinstance(width, int)]


def published(family: Family) -> set[int]:
    return {w for preset in family.presets for w in widths(Design(family, preset.config))}


def is_usual(width: int) -> bool:
    """A multiple of 8 with three significant bits."""
    return width % 8 == 0 and (width < 64 or width % 2 ** (width.bit_length() - BITS) == 0)


def judge(choice: Choice) -> None:
    """What an engineer would look at first."""
    design, family = choice.design, choice.design.family
    presets = [Design(family, preset.config) for preset in family.presets]
    assert min(spread(design, preset) for preset in presets) <= MAX_SPREAD + 1e-6, choice.title
    known = published(family)
    assert all(is_usual(width) or width in known for width in widths(design)), choice.title
    if "head_dim" not in design.knobs and {"embed_dim", "num_heads"} <= design.knobs.keys():
        width, heads = design.value("embed_dim"), design.value("num_heads")
        assert width % heads == 0
        assert width // heads in head_dims(family), choice.title


SERVED = [(family, task) for task in TASKS for family in families_for(task)]


@pytest.mark.parametrize(("family", "task"), SERVED, ids=lambda one: getattr(one, "key", one))
@settings(max_examples=1, deadline=None, derandomize=True)
@given(
    budget=st.sampled_from(BUDGETS),
    limit=st.sampled_from(["params", "macs", "inference_bytes"]),
    large=st.booleans(),
)
def test_a_recommendation_stays_near_a_published_preset(
    family: Family, task: Task, budget: int, limit: str, large: bool
) -> None:
    amount = budget * (1 if limit == "params" else 100)
    sizes = {"image_size": 512 if large else 64} if "image_size" in family.knobs else {}
    if task in ("language", "time-series"):
        sizes = {"seq_len": 256 if large else 64}
    brief = Brief(task=task, limits=Limits(**{limit: amount}), settings=sizes)
    if choice := choose_in_family(family, brief, "recommended"):
        judge(choice)
        assert cost(choice.profile, limit) <= amount
        assert choice.share == cost(choice.profile, limit) / amount


@pytest.mark.parametrize(("key", "preset"), [("resnet", "ResNet-50"), ("llama", "LLaMA-7B")])
def test_a_published_preset_at_60_to_100_percent_is_taken_as_it_is(key: str, preset: str) -> None:
    family = FAMILIES[key]
    task = family.guide.tasks[0]
    for factor in (1.0, 1.1):
        budget = int(studio.profile(family.design(preset)).params * factor)
        choice = choose_in_family(
            family, Brief(task=task, limits=Limits(params=budget)), "recommended"
        )
        assert choice
        known = [Design(family, one.config) for one in family.presets]
        assert any(widths(one) == widths(choice.design) for one in known)
        assert choice.share >= 0.6


@pytest.mark.parametrize(("bits", "shift"), list(product((4, 5, 6, 7), (4, 6, 8))))
def test_widths_that_people_use_stay_as_they_are(bits: int, shift: int) -> None:
    width = bits << shift
    assert round_width(width) == width
    assert is_usual(round_width(width * 1.1))
