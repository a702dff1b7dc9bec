"""A batch that batch normalisation cannot be trained on is refused, wherever a step is run."""

from __future__ import annotations

import re

import pytest

import studio
from studio.analysis.cost.starved_norm import batch_too_small
from studio.bench.conditions import Conditions
from studio.family import Design, Family
from studio.measurable import condition_problem
from studio.process.errors import MeasureError
from tests.commit_sample import commit_sample
from tests.designs import options, small

FAMILIES = list(studio.families().values())
STARVED = small(studio.families()["inception"]).replace(pool_kernel_size=3)


def trains(design: Design, batch: int) -> bool:
    """Whether a forward pass in training mode runs."""
    model = design.family.model(design.config).train()
    inputs = design.family.example(design.config, batch)
    try:
        model(*inputs)
    except ValueError as error:
        return "more than 1 value per channel" not in str(error)
    return True


def designs(family: Family) -> list[tuple[str, Design]]:
    return commit_sample(f"starved {family.key}", list(options(family)), 2)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_what_is_refused_is_what_torch_cannot_train(family: Family) -> None:
    for label, design in designs(family):
        assert (batch_too_small(design, 1) == "") == trains(design, 1), label


def test_the_sentence_names_batch_and_image_size_and_what_it_offers_works() -> None:
    assert not trains(STARVED, 1)
    why = batch_too_small(STARVED, 1)
    assert why.startswith(f"batch=1 at image_size={STARVED.value('image_size')} leaves")
    batch, size = re.search(r"batch=(\d+) or image_size=(\d+)$", why).groups()  # type: ignore[union-attr]
    assert trains(STARVED, int(batch))
    assert batch_too_small(STARVED, int(batch)) == ""
    assert trains(STARVED.replace(image_size=int(size)), 1)


def test_it_is_not_measured() -> None:
    with pytest.raises(MeasureError, match=r"batch=1 at image_size=.* batch=2"):
        studio.measure(STARVED, mode="training")
    assert condition_problem(STARVED, Conditions(mode="training", batch=2)) == ""
    assert condition_problem(STARVED, Conditions()) == ""
