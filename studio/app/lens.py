"""Through which lens the layers are seen, as a part of the state of the page and of its link."""

from __future__ import annotations

from dataclasses import dataclass

from studio.analysis.heat import FIRST, QUANTITIES, Quantity
from studio.knobs import Knob

KIND = "kind"  # the colours tell what kind of box each is
HEAT = Knob(
    name="heat", default=KIND, help="What boxes are coloured by", options=(KIND, *QUANTITIES)
)
DIFFERENCE = Knob(name="difference", default=False, help="Whether the pinned design is seen too")


@dataclass(frozen=True)
class Lens:
    """What the layers are coloured by, and whether they are seen against the pinned ones."""

    heat: str = KIND
    difference: bool = False

    @property
    def quantity(self) -> Quantity | None:
        return QUANTITIES.get(self.heat)

    @property
    def told(self) -> Quantity:
        """The quantity in which bars and differences are told."""
        return self.quantity or FIRST

    @property
    def link(self) -> dict[str, str]:
        values = ((HEAT, self.heat), (DIFFERENCE, self.difference))
        return {knob.name: knob.text(value) for knob, value in values if value != knob.default}

    @classmethod
    def taken(cls, settings: dict[str, str]) -> Lens:
        """The lens that a link names, taken out of it. Raises DesignError."""
        heat, difference = (settings.pop(k.name, k.default) for k in (HEAT, DIFFERENCE))
        return cls(HEAT.read(heat), DIFFERENCE.read(difference))


NO_LENS = Lens()  # of a first visit
