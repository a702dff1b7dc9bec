"""Compositions as a user edits them: stages in order, which may not fit yet.

`stages` are the stem, the stages and the head of a composition. Each has a place, its path in the
config: `stem`, `stages.2`, `head`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from studio.family import Family
from studio.knobs import DesignError, Knob, knobs
from studio.quoting import echoed, quoted
from studio.records import RecordKnob, place_label
from studio.stages.stage import JOINS, STEM, AnyStage, Flow

Stages = tuple[Any, ...]  # a stem, stages and a head, each a record of its own kind
PLACED = re.compile(r"(stem|head|stages\.\d+): (.+)")
SOURCE = JOINS[0]
WHY_INSERTED = "inserted, because its neighbours need it"
SECOND = ("memory_len", "memory_dim")  # knobs for the size of the second input


@dataclass(frozen=True)
class InvalidComposition:
    """Stages that do not fit together: the place of the first that does not, and why."""

    stages: Stages
    place: str
    fault: str

    @property
    def at(self) -> int:
        return index(self.stages, self.place)

    @property
    def left(self) -> int:
        """Number of stages after the last valid one."""
        return len(self.stages) - self.at


def stages_of(config: Any) -> Stages:
    return (config.stem, *config.stages, config.head)


def stages_by_place(config: Any) -> Iterator[tuple[str, Any]]:
    """The stem, stages and head of a config, each with its place."""
    stages = stages_of(config)
    yield from ((place(stages, i), stage) for i, stage in enumerate(stages))


def knobs_of(stage: Any) -> Mapping[str, Knob]:
    kind: type = type(stage)
    return knobs(kind)


def settings(stages: Stages) -> dict[str, Any]:
    """The constructor arguments of the config."""
    stem, *middle, head = stages
    return {"stem": stem, "stages": tuple(middle), "head": head}


def place(stages: Stages, i: int) -> str:
    return "stem" if i == 0 else "head" if i == len(stages) - 1 else f"stages.{i - 1}"


def stage_label(stages: Stages, i: int) -> str:
    """The label of a stage: `2 Transformer`."""
    return place_label(place(stages, i), stages[i])


def index(stages: Stages, place: str) -> int:
    """The index of a place; 1, the first stage, if there is no such place."""
    places = {"stem": 0, "head": len(stages) - 1}
    places |= {f"stages.{i}": i + 1 for i in range(len(stages) - 2)}
    return places.get(place, 1)


def kinds(family: Family, place: str) -> Mapping[str, type]:
    """The stage classes allowed at a place, by name."""
    return {kind.__name__: kind for kind in family.knobs[place.partition(".")[0]].options}


def _all_stages_knob(family: Family) -> RecordKnob:
    """A knob that holds stem, stages and head together, as a link writes them."""
    parts = [family.knobs[name] for name in ("stem", "stages", "head")]
    options = dict.fromkeys(kind for knob in parts for kind in knob.options)
    return RecordKnob(name="draft", default=(), help="", options=tuple(options))


def text(family: Family, stages: Stages) -> str:
    """Notation of the stages in a link."""
    return _all_stages_knob(family).text(stages)


def read(family: Family, text: str, overrides: Mapping[str, object] | None = None) -> Stages:
    """The stages that a link describes, valid or not. `overrides` replace knob values in the text,
    by path. Raises DesignError."""
    stages: Stages = _all_stages_knob(family).read(text, overrides or {})
    if len(stages) < 2:
        raise DesignError(f"draft={echoed(text)} has no stem and no head", knob="draft", value=text)
    for name, value in settings(stages).items():
        family.knobs[name].read(value)
    return stages


def fit(family: Family, stages: Stages) -> Any:
    """The config of these stages with the adapters that they need. If they do not fit, an
    InvalidComposition with the adapters before its fault."""
    found = to_config(family, stages)
    if not isinstance(found, InvalidComposition):
        return found
    adapted = _with_adapters(family, found)
    # Check again if adapters were inserted: the message must use the new stage numbers.
    return found if adapted == stages else to_config(family, adapted)


def to_config(family: Family, stages: Stages) -> Any:
    """Like `fit`, but an InvalidComposition keeps the stages unchanged."""
    wanted: Mapping[str, Any] = settings(stages)
    rule = f"{place(stages, 1)}: a composition cannot have {len(stages) - 2} stages"
    for step in (dict, family.adapt):
        try:
            wanted = step(wanted)  # adapt may raise too, with the stage numbers before adapters
            if _is_allowed_length(family, len(wanted["stages"])):
                return family.config(**wanted)
        except ValueError as broken:
            rule = str(broken)
    placed = PLACED.match(rule)
    at, fault = placed.groups() if placed else ("head", rule)
    return InvalidComposition(stages, at, fault)


def _is_allowed_length(family: Family, count: int) -> bool:
    """Whether a composition may have this many stages, adapters included."""
    return count in family.knobs["stages"].lengths


def fault_of(family: Family, stages: Stages) -> str:
    """Why the stages do not fit, even with adapters; empty if they do."""
    found = fit(family, stages)
    return found.fault if isinstance(found, InvalidComposition) else ""


def invalid_count(family: Family, stages: Stages) -> int:
    """Number of stages after the last valid one; 0 if all fit."""
    found = to_config(family, stages)
    return found.left if isinstance(found, InvalidComposition) else 0


def _with_adapters(family: Family, invalid: InvalidComposition) -> Stages:
    """The stages with the adapters needed before the fault."""
    legal, stages, at = valid_prefix(family, invalid), invalid.stages, invalid.at
    fitted = stages_of(legal)[:-1] if legal else ()
    new = inserted_indices(stages[:at], fitted)
    order: list[Any] = list(range(len(stages)))
    for i in new:
        if i < at:  # an adapter after all of them serves only the head that was tried
            order.insert(i, fitted[i])
            at += 1
    return rearrange(stages, order) if _is_allowed_length(family, len(order) - 2) else stages


def smallest_config(family: Family) -> Any:
    """The smallest valid config: the first kind of stem and of stage, and a head that fits."""
    stem, stage = (family.knobs[name].options[0]() for name in ("stem", "stages"))
    return _with_head(family, (stem, stage))


def valid_prefix(family: Family, invalid: InvalidComposition) -> Any:
    """The config of the stages before the fault, with any head that fits; None where none does. A
    stem alone gets a stage that fits, since a composition has at least one."""
    stages = invalid.stages[: invalid.at]
    if len(stages) != 1:
        return _with_head(family, stages)
    tried = (_with_head(family, (*stages, kind())) for kind in family.knobs["stages"].options)
    return next(filter(None, tried), None)


def _with_head(family: Family, stages: Stages) -> Any:
    for step in (dict, family.adapt):
        for kind in family.knobs["head"].options:
            with suppress(ValueError):
                return family.config(**step(settings((*stages, kind()))))
    return None


def outputs(config: Any) -> tuple[Flow, ...]:
    """Output shapes of the stem and of each stage."""
    flows: dict[int, Flow] = config.flows()
    return tuple(flows[i] for i in range(STEM, len(config.stages)))


def inserted_indices(before: Stages, after: Stages) -> tuple[int, ...]:
    """Indices in `after` of the stages that `before` does not have. The others are in the same
    order in both."""
    left, found = list(before), []
    for i, stage in enumerate(after):
        if left and _are_alike(stage, left[0]):
            left.pop(0)
        else:
            found.append(i)
    return tuple(found)


def _are_alike(stage: Any, other: Any) -> bool:
    """Whether two stages are equal up to the indices of the stages that they join."""
    read = {name: getattr(other, name) for name in JOINS if hasattr(other, name)}
    return (
        type(stage) is type(other) and replace(stage, **read) == other if read else stage == other
    )


# Edits


def rearrange(stages: Stages, order: Sequence[int | AnyStage]) -> Stages:
    """Reorder the stages by their old indices, with new stages among them. Joins still refer to the
    same stage, or to the one before it if it was removed."""
    at = {old: new for new, old in enumerate(order) if isinstance(old, int)}
    return tuple(_renumber_joins(stages[one], at) if isinstance(one, int) else one for one in order)


def _renumber_joins(stage: Any, at: Mapping[int, int]) -> Any:
    changes: dict[str, Any] = {}
    for name in JOINS:
        match getattr(stage, name, None):
            case tuple(numbers):
                changes[name] = tuple(_new_number(number, at) for number in numbers)
            case int(number):
                changes[name] = _new_number(number, at)
    return replace(stage, **changes) if changes else stage


def _new_number(number: int, at: Mapping[int, int]) -> int:
    """The new number of a stage. A number below the stem's refers to no stage and is unchanged."""
    if number < STEM:
        return number
    remaining = max((old for old in at if old <= number - STEM), default=0)
    return at[remaining] + STEM


def add_stage(stages: Stages, i: int, kind: type) -> Stages:
    """A new stage after stage `i`."""
    return rearrange(stages, [*range(i + 1), kind(), *range(i + 1, len(stages))])


def repair_join(family: Family, stages: Stages, i: int) -> Stages:
    """If stage `i` joins an input that does not fit, join the nearest earlier stage that does, or
    use the second input as other stages do."""
    behind = len(stages) - i
    if invalid_count(family, stages) < behind:
        return stages
    sources = [{SOURCE: n} for n in earlier_stages(i)[:-1]] if SOURCE in knobs_of(stages[i]) else []
    for changes in (*sources, *memory_settings(stages, i)):
        changed = (*stages[:i], replace(stages[i], **changes), *stages[i + 1 :])
        if invalid_count(family, changed) < behind:
            return changed
    return stages


def add_connected_stage(family: Family, stages: Stages, i: int, kind: type) -> Stages:
    """A new stage after stage `i`, which joins inputs that fit it."""
    return repair_join(family, add_stage(stages, i, kind), i + 1)


def change_connected_kind(family: Family, stages: Stages, i: int, kind: type) -> Stages:
    """Change the kind of stage `i`, which then joins inputs that fit it."""
    return repair_join(family, change_kind(stages, i, kind), i)


def memory_settings(stages: Stages, i: int) -> Iterator[dict[str, Any]]:
    """Knob changes with which stage `i` reads the second input as another stage does."""
    for other in stages:
        if all(name in knobs_of(stage) for stage in (stages[i], other) for name in SECOND):
            sizes = {name: getattr(other, name) for name in SECOND}
            changes = {n: value for n, value in sizes.items() if value != getattr(stages[i], n)}
            yield from (changes,) if changes else ()


def earlier_stages(i: int) -> tuple[int, ...]:
    """Numbers of the stages that stage `i` may join, nearest first; its own input comes last."""
    return (*range(i - 3, STEM - 1, -1), i - 2)


def duplicate_stage(stages: Stages, i: int) -> Stages:
    return rearrange(stages, [*range(i + 1), stages[i], *range(i + 1, len(stages))])


def move_stage(stages: Stages, i: int, by: int) -> Stages:
    order = list(range(len(stages)))
    order.insert(i + by, order.pop(i))
    return rearrange(stages, order)


def remove_stage(stages: Stages, i: int) -> Stages:
    return rearrange(stages, [other for other in range(len(stages)) if other != i])


def change_kind(stages: Stages, i: int, kind: type) -> Stages:
    """Change the kind of stage `i`, keeping the values of shared knobs."""
    shared: dict[str, Any] = {}
    for name, knob in knobs(kind).items():
        try:
            shared[name] = knob.read(getattr(stages[i], name))
        except (AttributeError, DesignError):
            continue
    try:
        stage = kind(**shared)
    except ValueError:
        stage = kind()
    return (*stages[:i], stage, *stages[i + 1 :])


def set_stage_knob(stages: Stages, i: int, name: str, value: object) -> Stages:
    """Set one knob of stage `i` to the nearest value that its own rules allow."""
    known, path = knobs_of(stages[i]), f"{place(stages, i)}.{name}"
    if name not in known:  # a slow browser may report a knob of a removed stage
        raise DesignError(
            f"{stage_label(stages, i)} has no knob {quoted(name)}", knob=path, value=value
        )
    knob = replace(known[name], name=path)
    wanted = knob.read(value)
    for candidate in chain((wanted,), knob.near(wanted)):
        try:
            return (*stages[:i], replace(stages[i], **{name: candidate}), *stages[i + 1 :])
        except ValueError as broken:
            rule = str(broken)
    raise DesignError(f"{place(stages, i)}: {rule}", knob=knob.name, value=wanted)
