"""Text from outside (a link, a file, a cluster) quoted in a message: short, and on one line.

Every error message that repeats user input quotes it with these functions. Whoever shows the
message escapes it for Markdown, HTML or a shell.
"""

from __future__ import annotations

import re
from html import escape

LONGEST = 60  # characters of a value that are shown
ENOUGH = 1000  # characters of a value that are read
UNNAMED = re.compile(r"[^\w .,:()@+/&#-]|:(?=/)|(?<=www)\.", re.IGNORECASE)


def one_line(text: str) -> str:
    """The text on one line, with white space as single blanks and escapes for other invisible
    characters (`\\x1b`, `\\u202e`)."""
    line = " ".join(text.split())
    return line if line.isprintable() else "".join(map(_seen, line))


def quoted(value: object) -> str:
    """Any value on one line, cut to 60 characters; a text is quoted."""
    if isinstance(value, str):
        whole = repr(value[: LONGEST + 1])  # escapes invisible characters
        return f"{whole[0]}{cut(whole[1:-1], LONGEST)}{whole[-1]}"
    try:
        text = value.__name__ if isinstance(value, type) else repr(value)
    except (ValueError, RecursionError):  # thousands of digits, or of brackets
        text = f"this {type(value).__name__}"
    return cut(one_line(text), LONGEST)


def echoed(value: object) -> str:
    """Like `quoted`, without quotes around a text: `depth=abc`."""
    if isinstance(value, str):
        return cut(one_line(value[:ENOUGH]), LONGEST) or "''"
    return quoted(value)


def path_echoed(path: object) -> str:
    """A path on one line, cut to its last 60 characters, which contain the name of the file."""
    line = one_line(str(path)[-ENOUGH:])
    return (line if len(line) <= LONGEST else f"…{line[1 - LONGEST :]}") or "''"


def named(text: str) -> str:
    """A name from another machine, such as that of a processor, reduced to characters of names: no
    formulas, no markup, no addresses."""
    return cut(one_line(UNNAMED.sub(" ", text[:ENOUGH])), LONGEST)


def cut(text: str, longest: int) -> str:
    """The text, cut to `longest` characters with an ellipsis."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def _seen(character: str) -> str:
    if character.isprintable():
        return character
    return character.encode("unicode_escape").decode("ascii")


def link(text: str, address: str) -> str:
    """A text as HTML, linked to one of our addresses, which opens in a new tab."""
    return f"{link_start(address)}{escape(text)}</a>"


def link_start(address: str) -> str:
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">'
