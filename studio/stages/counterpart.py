"""What to suggest for a stage that does not take its input: another stage, or one before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from studio.stages.attention import RelativeTransformer, WindowTransformer
from studio.stages.clip import ConvLSTM, FrameTokens, LastFrame
from studio.stages.convolution import Conv, DepthwiseSeparable, Inception
from studio.stages.head import ClassTokenHead, HiddenLayerHead, PooledHead
from studio.stages.mixing import MLPMixer
from studio.stages.pixel_head import DecoderHead, PixelHead
from studio.stages.residual import (
    ConvNeXtBlocks,
    MBConv,
    PreNormMBConv,
    Residual,
    StandardisedResidual,
)
from studio.stages.resolution import ValidConv
from studio.stages.sequence import Columns, Recurrent, TemporalConv
from studio.stages.stage import AnyStage, Flow, Map, Tokens, accepts
from studio.stages.token_head import EachTokenHead, MeanTokenHead
from studio.stages.tokens import ToMap, ToTokens, Transformer

CONVOLUTIONS: tuple[type[AnyStage], ...] = (
    *(Conv, ValidConv, Residual, StandardisedResidual, ConvNeXtBlocks),
    *(MBConv, PreNormMBConv, DepthwiseSeparable, Inception),
)
COUNTERPARTS: Mapping[type[AnyStage], tuple[type[AnyStage], ...]] = MappingProxyType(
    {
        **dict.fromkeys(CONVOLUTIONS, (TemporalConv,)),
        **dict.fromkeys((RelativeTransformer, WindowTransformer), (Transformer, MLPMixer)),
        **dict.fromkeys((PooledHead, HiddenLayerHead), (MeanTokenHead,)),
        **dict.fromkeys((PixelHead, DecoderHead), (EachTokenHead,)),
        **dict.fromkeys((ToTokens, Columns), (FrameTokens,)),
        ConvLSTM: (Conv, Recurrent),
        FrameTokens: (ToTokens,),
    }
)


def adapters(x: Flow, stages: Sequence[AnyStage]) -> tuple[AnyStage, ...]:
    """What turns x into the kind of tensor that the first of these stages takes, if only one
    adapter can be meant. It adds a class token if the head, the last of them, reads one."""
    if isinstance(x, stages[0].takes):
        return ()
    if isinstance(x, Tokens):
        return (ToMap(),) if x.grid else ()
    read = isinstance(stages[-1], ClassTokenHead) and all(s.takes is not Map for s in stages)
    return (ToTokens(class_token=read),) if x.frames == 1 else (FrameTokens(),)


def bridges(x: Flow, stage: AnyStage) -> Iterator[AnyStage]:
    """Stages that may turn x into an input of this one."""
    yield from (step for step in adapters(x, (stage,)) if accepts(step, x))
    if isinstance(x, Tokens):
        yield ToMap()
    elif x.frames > 1:
        yield LastFrame()
