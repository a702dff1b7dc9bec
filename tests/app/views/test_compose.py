"""The page on which networks are composed, driven without a browser."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import studio
from studio.analysis.names.purpose import purpose
from studio.app.compose import editor, stage_picker
from studio.app.controls import navigation
from studio.knobs import knob
from studio.stages.clip import LastFrame
from studio.stages.convolution import Conv
from studio.stages.head import PooledHead
from studio.stages.join import Add
from studio.stages.residual import Residual
from studio.stages.sequence import TemporalConv
from studio.stages.stem import ConvStem
from studio.stages.tokens import ToMap, ToTokens, Transformer
from studio.workbench import results
from studio.workbench.compose import composition, fixes
from studio.workbench.compose.composition import InvalidComposition
from studio.workbench.page.state import FIRST, State
from studio.workbench.workload import Workload
from studio.zoo.hybrid import FAMILY, HybridConfig
from tests.app.conftest import graph, knob_row, run, state, turn, visited

pytestmark = pytest.mark.usefixtures("still")


def opened(**link: str) -> AppTest:
    return visited({"view": "Compose", **link})


def opens(app: AppTest, menu: str) -> None:
    app.session_state[menu] = True
    run(app)


def names(rows: composition.Stages) -> list[str]:
    return [type(row).__name__ for row in rows]


def composed(*stages: Any, head: Any = None) -> State:
    """The page with a composition of these stages."""
    config = HybridConfig(stages=stages, head=head or PooledHead())
    design = studio.family.Design(FAMILY, config)
    return FIRST.with_workload(replace(FIRST.workload, design=design))


def test_a_design_of_one_family_is_offered_a_composition_to_start_from() -> None:
    app = opened(family="unet")
    assert any("cannot be edited stage by stage" in info.value for info in app.info)
    app.button(key="start.hybrid").click()
    run(app)
    assert names(state(app).stages) == ["ConvStem", "Conv", "PooledHead"]


def test_a_design_of_a_family_that_is_stages_is_opened_as_such() -> None:
    app = opened(family="resnet")
    params = results.profile_of(state(app).workload).params
    app.button(key="as-stages").click()
    run(app)
    assert state(app).design.family.key == "hybrid"
    assert results.profile_of(state(app).workload).params == params


def test_a_stage_is_added_and_adapters_are_inserted_and_told() -> None:
    app = opened(family="vit")
    app.button(key="start.hybrid").click()
    run(app)
    opens(app, "add-stages.0")
    app.button(key="add-stages.0.Transformer").click()
    run(app)
    assert names(state(app).stages)[1:-1] == ["Conv", "ToTokens", "Transformer", "ToMap"]
    assert state(app).place == "stages.2"
    assert state(app).notes.keys() == {"stages.1", "stages.3"}
    told = {i for i in (0, 1, 3) if "inserted" in app.button(key=f"stage.stages.{i}").label}
    assert told == {1, 3}
    turn(app, "hybrid.Transformer.stages.2.depth", 2)
    assert state(app).design.value("stages.2.depth") == 2
    assert state(app).axis == "stages.2.depth"


def test_buttons_rearrange_the_rows() -> None:
    app = opened(family="hybrid", stages="Conv() Residual()", head="PooledHead()")
    for key, expected in (
        ("down", ["Residual", "Conv"]),
        ("duplicate", ["Residual", "Conv", "Conv"]),
        ("up", ["Residual", "Conv", "Conv"]),
        ("remove", ["Residual", "Conv"]),
    ):
        app.button(key=key).click()
        run(app)
        assert names(state(app).stages)[1:-1] == expected
    assert state(app).place == "stages.0"
    app.button(key="stage.head").click()
    run(app)
    opens(app, "kind-head-PooledHead")
    app.button(key="kind-head-PooledHead.HiddenLayerHead").click()
    run(app)
    assert names(state(app).stages)[-1] == "HiddenLayerHead"


def test_the_menu_of_kinds_tells_of_each_what_it_is_and_why_it_does_not_fit() -> None:
    app = opened(family="hybrid", stages="Conv()", head="PooledHead()", place="stages.0")
    opens(app, "add-stages.0")
    fits, misfits = (app.button(key=f"add-stages.0.{name}") for name in ("Residual", "LastFrame"))
    assert fits.label.startswith("**Residual** ")
    assert purpose(Residual) in fits.label
    assert purpose(Residual) in fits.help
    assert misfits.label.startswith(":gray[LastFrame] ")
    assert "LastFrame needs a clip (T, C, H, W) but gets a map (64, 112, 112)" in misfits.help
    misfits.click()
    run(app)
    assert state(app).invalid_composition


def test_kinds_stand_in_groups_and_none_is_lost() -> None:
    for place in ("stem", "stages", "head"):
        kinds = composition.kinds(FAMILY, place)
        grouped = stage_picker.groups(kinds)
        assert sorted(name for _, names in grouped for name in names) == sorted(kinds)
        assert len({title for title, _ in grouped}) == len(grouped)


def broken() -> AppTest:
    app = opened(family="hybrid", stages="Conv() ToTokens() ToMap()", head="PooledHead()")
    app.button(key="stage.stages.1").click()
    run(app)
    return turn(app, "hybrid.ToTokens.stages.1.class_token", True)


def test_what_does_not_fit_is_kept_and_told_and_mended_by_one_click() -> None:
    app = broken()
    now = state(app)
    assert now.invalid_composition
    assert now.invalid_composition.place == "stages.2"
    assert "the pixels of a map" in now.invalid_composition.fault
    assert now.design.value("stages.1.class_token") is False  # the figures are of the last that fit
    assert now.value("stages.1.class_token") is True
    sent = graph(app)
    assert "does not fit" in sent["svg"]
    both = r"\(1, \d+, \d+\) → takes \(B, H·W, C\)"  # the shapes, on the edge
    assert re.search(both, sent["svg"])
    (told,) = [each.value for each in app.markdown if "does not fit" in each.value]
    assert "2 ToMap" in told  # at once, though another row is open
    assert now.invalid_composition.fault in told
    app.button(key="goto").click()
    run(app)
    assert state(app).place == "stages.2"
    app.button(key="fix.0").click()
    run(app)
    assert state(app).invalid_composition is None
    assert state(app).stages[2] == ToTokens()


def test_undo_takes_a_draft_back_and_no_more() -> None:
    app = opened(family="hybrid", stages="Conv()", head="PooledHead()", place="stages.0")
    app.button(key="duplicate").click()
    run(app)
    app.session_state["add-stages.1"] = True
    run(app)
    app.button(key="add-stages.1.LastFrame").click()
    run(app)
    assert state(app).invalid_composition
    app.button(key="undo").click()
    run(app)
    assert state(app).invalid_composition is None
    assert names(state(app).stages)[1:-1] == ["Conv", "Conv"]
    app.button(key="undo").click()
    run(app)
    assert names(state(app).stages)[1:-1] == ["Conv"]


def test_a_link_restores_a_draft_and_the_open_row() -> None:
    before = state(broken())
    assert before.link["view"] == "Compose"
    again = state(opened(**before.link))
    assert again.invalid_composition == before.invalid_composition
    assert (again.link, again.place) == (before.link, "stages.1")


@pytest.mark.parametrize("draft", ["Conv()", "Conv() Conv() PooledHead()", "Conv(", "Nothing()"])
def test_of_a_link_with_a_draft_that_is_none_the_rest_is_honoured(draft: str) -> None:
    now = FIRST.follow_link({"family": "hybrid", "draft": draft, "batch": "4"})
    assert now.refusal
    assert now.invalid_composition is None
    assert now.workload == Workload(studio.design("hybrid"), 4)


def test_a_draft_is_kept_while_the_batch_changes_and_goes_with_another_design() -> None:
    now = state(broken())
    assert now.set_knob("batch", 4).invalid_composition == now.invalid_composition
    assert now.choose_preset("vit").invalid_composition is None
    assert now.set_knob("stages.1.class_token", False).invalid_composition is None
    assert now.set_knob(
        "stages.0.width", 4096
    ).invalid_composition  # and its other knobs can be turned
    assert "stages.0.width" in now.set_knob("stages.0.width", 10**6).refusal


def test_values_that_the_rule_allows_are_offered() -> None:
    rows = (ConvStem(), Conv(width=36), ToTokens(), Transformer(num_heads=8), ToMap(), PooledHead())
    draft = composition.fit(FAMILY, rows)
    assert isinstance(draft, InvalidComposition)
    assert (draft.place, draft.left) == ("stages.2", 3)
    labels = [mend.label for mend in fixes.fixes(FAMILY, draft)]
    assert labels == ["num_heads = 9", "num_heads = 6", "Remove 2 Transformer"]
    for mend in fixes.fixes(FAMILY, draft):
        assert not isinstance(composition.fit(FAMILY, mend.stages), InvalidComposition)


def test_a_new_skip_joins_the_nearest_stage_that_fits() -> None:
    app = opened(family="hybrid", stages="Conv(stride=2) Conv() Conv()", head="PooledHead()")
    app.button(key="stage.stages.2").click()
    run(app)
    opens(app, "add-stages.2")
    assert app.button(key="add-stages.2.Add").label.startswith("**Add** ")  # it fits
    app.button(key="add-stages.2.Add").click()
    run(app)
    assert state(app).stages[4] == Add(source=1)
    turn(app, "joins.stages.3.source", 0)
    assert state(app).design.value("stages.3.source") == 0
    assert (
        composition.repair_join(FAMILY, state(app).stages, 4) == state(app).stages
    )  # it fits as it is


def test_a_row_is_joined_with_itself_only_where_nothing_else_fits() -> None:
    for stages, expected in (
        ((Conv(stride=2), Conv(), Conv(), Add()), ["source = 1", "source = 0", "Remove 3 Add"]),
        ((Conv(stride=2), Conv(stride=2), Add()), ["source = 1", "Remove 2 Add"]),
    ):
        draft = composition.fit(FAMILY, (ConvStem(), *stages, PooledHead()))
        assert isinstance(draft, InvalidComposition)
        assert [mend.label for mend in fixes.fixes(FAMILY, draft)] == expected


def test_the_skips_of_a_head_are_chosen_by_what_they_join() -> None:
    app = opened(family="hybrid", preset="U-Net with attention bottleneck", place="head")
    skip = knob_row(app, "joins.head.skips.1")
    names = [text for _, text in skip["options"][:3]]
    assert (skip["words"], names) == ("skip 2", ["stem ConvStem", "0 Pool", "1 Conv"])
    turn(app, "joins.head.skips.1", 1)
    assert state(app).design.value("head.skips") == (5, 1, 1, -1)


def test_another_kind_keeps_the_knobs_that_both_have() -> None:
    rows = composed(Conv(width=32, depth=2)).stages
    assert composition.change_kind(rows, 1, Residual)[1] == Residual(width=32, depth=2, stride=1)


@dataclass(frozen=True, kw_only=True)
class Joining:
    """A row that reads an earlier one."""

    source: int = knob(-1, "The number of an earlier stage", ge=-1, le=31)


def test_a_row_that_reads_another_goes_on_to_read_it() -> None:
    rows = ("stem", "a", "b", Joining(source=1), "head")
    read = [row.source for row in composition.duplicate_stage(rows, 1) if isinstance(row, Joining)]
    assert read == [2]
    assert composition.move_stage(rows, 1, 1)[3] == Joining(source=0)
    assert composition.remove_stage(rows, 2)[2] == Joining(source=0)


def test_a_composition_is_called_by_the_kinds_of_its_stages() -> None:
    assert composed(Conv(), Conv(), ToTokens(), ToMap()).title == "Conv × 2 · ToTokens · ToMap"


def test_a_design_opened_as_stages_is_the_composition_on_the_page() -> None:
    whole = FIRST.choose_preset("resnet")
    stages = composed(Conv()).design
    now = navigation.open_composition(whole, lambda design: stages)
    assert (now.design, now.previous) == (stages, whole.workload)

    def refuse(design: studio.Design) -> studio.Design:
        raise studio.DesignError(f"{design.family.key} cannot be opened as stages")

    refused = navigation.open_composition(whole, refuse)
    assert (refused.design, refused.refusal) == (
        whole.design,
        "resnet cannot be opened as stages",
    )


def test_what_does_not_fit_is_marked_at_its_own_row_after_all_that_do() -> None:
    """Whichever the row: those before it show what flows out of them, and are in the graph."""
    seen = set()
    for stem in composition.kinds(FAMILY, "stem").values():
        for kind in (Conv, LastFrame, TemporalConv):
            for stages in ((kind(),), (kind(), kind())):
                draft = composition.fit(FAMILY, (stem(), *stages, PooledHead()))
                if not isinstance(draft, InvalidComposition):
                    continue
                now = replace(FIRST.choose_preset("hybrid"), invalid_composition=draft)
                lines = editor.stage_figures(now)
                assert [n for n, one in enumerate(lines) if "does not fit" in one] == [draft.at]
                assert all("<span>(" in one for one in lines[: draft.at])
                assert not any("<span>(" in one for one in lines[draft.at :])
                shown = results.invalid_graph(FAMILY, draft).root.children
                placed = [composition.place(draft.stages, n) for n in range(draft.at + 1)]
                assert [node.id for node in shown if node.id in placed] == placed
                assert shown[0].kind == "input"
                assert shown[-1].id == draft.place
                seen.add(draft.at)
    assert {1, 2} <= seen
