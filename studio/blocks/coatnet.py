"""The two blocks of CoAtNet (Dai et al. 2021, section 2): convolution, and relative attention.

Each normalises its input, and the first block of a stage reduces the resolution. Details that the
paper leaves open follow timm's coatnet_*_224.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from studio.blocks.conv import ConvNormAct
from studio.blocks.norm import LayerNorm2d
from studio.blocks.squeeze_excite import SqueezeExcite


def pooled_shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Module:
    """The shortcut: average pooling and a 1 × 1 convolution where the shape changes.

    (B, C, H, W) -> (B, C', ⌈H/stride⌉, ⌈W/stride⌉).
    """
    layers: list[nn.Module] = []
    if stride > 1:
        layers.append(nn.AvgPool2d(stride, ceil_mode=True))
    if in_channels != out_channels:
        layers.append(nn.Conv2d(in_channels, out_channels, 1))
    return nn.Sequential(*layers) if layers else nn.Identity()


class PreNormMBConvBlock(nn.Module):
    """Proj(Pool(x)) + MBConv(Norm(x)) (appendix A.1), with `expand_ratio` times C' channels inside.

    (B, C, H, W) -> (B, C', H/stride, W/stride).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        expand_ratio: int,
        stride: int,
        activation: type[nn.Module],
    ) -> None:
        super().__init__()
        E, norm = expand_ratio * out_channels, nn.BatchNorm2d
        squeezed = max(1, out_channels // 4)
        self.shortcut = pooled_shortcut(in_channels, out_channels, stride)
        self.norm = norm(in_channels)
        self.expand = ConvNormAct(in_channels, E, 1, norm=norm, activation=activation)
        self.depthwise = ConvNormAct(
            E, E, 3, stride=stride, groups=E, norm=norm, activation=activation
        )
        self.squeeze = SqueezeExcite(E, squeezed, activation=nn.SiLU, gate=nn.Sigmoid)
        self.project = nn.Conv2d(E, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.expand(self.norm(x))  # (B, E, H, W)
        y = self.squeeze(self.depthwise(y))  # (B, E, H', W')
        return self.shortcut(x) + self.project(y)  # (B, C', H', W')


class RelativeAttention(nn.Module):
    """softmax(q kᵀ / √d + w) v over the pixels of a map; w is learned for each offset (eq. 3).

    Pixel (i, j) looks at (k, l) with the weight of the offset (i - k, j - l), one a head.
    (B, C, H, W) -> (B, C', H, W).
    """

    rows: Tensor
    columns: Tensor

    def __init__(
        self, in_channels: int, out_channels: int, num_heads: int, height: int, width: int
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Conv2d(in_channels, 3 * out_channels, 1)
        self.offset = nn.Parameter(torch.empty(num_heads, 2 * height - 1, 2 * width - 1))
        self.proj = nn.Conv2d(out_channels, out_channels, 1)
        nn.init.trunc_normal_(self.offset, std=0.02)
        i, j = torch.arange(height), torch.arange(width)
        # Constants: they move to the device with the model, but no checkpoint needs them.
        self.register_buffer("rows", i[:, None] - i + height - 1, persistent=False)
        self.register_buffer("columns", j[:, None] - j + width - 1, persistent=False)

    def bias(self) -> Tensor:
        """w for every pair of pixels (h, H·W, H·W)."""
        bias = self.offset[:, self.rows]  # (h, H, H, 2·W - 1)
        bias = bias[:, :, :, self.columns]  # (h, H, H, W, W)
        return bias.transpose(2, 3).flatten(3).flatten(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        B, _, H, W = x.shape
        qkv = self.qkv(x).reshape(B, 3, self.num_heads, -1, H * W)  # (B, 3, h, d, N)
        q, k, v = qkv.transpose(3, 4).unbind(1)  # 3 × (B, h, N, d)
        x = F.scaled_dot_product_attention(q, k, v, attn_mask=self.bias())  # (B, h, N, d)
        x = x.transpose(2, 3).reshape(B, -1, H, W)  # (B, C', H, W)
        return self.proj(x)


class RelativeBlock(nn.Module):
    """Proj(Pool(x)) + Attention(Pool(Norm(x))), and then an MLP (appendix A.1).

    `height` and `width` are those of the output map.
    (B, C, H, W) -> (B, C', H/stride, W/stride).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_heads: int,
        hidden_dim: int,
        height: int,
        width: int,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.shortcut = pooled_shortcut(in_channels, out_channels, stride)
        self.norm1 = LayerNorm2d(in_channels)
        self.pool = pooled_shortcut(in_channels, in_channels, stride)
        self.attn = RelativeAttention(in_channels, out_channels, num_heads, height, width)
        self.norm2 = LayerNorm2d(out_channels)
        self.mlp = nn.Sequential(
            nn.Conv2d(out_channels, hidden_dim, 1),
            nn.GELU(),
            nn.Conv2d(hidden_dim, out_channels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.pool(self.norm1(x))  # (B, C, H', W')
        x = self.shortcut(x) + self.attn(y)  # (B, C', H', W')
        return x + self.mlp(self.norm2(x))
