"""Parts of the page's state in its link: open stage, pinned designs, invalid stages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from urllib.parse import urlencode

from studio.family import Design, DesignError
from studio.quoting import echoed
from studio.renames import updated_records
from studio.workbench.compose import composition
from studio.workbench.compose.composition import Stages
from studio.workbench.link import TRIES, Link
from studio.workbench.workload import Workload

PLACE = "stages.0"  # the stage that is open at first
PLACES = re.compile(r"stem|head|stages\.\d{1,3}")
MOST_PINS = 8
PIN_SEPARATOR = "|"  # between the pins of a link; within one it is written as %7C
LONGEST = 5  # runs of equal stages that a title names


def place(link: Link) -> str:
    """The open stage of a composition, as the link names it."""
    text = link.text("place", default=PLACE)
    if PLACES.fullmatch(text):
        return text
    link.say(DesignError(f"place={echoed(text)} is not a stage of a composition"), place=PLACE)
    return PLACE


def pin_parameter(pins: Sequence[Workload]) -> dict[str, str]:
    """The parameter that `pins` reads."""
    return {"pin": PIN_SEPARATOR.join(urlencode(pin.to_query()) for pin in pins)} if pins else {}


def pins(link: Link, family: str) -> tuple[Workload, ...]:
    """The designs that a link pins, each once."""
    texts = filter(None, link.text("pin").split(PIN_SEPARATOR)[:MOST_PINS])
    return tuple(dict.fromkeys(filter(None, (_read_pin(link, text, family) for text in texts))))


def _read_pin(link: Link, text: str, family: str) -> Workload | None:
    """None if it names no family."""
    pin = Link.within(text)
    if "family" in pin.left:
        workload, _ = Workload.read(pin, family)
        link.problems += [f"of a pinned design, {problem}" for problem in pin.problems]
        return workload
    link.problems.append(f"pin={echoed(text)} names no family")
    return None


def invalid_stages(link: Link, design: Design) -> Stages:
    """The stages of a link's `draft`, valid or not. Knob values that cannot be read become those
    that the error suggests. Empty if the text cannot be read at all."""
    text, family = str(updated_records(link.text("draft"))), design.family
    if not text or not family.is_composed:
        return ()
    overrides: dict[str, object] = {}
    for _ in range(TRIES):
        try:
            stages = composition.read(family, text, overrides)
        except DesignError as error:
            link.say(error)
            suggested = next(iter(error.suggestions), {})
            more = {
                n.removeprefix("draft."): v for n, v in suggested.items() if n.startswith("draft.")
            }
            if not more:
                break
            overrides |= more
        else:
            link.taken |= {"draft": echoed(composition.text(family, stages))} if overrides else {}
            return stages
    return ()


def title(design: Design) -> str:
    """The title of a composition that is not a preset: the kinds of its stages. Else empty."""
    if not design.family.is_composed or design.preset:
        return ""
    names = [type(stage).__name__ for stage in design.config.stages]
    runs = [(name, len(list(run))) for name, run in groupby(names)]
    parts = [f"{name} × {count}" if count > 1 else name for name, count in runs]
    return " · ".join(parts if len(parts) <= LONGEST else (*parts[:2], "…", *parts[-2:]))
