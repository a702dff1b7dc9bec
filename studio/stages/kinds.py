"""The kinds of stages that a composition may be made of. A new kind is added here."""

from __future__ import annotations

from studio.stages.attention import RelativeTransformer, WindowTransformer
from studio.stages.clip import ConvLSTM, FrameTokens, LastFrame
from studio.stages.convolution import Conv, DepthwiseSeparable, Inception, SqueezeExcitation
from studio.stages.head import ClassTokenHead, HiddenLayerHead, PooledHead
from studio.stages.input import ClipStem, ImageStem, SeriesStem
from studio.stages.join import Add, Concatenate
from studio.stages.mixing import CrossAttention, MLPMixer
from studio.stages.pixel_head import DecoderHead, PixelHead
from studio.stages.residual import (
    ConvNeXtBlocks,
    MBConv,
    PreNormMBConv,
    Residual,
    StandardisedResidual,
)
from studio.stages.resolution import Pool, Upsample, ValidConv
from studio.stages.sequence import Columns, Position, Project, Recurrent, TemporalConv
from studio.stages.stem import (
    ConvPoolStem,
    ConvStem,
    PatchStem,
    PreNormStem,
    StandardisedConvStem,
    TokenStem,
)
from studio.stages.token_head import AttentionPoolHead, EachTokenHead, LastTokenHead, MeanTokenHead
from studio.stages.tokens import PrependClassToken, ToMap, ToTokens, Transformer

STEM_KINDS = (
    *(ConvStem, ConvPoolStem, PatchStem, PreNormStem, StandardisedConvStem),
    *(ImageStem, ClipStem, TokenStem, SeriesStem),
)

STAGE_KINDS = (
    *(Conv, ValidConv, Residual, StandardisedResidual, ConvNeXtBlocks),
    *(MBConv, PreNormMBConv, DepthwiseSeparable, Inception, SqueezeExcitation),
    *(RelativeTransformer, WindowTransformer, Pool, Upsample, Add, Concatenate),
    *(ToTokens, PrependClassToken, ToMap, Transformer, MLPMixer, CrossAttention),
    *(Recurrent, TemporalConv, Columns, Position, Project),
    *(ConvLSTM, LastFrame, FrameTokens),
)

HEAD_KINDS = (
    *(PooledHead, HiddenLayerHead, MeanTokenHead, AttentionPoolHead),
    *(LastTokenHead, EachTokenHead, ClassTokenHead, PixelHead, DecoderHead),
)
