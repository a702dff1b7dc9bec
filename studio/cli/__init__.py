"""The `studio` command: the page, and the same work from a shell.

Results go to standard output, everything else to standard error. Bad input is one line there and
exit code 2. Torch is imported only once there is something to compute.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio import options
from studio.cli.commands import export, families, measure, profile, report
from studio.cli.output import REFUSED, put, say
from studio.cli.recommendation import architect
from studio.cli.server import serve
from studio.cli.sweeps import sweep
from studio.knobs import DesignError
from studio.measure.request import MeasureError

INTERRUPTED = 128 + 2  # 128 and a signal, as shells report


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    try:
        arguments = parser().parse_args(argv)
        return put(arguments.run(arguments))
    except (DesignError, MeasureError) as refusal:
        say(str(refusal))
        return REFUSED
    except KeyboardInterrupt:
        return INTERRUPTED


def parser() -> options.Parser:
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
