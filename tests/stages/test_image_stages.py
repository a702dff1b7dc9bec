"""Rows for images: what flows out is what a row says, whatever map flows in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from studio import blocks, stages
from studio.blocks.coatnet import RelativeAttention
from studio.blocks.residual import BasicBlock, PaddedResidualUnit
from studio.blocks.weight_standardisation import SamePad, StandardisedConv
from studio.blocks.window_attention import GridBlock, WindowBlock
from studio.knobs import knobs
from studio.stages.attention import RelativeTransformer, WindowTransformer
from studio.stages.convolution import (
    Conv,
    DepthwiseSeparable,
    Inception,
    MapStage,
    SqueezeExcitation,
)
from studio.stages.head import HiddenLayerHead, PooledHead
from studio.stages.residual import (
    ConvNeXtBlocks,
    MBConv,
    PreNormMBConv,
    Residual,
    StandardisedResidual,
)
from studio.stages.stage import Map
from studio.stages.stem import (
    ConvPoolStem,
    ConvStem,
    PatchStem,
    PreNormStem,
    SquareImageStem,
    StandardisedConvStem,
)
from tests.zoo.shape_comments import checked

ROOMS = (Path(blocks.__file__).parent, Path(stages.__file__).parent)
STAGES: tuple[type[MapStage], ...] = (
    *(Conv, Residual, StandardisedResidual, MBConv, PreNormMBConv, ConvNeXtBlocks),
    *(DepthwiseSeparable, Inception, SqueezeExcitation, RelativeTransformer, WindowTransformer),
)
STEMS: tuple[type[SquareImageStem], ...] = (
    *(ConvStem, ConvPoolStem, PatchStem, PreNormStem, StandardisedConvStem),
)
MAPS = (Map(16, 12, 12), Map(16, 9, 7), Map(24, 12, 8, frames=3))


def variants(kind: Any) -> Iterator[Any]:
    """A narrow row of two blocks, at each stride, and with each of its options."""
    known = knobs(kind)
    light = {"depth": 2, "width": 32, "num_heads": 4, "window_size": 4, "hidden_dim": 16}
    row = kind(**{name: value for name, value in light.items() if name in known})
    yield row
    for name, knob in known.items():
        for value in knob.options or ((1, 2, 3) if name == "stride" else ()):
            yield replace(row, **{name: value})


def fits(row: MapStage, x: Map) -> bool:
    try:
        row.flow(x)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("kind", STAGES, ids=lambda kind: kind.__name__)
def test_a_stage_gives_what_it_says(kind: type[MapStage]) -> None:
    fitting = [(row, x) for row in variants(kind) for x in MAPS if fits(row, x)]
    assert fitting
    for row, x in fitting:
        y = row.flow(x)
        with checked(*ROOMS), torch.no_grad():
            out = row.build(x).eval()(torch.randn(x.frames, x.channels, x.height, x.width))
        assert out.shape == (x.frames, y.channels, y.height, y.width), row
        assert y.frames == x.frames


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (Conv(stride=4), "stride=4 exceeds the 3 × 5 pixels of the map"),
        (ConvNeXtBlocks(stride=4), "stride=4 exceeds the 3 × 5 pixels of the map"),
        (WindowTransformer(num_heads=5), "num_heads=5 must divide the channels of the map, 24"),
        (WindowTransformer(), "window_size=7 must divide the sides of the map, 3 × 5"),
    ],
)
def test_what_does_not_fit_is_told_by_its_knob(row: MapStage, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        row.flow(Map(24, 3, 5))


def test_a_padded_shortcut_to_fewer_channels_adds_those_in_the_middle() -> None:
    row = Residual(block=BasicBlock, depth=1, width=16, stride=1, shortcut=PaddedResidualUnit)
    unit = row.build(Map(24, 4, 4)).eval()
    for parameter in unit.parameters():
        nn.init.zeros_(parameter)
    x = torch.rand(2, 24, 4, 4)
    torch.testing.assert_close(unit(x), x[:, 4:20])


@pytest.mark.parametrize("side", [32, 36])
@pytest.mark.parametrize("kind", STEMS, ids=lambda kind: kind.__name__)
def test_a_stem_gives_what_it_says(kind: type[SquareImageStem], side: int) -> None:
    for row in variants(kind):
        stem = replace(row, image_size=side)
        y = stem.flow()
        assert isinstance(y, Map)
        with checked(*ROOMS), torch.no_grad():
            out = stem.build().eval()(stem.example(2))
        assert out.shape == (2, y.channels, y.height, y.width), stem


@pytest.mark.parametrize("kind", [PooledHead, HiddenLayerHead])
def test_a_head_gives_logits(kind: Any) -> None:
    for head in variants(kind):
        logits = replace(head, num_classes=7).build(Map(16, 5, 3))(torch.randn(2, 16, 5, 3))
        assert logits.shape == (2, 7)


def test_a_relative_weight_is_that_of_the_offset() -> None:
    attention = RelativeAttention(8, 8, num_heads=2, height=3, width=4)
    bias = attention.bias().reshape(2, 3, 4, 3, 4)
    for i, j, m, n in [(0, 0, 2, 3), (2, 3, 0, 0), (1, 2, 1, 2), (2, 0, 1, 3)]:
        offset = attention.offset[:, i - m + 2, j - n + 3]
        torch.testing.assert_close(bias[:, i, j, m, n], offset)


@pytest.mark.parametrize(("kind", "near"), [(WindowBlock, True), (GridBlock, False)])
def test_windows_see_neighbours_and_grids_the_whole_map(kind: Any, near: bool) -> None:
    block = kind(8, 2, 16, window_size=2)
    x = torch.randn(1, 8, 4, 6, requires_grad=True)
    gradient = torch.autograd.grad(block(x)[0, :, 0, 0].sum(), x)[0]
    seen = [(i, j) for i in range(4) for j in range(6) if gradient[0, :, i, j].any()]
    assert seen == ([(0, 0), (0, 1), (1, 0), (1, 1)] if near else [(0, 0), (0, 3), (2, 0), (2, 3)])


def test_a_standardised_filter_has_no_mean_and_unit_variance() -> None:
    conv, mean_of = StandardisedConv(4, 6, 3), torch.ones(1, 4, 3, 3)
    nn.init.normal_(conv.weight, mean=2.0, std=5.0)
    torch.testing.assert_close(conv(mean_of), torch.zeros(1, 6, 1, 1), atol=1e-4, rtol=0)
    every = torch.eye(36).reshape(36, 4, 3, 3)  # one weight of each filter after the other
    variance = conv(every).flatten(1).var(dim=0, correction=0)
    torch.testing.assert_close(variance, torch.ones(6), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("size", "kernel_size", "stride", "zeros"),
    [
        (224, 7, 2, (2, 3)),
        (112, 3, 2, (0, 1)),
        (7, 3, 2, (1, 1)),
        (9, 3, 1, (1, 1)),
        (8, 1, 2, (0, 0)),
    ],
)
def test_same_padding_puts_the_odd_zero_last(
    size: int, kernel_size: int, stride: int, zeros: tuple[int, int]
) -> None:
    assert SamePad(kernel_size, stride).split(size) == zeros
