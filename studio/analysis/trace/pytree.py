"""Tensors in the nested tuples, lists and dicts that a module takes and returns."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from studio.analysis.torch_private import storage_id
from studio.analysis.trace.tree import Shape


class TensorLayout(NamedTuple):
    """Everything about a tensor that matters on the meta device; makes empty tensors like it."""

    shape: Shape
    stride: tuple[int, ...]
    dtype: torch.dtype
    requires_grad: bool

    @classmethod
    def of(cls, tensor: Tensor) -> TensorLayout:
        return cls(tensor.shape, tensor.stride(), tensor.dtype, tensor.requires_grad)

    def empty(self) -> Tensor:
        made = torch.empty_strided(self.shape, self.stride, dtype=self.dtype, device="meta")
        return made.requires_grad_() if self.requires_grad else made


class StoredTensor(NamedTuple):
    """A tensor's layout, and its position in one of several storages."""

    layout: TensorLayout
    storage: int
    offset: int
    nbytes: int  # size of the storage

    @property
    def is_alone(self) -> bool:
        """Whether a contiguous tensor of this layout fills the whole storage."""
        return self.nbytes == math.prod(self.layout.shape) * self.layout.dtype.itemsize


def storage_reader() -> Callable[[Tensor], StoredTensor]:
    """A function that returns the `StoredTensor` of one tensor after the other."""
    seen: list[int] = []

    def place(tensor: Tensor) -> StoredTensor:
        memory = tensor.untyped_storage()
        key = storage_id(memory)
        if key not in seen:
            seen.append(key)
        number = seen.index(key)
        return StoredTensor(
            TensorLayout.of(tensor), number, int(tensor.storage_offset()), memory.nbytes()
        )

    return place


def tensor_maker() -> Callable[[StoredTensor], Tensor]:
    """A function that makes tensors from `StoredTensor`s; those that shared a storage share one
    again."""
    made: dict[int, Tensor] = {}

    def make(placed: StoredTensor) -> Tensor:
        layout = placed.layout
        if placed.storage not in made:
            if placed.is_alone:
                made[placed.storage] = tensor = layout.empty()
                return tensor
            size = placed.nbytes // layout.dtype.itemsize
            made[placed.storage] = torch.empty(size, dtype=layout.dtype, device="meta")
        view = made[placed.storage].detach()
        view = view.as_strided(layout.shape, layout.stride, placed.offset)
        return view.requires_grad_() if layout.requires_grad else view

    return make


def tensors_in(tree: Any) -> list[Tensor]:
    """The tensors in nested tuples, lists and dicts, in order."""
    found: list[Tensor] = []
    _collect(tree, found)
    return found


def _collect(tree: Any, found: list[Tensor]) -> None:
    if isinstance(tree, Tensor):
        found.append(tree)
    elif isinstance(tree, (tuple, list)):
        for part in tree:
            _collect(part, found)
    elif isinstance(tree, dict):
        for part in tree.values():
            _collect(part, found)


def map_instances(tree: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """The same nesting with `change` applied to every instance of `kind`."""
    if isinstance(tree, kind):
        return change(tree)
    if isinstance(tree, (tuple, list)):
        parts = [map_instances(part, kind, change) for part in tree]
        return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)
    if isinstance(tree, dict):
        return {name: map_instances(part, kind, change) for name, part in tree.items()}
    return tree


def tree_key(tree: Any) -> Hashable:
    """The same nesting as a hashable key: tensors by their layout, everything else by value."""
    if isinstance(tree, Tensor):
        return Tensor, tree.shape, tree.stride(), tree.dtype, tree.requires_grad
    if isinstance(tree, (tuple, list)):
        return tuple([tree_key(part) for part in tree])
    if isinstance(tree, dict):
        return tuple([(name, tree_key(part)) for name, part in tree.items()])
    return tree  # type: ignore[no-any-return]
