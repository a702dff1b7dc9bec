"""For tasks of the guide, others with each commit: from the task and a budget to a script that
runs and keeps it, and a report on it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import studio
from studio.advice.budget import Limits, cost, format_amount
from studio.advice.recommend import Choice, choose
from studio.advice.requirements import Brief
from studio.reporting.markdown import markdown
from studio.reporting.sections import report
from studio.tasks import TASKS, Task
from tests.commit_sample import commit_sample

BRIEFS: dict[Task, Brief] = {
    "classification": Brief(
        task="classification",
        limits=Limits(params=300_000, macs=30_000_000),
        settings={"image_size": 32, "num_classes": 10},
        examples=5000,
    ),
    "detection": Brief(
        task="detection",
        limits=Limits(params=3_000_000, inference_bytes=80_000_000),
        settings={"image_size": 320, "num_classes": 3, "in_channels": 3},
    ),
    "segmentation": Brief(
        task="segmentation",
        limits=Limits(params=500_000),
        settings={"image_size": 128, "in_channels": 1, "num_classes": 2},
        examples=300,
    ),
    "instance-segmentation": Brief(
        task="instance-segmentation",
        limits=Limits(params=12_000_000),
        settings={"image_size": 256, "num_classes": 5},
    ),
    "language": Brief(
        task="language",
        limits=Limits(params=1_000_000),
        settings={"vocab_size": 2000, "seq_len": 64},
    ),
    "time-series": Brief(
        task="time-series",
        limits=Limits(params=100_000, training_bytes=8_000_000),
        settings={"input_size": 7, "num_classes": 7, "seq_len": 96},
        batch=16,
    ),
    "generation": Brief(
        task="generation",
        limits=Limits(params=2_000_000),
        settings={"image_size": 32, "in_channels": 3},
        examples=20_000,
    ),
    "multi-modal": Brief(
        task="multi-modal",
        limits=Limits(params=2_000_000),
        settings={"image_size": 64, "vocab_size": 1000, "seq_len": 16, "num_classes": 10},
    ),
}
RUN_ALL = """
import contextlib, io, json, runpy, sys
told = {}
for path in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path(path, run_name="__main__")
    told[path] = out.getvalue()
print(json.dumps(told))
"""
TRIED = commit_sample("scenarios", TASKS, 5)
each_task = pytest.mark.parametrize("task", TRIED)


@cache
def first(task: Task) -> Choice:
    return choose(BRIEFS[task])[0]


@each_task
def test_the_first_choice_keeps_every_limit_and_uses_the_one_that_binds(task: Task) -> None:
    brief, choice = BRIEFS[task], first(task)
    for name, limit in brief.limits.given.items():
        assert cost(choice.profile, name) <= limit
    assert 0.5 <= choice.share <= 1
    assert choice.profile == studio.profile(choice.design, brief.batch)
    assert choice.notes == ()


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What the exported scripts of all tasks print, in one interpreter that has torch alone."""
    folder = tmp_path_factory.mktemp("exported")
    paths = {task: folder / f"{task.replace('-', '_')}.py" for task in TRIED}
    for task, path in paths.items():
        path.write_text(studio.export(first(task).design), encoding="utf-8")
    names = [str(path) for path in paths.values()]
    ran = subprocess.run(
        [sys.executable, "-I", "-c", RUN_ALL, *names], cwd=folder, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    return {Path(path).stem: out for path, out in json.loads(ran.stdout).items()}


@each_task
def test_the_script_of_it_runs_and_has_as_many_parameters(task: Task, said: dict[str, str]) -> None:
    out = said[task.replace("-", "_")]
    found = re.search(r"([\d,_]+) parameters", out)
    assert found, out
    assert int(re.sub(r"\D", "", found[1])) == first(task).profile.params


@each_task
def test_the_report_states_what_was_asked_and_what_was_chosen(task: Task) -> None:
    brief, choice = BRIEFS[task], first(task)
    text = markdown(report(choice.design, brief.batch, None, brief, choice))
    for name, limit in brief.limits.given.items():
        assert (
            f"| {format_amount(name, limit)} | {format_amount(name, cost(choice.profile, name))} |"
            in text
        )
    for name, value in brief.settings.items():
        if name in choice.design.knobs:
            assert f"`{name}={value}`" in text
    assert f"{choice.profile.params:,} parameters" in text
    assert "Reasons against it:" in text
    assert not re.search(
        r"\b(None|nan|inf)\b|\d\.\d{7,}|\.\.(?!\.)|  \.", text.partition("<details>")[0]
    )


def test_the_memory_of_training_is_that_of_the_simulated_step() -> None:
    choice = first("time-series")
    limit = BRIEFS["time-series"].limits.training_bytes
    assert limit
    assert choice.to_dict()["training_bytes"] == choice.profile.training_bytes() <= limit
