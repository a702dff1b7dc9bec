"""Figures do not depend on what a process has done before: the first is as exact as all later."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from studio import zoo
from studio.analysis.cost.summary import cost_summary
from tests.commit_sample import commit_sample
from tests.test_project import PROJECT

FIRST = """
import json, sys
from dataclasses import asdict
from studio import zoo
from studio.analysis.cost.summary import cost_summary
print(json.dumps(asdict(cost_summary(zoo.family(sys.argv[1]).design(sys.argv[2])))))
"""


def first_of(family: str, preset: str) -> dict[str, object]:
    """The costs of a design by a process that has done nothing else."""
    done = subprocess.run(
        [sys.executable, "-c", FIRST, family, preset],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, object] = json.loads(done.stdout)
    return found


# DETR's first batch norm makes torch import a part of itself in the middle of the trace.
@pytest.mark.parametrize(
    "family", ["detr", *commit_sample("first", [key for key in zoo.families() if key != "detr"], 2)]
)
def test_the_first_figures_of_a_process_are_those_of_any_other(family: str) -> None:
    design = zoo.family(family).design(zoo.family(family).presets[0].name)
    assert design.preset
    cost_summary(zoo.family("cnn").design())  # this process has traced something
    assert first_of(family, design.preset.name) == asdict(cost_summary(design))


def test_the_first_detector_has_the_activations_of_the_real_model() -> None:
    """Counted once on a CPU, from the live tensors of a forward pass."""
    assert first_of("detr", "DETR-R50")["activation_bytes"] == 151_042_048
