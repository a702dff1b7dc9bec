from __future__ import annotations

import logging
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from studio.bench import sweep
from studio.bench.conditions import Conditions
from studio.bench.results import Measurement
from studio.bench.store import NAME, Store, StoreContents, cache_folder, store
from studio.bench.sweep import REFERENCE, SweepJob
from studio.process.errors import MeasureError
from studio.process.platform import Platform, local_platform
from studio.process.worker import Worker
from tests.bench.simulated import Simulated, StopsAfter, only, subject
from tests.bench.subjects import layers, script
from tests.process.processes import wait_until

CPU = Conditions()
HERE = Platform("Some CPU", "2.13")
MADE = Measurement(
    median_s=0.1 + 0.2, q25_s=0.29, q75_s=1 / 3, p95_s=None, runs=9, first_call_s=0.5,
    cpu_s=0.3, clean=True, device="Some CPU", threads=1, dtype="float32", batch=1,
    torch_version="2.13", measured_at="2026-01-02T03:04:05+00:00",
)  # fmt: skip
A, B, C = map(subject, "abc")


@pytest.mark.parametrize(
    ("what", "conditions", "place"),
    [
        (B, CPU, HERE),
        (A, Conditions(batch=2), HERE),
        (A, Conditions(dtype="bfloat16"), HERE),
        (A, CPU, Platform("Another CPU", "2.13")),
        (A, CPU, Platform("Some CPU", "2.12")),
    ],
)
def test_a_figure_is_of_its_text_conditions_machine_and_torch(
    tmp_path: Path, what, conditions, place
):
    kept = Store(tmp_path)
    kept.save_sweep({A: MADE}, CPU)
    assert kept.find([what], conditions, [place]) is None
    assert kept.find([A], CPU, [place, HERE]) == (MADE,)


def test_a_figure_comes_back_without_loss_in_another_process(tmp_path: Path):
    Store(tmp_path).save_sweep({A: MADE}, CPU)
    assert Store(tmp_path).find([A], CPU, [HERE]) == (MADE,)


def test_only_figures_of_one_sweep_are_found_together(tmp_path: Path):
    kept, later = Store(tmp_path), replace(MADE, median_s=0.5)
    kept.save_sweep({A: MADE, B: MADE}, CPU)
    kept.save_sweep({B: later, C: later}, CPU)
    assert kept.find([A, B], CPU, [HERE]) == (MADE, MADE)
    assert kept.find([B, C], CPU, [HERE]) == (later, later)
    assert kept.find([B], CPU, [HERE]) == (later,)
    assert kept.find([A, C], CPU, [HERE]) is None


def test_it_is_bounded_and_the_oldest_go_first(tmp_path: Path):
    kept = Store(tmp_path, rows=10)
    for i in range(25):
        kept.save_sweep({subject(f"{i}"): MADE}, CPU)
    found = [i for i in range(25) if kept.find([subject(f"{i}")], CPU, [HERE])]
    assert found == list(range(15, 25))


def test_the_user_clears_it(tmp_path: Path):
    kept = Store(tmp_path)
    kept.save_sweep({A: MADE}, CPU)
    for _ in range(3):
        kept.save_reference_time(MADE, REFERENCE, CPU)
    full, size = kept.contents(), sum(file.stat().st_size for file in tmp_path.iterdir())
    assert full == StoreContents(tmp_path / NAME, measurements=1, reference_times=3, bytes=size)
    kept.clear()
    assert kept.contents().measurements == kept.contents().reference_times == 0
    assert Store(tmp_path).find([A], CPU, [HERE]) is None
    assert kept.run_to_run_deviation("cpu", HERE.machine) is None


def elsewhere(kept: Store, command: str, *values: object) -> list[Any]:
    """What another process reads from the file, or writes into it."""
    with closing(sqlite3.connect(kept.path)) as disk, disk:
        return disk.execute(command, values).fetchall()


def test_a_full_disk_costs_nothing_but_the_memory_of_it(tmp_path: Path, caplog):
    kept = Store(tmp_path, pages=20)
    kept.save_sweep({A: MADE}, CPU)
    assert not kept.fallback_reason
    with caplog.at_level(logging.WARNING):
        for i in range(400):
            kept.save_sweep({subject(f"{i}"): MADE}, CPU)
    assert [record.getMessage() for record in caplog.records] == [kept.fallback_reason]
    assert "not on disk" in kept.fallback_reason
    assert "full" in kept.fallback_reason
    assert "\n" not in kept.fallback_reason
    for known in (A, subject("0"), subject("399")):
        assert kept.find([known], CPU, [HERE]) == (MADE,)


@pytest.mark.parametrize("error", [OSError("no space"), sqlite3.OperationalError("read-only")])
def test_a_write_that_fails_is_made_in_memory(tmp_path: Path, error: Exception):
    kept = Store(tmp_path)

    class Broken:
        def __enter__(self) -> None:
            raise error

        def __exit__(self, *_: object) -> None:
            pass

        def close(self) -> None:
            pass

        def backup(self, _: object) -> None:
            raise sqlite3.OperationalError("gone")

    kept._disk = Broken()  # type: ignore[assignment]
    kept.save_sweep({A: MADE}, CPU)
    assert kept.find([A], CPU, [HERE]) == (MADE,)
    assert str(error) in kept.fallback_reason


def test_a_folder_that_cannot_be_made_is_no_obstacle(tmp_path: Path):
    (tmp_path / "file").write_text("")
    kept = Store(tmp_path / "file" / "cache")
    kept.save_sweep({A: MADE}, CPU)
    assert kept.find([A], CPU, [HERE]) == (MADE,)
    assert kept.fallback_reason


@pytest.mark.parametrize("damage", [b"not a database, but long enough to look like one" * 99, None])
def test_a_damaged_file_is_begun_anew(tmp_path: Path, damage: bytes | None):
    before = Store(tmp_path)
    before.save_sweep({subject(f"{i}"): MADE for i in range(100)}, CPU)
    elsewhere(before, "PRAGMA wal_checkpoint(TRUNCATE)")
    path = tmp_path / NAME
    text = path.read_bytes()
    path.write_bytes(damage or text[:8192] + b"\xa5" * (len(text) - 8192))
    kept = Store(tmp_path)
    kept.save_sweep({A: MADE}, CPU)
    assert not kept.fallback_reason
    assert Store(tmp_path).find([A], CPU, [HERE]) == (MADE,)


@pytest.mark.parametrize("row", ["[]", "{", '{"median_s": 1.0}', "null"])
def test_a_row_of_another_version_is_not_there(tmp_path: Path, row: str):
    kept = Store(tmp_path)
    kept.save_sweep({A: MADE}, CPU)
    elsewhere(kept, "UPDATE figures SET figure = ?", row)
    assert kept.find([A], CPU, [HERE]) is None


def test_a_row_without_its_time_has_that_of_its_sweep(tmp_path: Path):
    kept = Store(tmp_path)
    kept.save_sweep({A: replace(MADE, measured_at="")}, CPU)
    elsewhere(kept, "UPDATE figures SET sweep = ?", 1_700_000_000 * 10**9)
    (found,) = kept.find([A], CPU, [HERE]) or ()
    assert found == replace(MADE, measured_at="2023-11-14T22:13:20+00:00")


def test_processes_write_at_the_same_time(tmp_path: Path):
    write = (
        "import sys; from pathlib import Path; from tests.bench.test_store import *;"
        "kept = Store(Path(sys.argv[1]));"
        "[kept.save_sweep({subject(sys.argv[2] + str(i)): MADE}, CPU) for i in range(50)];"
        "sys.exit(bool(kept.fallback_reason))"
    )
    command = [sys.executable, "-c", write, str(tmp_path)]
    writers = [subprocess.Popen([*command, name], cwd=Path(__file__).parents[2]) for name in "xy"]
    assert [writer.wait(120) for writer in writers] == [0, 0]
    everything = [subject(f"{name}{i}") for name in "xy" for i in range(50)]
    assert all(Store(tmp_path).find([one], CPU, [HERE]) for one in everything)


def test_the_spread_between_runs_is_that_of_the_anchor(tmp_path: Path):
    kept = Store(tmp_path)

    def note(median_s: float, conditions: Conditions = CPU, device: str = HERE.machine) -> None:
        kept.save_reference_time(
            replace(MADE, median_s=median_s, device=device), REFERENCE, conditions
        )

    note(0.010)
    note(0.011)
    note(5.0, device="Another CPU")
    assert kept.run_to_run_deviation("cpu", HERE.machine) is None
    note(0.012)
    tenth = kept.run_to_run_deviation("cpu", HERE.machine)
    assert tenth == pytest.approx(0.1, rel=0.1)
    for median_s in (0.10, 0.11, 0.12):  # ten times as long, no wider spread
        note(median_s, Conditions(batch=8))
    assert kept.run_to_run_deviation("cpu", HERE.machine) == pytest.approx(0.1, rel=0.1)
    for _ in range(30):
        note(0.010)
    assert kept.run_to_run_deviation("cpu", HERE.machine) == pytest.approx(0)


def test_the_folder_is_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("STUDIO_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("STUDIO_CACHE")
    assert cache_folder().name == "neural-architecture-studio"


@pytest.mark.skipif(sys.platform != "linux", reason="the place that Linux has for caches")
def test_measurements_of_before_are_still_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.delenv("STUDIO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "neural-architecture-studio"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "neural-architecture-studio"


def test_a_new_docstring_costs_no_measurement(tmp_path: Path):
    before, after = (
        replace(A, source=f'r"""Version {number}, link."""\n\nimport torch\n') for number in (1, 2)
    )
    Store(tmp_path).save_sweep({before: MADE}, CPU)
    assert Store(tmp_path).find([after], CPU, [HERE]) == (MADE,)
    assert Store(tmp_path).find([replace(A, source="import math\n")], CPU, [HERE]) is None


def test_no_test_writes_into_the_users_cache(cache: Path):
    assert store().path.parent == cache


def test_a_sweep_is_filed_and_the_next_one_is_not_measured(lab: Worker, tmp_path: Path):
    kept = Store(tmp_path)
    steady = Conditions(threads=2)  # every run counts, whatever else the machine does
    rules = {"budget_s": 0.3, "round_s": 0.1, "store": kept}
    subjects = [layers(1), layers(2)]
    first = SweepJob(subjects, steady, queue=only(lab), **rules)
    wait_until(lambda: first.done)
    assert (first.error, first.progress) == (None, 1.0)
    nobody = Simulated()
    again = SweepJob(subjects, steady, queue=only(nobody), **rules)
    wait_until(lambda: again.done)
    assert again.snapshot() == first.snapshot()
    assert nobody.calls == []
    assert again.progress == 1.0
    fresh = SweepJob(subjects, steady, queue=only(lab), fresh=True, **rules)
    wait_until(lambda: fresh.done)
    assert fresh.snapshot() != first.snapshot()
    rows = elsewhere(kept, "SELECT machine, median_s FROM anchors")
    assert [machine for machine, _ in rows] == [local_platform("cpu").machine] * 2
    assert all(0 < median_s < 1 for _, median_s in rows)


def test_first_looks_and_failures_are_not_filed(lab: Worker, tmp_path: Path):
    kept = Store(tmp_path)
    broken = script("raise ValueError('no such layer')")
    rules: dict[str, Any] = {"round_s": 0.1, "queue": only(lab), "store": kept}
    job = SweepJob([layers(3), broken], CPU, budget_s=60.0, **rules)
    wait_until(lambda: isinstance(job.snapshot()[1], MeasureError))
    job.cancel()
    wait_until(lambda: job.done)
    assert kept.find([layers(3)], CPU, [local_platform("cpu")]) is None
    job = SweepJob([layers(3), broken], CPU, budget_s=0.2, **rules)
    wait_until(lambda: job.done)
    assert kept.find([layers(3)], CPU, [local_platform("cpu")])
    assert kept.find([broken], CPU, [local_platform("cpu")]) is None


def test_a_sweep_cut_short_leaves_its_points_and_the_next_one_goes_on_from_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(sweep, "platforms", lambda device: (Platform("Simulated", "2"),))
    subjects = [subject(name) for name in "abcd"]
    cut = SweepJob(subjects, CPU, queue=only(StopsAfter(2)), store=Store(tmp_path))
    wait_until(lambda: sum(map(bool, cut.snapshot())) == 2)
    cut.cancel()
    wait_until(lambda: cut.done)
    made, restarted = Simulated(), Store(tmp_path)
    assert restarted.contents().measurements == 2
    job = SweepJob(subjects, CPU, budget_s=0.1, queue=only(made), store=restarted)
    wait_until(lambda: made.pending == 1)
    assert [bool(point) for point in job.snapshot()] == [True, True, False, False]
    made.open.set()
    wait_until(lambda: job.done)
    assert job.error is None
    assert all(isinstance(point, Measurement) for point in job.snapshot())
    looked_at = [subjects for subjects, *_ in made.calls if len(subjects) == 1]
    assert looked_at == [(subject("c"),), (subject("d"),)]
    (rest,) = [subjects for subjects, *_ in made.calls[2:]]
    assert set(subjects) <= set(rest)  # all in turn, those that were known too
    assert restarted.find(subjects, CPU, [Platform("Simulated", "2")]) == job.snapshot()
    assert restarted.contents().measurements == 4


def test_a_sweep_under_load_is_there_at_once_and_measured_again(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr(sweep, "platforms", lambda device: (HERE,))
    Store(tmp_path).save_sweep({A: replace(MADE, clean=False), B: MADE}, CPU)
    made = Simulated()
    job = SweepJob([A, B], CPU, budget_s=0.1, queue=only(made), store=Store(tmp_path))
    wait_until(lambda: made.pending == 1)
    assert [point.median_s for point in job.snapshot()] == [MADE.median_s] * 2
    made.open.set()
    wait_until(lambda: job.done)
    assert [point.device for point in job.snapshot()] == ["Simulated"] * 2


def test_one_axis_is_forgotten_and_nothing_else(tmp_path: Path):
    kept = Store(tmp_path)
    kept.save_sweep({A: MADE, B: MADE}, CPU)
    kept.save_partial({C: MADE, B: MADE}, CPU)
    kept.delete([A, C], CPU, [HERE])
    assert kept.find([A], CPU, [HERE]) is None
    assert kept.find_partial([C, B], CPU, [HERE]) == (None, MADE)
    assert kept.find([B], CPU, [HERE]) == (MADE,)
