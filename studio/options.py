"""The options of the `studio` command, each by itself, and how their text is read."""

from __future__ import annotations

import argparse
import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from studio.analysis import units
from studio.knobs import DesignError, Knob
from studio.measure.request import CHOICES
from studio.quoting import echoed

if TYPE_CHECKING:
    from studio.family import Design

MOST_POINTS = 256
FAMILY = "one of `studio families`, or the JSON of a design: a file's name.json, or - to read it"
TASKS = (
    *("classification", "detection", "segmentation", "instance-segmentation"),
    *("language", "time-series", "generation", "multi-modal"),
)
SETTINGS = ("image_size", "in_channels", "num_classes", "seq_len", "vocab_size", "input_size")
STRATEGIES = ("proportions", "width", "depth", "resolution", "compound")
LIMITS = {
    "params": "parameters at most",
    "macs": "multiply-accumulates of one example at most",
    "memory": "bytes of memory of a forward pass at most",
    "training-memory": "bytes of memory of a training step by Adam at most",
}
REPORTS = {".md": "markdown", ".html": "html", ".htm": "html"}
CHOSEN = {"mode": "what is timed", "dtype": "numbers", "layout": "memory of images"}


class Parser(argparse.ArgumentParser):
    """A parser whose complaints take the same way out as every other refusal."""

    def error(self, message: str) -> NoReturn:
        raise DesignError(f"{message}; see {self.prog} --help")


def option(*names: str, **rules: Any) -> Parser:
    """One option by itself, for the commands that take it."""
    parser = Parser(add_help=False)
    parser.add_argument(*names, **rules)
    return parser


def designs() -> Iterator[Parser]:
    yield option("family", metavar="FAMILY", help=FAMILY)
    yield option("--preset", metavar="NAME", help="where to start (default: the first one)")
    yield option(
        "--set",
        dest="settings",
        metavar="KNOB=VALUE",
        type=_assignment,
        action="append",
        default=[],
        help="turn a knob; may be repeated",
    )


def files() -> Iterator[Parser]:
    yield option("--form", default="script", help="script (default), svg, png, dot, html or json")
    yield option(
        "--level",
        type=int,
        default=0,
        metavar="N",
        help="how far a picture is unfolded (default: 0)",
    )
    yield option("-o", "--output", type=Path, metavar="PATH", help="file to write")


def reports() -> Iterator[Parser]:
    yield option(
        *("-o", "--out", "--output"),
        dest="output",
        type=Path,
        metavar="FILE",
        help="file to write, name.md or name.html (default: Markdown on the screen)",
    )
    yield option("--measure", action="store_true", help="measure its latency first")


def report_form(path: Path | None) -> str:
    """The form of a report, by the name of its file. Raises DesignError."""
    suffix = path.suffix.lower() if path else ".md"
    if suffix not in REPORTS:
        known = ", ".join(REPORTS)
        raise DesignError(f"{path} is no file for a report; its name ends in one of {known}")
    return REPORTS[suffix]


def axes() -> Iterator[Parser]:
    yield option(
        "--axis",
        dest="axes",
        metavar="KNOB=VALUES",
        type=_assignment,
        action="append",
        required=True,
        help="depth=2,4,8, or depth=2:24:2 (first:last:step), or depths=2,2,2,2/3,4,6,3; given"
        " twice, a grid",
    )
    yield option("--no-measure", dest="measure", action="store_false", help="only count")


def briefs() -> Iterator[Parser]:
    """A task, what it decides, its limits, and how they are met; the names are those of `Brief`,
    which is read when it is used, since torch takes its time."""
    yield option("--task", required=True, metavar="TASK", help=f"one of {', '.join(TASKS)}")
    for name, what in LIMITS.items():
        yield option(f"--max-{name}", type=_amount, metavar="N", help=f"{what}, such as 5e6 or 5M")
    yield option(
        "--max-latency-ms",
        type=_milliseconds,
        metavar="MS",
        help="a forward pass at this batch at most: measured, of the first families that meet it",
    )
    yield option("--device", default="cpu", help="where it is measured: cpu (default), cuda, mps")
    for name in SETTINGS:
        yield option(f"--{name.replace('_', '-')}", type=int, metavar="N", help="the task's")
    yield option("--examples", type=_amount, metavar="N", help="how many there are to learn from")
    yield option(
        "--strategy",
        default=STRATEGIES[0],
        choices=STRATEGIES,
        help="what is scaled to the budget (default: %(default)s)",
    )


def batches() -> Parser:
    return option("--batch", type=int, default=1, help="examples at once (default: 1)")


def conditions() -> Iterator[Parser]:
    """How it is measured; the names are those of `Conditions`."""
    yield batches()
    yield option("--device", default="cpu", help="cpu (default), cuda, cuda:1, mps")
    for name, what in CHOSEN.items():
        default, *others = CHOICES[name]
        known = ", ".join(map(str, others))
        yield option(f"--{name}", default=default, help=f"{what}: {default} (default), {known}")
    yield option("--compile", dest="compiled", action="store_true", help="with torch.compile")
    yield option("--threads", type=int, default=1, help="threads of the CPU (default: 1)")


def data(*forms: str) -> Parser:
    """The forms in which a program reads the result, of which one can be asked for."""
    parser = Parser(add_help=False)
    group = parser.add_mutually_exclusive_group()
    for form in forms:
        group.add_argument(f"--{form}", action="store_true", help=f"print {form.upper()}")
    return parser


def port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:6]) < 65536):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def _amount(text: str) -> int:
    try:
        return units.amount(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _milliseconds(text: str) -> float:
    """Milliseconds as seconds."""
    try:
        found = float(Decimal(text) / 1000)
    except (ArithmeticError, ValueError):
        found = 0.0
    if not 0 < found < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a time such as 20 or 1.5")
    return found


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form KNOB=VALUE")
    return name.strip(), value.strip()


def values(knob: Knob, text: str) -> list[str]:
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
        f"{knob.name}={echoed(text)} is not first:last:step with at most {MOST_POINTS} values, "
        f"such as {knob.name}=2:24:2",
        knob=knob.name,
        value=text,
    )


def swept(
    start: Design, knobs: Sequence[Knob], wanted: Sequence[str], say: Callable[[str], None]
) -> Iterator[Design]:
    """The designs of a sweep, the last knob turning fastest. Raises DesignError along one knob; of
    a grid, corners that cannot be are left out, and why is told to `say`."""
    names = [knob.name for knob in knobs]
    if len(knobs) > 2 or len(set(names)) < len(names):
        raise DesignError(f"a sweep has one axis, or two of different knobs, not {_and(names)}")
    read = [values(knob, text) for knob, text in zip(knobs, wanted, strict=True)]
    if math.prod(map(len, read)) > MOST_POINTS:
        raise DesignError(f"a sweep has at most {MOST_POINTS} points")
    refused = defaultdict[str, list[str]](list)  # of many corners the reason is one
    for corner in product(*read):
        settings = dict(zip((knob.name for knob in knobs), corner, strict=True))
        try:
            yield start.replace(**settings)
        except DesignError as refusal:
            if len(knobs) == 1:
                raise
            refused[str(refusal)].append(", ".join(f"{k}={v}" for k, v in settings.items()))
    for why, (first, *more) in refused.items():
        say(f"{first} {f'and {len(more)} more are' if more else 'is'} left out: {why}")


def _and(names: Sequence[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}"
