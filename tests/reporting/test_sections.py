"""A report says what the profile says, in Markdown and in HTML alike, and nothing from outside."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import pytest

import studio
from studio.advice.budget import Limits
from studio.advice.recommend import choose
from studio.advice.requirements import Brief
from studio.analysis import units
from studio.bench.results import Measurement
from studio.family import Family
from studio.reporting.document import Report, Table
from studio.reporting.html import html
from studio.reporting.markdown import markdown
from studio.reporting.mathml import mathml
from studio.reporting.sections import report
from tests.designs import small

FAMILIES = studio.families()
every_family = pytest.mark.parametrize("key", FAMILIES)
VOID = {"meta", "link", "br", "hr", "img", "input"}
LOADS = {"src", "srcset", "data", "action", "poster", "background"}
FIGURE = re.compile(r"\d+(?:[.,]\d+)*")
HOSTILE = '<script>alert("1")</script> | `x` *y* & [z](javascript:q)'
SECTIONS = (
    *("1. Task analysis", "2. Architecture choice", "3. Model structure"),
    *("4. Optimisation", "5. Expected performance"),
)


@cache
def written(key: str) -> Report:
    return report(FAMILIES[key].design())


class Page(HTMLParser):
    """The words of a page outside its head, pictures and listings; its tags must balance."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        names = LOADS | ({"href", "xlink:href"} if tag != "a" else set())
        self.loaded += [value or "" for name, value in attrs if name in names]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"head", "svg", "pre", "math"} & {*self.open}:
            self.words.append(data)


@every_family
def test_a_report_has_five_sections_and_what_the_profile_says(key: str) -> None:
    found, text = studio.profile(FAMILIES[key].design()), markdown(written(key))
    assert tuple(re.findall(r"^## (\d.*)$", text, re.MULTILINE)) == SECTIONS
    preset = FAMILIES[key].presets[0]
    assert "no published count" in text if preset.params is None else f"{preset.params:,}" in text
    for figure in (
        f"{found.params:,} parameters",
        f"{found.macs:,} mult",
        f"{found.flops:,} FLOPs",
    ):
        assert figure in text
    headline = dict(written(key).figures)
    assert headline["Inference memory"] == units.size(found.inference_bytes)
    assert headline["Training memory"] == units.size(found.training_bytes())


@every_family
def test_no_sentence_of_a_report_is_left_empty(key: str) -> None:
    text = markdown(written(key)).partition("<details>")[0]
    assert not re.search(r" maps \.|  \.|\.\.(?!\.)|: \.", text)


@every_family
def test_the_outermost_layers_add_up_to_the_profile(key: str) -> None:
    found = studio.profile(FAMILIES[key].design())
    blocks = written(key).sections[2].blocks
    table = next(b for b in blocks if isinstance(b, Table) and b.head[0] == "Layer")
    outer = [str(row[3]) for i, row in enumerate(table.rows[:-1]) if table.level(i) == 0]
    counts = [int(cell.replace(",", "").replace("−", "-")) for cell in outer if cell]
    assert sum(counts) == found.params
    assert table.rows[-1][3] == f"{found.params:,}"


@every_family
def test_both_forms_have_the_same_figures_and_the_page_loads_nothing(key: str) -> None:
    page = Page(html(written(key)))
    plain = re.sub(r"```.*?```", "", markdown(written(key)), flags=re.DOTALL)
    plain = re.sub(r"\$[^$]*\$|&nbsp;", "", plain)
    assert FIGURE.findall(" ".join(page.words)) == FIGURE.findall(plain)
    assert page.loaded == ["data:,"]


def test_what_a_person_or_a_machine_is_called_stays_text(clean: Measurement) -> None:
    named = replace(clean)
    object.__setattr__(named, "device", HOSTILE)  # past the cleaning of a measurement's own
    link = 'https://example.org/?x="><img src=x>'
    found = report(small(FAMILIES["resnet"]), measured=named, link=link)
    page = html(found)
    assert "<script" not in page
    assert "<img" not in page
    assert 'href="javascript' not in page
    assert HOSTILE in "".join(Page(page).words)
    body = markdown(found).partition("<details>")[0]
    assert not re.search(r"(?<!\\)<(script|img)", body)


@pytest.mark.parametrize("load", [True, False])
def test_a_measurement_has_its_conditions_beside_it(clean: Measurement, load: bool) -> None:
    measured = replace(clean, clean=not load)
    text = markdown(report(small(FAMILIES["vit"]), measured=measured))
    assert f"took {units.seconds(measured.median_s)}, the median of" in text
    assert "on a test machine; PyTorch 2.13" in text
    assert ("under load" in text) == load
    assert "not measured" in markdown(report(small(FAMILIES["vit"])))


def test_a_brief_is_answered_with_its_limits_reasons_and_doubts() -> None:
    brief = Brief(task="classification", limits=Limits(params=5_000_000), examples=5000)
    choice = choose(brief)[0]
    text = markdown(report(choice.design, brief=brief, choice=choice))
    assert "| parameters | 5.00 M |" in text
    assert "there are 5,000" in text
    assert "Reasons against it" in text
    if changes := choice.design.changes(choice.preset):
        assert all(f"| `{name}` |" in text for name in changes)


def test_a_changed_design_names_its_knobs_and_promises_no_accuracy() -> None:
    design = studio.design("resnet", base_channels=48)
    text = markdown(report(design))
    assert "| `base_channels` | 64 | 48 |" in text
    assert "its accuracy is unknown" in text
    origin, here = studio.profile(studio.design("resnet")), studio.profile(design)
    assert f"{here.params / origin.params:.3g} times the {origin.params:,}" in text


@every_family
def test_every_cost_law_is_a_formula_that_browsers_set(key: str) -> None:
    family: Family = FAMILIES[key]
    for tex in re.findall(r"\$([^$]+)\$", family.guide.cost):
        formula = mathml(tex)
        Page(formula)
        assert "\\" not in formula
        assert "{" not in formula


def test_indices_below_and_above_share_their_letter() -> None:
    assert "<msubsup><mi>c</mi><mi>i</mi><mn>2</mn></msubsup>" in mathml("c_i^2")


def test_the_face_writes_both_forms(clean: Measurement) -> None:
    design = small(FAMILIES["cnn"])
    assert studio.report(design).startswith("# ")
    assert studio.report(design, "html", measured=clean).startswith("<!DOCTYPE html>")
    with pytest.raises(studio.DesignError, match="markdown or html"):
        studio.report(design, "pdf")


@pytest.fixture
def clean() -> Measurement:
    return Measurement(
        median_s=0.0123,
        q25_s=0.012,
        q75_s=0.0125,
        p95_s=None,
        runs=57,
        first_call_s=0.03,
        cpu_s=0.0121,
        clean=True,
        device="a test machine",
        threads=1,
        dtype="float32",
        batch=1,
        torch_version="2.13",
    )
