"""The page: `streamlit run studio/app/main.py`."""

from __future__ import annotations

import streamlit as st
from streamlit import runtime

from studio.app import express, session, streamlit_fixes
from studio.app.views.architect import architect
from studio.app.views.compare import compare
from studio.app.views.compose import compose
from studio.app.views.explore import explore
from studio.app.views.page_frame import frame
from studio.workbench.page.state import VIEWS

# Three layers, wider and narrower. Streamlit's own icons would be fetched from the network.
ICON = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16" fill="#d9480f">
<rect x="1" y="1" width="14" height="3.6" rx="1"/>
<rect x="3" y="6.2" width="10" height="3.6" rx="1"/>
<rect x="5" y="11.4" width="6" height="3.6" rx="1"/></svg>"""


def main() -> None:
    if session.is_new():  # the browser keeps it
        st.set_page_config(
            page_title="Neural architecture studio",
            page_icon=ICON,
            layout="wide",
        )
    streamlit_fixes.apply()
    express.apply()
    if runtime.exists():
        session.prepare_server()
    frame(
        of_one=dict(zip(VIEWS[:2], (explore, compose), strict=True)),
        of_several=dict(zip(VIEWS[2:], (architect, compare), strict=True)),
    )


if __name__ == "__main__":  # a process that imports this file again (multiprocessing) draws nothing
    main()
