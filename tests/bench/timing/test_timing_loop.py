"""What the measuring process does under each of the conditions that can be chosen."""

from __future__ import annotations

import shutil

import pytest
import torch

import studio
from studio import measurable
from studio.bench.conditions import Conditions, Subject
from studio.bench.results import Measurement
from studio.bench.sweep import measure
from studio.process.errors import MeasureError
from studio.process.worker import Worker
from tests.bench.subjects import layers, script
from tests.designs import small

CONV = "self.conv = nn.Conv1d(32, 8, 3); self.drop = nn.Dropout()"
IMAGE = "self.conv = nn.Conv2d(32, 8, 3)"
IMAGES = "return (torch.randn(batch, 32, 16, 16),)"


def images(forward: str) -> Subject:
    subject = script(forward, IMAGE)
    return Subject(
        subject.source.replace("return (torch.randn(batch, 32, config.width),)", IMAGES),
        subject.config,
        subject.model,
    )


def timed(lab: Worker, subject: Subject, **conditions: object) -> Measurement:
    asked = Conditions(**conditions)
    return measure(subject, asked, budget_s=0.05, limit_s=asked.limit_s, executor=lab)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("outputs", ["y", "(y, y.long())", "{{'a': [y], 'b': (y, None)}}"])
def test_a_training_step_trains_whatever_the_model_returns(lab: Worker, dtype: str, outputs: str):
    forward = "assert self.training and torch.is_grad_enabled(); "
    forward += f"y = self.drop(self.conv(x)); assert y.dtype is torch.{dtype}; return {outputs}"
    measured = timed(
        lab,
        script(forward.replace("{{", "{").replace("}}", "}"), CONV),
        mode="training",
        dtype=dtype,
    )
    assert (measured.mode, measured.dtype) == ("training", dtype)


def test_a_training_step_reaches_every_weight_and_leaves_it_as_it_is(lab: Worker):
    build = "self.w = nn.Parameter(torch.randn(256)); self.seen = []; "
    build += "self.w.register_hook(lambda grad: self.seen.append(grad.abs().sum().item())); "
    build += "self.start = self.w.detach().clone()"
    forward = "assert all(s > 0 for s in self.seen) and torch.equal(self.w, self.start); "
    forward += "time.sleep(0 if self.seen else 0.2); return x * self.w"
    measured = timed(lab, script(forward, build), mode="training")
    assert measured.first_call_s > 0.2 > measured.median_s  # so from the second on there was one


def test_a_backward_pass_costs_time(lab: Worker):
    modes = ("inference", "training")
    forward, step = (timed(lab, layers(32), mode=mode, batch=8).cpu_s for mode in modes)
    assert step > 1.5 * forward > 0


@pytest.mark.parametrize(
    ("subject", "said"),
    [
        (script("return x + 1"), "this model has none"),
        (script("return x + 1", CONV), "an output that depends on a parameter"),
    ],
)
def test_what_cannot_be_trained_says_why(lab: Worker, subject: Subject, said: str):
    with pytest.raises(MeasureError, match=said):
        timed(lab, subject, mode="training")
    assert timed(lab, subject).runs > 0


@pytest.mark.parametrize("mode", ["inference", "training"])
def test_images_are_laid_out_by_pixel(lab: Worker, mode: str):
    forward = "last = torch.channels_last; w = self.conv.weight; "
    forward += "assert x.is_contiguous(memory_format=last) and w.is_contiguous(memory_format=last)"
    forward += " and not x.is_contiguous(); return self.conv(x)"
    measured = timed(lab, images(forward), layout="channels_last", mode=mode)
    assert measured.layout == "channels_last"


def test_what_takes_no_images_has_no_such_layout(lab: Worker):
    with pytest.raises(MeasureError, match=r"takes \(1, 32, 256\); layout=contiguous works"):
        timed(lab, layers(1), layout="channels_last")


def test_more_threads_than_cores_are_refused(lab: Worker):
    with pytest.raises(MeasureError, match="threads=4096 exceeds the"):
        timed(lab, layers(1), threads=4096)


@pytest.mark.skipif(not shutil.which("g++"), reason="this machine has no C++ compiler")
def test_a_compilation_stands_apart(lab: Worker):
    measured = timed(lab, layers(1), compiled=True)
    assert measured.compiled
    assert measured.compile_s > 100 * measured.first_call_s


def test_a_machine_without_a_compiler_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CXX", "nosuch")
    bare = Worker()
    try:
        with pytest.raises(MeasureError, match="this machine has none"):
            timed(bare, script("return x.sin() + 1"), compiled=True)
    finally:
        bare.stop()


def test_what_float16_makes_too_slow_is_said_before_its_limit(lab: Worker):
    """Its limit is 30 s, in which nobody else is served."""
    build = "self.layers = nn.Sequential(*(nn.Identity() for _ in range(100)))"
    forward = "return self.layers(x if x.dtype is not torch.float16 else time.sleep(5.5) or x)"
    slow = script(forward, build)
    with pytest.raises(MeasureError, match=r"more than 5 s.*bfloat16"):
        timed(lab, slow, dtype="float16")
    assert timed(lab, slow, dtype="bfloat16").runs >= 3
    assert timed(lab, layers(1), dtype="float16").dtype == "float16"


@pytest.mark.parametrize("family", ["detr", "faster_rcnn", "recurrent", "vae"])
def test_families_with_several_outputs_are_trained(lab: Worker, family: str):
    design = small(studio.families()[family])
    assert timed(lab, measurable.subject(design), mode="training").runs >= 3


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
@pytest.mark.parametrize("mode", ["inference", "training"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_an_accelerator_is_waited_for(mode: str, dtype: str):
    build = "self.layers = nn.Sequential(*(nn.Linear(4096, 4096) for _ in range({})))"
    forward = "assert x.is_cuda and x.dtype is torch.{}; "
    forward += "return self.layers(x.repeat_interleave(16, 2))"
    few, many = (
        seconds_on_cuda(script(forward.format(dtype), build.format(n)), mode, dtype)
        for n in (4, 32)
    )
    assert many > 4 * few  # a launch alone takes the same time for both


def seconds_on_cuda(subject: Subject, mode: str, dtype: str) -> float:
    conditions = Conditions(device="cuda", mode=mode, dtype=dtype, batch=64)
    return measure(subject, conditions, budget_s=0.3).median_s
