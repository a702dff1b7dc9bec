"""The tasks that a network may be designed for."""

from __future__ import annotations

from typing import Literal, get_args

Task = Literal[
    "classification",
    "detection",
    "segmentation",
    "instance-segmentation",
    "language",
    "time-series",
    "generation",
    "multi-modal",
]
TASKS: tuple[Task, ...] = get_args(Task)
