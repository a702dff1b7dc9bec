"""Text on the page that is not ours: in Streamlit's Markdown and in HTML it means itself.

Streamlit reads nearly every text as Markdown: labels, tooltips, warnings, captions. So all that is
not written in the code (a name, a message, a value from a link, a file or a cluster) goes through
`plain`, and HTML goes through `html`. A test reads the code of the page for what does not.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape

import streamlit as st

from studio.quoting import one_line

JOINER = "\u2060"  # invisible, of no width, and no line is broken there
# What Markdown, its formulas and its HTML begin or end with, wherever that stands.
MARKS = re.compile(r"[\\`*\[\]<>$~|{}]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w)|^[#+=-]|^\d+(?=[.)])")
# What Streamlit makes of a text after Markdown has read it, where a backslash counts no more:
# addresses become links, `:smile:` a picture, `:red[` a colour, ` -> ` an arrow.
SPOTS = re.compile(
    r"(?<=:)(?=[\w+/-])|(?<=@)(?=\w)|(?<=www)(?=\.)|(?<=[<>~-])(?=[=>-])", re.IGNORECASE
)
TAG = re.compile(
    r"</?(?:b|br|code|dd|div|dl|dt|h1|h5|h6|i|li|p|small|span|strong|sub|sup|table|tbody|td|th|thead"
    r'|tr|ul)(?:\s+(?:class|colspan|scope|style|title)="[^"<>]*")*\s*>'
)
STYLES = re.compile(r"<style>[^<]*</style>")
FETCHED = re.compile(r"url\(|image-set\(|@import|\\", re.IGNORECASE)  # by a style


def plain(text: object) -> str:
    """The text, on one line, as Markdown that shows exactly that: no formatting, link, picture,
    formula, HTML, icon or colour comes of it."""
    spotted = SPOTS.sub(JOINER, one_line(str(text)))
    return MARKS.sub(_marked, spotted)


def trusted(text: str) -> str:
    """Markdown of a file of ours, as it stands: a family's lesson."""
    return text


def html(body: str, links: tuple[str, ...] = ()) -> None:
    """Show HTML of ours. Were a text of somebody else in it that nobody escaped, nothing would be
    fetched and nothing linked but the addresses of ours in `links`: what has another tag than those
    of the page is shown as a text."""
    st.html(body if is_harmless(body, links) else escape(body))


def link(text: str, address: str) -> str:
    """A text as HTML that leads to an address of ours, in a tab of its own."""
    return f"{_opened(address)}{escape(text)}</a>"


def _opened(address: str) -> str:
    return f'<a href="{escape(address)}" target="_blank" rel="noopener">'


@lru_cache(maxsize=256)
def is_harmless(body: str, links: tuple[str, ...] = ()) -> bool:
    """Whether it has no tags and attributes but those of the page, no links to another address than
    those of ours in `links`, and no style that fetches."""
    left = STYLES.sub("", body)
    for address in links:
        before, *after = left.split(_opened(address))
        left = before + "".join(part.replace("</a>", "", 1) for part in after)
    left = TAG.sub("", left)
    styles = "".join((*STYLES.findall(body), *re.findall(r'style="([^"]*)"', body)))
    return "<" not in left and not FETCHED.search(styles)


def _marked(mark: re.Match[str]) -> str:
    found = mark.group()
    return f"{found}\\" if found.isdigit() else f"\\{found}"
