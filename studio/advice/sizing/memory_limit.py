"""What a finalist is held against, and the search by the strategy that was named.

Memory for training is the figure of the profile, the peak of a step, like every other limit.
"""

from __future__ import annotations

from studio.advice.budget import Limits, cost
from studio.advice.questions import Strategy
from studio.advice.sizing.proportional import recommended
from studio.advice.sizing.scaling_search import Search, Share, Sized, nothing, sized
from studio.analysis.cost.profiler import Profile
from studio.family import Design

paid = cost


def used(found: Profile, limits: Limits) -> dict[str, float]:
    """The share of each limit that a finalist uses; above 1 it is broken."""
    return limits.used(found)


def share(found: Profile, limits: Limits) -> float:
    return limits.share(found)


def fitted(
    start: Design, limits: Limits, batch: int, strategy: Strategy, also: Share = nothing
) -> Sized | None:
    """The size of a design that uses the limits best, by a strategy."""
    if strategy == "recommended":
        return recommended(start, Search(limits, batch, also))
    return sized(start, limits, batch, strategy, also)
