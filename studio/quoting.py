"""Text from outside (a link, a file, a cluster) in a sentence of ours: short, and on one line.

Every refusal that echoes what was asked quotes it here. What a quoted text could mean to Markdown,
HTML or a shell is the business of whoever shows the sentence.
"""

from __future__ import annotations

import re

LONGEST = 60  # characters of a value that are echoed
ENOUGH = 1000  # that are looked at
UNNAMED = re.compile(r"[^\w .,:()@+/&#-]|:(?=/)|(?<=www)\.", re.IGNORECASE)


def one_line(text: str) -> str:
    """The text on one line: white space as one blank, other characters that cannot be seen by
    their escapes (`\\x1b`, `\\u202e`)."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(map(_seen, line))


def quoted(value: object) -> str:
    """A value on one line, at most 60 characters of it, whatever it is; a text between quotes."""
    if isinstance(value, str):
        whole = repr(value[: LONGEST + 1])  # escapes what cannot be seen
        return f"{whole[0]}{cut(whole[1:-1], LONGEST)}{whole[-1]}"
    try:
        text = value.__name__ if isinstance(value, type) else repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        text = f"this {type(value).__name__}"
    return cut(one_line(text), LONGEST)


def echoed(value: object) -> str:
    """The same without the quotes around a text: `depth=abc`."""
    if isinstance(value, str):
        return cut(one_line(value[:ENOUGH]), LONGEST) or "''"
    return quoted(value)


def path_echoed(path: object) -> str:
    """A path on one line, at most the last 60 characters of it: they hold the name of the file."""
    line = one_line(str(path)[-ENOUGH:])
    return (line if len(line) <= LONGEST else f"…{line[1 - LONGEST :]}") or "''"


def named(text: str) -> str:
    """A name from elsewhere, as that of a processor, of which only what names are written with is
    left: no formula, no mark of any language, and no address."""
    return cut(one_line(UNNAMED.sub(" ", text[:ENOUGH])), LONGEST)


def cut(text: str, longest: int) -> str:
    """The text, or as much of it as there is room for, and an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _seen(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")
