"""Records: knobs that hold knobs, such as the stages of a composition.

A record is a frozen dataclass whose fields are knobs, as a config is. A field of a config may hold
one, of the kinds that it lists, or a tuple of them. A knob within is named by its path from the
config, counted as Python counts: `stages.2.depth`. As a text a record is written as in Python,
with what differs from its defaults: `MBConv(depth=3) Tokens()`.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from itertools import groupby
from types import MappingProxyType
from typing import Any, TypeVar

from studio.knobs import DesignError, Knob, knobs
from studio.quoting import LONGEST, echoed, quoted

T = TypeVar("T")
JOINS = ("source", "skips")  # knobs of a row that hold the number of another, or several
KIND = "kind"  # beside the knobs of a record in JSON: the name of its class
RECORD = re.compile(r"\s*(\w+)\s*\(((?:[^()]|\([^()]*\))*)\)\s*,?\s*")
BEGUN = re.compile(r"\s*(\w+)\s*(\(?)")
ASSIGNMENT = re.compile(r"\s*(\w+)\s*=\s*([^=]*?)\s*")
NEXT = re.compile(r",(?=[^,]*=)")  # the comma between two assignments: a tuple has its own


@dataclass(frozen=True, kw_only=True)
class RecordKnob(Knob):
    """A knob that holds a record, or a tuple of them; `options` are the kinds (classes) it takes.

    The number of entries of a tuple is one of `lengths`.
    """

    def read(self, value: object, works: Callable[[Any], bool] = lambda _: True) -> Any:
        """The record or records of a JSON value, a text or Python. Raises DesignError."""
        many = isinstance(self.default, tuple)
        given = self._parsed(value) if isinstance(value, str) else value if many else (value,)
        if not isinstance(given, (list, tuple)):
            raise self._refused(value, "does not say which kinds it has", self.name, self._kinds)
        lengths = self.lengths if many else (1,)
        if lengths and len(given) not in lengths:
            wanted = f"{min(lengths)} to {max(lengths)}" if many else "1"
            message = f"{self.name} has {len(given)} entries, not {wanted}"
            raise DesignError(message, knob=self.name, value=value)
        read = tuple(self._record(one, self._place(i)) for i, one in enumerate(given))
        return read if many else read[0]

    def write(self, value: Any) -> Any:
        if isinstance(value, type):  # one of the options
            return value.__name__
        if isinstance(value, tuple):
            return [self.write(one) for one in value]
        found = {name: knob.write(getattr(value, name)) for name, knob in knobs_of(value).items()}
        return {KIND: type(value).__name__, **found}

    def text(self, value: Any) -> str:
        if isinstance(value, type):
            return value.__name__
        if isinstance(value, tuple):
            return " ".join(self.text(one) for one in value)
        changed = [
            f"{name}={knob.text(here)}"
            for name, knob in knobs_of(value).items()
            if (here := getattr(value, name)) != knob.default
        ]
        return f"{type(value).__name__}({', '.join(changed)})"

    def told(self, value: Any) -> str:
        """The kinds alone, equal neighbours together: `Conv × 2 · ToTokens`."""
        kinds = [type(record).__name__ for _, record in self.rows(value)]
        runs = [(kind, len(list(run))) for kind, run in groupby(kinds)]
        return " · ".join(f"{kind} × {count}" if count > 1 else kind for kind, count in runs)

    def near(self, value: Any) -> Iterator[Any]:
        """For a record those of the other kinds, as they are by default; for a tuple nothing."""
        if not isinstance(self.default, tuple):
            yield from (kind() for kind in self.options if kind is not type(value))

    def within(self, value: Any) -> Iterator[Knob]:
        """The knobs of the record or records, named by their paths."""
        for place, record in self.rows(value):
            for knob in knobs_of(record).values():
                yield dataclasses.replace(knob, name=f"{place}.{knob.name}")

    def rows(self, value: Any) -> Iterator[tuple[str, Any]]:
        """The record or records, each with its place."""
        for i, record in enumerate(value if isinstance(value, tuple) else (value,)):
            yield self._place(i), record

    @property
    def _kinds(self) -> tuple[str, ...]:
        return tuple(option.__name__ for option in self.options)

    def _place(self, i: int) -> str:
        return f"{self.name}.{i}" if isinstance(self.default, tuple) else self.name

    def _record(self, value: object, place: str) -> Any:
        if isinstance(value, self.options):
            return self._checked(value, place)
        if isinstance(value, type):
            value = {KIND: value.__name__}
        if not isinstance(value, Mapping) or KIND not in value:
            raise self._refused(value, "is no record", place, self._kinds)
        kind, settings = str(value[KIND]), {str(k): v for k, v in value.items() if k != KIND}
        if kind not in self._kinds:
            raise self._refused(kind, "is not one of its kinds", place, self._kinds)
        made = self.options[self._kinds.index(kind)]
        known = knobs(made)
        if unknown := [name for name in settings if name not in known]:
            why = f"is no knob of {kind}"
            raise self._refused(unknown[0], why, place, tuple(known), "its knobs are")
        return _made(made, {n: _read(known[n], v, place) for n, v in settings.items()}, place)

    def _checked(self, record: Any, place: str) -> Any:
        """A record made in Python: its values are read like all others."""
        known = knobs_of(record)
        return _made(
            type(record), {n: _read(k, getattr(record, n), place) for n, k in known.items()}, place
        )

    def _refused(
        self,
        value: object,
        why: str,
        place: str,
        names: tuple[str, ...],
        label: str = "its kinds are",
    ) -> DesignError:
        """The refusal, with the name that is spelt most like the value, or all that there are."""
        near = (
            tuple(get_close_matches(value[:LONGEST], names, n=1)) if isinstance(value, str) else ()
        )
        advice = f"the nearest is {near[0]}" if near else f"{label} {', '.join(names)}"
        message = f"{place}={quoted(value)} {why}; {advice}"
        return DesignError(message, knob=place, value=value)

    def _parsed(self, text: str) -> list[dict[str, str]]:
        """The records that a text writes. Raises DesignError, which tells where it goes wrong."""
        text = text.rstrip()
        found: list[dict[str, str]] = []
        end = 0
        while end < len(text):
            place = self._place(len(found))
            try:
                written = RECORD.match(text, end)
                if written is None:
                    raise ValueError(_fault(text, end))
                found.append({KIND: written[1], **_assigned(written[2])})
            except ValueError as fault:
                raise DesignError(f"{place}: {fault}", knob=place, value=text) from None
            end = written.end()
        return found


def records(
    default: T,
    help: str,
    *,
    options: tuple[type, ...],
    lengths: Iterable[int] = (),
) -> T:
    """A field of a config that holds a record, or a tuple of them, of these kinds."""
    rules: dict[str, Any] = {"help": help, "options": options, "lengths": tuple(lengths)}
    made: T = field(default=default, metadata={"knob": rules, "made": RecordKnob})
    return made


@cache
def expanded(config: Any) -> Mapping[str, Knob]:
    """The knobs of a config, by name, with those of its records by their paths."""
    found: dict[str, Knob] = {}
    for name, knob in knobs_of(config).items():
        found[name] = knob
        if isinstance(knob, RecordKnob):
            found |= {inner.name: inner for inner in knob.within(getattr(config, name))}
    return MappingProxyType(found)


def knobs_of(record: Any) -> Mapping[str, Knob]:
    """The knobs of a config or of a record."""
    kind: Any = type(record)
    return knobs(kind)


def titled(place: str, record: Any) -> str:
    """What people call a record: `2 Transformer`, by its number where it is one of several."""
    return f"{place.rpartition('.')[2]} {type(record).__name__}"


def value_of(config: Any, path: str) -> Any:
    """The value of a knob of the config, or of one of its records."""
    value = config
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, tuple) else getattr(value, name)
    return value


def with_values(config: Any, values: Mapping[str, Any]) -> Any:
    """The config with some knobs set, its own or those within. Raises ValueError by its rules."""
    return dataclasses.replace(config, **_changes(config, values))


def as_asked(config: Any, values: Mapping[str, Any]) -> Any:
    """The same, whether or not the rules of the config hold; those of its records must."""
    asked = copy.copy(config)
    for name, value in _changes(config, values).items():
        object.__setattr__(asked, name, value)
    return asked


def _changes(config: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    inner: dict[str, dict[str, Any]] = defaultdict(dict)
    for path, value in values.items():
        name, _, rest = path.partition(".")
        if rest:
            inner[name][rest] = value
        else:
            changes[name] = value
    for name, settings in inner.items():
        changes[name] = _turned(changes.get(name, getattr(config, name)), settings, name)
    return changes


def _turned(held: Any, settings: Mapping[str, Any], place: str) -> Any:
    if not isinstance(held, tuple):
        if unknown := ", ".join(settings.keys() - knobs_of(held).keys()):
            raise ValueError(f"{place}: {type(held).__name__} has no {unknown}")
        return _placed(lambda: dataclasses.replace(held, **settings), place)
    entries = list(held)
    for i, own in _by_entry(settings).items():
        if i >= len(entries):
            raise ValueError(f"{place} has {len(entries)} entries, and none of number {i}")
        entries[i] = _turned(entries[i], own, f"{place}.{i}")
    return tuple(entries)


def _by_entry(settings: Mapping[str, Any]) -> Mapping[int, Mapping[str, Any]]:
    """The settings of each entry: those of one are set at once, since its rules relate them."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for path, value in settings.items():
        index, _, name = path.partition(".")
        found[int(index)][name] = value
    return found


def _made(kind: type, settings: Mapping[str, Any], place: str) -> Any:
    try:
        return _placed(lambda: kind(**settings), place)
    except ValueError as broken:
        raise DesignError(str(broken), knob=place) from None


def _placed(make: Callable[[], T], place: str) -> T:
    """What is made; a rule that is broken in the making tells its place."""
    try:
        return make()
    except ValueError as broken:
        raise ValueError(f"{place}: {broken}") from None


def _read(knob: Knob, value: object, place: str) -> Any:
    return dataclasses.replace(knob, name=f"{place}.{knob.name}").read(value)


def _fault(text: str, start: int) -> str:
    """Why no record is written from here on."""
    begun = BEGUN.match(text, start)
    if begun is None:
        return (
            f"{echoed(text[start])} (character {start + 1}) stands where the name of a kind should"
        )
    kind, bracket = echoed(begun[1]), begun[2]
    if bracket:
        return f"the bracket after {kind} (character {begun.end()}) is not closed"
    return f"{kind} (character {begun.start(1) + 1}) has no brackets after it: write {kind}()"


def _assigned(inside: str) -> dict[str, str]:
    """What is written between the brackets of a record. Raises ValueError."""
    settings: dict[str, str] = {}
    inside = inside.rstrip().removesuffix(",")
    for part in NEXT.split(inside) if inside else ():
        written = ASSIGNMENT.fullmatch(part)
        if written is None:
            names = re.findall(r"(\w+)\s*=(?!=)", part)
            lacks = (
                f"lacks a comma before {echoed(names[1])}" if len(names) > 1 else "is no name=value"
            )
            raise ValueError(f"{quoted(part.strip())} {lacks}")
        name, value = written.groups()
        if name in settings:
            raise ValueError(f"{echoed(name)} is set twice")
        settings[name] = value
    return settings
