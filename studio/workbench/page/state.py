"""What the page shows, as one immutable value that every control changes and every view draws.

A control may snap to a value other than the requested one (heads must divide the width), a preset
changes all controls at once, and the link holds only the differences from a preset. So one value is
the source of truth, and the widgets and the link are derived from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from studio import zoo
from studio.analysis.cost.scaling import axes
from studio.family import Design, DesignError, Preset, Snap
from studio.knobs import Axis, Knob
from studio.spelling import closest
from studio.workbench.compose import composition
from studio.workbench.compose.composition import InvalidComposition, Stages
from studio.workbench.devices import DEFAULT_DEVICE, find_device
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
IGNORED = "link"  # the key of the note on ignored parameters of a link
NAME, MOST_OPEN = 200, 1000  # of a link: characters of a node's id, and open blocks
VIEW = Knob(name="view", default=VIEWS[0], help="The page that is open", options=VIEWS)
AXIS = Knob(name="axis", default="", help="The axis of the charts", options=get_args(Axis))


@dataclass(frozen=True, kw_only=True)
class State:
    """The workload on the page, the ones it is compared with, and the state of every view.

    `preset` is the chosen preset: title and link describe the design as changes to it. `axis` is
    the axis of the scaling charts, the last one that was changed or chosen. `memory_options` are
    those of the Memory tab, `requirements` those of the architect's form, and `colour_mode` says
    what colours the layer graph. `opened` and `node` are the ids of the open blocks and of the
    selected node of the graph; ids that the graph does not have are ignored.

    `place` is the open stage of a composition. While its stages do not fit together,
    they are the `invalid_composition`, and `workload` is the last valid one. `notes` say why a
    value was snapped (by knob), which stages were inserted (by place) and what of a link was
    ignored; `refusal` is the message of the last refused change.
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
    invalid_composition: InvalidComposition | None = None
    notes: Mapping[str, str] = field(default_factory=dict)
    refusal: str = ""

    @property
    def design(self) -> Design:
        return self.workload.design

    @property
    def pinned(self) -> Workload | None:
        """The workload that was pinned last, which the figures on the page are compared with."""
        return self.pins[-1] if self.pins else None

    def pin(self, workload: Workload) -> State:
        """With a workload as the last pin; of too many pins the oldest is dropped."""
        return replace(self, pins=(*self.unpin(workload).pins, workload)[-MOST_PINS:])

    def unpin(self, workload: Workload) -> State:
        return replace(self, pins=tuple(pin for pin in self.pins if pin != workload))

    @property
    def others(self) -> tuple[tuple[Workload, str], ...]:
        """The workloads that the figures on the page are compared with, each with its label."""
        known = ((self.previous, "previous"), (self.pinned, "pinned"))
        return tuple(
            (workload, name) for workload, name in known if workload and workload != self.workload
        )

    @property
    def shown_axis(self) -> str:
        """The axis of the charts; by default the first of the design."""
        known = axes(self.design)
        return self.axis if self.axis and self.axis in known else next(iter(known))

    @property
    def title(self) -> str:
        return link_parts.title(self.design) or self.design.title_for(self.preset)

    @property
    def stages(self) -> Stages:
        """The stages of a composition as shown on the page, valid or not."""
        invalid = self.invalid_composition
        return invalid.stages if invalid else composition.stages_of(self.design.config)

    def value(self, knob: str) -> Any:
        """The value of a knob of the design or of a stage, or of a setting, as shown on the
        page."""
        if knob in CONDITIONS:
            return getattr(self.workload, knob)
        place, _, name = knob.rpartition(".")
        if not place:
            return self.design.value(knob)
        return getattr(self.stages[composition.index(self.stages, place)], name)

    def with_workload(self, workload: Workload, notes: Mapping[str, str] | None = None) -> State:
        """With another workload; the current one becomes the previous one."""
        previous = self.previous if workload == self.workload else self.workload
        invalid = self.invalid_composition if workload.design == self.design else None
        known = self.axis in AXIS.options or self.axis in axes(workload.design)
        axis = self.axis if known else None
        moved = replace(
            self, workload=workload, previous=previous, invalid_composition=invalid, axis=axis
        )
        return replace(moved, notes=notes or {}, refusal="")

    def set_knob(self, knob: str, value: object) -> State:
        """With a knob set to the nearest valid value. A refusal changes nothing else."""
        try:
            if knob == DEVICE:
                return self.with_workload(replace(self.workload, device=str(value)))
            if knob in CONDITIONS:
                return self.with_workload(
                    replace(self.workload, **{knob: CONDITIONS[knob].read(value)})
                )
            if "." in knob:
                return self._set_stage_knob(knob, value)
            return self._with_snapped(
                knob, self.design.family.snap(self.design.config, knob, value)
            )
        except DesignError as error:
            return replace(self, notes={}, refusal=str(error))

    def _with_snapped(self, knob: str, snap: Snap) -> State:
        design = replace(self.design, config=snap.config)
        notes = {knob: snap.why} if snap.why else {}
        along = next((axis for axis, one in axes(design).items() if one.name == knob), None)
        own = self.design.family.knob(self.design.config, knob).axis
        axis = along or own or self.axis
        return replace(self.with_workload(replace(self.workload, design=design), notes), axis=axis)

    def _set_stage_knob(self, knob: str, value: object) -> State:
        """With a knob of a stage set; if the stages then do not fit, they become the invalid
        composition. Raises DesignError."""
        if not self.invalid_composition:
            with suppress(DesignError):
                snap = self.design.family.snap(self.design.config, knob, value)
                if len(snap.config.stages) == len(self.design.config.stages):
                    return self._with_snapped(knob, snap)
        place, _, name = knob.rpartition(".")
        i = composition.index(self.stages, place)
        return self.with_stages(composition.set_stage_knob(self.stages, i, name, value), i)

    def with_stages(self, stages: Stages, i: int) -> State:
        """With these stages, stage `i` open; as the invalid composition if they do not fit."""
        found = composition.fit(self.design.family, stages)
        broken = found if isinstance(found, InvalidComposition) else None
        fitted = broken.stages if broken else composition.stages_of(found)
        new = composition.inserted_indices(stages, fitted)
        given = [at for at in range(len(fitted)) if at not in new]
        place = composition.place(fitted, given[i])
        notes = {composition.place(fitted, at): composition.WHY_INSERTED for at in new}
        if broken:
            return replace(self, invalid_composition=broken, place=place, notes=notes, refusal="")
        moved = self.with_workload(
            replace(self.workload, design=replace(self.design, config=found)), notes
        )
        return replace(moved, invalid_composition=None, place=place)

    def choose_preset(self, family: str, preset: str | None = None) -> State:
        """With a preset of a family, by default its first one."""
        known = zoo.family(family)
        design = known.design(preset or known.presets[0].name)
        base = design.origin or design.base
        moved = replace(
            self.with_workload(replace(self.workload, design=design)),
            preset=base,
            invalid_composition=None,
        )
        return moved if design.family is self.design.family else replace(moved, opened=(), node="")

    @property
    def link(self) -> dict[str, str]:
        """The parameters that restore this page: the workload, and each part of the view that
        differs from the default."""
        view: dict[str, str] = {VIEW.name: self.view} if self.view != VIEW.default else {}
        view |= {TAB.name: self.tab} if self.tab != TAB.default else {}
        view |= {AXIS.name: self.axis} if self.axis else {}
        view |= self.memory_options.link | self.requirements.link | self.colour_mode.link
        view |= {"open": ",".join(self.opened)} if self.opened else {}
        view |= {"node": self.node} if self.node else {}
        view |= {"place": self.place} if self.place != PLACE else {}
        if self.invalid_composition:
            view |= {"draft": composition.text(self.design.family, self.invalid_composition.stages)}
        return self.workload.to_query(self.preset) | view | link_parts.pin_parameter(self.pins)

    def on_known_device(self, known: Sequence[str]) -> State:
        """With workloads on devices that exist: a cluster may report its devices after a page has
        opened."""
        device, why = _known_device(self.workload.device, known)
        pins = tuple(replace(pin, device=_known_device(pin.device, known)[0]) for pin in self.pins)
        if (device, pins) == (self.workload.device, self.pins):
            return self
        refusal = " ".join(filter(None, (self.refusal, why)))
        return replace(
            self, workload=replace(self.workload, device=device), pins=pins, refusal=refusal
        )

    def follow_link(self, parameters: Mapping[str, str]) -> State:
        """The page that a link describes. Invalid values become the nearest valid ones, and unknown
        parameters are ignored; both are noted."""
        link = Link(parameters)
        found = self._restored(link)
        notes = {IGNORED: link.ignored} if link.ignored else {}
        return replace(found, refusal=link.refusal, notes={**found.notes, **link.inserted, **notes})

    def _restored(self, link: Link) -> State:
        workload, preset = Workload.read(link, START.family.key)
        stages = link_parts.invalid_stages(link, workload.design)
        start = replace(
            self.with_workload(workload),
            preset=preset,
            invalid_composition=None,
            place=link_parts.place(link),
        )
        start = start._with_linked_stages(link, stages) if stages else start
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

    def _with_linked_stages(self, link: Link, stages: Stages) -> State:
        """With the stages of the link's `draft`: as the design if they fit, with a note on inserted
        stages, else as the invalid composition."""
        found = self.with_stages(stages, composition.index(stages, self.place))
        link.inserted = {}  # these notes are about the design that is replaced
        if not found.invalid_composition:
            link.say_inserted(zoo.with_settings(self.design, composition.settings(stages)))
        return found


def _known_device(name: str, known: Sequence[str]) -> tuple[str, str]:
    """The device of this name, or else the nearest one and a sentence that says so."""
    try:
        return find_device(name, known), ""
    except DesignError as error:
        device = next(iter((*closest(name, known), *known)), DEFAULT_DEVICE)
        return device, f"Measured on {device}: {error}."


START = zoo.family("vit").design()  # well known, and its graph folds; no preset is named
FIRST = State(workload=Workload(START), preset=START.base)
