"""Small scripts to measure, as the export room would write them."""

from __future__ import annotations

from studio.bench.conditions import Subject

SCRIPT = """
from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class Config:
    width: int = 256


class Model(nn.Module):
    def __init__(self, config: Config) -> None:
        super().__init__()
        {build}

    def forward(self, x: Tensor) -> Tensor:
        {forward}


def example(config: Config, batch: int) -> tuple[Tensor, ...]:
    return (torch.randn(batch, 32, config.width),)
"""


def script(forward: str, build: str = "pass") -> Subject:
    return Subject(SCRIPT.format(build=build, forward=forward), "Config", "Model")


def layers(depth: int) -> Subject:
    build = f"self.layers = nn.Sequential(*(nn.Linear(256, 256) for _ in range({depth})))"
    return script("return self.layers(x)", build)


def sleeper(seconds: float) -> Subject:
    return script(f"time.sleep({seconds}); return x")


def heavy(number: int, gigabytes: float) -> Subject:
    build = f"self.w{number} = nn.Parameter(torch.empty({int(gigabytes * 1e9)} // 4))"
    return script("return x + 1", build)
