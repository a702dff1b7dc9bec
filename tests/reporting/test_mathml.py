"""Formulas in a report: MathML that browsers render, and nothing else whatever was written."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

import studio
from studio.reporting.mathml import ATTRIBUTES, ELEMENTS, mathml

HOSTILE = [
    "<script>alert(1)</script>",
    r"\text{<img src=x onerror=alert(1)>}",
    r"\text{&lt;script&gt;alert(1)&lt;/script&gt;}",
    r"\text{&#60;script&#62;}",
    r"\mathrm{</math><script>alert(1)</script>}",
    r"\operatorname{</mo><b>x}",
    r"\href{javascript:alert(1)}{x}",
    r"\style{background:url(//example.org)}{x}",
    r'\class{a" onclick="alert(1)}{y}',
    r'\color{red" onload="alert(1)}{y}',
    r'\hspace{1em" onclick="x}',
    r"\begin{matrix} <b>x</b> & 2 \end{matrix}",
    r"\unicode{x}",
    r"\nosuch{<b>}",
    "a & b",
    "\x00\ud83d",
    *("{", "}", "^", "_", "$", "%", "\\", r"\frac", r"\left(", r"\right", r"\begin{x}", ""),
    "{" * 5000,
]


@pytest.mark.parametrize(
    "tex", HOSTILE, ids=[tex[:20].encode("ascii", "replace") for tex in HOSTILE]
)
def test_whatever_is_written_becomes_a_formula_or_text(tex: str) -> None:
    text = mathml(tex)
    tags = re.findall(r"<(/?)(\w+)((?: \w+=\"[^\"<>]*\")*)>", text)
    assert text.count("<") == text.count(">") == len(tags)
    assert {name for _, name, _ in tags} <= ELEMENTS
    assert {name for *_, given in tags for name in re.findall(r" (\w+)=", given)} <= ATTRIBUTES
    assert text.startswith("<math>")
    if "\x00" not in tex:
        ET.fromstring(text)


def test_what_is_no_latex_is_shown_as_it_was_written() -> None:
    assert mathml(r"\left( <b>") == r"<math><mtext>\left( &lt;b&gt;</mtext></math>"


@pytest.mark.parametrize("key", studio.families())
def test_every_formula_of_a_family_is_rendered_whole(key: str) -> None:
    family = studio.families()[key]
    guide = family.guide
    for text in (family.lesson, guide.cost, guide.use_when, guide.avoid_when, *guide.strengths):
        for tex in re.findall(r"\$([^$]+)\$", text):
            assert not set("\\{}") & set(mathml(tex)), tex


def test_commands_that_were_printed_by_their_names() -> None:
    assert "<msqrt>" in mathml(r"\sqrt{d}")
    assert "∑" in mathml(r"\sum_i x_i")
