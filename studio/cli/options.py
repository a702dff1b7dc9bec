"""The options of the `studio` command, each by itself, and how their text is read."""

from __future__ import annotations

import argparse
import math
import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from studio.advice.questions import LIMITS, SETTINGS, STRATEGIES, TASKS
from studio.analysis import quantities
from studio.analysis.quantities import COUNT, Quantity
from studio.bench.results import CHOICES
from studio.cli.parser import Parser, option
from studio.knobs import DesignError, Knob
from studio.quoting import echoed, path_echoed, quoted

if TYPE_CHECKING:
    from studio.family import Design

T = TypeVar("T")
MOST_POINTS = 256
DAY_S = 86_400
FAMILY = "a key of `studio families`, a design file (FILE.json), or - to read one from stdin"
FORMS = {
    "script": (".py",),
    "svg": (".svg",),
    "png": (".png",),
    "dot": (".dot", ".gv"),
    "html": (".html", ".htm"),
    "json": (".json",),
}  # of `forms.FORMS`, with the suffixes of their files
REPORTS = {".md": "markdown", ".html": "html", ".htm": "html"}
CHOSEN = {
    "mode": "what is timed",
    "dtype": "number format",
    "layout": "memory format of images",
}


def servers() -> Iterator[Parser]:
    """How the page is served."""
    yield option(
        "--address",
        default="127.0.0.1",
        metavar="HOST",
        help="address to serve at: 127.0.0.1 for this machine only (default), 0.0.0.0 for everyone"
        " on its networks",
    )
    yield option(
        "--port", type=port, metavar="N", help="port to serve at (default: first free from 8501)"
    )
    yield option(
        "--base-path",
        type=_url_path,
        metavar="PATH",
        help="path of the page behind a proxy, such as studio",
    )
    yield option("--headless", action="store_true", help="do not open a browser")


def caches() -> Iterator[Parser]:
    yield option("action", nargs="?", choices=("clear",), help="delete all measurements")
    yield option("--yes", action="store_true", help="delete without asking")


def designs() -> Iterator[Parser]:
    yield option("family", metavar="FAMILY", help=FAMILY)
    yield option("--preset", metavar="NAME", help="preset to start from (default: the first)")
    yield option(
        "--set",
        dest="settings",
        metavar="KNOB=VALUE",
        type=_setting,
        action="append",
        default=[],
        help="set a knob (repeatable)",
    )


def files() -> Iterator[Parser]:
    yield option(
        "--form",
        help=f"{', '.join(FORMS)} (default: by the suffix of -o, otherwise script)",
    )
    yield option(
        "--level",
        type=whole,
        default=0,
        metavar="N",
        help="levels of blocks to open in a picture (default: 0)",
    )
    yield option(
        *("-o", "--out", "--output"),
        dest="output",
        type=_path,
        metavar="FILE",
        help="file to write (default, or -: standard output)",
    )


def reports() -> Iterator[Parser]:
    yield option(
        *("-o", "--out", "--output"),
        dest="output",
        type=_path,
        metavar="FILE",
        help="file to write, .md or .html (default, or -: Markdown on standard output)",
    )
    yield option("--measure", action="store_true", help="measure the latency and include it")


def report_form(path: Path | None) -> str:
    """The form of a report, by the suffix of its file. Raises DesignError."""
    suffix = path.suffix.lower() if path else ""
    if suffix and suffix not in REPORTS:
        raise DesignError(f"cannot write a report as {path_echoed(path)}; use {_or(REPORTS)}")
    return REPORTS.get(suffix, "markdown")


def export_form(asked: str | None, path: Path | None) -> str:
    """The form that is asked for, or that the suffix of the file means; without either, a script.

    Raises DesignError where the two contradict each other, or the suffix means no form.
    """
    suffix = path.suffix.lower() if path else ""
    meant = next((form for form, suffixes in FORMS.items() if suffix in suffixes), None)
    if asked and meant and asked in FORMS and asked != meant:
        raise DesignError(
            f"--form {asked} and {path_echoed(path)} contradict each other: {suffix} means {meant};"
            f" a file of --form {asked} ends in {_or(FORMS[asked])}"
        )
    if not asked and suffix and not meant:
        known = [suffix for suffixes in FORMS.values() for suffix in suffixes]
        raise DesignError(
            f"cannot tell the form of {path_echoed(path)}; use {_or(known)}, or add --form"
        )
    return asked or meant or "script"


def axes() -> Iterator[Parser]:
    yield option(
        "--axis",
        dest="axes",
        metavar="KNOB=VALUES",
        type=_assignment,
        action="append",
        required=True,
        help="depth=2,4,8, depth=2:24:2 (first:last:step) or depths=2,2,2,2/3,4,6,3; two axes"
        " make a grid",
    )
    yield option("--no-measure", dest="measure", action="store_false", help="count, do not time")


def briefs() -> Iterator[Parser]:
    """A task, what it decides, its limits, and how they are met; the names are those of `Brief`,
    which is read when it is used, since torch takes its time."""
    yield option("--task", required=True, metavar="TASK", help=f"one of {', '.join(TASKS)}")
    for name, limit in LIMITS.items():
        text = f"most {limit.name}, such as {limit.quantity.example}"
        yield option(f"--max-{name}", type=amount(limit.quantity), metavar="N", help=text)
    yield option(
        "--max-latency-ms",
        type=milliseconds,
        metavar="MS",
        help="longest forward pass at this batch, such as 20 or 0.5s; predicted, then measured",
    )
    yield option("--device", default="cpu", help="device to measure on: cpu (default), cuda, mps")
    for name, setting in SETTINGS.items():
        yield option(f"--{name.replace('_', '-')}", type=whole, metavar="N", help=setting.help)
    yield option(
        "--examples", type=amount(COUNT), metavar="N", help="training examples, such as 50k"
    )
    yield option(
        "--strategy",
        default=STRATEGIES[0],
        choices=STRATEGIES,
        help="which dimension to scale to use all of the budget; recommended (default) prefers"
        " published presets and usual sizes",
    )


def batches() -> Parser:
    return option("--batch", type=whole, default=1, metavar="N", help="batch size (default: 1)")


def conditions() -> Iterator[Parser]:
    """How it is measured; the names are those of `Conditions`."""
    yield batches()
    yield option("--device", default="cpu", help="cpu (default), cuda, cuda:1 or mps")
    for name, what in CHOSEN.items():
        default, *others = CHOICES[name]
        known = ", ".join(map(str, others))
        yield option(f"--{name}", default=default, help=f"{what}: {default} (default), {known}")
    yield option("--compile", dest="compiled", action="store_true", help="use torch.compile")
    yield option("--threads", type=whole, default=1, metavar="N", help="CPU threads (default: 1)")
    yield option(
        "--limit-s",
        type=seconds,
        metavar="SECONDS",
        help="the longest that measuring one design may take (default: 30, compiled 600)",
    )


def seconds(text: str) -> float:
    """A time of more than nothing and of a day at most."""
    try:
        found = float(text.removesuffix("s"))
    except ValueError:
        found = 0.0
    if not 0 < found <= DAY_S:
        raise argparse.ArgumentTypeError(
            f"{quoted(text)} is not a time in seconds, such as 120; at most {DAY_S} works"
        )
    return found


def data(*forms: str) -> Parser:
    """Machine-readable output, in one of these forms."""
    parser = Parser(add_help=False)
    group = parser.add_mutually_exclusive_group()
    for form in forms:
        group.add_argument(f"--{form}", action="store_true", help=f"print {form.upper()}")
    return parser


def _url_path(text: str) -> str:
    path = text.strip("/")
    if not re.fullmatch(r"[\w.~-]+(/[\w.~-]+)*", path, re.ASCII):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a path such as tools/studio")
    return path


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not a port from 1 to 65535")
    return int(text)


def whole(text: str) -> int:
    """A whole number, which may have an exponent but no unit."""
    return _read(quantities.whole, text)


def amount(quantity: Quantity) -> Callable[[str], int]:
    """What reads such a quantity with its units."""
    return partial(_read, quantity.read)


def milliseconds(text: str) -> float:
    """Seconds, from milliseconds or from a time with its unit."""
    return _read(partial(quantities.duration, bare="ms"), text)


def _read(read: Callable[[str], T], text: str) -> T:
    try:
        return read(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _path(text: str) -> Path:
    if not text.strip():
        raise argparse.ArgumentTypeError("the name of the file is empty")
    if text.endswith(os.sep):
        raise argparse.ArgumentTypeError(f"{path_echoed(text)} names a folder, not a file")
    return Path(text)


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise argparse.ArgumentTypeError(f"{quoted(text)} is not of the form KNOB=VALUE")
    return name.strip(), value.strip()


def _setting(text: str) -> tuple[str, str]:
    name, value = _assignment(text)
    if why := quantities.unit_of(value):
        raise argparse.ArgumentTypeError(f"{echoed(name)}={value} {why}")
    return name, value


def values(knob: Knob, text: str) -> list[str]:
    """The values of `2,4,8`, of `2:24:2` (24 among them), or of `2,2/3,4` for a tuple."""
    if isinstance(knob.default, tuple):
        return text.split("/")
    if ":" in text:
        return _range(knob, text)
    given = text.split(",")
    for value in given:
        if why := quantities.unit_of(value):
            raise DesignError(f"{knob.name}={echoed(value)} {why}", knob=knob.name, value=value)
    return given


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
        f"{knob.name}={echoed(text)} is not first:last:step with at most {MOST_POINTS} values, "
        f"such as {knob.name}=2:24:2",
        knob=knob.name,
        value=text,
    )


def swept(
    start: Design, knobs: Sequence[Knob], wanted: Sequence[str], say: Callable[[str], None]
) -> tuple[Design, ...]:
    """The designs of a sweep, each once, the last knob turning fastest. Raises DesignError along
    one knob; of a grid, corners that cannot be are left out. Why, and what was inserted to make a
    point fit, is told to `say`."""
    from studio.zoo import changed

    found: dict[Design, str] = {}
    refused = defaultdict[str, list[str]](list)  # of many corners the reason is one
    for settings in _corners(knobs, wanted):
        try:
            made = changed(start, settings)
            found[made.design] = made.note
        except DesignError as refusal:
            if len(knobs) == 1:
                raise
            refused[str(refusal)].append(", ".join(f"{k}={v}" for k, v in settings.items()))
    if not found:
        raise DesignError(f"no point of this grid is a valid design: {next(iter(refused))}")
    for note in dict.fromkeys(filter(None, found.values())):
        say(note)
    for why, (first, *more) in refused.items():
        say(f"{first} {f'and {len(more)} more are' if more else 'is'} left out: {why}")
    return tuple(found)


def _corners(knobs: Sequence[Knob], wanted: Sequence[str]) -> Iterator[dict[str, str]]:
    """The settings of each point. Raises DesignError."""
    names = [knob.name for knob in knobs]
    if len(knobs) > 2 or len(set(names)) < len(names):
        raise DesignError("give one --axis, or two with different knobs")
    read = [values(knob, text) for knob, text in zip(knobs, wanted, strict=True)]
    if math.prod(map(len, read)) > MOST_POINTS:
        raise DesignError(f"a sweep has at most {MOST_POINTS} points")
    for corner in product(*read):
        yield dict(zip(names, corner, strict=True))


def _or(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
