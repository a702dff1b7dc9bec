"""The `studio` command: the page, and the same work from a shell.

Results go to standard output, everything else to standard error. Bad input is one line there and
exit code 2. Torch is imported only once there is something to compute.
"""

from __future__ import annotations

from collections.abc import Sequence

from studio.cli import options
from studio.cli.cached_measurements import cache
from studio.cli.commands import export, families, measure, profile, report
from studio.cli.output import REFUSED, CutShort, put, say, say_warnings
from studio.cli.parser import Parser, option
from studio.cli.recommendation import architect
from studio.cli.server import serve
from studio.cli.sweeps import sweep
from studio.knobs import DesignError
from studio.process.errors import MeasureError
from studio.version import __version__

INTERRUPTED = 128 + 2  # 128 and a signal, as shells report


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    say_warnings()
    try:
        arguments = command_line().read(argv)
        return put(arguments.run(arguments))
    except (DesignError, MeasureError) as refusal:
        say(str(refusal))
        return REFUSED
    except CutShort as cut:
        put(cut.result)
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED


def command_line() -> Parser:
    """The whole command line."""
    whole = Parser(
        prog="studio",
        description="Serve the neural architecture studio as a page, or run one command.",
        epilog="Without a command, the page is served. `studio COMMAND --help` explains a command.",
        allow_abbrev=False,
        parents=[*options.servers()],
    )
    whole.add_argument("--version", action="version", version=f"studio {__version__}")
    whole.set_defaults(run=serve)
    commands = whole.add_subparsers(metavar="COMMAND", title="commands")
    for run, parents in {
        families: [options.data("json")],
        profile: [*options.designs(), options.batches(), options.data("json")],
        export: [*options.designs(), *options.files()],
        report: [*options.designs(), *options.conditions(), *options.reports()],
        measure: [
            *(*options.designs(), *options.conditions(), options.data("json")),
            option("--layers", action="store_true", help="also time each layer"),
        ],
        sweep: [
            *(*options.designs(), *options.axes(), *options.conditions()),
            option("--fresh", action="store_true", help="ignore cached results"),
            options.data("json", "csv"),
        ],
        architect: [*options.briefs(), options.batches(), options.data("json")],
        cache: [*options.caches(), options.data("json")],
    }.items():
        summary = (run.__doc__ or "").partition("\n")[0]
        command = commands.add_parser(
            run.__name__, help=summary, description=summary, parents=parents, allow_abbrev=False
        )
        command.set_defaults(run=run, parser=command)
    return whole
