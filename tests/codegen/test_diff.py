"""Changed lines are numbered in the later text."""

from __future__ import annotations

from studio.codegen.diff import changed_lines


def test_equal_texts_have_no_changed_line() -> None:
    assert changed_lines("a\nb\n", "a\nb\n") == ()


def test_new_and_changed_lines_are_numbered_from_one() -> None:
    assert changed_lines("a\nb\nc\n", "a\nB\nc\nd\n") == (2, 4)


def test_a_removed_line_marks_nothing() -> None:
    assert changed_lines("a\nb\nc\n", "a\nc\n") == ()


def test_everything_is_new_after_nothing() -> None:
    assert changed_lines("", "a\nb\n") == (1, 2)
