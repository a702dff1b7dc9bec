"""Latency model: predict the latency of designs from a few measured ones of their family.

The latency is modelled as a sum: a time for each FLOP, for each byte moved, more for each byte of
weights (they come from memory and are packed anew at every call; activations are cached), and for
each operation started. These four are fitted to the measured designs.

Over 27 designs each of ResNet, ViT, U-Net, GPT and MobileNet (one thread, shared server) and many
choices of measured designs, the mean error on the others was 13 % with three measured designs, 9 %
with five and 7 % with eight; 17, 12 and 10 % without separate weights and regularisation.
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

WIDEST = 3.0  # factor of a band; a wider one is not informative
MIN_MEASURED = 3  # with two designs, nothing is left to check the fit
# Regularisation, for parts that the measured designs do not separate: errors of about
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
    """What each part of the work costs, in seconds, and the error of the fit.

    The band is the worst error (a ratio: `factor`) made on a measured design by the fit to the
    others, up and down. A further design drawn like the measured ones is the worst of all with a
    chance of 1 in n + 1, so the band should hold for `coverage` of such designs: 3 in 4 after
    three, 5 in 6 after five. It holds for fewer designs unlike the measured ones: those along one
    axis say little about the other axes (the band held for half of the designs).
    """

    costs: tuple[float, ...]
    factor: float
    measured: int

    @property
    def coverage(self) -> float:
        """The share of designs like the measured ones for which the band should hold."""
        return self.measured / (self.measured + 1)

    @property
    def has_band(self) -> bool:
        """Whether the band is narrow enough to be told."""
        return self.factor <= WIDEST

    def __call__(self, work: OpCost) -> PredictedLatency:
        seconds = sum(cost * part for cost, part in zip(self.costs, work, strict=True))
        high = seconds * self.factor if self.factor < math.inf else math.inf
        return PredictedLatency(seconds, seconds / self.factor, high)


def fit(works: Sequence[OpCost], seconds: Sequence[float]) -> LatencyModel | None:
    """A model from the work of measured designs and their latencies in seconds, in the same order.

    All of one family, device and conditions. CPU times (one thread), or wall times of an idle
    machine: those of a busy one distort long calls, and give two to three times the error. None for
    fewer than three designs.
    """
    parts, times = np.array(works, dtype=float), np.array(seconds, dtype=float)
    if len(works) < MIN_MEASURED:
        return None
    factor = max(_held_out_error(parts, times, i) for i in range(len(times)))
    return LatencyModel(tuple(map(float, _costs(parts, times))), factor, len(times))


def _held_out_error(parts: Array, times: Array, i: int) -> float:
    """The ratio by which a design is mispredicted by the fit to the others."""
    others = np.arange(len(times)) != i
    ratio = float(parts[i] @ _costs(parts[others], times[others])) / float(times[i])
    return max(ratio, 1 / ratio) if ratio else math.inf


def _costs(parts: Array, times: Array) -> Array:
    """Non-negative least squares of the relative errors, regularised by `RIDGE`.

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
    """The ordinary least-squares solution with these parts only."""
    shares = np.zeros(len(aim))
    shares[support] = np.linalg.solve(gram[np.ix_(support, support)], aim[support])
    return shares
