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
import time
import webbrowser
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

import studio
from studio import options, tables
from studio.knobs import DesignError, Knob
from studio.measure.request import (
    Conditions,
    LayerTime,
    MeasureError,
    Measurement,
    NoMemoryError,
    Subject,
)

if TYPE_CHECKING:
    from studio.advice.brief import Brief
    from studio.advice.choice import Choice
    from studio.advice.latency import Timing
    from studio.analysis.profile import Profile
    from studio.family import Design
    from studio.measure.sweep import Job, Point, Points

LOOK_S = 0.1  # between two looks at a sweep under way
BAR = "{desc}: {percentage:3.0f}%|{bar}| {elapsed}, {remaining} left"
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


def _put(result: str | bytes) -> int:
    """Write a result to standard output: text in the encoding that source code has."""
    try:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8")
        if isinstance(result, bytes):
            sys.stdout.buffer.write(result)
            result = ""
        print(result, end="", flush=True)
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
    from studio.measure.worker import step_back

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


def families(arguments: argparse.Namespace) -> str:
    """Every family of architectures with its knobs and presets."""
    found = studio.families()
    if arguments.json:
        return _json([tables.family(key, family) for key, family in found.items()])
    return tables.families(found)


def profile(arguments: argparse.Namespace) -> str:
    """What a design costs: parameters, multiply-accumulates and memory."""
    found = studio.profile(_design(arguments), arguments.batch)
    return _json(found.to_dict()) if arguments.json else tables.profile(found)


def export(arguments: argparse.Namespace) -> str | bytes:
    """A design as a file: the standalone script, the picture, or the data."""
    form, path = arguments.form, arguments.output
    found = studio.export(_design(arguments), form, level=arguments.level)
    if isinstance(found, bytes) and path is None and sys.stdout.isatty():
        raise DesignError(f"{form} is nothing to read on a terminal; -o PATH writes it to a file")
    return _written(found, path)


def _written(result: str | bytes, path: Path | None) -> str | bytes:
    """The result, or nothing once it is in the file that was asked for."""
    if path is None:
        return result
    try:
        path.write_bytes(result if isinstance(result, bytes) else result.encode())
    except OSError as error:
        raise DesignError(f"cannot write {path}: {error.strerror}") from None
    return ""


def report(arguments: argparse.Namespace) -> str | bytes:
    """A report on a design in five sections, as Markdown or as one HTML file."""
    design, form = _design(arguments), options.report_form(arguments.output)
    found = studio.measure(design, **_conditions(arguments)) if arguments.measure else None
    text = studio.report(design, form, batch=arguments.batch, measured=found)
    return _written(text, arguments.output)


def measure(arguments: argparse.Namespace) -> str:
    """How long a forward pass or a training step takes on this machine."""
    design = _design(arguments)
    layers = _layers(design, arguments) if arguments.layers else {}
    found = studio.measure(design, **_conditions(arguments))
    if arguments.json:
        figures = {**studio.profile(design, arguments.batch).to_dict(), **found.to_dict()}
        times = {path: dict(time.to_dict()) for path, time in layers.items()}
        return _json(figures | ({"layers": times} if arguments.layers else {}))
    return tables.measurement(design, found) + (tables.layers(layers) if layers else "")


def sweep(arguments: argparse.Namespace) -> str:
    """What a design costs along one knob, or a grid of two, and how long it takes."""
    start = _design(arguments)
    knobs = [start.family.knob(start.config, name) for name, _ in arguments.axes]
    designs = list(options.swept(start, knobs, [wanted for _, wanted in arguments.axes], _say))
    profiles = [studio.profile(design, arguments.batch) for design in designs]
    timed: list[Point] = [None] * len(designs)
    if arguments.measure:
        timed = _timed(designs, Conditions(**_conditions(arguments)), arguments.fresh)
    if timed and all(isinstance(point, MeasureError) for point in timed):
        raise MeasureError(f"nothing was measured: {timed[0]}")
    for design, point in zip(designs, timed, strict=True):
        if isinstance(point, MeasureError):
            _say(f"{_named(design, knobs)} was not measured: {point}")
    times = (point if isinstance(point, Measurement) else None for point in timed)
    points = list(zip(profiles, times, strict=True))
    if arguments.json:
        axis = {"axis": knobs[0].name} if len(knobs) == 1 else {"axes": [k.name for k in knobs]}
        return _json(axis | {"points": [_point(knobs, *point) for point in points]})
    return (tables.csv if arguments.csv else tables.sweep)(start, knobs, points)


def architect(arguments: argparse.Namespace) -> str:
    """From a task and a budget to designs that meet it, best first, with reasons."""
    from studio.advice.brief import Brief
    from studio.advice.choice import choose
    from studio.advice.limits import Limits

    brief = Brief(
        task=arguments.task,
        limits=Limits(
            params=arguments.max_params,
            macs=arguments.max_macs,
            inference_bytes=arguments.max_memory,
            training_bytes=arguments.max_training_memory,
        ),
        settings={n: v for n in options.SETTINGS if (v := getattr(arguments, n)) is not None},
        examples=arguments.examples,
        batch=arguments.batch,
    )
    limit_s: float | None = arguments.max_latency_ms
    timed = [] if limit_s is None else _fast(brief, limit_s, arguments)
    choices = [choice for choice, _ in timed] or choose(brief, arguments.strategy)
    if arguments.json:
        latencies = [{"latency": timing.to_dict()} for _, timing in timed] or [{}] * len(choices)
        return _json(
            {
                "task": brief.task,
                "limits": brief.limits.given | ({} if limit_s is None else {"latency_s": limit_s}),
                "choices": [
                    choice.to_dict() | latency
                    for choice, latency in zip(choices, latencies, strict=True)
                ],
            }
        )
    told = [
        (
            f"{c.design.family.key}: {c.title}",
            c.profile,
            c.share if brief.limits.given else 0.0,
            c.cost,
            c.reasons,
            (*c.doubts, *c.notes),
        )
        for c in choices
    ]
    return tables.choices(told)


def _fast(
    brief: Brief, limit_s: float, arguments: argparse.Namespace
) -> tuple[tuple[Choice, Timing], ...]:
    from studio.advice.latency import chosen, stopwatch
    from studio.measure.engine import device_named

    conditions = Conditions(batch=brief.batch, device=device_named(arguments.device))
    _say("measuring a few designs of each family, a quarter of a minute for each")
    return chosen(brief, limit_s, stopwatch(conditions), arguments.strategy)


def _named(design: Design, knobs: Sequence[Knob]) -> str:
    return ", ".join(f"{k.name}={k.text(design.value(k.name))}" for k in knobs)


def _parser() -> options.Parser:
    parser = options.Parser(
        prog="studio",
        description="Serve the neural architecture studio, or do one piece of its work here.",
        epilog="Without a command the studio is served as a page.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--port", type=options.port, help="port of the page (the first free from 8501)"
    )
    parser.add_argument("--address", default="127.0.0.1", help="address to serve (%(default)s)")
    parser.add_argument("--headless", action="store_true", help="open no browser")
    parser.set_defaults(run=serve)
    commands = parser.add_subparsers(metavar="COMMAND")
    for run, parents in {
        families: [options.data("json")],
        profile: [*options.designs(), options.batches(), options.data("json")],
        export: [*options.designs(), *options.files()],
        report: [*options.designs(), *options.conditions(), *options.reports()],
        measure: [
            *(*options.designs(), *options.conditions(), options.data("json")),
            options.option("--layers", action="store_true", help="the time of each layer too"),
        ],
        architect: [
            *options.briefs(),
            *(options.batches(), options.data("json")),
        ],
        sweep: [
            *(*options.designs(), *options.axes(), *options.conditions()),
            options.option("--fresh", action="store_true", help="measure what is on disk anew"),
            options.data("json", "csv"),
        ],
    }.items():
        command = commands.add_parser(
            run.__name__,
            help=run.__doc__,
            description=run.__doc__,
            parents=parents,
            allow_abbrev=False,
        )
        command.set_defaults(run=run)
    return parser


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


def _conditions(arguments: argparse.Namespace) -> dict[str, Any]:
    return {field.name: getattr(arguments, field.name) for field in fields(Conditions)}


def _layers(design: Design, arguments: argparse.Namespace) -> Mapping[str, LayerTime]:
    from studio import forms
    from studio.measure.layers import layer_times

    conditions = Conditions(**_conditions(arguments))
    subject = forms.subject(design, replace(conditions, mode="inference"))
    return layer_times(subject, conditions)


def _timed(designs: Sequence[Design], asked: Conditions, fresh: bool) -> list[Point]:
    """Each design's latency, all timed in turn (or, unless it is to be `fresh`, as an earlier sweep
    of them has found it), or why it has none."""
    from studio import forms
    from studio.measure.engine import device_named
    from studio.measure.front import desk
    from studio.measure.store import store
    from studio.measure.sweep import Job

    conditions = replace(asked, device=device_named(asked.device))
    points: dict[Design, Point] = dict.fromkeys(designs)
    subjects: dict[Design, Subject] = {}
    for design in points:
        try:
            subjects[design] = forms.subject(design, conditions)
        except MeasureError as error:
            points[design] = error
    on = desk(conditions.device)
    job = Job(list(subjects.values()), conditions, on=on, store=store(), fresh=fresh)
    points.update(zip(subjects, _watched(job), strict=True))
    return [
        forms.exhausted(design, conditions, point)
        if isinstance(point := points[design], NoMemoryError)
        else point
        for design in designs
    ]


def _watched(job: Job) -> Points:
    """What a sweep has found at its end. Meanwhile a terminal shows how far it is."""
    with tqdm(total=1.0, bar_format=BAR, leave=False, disable=None) as bar:
        try:
            while not job.done:
                points = job.snapshot()
                measured = sum(isinstance(point, Measurement) for point in points)
                bar.set_description(f"{measured} of {len(points)} points", refresh=False)
                bar.update(job.progress - bar.n)
                time.sleep(LOOK_S)
        finally:
            job.cancel()
    if isinstance(failure := job.error, MeasureError):
        return tuple(point or failure for point in job.snapshot())
    if failure:
        raise failure
    return job.snapshot()


def _point(knobs: Sequence[Knob], found: Profile, time: Measurement | None) -> dict[str, Any]:
    """One point of a sweep as JSON; of a grid, the values in the order of its axes."""
    values = [knob.write(found.design.value(knob.name)) for knob in knobs]
    return {
        **({"value": values[0]} if len(values) == 1 else {"values": values}),
        **found.to_dict(),
        "measurement": dict(time.to_dict()) if time else None,
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2) + "\n"


def _say(text: str) -> None:
    print("studio:", " ".join(text.split()), file=sys.stderr)
