"""What flows between the stages of a composition, and what a stage is.

A stage is a frozen record of its own hyper-parameters. From the shape of its input it infers the
shape of its output without building anything (`flow`), and it builds the module (`build`). Shapes
are those of one example. The frames of a clip lie in the batch, so that stages for images run on
each frame. A knob that holds the number of an earlier stage is called `source`; one that holds
several, `skips`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType, UnionType
from typing import Any, ClassVar, Generic, Literal, TypeVar, TypeVarTuple

from torch import nn

JOINS = ("source", "skips")  # knobs of a stage that hold the number of an earlier one, or several
STEM = -1  # What a stage can join besides the output of an earlier stage: the stem's output,
MEMORY = -2  # the second input,
INPUT = -3  # the first input, before the stem.


@dataclass(frozen=True)
class Map:
    """A feature map (B·T, C, H, W) of T frames.

    `past`: whether a frame depends on earlier frames. It is not part of the shape.
    """

    channels: int
    height: int
    width: int
    frames: int = 1
    past: bool = field(default=False, compare=False)

    @property
    def values(self) -> int:
        """The number of values in one example."""
        return self.channels * self.height * self.width * self.frames

    def __str__(self) -> str:
        each = f"a clip of {self.frames} frames, each " if self.frames > 1 else ""
        return f"{each}a map ({self.channels}, {self.height}, {self.width})"


@dataclass(frozen=True)
class Tokens:
    """Tokens or time steps (B, N, D).

    Not part of the shape: `grid`, the H × W of the map whose pixels the tokens are; `class_token`,
    whether the first one is a class token; `past` and `future`, whether a token depends on earlier
    and on later ones.
    """

    count: int
    width: int
    grid: tuple[int, int] | None = field(default=None, compare=False)
    class_token: bool = field(default=False, compare=False)
    past: bool = field(default=False, compare=False)
    future: bool = field(default=False, compare=False)

    @property
    def values(self) -> int:
        """The number of values in one example."""
        return self.count * self.width

    def __str__(self) -> str:
        name = "tokens" if self.grid or self.class_token else "steps"
        return f"a sequence of {self.count:,} {name} × {self.width:,} features"

    def with_context(self) -> Tokens:
        """The tokens after a layer in which each depends on all others."""
        return replace(self, past=True, future=True)


Flow = Map | Tokens
DIMS: Mapping[type[Flow], str] = MappingProxyType({Map: "(B, C, H, W)", Tokens: "(B, N, D)"})
In = TypeVar("In", bound=Flow, contravariant=True)
Joined = TypeVarTuple("Joined")


class Stage(ABC, Generic[In, *Joined]):
    """A stage or a head. `In` is its input; `Joined` are further inputs, from earlier stages.

    The first line of a subclass's docstring says what the stage is for.
    """

    # The kind of input; and of maps, whether an image, a whole clip, or each frame by itself.
    takes: ClassVar[type[Map] | type[Tokens] | UnionType]
    reads: ClassVar[Literal["image", "clip", "each"]] = "each"

    @abstractmethod
    def flow(self, x: In, *joined: *Joined) -> Flow:
        """The shape of the output, from those of the input and of what is joined.

        Raises ValueError that names the knob that does not fit.
        """

    @abstractmethod
    def build(self, x: In, *joined: *Joined) -> nn.Module:
        """The module for inputs of these shapes. Its `forward` takes as many tensors."""

    @property
    def input_dims(self) -> str:
        """The dimensions of the input, by name: `(B, C, H, W)`."""
        return " or ".join(dims for kind, dims in DIMS.items() if issubclass(kind, self.takes))

    @property
    def joins(self) -> tuple[int, ...]:
        """The numbers of the earlier outputs that it reads besides its input."""
        return ()

    @property
    def memory(self) -> Tokens | None:
        """The second input of the network, for a stage that joins MEMORY."""
        return None

    def missing_context(self, x: Flow) -> str:
        """Why it cannot learn from x although the shapes fit; empty if it can."""
        return ""


AnyStage = Stage[Any, *tuple[Any, ...]]


def accepts(stage: AnyStage, x: Flow) -> bool:
    """Whether x is the kind of input that the stage takes."""
    if not isinstance(x, stage.takes):
        return False
    if not isinstance(x, Map) or stage.reads == "each":
        return True
    return (x.frames > 1) == (stage.reads == "clip")


def input_text(stage: AnyStage) -> str:
    """The input that the stage takes, in words, with its dimensions by name."""
    if issubclass(Map, stage.takes):
        return "a clip (T, C, H, W)" if stage.reads == "clip" else "an image (C, H, W)"
    return "a sequence (N, D)"


def place_of(number: int) -> str:
    """The path of the stem or of a stage in the config: `stages.2`."""
    return "stem" if number == STEM else f"stages.{number}"


def downsample(x: Map, channels: int, stride: int) -> Map:
    """The map after padded convolutions, one of which has this stride. Raises ValueError."""
    if stride > min(x.height, x.width):
        raise ValueError(f"stride={stride} exceeds the {x.height} × {x.width} pixels of the map")
    height, width = -(-x.height // stride), -(-x.width // stride)
    return replace(x, channels=channels, height=height, width=width)
