"""`studio` without a command: serve the page."""

from __future__ import annotations

import errno
import os
import runpy
import socket
import sys
import webbrowser
from importlib import import_module
from pathlib import Path

from studio.knobs import DesignError
from studio.quoting import echoed

FIRST_PORT = 8501
PORTS_TRIED = 100
WILDCARDS = ("0.0.0.0", "::")  # every network of this machine
UNROUTED = ("10.255.255.255", 9)  # only to ask for a route: nothing is sent


def serve(address: str, port: int | None, base_path: str | None, headless: bool) -> str:
    """Serve the page until it is stopped, and open it if there is a browser.

    Raises DesignError if the address or the port cannot be used.
    """
    from studio.process.worker import lower_priority

    if why := obstacle(address, port or 0):
        raise DesignError(why)
    page = Path(__file__).parents[1] / "app" / "main.py"
    project = page.parents[2]
    options = {
        "server.address": address,
        "server.port": port,
        "server.baseUrlPath": base_path,
        "server.headless": str(headless or not _has_browser()).lower(),
        "server.showEmailPrompt": "false",
        "browser.serverAddress": _shown(address),
        "browser.gatherUsageStats": "false",
    }
    flags = [f"--{name}={value}" for name, value in options.items() if value is not None]
    if (project / ".streamlit" / "config.toml").is_file():
        os.chdir(project)  # where Streamlit looks for its config.toml
    lower_priority()
    warm_up()
    sys.argv = ["streamlit", "run", str(page), *flags]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)
    return ""


def warm_up() -> None:
    """Import everything and fill the caches, so that the first visitor does not wait for it. By
    name, as the page itself is: no command imports the page."""
    import_module("studio.app.warm_up").warm_up()


def _shown(address: str) -> str | None:
    """The host in the address that Streamlit prints, if it differs from the one served at."""
    if address in WILDCARDS:
        return _own_address()
    return f"[{address}]" if ":" in address else None  # IPv6


def obstacle(address: str, port: int) -> str:
    """Why the page cannot be served there, in one sentence; empty if it can. Port 0 is any."""
    try:
        _bind(address, port)
    except (socket.gaierror, TypeError):  # TypeError: the name cannot be looked up
        return f"unknown address {echoed(address)}; {_addresses()}"
    except OSError as error:
        match error.errno:
            case errno.EADDRINUSE:
                return f"port {port} is in use; {_next_free(address, port)}"
            case errno.EADDRNOTAVAIL:
                return f"this machine does not have the address {echoed(address)}; {_addresses()}"
            case errno.EACCES:
                return f"port {port} needs administrator rights; {_next_free(address, FIRST_PORT)}"
            case _:
                return f"cannot serve at {echoed(address)}: {error.strerror}; {_addresses()}"
    return ""


def _bind(address: str, port: int) -> None:
    """Bind the address as the server will, and release it. Raises OSError, TypeError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as taken:
        if os.name != "nt":  # on Windows two servers would share the port
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind((address, port))


def _next_free(address: str, port: int) -> str:
    for candidate in range(max(port + 1, 1024), min(port + PORTS_TRIED, 65536)):
        try:
            _bind(address, candidate)
        except OSError:
            continue
        return f"port {candidate} is free"
    return "choose another with --port"


def _addresses() -> str:
    return "use 127.0.0.1 (this machine only) or 0.0.0.0 (every network it is on)"


def _own_address() -> str:
    """This machine's address on its network; Streamlit would ask a server on the internet."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(UNROUTED)
            return str(probe.getsockname()[0])
        except OSError:  # without a network
            return "127.0.0.1"


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    shown = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(shown) or sys.platform in ("darwin", "win32")
