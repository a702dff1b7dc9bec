"""An index of a model's modules before it runs: names, parameters, and which modules are equal.

Two modules are equal if they have the same signature: class, plain attributes, shapes of parameters
and buffers, and the signatures of their children, which is all that a forward pass on the meta
device can depend on. Signatures are numbered, so comparing two modules, however deep, compares two
integers.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from torch import nn

# The attributes that nn.Module.__init__ sets on every module.
MODULE_INTERNALS = tuple(vars(nn.Module()))

SignatureIds = dict[Hashable, int]


@dataclass
class ModuleIndex:
    """The result of one walk over a model. A module with a hook, or with an attribute that cannot
    be compared by value, has no signature, and every call of it is run."""

    signature_ids: SignatureIds  # signature -> number, shared between models
    names: dict[nn.Module, str] = field(default_factory=dict)
    signatures: dict[nn.Module, int | None] = field(default_factory=dict)
    params: dict[nn.Module, int] = field(default_factory=dict)  # each parameter counted once
    owned_params: dict[nn.Module, int] = field(
        default_factory=dict
    )  # without those held by an earlier module
    frozen_params: dict[nn.Module, int] = field(
        default_factory=dict
    )  # of those, the ones that are not trained
    tied: dict[nn.Module, dict[str, str]] = field(default_factory=dict)  # tensor -> its first name
    tensor_names: dict[int, str] = field(
        default_factory=dict
    )  # id of a parameter or buffer -> name
    shared: set[nn.Module] = field(default_factory=set)  # modules that hold a tensor seen before

    def visit(self, module: nn.Module, path: str) -> None:
        own = vars(module)
        self.names[module] = path
        prefix = f"{path}." if path else ""
        self.frozen_params[module], self.tied[module] = 0, {}
        shapes, params, owned = self._tensors(module, own, prefix)
        children: list[int | None] = []
        for name, child in own["_modules"].items():
            if child is None:
                continue
            if child in self.names:
                self.shared.add(module)
            else:
                self.visit(child, prefix + name)
                owned += self.owned_params[child]
                self.frozen_params[module] += self.frozen_params[child]
            if child in self.shared:
                self.shared.add(module)
            params += self.params[child]
            children.append(self.signatures[child])
        self.params[module] = _count(module) if module in self.shared else params
        self.owned_params[module] = owned
        self.signatures[module] = None
        if None not in children and not own["_forward_hooks"] and not own["_forward_pre_hooks"]:
            names = own["_modules"]
            key = (type(module), _attributes(module), owned, *shapes, *names, *children)
            self.signatures[module] = self._signature_id(key)

    def _tensors(
        self, module: nn.Module, own: dict[str, Any], prefix: str
    ) -> tuple[list[Hashable], int, int]:
        shapes: list[Hashable] = []
        params = owned = 0
        for kind in ("_parameters", "_buffers"):
            for name, tensor in own[kind].items():
                if tensor is None:
                    continue
                full = prefix + name
                first = self.tensor_names.setdefault(id(tensor), full)
                if first is not full:  # a tied weight differs from an own one
                    self.shared.add(module)
                    self.tied[module][name] = first
                    name = f"{name} is {first}"
                shapes.append((name, tensor.shape, tensor.dtype, tensor.requires_grad))
                count = tensor.numel() if kind == "_parameters" else 0
                params += count
                owned += count if first is full else 0
                if first is full and not tensor.requires_grad:
                    self.frozen_params[module] += count
        return shapes, params, owned

    def _signature_id(self, key: Hashable) -> int | None:
        try:
            return self.signature_ids.setdefault(key, len(self.signature_ids))
        except TypeError:  # an attribute that cannot be compared by value
            return None


def index_modules(model: nn.Module, numbers: SignatureIds) -> ModuleIndex:
    """Walk over a model once. `numbers` is passed from one index to the next."""
    found = ModuleIndex(numbers)
    found.visit(model, "")
    return found


def _attributes(module: nn.Module) -> Hashable:
    """The attributes set on the module. Private attributes of torch layers hold tensors that
    duplicate their parameters, and are skipped."""
    own = vars(module)
    names = tuple(own)
    if names[: len(MODULE_INTERNALS)] == MODULE_INTERNALS:
        names = names[len(MODULE_INTERNALS) :]
    else:  # something was set before nn.Module.__init__
        names = tuple(name for name in names if name not in MODULE_INTERNALS)
    if type(module).__module__.startswith("torch.nn"):
        names = tuple([name for name in names if name[0] != "_"])
    values = [own[name] for name in names]
    types = tuple(map(type, values))  # 1 and True are equal, but not the same
    if list in types:
        values = [tuple(value) if type(value) is list else value for value in values]
    return own["training"], names, types, tuple(values)


def _count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())
