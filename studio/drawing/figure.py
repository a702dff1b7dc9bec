"""A figure to export: a graph with its open blocks and decorations, under a heading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from studio.drawing.decoration import NO_MARKS, Mark
from studio.drawing.graph import Graph


@dataclass(frozen=True, kw_only=True)
class Heading:
    """The heading of an exported figure.

    `figures`: costs as text, such as `86.6 M parameters`. `link`: a URL of the page or a shell
    command that opens the design again.
    """

    title: str
    figures: tuple[str, ...] = ()
    link: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.title, " · ".join(self.figures), self.link)))

    @property
    def address(self) -> str:
        """The link if it is a URL, else empty."""
        return self.link if self.link.startswith(("http://", "https://")) else ""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A graph, its heading, the ids of its open blocks, and the marks of its nodes by id."""

    graph: Graph
    heading: Heading
    opened: frozenset[str] = frozenset()
    marks: Mapping[str, Mark] = field(default_factory=lambda: NO_MARKS, hash=False)
