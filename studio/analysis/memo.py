"""When are two modules equal? When they have the same signature; then one trace serves both.

A signature is the class, the plain attributes, the shapes of parameters and buffers, and the
signatures of the children: all that a forward pass on meta can depend on. Signatures are numbered,
so that comparing two of them, however deep the modules, compares two integers.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Generic, TypeVar

from torch import Tensor, nn

T = TypeVar("T")

# What every module carries in its dictionary and no forward pass reads.
MACHINERY = frozenset(vars(nn.Module())) - {"training"}
HOOKS = tuple(name for name in MACHINERY if name.endswith("hooks"))
LIMIT = 20_000


class Memo(Generic[T]):
    """Everything traced so far, kept between calls; starts afresh when it has grown large."""

    def __init__(self) -> None:
        self.numbers: dict[Hashable, int] = {}
        self.traced: dict[Hashable, T] = {}

    def renew(self) -> None:
        """Forget everything once there is too much of it."""
        if len(self.numbers) + len(self.traced) > LIMIT:
            self.numbers, self.traced = {}, {}

    def signatures(self, model: nn.Module) -> dict[nn.Module, int | None]:
        """The signature of each module of the model; None for one that must not be reused."""
        found: dict[nn.Module, int | None] = {}
        self._sign(model, found)
        return found

    def _sign(self, module: nn.Module, found: dict[nn.Module, int | None]) -> int | None:
        if module in found:
            return found[module]
        own = vars(module)
        children = tuple(
            (name, self._sign(child, found))
            for name, child in own["_modules"].items()
            if child is not None
        )
        key = (
            type(module),
            tuple(_attributes(module)),
            _shapes(own["_parameters"]),
            _shapes(own["_buffers"]),
            children,
        )
        found[module] = self._number(key) if _reusable(own, children) else None
        return found[module]

    def _number(self, key: Hashable) -> int | None:
        try:
            return self.numbers.setdefault(key, len(self.numbers))
        except TypeError:  # an attribute that cannot be compared by value
            return None


def _attributes(module: nn.Module) -> Iterator[Hashable]:
    """What was set on the module. Layers of torch's own keep tensors in private attributes, which
    say nothing that their parameters do not."""
    torchs_own = type(module).__module__.startswith("torch.nn")
    for name, value in vars(module).items():
        if name not in MACHINERY and not (torchs_own and name.startswith("_")):
            yield name, type(value), tuple(value) if type(value) is list else value


def _shapes(tensors: dict[str, Tensor | None]) -> tuple[Any, ...]:
    return tuple(
        (name, t.shape, t.dtype, t.requires_grad) for name, t in tensors.items() if t is not None
    )


def _reusable(own: dict[str, Any], children: tuple[tuple[str, int | None], ...]) -> bool:
    return all(number is not None for _, number in children) and not any(own[h] for h in HOOKS)
