"""`studio cache`: the measurements on disk, and their deletion."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from studio.analysis import units
from studio.cli import tables
from studio.cli.command_class import command
from studio.cli.output import json_text
from studio.cli.parameters import options
from studio.knobs import DesignError

if TYPE_CHECKING:
    from studio.bench.store import Store, StoreContents

YES = ("y", "yes")


@command
@options.clear
@options.as_json
def cache(action: str | None, yes: bool, as_json: bool) -> str:
    """Show the measurements on disk, or delete them (`cache clear`)."""
    from studio.bench.store import NAME, ROWS, StoreContents, cache_folder

    path = cache_folder() / NAME
    storage = _opened() if path.exists() else None
    found = storage.contents() if storage else StoreContents(path, 0, 0, 0)
    if action == "clear":
        text, deleted = _delete(storage, found, yes)
        return json_text({"deleted": deleted}) if as_json else f"{text}\n"
    if as_json:
        return json_text(
            {
                "path": str(found.path),
                "measurements": found.measurements,
                "reference_timings": found.reference_times,
                "bytes": found.bytes,
            }
        )
    return tables.contents(found, ROWS)


def _delete(storage: Store | None, found: StoreContents, yes: bool) -> tuple[str, int]:
    """Delete everything, unless the person at the terminal does not want that.

    Returns what was done as a sentence, and how many measurements were deleted.
    """
    if storage is None or not (found.measurements or found.reference_times):
        return "nothing to delete", 0
    what = (
        f"{_counted(found.measurements, 'measurement')} and"
        f" {_counted(found.reference_times, 'reference timing')} ({units.size(found.bytes)})"
        f" in {found.path}"
    )
    if not yes and not _confirms(f"delete {what}?"):
        return "nothing was deleted", 0
    storage.clear()
    if storage.fallback_reason:
        raise DesignError(storage.fallback_reason)
    return f"deleted {what}", found.measurements


def _confirms(question: str) -> bool:
    """Ask the person at the terminal. Raises DesignError where there is no answer."""
    print(f"studio: {question} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise DesignError("nothing was deleted: there was no answer; --yes deletes without asking")
    return answer.strip().lower() in YES


def _opened() -> Store:
    from studio.bench.store import store

    storage = store()
    if storage.fallback_reason:
        raise DesignError(storage.fallback_reason)
    return storage


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}{'s' * (number != 1)}"
