"""A copied module is the module that its constructor would have made, and nobody else's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import Tensor, nn

from studio.analysis.trace.building.module_copies import Prototypes, let_copy

built: list[object] = []  # the arguments of the constructors that ran


class Block(nn.Module):
    def __init__(self, width: float, bias: bool = True) -> None:
        super().__init__()
        built.append(width)
        self.width, self.scales = width, [1.0, 2.0]
        self.fc1 = nn.Linear(int(width), 4, bias=bias)
        self.fc2 = nn.Linear(int(width), 4, bias=bias)
        self.fc2.weight = self.fc1.weight
        self.register_buffer("mean", torch.zeros(4))


class WideBlock(Block):
    """Made by the constructor of another class."""


class WithInput(nn.Module):
    """Given a module, which it does not own."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        built.append(inner)
        self.inner = inner


class WithFunction(nn.Module):
    """With an attribute that is not copied."""

    def __init__(self) -> None:
        super().__init__()
        built.append("function")
        self.act = lambda x: x


class Building:
    prototypes: Prototypes | None = None


@contextmanager
def building() -> Iterator[None]:
    let_copy(__name__, lambda: Building.prototypes)
    Building.prototypes = Prototypes(temporary="draft")
    built.clear()
    try:
        with torch.device("meta"):
            yield
    finally:
        Building.prototypes = None


def test_the_third_equal_module_is_a_copy_with_tensors_of_its_own() -> None:
    with building():
        made = [Block(8) for _ in range(5)]
    assert built == [8, 8]
    first, last = made[0], made[-1]
    assert list(vars(first)) == list(vars(last))
    assert [repr(block) for block in made] == [repr(first)] * 5
    assert len({id(p) for block in made for p in block.parameters()}) == 5 * 3
    assert len({id(b) for block in made for b in block.buffers()}) == 5
    assert last.fc2.weight is last.fc1.weight  # tied as in the first
    assert isinstance(last.fc1.weight, nn.Parameter)
    assert last.scales is not first.scales


def test_a_change_of_one_module_does_not_reach_the_next() -> None:
    with building():
        made = []
        for i in range(5):
            made.append(Block(8))
            made[-1].fc1 = nn.Identity()  # type: ignore[assignment]
            made[-1].scales.append(i)
            made[-1].draft = i  # type: ignore[assignment]
        last = Block(8)
    assert isinstance(last.fc1, nn.Linear)
    assert last.scales == [1.0, 2.0]
    assert not hasattr(last, "draft")


def test_arguments_of_another_type_or_class_are_others() -> None:
    with building():
        made = [cls(width) for width in (1, True, 1.0) for cls in (Block, WideBlock)]
    assert len(built) == len(made)
    assert [type(block.width) for block in made] == [int, int, bool, bool, float, float]


@pytest.mark.parametrize("cls", [WithInput, WithFunction])
def test_what_cannot_be_copied_is_built_each_time(cls: type[nn.Module]) -> None:
    given = (nn.Linear(2, 2),) if cls is WithInput else ()
    with building():
        made = [cls(*given) for _ in range(4)]
    assert len(built) == len(made) == 4


def test_outside_of_a_model_nothing_is_copied() -> None:
    with building():
        pass
    made = [Block(8) for _ in range(4)]
    assert len(built) == 4
    values: list[Tensor] = [block.fc1.weight for block in made]
    assert not torch.equal(values[2], values[3])
