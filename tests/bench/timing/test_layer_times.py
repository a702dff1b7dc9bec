"""The time of each layer: whose it is, and that all of them together are the whole."""

from __future__ import annotations

import pytest
import torch

import studio
from studio import measurable
from studio.bench.conditions import Conditions
from studio.bench.results import LayerTime
from studio.bench.timing.layer_times import _whole_pass, layer_times
from studio.process.errors import MeasureError
from studio.process.worker import Worker
from tests.bench.subjects import layers, script
from tests.designs import small


def times(lab: Worker, subject: object, **conditions: object) -> dict[str, LayerTime]:
    return dict(layer_times(subject, Conditions(**conditions), budget_s=0.1, executor=lab))


def test_time_is_of_the_layer_that_spends_it(lab: Worker):
    build = "self.parts = nn.ModuleList([nn.Linear(256, 8), nn.Linear(256, 2048)])"
    found = times(lab, script("return self.parts[0](x), self.parts[1](x)", build), batch=16)
    assert list(found) == ["", "parts.0", "parts.1"]
    assert found["parts.1"].own_s > 5 * found["parts.0"].own_s
    assert found["parts.1"].own_s > 0.5 * found[""].total_s


@pytest.mark.parametrize("family", ["resnet", "vit", "detr", "mobilenet"])
def test_own_times_add_up_to_the_whole_under_the_models_own_names(lab: Worker, family: str):
    design = small(studio.families()[family])
    found = times(lab, measurable.subject(design))
    assert sum(t.own_s for t in found.values()) == pytest.approx(found[""].total_s)
    assert found.keys() <= dict(studio.build(design).named_modules()).keys()
    for path, time in found.items():
        inside = [t.own_s for p, t in found.items() if p.startswith(f"{path}." if path else "")]
        assert time.total_s >= time.own_s >= 0
        assert len(inside) < 2 or time.total_s > max(inside)


def test_a_module_that_is_called_twice_has_one_time(lab: Worker):
    found = times(lab, script("return self.a(self.a(x))", "self.a = nn.Linear(256, 256)"))
    assert (found["a"].calls, found[""].calls) == (2, 1)


def test_the_whole_is_as_measured_without_the_profiler(lab: Worker):
    found = times(lab, script("time.sleep(0.02); return x + 1"))
    assert 0.02 <= found[""].total_s < 0.08


def test_a_pass_that_had_to_wait_is_told_from_one_that_computed(lab: Worker):
    waiting = times(lab, script("time.sleep(0.02); return x + 1"))
    assert {time.clean for time in waiting.values()} == {False}
    assert {time.clean for time in times(lab, layers(2), threads=2).values()} == {None}


def test_enough_quiet_passes_stand_for_all():
    plain = [(0.02, 0.02)] * 3 + [(0.09, 0.02)] * 9
    whole = _whole_pass(plain, Conditions())
    assert (whole.median_s, whole.clean) == (0.02, True)


@pytest.mark.parametrize(
    ("conditions", "said"),
    [
        ({"mode": "training"}, "mode=inference works"),
        ({"compiled": True}, "compiled=False works"),
        ({"device": "nosuch"}, "layers are timed on cpu and cuda, not nosuch"),
    ],
)
def test_what_has_no_times_of_layers_says_so(lab: Worker, conditions: dict[str, object], said: str):
    with pytest.raises(MeasureError, match=said):
        times(lab, layers(1), **conditions)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="this machine has no CUDA device")
def test_kernels_are_counted_where_they_were_launched():
    build = "self.parts = nn.ModuleList([nn.Linear(256, 8), nn.Linear(256, 8192)])"
    subject = script("return self.parts[0](x), self.parts[1](x)", build)
    found = layer_times(subject, Conditions(device="cuda", batch=1024), budget_s=0.3)
    assert found["parts.1"].own_s > 0.5 * found[""].total_s
