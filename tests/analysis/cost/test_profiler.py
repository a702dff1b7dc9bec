"""Profiles: published figures, memory, and what JSON says."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from time import sleep

import pytest
from torch.nn import Module

import studio
from studio import zoo
from studio.analysis.cost.profiler import profile
from studio.analysis.trace.building.meta_model import build_on_meta
from studio.family import Design, DesignError

VIT = zoo.family("vit").design("ViT-B/16")


def test_vit_b16_has_its_published_figures() -> None:
    p = profile(VIT)
    assert p.params == p.trainable_params == 86_567_656
    assert p.macs == pytest.approx(17.56e9, rel=0.005)  # torchvision's documentation
    assert (p.flops, p.output_shapes) == (2 * p.macs, ((1, 1000),))


def test_work_and_activations_grow_with_the_batch_and_parameters_do_not() -> None:
    one, four = profile(VIT, 1), profile(VIT, 4)
    assert (four.params, four.macs) == (one.params, 4 * one.macs)
    assert four.activation_bytes == 4 * one.activation_bytes
    assert four.saved_bytes == 4 * one.saved_bytes


def test_adam_keeps_two_values_a_parameter_beyond_the_gradient() -> None:
    p = profile(VIT)
    adam, sgd = p.memory("training", "adam"), p.memory("training", "sgd")
    assert (adam.states, sgd.states) == (2 * p.parameter_bytes, 0)
    assert adam.total == p.training_bytes("adam")
    assert p.inference_bytes < p.training_bytes("sgd")


def test_attention_keeps_no_square_of_the_tokens() -> None:
    """Fused attention is linear in memory: four times the tokens, four times the bytes."""
    small, large = (profile(VIT.replace(image_size=s)).saved_bytes for s in (320, 640))
    assert large / small == pytest.approx(4, rel=0.02)


def test_the_json_form_is_plain() -> None:
    written = json.loads(json.dumps(profile(VIT, 2).to_dict()))
    assert written["preset"] == "ViT-B/16"
    assert written["output_shapes"] == [[2, 1000]]
    assert list(written) == [
        *("family", "preset", "config", "batch", "params", "trainable_params", "macs", "flops"),
        *("causal_saving_macs", "activation_count"),
        *("inference_bytes", "training_bytes", "output_shapes"),
    ]


@pytest.mark.parametrize("batch", [0, -1, 10**6])
def test_a_batch_out_of_range_is_refused(batch: int) -> None:
    with pytest.raises(DesignError, match=f"batch={batch}.*nearest"):
        profile(VIT, batch)


def test_a_class_that_asks_at_once_has_a_design_traced_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    traced = []

    def slow(design: Design) -> Module:
        traced.append(design)
        sleep(0.05)
        return build_on_meta(design)

    monkeypatch.setattr("studio.analysis.cost.profiler.cached_model", slow)
    design = studio.design("vit", "ViT-Ti/16", num_classes=7)
    with ThreadPoolExecutor(8) as readers:
        found = list(readers.map(lambda _: profile(design), range(8)))
    assert traced == [design]
    assert len(set(map(id, found))) == 1


def test_a_profile_is_of_the_design_as_it_is_called() -> None:
    named = studio.design("vit", "ViT-B/16", depth=6)
    unnamed = studio.design("vit", depth=6)
    assert named == unnamed
    for design in (unnamed, named, unnamed):
        assert profile(design).design.full_title == design.full_title
    assert named.full_title != unnamed.full_title


def test_a_batch_that_is_not_given_is_the_batch_of_one() -> None:
    design = studio.design("vit")
    assert profile(design) is profile(design, 1)
