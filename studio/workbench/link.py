"""A link, read parameter by parameter; invalid values become the nearest valid one, with a note.

A link may be years old, cut short by a mail program, or written by hand. A parameter that is wrong
does not affect the others.
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
MOST_SAID = 3  # sentences, and names of parameters
AXIS = "axis"  # the parameter that holds a kind of axis, or the path of a knob
TRIES = 8  # rules of a design that one link may break


class Link:
    """The unread parameters of a link, and notes on the others.

    `said` holds the refusals, `taken` the values used instead, and `inserted` the places of stages
    that were inserted to make a composition valid.
    """

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self.left: dict[str, str] = {}
        self.said: list[str] = []
        self.taken: dict[str, str] = {}
        self.inserted: dict[str, str] = {}
        room, long = SIZE, []
        for name, value in islice(parameters.items(), MOST):
            if len(name) + len(value) > room:
                long.append(name)
            else:
                room -= len(name) + len(value)
                self.left[name] = value
        if len(parameters) > MOST:
            self.said.append(f"a link has at most {MOST} parameters, not {len(parameters)}")
        if long:
            self.said.append(
                f"a link has at most {SIZE:,} characters; ignored: {_abbreviate(long)}"
            )

    @classmethod
    def within(cls, text: str) -> Link:
        """A link inside of a parameter, as a pinned design is written."""
        return cls(dict(parse_qsl(text, keep_blank_values=True)))

    @property
    def refusal(self) -> str:
        """What was refused and what stands for it, in a few sentences; empty where all was read."""
        said = list(dict.fromkeys(self.said))
        more = [f"{len(said) - MOST_SAID} more of its values cannot be"] * (len(said) > MOST_SAID)
        stands = [f"Used instead: {_abbreviate(f'{k}={v}' for k, v in self.taken.items())}"] * bool(
            self.taken
        )
        sentences = ". Also, ".join([*said[:MOST_SAID], *more])
        return ". ".join([f"In this link, {sentences}"] * bool(sentences) + stands) + "." * bool(
            said
        )

    @property
    def ignored(self) -> str:
        """What of the link is no parameter of the page, in a sentence; empty where all is."""
        if not self.left:
            return ""
        return f"Ignored, no parameter of this page: {_abbreviate(self.left)}."

    def say(self, error: DesignError, **taken: str) -> None:
        """Note a refusal, and what is taken instead."""
        self.said.append(str(error))
        self.taken |= {name: echoed(text) for name, text in taken.items()}

    def say_inserted(self, made: zoo.AdaptedDesign) -> None:
        """Note what was put into a composition so that it fits."""
        self.said += [made.note] * bool(made.note)
        self.inserted = dict.fromkeys(made.inserted, composition.WHY_INSERTED)

    def text(self, name: str, most: int = SIZE, default: str = "") -> str:
        """A text of at most so many characters; one that is longer is refused."""
        text = self.left.pop(name, default)
        if len(text) <= most:
            return text
        self.said.append(f"{name} has {len(text):,} characters, and {most:,} are read")
        return default

    def take(self, knob: Knob) -> Any:
        """The value of a knob, or the nearest one that it takes."""
        text = self.left.pop(knob.name, None)
        return knob.default if text is None else self.read(knob.name, text, knob)

    def read(self, name: str, text: str, knob: Knob) -> Any:
        """The value that a knob reads from a text, or the nearest one that it takes."""
        try:
            return knob.read(text)
        except DesignError as error:
            value = _nearest(knob, text, error)
            self.say(error, **{name: knob.text(value)})
            return value

    def take_name(self, name: str, read: Callable[[str], Any], default: str) -> Any:
        """What a text chooses by its name, or what is spelt most like it, or the default."""
        text = self.left.pop(name, default)
        try:
            return read(text)
        except DesignError as error:
            found = _closest(text, [str(each) for each in error.nearest], default)
            self.say(error, **{name: found})
            return read(found)

    def design(self, default: str) -> tuple[Design, Preset]:
        """The design that comes nearest to what is asked for, and the preset it is told from;
        `default` is the key of the family where the link names none that there is."""
        family: Family = self.take_name("family", zoo.family, default)
        preset: Preset = self.take_name("preset", family.preset, family.presets[0].name)
        start = Design(family, preset.config, preset)
        self.left = dict(_renamed_parameters(family.key, preset.config, self.left))
        asked = {name: self.left.pop(name) for name in list(self.left) if _is_knob(family, name)}
        found = self._snapped(start, asked)
        if "." in (path := self.left.get(AXIS, "")):
            self.left[AXIS] = updated_path(family.key, found.config, path)
        return found, preset

    def _snapped(self, start: Design, asked: Mapping[str, object]) -> Design:
        """The design with these settings, each refusal answered by what it suggests first."""
        wanted, put = dict(asked), set[str]()
        for _ in range(TRIES):
            try:
                made = zoo.with_settings(start, wanted)
            except DesignError as error:
                self.said.append(str(error))
                gone = _refused_settings(wanted, error)
                put |= error.suggestions[0].keys() if error.suggestions else gone
                wanted = _next_settings(wanted, error, gone)
            else:
                break
        else:
            made, refused = _one_by_one(start, wanted)
            put |= refused
        self.say_inserted(made)
        found = made.design
        renumbered = {place.partition(".")[0] for place in made.inserted}
        put = {own if (own := name.partition(".")[0]) in renumbered else name for name in put}
        known = {name: found.family.knob(found.config, name) for name in put if _has(found, name)}
        self.taken |= {
            name: echoed(knob.text(found.value(name))) for name, knob in sorted(known.items())
        }
        return found


def _renamed_parameters(
    family: str, config: Any, parameters: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """The parameters of a link, by the names that knobs have now."""
    for name, value in updated_settings(family, config, parameters).items():
        yield name, str(value)


def _refused_settings(wanted: dict[str, object], error: DesignError) -> set[str]:
    """Which of the settings a refusal is about: of a record's knob the record, where that was
    asked for and the knob was not."""
    parts = error.knob.split(".")
    paths = [".".join(parts[:n]) for n in range(len(parts), 0, -1)]
    return {next((path for path in paths if path in wanted), next(reversed(wanted), ""))}


def _next_settings(
    wanted: Mapping[str, object], error: DesignError, gone: set[str]
) -> dict[str, object]:
    """What is asked for next: what the refusal suggests put over it, or less what it blames."""
    if error.suggestions:
        return {**wanted, **error.suggestions[0]}
    return {name: value for name, value in wanted.items() if name not in gone}


def _one_by_one(start: Design, wanted: Mapping[str, object]) -> tuple[zoo.AdaptedDesign, set[str]]:
    """The design with one setting after the other, as far as each can be; and those that cannot."""
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
    """Whether a parameter sets a knob of a family, or asks for one of a record in it."""
    own, dot, _ = name.partition(".")
    return own in family.knobs and (not dot or isinstance(family.knobs[own], RecordKnob))


def _nearest(knob: Knob, text: str, error: DesignError) -> Any:
    """The value that is spelt most like a text, or the first that the refusal offers."""
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
    """A few of them, each in short, and how many more there are."""
    every = [echoed(name) for name in names]
    more = [f"{len(every) - MOST_SAID} more"] * (len(every) > MOST_SAID)
    return ", ".join([*every[:MOST_SAID], *more])
