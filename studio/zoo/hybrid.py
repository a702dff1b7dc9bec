r"""A network composed of stages: convolutions, recurrence and attention in any order that fits.

Papers describe networks by their stages: so many blocks of one kind, so wide, at such a resolution.
Here each stage is a row, and any row may follow any other whose shapes fit:

- **Early convolutions, late attention.** A convolution looks at a neighbourhood, and its cost grows
  with the pixels, $HW$. Attention looks everywhere, and its cost grows with their square, $(HW)^2$.
  So a hybrid shrinks the map with convolutions first and attends when it is small (CoAtNet, the
  hybrid ViT).
- **Convolutions, then recurrence.** Columns of a map, or frames of a clip, are steps in time for an
  LSTM (CRNN, ConvLSTM).
- **Two inputs.** Cross-attention lets a map or a text read another text.

**Rows that lead from one kind of tensor to another** stand in the list like all others: `ToTokens`
makes tokens of a map's pixels, `ToMap` makes them a map again.

**What to watch.** Whether a step down in resolution comes before attention: at a stride of 8 an
image of 224 pixels has 784 tokens, at a stride of 16 it has 196, and attention costs a sixteenth. A
skip connection (`Join`) keeps its map alive until it is read: it costs memory, not compute.

Shapes: B batch, T frames, C channels, H W map, N tokens, D their width, K classes.

Paper: Dai et al., "CoAtNet: Marrying Convolution and Attention for All Data Sizes", NeurIPS 2021,
https://arxiv.org/abs/2106.04803; Dosovitskiy et al., "An Image Is Worth 16x16 Words", ICLR 2021,
https://arxiv.org/abs/2010.11929

Official code: https://github.com/google-research/vision_transformer (the hybrid ViT; of CoAtNet
none was published)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from studio.blocks.stages.attention import RelativeTransformer, WindowTransformer
from studio.blocks.stages.convolution import Conv, DepthwiseSeparable, Inception, SqueezeExcitation
from studio.blocks.stages.flow import MEMORY, STEM, Flow, Map, Row, Tokens
from studio.blocks.stages.head import ClassTokenHead, Head, HiddenLayerHead, PooledHead
from studio.blocks.stages.residual import (
    ConvNeXtBlocks,
    MBConv,
    PreNormMBConv,
    Residual,
    StandardisedResidual,
)
from studio.blocks.stages.stem import (
    ConvPoolStem,
    ConvStem,
    PatchStem,
    PreNormStem,
    StandardisedConvStem,
    Stem,
    TokenStem,
)
from studio.blocks.stages.tokens import ToMap, ToTokens, Transformer
from studio.family import Family, Guide, Preset
from studio.records import records

ADAPTERS = {(Map, Tokens): ToTokens(), (Tokens, Map): ToMap()}


@dataclass(frozen=True, kw_only=True)
class HybridConfig:
    """What the network is composed of, from the input to the answer."""

    stem: Stem = records(
        ConvStem(),
        "What becomes of the input first",
        options=(
            *(ConvStem, ConvPoolStem, PatchStem, PreNormStem, StandardisedConvStem),
            TokenStem,
        ),
    )
    stages: tuple[Row, ...] = records(
        (Residual(), ToTokens(class_token=True), Transformer()),
        "The stages, in order",
        options=(
            *(Conv, Residual, StandardisedResidual, MBConv, PreNormMBConv, ConvNeXtBlocks),
            *(DepthwiseSeparable, Inception, SqueezeExcitation),
            *(RelativeTransformer, WindowTransformer),
            *(ToTokens, Transformer, ToMap),
        ),
        lengths=range(1, 33),
    )
    head: Head = records(
        ClassTokenHead(),
        "The answer",
        options=(PooledHead, HiddenLayerHead, ClassTokenHead),
    )

    def __post_init__(self) -> None:
        self.flows()

    @property
    def rows(self) -> tuple[Row, ...]:
        """All that comes after the stem."""
        return (*self.stages, self.head)

    @property
    def memory(self) -> Tokens | None:
        """The second input, if any stage reads one."""
        return next((row.memory for row in self.rows if row.memory), None)

    def flows(self) -> dict[int, Flow]:
        """What comes out of each stage, by its number, the stem being -1 and the memory -2.

        Raises ValueError where two rows do not fit.
        """
        x = self.stem.start()
        flows = {MEMORY: self.memory or x, STEM: x}
        for i, row in enumerate(self.rows):
            place = f"stages.{i}" if i < len(self.stages) else "head"
            if not isinstance(x, row.takes):
                raise ValueError(f"{place}: {type(row).__name__} does not take {x}")
            try:
                flows[i] = x = row.flow(x, *self.joined(row, flows))
            except ValueError as broken:
                raise ValueError(f"{place}: {broken}") from None
        return flows

    def joined(self, row: Row, flows: Mapping[int, Flow]) -> Iterator[Flow]:
        """What a row reads beside what flows in. Raises ValueError where it is not there yet."""
        for number in row.joins:
            if number not in flows:
                raise ValueError(f"source={number} is no stage before it")
            yield flows[number]


class Hybrid(nn.Module):
    """The rows one after the other; a row that joins an earlier one is given its output too."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        flows, rows = config.flows(), config.rows
        built = [row.build(flows[i - 1], *config.joined(row, flows)) for i, row in enumerate(rows)]
        self.stem = config.stem.module()
        self.stages = nn.ModuleList(built[:-1])
        self.head = built[-1]
        self.joins = tuple(row.joins for row in rows)
        self.kept = frozenset(number for joins in self.joins for number in joins)

    def forward(self, x: Tensor, *memory: Tensor) -> Tensor:
        """The input of the stem, and the second input where a stage reads one, to the answer."""
        outputs = dict.fromkeys((MEMORY,), *memory) if memory else {}
        x = self.stem(x)
        for i, row in enumerate((*self.stages, self.head)):
            if i - 1 in self.kept:
                outputs[i - 1] = x
            x = row(x, *(outputs[number] for number in self.joins[i]))
        return x


def example(config: HybridConfig, batch: int) -> tuple[Tensor, ...]:
    """One batch for the stem, and where a stage reads a second input, one of its tokens."""
    first = config.stem.example(batch)
    if config.memory is None:
        return (first,)
    return first, torch.randn(batch, config.memory.count, config.memory.width)


def adapted(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with a row that leads from one kind of tensor to the other wherever two rows
    need one, up to the first row that does not fit for another reason."""
    x, rows = settings["stem"].start(), []
    left = [*settings["stages"], settings["head"]]
    try:
        while left:
            if adapter := ADAPTERS.get((type(x), left[0].takes)):
                x = adapter.flow(x)
                rows.append(adapter)
            x = left[0].flow(x)
            rows.append(left.pop(0))
    except ValueError:
        rows += left
    return {**settings, "stages": tuple(rows[:-1])}


R50_VIT = HybridConfig(
    stem=StandardisedConvStem(),
    stages=(
        StandardisedResidual(depth=3, width=64, stride=1),
        StandardisedResidual(depth=4, width=128),
        StandardisedResidual(depth=9, width=256),
        Conv(width=768, kernel_size=1, norm=nn.Identity, activation=nn.Identity),
        ToTokens(class_token=True),
        Transformer(depth=12, heads=12),
    ),
)


def coatnet(stem: int, width: int, depths: tuple[int, int, int, int]) -> HybridConfig:
    """A column of Dai et al. 2021, Table 3: convolution, convolution, attention, attention."""
    c1, c2, t1, t2 = depths
    return HybridConfig(
        stem=PreNormStem(width=stem),
        stages=(
            PreNormMBConv(depth=c1, width=width),
            PreNormMBConv(depth=c2, width=2 * width),
            RelativeTransformer(depth=t1, width=4 * width, heads=width // 8),
            RelativeTransformer(depth=t2, width=8 * width, heads=width // 4),
        ),
        head=HiddenLayerHead(hidden_size=8 * width),
    )


TIMM = "timm 1.0.31, "

PRESETS = (
    Preset(
        "Residual stage + transformer",
        HybridConfig(),
        None,
        "a small one to start from, of our own",
    ),
    Preset("R50+ViT-B/16", R50_VIT, 98_659_112, TIMM + "vit_base_r50_s16_224, 1000 classes"),
    Preset("CoAtNet-0", coatnet(64, 96, (2, 3, 5, 2)), 25_036_820, TIMM + "coatnet_0_224"),
    Preset("CoAtNet-1", coatnet(64, 96, (2, 6, 14, 2)), 42_225_776, TIMM + "coatnet_1_224"),
    Preset("CoAtNet-2", coatnet(128, 128, (2, 6, 14, 2)), 74_684_744, TIMM + "coatnet_2_224"),
    Preset("CoAtNet-3", coatnet(192, 192, (2, 6, 14, 2)), 166_966_264, TIMM + "coatnet_3_224"),
)

FAMILY = Family(
    title="Hybrid: a network composed of stages",
    config=HybridConfig,
    model=Hybrid,
    example=example,
    presets=PRESETS,
    adapted=adapted,
    guide=Guide(
        tasks=("classification", "segmentation", "time-series", "multi-modal"),
        data="medium",
        use_when="One kind of layer does not fit the whole task: details are local, decisions are"
        " global; frames are images, and their order matters.",
        avoid_when="A published network of one kind serves: it is better understood, and its"
        " weights can be downloaded.",
        strengths=(
            "convolutions see edges with few examples, attention relates far parts",
            "each stage can be scaled by itself",
        ),
        cost="The sum of the stages: convolutions ∝ H·W·C²·k², attention ∝ N²·D + N·D²",
        related=("resnet", "vit", "convnext", "unet", "recurrent"),
    ),
)
