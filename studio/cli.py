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
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import studio
from studio.analysis import units
from studio.knobs import DesignError, Knob
from studio.measure.request import Conditions, MeasureError, Measurement, Subject

if TYPE_CHECKING:
    from studio.analysis.profile import Profile
    from studio.family import Design, Family

MOST_POINTS = 256
BROKEN_PIPE, INTERRUPTED = 128 + 13, 128 + 2  # as a shell reports the two signals

Rows = Sequence[Sequence[str]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")  # what Python takes source code to be in
        arguments = _parser().parse_args(argv)
        arguments.run(arguments)
        sys.stdout.flush()
    except (DesignError, MeasureError) as refusal:
        _say(str(refusal))
        return 2
    except BrokenPipeError:
        # Whoever read has had enough; Python must not find the pipe broken once more as it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def serve(arguments: argparse.Namespace) -> None:
    """Serve the page until it is stopped; Streamlit opens a browser where there is one."""
    page = Path(__file__).with_name("app") / "main.py"
    project = page.parents[2]
    options = {
        "server.address": arguments.address,
        "server.port": arguments.port,
        "server.headless": "true" if arguments.headless else None,
        "server.showEmailPrompt": "false",
        "browser.gatherUsageStats": "false",
    }
    flags = [f"--{name}={value}" for name, value in options.items() if value is not None]
    if (project / ".streamlit" / "config.toml").is_file():
        os.chdir(project)  # Streamlit looks for the theme and the limits of the server there
    sys.argv = ["streamlit", "run", str(page), *flags]
    runpy.run_module("streamlit", run_name="__main__", alter_sys=True)


def families(arguments: argparse.Namespace) -> None:
    """Every family of architectures with its knobs and presets."""
    found = studio.families()
    if arguments.json:
        _print_json([_family(key, family) for key, family in found.items()])
        return
    head = ("family", "architecture", "knobs", "presets", "for")
    rows = (
        (key, f.title, str(len(f.knobs)), str(len(f.presets)), ", ".join(f.guide.tasks))
        for key, f in found.items()
    )
    _print_table([head, *rows], right=(2, 3))


def profile(arguments: argparse.Namespace) -> None:
    """What a design costs: parameters, multiply-accumulates and memory."""
    found = studio.profile(_design(arguments), arguments.batch)
    if arguments.json:
        _print_json(found.to_dict())
        return
    print(_headline(found))
    _print_table([("", name, value) for name, value in _figures(found)])


def export(arguments: argparse.Namespace) -> None:
    """A design as a file: the standalone script, the picture, or the data."""
    text = studio.export(_design(arguments), arguments.form)
    if arguments.output is None:
        sys.stdout.write(text)
        return
    try:
        arguments.output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DesignError(f"cannot write {arguments.output}: {error.strerror}") from None


def measure(arguments: argparse.Namespace) -> None:
    """How long a forward pass takes on this machine."""
    design = _design(arguments)
    found = studio.profile(design, arguments.batch)
    measurement = studio.measure(design, device=arguments.device, batch=arguments.batch)
    if arguments.json:
        _print_json({**found.to_dict(), **measurement.to_dict()})
        return
    print(_headline(found))
    _print_table([("", name, value) for name, value in _timing(measurement)])


def sweep(arguments: argparse.Namespace) -> None:
    """What a design costs along one knob, and how long it takes."""
    name, wanted = arguments.axis
    start = _design(arguments)
    knob = start.family.knob(name)
    designs = [start.replace(**{name: value}) for value in _values(knob, wanted)]
    profiles = [studio.profile(design, arguments.batch) for design in designs]
    timed: Sequence[Measurement | None] = [None] * len(designs)
    if arguments.measure:
        timed = _timed(designs, Conditions(batch=arguments.batch, device=arguments.device))
    if arguments.json:
        points = [
            {
                "value": knob.write(found.design.settings[name]),
                **found.to_dict(),
                "measurement": dict(time.to_dict()) if time else None,
            }
            for found, time in zip(profiles, timed, strict=True)
        ]
        _print_json({"axis": name, "points": points})
        return
    head = (name, "parameters", "MACs", "inference", "training", "latency", "middle half")
    rows = (_point(knob, found, time) for found, time in zip(profiles, timed, strict=True))
    print(f"{start.family.title}: {start.title}, batch {arguments.batch}")
    _print_table([head, *rows], right=range(7))


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
    commands = parser.add_subparsers(metavar="COMMAND")

    def command(run: Any, *, of_design: bool = True) -> argparse.ArgumentParser:
        made = commands.add_parser(
            run.__name__, help=run.__doc__, description=run.__doc__, allow_abbrev=False
        )
        made.set_defaults(run=run)
        if of_design:
            _add_design(made)
        return made

    form = {"default": "script", "help": "script (default), svg, dot or json"}
    listing, costs = command(families, of_design=False), command(profile)
    code, time, axis = command(export), command(measure), command(sweep)
    code.add_argument("--form", **form)  # type: ignore[arg-type]
    code.add_argument("-o", "--output", type=Path, metavar="PATH", help="file to write")
    axis.add_argument(
        "--axis",
        type=_assignment,
        required=True,
        metavar="KNOB=VALUES",
        help="depth=2,4,8, or depth=2:24:2 (first:last:step), or depths=2,2,2,2/3,4,6,3",
    )
    axis.add_argument("--no-measure", dest="measure", action="store_false", help="only count")
    for made in (costs, time, axis):
        made.add_argument("--batch", type=int, default=1, help="examples at once (%(default)s)")
    for made in (time, axis):
        made.add_argument("--device", default="cpu", help="cpu (default), cuda or mps")
    for made in (listing, costs, time, axis):
        made.add_argument("--json", action="store_true", help="print JSON")
    return parser


def _add_design(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("family", metavar="FAMILY", help="one of `studio families`")
    parser.add_argument("--preset", metavar="NAME", help="start from it (default: the first one)")
    parser.add_argument(
        "--set",
        type=_assignment,
        action="append",
        default=[],
        dest="settings",
        metavar="KNOB=VALUE",
        help="turn a knob; may be repeated",
    )


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
    start = studio.design(arguments.family, preset=arguments.preset)
    return start.replace(**dict(arguments.settings))


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


def _timed(designs: Sequence[Design], conditions: Conditions) -> list[Measurement | None]:
    """Each design's latency, all timed in turn. Where one fails, standard error says why."""
    from studio import forms
    from studio.measure.sweep import sweep

    points: dict[Design, Measurement | MeasureError | None] = dict.fromkeys(designs)
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
    for design, point in points.items():
        if isinstance(point, MeasureError):
            _say(f"{design.title} was not measured: {point}")
    return [p if isinstance(p := points[design], Measurement) else None for design in designs]


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


def _headline(found: Profile) -> str:
    return f"{found.design.family.title}: {found.design.title}, batch {found.batch}"


def _figures(found: Profile) -> Rows:
    outputs = (units.shape(shape) for shape in found.output_shapes)
    return (
        ("parameters", f"{found.params:,}"),
        ("trainable", f"{found.trainable_params:,}"),
        ("compute", f"{found.macs:,} MACs ({found.flops:,} FLOPs = 2 × MACs)"),
        ("inference", f"{units.size(found.inference_bytes)} of memory"),
        ("training", f"{units.size(found.training_bytes())} of memory, with Adam"),
        ("output", ", ".join(outputs)),
    )


def _timing(found: Measurement) -> Rows:
    steady = {True: ", none interrupted", False: ", on a busy machine", None: ""}[found.clean]
    threads = f", {found.threads} thread" + "s" * (found.threads > 1)
    return (
        ("latency", f"{units.seconds(found.median_s)}, the median of {found.runs} runs{steady}"),
        ("middle half", _middle_half(found)),
        ("first call", units.seconds(found.first_call_s)),
        ("throughput", f"{found.throughput:,.1f} examples a second"),
        ("device", f"{found.device}{threads}, {found.dtype}"),
    )


def _middle_half(found: Measurement) -> str:
    return f"{units.seconds(found.q25_s)} to {units.seconds(found.q75_s)}"


def _point(knob: Knob, found: Profile, time: Measurement | None) -> Sequence[str]:
    return (
        knob.text(found.design.settings[knob.name]),
        f"{found.params:,}",
        f"{found.macs:,}",
        units.size(found.inference_bytes),
        units.size(found.training_bytes()),
        units.seconds(time.median_s) if time else "-",
        _middle_half(time) if time else "-",
    )


def _print_table(rows: Rows, right: Sequence[int] = ()) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.rjust(width) if i in right else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  ".join(cells).rstrip())


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=2))


def _show_progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()


def _say(text: str) -> None:
    print("studio:", " ".join(text.split()), file=sys.stderr)
