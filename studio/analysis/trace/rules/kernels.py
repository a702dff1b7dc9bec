"""Rules for operations that are one kernel on a device but are decomposed on the meta device.

A rule returns the outputs, the MACs that torch would count for the decomposition, and what is saved
for the backward pass. It is faster than the decomposition and closer to the device: fused attention
never materialises the T × S scores (Dao et al. 2022). Modules are looked up by their `forward`, so
a rule also serves a subclass that changes only the constructor.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from studio.analysis.trace.rules.pointwise import POINTWISE_RULES
from studio.analysis.trace.rules.recurrent import recurrent
from studio.analysis.trace.rules.result import (
    GradientLayouts,
    Rule,
    RuleResult,
    empty_like,
    new_empty,
    new_gradients,
    with_grad_of,
)


def attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    *_: Any,
    **__: Any,
) -> RuleResult | None:
    """F.scaled_dot_product_attention: q kᵀ and the product with v.

    Saves q, k, v, the output and one log-sum-exp per row. A causal mask saves nothing: all T × S
    pairs are counted. Left to torch, which materialises the T × S scores on a CPU: dropout, a mask
    that is trained or has three dimensions, and values wider than keys.
    """
    if dropout_p or value.shape[-1] != query.shape[-1] or not _is_fused(attn_mask):
        return None
    S, d, e = key.shape[-2], query.shape[-1], value.shape[-1]
    rows = query.numel() // d  # B * h * T
    inputs = (query, key, value) if attn_mask is None else (query, key, value, attn_mask)
    out = with_grad_of(new_empty(query, *query.shape[:-1], e), *inputs)  # (..., T, e)
    return RuleResult(
        out, rows * S * (d + e), (*inputs, out), 4 * rows, activation_count=rows * (S + e)
    )


def _is_fused(mask: Tensor | None) -> bool:
    return mask is None or (mask.dim() in (2, 4) and not mask.requires_grad)


def convolution(conv: nn.Conv1d | nn.Conv2d, x: Tensor) -> RuleResult | None:
    """One product of the kernel with each output pixel; saves its input. Left to torch: padding
    given by name or not zeros, and inputs that do not fit."""
    if isinstance(conv.padding, str) or conv.padding_mode != "zeros":
        return None
    sides = zip(
        x.shape[2:], conv.kernel_size, conv.stride, conv.padding, conv.dilation, strict=False
    )
    size = [(n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, s, p, d in sides]
    if x.shape[1:2] != (conv.in_channels,) or x.dim() != conv.weight.dim() or min(size) < 1:
        return None
    out = with_grad_of(new_empty(x, x.shape[0], conv.out_channels, *size), x, conv)
    return RuleResult(out, out.numel() * conv.weight[0].numel(), (x,), activation_count=out.numel())


def linear(layer: nn.Linear, x: Tensor) -> RuleResult | None:
    """One product of each row with the matrix; saves its input."""
    if x.shape[-1:] != (layer.in_features,):
        return None
    out = with_grad_of(new_empty(x, *x.shape[:-1], layer.out_features), x, layer)
    return RuleResult(out, out.numel() * layer.in_features, (x,), activation_count=out.numel())


def embedding(table: nn.Embedding, tokens: Tensor) -> RuleResult:
    """A lookup computes nothing, and saves the tokens."""
    out = new_empty(table.weight, *tokens.shape, table.embedding_dim)
    return RuleResult(with_grad_of(out, table.weight), 0, (tokens,))


def embedding_bag(
    rows: Tensor,
    table: Tensor,
    offsets: Tensor | None = None,
    *_: Any,
    mode: str = "mean",
    per_sample_weights: Tensor | None = None,
    **others: Any,
) -> RuleResult | None:
    """A weighted sum of table rows for each bag (B, n).

    Saves rows, weights and three integers per bag. The backward pass counts and sorts the rows.
    Left to torch: bags of unequal length, trained weights, and modes other than sum.
    """
    weights = per_sample_weights
    others.pop("norm_type", None)
    plain = mode == "sum" and offsets is None and not any(others.values())
    if rows.dim() != 2 or not plain:
        return None
    if weights is None or weights.requires_grad:
        return None

    def gradients(gradient: Tensor, inputs: GradientLayouts) -> list[Tensor | None]:
        sorting = [new_empty(rows, rows.numel()) for _ in range(4)]
        sorting.append(new_empty(weights, weights.numel()))
        found = new_gradients(gradient, inputs)
        del sorting
        return found

    out = with_grad_of(new_empty(table, rows.shape[0], table.shape[1]), table)
    return RuleResult(out, 0, (rows, weights), 3 * 8 * rows.shape[0], gradients)


def normalisation(norm: nn.Module, x: Tensor) -> RuleResult:
    """Batch, layer and group norm save their input, and a mean and a deviation (float32) for each
    group of values."""
    match norm:
        case nn.LayerNorm():
            sets = x.numel() // math.prod(norm.normalized_shape)
        case nn.GroupNorm():
            sets = x.shape[0] * norm.num_groups
        case _:
            sets = x.shape[1]  # one a channel
    return RuleResult(with_grad_of(empty_like(x), x, norm), 0, (x,), 8 * sets)


def activation(layer: nn.Module, x: Tensor) -> RuleResult:
    """The derivatives of ReLU, Sigmoid and Tanh use the output, those of GELU and SiLU the input:
    that is what is saved."""
    out = with_grad_of(empty_like(x), x)
    return RuleResult(out, 0, (x if isinstance(layer, (nn.GELU, nn.SiLU)) else out,))


FUNCTION_RULES: dict[Callable[..., Any], Rule] = {
    F.scaled_dot_product_attention: attention,
    F.embedding_bag: embedding_bag,
    **POINTWISE_RULES,
}
MODULE_RULES: dict[Callable[..., Any], Rule] = {
    **{layer.forward: convolution for layer in (nn.Conv1d, nn.Conv2d)},
    **{layer.forward: recurrent for layer in (nn.RNN, nn.LSTM, nn.GRU)},
    nn.Linear.forward: linear,
    nn.Embedding.forward: embedding,
    **{layer.forward: normalisation for layer in (nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)},
    **{layer.forward: activation for layer in (nn.GELU, nn.ReLU, nn.SiLU, nn.Sigmoid, nn.Tanh)},
}
