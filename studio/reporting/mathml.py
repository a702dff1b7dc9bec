"""Formulas from LaTeX to MathML, which browsers render without a script.

latex2mathml passes text and attributes through as they are: `\\text{<img>}` becomes an element and
`\\href` a link. So only its element tree is used, and written here: known elements and attributes,
everything else as escaped text.
"""

from __future__ import annotations

from html import escape, unescape
from xml.etree.ElementTree import Element

from latex2mathml.converter import convert_to_element

ELEMENTS = frozenset(
    [
        "math",
        "mfrac",
        "mi",
        "mn",
        "mo",
        "mover",
        "mpadded",
        "mphantom",
        "mroot",
        "mrow",
        "mspace",
        "msqrt",
        "mstyle",
        "msub",
        "msubsup",
        "msup",
        "mtable",
        "mtd",
        "mtext",
        "mtr",
        "munder",
        "munderover",
    ]
)
ATTRIBUTES = frozenset(
    [
        "accent",
        "columnalign",
        "depth",
        "displaystyle",
        "fence",
        "form",
        "height",
        "linethickness",
        "lspace",
        "mathvariant",
        "maxsize",
        "minsize",
        "movablelimits",
        "rspace",
        "scriptlevel",
        "separator",
        "stretchy",
        "width",
    ]
)


def mathml(tex: str) -> str:
    """A formula as one `math` element; what is not LaTeX is shown as it was written."""
    try:
        return _markup(convert_to_element(tex))
    except Exception:  # its errors have no common class, and include IndexError and RecursionError
        return f"<math><mtext>{escape(tex)}</mtext></math>"


def _markup(element: Element) -> str:
    """An element with its children. Of one that is not known the children alone are written."""
    inner = _text(element.text) + "".join(_markup(child) + _text(child.tail) for child in element)
    if element.tag not in ELEMENTS:
        return inner
    given = ((name, value) for name, value in element.items() if name in ATTRIBUTES)
    attributes = "".join(f' {name}="{_text(value)}"' for name, value in given)
    return f"<{element.tag}{attributes}>{inner}</{element.tag}>"


def _text(text: str | None) -> str:
    """latex2mathml writes signs as character references: `&#x000B7;` for a middle dot."""
    return escape(unescape(text or ""))
