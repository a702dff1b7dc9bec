"""Write a file whole or not at all.

The content goes to a temporary file in the same folder, which is renamed once it is complete. So a
full disk or an interrupt leaves the old file as it was.
"""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
from contextlib import suppress
from pathlib import Path

from studio.knobs import DesignError
from studio.quoting import path_echoed


def check(path: Path) -> None:
    """Check that the file can be written. Raises DesignError with the reason if not."""
    if _is_stream(path):
        return
    target = _target(path)
    try:
        temporary = _temporary(target)
        temporary.touch(exist_ok=False)
        temporary.unlink()
    except OSError as error:
        raise _refusal(
            path, f"no file can be made in {path_echoed(target.parent)}: {error.strerror}"
        ) from None


def write(result: str | bytes, path: Path) -> None:
    """Write to a file, a pipe or a device. Raises DesignError and leaves the file as it was."""
    data = result if isinstance(result, bytes) else result.encode()
    try:
        if _is_stream(path):
            path.write_bytes(data)
        else:
            _replace(_target(path), data)
    except OSError as error:
        raise _refusal(path, error.strerror or str(error)) from None


def destination(path: Path | None) -> Path | None:
    """The path to write to; None for standard output, also for `-` and `/dev/stdout`.

    Raises DesignError if it cannot be written, before any work is done.
    """
    if path is None or str(path) == "-" or _is_standard_output(path):
        return None
    check(path)
    return path


def _is_standard_output(path: Path) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(sys.stdout.fileno()))
    except (OSError, ValueError):  # no such file, or nothing to print to
        return False


def _replace(target: Path, data: bytes) -> None:
    temporary = _temporary(target)
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            _keep_permissions(target, temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _keep_permissions(old: Path, new: Path) -> None:
    with suppress(OSError, AttributeError):  # only root may give files away; Windows has no owners
        os.chown(new, old.stat().st_uid, old.stat().st_gid)
    shutil.copymode(old, new)


def _target(path: Path) -> Path:
    """The file at the end of all links. Raises DesignError if no file can be there."""
    target = Path(os.path.realpath(path))
    try:
        if target.is_dir():
            raise _refusal(path, "it is a folder")
        if not target.parent.exists():
            raise _refusal(path, f"there is no folder {path_echoed(target.parent)}")
        if not target.parent.is_dir():
            raise _refusal(path, f"{path_echoed(target.parent)} is not a folder")
        target.stat()
    except FileNotFoundError:
        return target  # a new file
    except OSError as error:  # the name is too long, the links form a loop, the folder is closed
        raise _refusal(path, error.strerror or str(error)) from None
    if not os.access(target, os.W_OK):
        raise _refusal(path, "it is write-protected")
    return target


def _is_stream(path: Path) -> bool:
    """Whether it is a pipe or a device, which cannot be replaced by a file."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _temporary(target: Path) -> Path:
    return target.with_name(f".studio-{secrets.token_hex(8)}.part")


def _refusal(path: Path, why: str) -> DesignError:
    return DesignError(f"cannot write {path_echoed(path)}: {why}")
