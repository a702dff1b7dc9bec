"""What a trace finds: a tree of bodies and their calls, as values.

A `Body` is what a module or an operation does with inputs of certain shapes; a `Call` is one use of
it. Equal modules share one body, so that a deep model is a small tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

Shape = tuple[int, ...]
NamedShapes = tuple[tuple[str, Shape], ...]
INPUT = -1  # the call number of a trace's own inputs
ATTENTION = "scaled_dot_product_attention"  # the kind of fused attention
RECURRENT = ("LSTM", "GRU", "RNN")  # the kinds of recurrent layers


class Source(NamedTuple):
    """Where a tensor comes from: output `output` of call number `call` in the same body."""

    call: int
    output: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """What a module or an operation does with inputs of certain shapes; shared by equal calls.

    `params` counts each parameter once, `macs` are multiply-accumulates, `activation_count` the
    elements that convolutions and matrix products write. An inference trace knows
    `peak_bytes`, the most that is alive at once beyond the inputs; a training trace `saved_bytes`,
    the activations made inside that stay alive for the backward pass, `saved_outputs`, the bytes of
    each output among them (0 for one that does not stay), and `saved_inputs`, those of each input
    that is kept too.

    `weights` and `buffers` are a module's own tensors, `borrowed` those of other modules that it
    uses itself. `owned` counts the parameters that no module before this one holds: over a model
    they add up to its parameters; `frozen` are those among them that do not learn, and `tied` says
    of the module's own tensors where another holds them too: (`weight`, `token_embed.weight`).
    `settings` are its arguments, as a layer of torch's own tells them; `held` what another holds of
    them, which may be other for equal bodies. A `transparent` body hands
    its input on (dropout in evaluation, flatten). `cls` is the class of a module, `window` how a
    filter or a pool slides.
    """

    kind: str
    is_module: bool
    inputs: tuple[Shape, ...]
    outputs: tuple[Shape, ...]
    params: int = 0
    macs: int = 0
    activation_count: int = 0
    peak_bytes: int = 0
    saved_bytes: int = 0
    is_passthrough: bool = False
    settings: str = ""
    attributes: str = field(default="", compare=False)
    weights: NamedShapes = ()
    buffers: NamedShapes = ()
    external_tensors: NamedShapes = ()
    owned_params: int = 0
    frozen_params: int = 0
    tied: tuple[tuple[str, str], ...] = ()
    saved_inputs: tuple[int, ...] = ()
    saved_outputs: tuple[int, ...] = ()
    cls: type[Any] | None = None
    window: Window | None = None
    calls: tuple[Call, ...] = ()
    returns: tuple[Source | str | None, ...] = ()


class Window(NamedTuple):
    """How a filter or a pool slides over its input, axis by axis."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]


class FirstSave(NamedTuple):
    """A tensor that a call is the first to save which is there before it: its bytes, which input of
    the call it is (-1: of an operation between), and which of the caller's (-1: none)."""

    nbytes: int
    input: int
    caller_input: int


class Call(NamedTuple):
    """One use of a body. Each input tensor comes from another call of the same body, from an input
    of it, from a parameter (its name), or from nowhere (None: a constant, or a table of whole
    numbers, by which values are looked up). `line` is where the caller's `forward` makes it, in its
    file; 0 where the caller is a layer of torch's own. A module from `elsewhere` is not one of the
    caller's: its name is its path in the model. In training, `saved` are the bytes that stay for
    the backward pass from this call on, or from what lies between it and the call before, and were
    made by the caller; `first` are tensors made before this call that it is the first to save."""

    name: str
    trace: Trace
    sources: tuple[Source | str | None, ...]
    line: int = 0
    is_external: bool = False
    saved_bytes: int = 0
    first_saves: tuple[FirstSave, ...] = ()
