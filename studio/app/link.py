"""A link, read parameter by parameter: what cannot be lands on the nearest that works, and is said.

A link may be years old, cut short by a mail program, or written by hand. Whatever is wrong with one
parameter, the others are honoured.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from itertools import islice
from typing import Any
from urllib.parse import parse_qsl

from studio import zoo
from studio.family import Design, DesignError, Family, Preset
from studio.knobs import Knob
from studio.quoting import LONGEST, echoed
from studio.records import RecordKnob

MOST = 256  # parameters that are read
SIZE = 2**17  # characters of all of them: eight pinned compositions take half of that
MOST_SAID = 3  # sentences, and names of parameters
TRIES = 8  # rules of a design that one link may break


class Link:
    """The parameters of a link that are not read yet, and what there is to say of the others.

    `said` are the refusals; `taken` is what stands in the place of what was refused.
    """

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self.left: dict[str, str] = {}
        self.said: list[str] = []
        self.taken: dict[str, str] = {}
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
            self.said.append(f"a link has at most {SIZE:,} characters: left out is {_few(long)}")

    @classmethod
    def within(cls, text: str) -> Link:
        """A link inside of a parameter, as a pinned design is written."""
        return cls(dict(parse_qsl(text, keep_blank_values=True)))

    @property
    def refusal(self) -> str:
        """What was refused and what stands for it, in a few sentences; empty where all was read."""
        said = list(dict.fromkeys(self.said))
        more = [f"{len(said) - MOST_SAID} more of its values cannot be"] * (len(said) > MOST_SAID)
        stands = [f"Taken: {_few(f'{k}={v}' for k, v in self.taken.items())}"] * bool(self.taken)
        sentences = [*said[:MOST_SAID], *more, *stands]
        return f"In this link, {'. '.join(sentences)}." if sentences else ""

    @property
    def ignored(self) -> str:
        """What of the link is no parameter of the page, in a sentence; empty where all is."""
        if not self.left:
            return ""
        return f"Ignored, as no parameter of this page: {_few(self.left)}."

    def say(self, error: DesignError, **taken: str) -> None:
        """Note a refusal, and what is taken instead."""
        self.said.append(str(error))
        self.taken |= {name: echoed(text) for name, text in taken.items()}

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

    def chosen(self, name: str, read: Callable[[str], Any], default: str) -> Any:
        """What a text chooses by its name, or what is spelt most like it, or the default."""
        text = self.left.pop(name, default)
        try:
            return read(text)
        except DesignError as error:
            found = _alike(text, [str(each) for each in error.nearest], default)
            self.say(error, **{name: found})
            return read(found)

    def design(self, default: str) -> tuple[Design, Preset]:
        """The design that comes nearest to what is asked for, and the preset it is told from;
        `default` is the key of the family where the link names none that there is."""
        family: Family = self.chosen("family", zoo.family, default)
        preset: Preset = self.chosen("preset", family.preset, family.presets[0].name)
        start = Design(family, preset.config, preset)
        asked = {name: self.left.pop(name) for name in list(self.left) if _is_knob(family, name)}
        with suppress(DesignError):
            made = zoo.changed(start, asked)
            self.said += [made.note] * bool(made.note)
            return made.design, preset
        own = {name: text for name, text in asked.items() if name in family.knobs}
        inner = {name: text for name, text in asked.items() if name not in own}
        return self._applied(self._applied(start, own), inner), preset

    def _applied(self, start: Design, asked: Mapping[str, str]) -> Design:
        """The design with these knobs set, or what comes near it."""
        read: dict[str, Any] = {}
        for name, text in asked.items():
            try:
                read[name] = self.read(name, text, _knob(start, name))
            except DesignError as error:  # it has no such knob
                self.say(error)
        found = self._fitted(start, dict(read))
        moved = {n: v for n, v in read.items() if n in found.knobs and found.value(n) != v}
        self.taken |= {n: echoed(found.knobs[n].text(found.value(n))) for n in moved}
        return found

    def _fitted(self, start: Design, values: dict[str, Any]) -> Design:
        """The design with these values, less or other than those that break a rule."""
        for _ in range(TRIES):
            try:
                return start.replace(**values)
            except DesignError as error:
                self.say(error)
                blamed = error.knob
                if (
                    blamed in start.knobs
                    and error.nearest
                    and error.nearest[0] != values.get(blamed)
                ):
                    values[blamed] = error.nearest[0]
                elif blamed.partition(".")[0] in values:
                    del values[blamed.partition(".")[0]]
                else:
                    break
        return _turned(start, values)


def _mended(values: dict[str, Any], error: DesignError) -> bool:
    """Set what a refusal blames to what it offers, or leave it out; whether that can be."""
    blamed, offered = error.knob, error.nearest[:1]
    if offered and blamed and offered[0] != values.get(blamed):
        values[blamed] = offered[0]
        return True
    own = blamed if blamed in values else blamed.partition(".")[0]
    return values.pop(own, None) is not None


def _turned(start: Design, values: Mapping[str, Any]) -> Design:
    """One knob after the other, each as its slider moves it; those that cannot be stay."""
    family, config = start.family, start.config
    for name, value in values.items():
        with suppress(DesignError):
            config = family.turn(config, name, value).config
    return replace(start, config=config)


def _is_knob(family: Family, name: str) -> bool:
    """Whether a parameter sets a knob of a family, or asks for one of a record in it."""
    own, dot, _ = name.partition(".")
    return own in family.knobs and (not dot or isinstance(family.knobs[own], RecordKnob))


def _knob(design: Design, name: str) -> Knob:
    """A knob whose nearest value to nonsense is the one that stands. Raises DesignError."""
    return replace(design.family.knob(design.config, name), default=design.value(name))


def _nearest(knob: Knob, text: str, error: DesignError) -> Any:
    """The value that is spelt most like a text, or the first that the refusal offers."""
    if isinstance(knob.default, bool):
        return knob.default
    if knob.options and not isinstance(knob, RecordKnob):
        found = _alike(text, [knob.text(option) for option in knob.options], "")
        return knob.read(found) if found else knob.default
    offered = error.nearest if error.knob == knob.name else ()
    return next(iter(offered), knob.default)


def _alike(text: str, names: Iterable[str], default: str) -> str:
    spelt = {name.lower(): name for name in names}
    near = get_close_matches(text[:LONGEST].lower(), spelt, n=1)
    return spelt[near[0]] if near else default


def _few(names: Iterable[str]) -> str:
    """A few of them, each in short, and how many more there are."""
    every = [echoed(name) for name in names]
    more = [f"{len(every) - MOST_SAID} more"] * (len(every) > MOST_SAID)
    return ", ".join([*every[:MOST_SAID], *more])
