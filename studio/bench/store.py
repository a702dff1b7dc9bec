"""Measurements on disk, shared by all sessions and processes of a user.

A measurement is stored by the measured text, the conditions, the machine and the version of torch.
A disk that is full, read-only or damaged loses past measurements and never fails a new one. Nothing
in the store is code, so a file written by somebody else can only be wrong.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import re
import sqlite3
import statistics
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from threading import Lock
from typing import TypeVar

from platformdirs import user_cache_path

from studio.bench.conditions import Conditions, Subject
from studio.bench.results import Measurement, utc_text
from studio.process.errors import MeasureError
from studio.process.platform import Platform, local_platform

T = TypeVar("T")
Figures = Mapping[Subject, Measurement]

NAME = "measurements-1.sqlite"  # the number is the version of the schema below
ROWS = 20_000  # 10 to 20 MB
PAGES = 8_192  # of 4 kB: limits the size of the file
BUSY_S = 2.0  # wait for another process that writes
HISTORY = 30  # sweeps
MIN_SWEEPS = 3
DOCSTRING = re.compile(r'\Ar?""".*?"""\n+', re.DOTALL)

LAYOUT = """
CREATE TABLE IF NOT EXISTS figures (
    key TEXT, sweep INTEGER, figure TEXT NOT NULL, PRIMARY KEY (key, sweep)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS age ON figures (sweep);
CREATE TABLE IF NOT EXISTS pieces (
    key TEXT PRIMARY KEY, sweep INTEGER, figure TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS anchors (
    sweep INTEGER, machine TEXT, device TEXT, key TEXT, median_s REAL
);
"""
SAVE = "INSERT OR REPLACE INTO figures VALUES (?, ?, ?)"
SAVE_PARTIAL = "INSERT OR REPLACE INTO pieces VALUES (?, ?, ?)"
FIND_PARTIAL = "SELECT sweep, figure FROM pieces WHERE key = ?"
DELETE = "DELETE FROM {} WHERE key = ?"
FIND = "SELECT sweep, figure FROM figures WHERE key = ?"
TRIM = "DELETE FROM {0} WHERE sweep < (SELECT sweep FROM {0} ORDER BY sweep DESC LIMIT 1 OFFSET ?)"
SAVE_REFERENCE = "INSERT INTO anchors VALUES (?, ?, ?, ?, ?)"
COUNT = """SELECT (SELECT COUNT(*) FROM figures) + (SELECT COUNT(*) FROM pieces),
    (SELECT COUNT(*) FROM anchors)"""
CLEAR = "DELETE FROM figures; DELETE FROM pieces; DELETE FROM anchors;"
FIND_REFERENCES = (
    "SELECT key, median_s FROM anchors WHERE machine = ? AND device = ? ORDER BY sweep DESC LIMIT ?"
)


@dataclass(frozen=True)
class StoreContents:
    """What a store holds: measurements, times of the reference model (one per sweep, for error
    bars), and the bytes of its files on disk; 0 bytes if it is in memory only."""

    path: Path
    measurements: int
    reference_times: int
    bytes: int


class Store:
    """Measurements on disk, at most `rows` of them: the oldest are dropped.

    The file has at most `pages` pages of 4 kB.
    """

    def __init__(self, folder: Path, rows: int = ROWS, pages: int = PAGES) -> None:
        self.path, self._rows = folder / NAME, rows
        self._lock = Lock()
        self.clear_count = 0  # a sweep that began before the store was cleared is not stored
        self.fallback_reason = ""  # why it is in memory only, in one sentence; else empty
        try:
            self._disk = self._own(_open(self.path, pages))
        except (OSError, sqlite3.Error) as error:
            self._disk = self._fall_back(error)

    def find(
        self, subjects: Sequence[Subject], conditions: Conditions, places: Sequence[Platform]
    ) -> tuple[Measurement, ...] | None:
        """The measurements of all subjects from the latest sweep that timed all of them on one
        platform: only then they are comparable."""
        for platform in places:
            found = [self._figures(store_key(s, conditions, platform)) for s in subjects]
            common = set.intersection(*map(set, found)) if found else set()
            if common:
                latest = max(common)
                return tuple(figures[latest] for figures in found)
        return None

    def save_sweep(self, figures: Figures, conditions: Conditions) -> None:
        """Store the results of a finished sweep."""
        rows = _rows(figures, conditions)

        def write(disk: sqlite3.Connection) -> None:
            disk.executemany(SAVE, rows)
            disk.executemany(DELETE.format("pieces"), [(key,) for key, *_ in rows])
            disk.execute(TRIM.format("figures"), (self._rows - 1,))

        self._do(write)

    def save_partial(self, figures: Figures, conditions: Conditions) -> None:
        """Store the results of a running sweep so far, in case it ends early: the latest of each
        subject."""
        rows = _rows(figures, conditions)

        def write(disk: sqlite3.Connection) -> None:
            disk.executemany(SAVE_PARTIAL, rows)
            disk.execute(TRIM.format("pieces"), (self._rows - 1,))

        self._do(write)

    def find_partial(
        self, subjects: Sequence[Subject], conditions: Conditions, places: Sequence[Platform]
    ) -> tuple[Measurement | None, ...]:
        """The result of each subject from sweeps that ended early, on the first platform that has
        any; None for the others. They are not comparable with one another."""
        for platform in places:
            found = [
                self._figures(store_key(s, conditions, platform), FIND_PARTIAL) for s in subjects
            ]
            if any(found):
                return tuple(next(iter(figures.values()), None) for figures in found)
        return (None,) * len(subjects)

    def delete(
        self, subjects: Sequence[Subject], conditions: Conditions, places: Sequence[Platform]
    ) -> None:
        """Delete every measurement of these subjects under these conditions."""
        keys = [(store_key(s, conditions, platform),) for s in subjects for platform in places]

        def write(disk: sqlite3.Connection) -> None:
            for table in ("figures", "pieces"):
                disk.executemany(DELETE.format(table), keys)

        self._do(write)

    def save_reference_time(
        self, anchor: Measurement, subject: Subject, conditions: Conditions
    ) -> None:
        """Store the time of the reference model in one sweep."""
        key = store_key(subject, conditions, platform_of(anchor))
        row = (time.time_ns(), anchor.device, conditions.device, key, anchor.median_s)

        def write(disk: sqlite3.Connection) -> None:
            disk.execute(SAVE_REFERENCE, row)
            disk.execute(TRIM.format("anchors"), (self._rows - 1,))

        self._do(write)

    def run_to_run_deviation(self, device: str = "cpu", machine: str | None = None) -> float | None:
        """Relative standard deviation of the reference model's time between the last sweeps, at
        most 30.

        It is the error bar of an absolute time on this machine (or the named one), which the spread
        within one run is not. Sweeps under different conditions are compared with their own mean.
        None below three sweeps.
        """
        machine = machine or local_platform(device).machine
        rows = self._do(
            lambda disk: disk.execute(FIND_REFERENCES, (machine, device, HISTORY)).fetchall()
        )
        times: dict[str, list[float]] = {}
        for key, median_s in rows:
            times.setdefault(key, []).append(math.log(median_s))
        freedom = len(rows) - len(times)
        if freedom < MIN_SWEEPS - 1:
            return None
        squares = sum(statistics.pvariance(logs) * len(logs) for logs in times.values())
        return math.sqrt(squares / freedom)

    def contents(self) -> StoreContents:
        """How much there is, and where."""
        ((measurements, anchors),) = self._do(lambda disk: disk.execute(COUNT).fetchall())
        files = () if self.fallback_reason else self.path.parent.glob(f"{self.path.name}*")
        return StoreContents(self.path, measurements, anchors, sum(f.stat().st_size for f in files))

    def clear(self) -> None:
        """Delete everything, on disk too; if that fails, `fallback_reason` says why."""
        self.clear_count += 1
        self._do(lambda disk: disk.executescript(CLEAR))
        self._do(lambda disk: disk.execute("VACUUM"))

    def _figures(self, key: str, find: str = FIND) -> Mapping[int, Measurement]:
        """By sweep."""
        rows = self._do(lambda disk: disk.execute(find, (key,)).fetchall())
        found = {}
        for sweep, figure in rows:
            with suppress(MeasureError):  # of another version, or damaged
                measurement = Measurement.from_json(figure)
                found[sweep] = (
                    measurement
                    if measurement.measured_at
                    else replace(measurement, measured_at=utc_text(sweep / 1e9))
                )
        return found

    def _do(self, work: Callable[[sqlite3.Connection], T]) -> T:
        with self._lock:
            try:
                with self._disk:
                    return work(self._disk)
            except (OSError, sqlite3.Error) as error:
                self._disk = self._fall_back(error, self._disk)
                with self._disk:
                    return work(self._disk)

    def _fall_back(
        self, error: Exception, disk: sqlite3.Connection | None = None
    ) -> sqlite3.Connection:
        """Continue in memory, with what can still be read from the disk."""
        self.fallback_reason = (
            f"measurements are kept in memory and not on disk, since {self.path}"
            f" cannot be used: {getattr(error, 'strerror', None) or error}"
        )
        logging.getLogger(__name__).warning(self.fallback_reason)
        memory = sqlite3.connect(":memory:", check_same_thread=False)
        if disk:
            with suppress(sqlite3.Error):
                disk.backup(memory)
            disk.close()
        memory.executescript(LAYOUT)
        return self._own(memory)

    def _own(self, disk: sqlite3.Connection) -> sqlite3.Connection:
        """Close the connection with this store: from Python 3.13 on, one that nobody closes
        warns. Not at exit: a sweep may still write."""
        weakref.finalize(self, disk.close).atexit = False
        return disk


def _open(path: Path, pages: int) -> sqlite3.Connection:
    """The database; a damaged one is replaced by a new one. Raises OSError, sqlite3.Error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        return _connect(path, pages)
    except sqlite3.OperationalError:  # full, read-only or locked: the file may be intact
        raise
    except sqlite3.DatabaseError:
        for file in path.parent.glob(f"{path.name}*"):
            file.unlink()
        return _connect(path, pages)


def _connect(path: Path, pages: int) -> sqlite3.Connection:
    disk = sqlite3.connect(path, timeout=BUSY_S, check_same_thread=False)
    try:
        disk.execute("PRAGMA journal_mode = WAL")
        disk.execute("PRAGMA synchronous = NORMAL")
        disk.execute(f"PRAGMA max_page_count = {pages}")
        disk.executescript(LAYOUT)
        ((verdict,),) = disk.execute("PRAGMA quick_check(1)").fetchall()
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
    except sqlite3.Error:
        disk.close()
        raise
    return disk


def _rows(figures: Figures, conditions: Conditions) -> list[tuple[str, int, str]]:
    sweep = time.time_ns()
    return [
        (store_key(subject, conditions, platform_of(figure)), sweep, figure.to_json())
        for subject, figure in figures.items()
    ]


def store_key(subject: Subject, conditions: Conditions, platform: Platform) -> str:
    """The text, the conditions and the platform as one hash.

    The docstring at the top of the text is left out: it names versions and a link, and does not
    affect the time. So is the default name of the example, so that keys from before it was a field
    are still found.
    """
    what = asdict(subject) | {"source": DOCSTRING.sub("", subject.source, count=1)}
    if subject.example == Subject.example:
        del what["example"]
    parts = (what, asdict(conditions), platform)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def platform_of(figure: Measurement) -> Platform:
    return Platform(figure.device, figure.torch_version)


def cache_folder() -> Path:
    """STUDIO_CACHE, or the system's folder for caches."""
    if chosen := os.environ.get("STUDIO_CACHE"):
        return Path(chosen)
    return user_cache_path("neural-architecture-studio", appauthor=False, opinion=False)


@cache
def store() -> Store:
    """The one store of this process."""
    return Store(cache_folder())
