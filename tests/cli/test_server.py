"""The page from the shell: where it can be served, and what is said where it cannot."""

from __future__ import annotations

import re
import runpy
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from studio import cli
from studio.cli import server

PROJECT = Path(__file__).parents[2]
SOON = "use 127.0.0.1 (this machine only) or 0.0.0.0 (every network it is on)"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The command line that Streamlit is given."""
    line: list[str] = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["studio"])
    monkeypatch.setattr(server, "warm_up", lambda: None)
    monkeypatch.setattr(runpy, "run_module", lambda *_, **__: line.extend(sys.argv))
    return line


@pytest.fixture
def busy() -> Iterator[int]:
    """A port in use."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def refused(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert cli.main(argv) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    return printed.err


def test_options_of_the_page_reach_its_server(served: list[str]) -> None:
    line = ["--port", "8765", "--address", "0.0.0.0", "--headless", "--base-path", "/a/studio/"]
    assert cli.main(line) == 0
    assert Path(served[2]).parts[-3:] == ("studio", "app", "main.py")
    assert {
        *("--server.port=8765", "--server.address=0.0.0.0", "--server.headless=true"),
        "--server.baseUrlPath=a/studio",
    } < {*served}
    assert (Path.cwd() / ".streamlit" / "config.toml").is_file()
    (own,) = (word for word in served if word.startswith("--browser.serverAddress="))
    socket.inet_aton(own.partition("=")[2])  # it is not asked for on the internet


def test_an_address_of_ipv6_stands_in_brackets_where_it_is_shown(
    served: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "obstacle", lambda address, port: "")  # with IPv6 or without
    assert cli.main(["--address", "::1", "--port", "8599"]) == 0
    assert {"--server.address=::1", "--browser.serverAddress=[::1]"} < {*served}


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("1.2.3.4", "this machine does not have the address 1.2.3.4"),
        ("2001:db8::1", "2001:db8::1"),
        ("256.1.1.1", "unknown address 256.1.1.1"),
        ("nosuch.invalid", "unknown address nosuch.invalid"),
        ("http://127.0.0.1", "unknown address http://127.0.0.1"),
        ("x" * 300, "unknown address xxx"),
        ("ü..", "unknown address ü.."),
    ],
)
def test_an_address_that_cannot_be_had_is_one_sentence(
    capsys: pytest.CaptureFixture[str], served: list[str], address: str, said: str
) -> None:
    sentence = refused(capsys, "--address", address)
    assert said in sentence
    assert SOON in sentence
    assert not served


def test_a_port_in_use_is_one_sentence_with_one_that_is_free(
    capsys: pytest.CaptureFixture[str], served: list[str], busy: int
) -> None:
    sentence = refused(capsys, "--port", str(busy))
    found = re.search(r"port (\d+) is in use; port (\d+) is free", sentence)
    assert found
    assert int(found[1]) == busy
    assert not served
    assert cli.main(["--port", found[2]]) == 0
    assert f"--server.port={found[2]}" in served


def test_a_port_of_the_system_is_one_sentence(
    capsys: pytest.CaptureFixture[str], served: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bind = socket.socket.bind

    def unprivileged(taken: socket.socket, address: tuple[str, int]) -> None:
        if 0 < address[1] < 1024:
            raise PermissionError(13, "Permission denied")
        bind(taken, address)

    monkeypatch.setattr(socket.socket, "bind", unprivileged)
    sentence = refused(capsys, "--port", "80")
    assert re.search(r"port 80 needs administrator rights; port 8\d+ is free", sentence)


@pytest.mark.parametrize("text", ["0", "-1", "65536", "http", "80.0", "٨٠٨٠", "9" * 5000])
def test_what_is_no_port(capsys: pytest.CaptureFixture[str], served: list[str], text: str) -> None:
    assert "is not a port from 1 to 65535" in refused(capsys, f"--port={text}")
    assert not served


@pytest.mark.parametrize("text", ["", "/", "a b", "../x?", "a//b", "http://x"])
def test_what_is_no_path(capsys: pytest.CaptureFixture[str], served: list[str], text: str) -> None:
    assert "is not a path such as" in refused(capsys, f"--base-path={text}")
    assert not served


def test_every_option_that_is_written_about_is_one() -> None:
    known = {
        name
        for command in (cli.command_line, *cli.command_line.commands.values())
        for param in command.get_params(click.Context(command))
        for name in param.opts
    }
    texts = [
        *re.findall(r"`studio\b([^`]*)`", (PROJECT / "README.md").read_text("utf-8")),
        *re.findall(r"^\$? ?studio (.*)$", (PROJECT / "README.md").read_text("utf-8"), re.M),
        *re.findall(r"`studio\b([^`]*)`", (PROJECT / ".streamlit/config.toml").read_text("utf-8")),
    ]
    written = {flag for text in texts for flag in re.findall(r"(?<!\S)--[\w.-]+", text)}
    assert len(written) > 10
    assert written <= known


def test_the_command_alone_serves_the_page() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "studio", "--headless", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as page:
        try:
            assert answer(f"http://127.0.0.1:{port}/_stcore/health") == "ok"
        finally:
            page.send_signal(signal.SIGINT)
        assert page.wait(timeout=30) in (0, 130)


def answer(url: str, patience_s: float = 60.0) -> str:
    end = time.monotonic() + patience_s
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5) as response:
                return str(response.read().decode())
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)
