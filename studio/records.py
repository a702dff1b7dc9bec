"""Records: knobs whose values have knobs themselves, such as the stages of a composition.

A record is a frozen dataclass whose fields are knobs, like a config. A field of a config can hold a
record of one of the listed kinds, or a tuple of records. A knob of a record is named by its path
from the config, with 0-based indices: `stages.2.depth`. As text a record is a Python call with the
non-default arguments: `MBConv(depth=3) Transformer()`.
"""

from __future__ import annotations

import copy
import dataclasses
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache, partial
from itertools import groupby, islice
from types import MappingProxyType
from typing import Any, TypeVar

from studio.alternatives.nearest import candidates
from studio.alternatives.ratios import size_of, sizes, with_ratios
from studio.knobs import WORKS, DesignError, Knob, knobs
from studio.quoting import echoed, quoted
from studio.serialization.notation import KIND, parse_records
from studio.spelling import by_likeness, closest, offered

T = TypeVar("T")
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, kw_only=True)
class RecordKnob(Knob):
    """A knob that holds a record, or a tuple of them; `options` are the kinds (classes) it takes.

    The number of entries of a tuple is one of `lengths`.
    """

    def read(self, value: object, overrides: Mapping[str, object] = NOTHING) -> Any:
        """Parse a record or records from JSON, a text or Python. Raises DesignError.

        `overrides` are settings of the records by their paths from this knob (`2.depth`, or `2` for
        a whole entry). They are applied together with the value.
        """
        many = isinstance(self.default, tuple)
        given = self._parse(value) if isinstance(value, str) else value if many else (value,)
        if not isinstance(given, (list, tuple)):
            raise self._refused(value, "is not a list of records", self.name, self._kinds)
        lengths = self.lengths if many else (1,)
        if lengths and len(given) not in lengths:
            raise self._miscounted(value, given)
        entries = self._with(given, overrides)
        read = tuple(self._record(one, self._place(i)) for i, one in enumerate(entries))
        return read if many else read[0]

    def _parse(self, text: str) -> list[dict[str, str]]:
        return parse_records(text, self._place, self._kinds)

    def _miscounted(self, value: object, given: Sequence[object]) -> DesignError:
        many, lengths = isinstance(self.default, tuple), self.lengths or (1,)
        wanted = f"{min(lengths)} to {max(lengths)}" if many else "1"
        nearest: list[Any] = [self.default]
        with suppress(DesignError):
            first = given[: max(lengths)]
            nearest = [self.read(first if many else first[0])] if first else nearest
        return DesignError(
            f"{self.name} has {len(given)} entries, not {wanted}",
            knob=self.name,
            value=value,
            suggestions=[{self.name: near} for near in nearest],
        )

    def _with(self, given: Sequence[object], overrides: Mapping[str, object]) -> list[Any]:
        """The given entries with the overrides applied, those of whole entries first."""
        entries = list(given)
        many = isinstance(self.default, tuple)
        for path, setting in sorted(overrides.items(), key=lambda one: "." in one[0]):
            index, _, name = path.partition(".") if many else ("0", "", path)
            if not index.isdecimal() or int(index) >= len(entries):
                missing = f"{self.name}.{echoed(index)}"
                message = f"{self.name} has {len(entries)} entries, so there is no {missing}"
                last = f"the last is {self._place(len(entries) - 1)}"
                raise DesignError(message, advice=last, knob=f"{self.name}.{path}", value=setting)
            i = int(index)
            if name:
                entries[i] = {**_as_settings(entries[i]), name: setting}
            else:
                own = self._parse(setting) if isinstance(setting, str) else [setting]
                entries[i] = next(iter(own), "")
        return entries

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
        return " ".join(map(as_text, value)) if isinstance(value, tuple) else as_text(value)

    def label(self, value: Any) -> str:
        """The kinds, with runs of one kind merged: `Conv × 2 · ToTokens`."""
        kinds = [type(record).__name__ for _, record in self.entries(value)]
        runs = [(kind, len(list(run))) for kind, run in groupby(kinds)]
        return " · ".join(f"{kind} × {count}" if count > 1 else kind for kind, count in runs)

    def near(self, value: Any) -> Iterator[Any]:
        """The other kinds with their defaults; none for a tuple of records."""
        if not isinstance(self.default, tuple):
            yield from (kind() for kind in self.options if kind is not type(value))

    def inner_knobs(self, value: Any) -> Iterator[Knob]:
        """The knobs of the record or records, by their paths."""
        for place, record in self.entries(value):
            for knob in knobs_of(record).values():
                yield dataclasses.replace(knob, name=f"{place}.{knob.name}")

    def entries(self, value: Any) -> Iterator[tuple[str, Any]]:
        """Each record with its path."""
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
            raise self._refused(value, "is not a record", place, self._kinds)
        kind, settings = str(value[KIND]), {str(k): v for k, v in value.items() if k != KIND}
        if kind not in self._kinds:
            near = by_likeness(kind, self._kinds)
            others = [{**with_, KIND: one} for one in near for with_ in (settings, NOTHING)]
            why = "is not one of its kinds"
            raise self._refused(kind, why, place, self._kinds, instead=others)
        made = self.options[self._kinds.index(kind)]
        known = knobs(made)
        read = {**known, **sizes(known)}
        if unknown := [name for name in settings if name not in read]:
            name = unknown[0]
            rest = {n: v for n, v in value.items() if n != name}
            meant = closest(name, known, 1)
            others = [{**rest, one: settings[name]} for one in meant if one not in rest] + [rest]
            listed, why = f"its knobs are {', '.join(known)}", f"is not a knob of {kind}"
            raise self._refused(name, why, place, tuple(known), listed, others)
        return _construct(made, {n: _read(read[n], v, place) for n, v in settings.items()}, place)

    def _checked(self, record: Any, place: str) -> Any:
        """A record built in Python; its values are validated too."""
        known = knobs_of(record)
        return _construct(
            type(record), {n: _read(k, getattr(record, n), place) for n, k in known.items()}, place
        )

    def _refused(
        self,
        value: object,
        why: str,
        place: str,
        names: tuple[str, ...],
        listed: str = "",
        instead: Iterable[Mapping[str, Any]] = (),
    ) -> DesignError:
        """The error, with the most similar valid name, or else `listed`, the list of all. It
        suggests those of the records `instead` that are valid."""
        near = closest(value, names, 1)
        advice = f"the nearest is {near[0]}" if near else listed or offered(value, names, "kinds")
        suggestions = []
        for settings in instead:
            with suppress(DesignError):
                suggestions.append({place: self._record(settings, place)})
        return DesignError(
            f"{place}={quoted(value)} {why}",
            advice=advice,
            knob=place,
            value=value,
            suggestions=suggestions,
        )


def records(
    default: T,
    help: str,
    *,
    options: tuple[type, ...],
    lengths: Iterable[int] = (),
) -> T:
    """A config field that holds a record of one of these kinds, or a tuple of records."""
    rules: dict[str, Any] = {"help": help, "options": options, "lengths": tuple(lengths)}
    made: T = field(default=default, metadata={"knob": rules, "made": RecordKnob})
    return made


@lru_cache(maxsize=256)
def all_knobs(config: Any) -> Mapping[str, Knob]:
    """The knobs of a config by name, including those of its records by path."""
    found: dict[str, Knob] = {}
    for name, knob in knobs_of(config).items():
        found[name] = knob
        if isinstance(knob, RecordKnob):
            found |= {inner.name: inner for inner in knob.inner_knobs(getattr(config, name))}
    return MappingProxyType(found)


def knobs_of(record: Any) -> Mapping[str, Knob]:
    """The knobs of a config or of a record."""
    kind: Any = type(record)
    return knobs(kind)


def knob_at(config: Any, path: str) -> Knob | None:
    """The knob at a path: of the config, of one of its records, or for a whole entry of a tuple of
    records; None if there is none."""
    known = all_knobs(config)
    name, _, index = path.partition(".")
    several = known.get(name)
    if path in known or (size := _size_at(config, path)) or not isinstance(several, RecordKnob):
        return known.get(path) or size
    entries = getattr(config, name)
    if not isinstance(entries, tuple) or not index.isdecimal() or int(index) >= len(entries):
        return None
    return dataclasses.replace(several, name=path, default=entries[int(index)], lengths=())


def _size_at(config: Any, path: str) -> Knob | None:
    """The knob of a size that can be given instead of a ratio."""
    known = all_knobs(config)
    place, dot, last = path.rpartition(".")
    for knob in known.values():
        if knob.size and knob.size == last and knob.name.rpartition(".")[0] == place:
            width = f"{place}{dot}{knob.of}"
            size = size_of(knob, known[width], value_of(config, width))
            return dataclasses.replace(size, name=path)
    return None


def as_text(record: Any) -> str:
    """A record as a Python call with its non-default arguments: `MBConv(depth=3)`."""
    changed = [
        f"{name}={knob.text(here)}"
        for name, knob in knobs_of(record).items()
        if (here := getattr(record, name)) != knob.default
    ]
    return f"{type(record).__name__}({', '.join(changed)})"


def place_label(place: str, record: Any) -> str:
    """The label of a record in the interface: `2 Transformer`; `head ClassTokenHead`."""
    return f"{place.rpartition('.')[2]} {type(record).__name__}"


def value_of(config: Any, path: str) -> Any:
    """The value at a path in the config."""
    value = config
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, tuple) else _value_at(value, name)
    return value


def _value_at(record: Any, name: str) -> Any:
    for ratio in () if hasattr(record, name) else knobs_of(record).values():
        if ratio.size == name:
            return round(getattr(record, ratio.name) * getattr(record, ratio.of))
    return getattr(record, name)


def with_values(config: Any, values: Mapping[str, Any]) -> Any:
    """The config with the values at some paths replaced. Raises ValueError if a rule is broken."""
    return dataclasses.replace(config, **_changes(config, values))


def with_values_unchecked(config: Any, values: Mapping[str, Any]) -> Any:
    """Like `with_values`, but only the rules of the records are checked, not the config's own."""
    changed = copy.copy(config)
    for name, value in _changes(config, values).items():
        object.__setattr__(changed, name, value)
    return changed


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
        changes[name] = _with_inner(changes.get(name, getattr(config, name)), settings, name)
    known = knobs_of(config)
    return changes if changes.keys() <= known.keys() else _with_ratios(config, changes)


def _with_ratios(record: Any, settings: Mapping[str, Any]) -> dict[str, Any]:
    return with_ratios(knobs_of(record), settings, partial(getattr, record))


def _with_inner(value: Any, settings: Mapping[str, Any], place: str) -> Any:
    if not isinstance(value, tuple):
        known = knobs_of(value)
        if unknown := ", ".join(settings.keys() - known.keys() - sizes(known).keys()):
            raise ValueError(f"{place}: {type(value).__name__} has no {unknown}")
        return _at_place(lambda: dataclasses.replace(value, **_with_ratios(value, settings)), place)
    entries = list(value)
    for i, own in _by_entry(settings).items():
        if i >= len(entries):
            raise ValueError(f"{place} has {len(entries)} entries, so there is no {place}.{i}")
        inner = {name: value for name, value in own.items() if name}
        entries[i] = _with_inner(own.get("", entries[i]), inner, f"{place}.{i}")
    return tuple(entries)


def _by_entry(settings: Mapping[str, Any]) -> Mapping[int, Mapping[str, Any]]:
    """The settings of each entry; they are applied together, since rules relate them."""
    found: dict[int, dict[str, Any]] = defaultdict(dict)
    for path, value in settings.items():
        index, _, name = path.partition(".")
        found[int(index)][name] = value
    return found


def _construct(kind: type, settings: Mapping[str, Any], place: str) -> Any:
    try:
        return _at_place(lambda: kind(**_ratios(kind, settings)), place)
    except ValueError as broken:
        raise _broken(kind, settings, place, str(broken)) from None


def _ratios(kind: type, settings: Mapping[str, Any]) -> dict[str, Any]:
    return with_ratios(knobs(kind), settings, lambda name: knobs(kind)[name].default)


def _broken(kind: type, settings: Mapping[str, Any], place: str, rule: str) -> DesignError:
    """The refusal of a record that breaks one of its own rules, with the nearest valid values."""

    def works(changes: Mapping[str, Any]) -> bool:
        with suppress(ValueError):
            return bool(kind(**_ratios(kind, {**settings, **changes})))
        return False

    ways: list[dict[str, Any]] = []
    known = {**knobs(kind), **sizes(knobs(kind))}
    for name, knob in known.items():
        if f"{name}=" in rule:
            hints = map(int, re.findall(r"\d+", rule))
            near = candidates(knob, settings.get(name, knob.default), hints)
            ways += islice(({name: value} for value in near if works({name: value})), 2)
    found = [{f"{place}.{name}": value for name, value in way.items()} for way in ways]
    valid = [f"{place}.{n}={known[n].text(v)}" for way in ways for n, v in way.items()]
    advice = f"{WORKS} {' or '.join(valid)}" if valid else ""
    return DesignError(rule, advice=advice, knob=place, suggestions=found)


def _as_settings(entry: object) -> Mapping[str, Any]:
    """A record as a mapping like that of JSON, with Python values; empty for anything else."""
    if isinstance(entry, Mapping):
        return entry
    if isinstance(entry, type):
        return {KIND: entry.__name__}
    if not dataclasses.is_dataclass(entry):
        return {}
    values = {name: getattr(entry, name) for name in knobs_of(entry)}
    return {KIND: type(entry).__name__, **values}


def _at_place(make: Callable[[], T], place: str) -> T:
    """Call `make`; a ValueError gets the place as a prefix."""
    try:
        return make()
    except ValueError as broken:
        raise ValueError(f"{place}: {broken}") from None


def _read(knob: Knob, value: object, place: str) -> Any:
    return dataclasses.replace(knob, name=f"{place}.{knob.name}").read(value)
