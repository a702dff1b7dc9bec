"""Through which lens the layers are seen, as a part of the state of the page and of its link."""

from __future__ import annotations

from dataclasses import dataclass

from studio.analysis.graph.cost_heatmap import DEFAULT_METRIC, METRICS, Metric
from studio.knobs import Knob
from studio.workbench.link import Link

KIND = "kind"  # the colours tell what kind of box each is
HEAT = Knob(name="heat", default=KIND, help="What boxes are coloured by", options=(KIND, *METRICS))
DIFFERENCE = Knob(name="difference", default=False, help="Whether the pinned design is seen too")


@dataclass(frozen=True)
class ColourMode:
    """What the layers are coloured by, and whether they are seen against the pinned ones."""

    heat: str = KIND
    difference: bool = False

    @property
    def metric(self) -> Metric | None:
        return METRICS.get(self.heat)

    @property
    def compared_metric(self) -> Metric:
        """The quantity in which bars and differences are told."""
        return self.metric or DEFAULT_METRIC

    @property
    def link(self) -> dict[str, str]:
        values = ((HEAT, self.heat), (DIFFERENCE, self.difference))
        return {knob.name: knob.text(value) for knob, value in values if value != knob.default}

    @classmethod
    def from_link(cls, link: Link) -> ColourMode:
        """The lens that a link names, taken out of it."""
        return cls(link.take(HEAT), link.take(DIFFERENCE))


BY_KIND = ColourMode()  # of a first visit
