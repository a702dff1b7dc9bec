"""The options of the `studio` command, in groups that several commands take."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from studio.advice.questions import LIMITS, SETTINGS, STRATEGIES
from studio.analysis.quantities import COUNT
from studio.bench.conditions import CHOICES, Conditions
from studio.cli.inputs import DesignSource
from studio.cli.parameters.param_types import (
    ASSIGNMENT,
    FILE,
    MILLISECONDS,
    PORT,
    SECONDS,
    SETTING,
    URL_PATH,
    WHOLE,
    OneOf,
    amount,
)
from studio.knobs import DesignError
from studio.quoting import path_echoed
from studio.tasks import TASKS

Function = Callable[..., Any]
Option = Callable[[Function], Function]
ZOO = Path(__file__).parents[2] / "zoo"
FORMS = {
    "script": (".py",),
    "svg": (".svg",),
    "png": (".png",),
    "dot": (".dot", ".gv"),
    "html": (".html", ".htm"),
    "json": (".json",),
}  # of `exports.FORMS`, with the suffixes of their files
REPORTS = {".md": "markdown", ".html": "html", ".htm": "html"}
CHOSEN = {
    "mode": "what is timed",
    "dtype": "number format",
    "layout": "memory format of images",
}
CONDITIONS = tuple(field.name for field in fields(Conditions))


def _all(*options: Option) -> Option:
    """Several options as one decorator, in the order in which the help lists them."""

    def add(function: Function) -> Function:
        for option in reversed(options):
            function = option(function)
        return function

    return add


def _families(_ctx: click.Context, _param: click.Parameter, typed: str) -> list[CompletionItem]:
    """Completions of FAMILY: keys and files. Keys are file names, so torch is not imported."""
    keys = sorted(path.stem for path in ZOO.glob("[a-z]*.py") if path.stem.startswith(typed))
    return [*map(CompletionItem, keys), CompletionItem(typed, type="file")]


def design(function: Function) -> Function:
    """FAMILY, --preset and --set, as the argument `source`."""

    @wraps(function)
    def with_source(
        family: str, preset: str | None, settings: tuple[tuple[str, str], ...], **others: Any
    ) -> Any:
        return function(source=DesignSource(family, preset, settings), **others)

    return _all(
        click.argument("family", metavar="FAMILY", shell_complete=_families),
        click.option("--preset", metavar="NAME", help="Preset to start from (default: the first)."),
        click.option(
            *("--set", "settings"),
            type=SETTING,
            multiple=True,
            metavar="KNOB=VALUE",
            help="Set a knob (repeatable).",
        ),
    )(with_source)


batch = click.option("--batch", type=WHOLE, default=1, metavar="N", help="Batch size (default: 1).")


def conditions(function: Function) -> Function:
    """The options for measuring. The function gets `conditions`, a dictionary with the fields of
    `Conditions`, and `limit_s`."""

    @wraps(function)
    def with_conditions(**given: Any) -> Any:
        chosen = {name: given.pop(name) for name in CONDITIONS}
        return function(conditions=chosen, **given)

    return _all(
        batch,
        click.option(
            "--device", default="cpu", metavar="DEVICE", help="cpu (default), cuda, cuda:1 or mps."
        ),
        *(_choice(name, meaning) for name, meaning in CHOSEN.items()),
        click.option("--compile", "compiled", is_flag=True, help="Use torch.compile."),
        click.option(
            "--threads", type=WHOLE, default=1, metavar="N", help="CPU threads (default: 1)."
        ),
        click.option(
            "--limit-s",
            type=SECONDS,
            metavar="SECONDS",
            help="Longest time to measure one design (default: 30, compiled 600).",
        ),
    )(with_conditions)


def _choice(name: str, meaning: str) -> Option:
    """An option whose value `Conditions` checks."""
    default, *others = map(str, CHOICES[name])
    text = f"{meaning.capitalize()}: {default} (default), {', '.join(others)}."
    return click.option(f"--{name}", default=default, metavar=name.upper(), help=text)


def _output(text: str) -> Option:
    return click.option("-o", "--out", "--output", "output", type=FILE, metavar="FILE", help=text)


export = _all(
    click.option(
        "--form",
        metavar="FORM",
        help=f"{', '.join(FORMS)} (default: by the suffix of -o, otherwise script).",
    ),
    click.option(
        "--level",
        type=WHOLE,
        default=0,
        metavar="N",
        help="Levels of blocks to expand in a picture (default: 0).",
    ),
    _output("File to write (default, or -: standard output)."),
)
report = _all(
    _output("File to write, .md or .html (default, or -: Markdown on standard output)."),
    click.option("--measure", is_flag=True, help="Measure the latency and include it."),
)
sweep = _all(
    click.option(
        "--axis",
        "axes",
        type=ASSIGNMENT,
        multiple=True,
        required=True,
        metavar="KNOB=VALUES",
        help="depth=2,4,8, depth=2:24:2 (first:last:step) or depths=2,2,2,2/3,4,6,3; two axes make"
        " a grid.",
    ),
    click.option("--no-measure", is_flag=True, help="Count, do not time."),
    click.option("--fresh", is_flag=True, help="Ignore measurements of earlier sweeps."),
)
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
as_csv = click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
layers = click.option("--layers", is_flag=True, help="Also time each layer.")
clear = _all(
    click.argument("action", required=False, type=OneOf(("clear",)), metavar="[clear]"),
    click.option("--yes", is_flag=True, help="Delete without asking."),
)
server = _all(
    click.option(
        "--address",
        default="127.0.0.1",
        metavar="HOST",
        help="Address to serve at: 127.0.0.1 for this machine only (default), 0.0.0.0 for everyone"
        " on its networks.",
    ),
    click.option(
        "--port", type=PORT, metavar="N", help="Port to serve at (default: first free from 8501)."
    ),
    click.option(
        "--base-path",
        type=URL_PATH,
        metavar="PATH",
        help="Path of the page behind a proxy, such as studio.",
    ),
    click.option("--headless", is_flag=True, help="Do not open a browser."),
)
requirements = _all(
    click.option("--task", required=True, metavar="TASK", help=f"One of {', '.join(TASKS)}."),
    *(
        click.option(
            f"--max-{name}",
            type=amount(limit.quantity),
            metavar="N",
            help=f"Most {limit.name}, such as {limit.quantity.example}.",
        )
        for name, limit in LIMITS.items()
    ),
    click.option(
        "--max-latency-ms",
        "max_latency_s",
        type=MILLISECONDS,
        metavar="MS",
        help="Longest forward pass at this batch, such as 20 or 0.5s; predicted, then measured.",
    ),
    click.option(
        "--device",
        default="cpu",
        metavar="DEVICE",
        help="Device to measure on: cpu (default), cuda, mps.",
    ),
    *(
        click.option(
            f"--{name.replace('_', '-')}",
            type=WHOLE,
            metavar="N",
            help=f"{setting.help.capitalize()}.",
        )
        for name, setting in SETTINGS.items()
    ),
    click.option(
        "--examples", type=amount(COUNT), metavar="N", help="Training examples, such as 50k."
    ),
    click.option(
        "--strategy",
        default=STRATEGIES[0],
        type=OneOf(STRATEGIES),
        help="Which dimension to scale to use all of the budget; recommended (default) prefers"
        " published presets and usual sizes.",
    ),
)


def report_form(path: Path | None) -> str:
    """The form of a report, by the suffix of its file. Raises DesignError."""
    suffix = path.suffix.lower() if path else ""
    if suffix and suffix not in REPORTS:
        raise DesignError(f"cannot write a report as {path_echoed(path)}; use {_or(REPORTS)}")
    return REPORTS.get(suffix, "markdown")


def export_form(form: str | None, path: Path | None) -> str:
    """The form given by --form or by the suffix of the file; a script without either.

    Raises DesignError if the two contradict each other, or if the suffix is unknown.
    """
    suffix = path.suffix.lower() if path else ""
    meant = next((form for form, suffixes in FORMS.items() if suffix in suffixes), None)
    if form and meant and form in FORMS and form != meant:
        raise DesignError(
            f"--form {form} and {path_echoed(path)} contradict each other: {suffix} means {meant};"
            f" a file of --form {form} ends in {_or(FORMS[form])}"
        )
    if not form and suffix and not meant:
        known = [suffix for suffixes in FORMS.values() for suffix in suffixes]
        raise DesignError(
            f"cannot tell the form of {path_echoed(path)}; use {_or(known)}, or add --form"
        )
    return form or meant or "script"


def _or(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
