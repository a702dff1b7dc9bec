"""Compositions as a user edits them: stages in order, which may not fit yet.

`rows` are the stem, the stages and the head of a composition. Each has a place, its path in the
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

    rows: Stages
    place: str
    fault: str

    @property
    def at(self) -> int:
        return index(self.rows, self.place)

    @property
    def left(self) -> int:
        """Number of stages after the last valid one."""
        return len(self.rows) - self.at


def is_composed(family: Family) -> bool:
    """Whether its designs consist of a stem, stages and a head."""
    return all(
        isinstance(family.knobs.get(name), RecordKnob) for name in ("stem", "stages", "head")
    )


def stages_of(config: Any) -> Stages:
    return (config.stem, *config.stages, config.head)


def stages_by_place(config: Any) -> Iterator[tuple[str, Any]]:
    """The stem, stages and head of a config, each with its place."""
    rows = stages_of(config)
    yield from ((place(rows, i), row) for i, row in enumerate(rows))


def knobs_of(row: Any) -> Mapping[str, Knob]:
    kind: type = type(row)
    return knobs(kind)


def settings(rows: Stages) -> dict[str, Any]:
    """The constructor arguments of the config."""
    stem, *stages, head = rows
    return {"stem": stem, "stages": tuple(stages), "head": head}


def place(rows: Stages, i: int) -> str:
    return "stem" if i == 0 else "head" if i == len(rows) - 1 else f"stages.{i - 1}"


def stage_label(rows: Stages, i: int) -> str:
    """The label of a stage: `2 Transformer`."""
    return place_label(place(rows, i), rows[i])


def index(rows: Stages, place: str) -> int:
    """The index of a place; 1, the first stage, if there is no such place."""
    places = {"stem": 0, "head": len(rows) - 1}
    places |= {f"stages.{i}": i + 1 for i in range(len(rows) - 2)}
    return places.get(place, 1)


def kinds(family: Family, place: str) -> Mapping[str, type]:
    """The kinds allowed at a place, by class name."""
    return {kind.__name__: kind for kind in family.knobs[place.partition(".")[0]].options}


def _all_stages_knob(family: Family) -> RecordKnob:
    """A knob that holds stem, stages and head together, as a link writes them."""
    held = [family.knobs[name] for name in ("stem", "stages", "head")]
    options = dict.fromkeys(kind for knob in held for kind in knob.options)
    return RecordKnob(name="draft", default=(), help="", options=tuple(options))


def text(family: Family, rows: Stages) -> str:
    """Notation of the stages in a link."""
    return _all_stages_knob(family).text(rows)


def read(family: Family, text: str, within: Mapping[str, object] | None = None) -> Stages:
    """The rows that a link writes, whether or not they fit, with settings `within` them put over
    it. Raises DesignError."""
    rows: Stages = _all_stages_knob(family).read(text, within or {})
    if len(rows) < 2:
        raise DesignError(f"draft={echoed(text)} has no stem and no head", knob="draft", value=text)
    for name, held in settings(rows).items():
        family.knobs[name].read(held)
    return rows


def fit(family: Family, rows: Stages) -> Any:
    """The config of these stages with the adapters that they need. If they do not fit, an
    InvalidComposition with the adapters before its fault."""
    found = to_config(family, rows)
    if not isinstance(found, InvalidComposition):
        return found
    adapted = _with_adapters(family, found)
    # Once more where rows came in: the sentence names stages by the numbers that they have now.
    return found if adapted == rows else to_config(family, adapted)


def to_config(family: Family, rows: Stages) -> Any:
    """Like `fit`, but an InvalidComposition keeps the stages unchanged."""
    wanted: Mapping[str, Any] = settings(rows)
    rule = f"{place(rows, 1)}: a composition cannot have {len(rows) - 2} stages"
    for step in (dict, family.adapt):
        try:
            wanted = step(wanted)  # the second may refuse, by the numbers that the stages have
            if _has_room(family, len(wanted["stages"])):
                return family.config(**wanted)
        except ValueError as broken:
            rule = str(broken)
    told = PLACED.match(rule)
    at, fault = told.groups() if told else ("head", rule)
    return InvalidComposition(rows, at, fault)


def _has_room(family: Family, stages: int) -> bool:
    """Whether a composition may have this many stages, adapters included."""
    return stages in family.knobs["stages"].lengths


def fault_of(family: Family, rows: Stages) -> str:
    """Why the stages do not fit, even with adapters; empty if they do."""
    found = fit(family, rows)
    return found.fault if isinstance(found, InvalidComposition) else ""


def invalid_count(family: Family, rows: Stages) -> int:
    """How many rows come after the last that fits."""
    found = to_config(family, rows)
    return found.left if isinstance(found, InvalidComposition) else 0


def _with_adapters(family: Family, draft: InvalidComposition) -> Stages:
    """The stages with the adapters needed before the fault."""
    legal, rows, at = valid_prefix(family, draft), draft.rows, draft.at
    fitted = stages_of(legal)[:-1] if legal else ()
    new = inserted_indices(rows[:at], fitted)
    order: list[Any] = list(range(len(rows)))
    for i in new:
        if i < at:  # what comes after them all is there for the head alone
            order.insert(i, fitted[i])
            at += 1
    return rearrange(rows, order) if _has_room(family, len(order) - 2) else rows


def smallest_config(family: Family) -> Any:
    """The smallest valid config: the first kind of stem and of stage, and a head that fits."""
    stem, stage = (family.knobs[name].options[0]() for name in ("stem", "stages"))
    return _with_head(family, (stem, stage))


def valid_prefix(family: Family, draft: InvalidComposition) -> Any:
    """The config of the rows before the fault, with any head that fits; None where none does. Of a
    stem alone with a stage that fits, since there has to be one."""
    rows = draft.rows[: draft.at]
    if len(rows) != 1:
        return _with_head(family, rows)
    tried = (_with_head(family, (*rows, kind())) for kind in family.knobs["stages"].options)
    return next(filter(None, tried), None)


def _with_head(family: Family, rows: Stages) -> Any:
    for step in (dict, family.adapt):
        for kind in family.knobs["head"].options:
            with suppress(ValueError):
                return family.config(**step(settings((*rows, kind()))))
    return None


def outputs(config: Any) -> tuple[Flow, ...]:
    """Output shapes of the stem and of each stage."""
    flows: dict[int, Flow] = config.flows()
    return tuple(flows[i] for i in range(STEM, len(config.stages)))


def inserted_indices(before: Stages, after: Stages) -> tuple[int, ...]:
    """Where rows stand in `after` that `before` does not have; those that it has kept their
    order."""
    left, found = list(before), []
    for i, row in enumerate(after):
        if left and _are_alike(row, left[0]):
            left.pop(0)
        else:
            found.append(i)
    return tuple(found)


def _are_alike(row: Any, other: Any) -> bool:
    """Whether two stages are equal up to the indices of the stages that they join."""
    read = {name: getattr(other, name) for name in JOINS if hasattr(other, name)}
    return type(row) is type(other) and replace(row, **read) == other if read else row == other


# Edits


def rearrange(rows: Stages, order: Sequence[int | AnyStage]) -> Stages:
    """Reorder the stages by their old indices, with new stages among them. Joins still refer to the
    same stage, or to the one before it if it was removed."""
    at = {old: new for new, old in enumerate(order) if isinstance(old, int)}
    return tuple(_renumber_joins(rows[one], at) if isinstance(one, int) else one for one in order)


def _renumber_joins(row: Any, at: Mapping[int, int]) -> Any:
    changes: dict[str, Any] = {}
    for name in JOINS:
        match getattr(row, name, None):
            case tuple(numbers):
                changes[name] = tuple(_new_number(number, at) for number in numbers)
            case int(number):
                changes[name] = _new_number(number, at)
    return replace(row, **changes) if changes else row


def _new_number(number: int, at: Mapping[int, int]) -> int:
    """The new number of a stage; a number before the stem's is no stage and stays."""
    if number < STEM:
        return number
    kept = max((old for old in at if old <= number - STEM), default=0)
    return at[kept] + STEM


def add_stage(rows: Stages, i: int, kind: type) -> Stages:
    """A new stage after row `i`."""
    return rearrange(rows, [*range(i + 1), kind(), *range(i + 1, len(rows))])


def repair_join(family: Family, rows: Stages, i: int) -> Stages:
    """If stage `i` joins an input that does not fit, join the nearest earlier stage that does, or
    use the second input as other stages do."""
    behind = len(rows) - i
    if invalid_count(family, rows) < behind:
        return rows
    sources = [{SOURCE: n} for n in earlier_stages(i)[:-1]] if SOURCE in knobs_of(rows[i]) else []
    for changes in (*sources, *memory_settings(rows, i)):
        changed = (*rows[:i], replace(rows[i], **changes), *rows[i + 1 :])
        if invalid_count(family, changed) < behind:
            return changed
    return rows


def memory_settings(rows: Stages, i: int) -> Iterator[dict[str, Any]]:
    """Knob changes with which stage `i` reads the second input as another stage does."""
    for other in rows:
        if all(name in knobs_of(row) for row in (rows[i], other) for name in SECOND):
            asked = {name: getattr(other, name) for name in SECOND}
            changes = {n: value for n, value in asked.items() if value != getattr(rows[i], n)}
            yield from (changes,) if changes else ()


def earlier_stages(i: int) -> tuple[int, ...]:
    """Numbers of the stages that stage `i` may join, nearest first; its own input comes last."""
    return (*range(i - 3, STEM - 1, -1), i - 2)


def duplicate_stage(rows: Stages, i: int) -> Stages:
    return rearrange(rows, [*range(i + 1), rows[i], *range(i + 1, len(rows))])


def move_stage(rows: Stages, i: int, by: int) -> Stages:
    order = list(range(len(rows)))
    order.insert(i + by, order.pop(i))
    return rearrange(rows, order)


def remove_stage(rows: Stages, i: int) -> Stages:
    return rearrange(rows, [other for other in range(len(rows)) if other != i])


def change_kind(rows: Stages, i: int, kind: type) -> Stages:
    """Change the kind of stage `i`, keeping the values of shared knobs."""
    shared: dict[str, Any] = {}
    for name, knob in knobs(kind).items():
        try:
            shared[name] = knob.read(getattr(rows[i], name))
        except (AttributeError, DesignError):
            continue
    try:
        row = kind(**shared)
    except ValueError:
        row = kind()
    return (*rows[:i], row, *rows[i + 1 :])


def set_stage_knob(rows: Stages, i: int, name: str, value: object) -> Stages:
    """Set one knob of stage `i` to the nearest value that its own rules allow."""
    known, path = knobs_of(rows[i]), f"{place(rows, i)}.{name}"
    if name not in known:  # a slow browser may report a knob of a removed stage
        raise DesignError(
            f"{stage_label(rows, i)} has no knob {quoted(name)}", knob=path, value=value
        )
    knob = replace(known[name], name=path)
    wanted = knob.read(value)
    for candidate in chain((wanted,), knob.near(wanted)):
        try:
            return (*rows[:i], replace(rows[i], **{name: candidate}), *rows[i + 1 :])
        except ValueError as broken:
            rule = str(broken)
    raise DesignError(f"{place(rows, i)}: {rule}", knob=knob.name, value=wanted)
