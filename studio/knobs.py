"""Knobs: the fields of a config that a user can set, with their ranges.

A config is a frozen dataclass whose fields are written
`depth: int = knob(12, "Blocks L", ge=1, le=48)`. The slider, the command line, the link, the JSON
and the tests all read the `Knob` behind the field. Structural choices are classes
(`options=(nn.ReLU, nn.GELU)`); outside Python a class is written by its name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from fractions import Fraction
from functools import cache
from itertools import chain, islice
from numbers import Real
from types import MappingProxyType
from typing import Any, Literal, TypeVar

from studio.quoting import echoed, one_line, quoted
from studio.spelling import likeness

Axis = Literal["depth", "width", "heads", "resolution"]
Mode = Literal["inference", "training"]  # in which a model is run
T = TypeVar("T")

FLAGS = {"true": True, "on": True, "yes": True, "1": True}
FLAGS |= {"false": False, "off": False, "no": False, "0": False}
QUOTIENT = re.compile(r"\s*(-?\d{1,12})\s*/\s*(\d{1,12})\s*", re.ASCII)
LARGEST = 65536  # denominator of a float that is written as a quotient
SHORT = 8  # characters of a float that is written as a decimal
WORKS = "the nearest that works is"
BRACKETED = re.compile(r"\s*[(\[](.*?),?\s*[)\]]\s*")


class DesignError(ValueError):
    """An invalid design. The message is one sentence for the user: the reason, and advice.

    `knob` and `value` are the refused ones, `nearest` the valid values of the knob, nearest first.
    Each of the `suggestions` holds settings of one or more knobs that make the request valid when
    they override it; by default these are the nearest values of the knob.
    """

    def __init__(
        self,
        reason: str,
        *,
        advice: str = "",
        knob: str = "",
        value: object = None,
        nearest: tuple[Any, ...] = (),
        suggestions: Sequence[Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(one_line(f"{reason}; {advice}" if advice else reason))
        self.reason, self.advice = one_line(reason), one_line(advice)
        self.knob, self.value, self.nearest = knob, value, nearest
        own = [{knob: near} for near in nearest] if knob else []
        self.suggestions: tuple[Mapping[str, Any], ...] = tuple(
            own if suggestions is None else suggestions
        )


@dataclass(frozen=True, kw_only=True)
class Knob:
    """One knob: its default, its help, and its valid values.

    A number lies in [ge, le]; an int is also a multiple of `multiple`. `step` is the step of the
    slider and of `near`. A ratio is relative to the knob `of`: their product, an int called `size`,
    may be given instead. With `options`, only these values are valid. For a tuple (`depths`, one
    number per stage) the rules hold for each entry, and its length is one of `lengths`.
    """

    name: str
    default: Any
    help: str
    axis: Axis | None = None
    ge: float | None = None
    le: float | None = None
    step: float | None = None
    multiple: int = 1
    options: tuple[Any, ...] = ()
    lengths: tuple[int, ...] = ()
    of: str = ""
    size: str = ""

    @property
    def kind(self) -> type:
        return bool if isinstance(self.default, bool) else type(self.default)

    def read(self, value: object) -> Any:
        """Parse a value from JSON, a link, the command line or Python.

        Raises DesignError with the nearest valid values.
        """
        try:
            if self.options:
                return self._read_option(value)
            match self.default:
                case bool():
                    return self._read_flag(value)
                case tuple():
                    return self._read_tuple(value)
                case _:
                    return self._read_number(value)
        except _Unread as unread:
            raise self._refusal(value, unread) from None

    def write(self, value: Any) -> Any:
        """The value as JSON: a class as its name, a tuple as a list."""
        match value:
            case type():
                return value.__name__
            case tuple():
                return list(value)
            case _:
                return value

    def text(self, value: Any) -> str:
        """The value as text for links and the command line; `read` parses it."""
        match value:
            case type():
                return value.__name__
            case tuple():
                return ",".join(str(v) for v in value)
            case bool():
                return str(value).lower()
            case float():
                return fraction(value)
            case _:
                return str(value)

    def label(self, value: Any) -> str:
        """The value as the interface shows it."""
        return self.text(value)

    def near(self, value: Any) -> Iterator[Any]:
        """All other valid values, nearest to `value` first; none for tuples and floats."""
        if self.options or isinstance(self.default, bool):
            values = self.options or (False, True)
            if value not in values:
                yield from self._ranked(value)
                return
            here = values.index(value)
            ranked = sorted(range(len(values)), key=lambda i: abs(i - here))
            yield from (values[i] for i in ranked if values[i] != value)
        elif isinstance(self.default, int):
            step = int(self.step or 1)
            here = self.clamp(value)
            if here != value:
                yield here
            for k in range(1, int(self._span() // step) + 2):
                pair = sorted((here - k * step, here + k * step), key=lambda v: abs(v - value))
                yield from (v for v in pair if self.clamp(v) == v)

    def clamp(self, value: float) -> Any:
        """The nearest number in the range; for an int, the nearest multiple of the step."""
        low, high = self._limits()
        value = min(max(value, low), high)
        if self.kind is not int:
            return value
        step = int(self.step or 1)
        value = math.floor(value / step + 0.5) * step
        return int(value + step if value < low else value - step if value > high else value)

    def _limits(self) -> tuple[float, float]:
        low = -math.inf if self.ge is None else self.ge
        return low, math.inf if self.le is None else self.le

    def _span(self) -> float:
        low, high = self._limits()
        return high - low

    def _read_option(self, value: object) -> Any:
        for option in self.options:
            if any(value == form for form in (option, self.write(option), self.text(option))):
                return option
        raise _Unread("is not one of its options", self._ranked(value), len(self.options))

    def _ranked(self, value: object) -> list[Any]:
        """The options, nearest first, for a value that is not one of them."""
        number = _number(value)
        if math.isfinite(number) and all(isinstance(option, Real) for option in self.options):
            return sorted(self.options, key=lambda option: abs(option - number))
        name = value if isinstance(value, str) else quoted(value)
        return sorted(self.options, key=lambda option: -likeness(name, self.text(option)))

    def _read_flag(self, value: object) -> bool:
        match value:
            case 0 | 1:  # True and False too
                return bool(value)
            case str() if value.lower() in FLAGS:
                return FLAGS[value.lower()]
        raise _Unread("is neither true nor false", (True, False), 2)

    def _read_number(self, value: object) -> Any:
        whole = self.kind is int
        number = _number(value)
        if math.isnan(number):
            wanted = "a whole number" if whole else "a number"
            raise _Unread(f"is not {wanted}", self._from(self.default))
        low, high = self._limits()
        if not low <= number <= high:
            reach = f"is outside {self._shown(low)} to {self._shown(high)}"
            raise _Unread(reach, self._from(self.clamp(number)))
        if whole and not number.is_integer():
            raise _Unread("is not a whole number", self._from(self.clamp(number)))
        if whole and int(number) % self.multiple:
            raise _Unread(f"is not a multiple of {self.multiple}", self.near(int(number)), 2)
        return int(number) if whole else number

    def _read_tuple(self, value: object) -> tuple[int, ...]:
        parts = _entries(value) if isinstance(value, str) else value
        if not isinstance(parts, (list, tuple)):
            raise _Unread("is not a list of whole numbers", (self.default,))
        lengths = self.lengths or (len(self.default),)
        if len(parts) not in lengths:
            count = " or ".join(str(n) for n in lengths)
            raise _Unread(f"has {len(parts)} entries, not {count}", (self.default,))
        entry = replace(self, default=self.default[0], lengths=())
        read, faults = [], []
        for part in parts:
            try:
                read.append(entry._read_number(part))
            except _Unread as unread:
                read.append(next(iter(unread.offers)))
                faults.append(f"{echoed(part)}, which {unread.why}")
        if faults:
            raise _Unread(f"holds {faults[0]}", (tuple(read), self.default))
        return tuple(read)

    def _from(self, value: Any) -> Iterator[Any]:
        """A valid value, then all others, nearest first."""
        return chain((value,), self.near(value))

    def _shown(self, limit: float) -> str:
        return f"{limit:g}" if isinstance(limit, float) and self.kind is not int else str(limit)

    def advice(self, values: Iterable[Any]) -> str:
        """The valid values, as the end of a sentence."""
        label, link = ("it takes", ", ") if self.options else (WORKS, " or ")
        return f"{label} {link.join(self.text(v) for v in values)}"

    def _refusal(self, value: object, unread: _Unread) -> DesignError:
        nearest = tuple(islice(unread.offers, unread.count))
        return DesignError(
            f"{self.name}={echoed(value)} {unread.why}",
            advice=self.advice(self.options or nearest),
            knob=self.name,
            value=value,
            nearest=nearest,
        )


class _Unread(Exception):  # noqa: N818 - it never leaves this file
    """Why a value is invalid, and what to offer instead: the first `count` of `offers`."""

    def __init__(self, why: str, offers: Iterable[Any], count: int = 1) -> None:
        self.why, self.offers, self.count = why, offers, count


def _entries(text: str) -> list[str]:
    """The entries of a tuple in a text, with or without brackets around them."""
    bracketed = BRACKETED.fullmatch(text)
    return (bracketed[1] if bracketed else text).split(",")


def fraction(value: float) -> str:
    """A number as text: `0.05`; one with many digits as an exact quotient: `37/7`."""
    if len(text := repr(value)) <= SHORT or not math.isfinite(value):
        return text
    near = Fraction(value).limit_denominator(LARGEST)
    return str(near) if near.numerator / near.denominator == value else text


def _number(value: object) -> float:
    """The value as a number, also from a text such as `37/7`; NaN if it is none."""
    if isinstance(value, bool) or not isinstance(value, (str, Real)):
        return math.nan
    try:
        if isinstance(value, str) and (parts := QUOTIENT.fullmatch(value)):
            return int(parts[1]) / int(parts[2])
        return float(value)
    except ZeroDivisionError:
        return math.nan
    except ValueError:
        return math.nan
    except OverflowError:  # a whole number of more than 308 digits
        return math.inf if isinstance(value, int) and value > 0 else -math.inf


def knob(
    default: T,
    help: str,
    *,
    axis: Axis | None = None,
    ge: float | None = None,
    le: float | None = None,
    step: float | None = None,
    multiple: int = 1,
    options: tuple[T, ...] = (),
    lengths: tuple[int, ...] = (),
    of: str = "",
    size: str = "",
) -> T:
    """A dataclass field with a help text and the rules for its values; see `Knob`."""
    rules: dict[str, Any] = {"help": help, "axis": axis, "ge": ge, "le": le, "step": step}
    rules |= {"options": options, "lengths": lengths, "multiple": multiple, "of": of, "size": size}
    made: T = field(default=default, metadata={"knob": rules})
    return made


@cache
def knobs(config: type) -> Mapping[str, Knob]:
    """The knobs of a config class, by name, in the order of their definition."""
    return MappingProxyType(
        {
            f.name: f.metadata.get("made", Knob)(
                name=f.name, default=f.default, **f.metadata["knob"]
            )
            for f in fields(config)
        }
    )
