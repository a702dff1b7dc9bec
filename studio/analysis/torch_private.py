"""Private names of torch that the analysis needs, in one place: torch is pinned because of them."""

from __future__ import annotations

import torch
from torch import UntypedStorage
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm
from torch.nn.modules.conv import _ConvNd as Convolution
from torch.nn.modules.conv import _ConvTransposeNd as TransposedConvolution
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = [
    "BatchNorm",  # the base class of nn.BatchNorm1d to 3d; there is no public one
    "Convolution",  # the base class of all convolutions
    "TorchDispatchMode",  # sees every ATen operation; documented, but only under this name
    "TransposedConvolution",  # the base class of all transposed convolutions
    "no_dispatch_mode",
    "no_function_mode",
    "storage_id",
    "tree_leaves",  # flattens nested outputs
]

# While the tracer itself reads tensors: its own torch functions must not be traced.
no_function_mode = torch._C.DisableTorchFunction
# While the tracer creates tensors that must not be counted.
no_dispatch_mode = torch._C._DisableTorchDispatch


def storage_id(memory: UntypedStorage) -> int:
    """The identity of a storage, above 0: two Python objects may stand for one storage."""
    place: int = memory._cdata
    return place
