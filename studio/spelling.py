"""Suggestions for a misspelt name: the known names with the most similar spelling."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher, get_close_matches

from studio.quoting import LONGEST

MOST = 3  # names in one suggestion
ALIKE = 0.6  # likeness from which a name is suggested


def closest(asked: object, names: Iterable[str], most: int = MOST) -> tuple[str, ...]:
    """The names with the most similar spelling, best first; case is ignored."""
    spelt: dict[str, str] = {}
    for name in names:
        spelt.setdefault(name.lower(), name)
    word = asked[:LONGEST].lower() if isinstance(asked, str) else ""
    return tuple(spelt[name] for name in get_close_matches(word, spelt, n=most))


def closest_first(asked: object, names: Sequence[str]) -> tuple[str, ...]:
    """All names, those with a similar spelling first."""
    return tuple(dict.fromkeys((*closest(asked, names), *names)))


def offered(asked: object, names: Sequence[str], several: str) -> str:
    """Advice for an unknown name: the closest three, and the number of all."""
    near = closest(asked, names)
    if len(names) <= MOST:
        return f"the {several} are {', '.join(names)}"
    if not near:
        return f"there are {len(names)} {several}, such as {', '.join(names[:MOST])}"
    verb = "are" if len(near) > 1 else "is"
    return f"of the {len(names)} {several} the closest {verb} {', '.join(near)}"


def likeness(typed: str, name: str) -> float:
    """Similarity from 0 to 1, ignoring case; of a long text only the start is compared."""
    return SequenceMatcher(None, name.lower()[:LONGEST], typed.lower()[:LONGEST]).ratio()


def by_likeness(typed: str, names: Iterable[str]) -> list[str]:
    """All names, the most similar first; ties keep their order."""
    return sorted(names, key=lambda name: -likeness(typed, name))


def resembling(typed: str, names: Iterable[str], most: int = MOST) -> tuple[str, ...]:
    """The names that the user may have meant, the most similar first.

    Of a path only the last part is compared. A name that is a word of the typed one also counts:
    `depth` in `depth_multiple`.
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
    """The question "did you mean ...?", or `otherwise` if no name is similar."""
    near = resembling(typed, names)
    return f"did you mean {' or '.join(near)}?" if near else otherwise
