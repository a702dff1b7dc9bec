"""How well do five measured designs predict the rest of their family, and how honest is the band?

    python -m pytest tests/benchmarks/bench_prediction.py -o addopts= -s

Takes about four minutes. Of each family eleven designs out of a grid of depth, width and resolution
are measured in turn, in shuffled order, on one thread. Five that span the grid are the anchors, six
drawn by lot are held out. What is predicted is the CPU time of a call, which on a quiet machine is
its latency and which a busy one hardly moves.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Mapping, Sequence
from itertools import combinations, product
from typing import Any, NamedTuple

import numpy as np
import pytest

import studio
from studio import measurable
from studio.analysis.cost import roofline
from studio.analysis.cost.latency_model import fit
from studio.analysis.cost.op_costs import OpCost, total_cost
from studio.bench.calibration import Calibration, calibrate
from studio.bench.conditions import Conditions
from studio.bench.results import Measurement
from studio.bench.sweep import sweep
from studio.family import Design
from studio.process.worker import worker

Levels = tuple[int, ...]  # of depth, width and resolution, each from 0 to 2

BUDGET_S = 35.0  # timing, for a family
BAR = 0.12
SLACK = 0.15  # in the share of 30 held-out designs that lie in the band
CHOICES = 100  # of other anchors, out of the same eleven measurements
ANCHORS: tuple[Levels, ...] = ((0, 0, 0), (2, 2, 2), (0, 1, 2), (1, 2, 0), (2, 0, 1))
REST = [levels for levels in product(range(3), repeat=3) if levels not in ANCHORS]
HELD_OUT = random.Random(0).sample(REST, 6)

GRIDS: Mapping[str, tuple[Design, Mapping[str, Sequence[Any]]]] = {
    "ResNet": (
        studio.design("resnet", "ResNet-50"),
        {
            "depths": ((1, 1, 1, 1), (2, 2, 2, 2), (3, 4, 6, 3)),
            "base_channels": (16, 32, 64),
            "image_size": (64, 128, 192),
        },
    ),
    "ViT": (
        studio.design("vit", "ViT-S/16", embed_dim=256, num_heads=4),
        {"depth": (3, 6, 12), "embed_dim": (128, 256, 384), "image_size": (96, 160, 224)},
    ),
    "U-Net": (
        studio.design("unet"),
        {"depth": (2, 3, 4), "base_channels": (8, 16, 32), "image_size": (64, 128, 192)},
    ),
    "GPT": (
        studio.design("gpt", "nanoGPT Shakespeare", embed_dim=256, num_heads=4),
        {"depth": (3, 6, 12), "embed_dim": (128, 256, 384), "seq_len": (64, 128, 256)},
    ),
    "MobileNet": (
        studio.design("mobilenet"),
        {
            "depth_mult": (0.5, 1.0, 1.5),
            "width_mult": (0.35, 0.7, 1.0),
            "image_size": (96, 160, 224),
        },
    ),
}


class Case(NamedTuple):
    """A measured design: its work, the seconds of its roofline, and the measured ones."""

    work: OpCost
    roofline: float
    seconds: float
    clean: bool


class Score(NamedTuple):
    """Of held-out designs: the mean relative error, the share that lay in the band, Spearman's rank
    correlation of the prediction and of the roofline, and the band's factor."""

    error: float
    held: float
    order: float
    roofline_order: float
    factor: float


def measured(family: str, device: roofline.DeviceLimits) -> list[Case]:
    base, knobs = GRIDS[family]
    designs = [
        base.replace(**{name: knobs[name][i] for name, i in zip(knobs, levels, strict=True)})
        for levels in (*ANCHORS, *HELD_OUT)
    ]
    subjects = [measurable.subject(d) for d in designs]
    *_, points = sweep(subjects, Conditions(), budget_s=BUDGET_S, round_s=2.5)
    return [case(d, point, device) for d, point in zip(designs, points, strict=True)]


def case(design: Design, point: object, device: roofline.DeviceLimits) -> Case:
    assert isinstance(point, Measurement), point
    assert point.cpu_s
    root = studio.profile(design).root
    return Case(
        total_cost(root), roofline.roofline_seconds(device, root), point.cpu_s, bool(point.clean)
    )


def score(anchors: Sequence[Case], held_out: Sequence[Case]) -> Score:
    predictor = fit([a.work for a in anchors], [a.seconds for a in anchors])
    assert predictor
    expected = [predictor(c.work) for c in held_out]
    times = [c.seconds for c in held_out]
    pairs = list(zip(expected, times, strict=True))
    return Score(
        error=statistics.fmean(abs(e.seconds / seconds - 1) for e, seconds in pairs),
        held=statistics.fmean(e.low <= seconds <= e.high for e, seconds in pairs),
        order=spearman([e.seconds for e in expected], times),
        roofline_order=spearman([c.roofline for c in held_out], times),
        factor=predictor.factor,
    )


def spearman(one: Sequence[float], other: Sequence[float]) -> float:
    ranks = [np.argsort(np.argsort(figures)) for figures in (one, other)]
    return float(np.corrcoef(*ranks)[0, 1])


def mixed(cases: Sequence[Case]) -> Score:
    """The mean over other choices of five anchors out of the same designs."""
    choices = list(combinations(range(len(cases)), len(ANCHORS)))
    scores = [
        score([cases[i] for i in chosen], [c for i, c in enumerate(cases) if i not in chosen])
        for chosen in random.Random(0).sample(choices, CHOICES)
    ]
    return Score(*map(statistics.fmean, zip(*scores, strict=True)))


@pytest.mark.timeout(900)
def test_five_anchors_predict_their_family() -> None:
    found: Calibration = worker().submit(calibrate, Conditions()).result()
    print(
        f"\n{found.device}: {found.flops_per_s / 1e9:.0f} GFLOP/s, {found.bytes_per_s / 1e9:.1f}"
        f" GB/s, {found.seconds_per_op * 1e6:.1f} µs an operation"
    )
    device = roofline.DeviceLimits(
        flops_per_s=found.flops_per_s,
        bytes_per_s=found.bytes_per_s,
        seconds_per_op=found.seconds_per_op,
    )
    scores, others = {}, {}
    for family in GRIDS:
        cases = measured(family, device)
        anchors, held_out = cases[: len(ANCHORS)], cases[len(ANCHORS) :]
        scores[family], others[family] = score(anchors, held_out), mixed(cases)
        report(family, cases, scores[family], others[family])
    claimed = len(ANCHORS) / (len(ANCHORS) + 1)
    held = statistics.fmean(s.held for s in scores.values())
    anyhow = statistics.fmean(s.held for s in others.values())
    print(f"in the band: {held:.0%}, with any anchors {anyhow:.0%}; it claims {claimed:.0%}")
    assert max(s.error for s in scores.values()) <= BAR
    assert held >= claimed - SLACK
    assert anyhow >= claimed - SLACK


def report(family: str, cases: Sequence[Case], mine: Score, others: Score) -> None:
    times = [c.seconds for c in cases]
    ratios = [c.roofline / c.seconds for c in cases]
    print(
        f"{family}, {min(times) * 1e3:.1f} to {max(times) * 1e3:.0f} ms,"
        f" {sum(c.clean for c in cases)} of {len(cases)} clean:"
        f" error {mine.error:.1%} (bar {BAR:.0%}), order {mine.order:.3f},"
        f" in the band {mine.held:.0%} (×÷ {mine.factor:.2f});"
        f" any five anchors: error {others.error:.1%}, in the band {others.held:.0%};"
        f" roofline: {statistics.median(ratios):.2f} of the time"
        f" ({min(ratios):.2f} to {max(ratios):.2f}), order {mine.roofline_order:.3f}"
    )
