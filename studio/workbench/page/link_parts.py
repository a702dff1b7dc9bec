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
    """The open stage of a composition."""
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
    """None where it names no family."""
    pin = Link.within(text)
    if "family" in pin.left:
        workload, _ = Workload.read(pin, family)
        link.said += [f"of a pinned design, {said}" for said in pin.said]
        return workload
    link.said.append(f"pin={echoed(text)} names no family")
    return None


def invalid_stages(link: Link, design: Design) -> Stages:
    """The rows that a link writes, whether or not they fit; what cannot be read of them is as the
    refusal suggests. None where nothing can."""
    text, family = str(updated_records(link.text("draft"))), design.family
    if not text or not composition.is_composed(family):
        return ()
    within: dict[str, object] = {}
    for _ in range(TRIES):
        try:
            rows = composition.read(family, text, within)
        except DesignError as error:
            link.say(error)
            suggested = next(iter(error.suggestions), {})
            more = {
                n.removeprefix("draft."): v for n, v in suggested.items() if n.startswith("draft.")
            }
            if not more:
                break
            within |= more
        else:
            link.taken |= {"draft": echoed(composition.text(family, rows))} if within else {}
            return rows
    return ()


def title(design: Design) -> str:
    """A composition that is no preset is called by the kinds of its stages; empty for others."""
    if not composition.is_composed(design.family) or design.preset:
        return ""
    names = [type(row).__name__ for row in design.config.stages]
    runs = [(name, len(list(run))) for name, run in groupby(names)]
    told = [f"{name} × {count}" if count > 1 else name for name, count in runs]
    return " · ".join(told if len(told) <= LONGEST else (*told[:2], "…", *told[-2:]))
