"""Where a training step is impossible, no face gives a figure of one."""

from __future__ import annotations

from dataclasses import replace
from html import escape

import pytest

import studio
from studio import exports
from studio.analysis import units
from studio.analysis.cost.profiler import profile
from studio.analysis.cost.starved_norm import batch_too_small
from studio.app.charts import compare_table
from studio.app.tabs import scaling
from studio.cli import tables
from studio.family import Design
from studio.reporting.document import Paragraph, Table
from studio.reporting.sections import report
from studio.workbench.page.figures import FIGURES, figure_text
from studio.workbench.page.state import FIRST
from studio.workbench.workload import Workload

TRAINING = next(figure for figure in FIGURES if figure.name == "Training memory")
RECORDS = {
    "stem": "ConvStem(image_size=32)",
    "stages": "Conv(stride=4) Conv(stride=4)",
    "head": "PooledHead()",
}
CANNOT = "cannot be trained at batch 1"


@pytest.fixture(scope="module")
def design() -> Design:
    return FIRST.follow_link({"family": "hybrid", **RECORDS}).design


def test_the_card_says_why(design: Design) -> None:
    now = FIRST.follow_link({"family": "hybrid", **RECORDS})
    value, notes = figure_text(TRAINING, now)
    why = batch_too_small(design, 1)
    assert why
    assert value == "—"
    assert CANNOT in "".join(notes)
    assert f'title="{escape(why)}"' in "".join(notes)
    able = replace(now, workload=replace(now.workload, batch=2))
    assert figure_text(TRAINING, able)[0] == units.size(profile(design, 2).training_bytes())


def test_no_curve_is_drawn_where_nothing_trains(design: Design) -> None:
    workload, knob = Workload(design), design.knobs["stem.image_size"]
    shown = tuple(replace(workload, design=design.replace(**{knob.name: n})) for n in (32, 33, 64))
    memory = next(p for p in scaling.panels(workload, shown, knob) if p.title == "Memory")
    drawn = {curve.name: curve.xs for curve in memory.curves}
    assert drawn == {"training": (33.0, 64.0), "inference": (32.0, 33.0, 64.0)}
    able = replace(workload, design=design.replace(**{knob.name: 64}))
    panels = compare_table.panels((workload, able), "stages.0.width")
    assert [bool(curve.xs) for curve in panels[-1].curves] == [False, True]


def test_reports_tables_and_pictures_say_so(design: Design) -> None:
    found = profile(design)
    size, other = units.size(found.training_bytes()), Workload(studio.design("cnn"))
    assert f"{CANNOT}: {batch_too_small(design, 1)}" in tables.profile(found)
    written = report(design)
    assert dict(written.figures)["Training memory"] == CANNOT
    memory = written.sections[3].blocks
    assert any(CANNOT in str(b.text) for b in memory if isinstance(b, Paragraph))
    assert not any("Adam" in str((b.caption, b.head)) for b in memory if isinstance(b, Table))
    assert CANNOT in exports.figure_heading(found, "").figures
    for workloads in ((Workload(design), other), (other, Workload(design))):
        said = compare_table.table(workloads)
        assert f"<b>–</b><small>{CANNOT}</small>" in said
        assert size not in said
    assert found.to_dict()["training_bytes"] == found.training_bytes()
