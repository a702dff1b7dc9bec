"""float16 on a CPU: most CPUs have no kernels for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from time import perf_counter
from typing import Any

from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from studio.bench.conditions import Conditions
from studio.bench.timing.time_bound import MIN_CALLS
from studio.process.errors import MeasureError


@contextlib.contextmanager
def slow_call_guard(conditions: Conditions) -> Iterator[None]:
    """Stops a model's call with MeasureError once it is too slow to be measured within the limit.

    One thread of an x86 CPU without float16 computes 1.5 GMACs per second in convolutions, and 36
    in float32. Without the guard, a detector blocked the queue for its whole time limit.
    """
    if conditions.dtype != "float16" or conditions.device != "cpu" or conditions.compiled:
        yield
        return
    handle = register_module_forward_pre_hook(SlowCallHook(conditions.limit_s / MIN_CALLS))
    try:
        yield
    finally:
        handle.remove()


class SlowCallHook:
    """Forward pre-hook: raises MeasureError once the outermost call takes longer than
    `longest_s`."""

    def __init__(self, longest_s: float) -> None:
        self._longest_s, self._began = longest_s, 0.0
        self._model: nn.Module | None = None

    def __call__(self, module: nn.Module, inputs: Any) -> None:
        if self._model is None:
            self._model = module
        if module is self._model:
            self._began = perf_counter()
        elif perf_counter() - self._began > self._longest_s:
            raise MeasureError(
                f"in float16 one call of this model takes more than {self._longest_s:g} s, since"
                " few processors compute in it; dtype=bfloat16 and float32 take far less"
            )
