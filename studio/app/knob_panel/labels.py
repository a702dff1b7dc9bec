"""The label of a knob in words, from the first words of its help."""

from __future__ import annotations

import re
from dataclasses import dataclass

LONG = 34  # characters of a label that wraps to a second line
BREAK = re.compile(r"[;:(,]")
SMALL = r"of|in|at|to|over|with|after|before|between|where|for"
TAIL = re.compile(rf"\s+(?:{SMALL})\b.*$")
SYMBOL = re.compile(r"^(.+\S)\s+([A-Za-zα-ω]'?)$")


@dataclass(frozen=True)
class Label:
    """`Token width D`: the words, and the paper's symbol if they end with one."""

    words: str
    symbol: str = ""

    @property
    def text(self) -> str:
        return f"{self.words} {self.symbol}".strip()


def label(help: str, name: str) -> Label:
    """The first words of a help, up to what explains them; without any, the name in words."""
    lead = BREAK.split(help, maxsplit=1)[0].strip()
    if len(lead) > LONG or re.search(rf"\s(?:{SMALL})$", lead):
        lead = TAIL.sub("", lead)
    if found := SYMBOL.match(lead):
        return Label(found[1], found[2])
    return Label(lead or name.replace("_", " ").capitalize())
