"""Memory for training as a limit: a sum over the layers steers the search, a simulation decides.

The sum counts all that a step keeps as if it were alive at once. The step as it is simulated
(`analysis.memory`) peaks at a third to one and a half times that, by the family, and takes up to
seconds: so the search goes by the sum, to a limit that is set right by the simulation of what it
finds, until that meets the one that was asked for.
"""

from __future__ import annotations

from dataclasses import replace

from studio.advice.limits import Limits, cost
from studio.advice.recommended import recommended
from studio.advice.sizing import WELL, Search, Share, Sized, Strategy, least, nothing, sized
from studio.analysis.memory import peak
from studio.analysis.profile import Profile, profile
from studio.family import Design

LARGEST = 2e11  # bytes of a step that is simulated: a larger one takes long, and many accelerators
TRIES = 5
ENOUGH = 0.6  # of a limit, for a recommendation
CLOSER = 0.99  # of the limit that the last simulation would ask for


def paid(found: Profile, name: str) -> int:
    """What a limit of this name is held against: of a training step the peak as it is simulated."""
    summed = cost(found, name)
    if name != "training_bytes" or summed > LARGEST:
        return summed
    return peak(found.design, found.batch, "training").total


def used(found: Profile, limits: Limits) -> dict[str, float]:
    """The share of each limit that a finalist uses; above 1 it is broken."""
    return {name: paid(found, name) / limit for name, limit in limits.given.items()}


def share(found: Profile, limits: Limits) -> float:
    return max(used(found, limits).values(), default=0.0)


def fitted(
    start: Design, limits: Limits, batch: int, strategy: Strategy, also: Share = nothing
) -> Sized | None:
    """As `sized`, and within the limit on a training step as it is simulated."""
    asked = limits.training_bytes
    if asked is None:
        return _sized(start, limits, batch, strategy, also)
    enough = ENOUGH if strategy == "recommended" else WELL
    best: Sized | None = None
    room = asked
    for tries in range(TRIES):
        found = _sized(start, replace(limits, training_bytes=room), batch, strategy, also)
        design = found.design if found else least(start)
        counted = profile(design, batch)
        true = max(share(counted, limits), also(counted))
        if found and true <= 1 and (best is None or true > best.share):
            best = Sized(design, true)
        if (best and best.share >= enough) or (not found and (tries or true > 1)):
            break
        ratio = counted.training_bytes() / paid(counted, "training_bytes")
        wanted = max(1, int(asked * ratio * CLOSER**tries))
        if wanted == room:
            break
        room = wanted
    return best


def _sized(
    start: Design, limits: Limits, batch: int, strategy: Strategy, also: Share
) -> Sized | None:
    if strategy == "recommended":
        return recommended(start, Search(limits, batch, also))
    return sized(start, limits, batch, strategy, also)
