"""`studio cache`: the measurements that are kept on disk, and their deletion."""

from __future__ import annotations

import argparse
import sys

from studio.analysis import units
from studio.bench.store import NAME, ROWS, Store, StoreContents, cache_folder, store
from studio.cli import tables
from studio.cli.output import as_json
from studio.knobs import DesignError

YES = ("y", "yes")


def cache(arguments: argparse.Namespace) -> str:
    """Show the measurements kept on disk, or delete them (`cache clear`)."""
    path = cache_folder() / NAME
    kept = _opened() if path.exists() else None
    found = kept.contents() if kept else StoreContents(path, 0, 0, 0)
    if arguments.action == "clear":
        return _cleared(kept, found, arguments)
    if arguments.json:
        return as_json(
            {
                "path": str(found.path),
                "measurements": found.measurements,
                "reference_timings": found.reference_times,
                "bytes": found.bytes,
            }
        )
    return tables.contents(found, ROWS)


def _cleared(kept: Store | None, found: StoreContents, arguments: argparse.Namespace) -> str:
    if kept is None or not (found.measurements or found.reference_times):
        return _result(arguments, "nothing to delete", 0)
    what = (
        f"{_counted(found.measurements, 'measurement')} and"
        f" {_counted(found.reference_times, 'reference timing')} ({units.size(found.bytes)})"
        f" in {found.path}"
    )
    if not arguments.yes and not _is_wanted(f"delete {what}?"):
        return _result(arguments, "nothing was deleted", 0)
    kept.clear()
    if kept.fallback_reason:
        raise DesignError(kept.fallback_reason)
    return _result(arguments, f"deleted {what}", found.measurements)


def _result(arguments: argparse.Namespace, text: str, deleted: int) -> str:
    return as_json({"deleted": deleted}) if arguments.json else f"{text}\n"


def _is_wanted(question: str) -> bool:
    """What the person at the terminal answers. Raises DesignError where nobody does."""
    print(f"studio: {question} [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
        raise DesignError("nothing was deleted: there was no answer; --yes deletes without asking")
    return answer.strip().lower() in YES


def _opened() -> Store:
    kept = store()
    if kept.fallback_reason:
        raise DesignError(kept.fallback_reason)
    return kept


def _counted(number: int, name: str) -> str:
    return f"{number:,} {name}{'s' * (number != 1)}"
