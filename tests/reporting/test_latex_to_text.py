"""No LaTeX and no Markdown is printed in a terminal."""

from __future__ import annotations

import pytest

import studio
from studio.reporting.latex_to_text import plain_text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (r"$37\,\mathrm{M} \cdot HW/64$ MACs", "37 M · HW/64 MACs"),
        (r"about $\frac{32}{3} c^2 4^{L-1}$ parameters", "about 32/3 c² 4^(L-1) parameters"),
        (r"about $2^\phi$; *all* of `x`", "about 2^φ; all of x"),
        (r"$c_i^2$ and $29.7\,c^2 4^L$", "c_i² and 29.7 c² 4^L"),
        ("$W_{out}$", "W_out"),
    ],
)
def test_a_formula_is_plain_text(text: str, printed: str) -> None:
    assert plain_text(text) == printed


@pytest.mark.parametrize("key", studio.families())
def test_no_sentence_of_a_guide_keeps_a_mark(key: str) -> None:
    guide = studio.families()[key].guide
    for sentence in (guide.cost, guide.use_when, guide.avoid_when, *guide.strengths):
        assert not set("\\${}`") & set(plain_text(sentence))
