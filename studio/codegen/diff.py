"""Which lines of a text are new, for a page that marks what a change of the design did."""

from __future__ import annotations

from difflib import SequenceMatcher


def changed_lines(before: str, after: str) -> tuple[int, ...]:
    """The numbers (from 1) of the lines of `after` that `before` does not have in their place."""
    matcher = SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    return tuple(
        number + 1
        for tag, _, _, start, end in matcher.get_opcodes()
        if tag != "equal"
        for number in range(start, end)
    )
