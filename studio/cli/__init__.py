"""The `studio` command: the page, and the same work from a shell.

Results go to standard output, everything else to standard error. Bad input is one line there and
exit code 2. Torch is imported only once there is something to compute.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import shell_complete

from studio import __version__
from studio.cli.cached_measurements import cache
from studio.cli.command_class import Group, sentence
from studio.cli.commands import export, families, measure, profile, report
from studio.cli.output import REFUSED, PartialResult, put, say, say_warnings
from studio.cli.parameters import options
from studio.cli.recommendation import architect
from studio.cli.server import serve
from studio.cli.sweeps import sweep
from studio.knobs import DesignError
from studio.process.errors import MeasureError

INTERRUPTED = 128 + 2  # 128 and a signal, as shells report
COMPLETE = "_STUDIO_COMPLETE"  # the environment variable that click's completions set
EPILOG = f"""\b
Without a command, the page is served.
`studio COMMAND --help` explains a command.
To complete commands and options with the tab key, add to ~/.bashrc
    eval "$({COMPLETE}=bash_source studio)"
or to ~/.zshrc the same with zsh_source, or to config.fish
    {COMPLETE}=fish_source studio | source
"""


@click.group(
    "studio",
    cls=Group,
    invoke_without_command=True,
    epilog=EPILOG,
    subcommand_metavar="[COMMAND] ...",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@options.server
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def command_line(
    context: click.Context,
    address: str,
    port: int | None,
    base_path: str | None,
    headless: bool,
) -> str:
    """Serve the neural architecture studio as a page, or run one command."""
    if context.invoked_subcommand:
        return ""
    return serve(address, port, base_path, headless)


for _command in (families, profile, export, report, measure, sweep, architect, cache):
    command_line.add_command(_command)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    # Not click's own main: it prints an empty line when it is interrupted, so that a partial result
    # would be lost, and ends with code 1 where nobody reads the output.
    say_warnings()
    if instruction := os.environ.get(COMPLETE):
        return shell_complete(command_line, {}, "studio", COMPLETE, instruction)
    try:
        words = sys.argv[1:] if argv is None else list(argv)
        with command_line.make_context("studio", words) as context:
            return put(command_line.invoke(context))
    except click.UsageError as error:
        say(sentence(error))
        return REFUSED
    except (DesignError, MeasureError) as refusal:
        say(str(refusal))
        return REFUSED
    except click.exceptions.Exit as ended:  # --help, --version
        raise SystemExit(ended.exit_code) from None
    except PartialResult as partial:
        put(partial.result)
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
