"""The commands: their JSON, their tables, their errors, and what they do in a pipe."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import studio
from studio import cli
from studio.process import free_memory

TINY = ("--preset", "ViT-Ti/16", "--set", "image_size=32", "--set", "depth=1")
PROFILE = {
    *("family", "preset", "config", "batch", "params", "trainable_params", "macs", "flops"),
    *("causal_saving_macs", "activation_count"),
    *("inference_bytes", "training_bytes", "output_shapes"),
}
MEASUREMENT = {"device", "threads", "dtype", "median_s", "q25_s", "q75_s", "runs", "clean"}


def output(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert cli.main(argv) == 0
    return capsys.readouterr().out


def data(capsys: pytest.CaptureFixture[str], *argv: str) -> Any:
    return json.loads(output(capsys, *argv, "--json"))


def test_families_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, "families")
    assert [f["key"] for f in found] == list(studio.families())
    vit = next(f for f in found if f["key"] == "vit")
    assert set(vit) == {"key", "title", "tasks", "knobs", "presets"}
    knobs = {knob["name"]: knob for knob in vit["knobs"]}
    assert knobs["norm"]["options"] == ["LayerNorm", "RMSNorm"]
    assert knobs["norm"]["default"] == "LayerNorm"
    assert knobs["depth"] == {
        "name": "depth",
        "axis": "depth",
        "default": 12,
        "ge": 1,
        "le": 48,
        "step": None,
        "options": [],
        "help": "Encoder blocks L",
    }
    assert set(vit["presets"][0]) == {"name", "params", "source", "config"}


def test_a_preset_of_the_list_can_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    listed = next(f for f in data(capsys, "families") if f["key"] == "vit")["presets"][0]
    found = data(capsys, "profile", "vit", "--preset", listed["name"])
    assert (found["params"], found["config"]) == (listed["params"], listed["config"])
    assert found["preset"] == listed["name"]


def test_profile_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, "profile", "vit", *TINY, "--batch", "3")
    design = studio.design("vit", preset="ViT-Ti/16", image_size=32, depth=1)
    assert set(found) == PROFILE
    assert found == studio.profile(design, batch=3).to_dict()
    assert found["output_shapes"] == [[3, 1000]]


def test_profile_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    lines = output(capsys, "profile", "vit").splitlines()
    assert lines[0] == "Vision Transformer: ViT-B/16, batch 1"
    assert lines[1].split() == ["parameters", "86,567,656"]


def test_families_as_a_table_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    head, *rows = output(capsys, "families").splitlines()
    assert [row.split()[0] for row in rows] == list(studio.families())
    assert {row[head.index("tasks") - 1] for row in rows} == {" "}


def test_export_to_a_file_is_export_to_the_screen(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "vit.py"
    assert output(capsys, "export", "vit", *TINY, "-o", str(path)) == ""
    assert path.read_text("utf-8") == output(capsys, "export", "vit", *TINY)


def test_measure_as_json_and_as_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, "measure", "vit", *TINY, "--batch", "2")
    assert set(found) >= PROFILE | MEASUREMENT
    assert found["batch"] == 2
    assert 0 < found["median_s"] < 1
    assert output(capsys, "measure", "vit", *TINY).splitlines()[1].startswith("latency")


def test_a_sweep_counts_and_measures_every_point(capsys: pytest.CaptureFixture[str]) -> None:
    found = data(capsys, "sweep", "vit", *TINY, "--axis", "depth=1,4")
    assert found["axis"] == "depth"
    assert [point["value"] for point in found["points"]] == [1, 4]
    for point in found["points"]:
        assert set(point) == {"value", *PROFILE, "measurement"}
        assert set(point["measurement"]) >= MEASUREMENT
    first, last = (point["measurement"]["median_s"] for point in found["points"])
    assert first < last


def test_conditions_are_labelled_in_the_result(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ("--mode", "training", "--dtype", "bfloat16", "--threads", "2", "--batch", "2")
    labels = {"mode": "training", "dtype": "bfloat16", "threads": 2, "layout": "contiguous"}
    found = data(capsys, "measure", "vit", *TINY, *asked)
    assert {name: found[name] for name in labels} == labels
    (point,) = data(capsys, "sweep", "vit", *TINY, *asked, "--axis", "depth=1")["points"]
    assert {name: point["measurement"][name] for name in labels} == labels
    table = output(capsys, "measure", "vit", *TINY, *asked)
    assert "training step, bfloat16, 2 threads" in table


def test_the_time_of_each_layer_in_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    times = data(capsys, "measure", "vit", *TINY, "--layers")["layers"]
    assert {"", "blocks.0", "blocks.0.mlp.fc1", "head"} <= times.keys()
    assert times["blocks.0"]["total_s"] >= times["blocks.0.mlp.fc1"]["own_s"] > 0
    lines = output(capsys, "measure", "vit", *TINY, "--layers").splitlines()
    head = next(i for i, line in enumerate(lines) if line.startswith("layer "))
    assert lines[head + 1].startswith("(model)")
    assert [line.split()[0] for line in lines[head + 2 :]] == list(times)[1:]
    assert "layers" not in data(capsys, "measure", "vit", *TINY)


@pytest.mark.parametrize("measured", [True, False])
def test_a_sweep_as_rows_for_a_spreadsheet(
    capsys: pytest.CaptureFixture[str], measured: bool
) -> None:
    axis = ("--axis", "depth=1,2") if measured else ("--axis", "depth=1,2", "--no-measure")
    text = output(capsys, "sweep", "vit", *TINY, *axis, "--csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["depth"] for row in rows] == ["1", "2"]
    design = studio.design("vit", preset="ViT-Ti/16", image_size=32, depth=1)
    assert int(rows[0]["params"]) == studio.profile(design).params
    assert [bool(row["median_s"]) for row in rows] == [measured] * 2
    assert None not in rows[0]
    assert {"throughput", "mode", "clean", "device"} <= rows[0].keys()


def test_a_value_with_commas_is_one_cell(capsys: pytest.CaptureFixture[str]) -> None:
    argv = ("sweep", "resnet", "--axis", "depths=2,2,2,2/3,4,6,3", "--no-measure", "--csv")
    rows = list(csv.DictReader(io.StringIO(output(capsys, *argv))))
    assert [row["depths"] for row in rows] == ["2,2,2,2", "3,4,6,3"]


@pytest.mark.parametrize("terminal", [True, False])
def test_progress_is_shown_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    assert cli.main(["sweep", "vit", *TINY, "--axis", "depth=1,2", "--json", "--fresh"]) == 0
    printed = capsys.readouterr()
    assert len(json.loads(printed.out)["points"]) == 2
    assert ("2 of 2 points" in printed.err, "left" in printed.err) == (terminal, terminal)
    assert terminal or printed.err == ""


@pytest.mark.parametrize(
    ("family", "axis", "values"),
    [
        ("vit", "depth=2:7:2", [2, 4, 6]),
        ("vit", "depth=3:5", [3, 4, 5]),
        ("vit", "dropout=0.1:0.3:0.1", [0.1, 0.2, 0.3]),
        ("vit", "norm=RMSNorm,LayerNorm", ["RMSNorm", "LayerNorm"]),
        ("resnet", "depths=2,2,2,2/3,4,6,3", [[2, 2, 2, 2], [3, 4, 6, 3]]),
    ],
)
def test_values_of_an_axis(
    capsys: pytest.CaptureFixture[str], family: str, axis: str, values: list[Any]
) -> None:
    points = data(capsys, "sweep", family, "--axis", axis, "--no-measure")["points"]
    assert [point["value"] for point in points] == values
    assert [point["config"][axis.partition("=")[0]] for point in points] == values
    assert {point["measurement"] for point in points} == {None}


def test_a_point_that_does_not_fit_is_null_and_says_why(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    smallest = studio.design("vit", preset="ViT-Ti/16", image_size=32, depth=1)
    room = studio.profile(smallest).inference_bytes + 10**6
    free = int(free_memory.OVERHEAD * room + free_memory.FIXED_BYTES)
    monkeypatch.setattr(free_memory, "available_bytes", lambda: free)
    argv = ("sweep", "vit", *TINY, "--axis", "depth=1,12", "--json")
    assert cli.main(argv) == 0
    printed = capsys.readouterr()
    small, large = json.loads(printed.out)["points"]
    assert small["measurement"]["runs"] > 0
    assert large["measurement"] is None
    assert "depth=12" in printed.err
    assert "the nearest that fits is depth=1" in printed.err


def test_a_design_is_read_from_a_file_and_from_standard_input(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mine.json"
    output(capsys, "export", "vit", *TINY, "--form", "json", "-o", str(path))
    wanted = output(capsys, "profile", "vit", *TINY)
    assert output(capsys, "profile", str(path)) == wanted
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(path.read_bytes())))
    assert output(capsys, "profile", "-") == wanted
    deeper = data(capsys, "profile", str(path), "--set", "depth=2")
    assert deeper["config"]["depth"] == 2


@pytest.mark.parametrize(
    ("content", "options", "named"),
    [
        (None, [], "cannot read"),
        (b"[1, 2]", [], "mine.json: a design file holds"),
        (b"{", [], "mine.json: line 1, column 2"),
        (b"\x80\xfe", [], "not text"),
        (b'{"family": "vit", "config": {"depth": 99}}', [], "depth=99"),
        (b'{"family": "vit", "config": {}}', ["--preset", "ViT-L/16"], "--preset"),
    ],
)
def test_a_file_that_holds_no_design_is_one_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    content: bytes | None,
    options: list[str],
    named: str,
) -> None:
    path = tmp_path / "mine.json"
    if content is not None:
        path.write_bytes(content)
    assert cli.main(["profile", str(path), *options]) == 2
    printed = capsys.readouterr()
    assert (printed.out, printed.err.count("\n")) == ("", 1)
    assert named in printed.err


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("nosuch", "nosuch"),
        ("--port 99999", "99999"),
        ("profile", "FAMILY"),
        ("profile nosuch", "families, such as attention"),
        ("profile vit --preset nosuch", "ViT-B/16"),
        ("profile vit --set num_heads=7", "num_heads=8"),
        ("profile vit --set depth=-1", "works is 1"),
        ("profile vit --set depth=abc", "depth=abc"),
        ("profile vit --set depth=1e99", "48"),
        ("profile vit --set depth", "KNOB=VALUE"),
        ("profile vit --set nosuch=3", "nosuch"),
        ("profile vit --set preset=ViT-L/16", "preset"),
        ("profile vit --set norm=os.system", "LayerNorm"),
        ("profile vit --batch 0", "batch=0"),
        ("profile vit --batch two", "two"),
        ("export vit --form nosuch", "svg"),
        ("export vit -o /nonexistent/x.py", "/nonexistent/x.py"),
        ("export vit --form svg --level 9", "level=2"),
        ("export vit -o /", "folder"),
        ("measure vit --device nosuch", "nosuch"),
        ("measure vit --mode train", "inference or training"),
        ("measure vit --dtype int8", "float32, bfloat16 or float16"),
        ("measure vit --layout nhwc", "contiguous or channels_last"),
        ("measure vit --threads 0", "threads=0"),
        ("measure vit --layers --mode training", "mode=inference"),
        ("sweep vit --axis depth=2 --mode train", "inference or training"),
        ("sweep vit --axis depth=2 --device nosuch", "available: cpu"),
        ("sweep vit --axis depth=2 --csv --json", "--csv"),
        ("sweep vit", "--axis"),
        ("sweep vit --axis nosuch=1,2", "nosuch"),
        ("sweep vit --axis depth=", "depth"),
        ("sweep vit --axis depth=2,99", "depth=99"),
        ("sweep vit --axis depth=2:8:0", "first:last:step"),
        ("sweep vit --axis depth=8:2", "first:last:step"),
        ("sweep vit --axis depth=a:b", "first:last:step"),
        ("sweep vit --axis depth=nan:2", "first:last:step"),
        ("sweep vit --axis depth=1:2:3:4", "first:last:step"),
        ("sweep vit --axis num_classes=1:1e999999", "256 values"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], line: str, named: str
) -> None:
    assert cli.main(line.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("studio: ")
    assert printed.err.count("\n") == 1
    assert named in printed.err


def test_a_result_that_cannot_be_written_is_refused() -> None:
    if not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    with open("/dev/full", "w") as full:
        done = studio_command("families", stdout=full, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)


def test_an_interrupt_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(studio, "profile", interrupted)
    assert cli.main(["profile", "vit"]) == 130
    assert capsys.readouterr().err == ""


def test_a_pipe_that_nobody_reads_is_no_traceback() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = studio_command("families", "--json", stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


def test_source_code_leaves_as_utf_8(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(screen, encoding="ascii"))
    assert cli.main(["profile", "vit"]) == 0
    assert "×" in screen.getvalue().decode("utf-8")


def studio_command(*argv: str, **streams: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "studio", *argv]
    return subprocess.run(command, text=True, check=False, timeout=120, **streams)


@pytest.mark.parametrize(
    "axes", [("depth=2,4", "depth=8"), ("depth=2", "num_heads=3", "embed_dim=192")]
)
def test_axes_are_two_different_ones_at_most(
    capsys: pytest.CaptureFixture[str], axes: tuple[str, ...]
) -> None:
    asked = [word for axis in axes for word in ("--axis", axis)]
    assert cli.main(["sweep", "vit", *asked, "--no-measure"]) == 2
    assert "give one --axis, or two with different knobs" in capsys.readouterr().err


def test_two_axes_make_a_grid_without_the_corners_that_cannot_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    axes = "--axis", "depth=2,4", "--axis", "num_heads=3,5"
    assert cli.main(["sweep", "vit", "--preset", "ViT-Ti/16", *axes, "--no-measure", "--json"]) == 0
    out, said = capsys.readouterr()
    grid = json.loads(out)
    assert grid["axes"] == ["depth", "num_heads"]
    assert [point["values"] for point in grid["points"]] == [[2, 3], [4, 3]]
    (line,) = said.splitlines()  # for one reason
    assert "depth=2, num_heads=5 and 1 more are left out: num_heads=5 must divide" in line


def test_a_picture_in_pixels_goes_to_a_file_or_on_but_to_no_terminal(
    capsysbinary: pytest.CaptureFixture[bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ["export", "vit", *TINY, "--form", "png"]
    path = tmp_path / "vit.png"
    assert cli.main([*line, "-o", str(path)]) == 0
    assert capsysbinary.readouterr().out == b""
    assert cli.main(line) == 0
    assert capsysbinary.readouterr().out == path.read_bytes()
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert cli.main(line) == 2
    printed = capsysbinary.readouterr()
    assert printed.out == b""
    assert printed.err == b"studio: png is binary and cannot be shown on a terminal; use -o FILE\n"
