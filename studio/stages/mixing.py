"""Stages that mix tokens by MLPs, and stages that read a second input."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from studio.blocks.cross_attention import CrossAttentionStack
from studio.blocks.mixer import MixerLayer
from studio.knobs import knob
from studio.stages.stage import MEMORY, Stage, Tokens
from studio.stages.tokens import TokenStage


@dataclass(frozen=True, kw_only=True)
class MLPMixer(TokenStage):
    """Mixes tokens and channels in turn with MLPs instead of attention.

    Mixer layers (Tolstikhin et al. 2021, https://arxiv.org/abs/2105.01601). (B, N, D) to (B, N, D).
    """

    depth: int = knob(4, "Mixer layers", axis="depth", ge=1, le=48)
    token_dim: int = knob(
        256, "Hidden width D_S of the MLP across tokens", axis="width", ge=8, le=4096, step=8
    )
    mlp_ratio: float = knob(
        4.0, "Hidden width of the MLP across channels over the width", ge=0.5, le=8.0, step=0.5
    )

    def flow(self, x: Tokens) -> Tokens:
        return x.with_context()

    def build(self, x: Tokens) -> nn.Module:
        channel_dim = round(self.mlp_ratio * x.width)
        return nn.Sequential(
            *(MixerLayer(x.count, x.width, self.token_dim, channel_dim) for _ in range(self.depth))
        )


@dataclass(frozen=True, kw_only=True)
class CrossAttention(Stage[Tokens, Tokens]):
    """Lets the tokens read a second input, such as an encoded text.

    Cross-attention blocks. (B, N, D) and the second input (B, M, D') to (B, N, D).
    """

    takes = Tokens

    depth: int = knob(2, "Blocks", axis="depth", ge=1, le=48)
    num_heads: int = knob(8, "Attention heads h; must divide the width", axis="heads", ge=1, le=64)
    mlp_ratio: float = knob(4.0, "Hidden width of the MLP over the width", ge=0.5, le=8.0, step=0.5)
    memory_len: int = knob(32, "Tokens M of the second input", axis="resolution", ge=1, le=4096)
    memory_dim: int = knob(256, "Features D' of a token of the second input", ge=8, le=8192, step=8)

    @property
    def joins(self) -> tuple[int, ...]:
        return (MEMORY,)

    @property
    def memory(self) -> Tokens:
        return Tokens(self.memory_len, self.memory_dim)

    def flow(self, x: Tokens, memory: Tokens) -> Tokens:
        if x.width % self.num_heads:
            raise ValueError(
                f"num_heads={self.num_heads} must divide the width of the tokens, {x.width}"
            )
        return x

    def build(self, x: Tokens, memory: Tokens) -> nn.Module:
        hidden_dim = round(self.mlp_ratio * x.width)
        return CrossAttentionStack(x.width, memory.width, self.depth, self.num_heads, hidden_dim)
