"""Several settings at once: parse them, or refuse them with the nearest valid settings.

A refusal is one sentence: the first reason, and the nearest settings that work. The search covers
the knobs that were set and those that the broken rule names. So it also finds valid settings if two
rules are broken at once, or if a rule relates two stages of a composition.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, is_dataclass
from functools import cached_property, partial
from itertools import chain, islice
from typing import Any, Protocol

from studio.alternatives.nearest import WAYS, Obstacle, candidates, suggestions, unique
from studio.alternatives.ratios import unlimited
from studio.knobs import WORKS, DesignError, Knob
from studio.quoting import cut
from studio.records import (
    NOTHING,
    RecordKnob,
    all_knobs,
    as_text,
    knob_at,
    value_of,
    with_values_unchecked,
)

LONGEST = 200  # characters of a setting that is suggested
FEW = 4  # values to try of a knob that the rule does not name
WHOLE = re.compile(r"\w+\.\d+")  # the path of an entry of several records
NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
PLACE = re.compile(r"([\w.]+): ")
STRIDES = ("stride", "stride_height", "stride_width", "patch_size")


class Rules(Protocol):
    """The part of a family that refusals need."""

    def knob(self, config: Any, name: str, /) -> Knob:
        """Raises DesignError if there is no knob of this name."""

    def fitted(self, config: Any, values: Mapping[str, Any], /) -> Any:
        """The config with these values. Raises ValueError if a rule is broken."""


def read_settings(rules: Rules, config: Any, settings: Mapping[str, object]) -> dict[str, Any]:
    """The values of some settings of a config, each by its path. Raises DesignError.

    Settings of one record are read together with the record, if that is given too.
    """
    values: dict[str, Any] = {}
    for name, own in _by_knob(settings).items():
        values |= _read(rules, config, name, own)
    return values


def _by_knob(settings: Mapping[str, object]) -> Mapping[str, Mapping[str, object]]:
    found: dict[str, dict[str, object]] = defaultdict(dict)
    for path, value in settings.items():
        found[path.partition(".")[0]][path] = value
    return found


def _read(rules: Rules, config: Any, name: str, own: Mapping[str, object]) -> dict[str, Any]:
    knob = rules.knob(config, name)
    if isinstance(knob, RecordKnob) and any(map(WHOLE.fullmatch, own)):
        own = {name: value_of(config, name), **own}
    if isinstance(knob, RecordKnob) and name in own:
        overrides = {path[len(name) + 1 :]: value for path, value in own.items() if path != name}
        return {name: knob.read(own[name], overrides)}
    return {path: _reader(rules, config, path).read(value) for path, value in own.items()}


def _reader(rules: Rules, config: Any, path: str) -> Knob:
    knob = rules.knob(config, path)
    return knob if path in all_knobs(config) or WHOLE.fullmatch(path) else unlimited(knob)


def refusal(rules: Rules, config: Any, settings: Mapping[str, object]) -> DesignError:
    """Why these settings of a valid config are invalid, with the nearest valid ones."""
    return _Asked(rules, config, settings).refusal()


def named_knobs(config: Any, rule: str) -> list[str]:
    """The knobs that the message of a rule names. A knob of a record has its place before it, or
    the message begins with the place."""
    place = place_of(rule)
    names = re.findall(r"([\w.]+)=", rule)
    inner = [f"{place}.{name}" for name in names] if place else []
    return [name for name in (*inner, *names) if knob_at(config, name)]


def place_of(rule: str) -> str:
    """The path of the record that broke the rule; empty if it was the config."""
    place = PLACE.match(rule)
    return place[1] if place else ""


@dataclass(frozen=True)
class _Asked:
    """Requested settings that do not fit a valid config."""

    rules: Rules
    config: Any
    settings: Mapping[str, object]

    def refusal(self) -> DesignError:
        if unknown := self._unknown():  # for a knob that does not exist no value works
            return unknown
        first = self._error(NOTHING)
        ways = (
            self._own(first)
            or suggestions(self._obstacle, self._is_asked)
            or tuple(self._as_it_was())
        )
        name = self._blamed(first, ways)
        return DesignError(
            first.reason if isinstance(first, DesignError) else str(first),
            advice=self._advice(first, ways),
            knob=name,
            value=first.value if isinstance(first, DesignError) else self._value(name),
            nearest=tuple(way[name] for way in ways if way.keys() == {name}),
            suggestions=ways,
        )

    def _own(self, error: ValueError | None) -> tuple[Mapping[str, Any], ...]:
        """The suggestions for a value that cannot be parsed, if they fit the other settings."""
        if not isinstance(error, DesignError):
            return ()
        works = (way for way in unique(error.suggestions) if not self._error(way))
        plain = type(knob_at(self.config, error.knob)) is Knob  # all options of one fit a sentence
        return tuple(works if plain else islice(works, WAYS))

    def _unknown(self) -> DesignError | None:
        """The error of the first setting whose knob does not exist. Knobs in a record that is set
        as a whole are checked when it is parsed."""
        for first, own in _by_knob(self.settings).items():
            whole = first in own and knob_at(self.config, first)
            if whole or any(map(WHOLE.fullmatch, own)):
                continue
            for name in own:
                try:
                    self.rules.knob(self.config, name)
                except DesignError as error:
                    return error
        return None

    def _is_asked(self, name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[:n]) in self.settings for n in range(1, len(parts) + 1))

    @cached_property
    def _readable(self) -> dict[str, Any]:
        """The values of the settings that can be parsed; a knob and its inner knobs together."""
        values: dict[str, Any] = {}
        for name, own in _by_knob(self.settings).items():
            with suppress(DesignError):
                values |= _read(self.rules, self.config, name, own)
        return values

    def _values(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The requested values with some changes. Raises DesignError if one cannot be parsed."""
        values = dict(self._readable)
        changed = dict(_by_knob(changes))
        for name, own in _by_knob(self.settings).items():
            more = changed.get(name, NOTHING)
            if own.keys().isdisjoint(values) or name in more or any(map(WHOLE.fullmatch, more)):
                values |= _read(self.rules, self.config, name, {**own, **changed.pop(name, {})})
        return values | {path: value for own in changed.values() for path, value in own.items()}

    def _error(self, changes: Mapping[str, Any]) -> ValueError | None:
        try:
            self.rules.fitted(self.config, self._values(changes))
        except ValueError as error:
            return error
        return None

    def _obstacle(self, changes: Mapping[str, Any]) -> Obstacle | None:
        error = self._error(changes)
        if error is None:
            return None
        place = place_of(str(error))
        kind = place + re.sub(r"\d+", "#", str(error)[len(place) :])
        if isinstance(error, DesignError):
            return Obstacle(f"{error.knob} {kind}", partial(self._instead, error))
        return Obstacle(kind, partial(self._remedies, str(error), changes))

    def _instead(self, error: DesignError) -> Mapping[str, Iterable[Any]]:
        """The suggestions for a value that cannot be parsed, and values near them."""
        found: dict[str, list[Any]] = defaultdict(list)
        for suggestion in error.suggestions:
            for name, value in suggestion.items():
                found[name].append(value)
        return {
            name: chain(values, candidates(knob, values[0]))
            if (knob := knob_at(self.config, name)) and not isinstance(knob, RecordKnob)
            else values
            for name, values in found.items()
        }

    def _remedies(self, rule: str, changes: Mapping[str, Any]) -> Mapping[str, Iterable[Any]]:
        """Values to try, by knob: of the knobs that the rule names, and a few of the requested ones
        and of those of earlier stages that change the size of the map."""
        values, wanted = self._values(changes), self.config
        with suppress(ValueError):  # a record's own rule, which names a knob of the config too
            wanted = with_values_unchecked(self.config, values)
        place = place_of(rule)
        found: dict[str, Iterable[Any]] = {}
        for name in named_knobs(wanted, rule) or [place]:
            if knob := knob_at(wanted, name):
                here = values.get(name, value_of(wanted, name))
                found[name] = chain(_hinted(knob, here, rule), self._before(name))
        for name in (*self.settings, *_upstream(wanted, place)):
            if (knob := knob_at(wanted, name)) and name not in found:
                here = values.get(name, value_of(wanted, name))
                found[name] = chain(self._before(name), islice(candidates(knob, here), FEW))
        return found

    def _before(self, name: str) -> Iterator[Any]:
        """The value in the config; not for whole records, which are too long to suggest."""
        if not isinstance(knob_at(self.config, name), RecordKnob | None):
            yield value_of(self.config, name)

    def _as_it_was(self) -> Iterator[dict[str, Any]]:
        """As many requested settings as are valid together; the others keep the config's values."""
        known = [name for name in self.settings if knob_at(self.config, name)]
        back = {name: value_of(self.config, name) for name in known}
        if self._error(back):
            return
        for name in known:
            fewer = {other: value for other, value in back.items() if other != name}
            if fewer and not self._error(fewer):
                back = fewer
        yield back

    def _blamed(self, first: ValueError | None, ways: tuple[Mapping[str, Any], ...]) -> str:
        """The knob that the refusal is about."""
        if isinstance(first, DesignError):
            return first.knob
        alone = [name for way in ways if len(way) == 1 for name in way]
        asked = [name for name in named_knobs(self.config, str(first)) if name in self.settings]
        known = (*(name for name in alone if name in self.settings), *alone, *asked)
        return next(iter((*known, place_of(str(first)), *self.settings)), "")

    def _value(self, name: str) -> Any:
        with suppress(ValueError, AttributeError, IndexError):
            return self._readable.get(name, value_of(self.config, name))
        return None

    def _advice(self, first: ValueError | None, ways: tuple[Mapping[str, Any], ...]) -> str:
        if isinstance(first, DesignError):
            own = first.advice and ways == first.suggestions
            if own or _is_a_fault_of_text(first):
                return first.advice
            if not ways:  # the advice may list names, but no values, since none works
                return "" if first.suggestions else first.advice
            knob = knob_at(self.config, first.knob)
            if all(way.keys() == {first.knob} for way in ways) and type(knob) is Knob:
                return knob.advice(way[first.knob] for way in ways)
        if not ways:
            return ""
        settings = [" and ".join(self._written(n, v) for n, v in way.items()) for way in ways]
        several = any(len(way) > 1 for way in ways)
        return f"{WORKS} {(', or ' if several else ' or ').join(settings)}"

    def _written(self, name: str, value: Any) -> str:
        """A setting as text; unchanged tuples of records are not written out."""
        many = isinstance(value, tuple) and any(map(is_dataclass, value))
        if many and value == value_of(self.config, name):
            return f"{name} as it was"
        return f"{name}={cut(_text(value), LONGEST)}"


def _hinted(knob: Knob, here: Any, rule: str) -> Iterator[Any]:
    """Values instead of `here`: kinds that the rule names come first; numbers in the rule are added
    to the near ones."""
    if isinstance(knob, RecordKnob):
        kinds = [kind for kind in knob.options if re.search(rf"\b{kind.__name__}\b", rule)]
        yield from (kind() for kind in kinds if kind is not type(here))
        yield from candidates(knob, here)
        return
    yield from candidates(knob, here, map(int, NUMBER.findall(rule.replace(",", ""))))


def _upstream(config: Any, place: str) -> Iterator[str]:
    """The knobs of earlier stages that change the size of the map at a place."""
    if not place:
        return
    for name, knob in all_knobs(config).items():
        stage, _, last = name.rpartition(".")
        if stage == place:
            return
        if stage and (last in STRIDES or knob.axis == "resolution"):
            yield name


def _is_a_fault_of_text(error: DesignError) -> bool:
    """Whether the text of records has a syntax error, which needs no suggestions."""
    return isinstance(error.value, str) and error.reason.startswith(f"{error.knob}: ")


def _text(value: Any) -> str:
    if isinstance(value, tuple) and any(map(is_dataclass, value)):
        return " ".join(map(as_text, value))
    if is_dataclass(value) and not isinstance(value, type):
        return as_text(value)
    return Knob(name="", default=value, help="").text(value)
