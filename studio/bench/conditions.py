"""What is measured, and under which conditions: values only, without torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import get_args

from studio.knobs import Mode
from studio.process.errors import MeasureError
from studio.quoting import echoed

CHOICES: Mapping[str, tuple[object, ...]] = MappingProxyType(
    {
        "mode": get_args(Mode),
        "dtype": ("float32", "bfloat16", "float16"),
        "layout": ("contiguous", "channels_last"),
        "compiled": (False, True),
    }
)
LIMIT_S, COMPILE_LIMIT_S = 30.0, 600.0  # compiling a large model takes minutes
IMAGE_DIMENSIONS = 4  # batch, channels, height, width


@dataclass(frozen=True)
class Subject:
    """A script to measure, and the names in it.

    The script defines the config class (`config`, constructed without arguments), the model class
    (`model`, constructed from the config) and a function (`example`, of a config and a batch) that
    returns the tuple of inputs.
    """

    source: str
    config: str
    model: str
    example: str = "example"


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """The conditions of a measurement. One thread by default: with as many threads as cores, one
    busy process turns milliseconds into half seconds, and the spread does not show it.

    A `training` step is a forward pass in training mode, with the mean squares of the outputs as
    loss, a backward pass, and an SGD update. `channels_last` is torch's memory format of images and
    convolutions. `compiled` is torch.compile with its defaults.
    """

    batch: int = 1
    device: str = "cpu"
    mode: Mode = "inference"
    dtype: str = "float32"
    layout: str = "contiguous"
    compiled: bool = False
    threads: int = 1

    def __post_init__(self) -> None:
        for name, known in CHOICES.items():
            value = getattr(self, name)
            if not any(value == choice and type(value) is type(choice) for choice in known):
                raise MeasureError(f"{name}={echoed(value)} is not {_or(known)}")
        for name in ("batch", "threads"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise MeasureError(f"{name}={echoed(value)} is not a whole number from 1")

    @property
    def limit_s(self) -> float:
        """The time limit for one subject, in seconds."""
        return COMPILE_LIMIT_S if self.compiled else LIMIT_S


def layout_problem(inputs: Sequence[Sequence[int]], layout: str) -> str:
    """Why inputs of these shapes do not support the layout, in one sentence; else empty."""
    if layout != "channels_last" or any(len(shape) == IMAGE_DIMENSIONS for shape in inputs):
        return ""
    shapes = " and ".join(str(tuple(shape)) for shape in inputs)
    return (
        f"layout=channels_last needs images, inputs of four dimensions, and this model takes"
        f" {shapes}; layout=contiguous works"
    )


def _or(choices: tuple[object, ...]) -> str:
    *others, last = map(str, choices)
    return f"{', '.join(others)} or {last}"
