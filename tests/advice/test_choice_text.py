"""A choice is named by family and size, and nothing that is said of it is of another network."""

from __future__ import annotations

import re

import pytest

import studio
from studio.advice.budget import Limits
from studio.advice.choice_text import choice_title, format_percent, symbolic_law
from studio.advice.evidence import MEASURES, citations, format_result, results_for, short_source
from studio.advice.recommend import Choice, choose_in_family
from studio.advice.requirements import Brief
from studio.advice.task_inputs import DEFAULTS, FIELDS, default_source
from studio.family import Family
from studio.tasks import TASKS, Task

FAMILIES = studio.families()
RESULTS = [(f, result) for f in FAMILIES.values() for result in f.guide.results]
OF_NO_TASK = re.compile("Adding problem|Copy memory|Sequential MNIST|ICDAR|IIIT5K")
every_family = pytest.mark.parametrize("family", FAMILIES.values(), ids=lambda family: family.key)


def choice_of(key: str, task: Task, params: int, **settings: object) -> Choice:
    brief = Brief(task=task, limits=Limits(params=params), settings=settings)
    found = choose_in_family(FAMILIES[key], brief, "recommended")
    assert found
    return found


@every_family
def test_a_law_beside_a_choice_has_no_figures_of_one_network(family: Family) -> None:
    law = symbolic_law(family.guide.cost)
    assert law in ("", family.guide.cost)
    assert not re.search(r"\d[ \\,]*(\\mathrm\{)?[MG]\b|\bR50\b", law)


def test_laws_in_symbols_are_shown_and_those_of_one_network_are_not() -> None:
    assert all(symbolic_law(FAMILIES[key].guide.cost) for key in ("vit", "resnet", "unet", "gpt"))
    assert not symbolic_law(FAMILIES["deeplab"].guide.cost)


@pytest.mark.parametrize("source", sorted({r.source for _, r in RESULTS}))
def test_a_source_is_short_and_stands_in_one_pair_of_brackets(source: str) -> None:
    told = short_source(source)
    assert not re.search(r"https?:|[()]", told)
    assert len(told) <= len(source)


def test_addresses_become_what_is_known_of_them() -> None:
    here = "https://github.com/VainF/DeepLabV3Plus-Pytorch, README (at output stride 16)"
    assert short_source(here) == "VainF/DeepLabV3Plus-Pytorch, README, at output stride 16"
    assert (
        short_source("TinyLlama, https://arxiv.org/abs/2401.02385") == "TinyLlama, arXiv:2401.02385"
    )


@every_family
def test_a_result_is_of_a_task_of_its_family_or_of_none(family: Family) -> None:
    of_a_task = [r for task in family.guide.tasks for r in results_for(family.guide.results, task)]
    for result in family.guide.results:
        assert (result in of_a_task) != bool(OF_NO_TASK.search(result.metric)), result.metric
        if result.unit:
            assert f"{result.metric}: {result.value:g} {result.unit} (" in format_result(result)


def test_results_of_other_tasks_are_not_cited() -> None:
    tcn = FAMILIES["tcn"]
    copy = tcn.design("TCN copy memory T=1000")
    assert not list(citations(copy, copy.base, "time-series"))
    assert set(MEASURES) <= set(TASKS)


def test_an_input_of_another_size_keeps_what_was_published_and_other_changes_do_not() -> None:
    family = FAMILIES["gpt"]
    design = family.design("GPT-3 6.7B")
    preset, length = design.base, design.value("seq_len")
    (shorter,) = citations(design.replace(seq_len=512), preset, "language")
    assert shorter.endswith(f"same weights at seq_len={length}")
    (other,) = citations(design.replace(depth=16), preset, "language")
    assert other.endswith("this variant has no published result")
    assert choice_title(studio.profile(design.replace(seq_len=512)), preset).startswith(
        "GPT-3 6.7B, "
    )


@pytest.mark.parametrize("key", ["bert", "tcn", "recurrent"])
def test_a_family_that_stays_far_below_the_budget_is_offered_as_published(key: str) -> None:
    found = choice_of(key, "language", 8 * 10**9)
    assert found.share < 0.5
    assert found.design.changes(found.preset).keys() <= {"seq_len"}
    assert any(
        found.preset.name in doubt and "largest published" in doubt for doubt in found.doubts
    )


def test_a_choice_is_named_by_family_and_size_with_its_knobs_apart() -> None:
    found = choice_of("deeplab", "segmentation", 5_000_000, image_size=128, num_classes=3)
    assert re.fullmatch(r"DeepLabV3\+?, \d\.\d\d M parameters", found.title)
    assert "=" not in found.title
    assert "num_classes=3" in found.knobs


@pytest.mark.parametrize("task", TASKS)
def test_it_is_told_where_each_default_comes_from(task: Task) -> None:
    assert len(FIELDS[task]) == len(DEFAULTS[task])
    for kind, names in enumerate(FIELDS[task]):
        for name in names:
            told = default_source(task, name, kind)
            default = DEFAULTS[task][kind].get(name)
            assert f"{default:,}" in told if default is not None else "its preset" in told


def test_a_small_share_is_not_nothing() -> None:
    assert [format_percent(share) for share in (0.92, 0.001)] == ["92%", "under 1%"]
