"""How the layer graph is coloured: a part of the page's state and link."""

from __future__ import annotations

from dataclasses import dataclass

from studio.analysis.graph.cost_heatmap import DEFAULT_METRIC, METRICS, Metric
from studio.knobs import Knob
from studio.workbench.link import Link

KIND = "kind"  # colours show the kind of layer
HEAT = Knob(name="heat", default=KIND, help="Colour of the boxes", options=(KIND, *METRICS))
DIFFERENCE = Knob(name="difference", default=False, help="Show changes from the pinned design")


@dataclass(frozen=True)
class ColourMode:
    """The metric that colours the layers, and whether to show changes from the pinned design."""

    heat: str = KIND
    difference: bool = False

    @property
    def metric(self) -> Metric | None:
        return METRICS.get(self.heat)

    @property
    def compared_metric(self) -> Metric:
        """The metric of bars and differences."""
        return self.metric or DEFAULT_METRIC

    @property
    def link(self) -> dict[str, str]:
        values = ((HEAT, self.heat), (DIFFERENCE, self.difference))
        return {knob.name: knob.text(value) for knob, value in values if value != knob.default}

    @classmethod
    def from_link(cls, link: Link) -> ColourMode:
        """Read the colour mode from a link, consuming its parameters."""
        return cls(link.take(HEAT), link.take(DIFFERENCE))


BY_KIND = ColourMode()  # the default
