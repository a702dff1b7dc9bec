"""The page: `streamlit run studio/app/main.py`."""

from __future__ import annotations

import streamlit as st

from studio.app.views.explore import explore


def main() -> None:
    st.set_page_config(
        page_title="Neural architecture studio",
        page_icon=":material/hub:",
        layout="wide",
        initial_sidebar_state="expanded",
    )
    explore()


if __name__ == "__main__":  # a process that imports this file again (multiprocessing) draws nothing
    main()
