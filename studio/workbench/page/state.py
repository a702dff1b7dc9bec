"""What the page shows, as one immutable value that every control changes and every view draws.

A control may land on another value than the one asked for (heads must divide the width), a preset
moves all controls at once, and only what differs from a preset is written into the link. So one
value is the truth; the widgets and the link are views of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from studio import zoo
from studio.analysis.cost.scaling import axes
from studio.family import Design, DesignError, Preset, Snap
from studio.knobs import Axis, Knob
from studio.workbench import devices
from studio.workbench.compose import composition
from studio.workbench.compose.composition import InvalidComposition, Stages
from studio.workbench.link import Link
from studio.workbench.page import link_parts
from studio.workbench.page.colour_mode import BY_KIND, ColourMode
from studio.workbench.page.link_parts import MOST_PINS, PLACE
from studio.workbench.page.memory_options import DEFAULT_OPTIONS, MemoryOptions
from studio.workbench.page.requirements_form import EMPTY_FORM, RequirementsForm
from studio.workbench.workload import CONDITIONS, DEVICE, Workload

VIEWS = ("Explore", "Compose", "Architect", "Compare")
TABS = ("Scaling", "Layers", "Memory", "Code", "Report", "Lesson")
TAB = Knob(name="tab", default=TABS[0], help="The view that is open", options=TABS)
IGNORED = "link"  # the note on what of a link was left out
NAME, MOST_OPEN = 200, 1000  # characters of the id of a box, and boxes that a link opens
VIEW = Knob(name="view", default=VIEWS[0], help="The page that is open", options=VIEWS)
AXIS = Knob(name="axis", default="", help="The axis of the charts", options=get_args(Axis))


@dataclass(frozen=True, kw_only=True)
class State:
    """The workload on the page, those it is compared with, and what to say about the change.

    `preset` is the one that was chosen: title and link tell the design as changes to it, however
    many there are. `axis` is the one on the scaling charts: the last one turned or chosen.
    `question` is what the Memory tab is asked, `commission` what the architect is, `lens` how the
    layers are coloured. `opened` and `node` are the open blocks and the selected node of the layer
    graph, by their ids; one that the graph does not have is not drawn.
    `place` is the open row of a composition. Its rows may not fit: they are the `draft` then, and
    the workload is the last one that did. `notes` tells for a knob why it did not land where it was
    put, for a place what was inserted there, and what of a link was left out; `refusal` what was
    refused.
    """

    workload: Workload
    preset: Preset
    previous: Workload | None = None
    pins: tuple[Workload, ...] = ()
    view: str = VIEWS[0]
    tab: str = TABS[0]
    axis: str | None = None
    memory_options: MemoryOptions = DEFAULT_OPTIONS
    requirements: RequirementsForm = EMPTY_FORM
    colour_mode: ColourMode = BY_KIND
    opened: tuple[str, ...] = ()
    node: str = ""
    place: str = PLACE
    draft: InvalidComposition | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""

    @property
    def design(self) -> Design:
        return self.workload.design

    @property
    def pinned(self) -> Workload | None:
        """The workload that was pinned last: the figures on the page are told against it."""
        return self.pins[-1] if self.pins else None

    def pin(self, workload: Workload) -> State:
        """With a workload among the pins, as the last one; of too many the oldest gives way."""
        return replace(self, pins=(*self.unpin(workload).pins, workload)[-MOST_PINS:])

    def unpin(self, workload: Workload) -> State:
        return replace(self, pins=tuple(pin for pin in self.pins if pin != workload))

    @property
    def others(self) -> tuple[tuple[Workload, str], ...]:
        """The workloads that the figures on the page are told against, and how these are called."""
        known = ((self.previous, "previous"), (self.pinned, "pinned"))
        return tuple(
            (workload, name) for workload, name in known if workload and workload != self.workload
        )

    @property
    def title(self) -> str:
        return link_parts.title(self.design) or self.design.title_for(self.preset)

    @property
    def rows(self) -> Stages:
        """The rows of a composition, as they are on the page."""
        return self.draft.rows if self.draft else composition.stages_of(self.design.config)

    def value(self, knob: str) -> Any:
        """The value of a knob of the design, or of a row, as it is on the page."""
        place, _, name = knob.rpartition(".")
        if not place:
            return self.design.value(knob)
        return getattr(self.rows[composition.index(self.rows, place)], name)

    def with_workload(self, workload: Workload, notes: Mapping[str, str] | None = None) -> State:
        """Another workload; the one left becomes the previous one."""
        previous = self.previous if workload == self.workload else self.workload
        draft = self.draft if workload.design == self.design else None
        known = self.axis in AXIS.options or self.axis in axes(workload.design)
        axis = self.axis if known else None
        moved = replace(self, workload=workload, previous=previous, draft=draft, axis=axis)
        return replace(moved, notes=notes or {}, refusal="")

    def set_knob(self, knob: str, value: object) -> State:
        """One knob turned, as far as the rules allow. A refusal leaves all as it is."""
        try:
            if knob == DEVICE:
                return self.with_workload(
                    replace(self.workload, device=devices.read_device(str(value)))
                )
            if knob in CONDITIONS:
                return self.with_workload(
                    replace(self.workload, **{knob: CONDITIONS[knob].read(value)})
                )
            if "." in knob:
                return self._set_stage_knob(knob, value)
            return self._snapped(knob, self.design.family.snap(self.design.config, knob, value))
        except DesignError as error:
            return replace(self, notes={}, refusal=str(error))

    def _snapped(self, knob: str, turn: Snap) -> State:
        design = replace(self.design, config=turn.config)
        notes = {knob: turn.why} if turn.why else {}
        along = next((axis for axis, one in axes(design).items() if one.name == knob), None)
        turned = self.design.family.knob(self.design.config, knob)
        axis = along or turned.axis or self.axis
        return replace(self.with_workload(replace(self.workload, design=design), notes), axis=axis)

    def _set_stage_knob(self, knob: str, value: object) -> State:
        """A knob of a row turned; where no rows near fit, they are kept as a draft. Raises
        DesignError."""
        if not self.draft:
            with suppress(DesignError):
                turn = self.design.family.snap(self.design.config, knob, value)
                if len(turn.config.stages) == len(self.design.config.stages):
                    return self._snapped(knob, turn)
        place, _, name = knob.rpartition(".")
        i = composition.index(self.rows, place)
        return self.with_stages(composition.set_stage_knob(self.rows, i, name, value), i)

    def with_stages(self, rows: Stages, i: int) -> State:
        """The composition of these rows, with row `i` open; where they do not fit, as a draft."""
        found = composition.fit(self.design.family, rows)
        broken = found if isinstance(found, InvalidComposition) else None
        fitted = broken.rows if broken else composition.stages_of(found)
        new = composition.inserted_indices(rows, fitted)
        kept = [at for at in range(len(fitted)) if at not in new]
        place = composition.place(fitted, kept[i])
        notes = {composition.place(fitted, at): composition.WHY_INSERTED for at in new}
        if broken:
            return replace(self, draft=broken, place=place, notes=notes, refusal="")
        moved = self.with_workload(
            replace(self.workload, design=replace(self.design, config=found)), notes
        )
        return replace(moved, draft=None, place=place)

    def choose_preset(self, family: str, preset: str | None = None) -> State:
        """A preset of a family, by default its first one."""
        known = zoo.family(family)
        design = known.design(preset or known.presets[0].name)
        base = design.origin or design.base
        moved = replace(
            self.with_workload(replace(self.workload, design=design)), preset=base, draft=None
        )
        return moved if design.family is self.design.family else replace(moved, opened=(), node="")

    @property
    def link(self) -> dict[str, str]:
        """The parameters that restore this page: the workload, and each part of the view that
        differs from a first visit's."""
        view: dict[str, str] = {VIEW.name: self.view} if self.view != VIEW.default else {}
        view |= {TAB.name: self.tab} if self.tab != TAB.default else {}
        view |= {AXIS.name: self.axis} if self.axis else {}
        view |= self.memory_options.link | self.requirements.link | self.colour_mode.link
        view |= {"open": ",".join(self.opened)} if self.opened else {}
        view |= {"node": self.node} if self.node else {}
        view |= {"place": self.place} if self.place != PLACE else {}
        if self.draft:
            view |= {"draft": composition.text(self.design.family, self.draft.rows)}
        return self.workload.to_query(self.preset) | view | link_parts.pin_parameter(self.pins)

    def on_known_device(self) -> State:
        """On a device that there is: a cluster may answer after its device has been asked for."""
        try:
            device, refusal = devices.read_device(self.workload.device), self.refusal
        except DesignError as error:
            device = devices.default_device()
            refusal = f"Measured on {device}: {error}."
        if device == self.workload.device:
            return self
        return replace(self, workload=replace(self.workload, device=device), refusal=refusal)

    def follow_link(self, parameters: Mapping[str, str]) -> State:
        """The page that a link asks for. What cannot be lands on the nearest that works, and what
        the page does not know is left out; both are said."""
        link = Link(parameters)
        found = self._restored(link)
        notes = {IGNORED: link.ignored} if link.ignored else {}
        return replace(found, refusal=link.refusal, notes={**found.notes, **link.inserted, **notes})

    def _restored(self, link: Link) -> State:
        workload, preset = Workload.read(link, START.family.key)
        rows = link_parts.invalid_stages(link, workload.design)
        start = replace(
            self.with_workload(workload), preset=preset, draft=None, place=link_parts.place(link)
        )
        start = start._with_linked_stages(link, rows) if rows else start
        own = tuple(axis for axis in axes(start.design) if axis not in AXIS.options)
        return replace(
            start,
            previous=self.with_workload(start.workload).previous,
            view=link.take(VIEW),
            tab=link.take(TAB),
            axis=link.take(replace(AXIS, options=AXIS.options + own)) or None,
            memory_options=MemoryOptions.from_link(link),
            requirements=RequirementsForm.from_link(link),
            colour_mode=ColourMode.from_link(link),
            opened=tuple(filter(None, link.text("open").split(",")[:MOST_OPEN])),
            node=link.text("node", NAME),
            pins=link_parts.pins(link, START.family.key),
        )

    def _with_linked_stages(self, link: Link, rows: Stages) -> State:
        """The rows that a link writes as a draft. Where they fit they are the design; what had to
        be inserted for that is said."""
        found = self.with_stages(rows, composition.index(rows, self.place))
        link.inserted = {}  # into what the draft takes the place of
        if not found.draft:
            link.say_inserted(zoo.with_settings(self.design, composition.settings(rows)))
        return found


START = zoo.family("vit").design()  # famous and foldable; as everywhere, without a preset
FIRST = State(workload=Workload(START), preset=START.base)
