"""An index of a model's modules before it runs: names, parameters, and which modules are equal.

Two modules are equal if they have the same signature: class, plain attributes, shapes of parameters
and buffers, and the signatures of their children, which is all that a forward pass on the meta
device can depend on. Signatures are numbered, so comparing two modules, however deep, compares two
integers. What follows from a signature, such as the number of parameters, is computed once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field
from operator import attrgetter, itemgetter
from typing import Any, NamedTuple

from torch import Tensor, nn

# The attributes that nn.Module.__init__ sets on every module.
MODULE_INTERNALS = tuple(vars(nn.Module()))
ABSENT = -1  # in place of the signature of a child that is None
Pairs = tuple[tuple[str, str], ...]


class ModuleFacts(NamedTuple):
    """What the index says of a module; equal modules share it.

    `signature` is None for a module with a hook, or with an attribute that cannot be compared by
    value: every call of it is run. `params` counts each parameter once, `owned_params` leaves out
    those that an earlier module holds, `frozen_params` are those of them that are not trained.
    `tied` are its own tensors that an earlier module holds, with their first names. `is_shared`: an
    earlier module holds one of its tensors or modules.
    """

    signature: int | None
    params: int
    owned_params: int
    frozen_params: int
    tied: Pairs
    is_shared: bool


class AttributeReader(NamedTuple):
    """Reads the attributes `compared` of modules that have the attributes `names`."""

    names: tuple[str, ...]
    compared: tuple[str, ...]
    values: Callable[[dict[str, Any]], tuple[Any, ...]]


Signatures = dict[Hashable, ModuleFacts]


@dataclass
class ModuleIndex:
    """The result of one walk over a model. `signatures` are shared between models."""

    signatures: Signatures
    names: dict[nn.Module, str] = field(default_factory=dict)
    facts: dict[nn.Module, ModuleFacts] = field(default_factory=dict)
    tensor_names: dict[int, str] = field(default_factory=dict)  # by id, of parameters and buffers
    readers: dict[type[nn.Module], AttributeReader] = field(default_factory=dict)  # used last

    def visit(self, module: nn.Module, path: str) -> ModuleFacts:
        self.names[module] = path
        own, prefix = vars(module), f"{path}." if path else ""
        tensors, tied = self._tensors(own, prefix)
        is_shared = bool(tied)
        numbers: list[int | None] = []
        first_met: list[ModuleFacts] = []  # of the children
        for name, child in own["_modules"].items():
            known = self.facts.get(child)
            if known is not None:
                is_shared = True
            elif child is not None:
                known = self.visit(child, prefix + name)
                is_shared = is_shared or known.is_shared
                first_met.append(known)
            numbers.append(known.signature if known else ABSENT)
        key: Hashable = None
        if not (None in numbers or own["_forward_hooks"] or own["_forward_pre_hooks"]):
            names = tuple(own["_modules"])
            key = type(module), self._attributes(module, own), tensors, tied, names, tuple(numbers)
        found = self._look_up(key) if not is_shared else None
        found = found or self._facts(module, key, tied, is_shared, first_met)
        self.facts[module] = found
        return found

    def _tensors(self, own: dict[str, Any], prefix: str) -> tuple[Hashable, Pairs]:
        """What can be compared of a module's own tensors, and those that are tied."""
        found: list[Hashable] = []
        tied: Pairs = ()
        for kind in ("_parameters", "_buffers"):
            for name, tensor in own[kind].items():
                if tensor is not None:
                    full = prefix + name
                    first = self.tensor_names.setdefault(id(tensor), full)
                    if first is not full:
                        tied += ((name, first),)
                    found += kind, name, _comparable(tensor)
        return tuple(found), tied

    def _attributes(self, module: nn.Module, own: dict[str, Any]) -> Hashable:
        """The attributes set on the module, and whether it is in training mode."""
        cls, names = type(module), tuple(own)
        reader = self.readers.get(cls)
        if reader is None or reader.names != names:
            reader = self.readers[cls] = _attribute_reader(cls, names)
        values = reader.values(own)
        types = tuple(map(type, values))  # 1 and True are equal, but not the same
        if list in types:
            values = tuple([tuple(value) if type(value) is list else value for value in values])
        return reader.compared, types, values

    def _look_up(self, key: Hashable) -> ModuleFacts | None:
        try:
            return self.signatures.get(key)
        except TypeError:  # an attribute that cannot be compared by value
            return None

    def _facts(
        self,
        module: nn.Module,
        key: Hashable,
        tied: Pairs,
        is_shared: bool,
        first_met: list[ModuleFacts],
    ) -> ModuleFacts:
        """The facts of a module whose key is new. What a shared one counts is not in its key."""
        earlier = dict(tied)
        own = {n: p for n, p in module._parameters.items() if p is not None}
        new = [p for name, p in own.items() if name not in earlier]
        found = ModuleFacts(
            signature=len(self.signatures),
            params=_count(module.parameters())
            if is_shared
            else _count(new) + sum(child.params for child in first_met),
            owned_params=_count(new) + sum(child.owned_params for child in first_met),
            frozen_params=_count(p for p in new if not p.requires_grad)
            + sum(child.frozen_params for child in first_met),
            tied=tied,
            is_shared=is_shared,
        )
        if key is None:
            return found._replace(signature=None)
        try:
            return self.signatures.setdefault((key, found[1:]) if is_shared else key, found)
        except TypeError:  # an attribute that cannot be compared by value
            return found._replace(signature=None)


def index_modules(model: nn.Module, signatures: Signatures) -> ModuleIndex:
    """Walk over a model once. `signatures` is passed from one index to the next."""
    found = ModuleIndex(signatures)
    found.visit(model, "")
    return found


_comparable = attrgetter("shape", "dtype", "requires_grad")


def _attribute_reader(cls: type[nn.Module], names: tuple[str, ...]) -> AttributeReader:
    """Reads the attributes that are compared. Private attributes of torch layers hold tensors that
    duplicate their parameters, and are skipped."""
    own = [name for name in names if name not in MODULE_INTERNALS]
    if cls.__module__.startswith("torch.nn"):
        own = [name for name in own if not name.startswith("_")]
    compared = ("training", *own)
    values = itemgetter(*compared, "training")  # at least two, so that it makes a tuple
    return AttributeReader(names, compared, values)


def _count(parameters: Iterable[Tensor]) -> int:
    return sum(parameter.numel() for parameter in parameters)
