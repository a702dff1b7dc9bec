"""The `studio` command: the page, and the same work from a shell.

Results go to standard output, everything else to standard error. Bad input is one line there and
exit code 2. Torch is imported only once there is something to compute.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import runpy
import sys
import webbrowser
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import studio
from studio import tables
from studio.knobs import DesignError, Knob
from studio.measure.request import Conditions, MeasureError, Measurement, NoMemoryError, Subject

if TYPE_CHECKING:
    from studio.analysis.profile import Profile
    from studio.family import Design, Family
    from studio.measure.sweep import Point

MOST_POINTS = 256
FAMILY = "one of `studio families`, or the JSON of a design: a file's name.json, or - to read it"
REFUSED, INTERRUPTED, BROKEN_PIPE = 2, 128 + 2, 128 + 13  # 128 and a signal, as shells report


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        arguments = _parser().parse_args(argv)
        return _put(arguments.run(arguments))
    except (DesignError, MeasureError) as refusal:
        _say(str(refusal))
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED


def _put(text: str) -> int:
    """Write a result to standard output, in the encoding that source code has."""
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        print(text, end="", flush=True)
    except OSError as error:
        # What is still in the buffer must not fail once more as Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):  # whoever read it has had enough
            return BROKEN_PIPE
        _say(f"cannot write the result: {error.strerror}")
        return REFUSED
    return 0


def serve(arguments: argparse.Namespace) -> str:
    """Serve the page until it is stopped, and open it where there is a browser."""
    page = Path(__file__).with_name("app") / "main.py"
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


def families(arguments: argparse.Namespace) -> str:
    """Every family of architectures with its knobs and presets."""
    found = studio.families()
    if arguments.json:
        return _json([_family(key, family) for key, family in found.items()])
    return tables.families(found)


def profile(arguments: argparse.Namespace) -> str:
    """What a design costs: parameters, multiply-accumulates and memory."""
    found = studio.profile(_design(arguments), arguments.batch)
    return _json(found.to_dict()) if arguments.json else tables.profile(found)


def export(arguments: argparse.Namespace) -> str:
    """A design as a file: the standalone script, the picture, or the data."""
    text = studio.export(_design(arguments), arguments.form)
    if arguments.output is None:
        return text
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DesignError(f"cannot write {arguments.output}: {error.strerror}") from None
    return ""


def measure(arguments: argparse.Namespace) -> str:
    """How long a forward pass takes on this machine."""
    design = _design(arguments)
    found = studio.measure(design, device=arguments.device, batch=arguments.batch)
    if arguments.json:
        return _json({**studio.profile(design, arguments.batch).to_dict(), **found.to_dict()})
    return tables.measurement(design, found)


def sweep(arguments: argparse.Namespace) -> str:
    """What a design costs along one knob, and how long it takes."""
    name, wanted = arguments.axis
    start = _design(arguments)
    knob = start.family.knob(name)
    designs = [start.replace(**{name: value}) for value in _values(knob, wanted)]
    profiles = [studio.profile(design, arguments.batch) for design in designs]
    timed: list[Point] = [None] * len(designs)
    if arguments.measure:
        timed = _timed(designs, Conditions(batch=arguments.batch, device=arguments.device))
    for design, time in zip(designs, timed, strict=True):
        if isinstance(time, MeasureError):
            _say(f"{name}={knob.text(design.settings[name])} was not measured: {time}")
    times = (time if isinstance(time, Measurement) else None for time in timed)
    points = list(zip(profiles, times, strict=True))
    if arguments.json:
        return _json({"axis": name, "points": [_point(knob, *point) for point in points]})
    return tables.sweep(start, knob, points)


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints take the same way out as every other refusal."""

    def error(self, message: str) -> NoReturn:
        raise DesignError(f"{message}; see {self.prog} --help")


def _parser() -> _Parser:
    parser = _Parser(
        prog="studio",
        description="Serve the neural architecture studio, or do one piece of its work here.",
        epilog="Without a command the studio is served as a page.",
        allow_abbrev=False,
    )
    parser.add_argument("--port", type=_port, help="port of the page (the first free from 8501)")
    parser.add_argument("--address", default="127.0.0.1", help="address to serve (%(default)s)")
    parser.add_argument("--headless", action="store_true", help="open no browser")
    parser.set_defaults(run=serve)
    batch = _option("--batch", type=int, default=1, help="examples at once (default: 1)")
    device = _option("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")
    as_json = _option("--json", action="store_true", help="print JSON")
    commands = parser.add_subparsers(metavar="COMMAND")
    for run, options in {
        families: [as_json],
        profile: [*_designs(), batch, as_json],
        export: [*_designs(), *_files()],
        measure: [*_designs(), batch, device, as_json],
        sweep: [*_designs(), *_axes(), batch, device, as_json],
    }.items():
        command = commands.add_parser(
            run.__name__,
            help=run.__doc__,
            description=run.__doc__,
            parents=options,
            allow_abbrev=False,
        )
        command.set_defaults(run=run)
    return parser


def _option(*names: str, **rules: Any) -> _Parser:
    """One option by itself, for the commands that take it."""
    parser = _Parser(add_help=False)
    parser.add_argument(*names, **rules)
    return parser


def _designs() -> Iterator[_Parser]:
    yield _option("family", metavar="FAMILY", help=FAMILY)
    yield _option("--preset", metavar="NAME", help="where to start (default: the first one)")
    yield _option(
        "--set",
        dest="settings",
        metavar="KNOB=VALUE",
        type=_assignment,
        action="append",
        default=[],
        help="turn a knob; may be repeated",
    )


def _files() -> Iterator[_Parser]:
    yield _option("--form", default="script", help="script (default), svg, dot or json")
    yield _option("-o", "--output", type=Path, metavar="PATH", help="file to write")


def _axes() -> Iterator[_Parser]:
    yield _option(
        "--axis",
        metavar="KNOB=VALUES",
        type=_assignment,
        required=True,
        help="depth=2,4,8, or depth=2:24:2 (first:last:step), or depths=2,2,2,2/3,4,6,3",
    )
    yield _option("--no-measure", dest="measure", action="store_false", help="only count")


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KNOB=VALUE")
    return name.strip(), value.strip()


def _design(arguments: argparse.Namespace) -> Design:
    return _start(arguments.family, arguments.preset).replace(**dict(arguments.settings))


def _start(name: str, preset: str | None) -> Design:
    """A family's preset, or the design that a file or standard input holds."""
    if name != "-" and not name.endswith(".json"):
        return studio.design(name, preset=preset)
    if preset is not None:
        raise DesignError(f"{name} holds a design already; --preset goes with a family's name")
    try:
        text = (sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()).decode()
    except OSError as error:
        raise DesignError(f"cannot read {name}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DesignError(f"cannot read {name}: it is not text") from None
    return studio.design_from_json(text)


def _values(knob: Knob, text: str) -> list[str]:
    """The values of `2,4,8`, of `2:24:2` (24 among them), or of `2,2/3,4` for a tuple."""
    if isinstance(knob.default, tuple):
        return text.split("/")
    return _range(knob, text) if ":" in text else text.split(",")


def _range(knob: Knob, text: str) -> list[str]:
    """Counted in decimals, so that 0.1:0.3:0.1 ends at 0.3. Raises DesignError."""
    first, last, *step = text.split(":")
    try:
        start, stride = Decimal(first), Decimal(":".join(step) or str(knob.step or 1))
        steps = (Decimal(last) - start) / stride
        if 0 <= steps < MOST_POINTS:
            return [str(start + i * stride) for i in range(int(steps) + 1)]
    except ArithmeticError:  # no numbers, or a step of zero
        pass
    raise DesignError(
        f"{knob.name}={text[:60]} is not first:last:step with at most {MOST_POINTS} values, "
        f"such as {knob.name}=2:24:2",
        knob=knob.name,
        value=text,
    )


def _timed(designs: Sequence[Design], conditions: Conditions) -> list[Point]:
    """Each design's latency, all timed in turn, or why it has none."""
    from studio import forms
    from studio.measure.sweep import sweep

    points: dict[Design, Point] = dict.fromkeys(designs)
    subjects: dict[Design, Subject] = {}
    for design in points:
        try:
            subjects[design] = forms.subject(design, conditions.batch)
        except MeasureError as error:
            points[design] = error
    try:
        for number, figures in enumerate(sweep(list(subjects.values()), conditions), 1):
            points.update(zip(subjects, figures, strict=True))
            done = sum(isinstance(point, Measurement) for point in points.values())
            _show_progress(f"measuring: {done} of {len(points)} points, round {number}")
    except MeasureError as error:
        points.update({design: points[design] or error for design in subjects})
    finally:
        _show_progress("")
    return [
        forms.exhausted(design, conditions.batch, point)
        if isinstance(point := points[design], NoMemoryError)
        else point
        for design in designs
    ]


def _family(key: str, family: Family) -> dict[str, Any]:
    """A family as JSON: classes by name, tuples as lists."""
    knobs = family.knobs
    return {
        "key": key,
        "title": family.title,
        "tasks": list(family.guide.tasks),
        "knobs": [
            {
                "name": knob.name,
                "axis": knob.axis,
                "default": knob.write(knob.default),
                "ge": knob.ge,
                "le": knob.le,
                "step": knob.step,
                "options": [knob.write(option) for option in knob.options],
                "help": knob.help,
            }
            for knob in knobs.values()
        ],
        "presets": [
            {
                "name": preset.name,
                "params": preset.params,
                "source": preset.source,
                "config": {n: knob.write(getattr(preset.config, n)) for n, knob in knobs.items()},
            }
            for preset in family.presets
        ],
    }


def _point(knob: Knob, found: Profile, time: Measurement | None) -> dict[str, Any]:
    """One point of a sweep as JSON."""
    return {
        "value": knob.write(found.design.settings[knob.name]),
        **found.to_dict(),
        "measurement": dict(time.to_dict()) if time else None,
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _say(text: str) -> None:
    print("studio:", " ".join(text.split()), file=sys.stderr)
