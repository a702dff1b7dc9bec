"""What a trace writes down of a module under way, and what it knows from those before."""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import RLock
from typing import Any

from torch import nn

from studio.analysis.trace.backward_pass import RecordedPasses
from studio.analysis.trace.module_index import SignatureIds
from studio.analysis.trace.tree import Call, Shape, Source, Trace


@dataclass(frozen=True, slots=True)
class CachedTrace:
    """A traced body with what it takes to stand in for another run of its module."""

    trace: Trace
    result: Any  # what the call returned, a Layout in the place of each tensor
    saved_inside: int
    aliased: bool  # an output is an input or a parameter: the call must be run again
    passes: RecordedPasses | None = None  # in training


@dataclass
class ActiveCall:
    """What is being recorded inside one module call. A leaf's inner operations are not recorded."""

    module: nn.Module
    leaf: bool
    calls: list[Call] = field(default_factory=list)
    inputs: list[Shape] = field(default_factory=list)
    input_storages: list[weakref.ref[Any]] = field(default_factory=list)  # their storages
    sources: dict[int, Source | str | None] = field(default_factory=dict)
    saved: dict[int, int] = field(default_factory=dict)  # storage -> bytes
    input_storage_ids: list[int] = field(default_factory=list)  # the same, as numbers
    reported: int = 0  # how many of those saved the calls have told
    external_tensors: dict[str, Shape] = field(
        default_factory=dict
    )  # tensors of other modules, in use


class Memo:
    """Everything traced so far, kept between traces; starts afresh when it has grown large.

    One trace at a time uses it, whichever thread it runs in.
    """

    LIMIT = 20_000

    def __init__(self) -> None:
        self.lock = RLock()
        self.clear()

    def clear(self) -> None:
        self.signature_ids: SignatureIds = {}
        self.traces: dict[Hashable, CachedTrace] = {}
        self.passthrough_keys: set[Hashable] = set()  # calls that hand on what they were given

    def clear_if_full(self) -> None:
        if len(self.signature_ids) + len(self.traces) + len(self.passthrough_keys) > self.LIMIT:
            self.clear()


MEMO = Memo()
