"""What flows from row to row of a composition, and what a row is.

A row is a frozen record of its own hyper-parameters. It tells from the shape that flows in what
flows out, without building anything, and it builds the module that does it. Shapes are those of
one example; a map of a clip has its frames in the batch, so that rows for images serve for it. A
knob that holds the number of a stage is called `source`, or `skips` where it holds several.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType, UnionType
from typing import ClassVar, Literal

from torch import nn

STEM = -1  # What a row may join beside the output of a stage, by its number: that of the stem.
MEMORY = -2  # The second input.
INPUT = -3  # The first input, as it was before the stem.


@dataclass(frozen=True)
class Map:
    """A map of features (B·T, C, H, W), of T frames. With `past` a frame depends on earlier ones,
    which is no part of its shape."""

    channels: int
    height: int
    width: int
    frames: int = 1
    past: bool = field(default=False, compare=False)

    @property
    def values(self) -> int:
        """Of one example."""
        return self.channels * self.height * self.width * self.frames

    def __str__(self) -> str:
        each = f"a clip of {self.frames} frames, each " if self.frames > 1 else ""
        return f"{each}a map ({self.channels}, {self.height}, {self.width})"


@dataclass(frozen=True)
class Tokens:
    """Tokens or steps (B, N, D).

    The rest is no part of their shape: the H × W of the map whose pixels they are, whether the
    first is a class token, and whether a token depends on those before it and on those after it.
    """

    count: int
    width: int
    grid: tuple[int, int] | None = field(default=None, compare=False)
    class_token: bool = field(default=False, compare=False)
    past: bool = field(default=False, compare=False)
    future: bool = field(default=False, compare=False)

    @property
    def values(self) -> int:
        """Of one example."""
        return self.count * self.width

    def __str__(self) -> str:
        name = "tokens" if self.grid or self.class_token else "steps"
        return f"a sequence of {self.count:,} {name} × {self.width:,} features"

    def mixed(self) -> Tokens:
        """After a layer in which every token sees every other."""
        return replace(self, past=True, future=True)


Flow = Map | Tokens
AXES: Mapping[type[Flow], str] = MappingProxyType({Map: "(B, C, H, W)", Tokens: "(B, N, D)"})


class Row:
    """A stem, a stage or a head. What it is for is the first line of its docstring."""

    # What must flow in; of a map whether an image, a clip of several frames, or each frame alone.
    takes: ClassVar[type[Map] | type[Tokens] | UnionType]
    reads: ClassVar[Literal["image", "clip", "each"]] = "each"

    @property
    def wants(self) -> str:
        """The shape of what must flow in, by the names of its axes."""
        return " or ".join(axes for kind, axes in AXES.items() if issubclass(kind, self.takes))

    @property
    def joins(self) -> tuple[int, ...]:
        """The numbers of the stages whose outputs it reads beside what flows in."""
        return ()

    @property
    def memory(self) -> Tokens | None:
        """The second input that it reads, if it reads one: then it joins MEMORY."""
        return None

    def lacks(self, x: Flow) -> str:
        """Why it could not learn from x, although the shapes fit; empty where it can."""
        return ""

    # What flows out, given what flows in and what is joined. Raises ValueError, which names the
    # setting that does not fit.
    flow: Callable[..., Flow]
    # The module for them.
    build: Callable[..., nn.Module]


def is_taken(x: Flow, row: Row) -> bool:
    """Whether x is the kind of tensor that the row takes."""
    if not isinstance(x, row.takes):
        return False
    if not isinstance(x, Map) or row.reads == "each":
        return True
    return (x.frames > 1) == (row.reads == "clip")


def needs(row: Row) -> str:
    """What the row takes, in words, with the names of its axes."""
    if issubclass(Map, row.takes):
        return "a clip (T, C, H, W)" if row.reads == "clip" else "an image (C, H, W)"
    return "a sequence (N, D)"


def place_of(number: int) -> str:
    """The place of the stem or of a stage, as a refusal names it."""
    return "stem" if number == STEM else f"stages.{number}"


def shrunk(x: Map, channels: int, stride: int) -> Map:
    """After padded convolutions of which one has this stride. Raises ValueError."""
    if stride > min(x.height, x.width):
        raise ValueError(f"stride={stride} is more than the map has: {x.height} × {x.width} pixels")
    height, width = -(-x.height // stride), -(-x.width // stride)
    return replace(x, channels=channels, height=height, width=width)
