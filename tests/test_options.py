"""The options of the command, which are listed without the seconds that torch takes to import."""

from __future__ import annotations

from typing import get_args

from studio import options
from studio.advice import sizing
from studio.guide import Task


def test_names_that_are_listed_without_torch_are_those_of_the_code() -> None:
    assert get_args(Task) == options.TASKS
    assert sizing.STRATEGIES == options.STRATEGIES
