"""Names of which one was meant: those that are spelt most like what was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches

from studio.quoting import LONGEST

MOST = 3  # names that a sentence offers
ALIKE = 0.6  # from here on a name may have been meant


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


def likeness(typed: str, name: str) -> float:
    """From 0 to 1, whatever the case; only the start of a long text is looked at."""
    return SequenceMatcher(None, name.lower()[:LONGEST], typed.lower()[:LONGEST]).ratio()


def by_likeness(typed: str, names: Iterable[str]) -> list[str]:
    """All names, the most alike first; of those equally alike the earlier one."""
    return sorted(names, key=lambda name: -likeness(typed, name))


def resembling(typed: str, names: Iterable[str], most: int = MOST) -> tuple[str, ...]:
    """The names that may have been meant, the most alike first.

    Of a path the last part counts. A name also counts that is a word of what was typed: `depth` in
    `depth_multiple`.
    """
    typed = typed.rpartition(".")[2]
    words = typed.lower().split("_")
    near: dict[str, float] = {}
    for name in names:
        last = name.rpartition(".")[2]
        word = ALIKE if last.lower() in words else 0.0
        near[name] = max(likeness(typed, last), word)
    ranked = sorted(near, key=lambda name: -near[name])
    good = [name for name in ranked if near[name] >= ALIKE]
    return tuple(name for name in good if near[name] >= 0.9 * near[good[0]])[:most]


def meant(typed: str, names: Iterable[str], otherwise: str = "") -> str:
    """The question whether one of these was meant, or what else to say where none is alike."""
    near = resembling(typed, names)
    return f"did you mean {' or '.join(near)}?" if near else otherwise
