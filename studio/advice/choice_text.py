"""Texts of a choice: its title, its changes, its cost law, shares and clauses."""

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
SUBTITLE = " ("  # starts the explanation in a family's title


def choice_title(found: Profile, base: Preset) -> str:
    """`ViT-B/16, 86.6 M parameters` for a preset at any input size, `U-Net, 4.37 M parameters` for
    a modified one."""
    design = found.design
    name = base.name if input_changes(design, base) is not None else _kind(design, base)
    return f"{name}, {units.count(found.params)} parameters"


def _kind(design: Design, base: Preset) -> str:
    """The family's short name, or the variant in the preset's name: `DeepLabV3+`."""
    family = design.family.title.partition(SUBTITLE)[0]
    first = base.name.split()[0]
    return first if first.startswith(family) and "-" not in first else family


def changes_text(design: Design, base: Preset) -> str:
    """The preset and how the design differs from it; empty for an unmodified preset."""
    return f"based on {design.title_for(base)}" if design.changes(base) else ""


def symbolic_law(law: str) -> str:
    """A cost law if it is symbolic; empty if it contains figures of a single network."""
    return "" if OF_ONE_NETWORK.search(law) else law


def format_percent(share: float) -> str:
    """A share of a limit in percent; `under 1%` rather than 0%."""
    return f"{share:.0%}" if share >= 0.01 else "under 1%"


def as_clause(text: str) -> str:
    """A sentence as part of another: no full stop, a lower-case start unless it is an acronym."""
    text = text.rstrip(".")
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[:2] == "A " else text
