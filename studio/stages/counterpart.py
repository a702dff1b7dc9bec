"""What could be in the place of a row that does not take what flows there, or before it."""

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
from studio.stages.stage import Flow, Map, Row, Tokens, is_taken
from studio.stages.token_head import EachTokenHead, MeanTokenHead
from studio.stages.tokens import ToMap, ToTokens, Transformer

CONVOLUTIONS: tuple[type[Row], ...] = (
    *(Conv, ValidConv, Residual, StandardisedResidual, ConvNeXtBlocks),
    *(MBConv, PreNormMBConv, DepthwiseSeparable, Inception),
)
COUNTERPARTS: Mapping[type[Row], tuple[type[Row], ...]] = MappingProxyType(
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


def adapters(x: Flow, rows: Sequence[Row]) -> tuple[Row, ...]:
    """What makes of x the kind of tensor that the first of these rows takes, where one thing alone
    can be meant; with a token for the class where the last of them reads one."""
    if isinstance(x, rows[0].takes):
        return ()
    if isinstance(x, Tokens):
        return (ToMap(),) if x.grid else ()
    read = isinstance(rows[-1], ClassTokenHead) and all(row.takes is not Map for row in rows)
    return (ToTokens(class_token=read),) if x.frames == 1 else (FrameTokens(),)


def bridges(x: Flow, row: Row) -> Iterator[Row]:
    """Rows between which and this one x could pass."""
    yield from (step for step in adapters(x, (row,)) if is_taken(x, step))
    if isinstance(x, Tokens):
        yield ToMap()
    elif x.frames > 1:
        yield LastFrame()
