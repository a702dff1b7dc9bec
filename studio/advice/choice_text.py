"""How a choice is named: family and size first, its knobs apart; and which law describes it."""

from __future__ import annotations

import re

from studio.advice.evidence import input_changes
from studio.analysis import units
from studio.analysis.cost.profiler import Profile
from studio.family import Design, Preset

# A figure of one network, such as `37\,\mathrm{M}`, `4.4 G` or `138 M`, or the name of a backbone.
OF_ONE_NETWORK = re.compile(
    r"\d\s*(\\,)?\s*(\\mathrm\{[kMGTB]\}|[kMGTB]\b)|\bR(18|34|50|101|152)\b"
)
SUBTITLE = " ("  # before what a family's title adds to the name


def choice_title(found: Profile, base: Preset) -> str:
    """`ViT-B/16, 86.6 M parameters` of a preset at any input, `U-Net, 4.37 M parameters` of what
    was made from one."""
    design = found.design
    name = base.name if input_changes(design, base) is not None else _kind(design, base)
    return f"{name}, {units.count(found.params)} parameters"


def _kind(design: Design, base: Preset) -> str:
    """The family's short name, or what a preset's name adds to it: `DeepLabV3+`."""
    family = design.family.title.partition(SUBTITLE)[0]
    first = base.name.split()[0]
    return first if first.startswith(family) and "-" not in first else family


def changes_text(design: Design, base: Preset) -> str:
    """What a design was made from and how it differs; empty of an unmodified preset."""
    return f"based on {design.title_for(base)}" if design.changes(base) else ""


def symbolic_law(law: str) -> str:
    """A law of cost where it is one in symbols; empty where it carries the figures of one network,
    which hold of no other."""
    return "" if OF_ONE_NETWORK.search(law) else law


def format_percent(share: float) -> str:
    """A share of a limit; what is small is not nothing."""
    return f"{share:.0%}" if share >= 0.01 else "under 1%"


def as_clause(text: str) -> str:
    """A sentence as a part of another one; an abbreviation at its start keeps its capitals."""
    text = text.rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[:2] == "A " else text
