"""Sentences of family guides as plain text for a terminal, without LaTeX and Markdown."""

from __future__ import annotations

import re

from studio.reporting.document import Math, parse_markup

GREEK = {"alpha": "α", "beta": "β", "gamma": "γ", "phi": "φ", "epsilon": "ε"}
SIGNS = {"cdot": "·", "times": "×", "le": "≤", "approx": "≈", "propto": "∝"}
UPRIGHT = re.compile(r"\\(?:text|mathrm|operatorname)\{([^{}]*)\}")
FRACTION = re.compile(r"\\frac\{([^{}]*)\}\{([^{}]*)\}")
SPACE = re.compile(r"\\[,; ]")
COMMAND = re.compile(r"\\([A-Za-z]+)")
SUPERSCRIPT = re.compile(r"\^(?:\{([^{}]*)\}|(\S))")
SUPERSCRIPTS = str.maketrans("0123456789-+n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ")


def plain_text(text: str) -> str:
    """`about $18\\,n\\,c_i^2$` becomes `about 18 n c_i²`."""
    return "".join(
        unicode_formula(piece.tex)
        if isinstance(piece, Math)
        else piece
        if isinstance(piece, str)
        else piece[0]
        for piece in parse_markup(text)
    )


def unicode_formula(tex: str) -> str:
    """A LaTeX formula as one line of Unicode text."""
    tex = FRACTION.sub(r"\1/\2", UPRIGHT.sub(r"\1", tex))
    tex = COMMAND.sub(lambda found: _sign(found[1]), SPACE.sub(" ", tex))
    return SUPERSCRIPT.sub(_superscript, tex).translate(str.maketrans("", "", "{}\\"))


def _sign(name: str) -> str:
    return SIGNS.get(name) or GREEK.get(name) or name


def _superscript(found: re.Match[str]) -> str:
    index: str = found[1] if found[1] is not None else found[2]
    high = index.translate(SUPERSCRIPTS)
    if not set(high) & set(index):
        return high
    return f"^({index})" if len(index) > 1 else f"^{index}"
