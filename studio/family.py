"""A family of architectures, and a design: a config of a family, as a value.

A family file ends with `FAMILY = Family(...)`; everything in the studio starts from there.
A design is frozen, hashable, compared by content, and can be written as JSON and as a link.
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from torch import Tensor, nn

from studio.guide import Guide, Preset, Result, results
from studio.knobs import DesignError, Knob, knobs
from studio.quoting import echoed, quoted
from studio.records import (
    RecordKnob,
    all_knobs,
    knob_at,
    value_of,
    with_values,
    with_values_unchecked,
)
from studio.refusals import named_knobs, read_settings, refusal
from studio.renames import VERSION
from studio.spelling import closest_first, offered, resembling
from studio.tasks import Task
from studio.version import __version__

__all__ = [
    "BATCH",
    "Code",
    "Design",
    "DesignError",
    "Family",
    "Guide",
    "Preset",
    "Result",
    "Snap",
    "Task",
    "results",
]

MOST_LISTED = 3  # knobs of records that a title names
MOST_ALIKE = 5  # knobs of records with the requested name that an error lists
BATCH = Knob(name="batch", default=1, help="Examples in one forward pass", ge=1, le=65536)


@dataclass(frozen=True)
class Snap:
    """The valid config nearest to a request, and why it differs from the request (or "")."""

    config: Any
    why: str = ""


@dataclass(frozen=True)
class Code:
    """The code of a design: its config class, its model, and its example input."""

    config: type
    model: Callable[[Any], nn.Module]
    example: Callable[[Any, int], tuple[Tensor, ...]]


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """One architecture: its config, its model, an example input, its presets and its guide.

    `adapt` repairs the settings of a config that breaks a rule, as far as it can. If the models of
    a family consist of stages, `stages` gives the settings of the equivalent composition, with the
    same parameters in the same order of computation. `code` gives the code of one config, if a
    config needs only part of the code of the family.
    """

    title: str
    config: type
    model: Callable[[Any], nn.Module]
    example: Callable[[Any, int], tuple[Tensor, ...]]
    presets: tuple[Preset, ...]
    guide: Guide
    adapt: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict
    stages: Callable[[Any], Mapping[str, Any]] | None = None
    code: Callable[[Any], Code] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return family_of, (self.config,)

    def __repr__(self) -> str:
        return f"<Family {self.key}>"

    @property
    def key(self) -> str:
        """The file's name is the family's name everywhere."""
        return self.config.__module__.rpartition(".")[2]

    @property
    def lesson(self) -> str:
        """The family file's docstring (Markdown with LaTeX)."""
        return sys.modules[self.config.__module__].__doc__ or ""

    @property
    def knobs(self) -> Mapping[str, Knob]:
        return knobs(self.config)

    @property
    def is_composed(self) -> bool:
        """Whether its designs are compositions: a stem, stages and a head."""
        parts = (self.knobs.get(name) for name in ("stem", "stages", "head"))
        return all(isinstance(part, RecordKnob) for part in parts)

    def code_of(self, config: Any) -> Code:
        """The code of a config, which is what is exported."""
        return self.code(config) if self.code else Code(self.config, self.model, self.example)

    def preset(self, name: str) -> Preset:
        for preset in self.presets:
            if preset.name.lower() == str(name).lower():
                return preset
        names = tuple(preset.name for preset in self.presets)
        raise DesignError(
            f"{self.key} has no preset {quoted(name)}; {offered(name, names, 'presets')}",
            knob="preset",
            value=name,
            nearest=closest_first(name, names),
        )

    def design(self, /, preset: str | None = None, **settings: object) -> Design:
        """The preset (by default the first one) with some knobs set. Raises DesignError."""
        named = None if preset is None else self.preset(preset)
        start = named or self.presets[0]
        return Design(self, start.config, named).replace(**settings)

    def snap(self, config: Any, name: str, value: object) -> Snap:
        """Set one knob of a valid config and snap to the nearest valid config.

        A number moves on in the direction of the change until the rules hold. An option stays, and
        another knob of the broken rule changes instead. Raises DesignError if no config nearby is
        valid.
        """
        knob = self.knob(config, name)
        try:
            wanted = read_settings(self, config, {name: value})[name]
            return Snap(self.fitted(config, {name: wanted}))
        except DesignError:
            raise refusal(self, config, {name: value}) from None
        except ValueError as broken:
            rule = str(broken)
        moved, others = self._slides(config, knob, wanted), self._yields(config, knob, wanted, rule)
        for found in (others, moved) if knob.options else (moved, others):
            for candidate, change in found:
                return Snap(candidate, f"{rule}, so {change}")
        raise refusal(self, config, {name: wanted})

    def fitted(self, config: Any, values: Mapping[str, Any]) -> Any:
        """A config with some values replaced, adapted if it does not fit. Raises ValueError."""
        try:
            return with_values(config, values)
        except ValueError:
            invalid = with_values_unchecked(config, values)
            settings = {name: getattr(invalid, name) for name in self.knobs}
            found = self.adapt(settings)
            if found == settings:
                raise
            return self.config(**found)

    def _slides(self, config: Any, knob: Knob, wanted: Any) -> Iterator[tuple[Any, str]]:
        before = value_of(config, knob.name)
        if isinstance(wanted, bool) or not isinstance(wanted, (int, float)):
            return
        onward = 1 if wanted >= before else -1
        values = sorted(knob.near(wanted), key=lambda v: (v - wanted) * onward < 0)
        for value in values:
            if value != before and (legal := _legal_config(config, {knob.name: value})):
                yield legal, f"{knob.name} was set to {knob.text(value)}"

    def _yields(self, config: Any, knob: Knob, wanted: Any, rule: str) -> Iterator[tuple[Any, str]]:
        for other in named_knobs(config, rule):
            if other == knob.name:
                continue
            yielding = self.knob(config, other)
            for value in yielding.near(value_of(config, other)):
                if legal := _legal_config(config, {other: value, knob.name: wanted}):
                    yield legal, f"{other} was set to {yielding.text(value)}"
                    break

    def knob(self, config: Any, name: str) -> Knob:
        """A knob of a config, or of a record in it. Raises DesignError.

        Its default is the current value, which is suggested for input that cannot be parsed.
        """
        found = knob_at(config, name)
        if found is None:
            place, _, last = name.rpartition(".")
            beside = tuple(k for k in all_knobs(config) if place and k.rpartition(".")[0] == place)
            alike = tuple(k for k in all_knobs(config) if k.endswith(f".{last}"))
            sizes = tuple(knob.size for knob in self.knobs.values() if knob.size)
            known = beside or alike[:MOST_ALIKE] or (*self.knobs, *sizes)
            near = resembling(name, beside or (*all_knobs(config), *sizes))
            question = f"did you mean {' or '.join(near)}?" if near else ""
            raise DesignError(
                f"{self.key} has no knob {echoed(name)}",
                advice=question or f"its knobs are {', '.join(known)}",
                knob=name,
                nearest=tuple(dict.fromkeys((*near, *known))),
                suggestions=(),
            )
        return dataclasses.replace(found, default=value_of(config, name))


def family_of(config: type) -> Family:
    """The family whose config class this is (families are pickled by it, not copied)."""
    family: Family = sys.modules[config.__module__].FAMILY
    return family


def _legal_config(config: Any, changes: Mapping[str, Any]) -> Any | None:
    try:
        return with_values(config, changes)
    except ValueError:
        return None


@dataclass(frozen=True)
class Design:
    """One member of a family. Equal by content, so anything made from it can be cached by it.

    `origin` is the preset that it was made from by name; only the title depends on it.
    """

    family: Family
    config: Any
    origin: Preset | None = field(default=None, compare=False, repr=False)

    @property
    def preset(self) -> Preset | None:
        """The preset that this design is, if it is one."""
        return next((p for p in self.family.presets if p.config == self.config), None)

    @cached_property
    def base(self) -> Preset:
        """The preset that differs in the fewest knobs. Links and reports describe the design as
        changes to it, unless another preset is chosen."""
        return min(self.family.presets, key=lambda preset: len(self.changes(preset)))

    @property
    def title(self) -> str:
        """The preset that it equals or was made from, with the changes (`ViT-B/16, depth=6`);
        without one, the family with the changes to the defaults."""
        if base := self.preset or self.origin:
            return self.title_for(base)
        return self.title_for(self.family.presets[0], self.family.title)

    @property
    def full_title(self) -> str:
        """The title, preceded by the family's title if it begins with a preset."""
        named = self.preset or self.origin
        return f"{self.family.title}: {self.title}" if named else self.title

    def title_for(self, base: Preset, name: str = "") -> str:
        """The title as changes to a given preset, which is called `name` if one is given."""
        changes = [
            self._sized(name) or f"{name}={here}" for name, _, here in self.differences(base.config)
        ]
        own = [change for change in changes if "." not in change.partition("=")[0]]
        within = [change for change in changes if change not in own]
        more = [f"{len(within) - MOST_LISTED} more"] if len(within) > MOST_LISTED else []
        return ", ".join((name or base.name, *own, *within[:MOST_LISTED], *more))

    def _sized(self, name: str) -> str:
        """The size that a ratio gives (`mlp_dim=3000`); empty if the ratio is a step of its slider,
        or if the size does not give exactly this ratio."""
        knob = self.knobs.get(name)
        if not (knob and knob.size):
            return ""
        place, dot, _ = name.rpartition(".")
        path, ratio = f"{place}{dot}{knob.size}", self.value(name)
        steps = ratio / (knob.step or 1)
        size, width = self.value(path), self.value(f"{place}{dot}{knob.of}")
        return "" if steps.is_integer() or size / width != ratio else f"{path}={size}"

    def changes(self, preset: Preset) -> dict[str, Any]:
        """The knobs in which this design differs from a preset, with this design's values."""
        return {
            name: value
            for name, value in self.settings.items()
            if value != getattr(preset.config, name)
        }

    @property
    def knobs(self) -> Mapping[str, Knob]:
        """The family's knobs, and those of this design's records by their paths."""
        return all_knobs(self.config)

    def value(self, name: str) -> Any:
        """The value of a knob, in Python's terms."""
        return value_of(self.config, name)

    @property
    def settings(self) -> dict[str, Any]:
        """The value of every knob of the family, in Python's terms."""
        return {name: getattr(self.config, name) for name in self.family.knobs}

    def replace(self, /, **settings: object) -> Design:
        """This design with some knobs set, all at once. Raises DesignError with the nearest valid
        settings."""
        try:
            values = read_settings(self.family, self.config, settings)
            return Design(self.family, self.family.fitted(self.config, values), self.origin)
        except ValueError:
            raise refusal(self.family, self.config, settings) from None

    def below(self, name: str) -> list[Design]:
        """This design with a knob at every lower valid value, highest first."""
        here = self.value(name)
        lower = sorted((v for v in self.knobs[name].near(here) if v < here), reverse=True)
        configs = (_legal_config(self.config, {name: value}) for value in lower)
        return [Design(self.family, config) for config in configs if config]

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values: {family, preset, config}."""
        knobs = self.family.knobs
        return {
            "family": self.family.key,
            "preset": self.preset.name if self.preset else None,
            "config": {name: knobs[name].write(value) for name, value in self.settings.items()},
        }

    def to_json(self) -> str:
        """A design file: {version, studio, family, preset, config}. `version` is that of the names
        of knobs, `studio` the version that wrote it. The preset is the one that was named, so that
        the design keeps its title."""
        named = self.preset or self.origin
        preset = {"preset": named.name if named else None}
        written = {"version": VERSION, "studio": __version__}
        return json.dumps({**written, **self.to_dict(), **preset}, indent=2)

    def to_query(self, base: Preset | None = None) -> dict[str, str]:
        """The parameters of a link: the family, a preset (by default the nearest one), and the
        changes to it."""
        base = base or self.base
        return {"family": self.family.key, "preset": base.name, **self._written(base)}

    @property
    def query(self) -> str:
        return urlencode(self.to_query(), safe="/,")

    def differences(self, before: Any) -> Iterator[tuple[str, str, str]]:
        """The knobs in which this design differs from another config of its family: name, old value
        and new value as text. Records of the same kinds are compared knob by knob."""
        here, there = self.knobs, all_knobs(before)
        for name, value in self.settings.items():
            was = getattr(before, name)
            if value == was:
                continue
            within = [path for path in here if path.startswith(f"{name}.")]
            if not within or within != [path for path in there if path.startswith(f"{name}.")]:
                yield name, there[name].label(was), here[name].label(value)
                continue
            for path in within:
                if (inner := self.value(path)) != (earlier := value_of(before, path)):
                    yield path, there[path].label(earlier), here[path].label(inner)

    def _written(self, base: Preset) -> dict[str, str]:
        knobs = self.family.knobs
        return {name: knobs[name].text(v) for name, v in self.changes(base).items()}
