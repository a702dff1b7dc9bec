"""The designs of this session, in the order in which they were on the page: undo, redo, go back.

The browser's back button also goes back, but by one view at a time. Here each design is listed with
what changed in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

from studio.family import Preset
from studio.workbench.compose import composition
from studio.workbench.compose.composition import InvalidComposition, Stages
from studio.workbench.page.state import State
from studio.workbench.workload import Workload

MOST = 60  # designs that are remembered


class Visit(NamedTuple):
    """A workload that was on the page, the preset that its title is based on, and the invalid
    composition, if there was one."""

    workload: Workload
    preset: Preset
    invalid_composition: InvalidComposition | None = None

    def shows_same(self, other: Visit) -> bool:
        """Whether both show the same design, whatever the preset of the title."""
        mine, theirs = self.invalid_composition, other.invalid_composition
        return self.workload == other.workload and mine == theirs

    @property
    def stages(self) -> Stages:
        """The stages of a composition, as they were on the page; empty for other designs."""
        if self.invalid_composition:
            return self.invalid_composition.stages
        design = self.workload.design
        return composition.stages_of(design.config) if design.family.is_composed else ()


@dataclass(frozen=True)
class History:
    """The visited designs, and the index of the one on the page."""

    visits: tuple[Visit, ...] = ()
    at: int = -1

    def add(self, visit: Visit) -> History:
        """With a visit after the one on the page; those that were undone are forgotten."""
        here = self.visits[self.at] if self.visits else None
        if here and here.shows_same(visit):
            return self
        visits = (*self.visits[: self.at + 1], visit)[-MOST:]
        return History(visits, len(visits) - 1)

    def go_to(self, at: int) -> History:
        return replace(self, at=min(max(at, 0), len(self.visits) - 1))


@lru_cache(maxsize=1024)
def change(before: Visit, after: Visit) -> str:
    """What changed between two visits, by knob: `depth 12 → 13`."""
    then, now = before.workload, after.workload
    if then.design.family is not now.design.family:
        return f"{now.design.family.title}: {now.design.title_for(after.preset)}"
    if (
        after.preset != before.preset
        and now.design.config == after.preset.config
        and not after.invalid_composition
    ):
        return after.preset.name
    moved = [*_changed_stages(before.stages, after.stages)] or [*_changed_knobs(before, after)]
    moved += [
        f"{name} {getattr(then, name)} → {getattr(now, name)}"
        for name in ("batch", "mode", "dtype", "layout", "compiled", "device")
        if getattr(then, name) != getattr(now, name)
    ]
    return ", ".join(moved) or now.design.title_for(after.preset)


def _changed_stages(olds: Stages, news: Stages) -> Iterator[str]:
    """Stages that were added or removed: `+ 2 Transformer`."""
    old_kinds, new_kinds = ([type(stage).__name__ for stage in stages] for stages in (olds, news))
    matched = SequenceMatcher(None, old_kinds, new_kinds)
    for tag, i, i_end, j, j_end in matched.get_opcodes():
        if tag != "equal":
            yield from (f"− {composition.stage_label(olds, n)}" for n in range(i, i_end))
            yield from (f"+ {composition.stage_label(news, n)}" for n in range(j, j_end))


def _changed_knobs(before: Visit, after: Visit) -> Iterator[str]:
    """Knobs that changed; in a composition, those of each stage."""
    if not (before.invalid_composition or after.invalid_composition):
        moved = after.workload.design.differences(before.workload.design.config)
        yield from (f"{name} {was} → {here}" for name, was, here in moved)
        return
    for i, (old, new) in enumerate(zip(before.stages, after.stages, strict=True)):
        for name, knob in composition.knobs_of(new).items():
            was, here = getattr(old, name), getattr(new, name)
            if was != here:
                place = composition.place(after.stages, i)
                yield f"{place}.{name} {knob.label(was)} → {knob.label(here)}"


def visit_label(known: History, at: int) -> str:
    """A visit by what it changed, the first one by its title; invalid compositions are marked."""
    visit = known.visits[at]
    words = (
        change(known.visits[at - 1], visit) if at else visit.workload.design.title_for(visit.preset)
    )
    return f"{words} · does not fit" if visit.invalid_composition else words


def restore_visit(now: State, visit: Visit) -> State:
    """The page with the workload of an earlier visit, or its invalid composition."""
    return replace(
        now.with_workload(visit.workload),
        preset=visit.preset,
        invalid_composition=visit.invalid_composition,
    )


NO_HISTORY = History()
