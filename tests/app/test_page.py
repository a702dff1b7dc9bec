"""The main page, driven without a browser."""

from __future__ import annotations

from dataclasses import replace
from html import escape
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st
from streamlit.runtime.scriptrunner_utils.script_run_context import ScriptRunContext
from streamlit.testing.v1 import AppTest

import studio
from studio.analysis import units
from studio.app.controls import sidebar
from studio.app.markup import plain
from studio.family import Family
from studio.workbench.page.figures import change
from studio.workbench.page.state import FIRST, START, TABS
from studio.workbench.workload import BATCH, Workload
from tests.app.conftest import (
    MAIN,
    components,
    graph,
    knob_row,
    panels,
    put,
    report,
    state,
    turn,
)


def opened(link: dict[str, str]) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=60)
    for name, value in link.items():
        app.query_params[name] = value
    return app.run()


def figures(app: AppTest) -> str:
    """The text of the headline cards."""
    return "".join(data["html"] for _, data in components(app) if "part" in data)


def open_tab(app: AppTest, tab: str) -> None:
    put(app, replace(state(app), tab=tab))
    app.run()


def title(app: AppTest) -> str:
    return app.markdown[0].value


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("family", studio.families())
def test_every_family_opens_with_its_figures(family: str) -> None:
    app = opened({"family": family})
    design = studio.design(family)
    assert not app.exception
    assert plain(design.title) in title(app)
    counted = studio.profile(design).params
    assert units.count(counted) in figures(app)
    claim = f"✓ {counted:,}, matches <small>"
    assert (claim in figures(app)) == bool(design.base.params)
    assert (f'title="{escape(design.base.source)}"' in figures(app)) == bool(design.base.params)
    assert "GMACs" in figures(app) or "MMACs" in figures(app)


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize("tab", TABS)
@pytest.mark.parametrize("family", studio.families())
def test_every_tab_opens_in_every_family(family: str, tab: str) -> None:
    app = opened({"family": family, "tab": tab})
    assert not app.exception
    assert state(app).tab == tab


def test_a_slider_moves_figures_title_and_link(app: AppTest) -> None:
    before = figures(app)
    turn(app, "vit.depth", 6)
    assert figures(app) != before
    assert "−42.5 M (×0.509) vs previous" in figures(app)
    assert "ViT-B/16, depth=6" in title(app)
    assert app.query_params["depth"] in ("6", ["6"])


def test_a_hidden_size_is_typed_in_and_linked_to_its_ratio(app: AppTest) -> None:
    turn(app, "vit.mlp_dim", 3001)
    assert not app.exception
    assert "mlp_dim=3001" in title(app)
    assert app.query_params["mlp_ratio"] in ("3001/768", ["3001/768"])
    turn(app, "vit.mlp_ratio", 2.0)
    assert knob_row(app, "vit.mlp_dim")["value"] == 1536
    size = knob_row(app, "vit.mlp_dim")["track"]
    ratio = studio.design("vit").knobs["mlp_ratio"]
    assert (size["low"], size["high"]) == (768 * ratio.ge, 768 * ratio.le)  # no other can be typed
    turn(app, "vit.mlp_dim", 6144)
    assert "mlp_dim=6144" in title(app) or "mlp_ratio=8" in title(app)


@pytest.mark.usefixtures("still")
def test_a_value_between_two_steps_of_a_slider_is_shown() -> None:
    app = opened({"family": "bert", "max_seq_len": "514", "seq_len": "77"})
    assert not app.exception
    assert "seq_len=77, max_seq_len=514" in title(app)
    for name, value in (("max_seq_len", 514), ("seq_len", 77)):
        row = knob_row(app, f"bert.{name}")
        assert row["value"] == value
        assert value in row["track"]["values"]


def test_a_slider_that_cannot_stay_slides_on_and_says_why(app: AppTest) -> None:
    app.selectbox(key="vit.preset").set_value("ViT-S/16").run()
    turn(app, "vit.num_heads", 7)
    assert knob_row(app, "vit.num_heads")["value"] == 8
    assert "num_heads was set to 8" in knob_row(app, "vit.num_heads")["note"]
    turn(app, "vit.depth", 6)
    assert "note" not in knob_row(app, "vit.num_heads")


@pytest.mark.usefixtures("still")
@pytest.mark.parametrize(
    ("link", "names"),
    [
        ({"family": "vlt"}, "vlt"),
        ({"family": "vit", "preset": "ViT-S/16", "depth": "600"}, "depth=600"),
        ({"batch": "many"}, "batch=many"),
        ({"tab": "Colde"}, "tab=Colde is not one of its options; it takes Scaling, Layers, Memory"),
    ],
)
def test_a_link_that_is_partly_wrong_gives_one_sentence_and_a_page(
    link: dict[str, str], names: str
) -> None:
    app = opened(link)
    (warning,) = app.warning
    assert names in warning.value.replace("\\", "")
    assert "\n" not in warning.value
    assert state(app).design.family.key == "vit"


@pytest.mark.usefixtures("still")
def test_what_of_a_link_is_no_parameter_is_noted() -> None:
    app = opened({"family": "vit", "deep": "5", "depth": "6"})
    assert not app.warning
    assert any("Unknown parameters ignored: deep" in caption.value for caption in app.caption)
    assert state(app).design == studio.design("vit", depth=6)


@pytest.mark.usefixtures("still")
def test_a_link_restores_the_page() -> None:
    link = {"family": "resnet", "preset": "ResNet-18", "depths": "1,2,3,4", "batch": "8"}
    app = opened(link | {"tab": "Code"})
    assert not app.warning
    assert state(app).link == link | {"tab": "Code"}


def test_reset_goes_back_to_the_preset(app: AppTest) -> None:
    turn(app, "vit.depth", 6)
    next(b for b in app.button if b.label == "Reset to preset").click().run()
    assert state(app).design == START
    assert knob_row(app, "vit.depth")["value"] == 12


@pytest.mark.usefixtures("still")
def test_the_chosen_preset_stays_however_far_the_design_goes() -> None:
    link = {"family": "vit", "preset": "ViT-S/16", "embed_dim": "448"}
    link |= {"depth": "13", "num_heads": "8", "image_size": "240"}
    app = opened(link)
    assert state(app).design.base.name == "ViT-B/16"  # by now the nearest one
    assert app.selectbox(key="vit.preset").value == "ViT-S/16"
    assert "ViT-S/16, " in title(app)
    assert state(app).link == link
    next(b for b in app.button if b.label == "Reset to preset").click().run()
    assert state(app).design == studio.design("vit", "ViT-S/16")


def test_a_design_turned_into_another_preset_can_still_be_reset() -> None:
    small, base = studio.design("vit", "ViT-S/16"), studio.design("vit", "ViT-B/16")
    turned = FIRST.choose_preset("vit", "ViT-S/16")
    for knob, value in base.changes(small.base).items():
        turned = turned.set_knob(knob, value)
    assert turned.design == base
    assert turned.title == "ViT-S/16, embed_dim=768, num_heads=12"
    assert sidebar.reset_to_preset(turned).design == small


@given(family=st.sampled_from(list(studio.families().values())), data=st.data())
def test_a_design_comes_back_told_from_any_preset(family: Family, data: st.DataObject) -> None:
    preset, other = (data.draw(st.sampled_from(family.presets)) for _ in range(2))
    state = replace(FIRST, workload=Workload(family.design(other.name)), preset=preset)
    followed = FIRST.follow_link(state.link)
    assert (followed.workload, followed.preset) == (state.workload, preset)


@pytest.mark.usefixtures("still")
def test_a_link_restores_the_open_blocks_and_the_selected_node() -> None:
    link = {"family": "vit", "preset": "ViT-Ti/16", "open": "blocks.0,gone", "node": "head"}
    app = opened(link)
    sent = graph(app)
    assert (sent["open"], sent["selected"]) == (["blocks.0"], "head")
    assert state(app).link == link
    assert "open" not in state(app).choose_preset("resnet").link


@pytest.mark.parametrize(
    ("value", "before", "told"),
    [
        (5, 5, "unchanged"),
        (5, 0, "+5"),
        (1000, 999, "+1"),
        (1000, 990, "+10 (×1.01)"),
        (5, 10, "−5 (×0.5)"),
    ],
)
def test_a_change_tells_its_ratio_where_that_says_something(
    value: int, before: int, told: str
) -> None:
    assert change(value, before, str) == told


def test_a_link_without_a_family_speaks_of_the_first_design() -> None:
    assert FIRST.follow_link({"depth": "3"}).title == "ViT-B/16, depth=3"
    assert FIRST.follow_link({"preset": "ViT-S/16"}).title == "ViT-S/16"


@pytest.mark.parametrize("key", studio.families())
def test_one_design_stands_for_a_family_everywhere(key: str) -> None:
    """On the page, by a link, in the list of families, and in the library."""
    assert FIRST.follow_link({"family": key}).design == studio.design(key)
    assert FIRST.choose_preset(key).design == studio.design(key)
    assert FIRST.design == studio.design(FIRST.design.family.key)


def test_families_are_listed_by_task_and_found_by_it() -> None:
    families = sidebar.by_task(studio.families())
    first = [family.guide.tasks[0] for family in families.values()]
    assert [task for task, _ in groupby(first)] == list(dict.fromkeys(first))  # each in one place
    assert families.keys() == studio.families().keys()
    for family in families.values():
        text = sidebar.search_label(family)
        assert text.startswith(family.title)
        assert all(task in text for task in family.guide.tasks)


def test_a_design_is_not_told_against_itself(app: AppTest) -> None:
    next(b for b in app.button if b.label == "Pin").click().run()
    assert "pinned" not in figures(app)
    turn(app, "vit.depth", 6)
    assert "vs pinned" in figures(app)
    turn(app, "vit.depth", 12)
    assert "vs pinned" not in figures(app)
    assert "vs previous" in figures(app)


def test_a_pinned_design_stays_for_comparison(app: AppTest) -> None:
    next(b for b in app.button if b.label == "Pin").click().run()
    for depth in (6, 24):
        turn(app, "vit.depth", depth)
    assert "+85.1 M (×1.98) vs pinned" in figures(app)
    turn(app, "vit.depth", 12)
    next(b for b in app.button if b.label == "Unpin").click().run()
    assert "vs pinned" not in figures(app)


def test_another_family_brings_its_own_sliders(app: AppTest) -> None:
    app.selectbox(key="family").select("resnet").run()
    assert state(app).design == studio.design("resnet")
    turn(app, "resnet.depths.2", 9)
    assert state(app).design.config.depths == (3, 4, 9, 3)


def test_the_graph_shows_the_blocks_folded(app: AppTest) -> None:
    assert "EncoderBlock × 12" in graph(app)["svg"]


def test_the_code_tab_shows_the_script_and_what_changed(app: AppTest) -> None:
    turn(app, "vit.depth", 6)
    open_tab(app, "Code")
    (code,) = app.code
    assert "depth: int = 6" in code.value
    assert any("rewrote" in caption.value for caption in app.caption)


def test_the_layer_table_folds_repeats_and_sums_to_the_total(app: AppTest) -> None:
    open_tab(app, "Layers")
    table = app.dataframe[0].value
    assert "blocks.0 ×12" in set(table["Layer"])
    whole = studio.profile(START)
    leaves = table[~table["Layer"].map(lambda name: _has_children(name, table["Layer"]))]
    assert leaves["MMACs"].sum() * 1e6 == pytest.approx(whole.macs)


def _has_children(name: str, names: object) -> bool:
    path = name.split(" ×")[0] + "."
    return any(other.startswith(path) for other in names)


def test_turning_keeps_the_previous_case_and_refusals_keep_everything() -> None:
    turned = FIRST.set_knob("depth", 6)
    assert turned.previous == FIRST.workload
    assert turned.set_knob("depth", 6).previous == FIRST.workload
    refused = turned.set_knob("depth", 600)
    assert refused.workload == turned.workload
    assert "depth=600" in refused.refusal


def test_every_state_comes_back_from_its_link() -> None:
    state = FIRST.set_knob("embed_dim", 576).set_knob(BATCH.name, 4)
    assert FIRST.follow_link(state.link).workload == state.workload


def test_a_slow_browser_that_has_not_heard_of_the_new_link_is_not_followed(app: AppTest) -> None:
    old = dict(app.query_params)
    turn(app, "vit.depth", 6)
    app.query_params = old
    turn(app, "vit.depth", 5)
    assert app.query_params["depth"] == "5"
    assert state(app).design.settings["depth"] == 5


def test_a_slow_browser_that_has_not_heard_of_a_preset_does_not_turn_it_back(app: AppTest) -> None:
    old = ((1, "num_heads", 8), (2, "embed_dim", 704))
    for _, name, value in old:
        turn(app, f"vit.{name}", value)
    app.selectbox(key="vit.preset").set_value("ViT-Ti/16").run()
    late = [{"serial": n, "row": f"vit.{name}", "value": value} for n, name, value in old]
    ((panel, _),) = panels(app)
    report(app, panel, *late, {"serial": 3, "row": "vit.depth", "value": 11})
    settings = state(app).design.settings
    assert [settings[name] for name in ("depth", "embed_dim", "num_heads")] == [11, 192, 3]
    assert knob_row(app, "vit.embed_dim")["value"] == 192


def test_a_control_that_was_set_can_be_moved_back(app: AppTest) -> None:
    app.selectbox(key="vit.preset").set_value("ViT-Ti/16").run()
    turn(app, "vit.embed_dim", 768)
    assert state(app).design.settings["embed_dim"] == 768


def test_the_back_button_is_followed(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    old = dict(app.query_params)
    turn(app, "vit.depth", 6)
    app.query_params = old
    went = property(lambda context: True, lambda context, value: None)
    monkeypatch.setattr(ScriptRunContext, "is_history_navigation", went)
    app.run()
    assert state(app).design.settings["depth"] == 12


def test_a_link_restores_the_axis_and_the_pinned_design(still: None) -> None:
    pin = "family=resnet&preset=ResNet-18&batch=4"
    link = {"family": "vit", "preset": "ViT-Ti/16", "axis": "heads", "pin": pin}
    now = state(opened(link))
    assert now.axis == "heads"
    assert now.pinned == Workload(studio.design("resnet", "ResNet-18"), 4)
    assert FIRST.follow_link(now.link).link == now.link


@pytest.mark.usefixtures("still")
def test_a_browser_that_hears_late_of_another_family_does_not_bring_the_old_one_back() -> None:
    app = opened({"family": "resnet"})
    (gone,) = (w for w in app._tree.get_widget_states().widgets if w.id.endswith("resnet.preset"))
    app.selectbox(key="family").set_value("diffusion").run()
    late = app._tree.get_widget_states()
    late.widgets.append(gone)
    app._run(late)
    assert state(app).design.family.key == "diffusion"


def test_streamlit_finds_no_other_pages() -> None:
    """It lists every file of a folder `pages` beside the main one at the top of the sidebar."""
    assert not (MAIN.parent / "pages").exists()
