"""Escapes text for Streamlit's Markdown and for HTML.

Streamlit reads nearly every text as Markdown: labels, tooltips, warnings, captions. So every text
that is not written in the code (a name, a message, a value from a link, a file or a cluster) goes
through `plain`, and HTML goes through `html`. A test checks this in the source of the page.
"""

from __future__ import annotations

import re
from functools import lru_cache
from html import escape

import streamlit as st

from studio.quoting import link_start, one_line

JOINER = "\u2060"  # invisible, zero width, no line break
# Characters with a meaning in Markdown, its formulas or its HTML, anywhere in a text.
MARKS = re.compile(r"[\\`*\[\]<>$~|{}]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w)|^[#+=-]|^\d+(?=[.)])")
# Streamlit replaces these after Markdown is parsed, so a backslash does not escape them:
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
    """The text on one line, escaped: Markdown that shows exactly this text, without formatting,
    links, images, formulas, HTML, icons or colours."""
    spotted = SPOTS.sub(JOINER, one_line(str(text)))
    return MARKS.sub(_marked, spotted)


def trusted(text: str) -> str:
    """Markdown from a file of the studio, such as a family's lesson; not escaped."""
    return text


def html(body: str, links: tuple[str, ...] = ()) -> None:
    """Show HTML of the page. HTML with unknown tags or attributes, with links to other addresses
    than those in `links`, or with a style that fetches something is shown as text: a second
    defence in case a foreign text in it was not escaped."""
    st.html(body if is_harmless(body, links) else escape(body))


@lru_cache(maxsize=256)
def is_harmless(body: str, links: tuple[str, ...] = ()) -> bool:
    """Whether it has only the tags and attributes of the page, only links to the addresses in
    `links`, and no style that fetches something."""
    left = STYLES.sub("", body)
    for address in links:
        before, *after = left.split(link_start(address))
        left = before + "".join(part.replace("</a>", "", 1) for part in after)
    left = TAG.sub("", left)
    styles = "".join((*STYLES.findall(body), *re.findall(r'style="([^"]*)"', body)))
    return "<" not in left and not FETCHED.search(styles)


def _marked(mark: re.Match[str]) -> str:
    found = mark.group()
    return f"{found}\\" if found.isdigit() else f"\\{found}"
