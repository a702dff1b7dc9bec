"""The public face: what a notebook, the command line and the README rely on."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import Any

import pytest
import torch

import studio
from studio import cli, exports, measurable
from studio.analysis import units
from studio.bench.conditions import Conditions
from studio.bench.timing import time_bound
from studio.drawing.render.formats import FORMATS
from studio.process import free_memory
from studio.process.errors import NoMemoryError
from studio.workbench.workbench import Workbench
from studio.workbench.workload import Workload
from tests.bench.simulated import only
from tests.designs import small


@pytest.fixture
def design() -> studio.Design:
    return small(studio.families()["vit"])


def test_every_name_of_the_face_is_there() -> None:
    assert set(studio.__all__) <= {name for name in studio.__all__ if hasattr(studio, name)}
    with pytest.raises(AttributeError, match="nosuch"):
        studio.nosuch  # noqa: B018


def test_rooms_are_attributes_and_functions_keep_their_names() -> None:
    code = "import studio.bench.sweep, studio.codegen.slice; studio.bench.sweep.SweepJob;"
    code += "studio.codegen.slice.slice_design; assert callable(studio.measure)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_face_is_imported_without_torch() -> None:
    code = "import sys, studio, studio.cli; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_design_is_built_run_and_counted(design: studio.Design) -> None:
    model, inputs = studio.build(design), studio.example(design, batch=2)
    found = studio.profile(design, batch=2)
    assert sum(p.numel() for p in model.parameters()) == found.params
    assert tuple(model(*inputs).shape) == found.output_shapes[0]


def test_a_blueprint_has_no_memory(design: studio.Design) -> None:
    model = studio.build(design, device="meta")
    assert all(p.device == torch.device("meta") for p in model.parameters())


def test_a_design_is_made_from_a_preset_and_knobs() -> None:
    design = studio.design("vit", preset="vit-b/16", depth=6)
    assert (design.settings["depth"], design.settings["embed_dim"]) == (6, 768)


@pytest.mark.parametrize("knobs", [{"depth": -1}, {"nosuch": 1}, {"num_heads": 7}])
def test_a_design_that_cannot_be_names_its_knob(knobs: dict[str, int]) -> None:
    with pytest.raises(studio.DesignError) as refusal:
        studio.design("vit", **knobs)
    assert refusal.value.knob == next(iter(knobs))
    assert refusal.value.nearest


def test_measure_times_the_exported_text(design: studio.Design) -> None:
    assert measurable.subject(design).source == studio.export(design)
    found = studio.measure(design, batch=2)
    assert found.batch == 2
    assert 0 < found.q25_s <= found.median_s <= found.q75_s < 1


def test_measure_takes_its_conditions(design: studio.Design) -> None:
    choices = {"mode": "training", "dtype": "bfloat16", "layout": "channels_last", "threads": 2}
    found = studio.measure(design, batch=2, **choices)
    assert {name: found.to_dict()[name] for name in choices} == choices


def test_what_does_not_fit_the_memory_is_not_measured(
    design: studio.Design, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(free_memory, "available_bytes", lambda: 10**6)
    refusal = r"Vision Transformer, .* at batch=1 needs .* GB .* this machine has 0\.0 GB free$"
    with pytest.raises(studio.MeasureError, match=refusal):
        studio.measure(design)


@pytest.mark.parametrize(
    ("family", "preset", "batch", "free", "knob"),
    [
        ("vit", "ViT-B/16", 512, 3e9, "batch"),
        ("gpt", "GPT-3 175B", 1, 30e9, "depth"),
        ("resnet", "ResNet-152", 1, 5.4e8, "base_channels"),
        ("gpt", "GPT-3 175B", 64, 30e9, "depth"),
    ],
)
def test_what_does_not_fit_is_told_the_nearest_that_does(
    monkeypatch: pytest.MonkeyPatch, family: str, preset: str, batch: int, free: float, knob: str
) -> None:
    monkeypatch.setattr(free_memory, "available_bytes", lambda: int(free))
    monkeypatch.setitem(time_bound.RATES, "cpu", 1e18)
    design = studio.design(family, preset=preset)
    said = obstacle_of(design, batch)
    offers = dict(re.findall(r"(\w+)=(\d+)", said.partition("the nearest that fits is ")[2]))
    assert f"{preset} at batch={batch} needs about" in said
    assert next(iter(offers)) == knob
    offered = {"batch": batch, **{name: int(value) for name, value in offers.items()}}
    assert not obstacle_of(design, **offered)
    step = next(design.family.knobs[knob].near(offered[knob])) if knob != "batch" else None
    above = {knob: offered[knob] + (abs(step - offered[knob]) if step else 1)}
    assert obstacle_of(design, **{**offered, **above})


def obstacle_of(design: studio.Design, batch: int, **knobs: int) -> str:
    return measurable.measuring_problem(design.replace(**knobs), Conditions(batch=batch))


@pytest.mark.parametrize(
    ("family", "preset", "conditions"),
    [
        ("vit", "ViT-B/16", {"batch": 32}),
        ("vit", "ViT-B/16", {"batch": 32, "mode": "training"}),
        ("mask_rcnn", None, {"batch": 2}),
    ],
)
def test_what_cannot_end_in_time_is_told_a_limit_that_suffices(
    monkeypatch: pytest.MonkeyPatch, family: str, preset: str | None, conditions: Any
) -> None:
    monkeypatch.setattr(free_memory, "available_bytes", lambda: 10**12)
    design, asked = studio.design(family, preset), Conditions(**conditions)
    said = measurable.time_problem(design, asked)
    assert "is too slow to time within limit_s=30 on cpu: about " in said
    assert said == measurable.measuring_problem(design, asked)
    with pytest.raises(studio.MeasureError, match="limit_s=30"):
        studio.measure(design, **conditions)
    (works,) = re.findall(r"limit_s=(\d+) works$", said)
    assert not measurable.measuring_problem(design, asked, float(works))
    assert not measurable.time_problem(design, replace(asked, device="cuda:0"))


def test_every_default_preset_can_be_timed_as_it_stands() -> None:
    designs = {key: family.design() for key, family in studio.families().items()}
    late = [key for key, design in designs.items() if measurable.time_problem(design, Conditions())]
    assert late == []


def test_a_training_step_is_admitted_by_its_own_peak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(free_memory, "available_bytes", lambda: int(1e9))
    design = studio.design("vit", "ViT-Ti/16")
    monkeypatch.setitem(time_bound.RATES, "cpu", 1e18)
    step = Conditions(batch=64, mode="training")
    assert not measurable.measuring_problem(design, Conditions(batch=64))
    said = measurable.measuring_problem(design, step)
    assert said.startswith("a training step of ViT-Ti/16 at batch=64 needs about")
    (fits,) = re.findall(r"the nearest that fits is batch=(\d+)", said)
    assert not measurable.measuring_problem(design, replace(step, batch=int(fits)))
    assert measurable.measuring_problem(design, replace(step, batch=int(fits) + 1))


class RunsOut:
    """A worker process without memory."""

    def submit(self, *_: object, **__: object) -> Future[Any]:
        call: Future[Any] = Future()
        call.set_exception(NoMemoryError("memory ran out while the model was measured"))
        return call


def test_memory_that_runs_out_names_what_needs_half(design: studio.Design) -> None:
    bench = Workbench(queue=only(RunsOut()))
    with pytest.raises(studio.MeasureError, match="at batch=64: memory ran out") as refusal:
        bench.measure(Workload(design, batch=64))
    fewer = int(re.findall(r"batch=(\d+) needs about half$", str(refusal.value))[0])
    needed = [studio.profile(design, b).inference_bytes for b in (fewer, fewer + 1)]
    assert needed[0] <= studio.profile(design, 64).inference_bytes / 2 < needed[1]


def test_a_missing_device_is_refused(design: studio.Design) -> None:
    with pytest.raises(studio.MeasureError, match="no device nosuch here; available: cpu"):
        studio.measure(design, device="nosuch")


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda d: studio.profile(d, batch=1.5), "batch=1.5 .* works is 2"),
        (lambda d: studio.profile(d, batch=True), "batch=True .* works is 1"),
        (lambda d: studio.profile(d, batch=[2]), r"batch=\[2\] .* works is 1"),
        (lambda d: studio.example(d, batch=0), "batch=0 .* works is 1"),
        (lambda d: studio.measure(d, batch=None), "batch=None .* works is 1"),
        (lambda d: studio.measure(d, device="cpu:3"), "device cpu:3 here; available: cpu"),
        (lambda d: studio.measure(d, device=""), "device '' here; available: cpu"),
        (lambda d: studio.measure(d, mode=None), "mode=None is not inference or training"),
        (lambda d: studio.measure(d, dtype=["x"]), "float32, bfloat16 or float16"),
        (lambda d: studio.measure(d, layout=""), "is not contiguous or channels_last"),
        (lambda d: studio.measure(d, compiled="yes"), "compiled=yes is not False or True"),
        (lambda d: studio.measure(d, threads=1.5), "threads=1.5 is not a whole number from 1"),
        (lambda d: studio.build(d, device="foo"), "device foo here; available: cpu"),
        (lambda d: studio.export(d, form=None), "form None; the forms are script"),
        (lambda d: studio.export(d, form=["svg"]), "the forms are script"),
        (lambda d: studio.design(3), "family 3; there are 28 families, such as attention"),
        (lambda d: studio.design(["vit"]), "there are 28 families"),
        (
            lambda d: studio.design("vit", preset=3),
            "preset 3; there are 15 presets, such as",
        ),
    ],
)
def test_what_is_of_the_wrong_kind_is_one_sentence_with_what_there_is(
    design: studio.Design, call: Callable[[studio.Design], object], named: str
) -> None:
    with pytest.raises((studio.DesignError, studio.MeasureError), match=named) as refusal:
        call(design)
    assert "\n" not in str(refusal.value)


def test_a_batch_is_read_as_every_knob_is(design: studio.Design) -> None:
    assert studio.profile(design, batch="2") == studio.profile(design, batch=2)
    assert len(studio.example(design, batch="2")[0]) == 2


@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_model_is_built_for_evaluation(design: studio.Design, device: str) -> None:
    assert not any(module.training for module in studio.build(design, device=device).modules())


def test_a_design_is_read_from_the_json_that_was_written(design: studio.Design) -> None:
    assert studio.design_from_json(studio.export(design, form="json")) == design
    with pytest.raises(studio.DesignError, match="a design file holds"):
        studio.design_from_json("[1]")


@pytest.mark.parametrize("form", [form for form in exports.FORMS if form != "png"])
def test_every_form_is_text_that_ends_its_last_line(design: studio.Design, form: str) -> None:
    text = studio.export(design, form=form)
    assert text.endswith("\n")
    assert not text.endswith("\n\n")


def test_the_script_says_what_reopens_it(design: studio.Design) -> None:
    link = "https://example.org/?family=vit"
    assert link in studio.export(design, link=link)


def test_the_picture_is_whole_and_needs_nothing_from_outside(design: studio.Design) -> None:
    text = studio.export(design, form="svg")
    boxes = ET.fromstring(text).iter("{http://www.w3.org/2000/svg}rect")
    assert len(list(boxes)) > 3
    assert "var(" not in text
    assert "EncoderBlock" in text


def test_the_graph_and_the_data_are_what_they_say(design: studio.Design) -> None:
    assert studio.export(design, form="dot").startswith("digraph")
    made = {"version": 2, "studio": studio.__version__, **design.to_dict()}
    assert json.loads(studio.export(design, form="json")) == made


def test_an_unknown_form_is_refused_with_the_forms(design: studio.Design) -> None:
    with pytest.raises(studio.DesignError, match="script, svg, dot, json"):
        studio.export(design, form="nosuch")


def test_one_form_is_bytes(design: studio.Design) -> None:
    drawn = studio.export(design, form="png")
    assert isinstance(drawn, bytes)
    assert drawn.startswith(b"\x89PNG\r\n")


@pytest.mark.parametrize("form", FORMATS)
def test_a_picture_says_what_it_is_and_what_opens_it_again(
    design: studio.Design, form: str
) -> None:
    again = exports.export_command(design, form, 1)
    assert again.startswith("studio export vit --set")  # it names no preset
    named = studio.design("vit", "ViT-S/16", depth=2)
    assert exports.export_command(named, form, 1).startswith(
        "studio export vit --preset ViT-S/16 --set"
    )
    figure = exports.figure(design, 1, again)
    assert figure.heading.title == design.full_title
    found = studio.profile(design)
    assert figure.heading.figures[0] == f"{units.count(found.params)} parameters"
    assert figure.heading.figures[1] == units.macs(found.macs)
    assert studio.export(design, form, level=1) == FORMATS[form](figure)
    link = "https://example.org/?family=vit"
    if form != "png":
        assert link in studio.export(design, form, link=link)


def test_the_command_of_a_picture_draws_it(capsys: pytest.CaptureFixture[str]) -> None:
    design = studio.as_stages(studio.design("resnet"))
    assert cli.main(shlex.split(exports.export_command(design, "dot", 1))[1:]) == 0
    assert capsys.readouterr().out == studio.export(design, "dot", level=1)


def test_levels_unfold_a_picture(design: studio.Design) -> None:
    drawn = [studio.export(design, "svg", level=level).count("<rect") for level in range(3)]
    assert drawn == sorted(set(drawn))


@pytest.mark.parametrize(
    ("form", "level", "said"),
    [
        ("svg", 99, "has levels 0 to 2, not 99; the nearest that works is level=2"),
        ("png", -1, "nearest that works is level=0"),
        ("script", 1, r"only to pictures \(svg, png, dot, html\); script is not one"),
    ],
)
def test_a_level_that_cannot_be_is_refused(
    design: studio.Design, form: str, level: int, said: str
) -> None:
    with pytest.raises(studio.DesignError, match=said) as refusal:
        studio.export(design, form, level=level)
    assert refusal.value.knob == "level"


@pytest.mark.parametrize("family", studio.families())
def test_every_family_is_drawn_for_a_paper(family: str) -> None:
    drawn = ET.fromstring(studio.export(studio.design(family), form="svg"))
    tags = {element.tag.rpartition("}")[2] for element in drawn.iter()}
    assert "rect" in tags
    assert "use" in tags
    assert "text" not in tags


def test_a_picture_names_the_stages_of_a_network() -> None:
    assert "ResidualStage" in studio.export(studio.design("resnet"), form="svg")
