"""Sizing a design by the strategy that was asked for."""

from __future__ import annotations

from studio.advice.budget import Limits
from studio.advice.questions import Strategy
from studio.advice.sizing.proportional import recommend_size
from studio.advice.sizing.scaling_search import Search, Share, SizedDesign, fill_budget, unlimited
from studio.family import Design


def size_design(
    start: Design, limits: Limits, batch: int, strategy: Strategy, also: Share = unlimited
) -> SizedDesign | None:
    """The size of a design that uses the limits best by a strategy, or None if none is within them.
    `also` is a further limit, as the share of it that a profile uses."""
    if strategy == "recommended":
        return recommend_size(start, Search(limits, batch, also))
    return fill_budget(start, limits, batch, strategy, also)
