"""The shapes written beside the lines of every forward are the shapes that the lines give."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
import torch
from torch import nn

import studio
from studio import blocks, stages, zoo
from studio.family import Design, Family
from studio.records import RecordKnob
from tests.designs import ends, turned

from .shape_comments import checked

ROOMS = tuple(Path(str(room.__file__)).parent for room in (blocks, stages, zoo))


@pytest.mark.parametrize("family", studio.families().values(), ids=list(studio.families()))
def test_shape_comments_hold(family: Family) -> None:
    start = light(family)
    # Kinds of records are checked where they are composed at random (test_hybrid.py).
    knobs = [k for k in start.knobs.values() if not isinstance(k, RecordKnob)]
    choices = [k for k in knobs if k.options or k.kind is bool]
    designs = [start, *(turned(start, knob, value) for knob in choices for value in ends(knob))]
    models = [(studio.build(design).eval(), studio.example(design, batch=2)) for design in designs]
    # On the processor, where recurrent layers are not unrolled.
    with checked(*ROOMS) as seen, torch.no_grad():
        for model, inputs in models:
            model(*inputs)
    assert any(file.endswith(f"{family.key}.py") for file, _ in seen)


def light(family: Family) -> Design:
    """The default preset, narrow, with two layers and 48 pixels or tokens: quick to run."""
    design = family.design()
    for knob in tuple(design.knobs.values()):
        size = {"depth": 2, "width": 40, "resolution": 48}.get(knob.axis or "")
        if size and knob.kind is int and not knob.options:
            design = turned(design, knob, knob.clamp(size))
    return design


TEMPLATE = """
from torch import nn
class Layer(nn.Module):
    def forward(self, x):
        B, N, D = x.shape
        {line}
        return x.flatten(1)  # (B, K)
"""


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("x = x.transpose(1, 2)  # (B, D, N)", None),
        ("x = x.transpose(1, 2)  # (B, N, D)", "but N is 3"),
        ("x = x.flatten(1)  # (B, N, D)", "the comment says"),
        ("x = x.repeat(1, 2, 1)  # (B, 3*N, D)", r"but 3\*N is 9"),
        ("x = x.transpose(1, 2)", "unsaid"),
        ("y = x.mean(1)", "unsaid"),
        ("y = x.mean(1)  # (B, C)", None),
        ("y, z = x, x.mean(1)  # 2 × (B, N, D)", "the comment says"),
        ("x = x.transpose(  # (B, N, D)\n            1, 2)", "but N is 3"),
        ("for _ in range(2):\n            x = x.repeat(1, 2, 1)  # (B, T, D)", None),
        ("x = x.repeat(1, 2, 1)  # (B, N', D)", None),
    ],
)
def test_a_false_comment_is_caught(tmp_path: Path, line: str, fault: str | None) -> None:
    (tmp_path / "layer.py").write_text(TEMPLATE.format(line=line))
    spec = importlib.util.spec_from_file_location("layer", tmp_path / "layer.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    layer: nn.Module = module.Layer()
    if fault is None:
        with checked(tmp_path) as seen:
            layer(torch.ones(2, 3, 4))
        assert len(seen) == 2
    else:
        with pytest.raises(AssertionError, match=fault), checked(tmp_path):
            layer(torch.ones(2, 3, 4))
