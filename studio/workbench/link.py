"""A link, read parameter by parameter; invalid values become the nearest valid one, with a note.

A link may be years old, truncated by a mail program, or written by hand. A wrong parameter does not
affect the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from studio import zoo
from studio.family import Design, DesignError, Family, Preset
from studio.knobs import Knob
from studio.quoting import echoed
from studio.records import RecordKnob
from studio.renames import updated_path, updated_settings
from studio.spelling import closest
from studio.workbench.compose import composition

MOST = 256  # parameters that are read
SIZE = 2**17  # characters of all of them: eight pinned compositions take half of that
MOST_LISTED = 3  # messages, and names of parameters
AXIS = "axis"  # the parameter with an axis, or the path of a knob
TRIES = 8  # errors of one link that are corrected, one after the other


class Link:
    """The unread parameters of a link, and notes on the others.

    `problems` are the error messages, `taken` the values used instead, by parameter, and
    `inserted` the places of stages that were inserted to make a composition valid.
    """

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self.left: dict[str, str] = {}
        self.problems: list[str] = []
        self.taken: dict[str, str] = {}
        self.inserted: dict[str, str] = {}
        free, long = SIZE, []
        for name, value in islice(parameters.items(), MOST):
            if len(name) + len(value) > free:
                long.append(name)
            else:
                free -= len(name) + len(value)
                self.left[name] = value
        if len(parameters) > MOST:
            self.problems.append(f"a link has at most {MOST} parameters, not {len(parameters)}")
        if long:
            self.problems.append(
                f"a link has at most {SIZE:,} characters; ignored: {_abbreviate(long)}"
            )

    @classmethod
    def within(cls, text: str) -> Link:
        """A link inside a parameter, such as a pinned design."""
        return cls(dict(parse_qsl(text, keep_blank_values=True)))

    @property
    def refusal(self) -> str:
        """What is wrong with the link and which values are used instead; empty if it is valid."""
        problems = list(dict.fromkeys(self.problems))
        listed = problems[:MOST_LISTED]
        if len(problems) > MOST_LISTED:
            listed.append(f"{len(problems) - MOST_LISTED} more values are invalid")
        sentences = [f"In this link, {'. Also, '.join(listed)}"] if listed else []
        if self.taken:
            values = _abbreviate(f"{name}={value}" for name, value in self.taken.items())
            sentences.append(f"Used instead: {values}")
        return ". ".join(sentences) + "." * bool(problems)

    @property
    def ignored(self) -> str:
        """A sentence on the unknown parameters; empty if there are none."""
        if not self.left:
            return ""
        return f"Unknown parameters ignored: {_abbreviate(self.left)}."

    def say(self, error: DesignError, **taken: str) -> None:
        """Note an error, and the values used instead, by parameter."""
        self.problems.append(str(error))
        self.taken |= {name: echoed(text) for name, text in taken.items()}

    def say_inserted(self, made: zoo.AdaptedDesign) -> None:
        """Note the stages that were inserted into a composition so that it fits."""
        self.problems += [made.note] * bool(made.note)
        self.inserted = dict.fromkeys(made.inserted, composition.WHY_INSERTED)

    def text(self, name: str, most: int = SIZE, default: str = "") -> str:
        """A text of at most `most` characters; a longer one is replaced by the default."""
        text = self.left.pop(name, default)
        if len(text) <= most:
            return text
        self.problems.append(f"{name} has {len(text):,} characters, but at most {most:,} are read")
        return default

    def take(self, knob: Knob) -> Any:
        """The value of a knob, or the nearest valid one."""
        text = self.left.pop(knob.name, None)
        return knob.default if text is None else self.read(knob.name, text, knob)

    def read(self, name: str, text: str, knob: Knob) -> Any:
        """The value that a knob reads from a text, or the nearest valid one."""
        try:
            return knob.read(text)
        except DesignError as error:
            value = _nearest(knob, text, error)
            self.say(error, **{name: knob.text(value)})
            return value

    def take_name(self, name: str, read: Callable[[str], Any], default: str) -> Any:
        """The object that the text names, else the one with the most similar name, else the
        default."""
        text = self.left.pop(name, default)
        try:
            return read(text)
        except DesignError as error:
            found = _closest(text, [str(each) for each in error.nearest], default)
            self.say(error, **{name: found})
            return read(found)

    def design(self, default: str) -> tuple[Design, Preset]:
        """The valid design nearest to the link's, and the preset that it is described relative to.
        `default` is the family if the link names no known one."""
        family: Family = self.take_name("family", zoo.family, default)
        preset: Preset = self.take_name("preset", family.preset, family.presets[0].name)
        start = Design(family, preset.config, preset)
        self.left = dict(_renamed_parameters(family.key, preset.config, self.left))
        settings = {name: self.left.pop(name) for name in list(self.left) if _is_knob(family, name)}
        found = self._snapped(start, settings)
        if "." in (path := self.left.get(AXIS, "")):
            self.left[AXIS] = updated_path(family.key, found.config, path)
        return found, preset

    def _snapped(self, start: Design, settings: Mapping[str, object]) -> Design:
        """The design with these settings; after each error, its first suggestion is tried."""
        wanted, changed = dict(settings), set[str]()
        for _ in range(TRIES):
            try:
                made = zoo.with_settings(start, wanted)
            except DesignError as error:
                self.problems.append(str(error))
                gone = _refused_settings(wanted, error)
                changed |= error.suggestions[0].keys() if error.suggestions else gone
                wanted = _next_settings(wanted, error, gone)
            else:
                break
        else:
            made, refused = _one_by_one(start, wanted)
            changed |= refused
        self.say_inserted(made)
        found = made.design
        renumbered = {place.partition(".")[0] for place in made.inserted}
        changed = {
            own if (own := name.partition(".")[0]) in renumbered else name for name in changed
        }
        known = {n: found.family.knob(found.config, n) for n in changed if _has(found, n)}
        self.taken |= {
            name: echoed(knob.text(found.value(name))) for name, knob in sorted(known.items())
        }
        return found


def _renamed_parameters(
    family: str, config: Any, parameters: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The parameters of a link, by the present names of the knobs."""
    for name, value in updated_settings(family, config, parameters).items():
        yield name, str(value)


def _refused_settings(wanted: dict[str, object], error: DesignError) -> set[str]:
    """The settings that an error is about. For a knob of a record it is the record, if the link
    sets the record and not the knob."""
    parts = error.knob.split(".")
    paths = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return {next((path for path in paths if path in wanted), next(reversed(wanted), ""))}


def _next_settings(
    wanted: Mapping[str, object], error: DesignError, gone: set[str]
) -> dict[str, object]:
    """The settings to try next: with the error's first suggestion, or without the refused ones."""
    if error.suggestions:
        return {**wanted, **error.suggestions[0]}
    return {name: value for name, value in wanted.items() if name not in gone}


def _one_by_one(start: Design, wanted: Mapping[str, object]) -> tuple[zoo.AdaptedDesign, set[str]]:
    """The design with each setting in turn, if it is valid; and the refused settings."""
    made, refused = zoo.AdaptedDesign(start), set(wanted)
    for name, value in wanted.items():
        with suppress(DesignError):
            made = zoo.with_settings(made.design, {name: value})
            refused.discard(name)
    return made, refused


def _has(design: Design, name: str) -> bool:
    with suppress(DesignError):
        return bool(design.family.knob(design.config, name))
    return False


def _is_knob(family: Family, name: str) -> bool:
    """Whether a parameter sets a knob of a family, or a knob of one of its records."""
    own, dot, _ = name.partition(".")
    return own in family.knobs and (not dot or isinstance(family.knobs[own], RecordKnob))


def _nearest(knob: Knob, text: str, error: DesignError) -> Any:
    """The option spelt most like a text, or the first value that the error suggests."""
    if isinstance(knob.default, bool):
        return knob.default
    if knob.options and not isinstance(knob, RecordKnob):
        found = _closest(text, [knob.text(option) for option in knob.options], "")
        return knob.read(found) if found else knob.default
    offered = error.nearest if error.knob == knob.name else ()
    return next(iter(offered), knob.default)


def _closest(text: str, names: Iterable[str], default: str) -> str:
    return next(iter(closest(text, names, 1)), default)


def _abbreviate(names: Iterable[str]) -> str:
    """The first few names, each shortened, and the number of the others."""
    every = [echoed(name) for name in names]
    more = [f"{len(every) - MOST_LISTED} more"] * (len(every) > MOST_LISTED)
    return ", ".join([*every[:MOST_LISTED], *more])
