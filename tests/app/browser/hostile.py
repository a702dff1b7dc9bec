"""The page where every name and message that is not ours is written to be rendered.

`?show=plain` shows each of the texts in each kind of element instead.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import streamlit as st

sys.path.insert(0, str(Path(__file__).parents[3]))  # the tests, of which this is one

TEXTS = (
    "[a](https://e.example/x)",
    "![a](https://e.example/p.png)",
    "<img src=https://e.example/q.png>",
    "<a href=//e.example>b</a><b>c</b>",
    "https://e.example/y",
    "www.e.example/z",
    "someone@e.example",
    r"$\frac{1}{2}$ and $$x^2$$",
    ":material/home: :red[c] :smile: :streamlit:",
    "**d** _e_ __f__ ~~g~~ `h` # i",
    "# j",
    "1. k",
    "- l -> m <- n -- o >= p",
    "[q]: https://e.example [^1] &lt;r&gt; \\* \\",
    "| s | t |",
    "> u",
)
NAME = "[n](//e.example) <img src=//e.example/n.png> $x^2$"


def spoil() -> None:
    """Give the family of the first page, its preset, a device and a measurement such names."""
    from studio.app.session import shared_workbench
    from studio.process.errors import MeasureError
    from studio.workbench.devices import Devices
    from studio.workbench.workload import Workload
    from studio.zoo import families, resnet

    if resnet.FAMILY.title == NAME:
        return
    resnet.FAMILY = replace(
        resnet.FAMILY,
        title=NAME,
        presets=tuple(replace(p, name=f"{p.name} {NAME}") for p in resnet.FAMILY.presets),
    )
    families.cache_clear()
    bench = shared_workbench()
    bench.devices = Devices(lambda: ("cpu", NAME))
    bench.measurements.add(Workload(resnet.FAMILY.design()), MeasureError(NAME))


def show() -> None:
    """Each text in each kind of element that a page may give it."""
    from studio.app.markup import plain

    for i, text in enumerate(TEXTS):
        with st.container(key=f"text{i}"):
            st.markdown(plain(text))
            st.caption(plain(text))
            st.warning(f"Before: {plain(text)}.")
            st.markdown(f":red[**{plain(text)}**] `{plain('code')}`")
            st.button(plain(text), key=f"button{i}")
            st.toggle(plain(text), key=f"toggle{i}")
            st.expander(plain(text), key=f"expander{i}")
            st.progress(0.5, plain(text))
            st.segmented_control("which", [text], format_func=plain, key=f"segment{i}")


if st.query_params.get("show") == "plain":
    show()
else:
    spoil()
    from studio.app.main import main

    main()
