"""`studio` alone: the page, served until it is stopped."""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import webbrowser
from pathlib import Path


def serve(arguments: argparse.Namespace) -> str:
    """Serve the page until it is stopped, and open it where there is a browser."""
    from studio.measure.worker import step_back

    page = Path(__file__).parents[1] / "app" / "main.py"
    project = page.parents[2]
    options = {
        "server.address": arguments.address,
        "server.port": arguments.port,
        "server.headless": str(arguments.headless or not _has_browser()).lower(),
        "server.showEmailPrompt": "false",
        "browser.gatherUsageStats": "false",
    }
    flags = [f"--{name}={value}" for name, value in options.items() if value is not None]
    if (project / ".streamlit" / "config.toml").is_file():
        os.chdir(project)  # Streamlit looks for the theme and the limits of the server there
    step_back()
    sys.argv = ["streamlit", "run", str(page), *flags]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
    return ""


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(shown) or sys.platform in ("darwin", "win32")
