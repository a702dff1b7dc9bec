"""Formulas from LaTeX to MathML, which browsers set without a script: as much of the language as
the families' cost laws are written in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape

TOKEN = re.compile(r"\\(?:[A-Za-z]+|.)|\d+(?:\.\d+)?|\S")
LETTERS = {"alpha": "α", "beta": "β", "gamma": "γ", "phi": "φ", "epsilon": "ε"}
SIGNS = {"cdot": "·", "times": "×", "le": "≤", "approx": "≈", "propto": "∝", "-": "−"}
SPACES = {",": "0.17em", ";": "0.28em", " ": "0.25em"}
NAMED = {"text", "mathrm", "operatorname"}


def mathml(tex: str) -> str:
    """A formula as one `math` element."""
    return f"<math>{_row(iter(TOKEN.findall(tex)), '')}</math>"


def _row(tokens: Iterator[str], end: str) -> str:
    """The formula up to a token that ends it."""
    done: list[str] = []
    for token in tokens:
        if token == end:
            break
        if token in "^_" and done:
            _raise(done, token, _one(next(tokens, ""), tokens))
        else:
            done.append(_one(token, tokens))
    return f"<mrow>{''.join(done)}</mrow>"


def _raise(done: list[str], token: str, index: str) -> None:
    """Put an index on what stands last; one below and one above become a pair."""
    last, raised = done.pop(), token == "^"
    if raised and last.startswith("<msub>"):
        done.append(f"<msubsup>{last[6:-7]}{index}</msubsup>")
    else:
        tag = "msup" if raised else "msub"
        done.append(f"<{tag}>{last}{index}</{tag}>")


def _one(token: str, tokens: Iterator[str]) -> str:
    """One token or group."""
    if token == "{":
        return _row(tokens, "}")
    if token.startswith("\\"):
        return _command(token[1:], tokens)
    if token[:1].isdigit():
        return f"<mn>{token}</mn>"
    if token.isalpha():
        return f"<mi>{escape(token)}</mi>"
    return f"<mo>{escape(SIGNS.get(token, token))}</mo>"


def _command(name: str, tokens: Iterator[str]) -> str:
    if name == "frac":
        return f"<mfrac>{_one(next(tokens, ''), tokens)}{_one(next(tokens, ''), tokens)}</mfrac>"
    if name in NAMED:
        return f"<mi>{escape(_name(tokens))}</mi>"
    if name in SPACES:
        return f'<mspace width="{SPACES[name]}"/>'
    if name in SIGNS:
        return f"<mo>{SIGNS[name]}</mo>"
    return f"<mi>{LETTERS.get(name, escape(name))}</mi>"


def _name(tokens: Iterator[str]) -> str:
    """The letters of a group, upright."""
    next(tokens, "")
    letters = []
    for token in tokens:
        if token == "}":
            break
        letters.append(token)
    return "".join(letters)
