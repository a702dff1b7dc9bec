"""The lens over the layers: colours, the difference from the pinned design, and the link."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

import pytest
from streamlit.testing.v1 import AppTest

import studio
from studio.analysis.graph.cost_heatmap import METRICS, HeatScale
from studio.analysis.graph.design_diff import layer_diffs
from studio.app.diagram import colouring, layer_diff
from studio.bench.results import LayerTime
from studio.drawing.decoration import HEAT_SCALE
from studio.workbench.link import Link
from studio.workbench.page.colour_mode import BY_KIND, HEAT, ColourMode
from studio.workbench.page.state import FIRST
from studio.workbench.results import layer_rows_of
from studio.workbench.workload import Workload
from tests.app.conftest import StillWorkbench, graph, put, run, state, visited

pytestmark = pytest.mark.usefixtures("still")

VIT = {"family": "vit", "preset": "ViT-S/16"}
SMALL = Workload(studio.design("vit", "ViT-S/16"))
PIN = {"pin": urlencode({"family": "vit", "preset": "ViT-S/16"})}
DIFFERENCE = VIT | PIN | {"depth": "6", "difference": "true"}


def drawing(app: AppTest) -> str:
    return str(graph(app)["svg"])


def legend(app: AppTest) -> str:
    """The text below the graph; empty where there is none."""
    found = [html.proto.body for html in app.get("html") if 'class="legend' in html.proto.body]
    return "".join(found).partition("</style>")[2]


def shown(app: AppTest) -> Any:
    return app.dataframe[0].value


def test_at_first_colours_tell_kinds_and_bars_tell_parameters() -> None:
    app = visited(VIT)
    assert "--g-heat" not in drawing(app)
    assert 'class="share"' in drawing(app)
    assert "97 % of the parameters" in drawing(app)
    assert legend(app) == ""
    assert state(app).link == VIT
    assert not [toggle for toggle in app.toggle if toggle.key == "difference"]


@pytest.mark.parametrize("name", [name for name in METRICS if name != "time"])
def test_a_quantity_colours_the_graph_and_its_column_and_is_in_the_link(name: str) -> None:
    app = visited(VIT | {"tab": "Layers"})
    app.selectbox(key="heat").set_value(name)
    run(app)
    assert state(app).link == VIT | {"tab": "Layers", "heat": name}
    assert "--g-heat-i," in drawing(app)
    assert METRICS[name].title in legend(app)
    top = colouring.heat_scale(state(app))
    assert top is not None
    assert top.metric.write(top.top) in legend(app)
    columns = {"parameters": "Parameters", "macs": "MMACs", "activations": "Saved"}
    columns |= {"activation_count": "Activations", "memory": layer_diff.MEMORY}
    assert list(shown(app).columns)[:2] == ["Layer", columns[name]]
    app.selectbox(key="heat").set_value("kind")
    run(app)
    assert state(app).colour_mode == BY_KIND
    assert "--g-heat" not in drawing(app)


def test_the_scale_goes_to_the_most_of_what_is_seen() -> None:
    folded = colouring.heat_scale(state(visited(VIT | {"heat": "parameters"})))
    opened = colouring.heat_scale(state(visited(VIT | {"heat": "parameters", "open": "blocks.0"})))
    assert folded is not None
    assert opened is not None
    assert folded.top == 12 * 1_774_464
    assert opened.top == 12 * (2 * 384 * 1536 + 384 + 1536)


def test_a_cell_has_the_colour_of_the_box() -> None:
    scale = HeatScale(METRICS["macs"], 100.0)
    cells = layer_diff.heat_styles([100.0, 25.0, None, float("nan")], scale, dark=False)
    assert [HEAT_SCALE[-1] in cells[0], HEAT_SCALE[4] in cells[1], cells[2:]] == [
        True,
        True,
        ["", ""],
    ]
    assert HEAT_SCALE[0] in layer_diff.heat_styles([100.0], scale, dark=True)[0]


def test_cells_of_differences_tell_more_from_less() -> None:
    more, less, same = layer_diff.diff_styles([3.0, -3.0, None], dark=False)
    assert same == ""
    assert more != less
    assert layer_diff.with_sign("{:,}".format)(-3) == "−3"
    assert layer_diff.with_sign("{:,}".format)(3) == "+3"


def timings(bench: StillWorkbench, **times: float) -> None:
    workload = Workload(studio.design("vit", "ViT-S/16"))
    bench.times[workload] = {name: LayerTime(t, t, 1) for name, t in times.items()}


def test_where_nothing_was_timed_it_says_how_to(bench: StillWorkbench) -> None:
    app = visited(VIT | {"heat": "time"})
    assert "Benchmark layers" in legend(app)
    assert "--g-heat" not in drawing(app)
    timings(bench, norm=0.01, head=0.002)
    run(app)
    assert "10.0 ms" in legend(app)
    assert "--g-heat-i," in drawing(app)


def test_a_pinned_design_can_be_seen_behind() -> None:
    app = visited(VIT | PIN | {"depth": "6", "tab": "Layers"})
    assert 'class="change"' not in drawing(app)
    app.toggle(key="difference").set_value(True)
    run(app)
    assert state(app).link == DIFFERENCE | {"tab": "Layers"}
    assert "EncoderBlock × 12 → × 6" in drawing(app)
    assert "▼" in legend(app)
    assert "▲" not in legend(app)
    assert "ViT-S/16" in legend(app)
    rows = shown(app)
    assert rows["Change"].iloc[0] == ""
    block = rows[rows["Layer"] == "blocks.0 ×6"].iloc[0]
    assert block["Change"] == "▼ shrank"
    assert block["Δ Parameters"] == -6 * 1_774_464
    assert block["Parameters before"] == 12 * 1_774_464


def test_a_link_brings_the_difference_in_another_quantity() -> None:
    app = visited(DIFFERENCE | {"heat": "macs"})
    assert state(app).link == DIFFERENCE | {"heat": "macs"}
    assert "MACs vs pinned" in legend(app)
    assert "GMACs (−" in drawing(app)


def test_nothing_differs_from_itself() -> None:
    app = visited(VIT | PIN | {"difference": "true", "tab": "Layers"})
    assert "No difference" in legend(app)
    assert 'class="change"' not in drawing(app)
    assert set(shown(app)["Change"]) == {""}


def test_another_family_is_told_in_one_sentence_and_in_the_table() -> None:
    app = visited(PIN | {"family": "resnet", "difference": "true", "tab": "Layers"})
    assert "cannot be aligned" in legend(app)
    assert 'class="change"' not in drawing(app)
    assert {"+ added", "− removed"} == set(shown(app)["Change"])


def test_the_switch_goes_with_the_pin() -> None:
    app = visited(DIFFERENCE)
    now = state(app)
    put(app, now.unpin(now.pins[0]))
    run(app)
    assert legend(app) == ""
    assert not [toggle for toggle in app.toggle if toggle.key == "difference"]


@pytest.mark.parametrize(
    ("link", "says", "lens"),
    [
        ({"heat": "params"}, "heat=params is not one of its options", ColourMode("parameters")),
        ({"difference": "perhaps"}, "difference=perhaps", BY_KIND),
    ],
)
def test_a_bad_lens_is_the_nearest_one_and_is_said_in_one_sentence(
    link: dict[str, str], says: str, lens: ColourMode
) -> None:
    app = visited(VIT | link)
    (warning,) = app.warning
    assert says in warning.value
    assert state(app).colour_mode == lens


@pytest.mark.parametrize("heat", HEAT.options)
@pytest.mark.parametrize("difference", [False, True])
def test_a_lens_is_what_its_link_says(heat: str, difference: bool) -> None:
    lens = ColourMode(heat, difference)
    assert ColourMode.from_link(Link(lens.link)) == lens
    assert FIRST.follow_link(FIRST.link | lens.link).colour_mode == lens


def test_the_columns_of_both_designs_are_as_long_as_each_other() -> None:
    before, now = (Workload(studio.design("resnet", preset=f"ResNet-{n}")) for n in (18, 50))
    found = layer_diff.columns(layer_diffs(layer_rows_of(before), layer_rows_of(now)))
    assert len({len(column) for column in found.values()}) == 1
    assert {*layer_diff.READ, *layer_diff.DELTAS, *layer_diff.BEFORE, "Layer", "Change"} <= set(
        found
    )
