"""Names of which one was meant: those that are spelt most like what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from studio.quoting import LONGEST

MOST = 3  # names that a sentence offers


def closest(asked: object, names: Iterable[str], most: int = MOST) -> tuple[str, ...]:
    """The names spelt most like what was asked for, the best first; upper case does not count."""
    spelt: dict[str, str] = {}
    for name in names:
        spelt.setdefault(name.lower(), name)
    word = asked[:LONGEST].lower() if isinstance(asked, str) else ""
    return tuple(spelt[name] for name in get_close_matches(word, spelt, n=most))


def closest_first(asked: object, names: Sequence[str]) -> tuple[str, ...]:
    """All of the names, those first that are spelt like what was asked for."""
    return tuple(dict.fromkeys((*closest(asked, names), *names)))


def offered(asked: object, names: Sequence[str], several: str) -> str:
    """Advice for a name that there is not: the closest three, and how many there are."""
    near = closest(asked, names)
    if len(names) <= MOST:
        return f"the {several} are {', '.join(names)}"
    if not near:
        return f"there are {len(names)} {several}, such as {', '.join(names[:MOST])}"
    verb = "are" if len(near) > 1 else "is"
    return f"of the {len(names)} {several} the closest {verb} {', '.join(near)}"
