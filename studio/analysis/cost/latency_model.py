"""Prediction: from a few designs that were measured to others of their family.

The latency is taken for a sum: so much for each FLOP, for each byte moved, more for each byte of
weights (they come from memory and are packed anew at every call, activations lie in a cache), and
so much for each operation started. What each costs is fitted to the measured designs, the anchors.

Over 27 designs each of ResNet, ViT, U-Net, GPT and MobileNet (one thread, shared server) and many
choices of anchors, the mean error on the designs left out was 13 % after three anchors, 9 % after
five and 7 % after eight; 17, 12 and 10 % without telling weights apart and holding back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from studio.analysis.cost.op_costs import OpCost

Array = NDArray[np.float64]

MIN_MEASURED = 3  # anchors; with two, nothing is left to check a fit by
# What holds the fit back where the anchors do not tell its parts from one another: errors of about
# 9 %, squared, over shares in the latency of about 30 %, squared.
RIDGE = 0.1
SUPPORTS = tuple(
    list(chosen)
    for count in range(1, len(OpCost._fields) + 1)
    for chosen in combinations(range(len(OpCost._fields)), count)
)


class PredictedLatency(NamedTuple):
    """A predicted latency and its band, in seconds."""

    seconds: float
    low: float
    high: float


@dataclass(frozen=True)
class LatencyModel:
    """What each part of the work costs, in seconds, and how far that misses.

    The band reaches as far, up and down, as the worst error (a ratio: `factor`) that was made on an
    anchor by the fit to the others. One more design that is drawn like the anchors is the worst of
    all with a chance of one in n + 1, so the band should hold `coverage` of such designs: 3 in 4
    after three anchors, 5 in 6 after five. Of designs unlike the anchors it holds fewer: anchors
    along one axis alone say little of the other axes (half of the designs were held).
    """

    costs: tuple[float, ...]
    factor: float
    measured: int

    @property
    def coverage(self) -> float:
        """The share of designs like the anchors that the band should hold."""
        return self.measured / (self.measured + 1)

    def __call__(self, work: OpCost) -> PredictedLatency:
        seconds = sum(cost * part for cost, part in zip(self.costs, work, strict=True))
        high = seconds * self.factor if self.factor < math.inf else math.inf
        return PredictedLatency(seconds, seconds / self.factor, high)


def fit(works: Sequence[OpCost], seconds: Sequence[float]) -> LatencyModel | None:
    """A predictor from the anchors' work and their measured seconds, in the same order.

    All of one family, device and conditions. CPU times (one thread), or wall times of a quiet
    machine: those of a busy one hit long calls harder, and give two to three times the error. None
    for fewer than three anchors.
    """
    parts, times = np.array(works, dtype=float), np.array(seconds, dtype=float)
    if len(works) < MIN_MEASURED:
        return None
    factor = max(_held_out_error(parts, times, i) for i in range(len(times)))
    return LatencyModel(tuple(map(float, _costs(parts, times))), factor, len(times))


def _held_out_error(parts: Array, times: Array, i: int) -> float:
    """How many times too long or too short an anchor is predicted that the fit has not seen."""
    others = np.arange(len(times)) != i
    ratio = float(parts[i] @ _costs(parts[others], times[others])) / float(times[i])
    return max(ratio, 1 / ratio) if ratio else math.inf


def _costs(parts: Array, times: Array) -> Array:
    """Non-negative least squares of the relative errors, held back a little (`HOLD`).

    Exact: the solution is an ordinary one with some parts left out, and there are fifteen choices.
    """
    relative = parts / times[:, None]  # a row is to add up to 1
    scale = np.sqrt(np.mean(relative**2, axis=0))
    scale[scale == 0] = 1
    rows = relative / scale
    gram, aim = rows.T @ rows + RIDGE * np.eye(len(scale)), rows.sum(axis=0)
    solutions = (_solution(gram, aim, support) for support in SUPPORTS)
    allowed = (shares for shares in solutions if shares.min() >= 0)
    best = min(allowed, key=lambda shares: float(shares @ gram @ shares - 2 * aim @ shares))
    return np.divide(best, scale)


def _solution(gram: Array, aim: Array, support: list[int]) -> Array:
    """The ordinary solution with these parts alone."""
    shares = np.zeros(len(aim))
    shares[support] = np.linalg.solve(gram[np.ix_(support, support)], aim[support])
    return shares
