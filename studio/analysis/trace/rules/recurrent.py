"""The rule for nn.RNN, nn.GRU and nn.LSTM, with the tensors that these layers make on a CPU.

RNN, GRU and LSTM with projections run step by step (RNN.cpp of ATen): the product of the weights
with the inputs of all steps is made at once, each step adds a state, and the states are stacked. An
LSTM without projections is one oneDNN kernel per layer and direction; in training it returns its
workspace, a tensor that is saved for the backward pass. The tensors of all steps are one allocation
here, so a thousand steps take no longer than one.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from studio.analysis.trace.rules.result import RuleResult, empty_like, new_empty, with_grad_of

GATES = {"LSTM": 4, "GRU": 3}
CACHE_LINE = 16  # floats in a cache line, to which oneDNN rounds the length of a row


@dataclass
class RecurrentRun:
    """A recurrent layer applied to its inputs; `saved` is what it has saved in training so far."""

    rnn: nn.RNNBase
    x: Tensor
    learns: bool
    saved: list[Tensor] = field(default_factory=list)

    @property
    def directions(self) -> int:
        return 2 if self.rnn.bidirectional else 1

    @property
    def gates(self) -> int:
        return GATES.get(self.rnn.mode, 1)

    @property
    def state_size(self) -> int:
        """Values that a step passes to the next one."""
        return self.rnn.proj_size or self.rnn.hidden_size

    @property
    def batch(self) -> int:
        return self.x.shape[0 if self.rnn.batch_first else 1] if self.x.dim() == 3 else 1

    @property
    def widths(self) -> list[int]:
        """The input width of each layer."""
        between = self.directions * self.state_size
        return [self.rnn.input_size] + [between] * (self.rnn.num_layers - 1)

    def per_step(self, width: int) -> Tensor:
        """A tensor with `width` values for each step of all sequences."""
        return new_empty(self.x, *self.x.shape[:-1], width)

    def save(self, *tensors: Tensor) -> None:
        if self.learns:
            self.saved += tensors

    def time_major(self, x: Tensor) -> Tensor:
        """The inputs ordered by step in memory: a copy if they are ordered by sequence."""
        moved = x is self.x and self.rnn.batch_first and x.dim() == 3 and 1 not in x.shape[:2]
        return empty_like(x) if moved else x


def recurrent(rnn: nn.RNNBase, x: Tensor, *state: Tensor) -> RuleResult:
    """Sequences (B, T, F) with `batch_first`, else (T, B, F), or one (T, F).

    In training a step saves gates, products and states (or the kernel its workspace), and a layer
    saves its inputs.
    """
    run = RecurrentRun(rnn, x, with_grad_of(new_empty(x), x, rnn).requires_grad)
    H, count = rnn.hidden_size, rnn.num_layers * run.directions
    batch = (run.batch,) if x.dim() == 3 else ()
    sizes = (run.state_size, H) if rnn.mode == "LSTM" else (run.state_size,)
    first = [] if state else [new_empty(x, count, *batch, size) for size in sizes]
    last = [with_grad_of(new_empty(x, count, *batch, size), x, rnn) for size in sizes]
    out = with_grad_of(_layers(run), x, rnn)
    del first
    steps = x.numel() // x.shape[-1]
    macs = sum(
        run.directions * steps * (run.gates * H * (width + run.state_size) + H * rnn.proj_size)
        for width in run.widths
    )
    products = count * steps * (2 * run.gates * H + rnn.proj_size)
    outputs = (out, tuple(last) if rnn.mode == "LSTM" else last[0])
    return RuleResult(outputs, macs, tuple(run.saved), activation_count=products)


def _layers(run: RecurrentRun) -> Tensor:
    """The outputs of all layers, with dropout between them."""
    rnn, is_fused = run.rnn, _is_fused(run)
    x = run.time_major(run.x) if is_fused else run.x
    kernel_input = x  # alive until the last layer, as in the fused kernels
    for layer in range(rnn.num_layers):
        if layer and rnn.dropout and rnn.training:
            noise = empty_like(x)
            run.save(noise)
            x = empty_like(x)
            del noise
        x = _run_fused(run, x) if is_fused else _run_steps(run, x)
    del kernel_input
    return x


def _run_steps(run: RecurrentRun, x: Tensor) -> Tensor:
    """One layer step by step: the products of all steps, the states, and their stack."""
    per_step = 7 * run.rnn.hidden_size if run.gates > 1 else run.state_size
    outputs, states = [], []
    products = None
    for _ in range(run.directions):
        ordered = run.time_major(x)
        following = run.per_step(run.gates * run.rnn.hidden_size)
        products = following  # frees those of the other direction
        run.save(ordered)
        del ordered, following
        states.append(run.per_step(per_step if run.learns else run.state_size))
        run.save(states[-1])
        outputs.append(run.per_step(run.state_size))
    joined = run.per_step(2 * run.state_size) if run.directions == 2 else outputs[0]
    del products
    return joined


def _run_fused(run: RecurrentRun, x: Tensor) -> Tensor:
    """One layer as one kernel per direction."""
    run.save(x)
    outputs = []
    for _ in range(run.directions):
        outputs.append(run.per_step(run.state_size))
        run.save(outputs[-1])
        if run.learns:
            run.save(new_empty(x, _workspace(run, x.shape[-1])))
    return run.per_step(2 * run.state_size) if run.directions == 2 else outputs[0]


def _is_fused(run: RecurrentRun) -> bool:
    """Whether the layer is a oneDNN kernel: no projections, and oneDNN is available."""
    fits = run.rnn.mode == "LSTM" and not run.rnn.proj_size and run.x.dtype == torch.float32
    return fits and bool(torch.backends.mkldnn.is_available())  # type: ignore[no-untyped-call]


def _workspace(run: RecurrentRun, width: int) -> int:
    """Size of an LSTM's workspace in floats (rnn_utils.cpp of oneDNN): gates for each step, and
    states of both passes with one more for the initial state."""
    H, B = run.rnn.hidden_size, run.batch
    steps = run.x.numel() // run.x.shape[-1] // B
    states = 6 * _padded_row(max(width, H)) + 4 * H
    return B * (steps * (_padded_row(4 * H) + _padded_row(H)) + (steps + 1) * states)


def _padded_row(width: int) -> int:
    """The length of a row: whole cache lines, and no multiple of 1 kB, whose rows would share cache
    sets."""
    length = -(-width // CACHE_LINE) * CACHE_LINE
    return length if length % 256 else length + CACHE_LINE
