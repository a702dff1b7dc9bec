"""The menu of the kinds that a row may have: in groups, each told in a sentence, misfits gray."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from itertools import groupby
from typing import Any, Literal

import streamlit as st

from studio.app import composition
from studio.app.composition import Rows
from studio.app.markup import html, plain
from studio.family import Family

STYLE = """<style>
.kinds-group { font-size: .75rem; opacity: .7; line-height: 1.2; margin-top: .35rem; }
[class*="st-key-kinds-"] button { min-height: 1.7rem; padding: 0 .5rem; font-size: .85rem; }
</style>"""
LEGEND = ":small[:gray[Gray] does not fit there, as the rows are now: its tooltip tells why.]"

Kinds = Mapping[str, type]


def menu(
    label: str,
    kinds: Kinds,
    family: Family,
    leads_to: Callable[[type], Rows],
    choose: Callable[..., None],
    place: str,
    *,
    key: str,
    bold: bool = False,
    disabled: bool = False,
    width: int | Literal["stretch", "content"] = "stretch",
) -> None:
    """A button that opens the kinds; what is chosen is called `choose(place, name)` with.

    A kind that does not fit can be chosen all the same: the page then tells how to mend it.
    """
    opened = st.popover(
        f"**{plain(label)}**" if bold else plain(label),
        key=key,
        disabled=disabled,
        width=width,
        on_change="rerun",
    )
    if not opened.open:  # of each kind it is tried whether it fits
        return
    with opened, st.container(key=f"kinds-{key}", gap="xxsmall"):
        html(STYLE)
        for title, names in groups(kinds):
            html(f'<div class="kinds-group">{escape(title)}</div>')
            with st.container(horizontal=True, gap="xxsmall"):
                for name in names:
                    why = composition.misfit(family, leads_to(kinds[name]))
                    st.button(
                        f":gray[{plain(name)}]" if why else plain(name),
                        key=f"{key}.{name}",
                        help=f"{plain(meaning(kinds[name]))}\n\n{plain(why)}",
                        type="tertiary" if why else "secondary",
                        on_click=choose,
                        args=(place, name),
                    )
        st.markdown(LEGEND)


def groups(kinds: Kinds) -> list[tuple[str, list[str]]]:
    """Names of kinds under the title of the file that they stand in, in the order of the files."""

    def title(name: str) -> str:
        return kinds[name].__module__.rpartition(".")[2].replace("_", " ").capitalize()

    order = {module: i for i, module in enumerate(dict.fromkeys(map(title, kinds)))}
    names = sorted(kinds, key=lambda name: order[title(name)])
    return [(module, list(group)) for module, group in groupby(names, title)]


def meaning(kind: Any) -> str:
    """The first sentence of what its file says of it."""
    first: str = (kind.__doc__ or "").partition("\n\n")[0]
    return " ".join(first.split())
