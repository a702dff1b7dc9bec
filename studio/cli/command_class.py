"""Commands of click whose errors are one sentence that names what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import click

from studio.quoting import LONGEST, cut, echoed, quoted
from studio.spelling import meant, resembling

LONG = re.compile(rf"\S{{{LONGEST + 4},}}")  # a word, even in quotes, that is too long to print
FAMILY = (
    "FAMILY is a key of `studio families`, a design file (FILE.json), or - to read one from"
    " standard input."
)


class Command(click.Command):
    """A command whose errors quote the wrong argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        given = list(args)  # click empties the list
        ctx.allow_extra_args = True  # for a sentence of our own
        try:
            rest = super().parse_args(ctx, args)
        except click.BadOptionUsage as error:
            raise click.UsageError(_misused(error.option_name, given), ctx) from None
        except click.UsageError as error:
            error.ctx = error.ctx or ctx
            raise
        if rest and not isinstance(self, click.Group):
            raise click.UsageError(f"{quoted(rest[0])} is one argument too many", ctx)
        return rest


class Group(Command, click.Group):
    """The whole command line."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if args[0] not in known:
            choose = meant(args[0], known, f"choose from {', '.join(known)}")
            text = f"argument COMMAND: there is no {quoted(args[0])}; {choose}"
            raise click.UsageError(text, ctx)
        return super().resolve_command(ctx, args)


def command(function: Callable[..., Any]) -> Command:
    """Make a command of a function, with the first line of its docstring as the help."""
    summary = (function.__doc__ or "").partition("\n")[0]
    made = click.command(cls=Command, help=summary, short_help=summary)(function)
    made.epilog = FAMILY if any(param.name == "family" for param in made.params) else None
    return made


def sentence(error: click.UsageError) -> str:
    """The text of a usage error. It refers to the help, unless it asks "did you mean ...?"."""
    match error:
        case click.NoSuchOption():
            text = _unknown(error)
        case click.MissingParameter() if error.param:
            text = f"{_label(error.param)} is missing"
        case click.BadParameter() if error.param:
            text = f"argument {_label(error.param)}: {error.message}"
        case _:
            text = error.message
    text = LONG.sub(lambda word: cut(word[0], LONGEST), text)
    path = error.ctx.command_path if error.ctx else "studio"
    return text if text.endswith("?") else f"{text}; see {path} --help"


def _label(param: click.Parameter) -> str:
    return "/".join(param.opts) if isinstance(param, click.Option) else param.human_readable_name


def _unknown(error: click.NoSuchOption) -> str:
    params = error.ctx.command.get_params(error.ctx) if error.ctx else []
    known = [name[2:] for param in params for name in param.opts if name.startswith("--")]
    near = [f"--{name}" for name in resembling(error.option_name.strip("-"), known)]
    question = f"; did you mean {' or '.join(near)}?" if near else ""
    return f"there is no option {echoed(error.option_name)}{question}"


def _misused(option: str, given: list[str]) -> str:
    """The error of a flag with a value, or of an option without one."""
    values = [word.partition("=")[2] for word in given if word.startswith(f"{option}=")]
    fault = f"takes no value, not {quoted(values[0])}" if values else "needs a value"
    return f"{option} {fault}"
