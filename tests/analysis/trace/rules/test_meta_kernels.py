"""A kernel for the meta device lays its result out as torch does."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from studio.analysis.trace.pytree import TensorLayout
from studio.analysis.trace.rules.meta_kernels import META_KERNELS


def on_meta(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")


X = on_meta(2, 5, 3, 4)
LAYOUTS = {
    "contiguous": X,
    "transposed": X.transpose(1, 3),
    "channels last": X.to(memory_format=torch.channels_last),
    "with gaps": X[:, ::2],
    "a broadcast row": on_meta(4).expand(2, 5, 3, 4),
    "one value": on_meta().expand(2, 5, 3, 4),
    "whole numbers": on_meta(2, 5, 3, 4, dtype=torch.int64),
    "half": on_meta(2, 5, 3, 4, dtype=torch.bfloat16),
}
FURTHER: dict[str, tuple[tuple[Any, ...], ...]] = {  # arguments after the tensor
    "aten::pow": ((2,), (0.5,)),
    "aten::mul": ((2.0,),),
    "aten::div": ((4.0,),),
    "aten::mean": (((2, 3),), ((-1,), True)),
    "aten::select_backward": (((7, 2, 5, 3, 4), 0, 1),),
    "aten::slice_backward": (((2, 9, 3, 4), 1, 0, 9, 1),),
}


def arguments(kernel: Any, x: Tensor) -> list[tuple[Any, ...]]:
    if kernel is torch.ops.aten.stack.default:
        return [([x, x, x], dim) for dim in (0, 1, -1)]
    if kernel in (torch.ops.aten.mul.Tensor, torch.ops.aten.add.Tensor):
        return [(x, other) for other in (x, X, X.bfloat16(), on_meta(4))]
    if kernel in (torch.ops.aten.mean.default, torch.ops.aten.sum.default):
        return [(x,)]
    return [(x, *further) for further in FURTHER.get(kernel.name().partition(".")[0], ((),))]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("kernel", META_KERNELS, ids=lambda kernel: kernel.name())
def test_a_kernel_lays_out_what_torch_does(kernel: Any, layout: str) -> None:
    for given in arguments(kernel, LAYOUTS[layout]):
        found = META_KERNELS[kernel](*given)
        if found is not None:
            assert TensorLayout.of(found) == TensorLayout.of(kernel(*given)), given
