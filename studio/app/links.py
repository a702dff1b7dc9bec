"""Links to the page, and names of the files that it offers for download."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlencode, urlsplit

import streamlit as st

from studio.workbench.page.state import State

MOST = 100  # characters of a file name


def page_link(now: State) -> str:
    """The absolute link that restores this page."""
    return link_with(now.link)


def link_with(parameters: Mapping[str, str]) -> str:
    """The absolute address of the page with these query parameters."""
    page = urlsplit(st.context.url or "")
    return page._replace(query=urlencode(parameters, safe="/,"), fragment="").geturl()


def file_stem(title: str) -> str:
    """A title as a file name without suffix, short enough for any file system."""
    return re.sub(r"[^a-z0-9]+", "_", title.lower())[:MOST].strip("_")
