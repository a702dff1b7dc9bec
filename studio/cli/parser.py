"""The parser of the command line: what it refuses is one sentence, and names what was meant."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from studio.knobs import DesignError
from studio.quoting import LONGEST, cut, echoed, quoted
from studio.spelling import meant, resembling

LONG = re.compile(rf"\S{{{LONGEST + 4},}}")  # a word, even in quotes, that nobody reads to its end


class Parser(argparse.ArgumentParser):
    """A parser whose complaints take the same way out as every other refusal."""

    def error(self, message: str) -> NoReturn:
        message = LONG.sub(lambda word: cut(word[0], LONGEST), message)
        asked = message.endswith("?")  # what was meant: that helps more
        raise DesignError(message if asked else f"{message}; see {self.prog} --help")

    def read(self, argv: Sequence[str] | None = None) -> argparse.Namespace:
        """What was typed. Raises DesignError, of an option that there is not by its name."""
        typed = sys.argv[1:] if argv is None else list(argv)
        if typed and typed[0].startswith("-"):  # before its value is taken for a command
            self._require_known(typed[0])
        found, more = self.parse_known_args(typed)
        if more:
            command = getattr(found, "parser", self)
            command._require_known(more[0])
            command.error(f"{quoted(more[0])} is one argument too many")
        return found

    def _require_known(self, typed: str) -> None:
        name = typed.partition("=")[0]
        known = [option for option in self._option_string_actions if option.startswith("--")]
        if name.startswith("-") and name not in self._option_string_actions:
            near = [f"--{one}" for one in resembling(name.strip("-"), [one[2:] for one in known])]
            question = f"; did you mean {' or '.join(near)}?" if near else ""
            self.error(f"there is no option {echoed(name)}{question}")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        known = [str(choice) for choice in action.choices or ()]
        if known and str(value) not in known:
            choose = meant(str(value), known, f"choose from {', '.join(known)}")
            raise argparse.ArgumentError(action, f"there is no {quoted(value)}; {choose}")


def option(*names: str, **rules: Any) -> Parser:
    """One option by itself, for the commands that take it."""
    parser = Parser(add_help=False)
    parser.add_argument(*names, **rules)
    return parser
