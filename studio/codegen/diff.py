"""The lines of a text that changed, for a page that highlights the effect of a change."""

from __future__ import annotations

from difflib import SequenceMatcher


def changed_lines(before: str, after: str) -> tuple[int, ...]:
    """The numbers (from 1) of the lines of `after` that are not in `before` at their position."""
    matcher = SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    return tuple(
        number + 1
        for tag, _, _, start, end in matcher.get_opcodes()
        if tag != "equal"
        for number in range(start, end)
    )
