"""The state of a module call while it is traced, and the traces known from before."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from torch import nn

from studio.analysis.trace.backward_pass import RecordedPasses
from studio.analysis.trace.module_index import Signatures
from studio.analysis.trace.tree import Call, Shape, Source, Trace


@dataclass(frozen=True, slots=True)
class CachedTrace:
    """A trace, and what is needed to replay it in place of another run of its module."""

    trace: Trace
    result: Any  # what the call returned, tensors replaced by `StoredTensor`
    saved_inside: int
    aliased: bool  # an output is an input or a parameter, so the call must be run again
    passes: RecordedPasses | None = None  # in training mode mode


@dataclass
class ActiveCall:
    """What is being recorded in one module call. Operations inside a leaf are not recorded."""

    module: nn.Module
    leaf: bool
    calls: list[Call] = field(default_factory=list)
    inputs: list[Shape] = field(default_factory=list)
    input_storages: list[weakref.ref[Any]] = field(
        default_factory=list
    )  # the storages of the inputs
    sources: dict[int, Source | str | None] = field(default_factory=dict)
    saved: dict[int, int] = field(default_factory=dict)  # storage -> bytes
    input_storage_ids: list[int] = field(default_factory=list)  # the same, as numbers
    reported: int = 0  # how many entries of `saved` are assigned to calls
    external_tensors: dict[str, Shape] = field(
        default_factory=dict
    )  # tensors of other modules that it uses


class Memo:
    """All traces so far; cleared when it has grown large. One trace uses it at a time, from any
    thread."""

    LIMIT = 20_000

    def __init__(self) -> None:
        self.lock = RLock()
        self.clear()

    def clear(self) -> None:
        self.signatures: Signatures = {}
        self.traces: dict[Hashable, CachedTrace] = {}
        self.passthrough_keys: set[Hashable] = set()  # calls that return one of their inputs

    def clear_if_full(self) -> None:
        if len(self.signatures) + len(self.traces) + len(self.passthrough_keys) > self.LIMIT:
            self.clear()


MEMO = Memo()
