"""The scripts and style sheets of the components of this room."""

from __future__ import annotations

from pathlib import Path


def joined(*names: str) -> str:
    """Files as one; each uses declarations of the files before it."""
    folder = Path(__file__).parent
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)
