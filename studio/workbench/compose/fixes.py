"""Suggested fixes for an invalid composition: edits after which more of its stages fit.

Each is tried before it is offered. Those that the error message suggests come first, in its words:
*use* another kind, *insert* one, *start from* another stem.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice
from typing import Any

from studio.family import Family
from studio.knobs import DesignError, Knob
from studio.stages.stage import JOINS
from studio.workbench.compose import composition
from studio.workbench.compose.composition import (
    InvalidComposition,
    Stages,
    add_stage,
    kinds,
    stage_label,
)

PER_KIND = 2  # suggested fixes of one kind
MOST_FIXES = 4  # not counting removals
TRIED = 48  # edits of one kind, at most; trying one takes a fraction of a millisecond
BRIDGES = ("ToMap", "ToTokens", "LastFrame", "FrameTokens")  # to another kind of tensor
ADVICE = re.compile(r"(use|insert|start from) (\w+)(?: (and|or) ([A-Z]\w+))?")
ASSIGNED = re.compile(r"(\w+)=")


@dataclass(frozen=True)
class Fix:
    """A suggested edit, and the stages that it leads to."""

    label: str
    stages: Stages


def fixes(family: Family, invalid: InvalidComposition) -> tuple[Fix, ...]:
    """A few distinct fixes, the most local first; removals come last. There is always at least one:
    if nothing else helps, another kind of stage."""
    helping = partial(_improving, family, invalid)
    found = [
        *(fix for way in _advised_fixes(family, invalid) for fix in islice(helping(way), 1)),
        *islice(helping(_knob_values(invalid)), PER_KIND),
        *islice(helping(_skips(invalid)), PER_KIND),
        *islice(helping(_choices(invalid)), PER_KIND),
    ]
    if not found:
        ways = (*_other_kinds(family, invalid, "Use"), *_other_kinds(family, invalid, "Start from"))
        found = [*islice(helping(ways), PER_KIND)]
    found = [*islice(helping(_memory_fixes(invalid)), 1), *found][:MOST_FIXES]
    if all(composition.invalid_count(family, fix.stages) for fix in found):
        found = [*islice(_complete_fix(family, invalid), 1), *found]
    found += helping(_removals(family, invalid))
    return tuple({fix.stages: fix for fix in reversed(found)}.values())[::-1]


def _improving(family: Family, invalid: InvalidComposition, ways: Iterable[Fix]) -> Iterator[Fix]:
    """Of the first `TRIED` edits, those after which more stages fit."""
    for fix in islice(ways, TRIED):
        without = (
            len(fix.stages) < len(invalid.stages) and invalid.stages[invalid.at] not in fix.stages
        )
        if composition.invalid_count(family, fix.stages) < invalid.left - without:
            yield fix


def _complete_fix(family: Family, invalid: InvalidComposition) -> Iterator[Fix]:
    """Insert one stage that converts the tensor, and adjust knobs of the stages after it until all
    fit. Without this, a user would have to fix each of the remaining stages separately."""
    for kind in BRIDGES:
        for fix in islice(_insertions(family, invalid, [kind]), 1):
            stages, changed = fix.stages, dict[str, list[str]]()
            while isinstance(found := composition.to_config(family, stages), InvalidComposition):
                steps = (
                    one
                    for one in _knob_values(found)
                    if composition.invalid_count(family, one.stages) < found.left
                )
                step = next(islice(steps, 1), None)
                if step is None:
                    break
                changed.setdefault(step.label, []).append(stage_label(invalid.stages, found.at - 1))
                stages = step.stages
            else:
                changes = [f"{label} in {', '.join(names)}" for label, names in changed.items()]
                yield Fix(", ".join((fix.label, *changes)), stages)


def _memory_fixes(invalid: InvalidComposition) -> Iterator[Fix]:
    """Read the second input as other stages do."""
    own = composition.knobs_of(invalid.stages[invalid.at])
    for changes in composition.memory_settings(invalid.stages, invalid.at):
        text = ", ".join(f"{name} = {own[name].text(value)}" for name, value in changes.items())
        yield from _with_knobs(invalid, invalid.at, changes, text)


def _advised_fixes(family: Family, invalid: InvalidComposition) -> Iterator[Iterator[Fix]]:
    """The edits that the error message suggests, one iterator per suggestion."""
    for verb, first, link, second in ADVICE.findall(invalid.fault):
        verb = verb.capitalize()
        both = [first, second] if second else [first]
        if verb == "Insert" and link == "and":
            yield _insertions(family, invalid, both)
        for name in both:
            one = [name]
            yield (
                _insertions(family, invalid, one)
                if verb == "Insert"
                else _other_kinds(family, invalid, verb, one)
            )


def _other_kinds(
    family: Family, invalid: InvalidComposition, verb: str, names: Collection[str] = ()
) -> Iterator[Fix]:
    """Another kind for the faulty stage or the stem, out of `names` if given."""
    at = 0 if verb == "Start from" else invalid.at
    for name, kind in kinds(family, composition.place(invalid.stages, at)).items():
        if not names or name in names:
            yield Fix(f"{verb} {name}", composition.change_kind(invalid.stages, at, kind))


def _insertions(family: Family, invalid: InvalidComposition, names: list[str]) -> Iterator[Fix]:
    """New stages before the faulty one, or before an earlier one, nearest first."""
    known = kinds(family, "stages")
    lengths = family.knobs["stages"].lengths
    if len(invalid.stages) - 2 + len(names) not in lengths or not set(names) <= known.keys():
        return
    for at in reversed(range(1, invalid.at + 1)):
        stages = invalid.stages
        for name in reversed(names):
            stages = add_stage(stages, at - 1, known[name])
        before = f" before {stage_label(invalid.stages, at)}" if at < invalid.at else ""
        yield Fix(f"Insert {' and '.join(names)}{before}", stages)


def _knob_values(invalid: InvalidComposition) -> Iterator[Fix]:
    """Other values of the knobs named in the error message, or of all numeric knobs if none is."""
    own = composition.knobs_of(invalid.stages[invalid.at])
    named = [name for name in dict.fromkeys(ASSIGNED.findall(invalid.fault)) if name in own]
    numbers = [name for name, knob in own.items() if knob.kind is int and not knob.options]
    for name in named or ([] if ADVICE.search(invalid.fault) else numbers):
        for value in islice(_near(invalid, own[name]), TRIED // 2):
            text = f"{name} = {own[name].text(value)}"
            yield from _with_knobs(invalid, invalid.at, {name: value}, text)


def _near(invalid: InvalidComposition, knob: Knob) -> Iterator[Any]:
    """Values to try instead of the current one. For a number: nearby values, the numbers in the
    error message, and then halves."""
    here = getattr(invalid.stages[invalid.at], knob.name)
    if knob.name == composition.SOURCE:
        yield from composition.earlier_stages(invalid.at)
        return
    if isinstance(here, bool) or knob.options or not isinstance(here, int):
        yield from knob.near(here)
        return
    mentioned = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", invalid.fault)]
    halves = (here >> n for n in range(1, here.bit_length()))
    values = (knob.clamp(value) for value in chain(islice(knob.near(here), 16), mentioned, halves))
    yield from (value for value in dict.fromkeys(values) if value != here)


def _skips(invalid: InvalidComposition) -> Iterator[Fix]:
    """Drop one of the joined stages, or join another instead."""
    stage = invalid.stages[invalid.at]
    for name in JOINS:
        joined = getattr(stage, name, None)
        if isinstance(joined, tuple):
            shorter = (joined[:n] + joined[n + 1 :] for n in range(len(joined)) if len(joined) > 1)
            others = (
                (*joined[:n], number, *joined[n + 1 :])
                for number in composition.earlier_stages(invalid.at)
                for n in range(len(joined))
            )
            for value in chain(shorter, others):
                text = f"{name} = {','.join(map(str, value))}"
                yield from _with_knobs(invalid, invalid.at, {name: value}, text)


def _choices(invalid: InvalidComposition) -> Iterator[Fix]:
    """Other options of earlier stages; flags first, since they change the output shape."""
    choices = [
        (i, knob)
        for i in reversed(range(invalid.at))
        for knob in composition.knobs_of(invalid.stages[i]).values()
        if knob.options or knob.kind is bool
    ]
    for i, knob in sorted(choices, key=lambda choice: choice[1].kind is not bool):
        for value in knob.near(getattr(invalid.stages[i], knob.name)):
            text = f"{stage_label(invalid.stages, i)}: {knob.name} = {knob.text(value)}"
            yield from _with_knobs(invalid, i, {knob.name: value}, text)


def _removals(family: Family, invalid: InvalidComposition) -> Iterator[Fix]:
    if len(invalid.stages) - 3 in family.knobs["stages"].lengths:
        for i in (invalid.at, invalid.at - 1):
            if 0 < i < len(invalid.stages) - 1:
                stages = composition.remove_stage(invalid.stages, i)
                yield Fix(f"Remove {stage_label(invalid.stages, i)}", stages)


def _with_knobs(
    invalid: InvalidComposition, i: int, changes: dict[str, Any], text: str
) -> Iterator[Fix]:
    """Stage `i` with other knob values, if its own rules allow them."""
    known = composition.knobs_of(invalid.stages[i])
    try:
        read = {name: known[name].read(value) for name, value in changes.items()}
        stage = replace(invalid.stages[i], **read)
    except (ValueError, DesignError):
        return
    yield Fix(text, (*invalid.stages[:i], stage, *invalid.stages[i + 1 :]))
