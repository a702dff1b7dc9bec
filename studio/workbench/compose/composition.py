"""Compositions as a person edits them: rows in order, which may not fit yet.

The rows of a composition are its stem, its stages and its head. Each has its place, by the name
under which the config has it: `stem`, `stages.2`, `head`.
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

Stages = tuple[Any, ...]  # a row of any kind, whose knobs are its own
PLACED = re.compile(r"(stem|head|stages\.\d+): (.+)")
SOURCE = JOINS[0]
WHY_INSERTED = "inserted, because its neighbours need it"
SECOND = ("memory_len", "memory_dim")  # knobs of a row that hold the size of the second input


@dataclass(frozen=True)
class InvalidComposition:
    """Rows that do not fit: where the first of them does not, and why."""

    rows: Stages
    place: str
    fault: str

    @property
    def at(self) -> int:
        return index(self.rows, self.place)

    @property
    def left(self) -> int:
        """How many rows come after the last that fits."""
        return len(self.rows) - self.at


def is_composed(family: Family) -> bool:
    """Whether its designs are rows: a stem, stages and a head."""
    return all(
        isinstance(family.knobs.get(name), RecordKnob) for name in ("stem", "stages", "head")
    )


def stages_of(config: Any) -> Stages:
    return (config.stem, *config.stages, config.head)


def stages_by_place(config: Any) -> Iterator[tuple[str, Any]]:
    """The rows of a config, each with its place."""
    rows = stages_of(config)
    yield from ((place(rows, i), row) for i, row in enumerate(rows))


def knobs_of(row: Any) -> Mapping[str, Knob]:
    kind: type = type(row)
    return knobs(kind)


def settings(rows: Stages) -> dict[str, Any]:
    """The rows as the config's knobs hold them."""
    stem, *stages, head = rows
    return {"stem": stem, "stages": tuple(stages), "head": head}


def place(rows: Stages, i: int) -> str:
    return "stem" if i == 0 else "head" if i == len(rows) - 1 else f"stages.{i - 1}"


def stage_label(rows: Stages, i: int) -> str:
    """What people call row `i`: `2 Transformer`."""
    return place_label(place(rows, i), rows[i])


def index(rows: Stages, place: str) -> int:
    """The row that stands at a place, or the first stage where none does."""
    places = {"stem": 0, "head": len(rows) - 1}
    places |= {f"stages.{i}": i + 1 for i in range(len(rows) - 2)}
    return places.get(place, 1)


def kinds(family: Family, place: str) -> Mapping[str, type]:
    """The kinds of rows that may stand at a place, by their names."""
    return {kind.__name__: kind for kind in family.knobs[place.partition(".")[0]].options}


def _all_stages_knob(family: Family) -> RecordKnob:
    """A knob that holds all rows."""
    held = [family.knobs[name] for name in ("stem", "stages", "head")]
    options = dict.fromkeys(kind for knob in held for kind in knob.options)
    return RecordKnob(name="draft", default=(), help="", options=tuple(options))


def text(family: Family, rows: Stages) -> str:
    """The rows as a link writes them."""
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
    """The config of these rows, with adapters where it needs them, or the Draft that they are: then
    with those adapters that the rows before its fault need."""
    found = to_config(family, rows)
    if not isinstance(found, InvalidComposition):
        return found
    adapted = _with_adapters(family, found)
    # Once more where rows came in: the sentence names stages by the numbers that they have now.
    return found if adapted == rows else to_config(family, adapted)


def to_config(family: Family, rows: Stages) -> Any:
    """The same, but a Draft has the rows as they are."""
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
    """Whether a composition may have so many stages, adapters among them."""
    return stages in family.knobs["stages"].lengths


def fault_of(family: Family, rows: Stages) -> str:
    """Why they do not fit, with adapters or without; empty where they do."""
    found = fit(family, rows)
    return found.fault if isinstance(found, InvalidComposition) else ""


def invalid_count(family: Family, rows: Stages) -> int:
    """How many rows come after the last that fits."""
    found = to_config(family, rows)
    return found.left if isinstance(found, InvalidComposition) else 0


def _with_adapters(family: Family, draft: InvalidComposition) -> Stages:
    """The rows with the adapters that those before the fault need."""
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
    """The config to start from: the first kind of stem and of stage, and a head that fits them."""
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
    """What flows out of the stem and of each stage."""
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
    """Whether they differ at most in the numbers of the stages that they read."""
    read = {name: getattr(other, name) for name in JOINS if hasattr(other, name)}
    return type(row) is type(other) and replace(row, **read) == other if read else row == other


# What a person does to the rows.


def rearrange(rows: Stages, order: Sequence[int | AnyStage]) -> Stages:
    """The rows in another order, each named by its number, with new ones among them. A row that
    reads an earlier stage goes on to read the same one, or the one before it where it is gone."""
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
    """Where the stage of this number has come to stand; what is no stage keeps its number."""
    if number < STEM:
        return number
    kept = max((old for old in at if old <= number - STEM), default=0)
    return at[kept] + STEM


def add_stage(rows: Stages, i: int, kind: type) -> Stages:
    """A new stage after row `i`."""
    return rearrange(rows, [*range(i + 1), kind(), *range(i + 1, len(rows))])


def repair_join(family: Family, rows: Stages, i: int) -> Stages:
    """The rows where row `i`, if it reads what does not fit, reads what does: the nearest earlier
    row, or the second input that others read."""
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
    """What row `i` would have to change to read the second input as another row reads it."""
    for other in rows:
        if all(name in knobs_of(row) for row in (rows[i], other) for name in SECOND):
            asked = {name: getattr(other, name) for name in SECOND}
            changes = {n: value for n, value in asked.items() if value != getattr(rows[i], n)}
            yield from (changes,) if changes else ()


def earlier_stages(i: int) -> tuple[int, ...]:
    """What row `i` may join, the nearest first, and last the one that flows into it anyway."""
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
    """Row `i` of another kind, which keeps the values of the knobs that both have."""
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
    """One knob of row `i` turned, to the nearest value that its own rules allow."""
    known, path = knobs_of(rows[i]), f"{place(rows, i)}.{name}"
    if name not in known:  # a browser that is late may turn a knob of a row that has gone
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
