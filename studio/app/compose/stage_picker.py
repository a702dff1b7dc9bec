"""The menu of stage kinds: grouped, each with its purpose; kinds that do not fit are grey."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from itertools import groupby
from typing import Literal

import streamlit as st

from studio.analysis.names.purpose import purpose
from studio.app.markup import html, plain
from studio.family import Family
from studio.workbench.compose import composition
from studio.workbench.compose.composition import Stages

# Streamlit opens a popover below its button, however little room there is: this one lies over the
# page. The numbers are the height of the page's header, and a margin.
STYLE = """<style>
[data-testid="stPopoverBody"]:has([class*="st-key-kinds-"]) { transform: none !important;
  inset: 3.6rem 1rem auto auto !important; width: min(66rem, calc(100vw - 2rem)) !important;
  max-width: none !important; max-height: calc(100vh - 4.6rem) !important; padding: .6rem .8rem; }
.kinds-group { font-size: .75rem; opacity: .75; line-height: 1.2; font-weight: 600; }
[class*="st-key-kinds-"] { display: block; columns: 24rem; column-gap: 1.2rem; }
[class*="st-key-kinds-"] > div { break-inside: avoid; margin-bottom: .35rem; }
[class*="st-key-kinds-"] button { min-height: 1.45rem; padding: 0 .3rem; width: 100%;
  justify-content: flex-start; border: 0; background: none; font-size: .85rem; }
[class*="st-key-kinds-"] button:is(:hover, :focus-visible) {
  background: color-mix(in srgb, currentColor 9%, transparent); }
[class*="st-key-kinds-"] button > div { justify-content: flex-start; min-width: 0; width: 100%; }
[class*="st-key-kinds-"] button p { overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
</style>"""
LEGEND = (
    ":small[:gray[Grey: does not fit here; the tooltip says why. Choose it anyway to see fixes.]]"
)

Kinds = Mapping[str, type]


def kind_popover(
    label: str,
    kinds: Kinds,
    family: Family,
    leads_to: Callable[[type], Stages],
    choose: Callable[..., None],
    place: str,
    *,
    key: str,
    bold: bool = False,
    disabled: bool = False,
    width: int | Literal["stretch", "content"] = "stretch",
) -> None:
    """A popover that lists the kinds and calls `choose(place, name)`.

    `leads_to` returns the stages that a choice would lead to. A kind that does not fit can still be
    chosen: the page then offers fixes.
    """
    opened = st.popover(
        f"**{plain(label)}**" if bold else plain(label),
        key=key,
        disabled=disabled,
        width=width,
        on_change="rerun",
    )
    if not opened.open:  # checking whether each kind fits takes a while
        return
    with opened:
        html(STYLE)
        with st.container(key=f"kinds-{key}", gap=None):
            for title, names in groups(kinds):
                with st.container(gap=None):
                    html(f'<div class="kinds-group">{escape(title)}</div>')
                    for name in names:
                        why = composition.fault_of(family, leads_to(kinds[name]))
                        lines = filter(None, (purpose(kinds[name]), why))
                        st.button(
                            menu_line(name, kinds[name], bool(why)),
                            key=f"{key}.{name}",
                            help="\n\n".join(map(plain, lines)),
                            type="tertiary",
                            on_click=choose,
                            args=(place, name),
                        )
        st.markdown(LEGEND)


def menu_line(name: str, kind: type, misfit: bool) -> str:
    """A line of the menu: name and purpose."""
    about = f":small[:gray[{plain(purpose(kind))}]]"
    return f":gray[{plain(name)}] {about}" if misfit else f"**{plain(name)}** {about}"


def groups(kinds: Kinds) -> list[tuple[str, list[str]]]:
    """Kind names grouped by the module that defines them, in the order of the modules."""

    def title(name: str) -> str:
        return kinds[name].__module__.rpartition(".")[2].replace("_", " ").capitalize()

    order = {module: i for i, module in enumerate(dict.fromkeys(map(title, kinds)))}
    names = sorted(kinds, key=lambda name: order[title(name)])
    return [(module, list(group)) for module, group in groupby(names, title)]
