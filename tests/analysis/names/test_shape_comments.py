"""What source text states about shapes, read as values."""

from __future__ import annotations

from pathlib import Path

import pytest

from studio.analysis.names.shape_comments import (
    DocumentedShapes,
    documented_shapes,
    evaluate,
    stated_shapes,
    statements,
)
from studio.blocks import attention
from studio.blocks.attention import SelfAttention
from studio.zoo.detr import DETRDecoderLayer
from studio.zoo.resnet import ResidualStage

SOURCE = """def forward(self, x, memory):
    q = self.q(x).transpose(1, 2)  # (B, D, N)
    for block in self.blocks:
        x = block(
            x, memory
        )  # (B, N, D)
    a, b = self.split(x)  # 2 × (B, N, d)
    x = x + memory
    return x, a
"""


def test_a_statement_knows_its_lines_and_what_is_said_beside_it() -> None:
    found = statements(SOURCE, first=11)
    assert list(found) == [12, 14, 17, 18, 19]
    assert (found[14].last, found[14].dims) == (16, ("B", "N", "D"))
    assert found[14].loop == (13, 16)
    assert found[17].names == ("a", "b")
    assert found[17].for_each
    assert found[18].dims is None


def test_a_view_at_the_end_of_a_line_is_seen() -> None:
    found = statements(SOURCE)
    assert (found[2].view, found[4].view) == ("transpose", "")


@pytest.mark.parametrize(
    ("docstring", "takes", "gives"),
    [
        ("Twice. (B, N, D) -> (B, D), N up to 9.", [("B", "N", "D")], [("B", "D")]),
        ("Images (B, C, H, W) to logits (B, K).", [("B", "C", "H", "W")], [("B", "K")]),
        ("Of (Lin et al. 2017). (B, h, w) -> (3·h·w, 4).", [("B", "h", "w")], [("3·h·w", "4")]),
        ("x (B, N) and y (N) -> a (B) and b (B, 2).", [("B", "N"), ("N",)], [("B",), ("B", "2")]),
        ("One after another (Figure 2, right).", [], []),
    ],
)
def test_a_docstring_promises_shapes(docstring: str, takes: list[str], gives: list[str]) -> None:
    assert documented_shapes(docstring) == DocumentedShapes(tuple(takes), tuple(gives))


def test_a_term_has_a_value_once_its_letters_have() -> None:
    assert evaluate("3*D", {"D": 4}) == evaluate("3·D", {"D": 4}) == 12
    assert evaluate("c*2**i + 1", {"c": 4, "i": 2}) == 17
    assert evaluate("H/P", {"H": 7, "P": 2}) == 3.5
    assert evaluate("H/P", {"H": 7}) is None
    assert evaluate("H'", {"H": 7}) is None


def test_a_class_is_read_with_the_lines_of_its_file() -> None:
    said = stated_shapes(SelfAttention)
    lines = Path(attention.__file__).read_text().splitlines()
    for statement in said.statements:
        assert not statement.dims or ", ".join(statement.dims) in lines[statement.first - 1]
    assert said.documented == ((("B", "N", "D"),), (("B", "N", "D"),))


def test_several_inputs_are_promised_in_their_order() -> None:
    takes = stated_shapes(DETRDecoderLayer).documented.inputs
    assert takes == (("B", "Q", "D"), ("Q", "D"), ("B", "N", "D"), ("N", "D"))


def test_a_class_without_a_forward_of_its_own_has_its_docstring_alone() -> None:
    assert stated_shapes(ResidualStage).statements == ()
    assert stated_shapes(ResidualStage).documented.inputs == (("B", "C", "H", "W"),)
