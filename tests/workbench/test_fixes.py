"""Whatever does not fit is mended by one of the ways that are offered."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from itertools import islice

import pytest
from hypothesis import given, settings

from studio.knobs import DesignError
from studio.stages.convolution import Conv
from studio.stages.head import PooledHead
from studio.stages.input import SeriesStem
from studio.stages.mixing import CrossAttention
from studio.stages.sequence import TemporalConv
from studio.stages.stage import STEM
from studio.stages.token_head import MeanTokenHead
from studio.stages.tokens import Transformer
from studio.workbench.compose import composition, fixes
from studio.workbench.compose.composition import InvalidComposition, Stages
from studio.zoo.hybrid import FAMILY
from tests.zoo.reach import all_rows, tiny
from tests.zoo.test_hybrid import anything

CPU_S = 0.2  # within which the mends of a draft are found


def drafts() -> Iterator[InvalidComposition]:
    """Each kind of stage in the middle and at the end of each preset, and in the place of its
    head's neighbour."""
    for preset in FAMILY.presets:
        rows = composition.stages_of(preset.config)
        for kind in composition.kinds(FAMILY, "stages").values():
            for i in (len(rows) // 2, len(rows) - 2):
                for changed in (
                    composition.add_stage(rows, i, kind),
                    composition.change_kind(rows, i, kind),
                ):
                    found = composition.fit(FAMILY, changed)
                    if isinstance(found, InvalidComposition):
                        yield found


def broken(rows: Stages) -> InvalidComposition:
    found = composition.fit(FAMILY, rows)
    assert isinstance(found, InvalidComposition)
    return found


def holds(draft: InvalidComposition) -> None:
    """There are mends, each is offered once, and after each more rows fit."""
    offered = fixes.fixes(FAMILY, draft)
    assert offered, draft.fault
    assert len({mend.label for mend in offered}) == len({mend.stages for mend in offered})
    assert len({mend.label for mend in offered}) == len(offered)
    for mend in offered:
        assert composition.invalid_count(FAMILY, mend.stages) < draft.left, mend.label


def test_every_misfit_has_mends_each_once() -> None:
    for rows in islice(all_rows(2), 0, None, 97):
        found = composition.fit(FAMILY, rows)
        if isinstance(found, InvalidComposition):
            holds(found)


@settings(max_examples=60, deadline=None)
@given(anything())
def test_rows_at_random_have_mends(asked: dict[str, object]) -> None:
    try:
        read = {name: FAMILY.knobs[name].read(value) for name, value in asked.items()}
    except DesignError:
        return
    found = composition.fit(FAMILY, (read["stem"], *read["stages"], read["head"]))
    if isinstance(found, InvalidComposition):
        holds(found)


def test_mends_are_found_while_a_person_waits() -> None:
    slowest = 0.0
    for draft in drafts():
        begun = time.process_time()
        holds(draft)
        slowest = max(slowest, time.process_time() - begun)
    assert slowest < CPU_S


def test_a_sequence_before_a_convolution_is_told_in_plain_words_and_mended() -> None:
    draft = broken((SeriesStem(), Conv(), PooledHead()))
    assert draft.fault == (
        "Conv needs an image (C, H, W) but gets a sequence of 128 steps × 8 features:"
        " use TemporalConv, or insert ToMap"
    )
    assert [mend.label for mend in fixes.fixes(FAMILY, draft)] == [
        "Use TemporalConv",
        "Insert ToMap",
    ]
    draft = broken((SeriesStem(), TemporalConv(), PooledHead()))
    assert fixes.fixes(FAMILY, draft)[0].label == "Use MeanTokenHead"


def test_what_a_sentence_advises_is_offered_first() -> None:
    for draft in drafts():
        verb = re.search(r"(?:use|insert|start from) ([A-Z]\w+)", draft.fault)
        labels = [mend.label for mend in fixes.fixes(FAMILY, draft)]
        assert verb is None or any(verb[1] in label for label in labels), (draft.fault, labels)


def test_a_second_cross_attention_reads_the_same_second_input() -> None:
    rows = composition.stages_of(FAMILY.design("CNN-text cross-attention").config)
    i = next(i for i, row in enumerate(rows) if isinstance(row, CrossAttention))
    new = composition.add_stage(rows, i, CrossAttention)
    labels = [mend.label for mend in fixes.fixes(FAMILY, broken(new))]
    assert labels[0] == "memory_dim = 768"
    assert len(set(labels)) == len(labels)
    assert composition.invalid_count(FAMILY, composition.repair_join(FAMILY, new, i + 1)) == 0


@pytest.mark.parametrize("first", [Transformer(), TemporalConv()])
def test_a_sentence_names_stages_by_the_numbers_that_the_page_shows(first: object) -> None:
    """Rows are inserted before the fault, so all numbers after them move."""
    stem, second = composition.kinds(FAMILY, "stem")["ConvStem"](), tiny(CrossAttention)
    draft = broken((stem, Conv(), first, second, CrossAttention(), MeanTokenHead()))
    named = re.findall(r"stages\.(\d+)\.(\w+)=(\d+)", draft.fault)
    assert named
    for number, name, value in named:
        assert str(getattr(draft.stages[int(number) - STEM], name)) == value


def test_another_stem_is_mended_by_one_insertion_where_one_serves_all_rows() -> None:
    """Not row by row: the insertion after which all fit comes before what mends one row alone."""
    default = composition.stages_of(FAMILY.design().config)
    served = 0
    for preset in FAMILY.presets:
        rows = composition.stages_of(preset.config)
        for stem in composition.kinds(FAMILY, "stem").values():
            found = composition.fit(FAMILY, composition.change_kind(rows, 0, stem))
            if not isinstance(found, InvalidComposition):
                continue
            first = fixes.fixes(FAMILY, found)[0]
            if first.label.startswith("Insert") and ", " in first.label:
                assert composition.invalid_count(FAMILY, first.stages) == 0
                assert len(first.stages) == len(found.stages) + 1
                served += 1
            holds(found)
    assert served
    draft = broken((SeriesStem(), *default[1:]))
    told = "Insert ToMap, stride = 1 in 0 Residual, 1 Residual, 2 Residual"
    assert [mend.label for mend in fixes.fixes(FAMILY, draft)] == [told, "Use TemporalConv"]
