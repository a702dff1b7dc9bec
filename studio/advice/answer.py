"""What the architect answers, as a value that another process can send."""

from __future__ import annotations

from dataclasses import dataclass

from studio.advice.choice import Brief, Choice, choose
from studio.advice.sizing import Strategy
from studio.knobs import DesignError


@dataclass(frozen=True)
class Answer:
    """The choices for a brief, best first; or in one sentence why there are none."""

    choices: tuple[Choice, ...] = ()
    refusal: str = ""


def answer(brief: Brief, strategy: Strategy) -> Answer:
    try:
        return Answer(choose(brief, strategy))
    except DesignError as error:
        return Answer(refusal=str(error))
