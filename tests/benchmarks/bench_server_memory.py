"""The memory of a server while its readers look at thousands of distinct designs.

    python -m pytest tests/benchmarks/bench_server_memory.py -o addopts= -s

Takes ten minutes of a core. What a page computes of a design (profile, training trace, layer graph
and its layout, script, work, chart) is computed for designs that were never seen before, families
in turn, and the collector is tended as the server does it. The process may grow until its caches
are full, and no longer: over the last half it grows by less than a fifth.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

import studio
from studio.app.diagram.component import cached_layout
from studio.family import Design
from studio.knobs import DesignError
from studio.workbench import gc_policy, results
from studio.workbench.jobs import predicted_latency
from studio.workbench.workload import Workload

DESIGNS, LOOK = 5_000, 500  # that are seen, and after how many the process is weighed
LARGEST_MACS = 1e12  # giants take seconds each and weigh no more
WALK = 50  # designs between two walks of the collector
BAR = 1.2


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def designs(chance: random.Random) -> Iterator[Design]:
    """Presets of all families in turn, with up to three knobs turned somewhere; none twice."""
    families, seen = list(studio.families().values()), set[Design]()
    while True:
        for family in families:
            design = family.design(chance.choice(family.presets).name)
            for knob in chance.sample(list(family.knobs.values()), 3):
                if isinstance(knob.default, int | float) and not isinstance(knob.default, bool):
                    value = knob.kind(knob.clamp(knob.default * chance.uniform(0.5, 1.5)))
                    try:
                        config = family.snap(design.config, knob.name, value).config
                    except DesignError:
                        continue
                    design = Design(family, config)
            if design not in seen:
                seen.add(design)
                yield design


def look_at(workload: Workload) -> None:
    """What the page asks for when a design is shown."""
    cached_layout(results.graph(workload), frozenset())
    results.script_of(workload)
    predicted_latency.op_cost(workload)


@pytest.mark.timeout(7200)
def test_the_server_stops_growing() -> None:
    sizes: list[float] = []
    some = islice(designs(random.Random(0)), DESIGNS)
    for seen, design in enumerate(some, 1):
        workload = Workload(design)
        if results.profile_of(workload).macs <= LARGEST_MACS:
            look_at(workload)
        if seen % WALK == 0:
            gc_policy.collect(everything=seen % (10 * WALK) == 0)
        if seen % LOOK == 0:
            gc_policy.return_memory()
            sizes.append(resident_mb())
            print(f"{seen:,} designs: {sizes[-1]:.0f} MB", flush=True)
    assert sizes[-1] <= BAR * sizes[len(sizes) // 2 - 1]
