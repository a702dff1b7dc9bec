"""What a trace finds: a tree of bodies and their calls, as values.

A `Body` is what a module or an operation does with inputs of certain shapes; a `Call` is one use of
it. Equal modules share one body, so that a deep model is a small tree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

Shape = tuple[int, ...]
INPUT = -1  # the call number of a body's own inputs


class Source(NamedTuple):
    """Where a tensor comes from: output `output` of call number `call` in the same body."""

    call: int
    output: int = 0


@dataclass(frozen=True, slots=True)
class Body:
    """What a module or an operation does with inputs of certain shapes; shared by equal calls.

    `params` counts each parameter once, `macs` are multiply-accumulates. An inference trace knows
    `peak_bytes`, the most that is alive at once beyond the inputs; a training trace `saved_bytes`,
    the activations made inside that stay alive for the backward pass. `tensors` are a module's own
    parameters and buffers. A `transparent` body hands
    its input on (dropout in evaluation, flatten).
    """

    kind: str
    is_module: bool
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    params: int = 0
    macs: int = 0
    peak_bytes: int = 0
    saved_bytes: int = 0
    transparent: bool = False
    settings: str = ""
    tensors: tuple[tuple[str, Shape], ...] = ()
    calls: tuple[Call, ...] = ()
    returns: tuple[Source | str | None, ...] = ()


class Call(NamedTuple):
    """One use of a body. Each input tensor comes from another call of the same body, from an input
    of it, from a parameter (its name), or from nowhere (None: a constant)."""

    name: str
    body: Body
    sources: tuple[Source | str | None, ...]
