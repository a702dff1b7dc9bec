"""What a drag shows is what the server then says: for the sliders of every family."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from studio import zoo
from studio.app.compose.stage_knobs import stage_sections
from studio.app.knob_panel.contents import design_sections
from studio.app.knob_panel.rows import Row, controls, turned
from studio.app.knob_panel.tracks import values_of
from studio.app.preview.value_table import Want, question, read_want
from studio.workbench.compose import composition
from studio.workbench.jobs.sizing_process import SizingProcess
from studio.workbench.jobs.value_tables import landing
from studio.workbench.page.figures import FIGURES, figure_text
from studio.workbench.page.state import FIRST, State
from tests.app.conftest import (
    StillWorkbench,
    components,
    hover,
    knob_row,
    state,
    tell,
    turn,
    visited,
)
from tests.commit_sample import commit_random, commit_sample

PRESET = "R50+ViT-B/16"
SLIDERS, VALUES = 2, 2  # of each family that are tried


def sliders(now: State) -> list[Row]:
    """The sliders of a page and, of a composition, those of all its stages."""
    sections = [*design_sections(now, ("cpu",))]
    if now.design.family.is_composed:
        for place in map(composition.place, [now.stages] * len(now.stages), range(len(now.stages))):
            sections += stage_sections(replace(now, place=place))
    return [row for row in controls(sections).values() if row.kind == "range"]


def compared(family: str) -> State:
    """The family's first design, compared with a pinned and a previous one."""
    pinned = FIRST.choose_preset(family, zoo.family(family).presets[-1].name)
    return pinned.pin(pinned.workload).choose_preset(family)


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("family", zoo.families())
def test_a_landing_is_what_the_page_says_after_the_move(family: str) -> None:
    chosen, now = commit_random(f"landings of {family}"), compared(family)
    rows = sliders(now)
    for row in chosen.sample(rows, min(SLIDERS, len(rows))):
        assert row.track
        asked = pickle.loads(pickle.dumps(question(now, row)))  # on its way to the process
        assert asked.values == values_of(row.track, type(row.value))
        for value in chosen.sample(asked.values, min(VALUES, len(asked.values))):
            found, after = landing(asked, value), turned(now, row, value)
            assert found.landed == asked.turn.value(after)
            if not found.figures:
                assert found.note
                assert after.refusal or after.invalid_composition
                continue
            told = tuple((text, tuple(notes)) for text, notes in figures(after))
            assert (row.id, value, found.figures) == (row.id, value, told)
            assert found.note == after.notes.get(row.knob, "")


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("family", commit_sample("worked out", list(zoo.families()), 3))
def test_the_sizing_process_says_what_this_one_does(family: str, sizing: SizingProcess) -> None:
    chosen, now = commit_random(f"worked out for {family}"), compared(family)
    asked = question(now, chosen.choice(sliders(now)))
    assert asked
    value = chosen.choice(asked.values)
    assert sizing().submit(landing, asked, value).result() == landing(asked, value)


@pytest.fixture(scope="module")
def sizing() -> SizingProcess:
    return SizingProcess()


def figures(now: State) -> Iterator[tuple[str, list[str]]]:
    return (figure_text(figure, now) for figure in FIGURES)


@pytest.mark.parametrize(
    ("link", "row"),
    [
        ({"family": "vit"}, "vit.depth"),
        ({"family": "vit"}, "batch"),
        (
            {"view": "Compose", "family": "hybrid", "preset": PRESET, "place": "stages.1"},
            "hybrid.StandardisedResidual.stages.1.depth",
        ),
    ],
)
def test_the_page_then_shows_what_the_browser_was_sent(
    bench: StillWorkbench, link: dict[str, str], row: str
) -> None:
    app = visited(link)
    here = knob_row(app, row)["value"]
    sent = hover(app, row, here)
    assert sent["row"] == row
    near = [one for one in sent["landings"] if one["value"] != here]
    assert near
    chosen = min(near, key=lambda one: abs(one["value"] - here))
    turn(app, row, chosen["value"])
    assert knob_row(app, row)["value"] == chosen["landed"]
    (cards,) = (data["html"] for _, data in components(app) if data.get("part") == "figures")
    for value, notes in chosen["figures"]:
        assert f"<b>{value}</b>{''.join(notes)}" in cards


def test_the_browser_is_told_which_move_the_figures_are_of(app: AppTest) -> None:
    turn(app, "vit.depth", 7)
    serials = [data["applied"] for _, data in components(app) if "applied" in data]
    assert len(serials) == 5  # panel, graph, both kinds of cards, and the table
    assert all(one == serials[0] and list(one.values()) == [1] for one in serials)


def test_a_pointer_on_no_slider_is_sent_nothing(app: AppTest) -> None:
    for row in ("vit.patch_size", "no.such.row", "<b>"):
        sent = hover(app, row, 3)
        assert sent["landings"] == []
        assert sent["complete"]
    assert state(app) == state(app)


def test_a_question_that_a_run_of_the_page_swallows_is_asked_again(app: AppTest) -> None:
    (table,) = (id for id, data in components(app) if "landings" in data)
    tell(app, table, {"want": {"row": "vit.depth", "at": 12, "number": 7}})
    (sent,) = (data for _, data in components(app) if "landings" in data)
    assert (sent["row"], sent["landings"]) == ("", [])  # as no answer
    assert sent["answers"] == 7  # for which the browser does not wait any longer


@pytest.mark.parametrize(
    "given",
    [None, 3, [], {"row": 3, "at": 1, "number": 1}, {"row": "x" * 999, "at": 1, "number": 1}],
)
def test_what_is_no_question_asks_for_nothing(given: object) -> None:
    assert read_want(given) == Want()
    for at in (float("nan"), float("inf"), 10**400, True, "3"):
        assert read_want({"row": "vit.depth", "at": at, "number": 4}) == Want(number=4)
    assert read_want({"row": "vit.depth", "at": 3, "number": 4}) == Want("vit.depth", 3, 4)
