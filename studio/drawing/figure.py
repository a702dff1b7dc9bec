"""What is taken away: a graph as far as it is unfolded, under a heading that says what it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.drawing.decoration import NO_MARKS, Mark
from studio.drawing.graph import Graph


@dataclass(frozen=True, kw_only=True)
class Heading:
    """The title of a picture, its figures as they are read, and what opens it again: a link to the
    page, or a command."""

    title: str
    figures: tuple[str, ...] = ()
    link: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.title, " · ".join(self.figures), self.link)))

    @property
    def address(self) -> str:
        """The link where it is one, empty for a command."""
        return self.link if self.link.startswith(("http://", "https://")) else ""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A graph with the blocks named in `opened` open, what its boxes bear, and its heading."""

    graph: Graph
    heading: Heading
    opened: frozenset[str] = frozenset()
    marks: Mapping[str, Mark] = field(default_factory=lambda: NO_MARKS, hash=False)
