"""Every position of an input reaches the output, in whatever is accepted or offered."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

import studio
from studio.knobs import DesignError
from studio.workbench.compose import composition
from studio.zoo.hybrid import FAMILY
from tests.zoo.reach import all_rows, fitted, lost, reached, shrunk


@pytest.mark.parametrize(("stages", "step"), [(1, 11), (2, 397)])
def test_every_position_reaches_the_output_of_a_composition_or_of_what_its_mends_lead_to(
    stages: int, step: int
) -> None:
    """A sample; `python -m tests.zoo.reach` goes through them all."""
    for rows in islice(all_rows(stages), 0, None, step):
        assert not lost(fitted(rows)), FAMILY.knobs["stages"].text(rows)


@pytest.mark.parametrize("preset", FAMILY.presets, ids=lambda preset: preset.name)
def test_every_preset_and_its_rows_by_default_reach_all_of_their_input(preset: Any) -> None:
    kinds = (type(row)() for row in composition.stages_of(preset.config))
    assert not lost(fitted(shrunk(tuple(kinds))))


@pytest.mark.parametrize(
    ("stem", "stages", "head", "said"),
    [
        ("SeriesStem()", "TemporalConv()", "ClassTokenHead()", "needs a class token but gets"),
        ("TokenStem()", "Transformer()", "ClassTokenHead()", "needs a class token but gets"),
        ("ConvStem()", "Conv()", "ClassTokenHead()", "reads only the class token"),
        ("ConvStem()", "ToTokens(class_token=1) TemporalConv()", "ClassTokenHead()", "only the"),
        ("SeriesStem()", "PrependClassToken()", "ClassTokenHead()", "reads only the class token"),
        ("SeriesStem()", "Project()", "LastTokenHead()", "reads only the last step"),
        ("ClipStem()", "LastFrame()", "PooledHead()", "keeps only the last frame"),
    ],
)
def test_what_cannot_learn_from_its_input_is_refused(
    stem: str, stages: str, head: str, said: str
) -> None:
    with pytest.raises(DesignError, match=said):
        studio.design("hybrid", stem=stem, stages=stages, head=head)


def test_a_position_that_a_head_does_not_read_is_found() -> None:
    """The check can fail: a step beyond the receptive field is not reached."""
    stages = "TemporalConv(depth=1, kernel_size=2, width=8)"
    stem, head = "SeriesStem(seq_len=12)", "LastTokenHead(num_classes=3)"
    (found,) = reached(studio.design("hybrid", stem=stem, stages=stages, head=head).config)
    assert found.tolist() == [False] * 9 + [True] * 3
