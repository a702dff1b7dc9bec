"""Files that the command writes: the form that their name says, whole or not at all."""

from __future__ import annotations

import os
import resource
import stat
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import studio
from studio import cli, exports
from studio.cli.parameters import options
from studio.quoting import path_echoed
from tests.cli.test_commands import TINY, studio_command

SUFFIXES = [(suffix, form) for form, names in options.FORMS.items() for suffix in names]
REPORT = ("report", *("recurrent", "--set", "seq_len=8"))
WRITERS = {
    "export": ("export", "vit", *TINY, "-o", "{}.py"),
    "picture": ("export", "vit", *TINY, "-o", "{}.png"),
    "report": (*REPORT, "-o", "{}.md"),
}
OLD = b"an old file\n"


def written(line: tuple[str, ...], folder: Path) -> Path:
    return folder / line[-1].format("out")


def run(line: tuple[str, ...], path: Path) -> int:
    return cli.main([*line[:-1], str(path)])


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """A disk that is full after so many bytes of each file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def refused(capsys: pytest.CaptureFixture[str]) -> str:
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("studio: ")
    assert printed.err.count("\n") == 1
    return printed.err


@pytest.mark.parametrize("line", WRITERS.values(), ids=WRITERS)
def test_a_full_disk_leaves_the_old_file_whole(
    line: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(line, tmp_path)
    path.write_bytes(OLD)
    with files_of_at_most(512):
        assert run(line, path) == 2
    assert f"cannot write {path_echoed(path)}: " in refused(capsys)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == {path: OLD}
    path.unlink()
    with files_of_at_most(512):
        assert run(line, path) == 2
    assert list(tmp_path.iterdir()) == []
    assert run(line, path) == 0
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_size > 512


def test_an_interrupt_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(descriptor: int) -> None:
        raise KeyboardInterrupt

    path = tmp_path / "vit.py"
    path.write_bytes(OLD)
    monkeypatch.setattr(os, "fsync", interrupted)
    assert cli.main(["export", "vit", *TINY, "-o", str(path)]) == 130
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == {path: OLD}


def test_permissions_are_kept_and_links_are_followed(tmp_path: Path) -> None:
    target, link, dangling = tmp_path / "deep" / "real.py", tmp_path / "a.py", tmp_path / "b.py"
    target.parent.mkdir()
    target.write_bytes(OLD)
    target.chmod(0o640)
    link.symlink_to(target)
    dangling.symlink_to("deep/new.py")
    for path in (link, dangling):
        assert cli.main(["export", "vit", *TINY, "-o", str(path)]) == 0
        assert path.is_symlink()
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    plain = tmp_path / "plain"
    plain.touch()
    assert (tmp_path / "deep/new.py").stat().st_mode == plain.stat().st_mode
    assert target.read_bytes() == (tmp_path / "deep/new.py").read_bytes() != OLD


@pytest.mark.parametrize("name", ["/dev/stdout", "-"])
def test_standard_output_is_a_file_too(name: str, tmp_path: Path) -> None:
    if name != "-" and not Path(name).exists():
        pytest.skip("this system has no /dev/stdout")
    line = ("export", "vit", *TINY, "--form", "json")
    wanted = studio.design("vit", preset="ViT-Ti/16", image_size=32, depth=1).to_json() + "\n"
    piped = studio_command(*line, "-o", name, stdout=subprocess.PIPE)
    assert (piped.returncode, piped.stdout) == (0, wanted)
    with (tmp_path / "log").open("w") as log:  # what stands in a log already stays there
        log.write("first\n")
        log.flush()
        assert studio_command(*line, "-o", name, stdout=log).returncode == 0
    assert (tmp_path / "log").read_text() == "first\n" + wanted


def test_a_pipe_with_a_name_is_written_as_it_is(tmp_path: Path) -> None:
    path, read = tmp_path / "pipe.py", list[bytes]()
    os.mkfifo(path)
    reader = threading.Thread(target=lambda: read.append(path.read_bytes()))
    reader.start()
    assert cli.main(["export", "vit", *TINY, "-o", str(path)]) == 0
    reader.join(timeout=60)
    assert b"class ViT" in read[0]
    assert stat.S_ISFIFO(path.stat().st_mode)


BAD_PATHS = {
    "{}/nosuch/x{}": "there is no folder",
    "{}/old{}/x{}": "is not a folder",
    "{}/folder{}": "it is a folder",
    "{}/ring{}": "symbolic links",
    "{}/" + "x" * 300 + "{}": "too long",
    "/proc/x{}": "no file can be made in",
}


@pytest.mark.parametrize(("bad", "why"), BAD_PATHS.items(), ids=BAD_PATHS.values())
@pytest.mark.parametrize(("command", "suffix"), [("export", ".svg"), ("report", ".html")])
def test_the_path_is_checked_before_the_work(
    command: str,
    suffix: str,
    bad: str,
    why: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if bad.startswith("/proc") and not Path("/proc/self").exists():
        pytest.skip("this system has no /proc")
    (tmp_path / f"old{suffix}").write_bytes(OLD)
    (tmp_path / f"folder{suffix}").mkdir()
    (tmp_path / f"ring{suffix}").symlink_to(f"ring{suffix}")
    path = bad.replace("{}", str(tmp_path), 1 if bad.startswith("{}/") else 0)
    for work in ("export", "report", "measure", "profile"):
        monkeypatch.setattr(studio, work, lambda *_, **__: pytest.fail("the work was begun"))
    line = [command, "vit", *TINY, *(["--measure"] if command == "report" else [])]
    assert cli.main([*line, "-o", path.replace("{}", suffix)]) == 2
    assert why in refused(capsys)


def test_a_write_protected_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "vit.py"
    path.write_bytes(OLD)
    path.chmod(0o444)
    if os.access(path, os.W_OK):  # as root
        monkeypatch.setattr(os, "access", lambda *_: False)
    assert cli.main(["export", "vit", *TINY, "-o", str(path)]) == 2
    assert "it is write-protected" in refused(capsys)
    assert path.read_bytes() == OLD


def test_every_form_has_its_suffixes() -> None:
    assert set(options.FORMS) == set(exports.FORMS)
    assert len({suffix for suffix, _ in SUFFIXES}) == len(SUFFIXES)


@pytest.mark.parametrize(("suffix", "form"), SUFFIXES, ids=[suffix for suffix, _ in SUFFIXES])
def test_the_form_follows_the_suffix(suffix: str, form: str, tmp_path: Path) -> None:
    path = tmp_path / f"vit{suffix.upper()}"
    assert cli.main(["export", "vit", *TINY, "-o", str(path)]) == 0
    plain = tmp_path / "plain"
    assert cli.main(["export", "vit", *TINY, "--form", form, "-o", str(plain)]) == 0
    assert path.read_bytes() == plain.read_bytes()


def test_a_form_that_contradicts_the_suffix_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for suffix, meant in SUFFIXES:
        for form in options.FORMS.keys() - {meant}:
            path = tmp_path / f"vit{suffix}"
            assert cli.main(["export", "vit", *TINY, "--form", form, "-o", str(path)]) == 2
            said = refused(capsys)
            assert f"{suffix} means {meant}" in said
            assert options.FORMS[form][0] in said
    for name in ("vit.pdf", "vit.txt"):
        assert cli.main(["export", "vit", *TINY, "-o", str(tmp_path / name)]) == 2
        assert f"cannot tell the form of {path_echoed(tmp_path / name)}; use .py" in refused(capsys)
    assert cli.main([*REPORT, "-o", str(tmp_path / "r.pdf")]) == 2
    assert "use .md, .html or .htm" in refused(capsys)
    assert list(tmp_path.iterdir()) == []


def test_what_is_said_cannot_command_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["export", "vit", "-o", "/nosuch/\x1b]0;title\x07\n\udcff.py"]) == 2
    said = refused(capsys)
    assert "\\x1b]0;title\\x07" in said
    assert "\x1b" not in said
