"""The result of a trace: a tree of traces and calls, as values.

A `Trace` records what a module or an operation does with inputs of given shapes; a `Call` is one
use of it. Equal modules share a trace, so a deep model is a small tree.
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
    """Where a tensor comes from: output `output` of call number `call` in the same trace."""

    call: int
    output: int = 0


@dataclass(frozen=True, slots=True)
class Trace:
    """What a module or an operation does with inputs of given shapes; shared by equal calls.

    `params` counts each parameter once, `macs` are multiply-accumulates, `activation_count` the
    elements written by convolutions and matrix products. A trace in inference mode has
    `peak_bytes`, the peak of live bytes beyond its inputs. A trace in training mode has
    `saved_bytes`, the activations made inside that are saved for the backward pass,
    `saved_outputs`, the bytes of each output among them (0 if it is not saved), and `saved_inputs`,
    the bytes of each input that is saved.

    `weights` and `buffers` are the module's own tensors, `external_tensors` those of other modules
    that it uses directly. `owned_params` are the parameters that no earlier module holds; over a
    model they add up to its parameters. `frozen_params` are those of them that are not trained.
    `tied` names, for the module's own tensors, the earlier tensor each is shared with: (`weight`,
    `token_embed.weight`). `settings` is the `extra_repr` of a torch layer; `attributes` the same
    for other modules, excluded from equality since it does not affect the trace. `is_passthrough`:
    each output is a view of an input (dropout in evaluation mode, flatten). `cls` is the class of
    the module, `window` the kernel of a convolution or a pool.
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
    """Kernel, stride and dilation of a convolution or a pool, for each spatial dimension."""

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    dilation: tuple[int, ...]


class FirstSave(NamedTuple):
    """A tensor made before a call which this call is the first to save: its bytes, which input of
    the call it is (-1: of an operation before the call), and which input of the caller (-1: none).
    """

    nbytes: int
    input: int
    caller_input: int


class Call(NamedTuple):
    """One use of a trace.

    Each input comes from another call of the same trace, from an input of the trace, from a
    parameter (its name), or from nowhere (None: a constant, or an integer table that is indexed).
    `line` is the line of the caller's `forward`; 0 if the caller is a torch layer. `is_external`:
    the module belongs to another module than the caller, and its name is its path in the model. In
    training mode, `saved_bytes` are the bytes made by the caller that are saved from this call on,
    or by an operation since the call before; `first_saves` are tensors made earlier that this call
    is the first to save.
    """

    name: str
    trace: Trace
    sources: tuple[Source | str | None, ...]
    line: int = 0
    is_external: bool = False
    saved_bytes: int = 0
    first_saves: tuple[FirstSave, ...] = ()
