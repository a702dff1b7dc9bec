"""Designs side by side, and the history of a session, driven without a browser."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import quote, urlencode

import pytest

import studio
from studio.analysis.cost.profiler import profile
from studio.app.charts import compare_table
from studio.bench.results import Measurement
from studio.cli import tables
from studio.reporting import latency_text
from studio.reporting.cost import cost_section
from studio.reporting.document import Paragraph
from studio.reporting.sections import report
from studio.workbench import results
from studio.workbench.page.history import History, Visit, change
from studio.workbench.page.link_parts import PIN_SEPARATOR
from studio.workbench.page.state import FIRST
from studio.workbench.workload import Workload
from tests.app.conftest import StillWorkbench, knob_row, run, state, turn, visited

pytestmark = pytest.mark.usefixtures("still")

PINS = tuple(Workload(studio.design("resnet", name)) for name in ("ResNet-18", "ResNet-50"))
LINK = {
    "view": "Compare",
    "family": "vit",
    "preset": "ViT-Ti/16",
    "pin": PIN_SEPARATOR.join(urlencode(pin.to_query()) for pin in PINS),
}


def test_a_link_brings_all_pins() -> None:
    app = visited(LINK)
    assert state(app).pins == PINS
    assert FIRST.follow_link(state(app).link).pins == PINS
    assert quote(PIN_SEPARATOR) not in PIN_SEPARATOR.join(urlencode(pin.to_query()) for pin in PINS)


def test_the_table_tells_figures_against_the_first() -> None:
    text = compare_table.table(PINS)
    params = [results.profile_of(workload).params for workload in PINS]
    assert "+13.9 M (×2.19)" in text
    assert params[1] - params[0] == 13_867_520
    assert compare_table.differing_knobs(PINS)["block"] == ["BasicBlock", "Bottleneck"]
    assert "not published for this variant" in compare_table.table(
        (Workload(studio.design("resnet", base_channels=32)),)
    )


LOADED = Measurement(
    median_s=0.712, q25_s=0.6, q75_s=0.8, p95_s=None, runs=9, first_call_s=0.534, cpu_s=0.449,
    clean=False, device="CPU", threads=1, dtype="float32", batch=1, torch_version="2",
)  # fmt: skip


def test_a_latency_under_load_is_one_figure_everywhere(bench: StillWorkbench) -> None:
    workload, other = PINS
    bench.measurements.add(workload, LOADED)
    bench.measurements.add(other, replace(LOADED, cpu_s=0.898))
    said = compare_table.table(PINS)
    for pin in PINS:
        bench.measurements.forget(pin)
    value, band, under_load = latency_text.format_latency(LOADED)
    assert (value, under_load) == ("≈ 449 ms", "712 ms under load")
    assert f"<b>{value}</b><small>{band}; {under_load}</small>" in said
    assert "+449 ms (×2)" in said
    assert "<b>712 ms</b>" not in said
    written = report(workload.design, measured=LOADED)
    assert dict(written.figures)["Latency"].startswith(f"{value} ({band}")
    words = [
        str(block.text)
        for block in cost_section(profile(workload.design), LOADED).blocks
        if isinstance(block, Paragraph)
    ]
    told = " ".join(words)
    assert "712 ms, the median of 9 runs" in told
    assert f"expected to take {value} ({band})" in told
    assert "first call" not in told
    shell = tables.measurement(workload.design, LOADED).splitlines()
    assert value in shell[1]
    assert "712 ms" in shell[2]


def test_every_curve_of_a_chart_goes_through_its_design() -> None:
    for axis in compare_table.shared_axes(PINS):
        for panel, (_, read, _) in zip(
            compare_table.panels(PINS, axis), compare_table.ROWS, strict=False
        ):
            for workload, curve in zip(PINS, panel.curves, strict=True):
                if panel.title == "Parameters":
                    assert read(results.profile_of(workload)) in curve.ys


def test_designs_are_unpinned_and_visited() -> None:
    app = visited(LINK)
    app.button(key="pinned.unpin.0").click()
    run(app)
    assert state(app).pins == PINS[1:]
    app.button(key="pinned.open.0").click()
    run(app)
    assert state(app).view == "Explore"
    assert state(app).workload == PINS[1]


def test_a_comparison_starts_with_a_picker_of_designs() -> None:
    app = visited({"view": "Compare", "family": "vit"})
    (picker,) = app.selectbox
    assert "U-Net · segmentation" in " | ".join(picker.options)
    picker.select_index(picker.options.index("ResNet-18 · ResNet · classification"))
    run(app)
    here, there = state(app).pins
    assert (here.design.title, there.design.title) == ("ViT-B/16", "ResNet-18")
    assert app.selectbox[0].value is None  # ready for the next


def test_code_of_designs_is_told_as_a_difference() -> None:
    text = compare_table.difference(*PINS)
    assert "+class Bottleneck" in text
    assert compare_table.difference(PINS[0], PINS[0]) == ""


def test_undo_and_redo_walk_the_designs_of_a_session() -> None:
    app = visited({"family": "vit", "preset": "ViT-Ti/16"})
    for depth in (6, 9):
        turn(app, "vit.depth", depth)
    for key, depth in (("undo", 6), ("undo", 12), ("redo", 6), ("redo", 9), ("undo", 6)):
        app.button(key=key).click()
        run(app)
        assert state(app).design.value("depth") == depth
        assert knob_row(app, "vit.depth")["value"] == depth
    turn(app, "vit.depth", 3)  # what was undone is forgotten
    assert app.button(key="redo").disabled
    app.session_state["visits"] = True  # the list is opened
    run(app)
    assert "depth 6 → 3" in [button.label.removeprefix("● ") for button in app.button]


def test_a_visit_is_told_by_what_was_changed() -> None:
    design = studio.design("vit", "ViT-Ti/16")
    start = Visit(Workload(design), design.base)
    assert change(start, Visit(Workload(design.replace(depth=3)), design.base)) == "depth 12 → 3"
    assert change(start, Visit(Workload(design, batch=8), design.base)) == "batch 1 → 8"
    other = studio.design("resnet", "ResNet-18")
    assert change(start, Visit(Workload(other), other.base)) == "ResNet: ResNet-18"


def test_a_visit_of_a_composition_is_told_by_its_rows() -> None:
    def visit(stages: str) -> Visit:
        design = studio.design("hybrid", stages=stages, head="PooledHead()")
        return Visit(Workload(design), design.base)

    start = visit("Conv() Residual() Pool()")
    assert change(start, visit("Conv() Residual(depth=5) Pool()")) == "stages.1.depth 3 → 5"
    assert change(start, visit("Conv() Residual() Conv() Pool()")) == "+ 2 Conv"
    assert change(start, visit("Conv() Pool()")) == "− 1 Residual"
    assert change(start, visit("Conv() MBConv() Pool()")) == "− 1 Residual, + 1 MBConv"


def test_a_history_remembers_the_last_designs() -> None:
    design = studio.design("cnn")
    known = History()
    for batch in range(1, 100):
        known = known.add(Visit(Workload(design, batch), design.base))
    assert len(known.visits) == 60
    assert known.visits[known.at].workload.batch == 99
    assert known.go_to(-5).at == 0


def test_designs_whose_knobs_differ_are_drawn_over_multiples_of_their_own() -> None:
    workloads = [Workload(studio.design(name)) for name in ("convnext", "efficientnet")]
    assert compare_table.scale(workloads, "depth") == "depth, relative to each design"
    for panel in compare_table.panels(workloads, "depth"):
        assert all(1.0 in curve.xs for curve in panel.curves)
    assert compare_table.scale(workloads[:1], "depth") == "depth"


def test_a_file_that_is_uploaded_is_pinned_and_says_what_was_inserted() -> None:
    app = visited(LINK)
    given = {"stem": "ConvStem()", "stages": "Transformer()", "head": "PooledHead()"}
    sent = {"family": "hybrid", "config": given}
    for data, said in (
        (b'{"family": "vit",\n "config": {]}}', "line 2, column 13: not valid JSON"),
        (b'{"family": "vit", "family": "unet", "config": {}}', "'family' appears twice"),
        (b'{"model_type": "llama"}', "start from the family llama"),
        (json.dumps(sent).encode("utf-8-sig"), "inserted ToTokens() as stages.0"),
    ):
        app.file_uploader(key="loaded").set_value(("mine.json", data, "application/json"))
        run(app)
        assert any(said in caption.value for caption in app.caption)
    assert state(app).pins[-1].design.family.key == "hybrid"
    assert len(state(app).pins) == len(PINS) + 1
