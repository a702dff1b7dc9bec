"""The version of the studio. pyproject.toml reads it from here, so that a copy that was never
installed knows its version too."""

from __future__ import annotations

__version__ = "0.2.0"
