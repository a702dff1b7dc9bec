"""What a guide says stands in the middle of sentences, on the page, in the shell and in reports."""

from __future__ import annotations

import re

import pytest

import studio
from studio.family import Family

every_family = pytest.mark.parametrize(
    "family", studio.families().values(), ids=lambda family: family.key
)
NAMES = "|".join(re.escape(family.title) for family in studio.families().values())
CLAUSE = re.compile(rf"[a-z$φ\d]|{NAMES}")  # how a clause begins: in lower case, or with a name
ENDED = re.compile(r"(?<!\bet al)\.(\s|$)")


@every_family
def test_its_reasons_read_on_after_use_it_when_and_avoid_it_when(family: Family) -> None:
    guide = family.guide
    for said in (guide.use_when, guide.avoid_when, guide.cost, *guide.strengths):
        assert said == " ".join(said.split()), said
        assert CLAUSE.match(said), f"begins a sentence of its own: {said}"
        assert not ENDED.search(said), f"ends a sentence: {said}"
