"""One version, which everything that leaves the studio names."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

import studio
from studio.bench.conditions import Conditions
from studio.bench.results import Measurement, Samples
from tests.designs import small

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


@pytest.fixture
def design() -> studio.Design:
    return small(studio.families()["cnn"])


def test_the_project_takes_its_version_from_the_module() -> None:
    project = tomllib.loads(PYPROJECT.read_text("utf-8"))
    assert "version" in project["project"]["dynamic"]
    assert project["tool"]["setuptools"]["dynamic"]["version"] == {
        "attr": "studio.version.__version__"
    }


def test_a_script_a_design_file_and_a_report_name_it(design: studio.Design) -> None:
    named = f"the neural architecture studio {studio.__version__}"
    assert named in " ".join(str(studio.export(design)).partition('"""\n\n')[0].split())
    assert json.loads(studio.export(design, "json"))["studio"] == studio.__version__
    for form in ("markdown", "html"):
        assert named in studio.report(design, form)


def test_a_measurement_names_it() -> None:
    times = (0.1, 0.2, 0.3)
    samples = Samples(
        walls=times,
        cpus=times,
        block=1,
        first_call_s=0.5,
        weight_bytes=4,
        device="CPU",
        torch_version="2",
    )
    found = samples.measurement(Conditions())
    assert found.studio_version == studio.__version__
    assert Measurement.from_json(found.to_json()) == found


def test_a_measurement_of_an_older_studio_is_read(design: studio.Design) -> None:
    text = json.dumps(
        {
            "median_s": 0.1,
            "q25_s": 0.1,
            "q75_s": 0.1,
            "p95_s": None,
            "runs": 9,
            "first_call_s": 0.5,
            "cpu_s": 0.1,
            "clean": True,
            "device": "CPU",
            "threads": 1,
            "dtype": "float32",
            "batch": 1,
            "torch_version": "2",
        }
    )
    assert Measurement.from_json(text).studio_version == ""
