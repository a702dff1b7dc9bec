r"""A network composed of stages: convolutions, recurrence and attention in any order that fits.

Papers describe networks by their stages: a number of blocks of one kind, at one width and one
resolution. Here any stage may follow any other whose shapes fit.

Reasons to mix kinds of stages:

- **Early convolutions, late attention.** A convolution looks at a neighbourhood, and its cost grows
  with the pixels, $HW$. Attention looks everywhere, and its cost grows with their square, $(HW)^2$.
  So a hybrid first shrinks the map with convolutions, then attends on the small map (CoAtNet, the
  hybrid ViT).
- **Convolutions, then recurrence.** The columns of a map, or the frames of a clip, are the time
  steps of an LSTM (CRNN, ConvLSTM).
- **Two inputs.** Cross-attention lets a map or a text read another text.

**Adapters** change the kind of tensor and are stages like all others: `ToTokens` turns the pixels
of a map into tokens, `ToMap` turns them back, `Columns` turns the columns of a map into steps, and
`FrameTokens` the frames of a clip.

**What to watch.** Downsample before attention: at a stride of 8 a 224-pixel image has 784 tokens,
at a stride of 16 it has 196, and attention costs a sixteenth. A skip connection (`Add`,
`Concatenate`) keeps its map in memory and costs hardly any compute.

Shapes: B batch, T frames, C channels, H W map, N tokens, D features of a token, K classes.

Stages are numbered from 0; the stem is -1.

Paper: Dai et al., "CoAtNet: Marrying Convolution and Attention for All Data Sizes", NeurIPS 2021,
https://arxiv.org/abs/2106.04803; Dosovitskiy et al., "An Image Is Worth 16x16 Words", ICLR 2021,
https://arxiv.org/abs/2010.11929

Official code: https://github.com/google-research/vision_transformer (the hybrid ViT; of CoAtNet
none was published)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from studio.blocks.residual import BasicBlock
from studio.family import Code, Family, Guide, Preset, results
from studio.records import records
from studio.stages.adapter import with_adapters
from studio.stages.attention import RelativeTransformer
from studio.stages.clip import ConvLSTM, LastFrame
from studio.stages.convolution import Conv
from studio.stages.head import ClassTokenHead, HiddenLayerHead, PooledHead
from studio.stages.input import ClipStem, ImageStem
from studio.stages.kinds import HEAD_KINDS, STAGE_KINDS, STEM_KINDS
from studio.stages.mixing import CrossAttention
from studio.stages.pixel_head import DecoderHead
from studio.stages.residual import (
    PreNormMBConv,
    Residual,
    StandardisedResidual,
)
from studio.stages.resolution import Pool, ValidConv
from studio.stages.sequence import Columns, Project, Recurrent
from studio.stages.stage import INPUT, MEMORY, STEM, AnyStage, Flow, Tokens
from studio.stages.stem import (
    ConvStem,
    PreNormStem,
    StandardisedConvStem,
    Stem,
)
from studio.stages.token_head import EachTokenHead, MeanTokenHead
from studio.stages.tokens import ToMap, ToTokens, Transformer
from studio.stages.validate import initial_flows, memory_of, naming_place, output_of

NUM_STAGES = range(1, 33)  # allowed numbers of stages


@dataclass(frozen=True, kw_only=True)
class Composition:
    """A network as a stem, stages and a head."""

    stem: Stem = records(
        ConvStem(),
        "The first part, which reads the input",
        options=STEM_KINDS,
    )
    stages: tuple[AnyStage, ...] = records(
        (
            Residual(block=BasicBlock, depth=2),
            Residual(block=BasicBlock, depth=2, width=128),
            Residual(block=BasicBlock, depth=2, width=256),
            ToTokens(class_token=True),
            Transformer(),
        ),
        "Stages, in order",
        options=STAGE_KINDS,
        lengths=NUM_STAGES,
    )
    head: AnyStage = records(
        ClassTokenHead(),
        "The last part, which computes the output",
        options=HEAD_KINDS,
    )

    @property
    def after_stem(self) -> tuple[AnyStage, ...]:
        """The stages and the head."""
        return (*self.stages, self.head)

    @property
    def memory(self) -> Tokens | None:
        """The second input, if any stage reads one."""
        return next((stage.memory for stage in self.after_stem if stage.memory), None)


@dataclass(frozen=True, kw_only=True)
class HybridConfig(Composition):
    """A composition whose stages fit."""

    def __post_init__(self) -> None:
        self.flows()
        if len(self.stages) not in NUM_STAGES:
            raise ValueError(
                f"a composition has at most {NUM_STAGES[-1]} stages, inserted ones included, not"
                f" {len(self.stages)}"
            )

    def flows(self) -> dict[int, Flow]:
        """The shape of each stage's output by its number; INPUT, MEMORY and STEM are below 0.

        Raises ValueError if two stages do not fit.
        """
        flows = initial_flows(self.stem, memory_of(self.after_stem))
        for i, stage in enumerate(self.after_stem):
            with naming_place(i, self.after_stem):
                flows[i] = output_of(stage, flows[i - 1], flows)
        return flows


class Hybrid(nn.Module):
    """The stem, the stages and the head, in sequence."""

    def __init__(self, config: Composition) -> None:
        super().__init__()
        self.stem = config.stem.build()
        self.stages = nn.ModuleList()
        x = config.stem.flow()  # the shape between two stages
        for stage in config.stages:
            self.stages.append(stage.build(x))
            x = stage.flow(x)
        self.head = config.head.build(x)

    def forward(self, x: Tensor) -> Tensor:
        """The input (B, ...) to the output (B, ...). B' is B times the frames of a clip."""
        x = self.stem(x)  # (B', ...)
        for stage in self.stages:
            x = stage(x)  # (B', ...)
        return self.head(x)


class JoinedHybrid(nn.Module):
    """Stages in sequence, some of which also join an earlier output or the input.

    Outputs are stored by the numbers of their stages, from 0; the stem and the inputs are below 0.
    """

    inputs: tuple[int, ...] = (INPUT,)

    def __init__(self, config: Composition) -> None:
        super().__init__()
        flows = self.initial_flows(config)
        built = []
        for i, stage in enumerate(config.after_stem):
            joined = [flows[number] for number in stage.joins]
            built.append(stage.build(flows[i - 1], *joined))
            flows[i] = stage.flow(flows[i - 1], *joined)
        self.stem = config.stem.build()
        self.stages = nn.ModuleList(built[:-1])
        self.head = built[-1]
        self.joins = [stage.joins for stage in config.after_stem]
        self.joined = {number for joins in self.joins for number in joins}

    def initial_flows(self, config: Composition) -> dict[int, Flow | None]:
        """The shapes before the first stage, by number."""
        return {INPUT: config.stem.input_flow(), STEM: config.stem.flow()}

    def forward(self, *inputs: Tensor) -> Tensor:
        """The inputs (B, ...) to the output (B, ...). B' is B times the frames of a clip."""
        outputs = dict(zip(self.inputs, inputs, strict=True))
        x = self.stem(inputs[0])  # (B', ...)
        for i, stage in enumerate((*self.stages, self.head)):
            if i - 1 in self.joined:
                outputs[i - 1] = x
            x = stage(x, *(outputs[number] for number in self.joins[i]))  # (B', ...)
        return x


class TwoInputHybrid(JoinedHybrid):
    """A hybrid with a second input, tokens (B, M, D'), which some of its stages read."""

    inputs = (INPUT, MEMORY)

    def initial_flows(self, config: Composition) -> dict[int, Flow | None]:
        return {**super().initial_flows(config), MEMORY: config.memory}


def example(config: Composition, batch: int) -> tuple[Tensor, ...]:
    """One batch for the stem, such as images (B, C, H, W)."""
    return (config.stem.example(batch),)


def example_of_two(config: Composition, batch: int) -> tuple[Tensor, ...]:
    """One batch for the stem, and one for the second input (B, M, D')."""
    assert config.memory
    second = torch.randn(batch, config.memory.count, config.memory.width)
    return config.stem.example(batch), second


def code(config: Composition) -> Code:
    """The classes that a composition needs: a plain chain if no stage joins another."""
    if config.memory:
        return Code(Composition, TwoInputHybrid, example_of_two)
    joins = any(stage.joins for stage in config.after_stem)
    return Code(Composition, JoinedHybrid if joins else Hybrid, example)


R50_VIT = HybridConfig(
    stem=StandardisedConvStem(),
    stages=(
        StandardisedResidual(depth=3, width=64, stride=1),
        StandardisedResidual(depth=4, width=128),
        StandardisedResidual(depth=9, width=256),
        Conv(width=768, kernel_size=1, norm=nn.Identity, activation=nn.Identity),
        ToTokens(class_token=True),
        Transformer(depth=12, num_heads=12),
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
            RelativeTransformer(depth=t1, width=4 * width, num_heads=width // 8),
            RelativeTransformer(depth=t2, width=8 * width, num_heads=width // 4),
        ),
        head=HiddenLayerHead(hidden_dim=8 * width),
    )


def plain(width: int, depth: int = 1) -> Conv:
    """Convolutions without norms."""
    return Conv(width=width, depth=depth, norm=nn.Identity)


CRNN = HybridConfig(
    stem=ImageStem(image_height=32, image_width=100, in_channels=1),
    stages=(
        *(plain(64), Pool()),
        *(plain(128), Pool()),
        *(plain(256, depth=2), Pool(stride_width=1)),
        *(Conv(width=512, depth=2), Pool(stride_width=1)),
        *(ValidConv(width=512, norm=nn.Identity), Columns()),
        *(Recurrent(hidden_size=256), Project(embed_dim=256), Recurrent(hidden_size=256)),
    ),
    head=EachTokenHead(num_classes=37),
)
VIDEO = HybridConfig(
    stem=ClipStem(frames=16),
    stages=(
        Conv(width=64, kernel_size=7, stride=2),
        *(Residual(block=BasicBlock, depth=2), Residual(block=BasicBlock, depth=2, width=128)),
        *(ConvLSTM(width=128), LastFrame()),
    ),
    head=PooledHead(num_classes=101),
)
ATTENTION_U_NET = HybridConfig(
    stem=ConvStem(image_size=256, depth=2, stride=1),
    stages=(
        *(Pool(), Conv(width=128, depth=2)),
        *(Pool(), Conv(width=256, depth=2)),
        *(Pool(), Conv(width=512, depth=2)),
        *(Pool(), ToTokens(), Transformer(), ToMap()),
    ),
    head=DecoderHead(skips=(5, 3, 1, -1), num_classes=2),
)
IMAGE_AND_TEXT = HybridConfig(
    stem=ConvStem(),
    stages=(
        *(Residual(block=BasicBlock, depth=2, width=128),),
        *(Residual(block=BasicBlock, depth=2, width=256),),
        *(Residual(block=BasicBlock, depth=2, width=512), ToTokens()),
        *(CrossAttention(memory_dim=768), Transformer(depth=2)),
    ),
    head=MeanTokenHead(num_classes=3129),
)

OWN = "of our own: "
TIMM = "timm 1.0.31, "
DAI = "Dai et al. 2021, https://arxiv.org/abs/2106.04803, Table 4 (ImageNet-1k alone, at 224)"
SHI_TABLE_2 = "Shi et al. 2015, Table 2 (without a lexicon)"
SHI = (
    "the definition summed: Shi et al. 2015, https://arxiv.org/abs/1507.05717, Table 1, with the"
    " layer that joins both directions in the authors' code; the paper says 8.3 million"
)

# fmt: off
PRESETS = (
    Preset("Residual stages + transformer", HybridConfig(), None, OWN + "one to start from"),
    Preset("R50+ViT-B/16", R50_VIT, 98_659_112, TIMM + "vit_base_r50_s16_224, 1000 classes"),
    Preset("CoAtNet-0", coatnet(64, 96, (2, 3, 5, 2)), 25_036_820, TIMM + "coatnet_0_224"),
    Preset("CoAtNet-1", coatnet(64, 96, (2, 6, 14, 2)), 42_225_776, TIMM + "coatnet_1_224"),
    Preset("CoAtNet-2", coatnet(128, 128, (2, 6, 14, 2)), 74_684_744, TIMM + "coatnet_2_224"),
    Preset("CoAtNet-3", coatnet(192, 192, (2, 6, 14, 2)), 166_966_264, TIMM + "coatnet_3_224"),
    Preset("CRNN", CRNN, 8_329_765, SHI),
    Preset("ConvLSTM video classifier", VIDEO, None, OWN + "residual stages on each of 16 frames, the recurrence of Shi et al. 2015 (https://arxiv.org/abs/1506.04214) over them"),  # noqa: E501
    Preset("U-Net with attention bottleneck", ATTENTION_U_NET, None, OWN + "Figure 1 of Ronneberger et al. 2015 with a transformer at the bottom"),  # noqa: E501
    Preset("CNN-text cross-attention", IMAGE_AND_TEXT, None, OWN + "the pixels of a map attend to the states of a text encoder as wide as BERT-base"),  # noqa: E501
)
# fmt: on

FAMILY = Family(
    title="Hybrid of stages",
    config=HybridConfig,
    model=lambda config: code(config).model(config),
    example=lambda config, batch: code(config).example(config, batch),
    code=code,
    presets=PRESETS,
    adapt=with_adapters,
    guide=Guide(
        tasks=("classification", "segmentation", "multi-modal"),
        data="medium",
        use_when="one kind of layer does not fit the whole task: details are local and decisions"
        " global, or frames are images whose order matters",
        avoid_when="a published network of one kind is enough: it is better understood, and its"
        " weights can be downloaded",
        strengths=(
            "convolutions learn local patterns from few examples, attention relates distant parts",
            "each stage can be scaled by itself",
        ),
        cost="the sum of the stages: convolutions ∝ H·W·C²·k², attention ∝ N²·D + N·D²",
        related=("resnet", "vit", "convnext", "unet", "recurrent"),
        results=(
            *results(
                "ImageNet-1k top-1",
                "%",
                DAI,
                {"CoAtNet-0": 81.6, "CoAtNet-1": 83.3, "CoAtNet-2": 84.1, "CoAtNet-3": 84.5},
            ),
            *results("IIIT5K accuracy", "%", SHI_TABLE_2, {"CRNN": 78.2}),
            *results("ICDAR 2013 accuracy", "%", SHI_TABLE_2, {"CRNN": 86.7}),
        ),
    ),
)
