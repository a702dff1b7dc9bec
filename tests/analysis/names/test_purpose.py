"""Every row, layer and operation says in one sentence what it is for."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from torch import nn

import studio
from studio.analysis.graph.layer_graph import build_graph_with_uses, stage_titles
from studio.analysis.inspect.node_details import node_details
from studio.analysis.names.purpose import first_sentence, purpose, purpose_of
from studio.analysis.trace.tree import Trace
from studio.app.compose import stage_picker
from studio.family import Family
from studio.workbench.compose import composition
from studio.zoo.hybrid import FAMILY

LONGEST = 92  # characters, as a menu shows a line
KINDS = [
    kind for name in ("stem", "stages", "head") for kind in composition.kinds(FAMILY, name).values()
]


def walk(body: Trace, seen: set[int]) -> Iterator[Trace]:
    if id(body) not in seen:
        seen.add(id(body))
        yield body
        for call in body.calls:
            yield from walk(call.trace, seen)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_the_first_line_of_a_row_says_what_it_does(kind: type) -> None:
    """`Shrinks the map ...`: one sentence, on one line, which begins with a verb."""
    line = (kind.__doc__ or "").splitlines()[0]
    said = purpose(kind)
    assert line == said
    assert re.match(r"[A-Z][a-z]+s\b", said), said
    assert len(said) <= LONGEST, said
    assert said.count(". ") == 0, said
    assert stage_picker.menu_line(kind.__name__, kind, False).count(said) == 1


def test_no_two_kinds_of_row_say_the_same() -> None:
    assert len({purpose(kind) for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("family", studio.families().values(), ids=lambda family: family.key)
def test_every_layer_and_operation_says_what_it_is_for(family: Family) -> None:
    for body in walk(studio.profile(family.design()).root, set()):
        said = purpose_of(body)
        assert said.endswith("."), body.kind
        assert re.match(r"\S.{5,}", said), (body.kind, said)
        assert "->" not in said, (body.kind, said)


def test_options_that_are_layers_say_what_they_are_for() -> None:
    for family in studio.families().values():
        for knob in family.design().knobs.values():
            for option in knob.options:
                if isinstance(option, type) and issubclass(option, nn.Module):
                    assert purpose(option), option


def test_a_box_says_what_it_is_for() -> None:
    design = studio.design("hybrid")
    found = studio.profile(design)
    graph, uses = build_graph_with_uses(found.root, stage_titles(design.config))
    stages = node_details("stages.4", graph, uses, found)
    assert stages
    assert stages.purpose == "Runs its layers one after another."  # the page says it of the row


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "Add a token (Liu et al. 2022, eq. 1). (B, N) -> (B, M).",
            "Add a token (Liu et al. 2022, eq. 1)",
        ),
        ("Lines\nthat go on.\n\nMore.", "Lines that go on"),
        ("No stop", "No stop"),
        ("", ""),
    ],
)
def test_the_first_sentence_of_a_docstring(text: str, said: str) -> None:
    assert first_sentence(text) == said
