"""Families are ranked by what the data are, and what contradicts is named."""

from __future__ import annotations

import math
import pickle
import re
from typing import Any

import pytest

import studio
from studio.advice.budget import Limits, cost
from studio.advice.infeasible import UnmetError
from studio.advice.modality import adapt_preset, input_kinds, performs
from studio.advice.ranking import explain_first
from studio.advice.recommend import choose
from studio.advice.requirements import Brief
from studio.advice.sizing.strategy import size_design
from studio.advice.task_inputs import DEFAULTS
from studio.analysis.cost.profiler import profile
from studio.family import DesignError, Family
from studio.tasks import Task

FAMILIES = studio.families()
SERVED = [(family, task) for family in FAMILIES.values() for task in family.guide.tasks]


@pytest.mark.parametrize(("family", "task"), SERVED, ids=lambda one: getattr(one, "key", one))
def test_each_family_has_a_preset_that_does_each_of_its_tasks(family: Family, task: Task) -> None:
    kinds = ({}, *DEFAULTS[task], {"image_size": 64, "vocab_size": 1000})  # of data
    briefs = [Brief(task=task, settings=kind) for kind in kinds]
    assert any(adapt_preset(family, preset, b) for b in briefs for preset in family.presets)


@pytest.mark.parametrize(
    ("family", "preset", "kinds"),
    [
        ("vit", "ViT-Ti/16", {"images"}),
        ("bert", "BERT-tiny masked LM", {"tokens"}),
        ("recurrent", "LSTM forecast", {"series"}),
        ("recurrent", "BiLSTM sentiment", {"tokens"}),
        ("cross_attention", "Tiny", {"images", "tokens"}),
        ("gan", "DCGAN", set()),
        ("hybrid", "ConvLSTM video classifier", {"video"}),
    ],
)
def test_what_a_network_reads_is_told_from_its_inputs(
    family: str, preset: str, kinds: set[str]
) -> None:
    assert input_kinds(studio.design(family, preset)) == kinds


def test_members_of_a_family_that_do_something_else_are_passed_over() -> None:
    assert not performs(studio.design("bert", "BERT-tiny masked LM"), "classification")
    assert performs(studio.design("bert", "BERT-base classifier"), "classification")
    assert not performs(studio.design("hybrid", "CRNN"), "segmentation")
    assert not performs(studio.design("gan", "DCGAN discriminator"), "generation")


def families(task: Task, **settings: object) -> list[str]:
    return [choice.design.family.key for choice in choose(Brief(task=task, settings=settings))]


def test_images_and_text_ask_for_other_families() -> None:
    images = families("classification", image_size=64)
    assert not {"bert", "cross_attention"} & set(images)
    assert families("classification", vocab_size=3000) == ["bert"]
    assert families("classification", seq_len=64) == ["bert"]
    assert set(families("generation", vocab_size=100)) == {"gpt", "llama"}
    assert "gpt" not in families("generation", in_channels=1)


def test_channels_that_a_family_cannot_take_rule_it_out_where_another_takes_them() -> None:
    found = choose(Brief(task="detection", settings={"in_channels": 1}))
    assert [choice.design.family.key for choice in found] == ["yolo"]
    (only,) = choose(Brief(task="instance-segmentation", settings={"in_channels": 1}))
    assert "its images have 3 channels, not 1" in only.notes


def test_a_video_network_is_a_candidate_for_videos_alone() -> None:
    videos = families("classification", image_size=112, seq_len=16)
    assert videos == ["hybrid"]
    assert "hybrid" not in families("time-series", input_size=12, seq_len=256)
    images = choose(Brief(task="classification", limits=Limits(params=2_000_000)))
    assert all(input_kinds(choice.design) == {"images"} for choice in images)


@pytest.mark.parametrize("task", ["classification", "segmentation", "time-series", "generation"])
def test_candidates_for_a_task_without_a_size_read_the_same_input(task: Task) -> None:
    found = [choice for choice in choose(Brief(task=task)) if input_kinds(choice.design)]
    sizes = {math.prod(choice.profile.inputs[0]) for choice in found if not choice.notes}
    assert len(sizes) == 1


def test_it_is_said_why_the_first_is_first() -> None:
    brief = Brief(task="time-series", limits=Limits(params=1_000_000))
    found = choose(brief)
    assert explain_first(found, brief).startswith(f"{found[0].title}, comes first: ")
    assert "is the only one" in explain_first(found[:1], brief)


def test_of_presets_that_use_most_of_a_budget_the_best_published_comes_first() -> None:
    brief = Brief(task="classification", limits=Limits(params=30_000_000))
    choices = choose(brief)
    known = {
        choice.title: result.value
        for choice in choices
        for result in choice.design.family.guide.results
        if result.preset == choice.preset.name
        and not choice.design.changes(choice.preset)
        and choice.share >= 0.6
        and result.metric == "ImageNet-1k top-1"
    }
    assert choices[0].title == max(known, key=lambda title: known[title])
    assert "has the best published result of those that fit" in explain_first(choices, brief)


def test_a_size_of_images_that_nobody_tried_counts_against_a_family() -> None:
    found = choose(Brief(task="classification", settings={"image_size": 32}))
    assert found[0].start.stretch < 1 < found[-1].start.stretch
    vit = next(one for one in found if one.design.family.key == "vit")
    assert any("untested at 32" in doubt for doubt in vit.doubts)


def test_long_inputs_are_said_to_be_paid_for_by_the_square() -> None:
    found = choose(Brief(task="language", settings={"seq_len": 2048}))
    steep = {
        c.design.family.key for c in found if any("square of the input size" in d for d in c.doubts)
    }
    assert steep
    assert not {"recurrent", "tcn"} & steep
    assert all(one.design.value("seq_len") == 2048 for one in found)


@pytest.mark.parametrize(
    ("task", "settings", "pair"),
    [
        ("language", {"image_size": 224}, ("task=language", "image_size=224", "reads images")),
        ("time-series", {"vocab_size": 9}, ("task=time-series", "vocab_size=9", "tokens")),
        ("segmentation", {"seq_len": 9}, ("task=segmentation", "seq_len=9")),
        (
            "classification",
            {"input_size": 7, "image_size": 64},
            ("task=classification", "input_size=7", "values at each step"),
        ),
        ("language", {"seq_len": 9, "max_seq_len": 8}, ("seq_len=9", "max_seq_len=8")),
    ],
)
def test_inputs_that_contradict_are_named_both(
    task: Task, settings: dict[str, Any], pair: tuple[str, ...]
) -> None:
    with pytest.raises(studio.DesignError) as caught:
        choose(Brief(task=task, settings=settings))
    for part in (*pair, "contradict each other"):
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("task", "name", "value", "nearest"),
    [
        ("classification", "image_size", 100_000, "image_size=1024"),
        ("classification", "image_size", -3, "image_size=8"),
        ("detection", "num_classes", 999_999_999, "num_classes=2000"),
    ],
)
def test_a_value_that_no_network_takes_is_refused_with_the_nearest(
    task: Task, name: str, value: int, nearest: str
) -> None:
    with pytest.raises(DesignError, match=re.escape(f"the nearest that works is {nearest}")):
        choose(Brief(task=task, settings={name: value}))


def test_two_limits_that_cannot_be_met_together_are_named_both() -> None:
    limits = Limits(params=50_000, inference_bytes=40_000_000)
    with pytest.raises(UnmetError, match="can each be met, but not together") as caught:
        choose(Brief(task="segmentation", limits=limits))
    for name in limits.given:
        assert limits.text(name) in str(caught.value)
    assert limits.share(profile(caught.value.design)) > 1


def test_what_nothing_meets_names_the_limit_and_carries_the_nearest_design() -> None:
    sentence = r"^No design fits in 7 parameters\. The smallest is .*\. Did you mean 7M\?$"
    with pytest.raises(UnmetError, match=sentence) as caught:
        choose(Brief(task="time-series", limits=Limits(params=7)))
    sent = pickle.loads(pickle.dumps(caught.value))
    assert sent.design == caught.value.design
    assert str(sent) == str(caught.value)
    assert str(profile(sent.design).params)[:2] in str(sent)


def test_a_way_of_scaling_that_cannot_reach_the_limit_is_named_with_it() -> None:
    brief = Brief(task="time-series", limits=Limits(params=2_000), settings={"input_size": 7})
    assert choose(brief)
    with pytest.raises(
        UnmetError, match="strategy=resolution cannot meet params at most"
    ) as caught:
        choose(brief, "resolution")
    assert profile(caught.value.design).params <= 2_000


@pytest.mark.parametrize(
    ("family", "preset"), [("unet", "U-Net-16 1->1"), ("recurrent", "LSTM forecast")]
)
def test_memory_for_training_is_kept_and_used_as_simulated(family: str, preset: str) -> None:
    begin = FAMILIES[family].design(preset)
    limits = Limits(training_bytes=cost(profile(begin, 2), "training_bytes") // 3)
    found = size_design(begin, limits, 2, "proportions")
    assert found
    peak = cost(profile(found.design, 2), "training_bytes")
    assert limits.training_bytes
    assert 0.8 * limits.training_bytes <= peak <= limits.training_bytes
    assert found.share == peak / limits.training_bytes
