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

PER_KIND = 2  # fixes of one kind that are offered
MOST_FIXES = 4  # not counting removals
TRIED = 48  # at most, of one kind: a try takes a fraction of a millisecond
BRIDGES = ("ToMap", "ToTokens", "LastFrame", "FrameTokens")  # to another kind of tensor
ADVICE = re.compile(r"(use|insert|start from) (\w+)(?: (and|or) ([A-Z]\w+))?")
ASSIGNED = re.compile(r"(\w+)=")


@dataclass(frozen=True)
class Fix:
    """A suggested edit, and the stages that it leads to."""

    label: str
    rows: Stages


def fixes(family: Family, draft: InvalidComposition) -> tuple[Fix, ...]:
    """A few distinct fixes, the most local first; removals come last. There is always at least one:
    if nothing else helps, another kind of stage."""
    helping = partial(_improving, family, draft)
    found = [
        *(mend for way in _advised_fixes(family, draft) for mend in islice(helping(way), 1)),
        *islice(helping(_knob_values(draft)), PER_KIND),
        *islice(helping(_skips(draft)), PER_KIND),
        *islice(helping(_choices(draft)), PER_KIND),
    ]
    if not found:
        ways = (*_other_kinds(family, draft, "Use"), *_other_kinds(family, draft, "Start from"))
        found = [*islice(helping(ways), PER_KIND)]
    found = [*islice(helping(_memory_fixes(draft)), 1), *found][:MOST_FIXES]
    if all(composition.invalid_count(family, mend.rows) for mend in found):
        found = [*islice(_complete_fix(family, draft), 1), *found]
    found += helping(_removals(family, draft))
    return tuple({mend.rows: mend for mend in reversed(found)}.values())[::-1]


def _improving(family: Family, draft: InvalidComposition, ways: Iterable[Fix]) -> Iterator[Fix]:
    """Of the first `TRIED` edits, those after which more stages fit."""
    for mend in islice(ways, TRIED):
        without = len(mend.rows) < len(draft.rows) and draft.rows[draft.at] not in mend.rows
        if composition.invalid_count(family, mend.rows) < draft.left - without:
            yield mend


def _complete_fix(family: Family, draft: InvalidComposition) -> Iterator[Fix]:
    """One row inserted that leads to another kind of tensor, and values of the rows after it, so
    that all of them fit: where each row that is left would else be mended by itself."""
    for kind in BRIDGES:
        for mend in islice(_insertions(family, draft, [kind]), 1):
            rows, told = mend.rows, dict[str, list[str]]()
            while isinstance(found := composition.to_config(family, rows), InvalidComposition):
                steps = (
                    one
                    for one in _knob_values(found)
                    if composition.invalid_count(family, one.rows) < found.left
                )
                step = next(islice(steps, 1), None)
                if step is None:
                    break
                told.setdefault(step.label, []).append(stage_label(draft.rows, found.at - 1))
                rows = step.rows
            else:
                changes = [f"{label} in {', '.join(names)}" for label, names in told.items()]
                yield Fix(", ".join((mend.label, *changes)), rows)


def _memory_fixes(draft: InvalidComposition) -> Iterator[Fix]:
    """Read the second input as other stages do."""
    own = composition.knobs_of(draft.rows[draft.at])
    for changes in composition.memory_settings(draft.rows, draft.at):
        text = ", ".join(f"{name} = {own[name].text(value)}" for name, value in changes.items())
        yield from _with_knobs(draft, draft.at, changes, text)


def _advised_fixes(family: Family, draft: InvalidComposition) -> Iterator[Iterator[Fix]]:
    """The edits that the error message suggests, one iterator per suggestion."""
    for verb, first, link, second in ADVICE.findall(draft.fault):
        verb = verb.capitalize()
        both = [first, second] if second else [first]
        if verb == "Insert" and link == "and":
            yield _insertions(family, draft, both)
        for name in both:
            one = [name]
            yield (
                _insertions(family, draft, one)
                if verb == "Insert"
                else _other_kinds(family, draft, verb, one)
            )


def _other_kinds(
    family: Family, draft: InvalidComposition, verb: str, names: Collection[str] = ()
) -> Iterator[Fix]:
    """Another kind for the faulty stage or the stem, out of `names` if given."""
    at = 0 if verb == "Start from" else draft.at
    for name, kind in kinds(family, composition.place(draft.rows, at)).items():
        if not names or name in names:
            yield Fix(f"{verb} {name}", composition.change_kind(draft.rows, at, kind))


def _insertions(family: Family, draft: InvalidComposition, names: list[str]) -> Iterator[Fix]:
    """New stages before the faulty one, or before an earlier one, nearest first."""
    known = kinds(family, "stages")
    lengths = family.knobs["stages"].lengths
    if len(draft.rows) - 2 + len(names) not in lengths or not set(names) <= known.keys():
        return
    for at in reversed(range(1, draft.at + 1)):
        rows = draft.rows
        for name in reversed(names):
            rows = add_stage(rows, at - 1, known[name])
        before = f" before {stage_label(draft.rows, at)}" if at < draft.at else ""
        yield Fix(f"Insert {' and '.join(names)}{before}", rows)


def _knob_values(draft: InvalidComposition) -> Iterator[Fix]:
    """Other values of the knobs named in the error message, or of all numeric knobs if none is."""
    own = composition.knobs_of(draft.rows[draft.at])
    named = [name for name in dict.fromkeys(ASSIGNED.findall(draft.fault)) if name in own]
    numbers = [name for name, knob in own.items() if knob.kind is int and not knob.options]
    for name in named or ([] if ADVICE.search(draft.fault) else numbers):
        for value in islice(_near(draft, own[name]), TRIED // 2):
            text = f"{name} = {own[name].text(value)}"
            yield from _with_knobs(draft, draft.at, {name: value}, text)


def _near(draft: InvalidComposition, knob: Knob) -> Iterator[Any]:
    """Values to try in the place of the one that the row has: of a number those close by, those
    that the sentence tells, and then halves."""
    here = getattr(draft.rows[draft.at], knob.name)
    if knob.name == composition.SOURCE:
        yield from composition.earlier_stages(draft.at)
        return
    if isinstance(here, bool) or knob.options or not isinstance(here, int):
        yield from knob.near(here)
        return
    told = [int(number.replace(",", "")) for number in re.findall(r"\d[\d,]*", draft.fault)]
    halves = (here >> n for n in range(1, here.bit_length()))
    values = (knob.clamp(value) for value in chain(islice(knob.near(here), 16), told, halves))
    yield from (value for value in dict.fromkeys(values) if value != here)


def _skips(draft: InvalidComposition) -> Iterator[Fix]:
    """Drop one of the joined stages, or join another instead."""
    row = draft.rows[draft.at]
    for name in JOINS:
        held = getattr(row, name, None)
        if isinstance(held, tuple):
            shorter = (held[:n] + held[n + 1 :] for n in range(len(held)) if len(held) > 1)
            others = (
                (*held[:n], number, *held[n + 1 :])
                for number in composition.earlier_stages(draft.at)
                for n in range(len(held))
            )
            for value in chain(shorter, others):
                text = f"{name} = {','.join(map(str, value))}"
                yield from _with_knobs(draft, draft.at, {name: value}, text)


def _choices(draft: InvalidComposition) -> Iterator[Fix]:
    """Other options of earlier stages; flags first, since they change the output shape."""
    choices = [
        (i, knob)
        for i in reversed(range(draft.at))
        for knob in composition.knobs_of(draft.rows[i]).values()
        if knob.options or knob.kind is bool
    ]
    for i, knob in sorted(choices, key=lambda choice: choice[1].kind is not bool):
        for value in knob.near(getattr(draft.rows[i], knob.name)):
            text = f"{stage_label(draft.rows, i)}: {knob.name} = {knob.text(value)}"
            yield from _with_knobs(draft, i, {knob.name: value}, text)


def _removals(family: Family, draft: InvalidComposition) -> Iterator[Fix]:
    if len(draft.rows) - 3 in family.knobs["stages"].lengths:
        for i in (draft.at, draft.at - 1):
            if 0 < i < len(draft.rows) - 1:
                rows = composition.remove_stage(draft.rows, i)
                yield Fix(f"Remove {stage_label(draft.rows, i)}", rows)


def _with_knobs(
    draft: InvalidComposition, i: int, changes: dict[str, Any], text: str
) -> Iterator[Fix]:
    """Stage `i` with other knob values, if its own rules allow them."""
    known = composition.knobs_of(draft.rows[i])
    try:
        read = {name: known[name].read(value) for name, value in changes.items()}
        row = replace(draft.rows[i], **read)
    except (ValueError, DesignError):
        return
    yield Fix(text, (*draft.rows[:i], row, *draft.rows[i + 1 :]))
