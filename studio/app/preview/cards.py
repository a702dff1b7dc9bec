"""Cards of figures, which follow the hand on a slider before the server does."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from html import escape
from typing import Any, Literal

import streamlit as st

from studio.app import session
from studio.app.markup import is_harmless
from studio.app.preview.assets import joined

Part = Literal["figures", "latency"]  # of a landing: which of its texts the cards show


def card(name: str, value: str, notes: Iterable[str], kind: str = "figure", help: str = "") -> str:
    """A figure as HTML. `notes` are HTML."""
    head = f'<h6 title="{escape(help)}">' if help else "<h6>"
    below = "".join(notes)
    return f'<div class="{kind}">{head}{escape(name)}</h6><b>{escape(value)}</b>{below}</div>'


def figure_cards(body: str, part: Part, links: tuple[str, ...] = ()) -> None:
    """Show cards, given as HTML, which may have links to the addresses in `links`."""
    shown = {
        "html": body if is_harmless(body, links) else escape(body),
        "part": part,
        "applied": session.applied_serials(),
    }
    _component()(key=f"cards.{part}", data=shown)


@cache
def _component() -> Any:
    """The component, registered when it is first shown. Its figures have the styles of the page."""
    return st.components.v2.component(
        "figure_cards",
        html='<div class="figure-cards"></div>',
        css=joined("cards.css"),
        js=joined("hand.js", "cards.js"),
        isolate_styles=False,
    )
