"""What differs from commit to commit: tests that cannot try everything try other things each time.

A failure can be repeated, as the same commit makes the same choices.
"""

from __future__ import annotations

import random
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@cache
def commit() -> str:
    """The commit that is checked out; outside a repository always the same text."""
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or "no commit"


def commit_random(name: str) -> random.Random:
    """Random numbers of this commit for one purpose, which the name tells apart from others."""
    return random.Random(f"{name} {commit()}")


def commit_sample(name: str, values: Sequence[T], count: int) -> list[T]:
    """So many of the values, others with each commit."""
    return commit_random(name).sample(values, min(count, len(values)))
