"""What the server does before it answers: draw the first page once, for nobody.

The first visitor then waits neither for torch and plotly to be imported, nor for the caches of the
page that everybody sees first.
"""

from __future__ import annotations

import logging
from pathlib import Path

from streamlit.testing.v1 import AppTest

PAGE = Path(__file__).with_name("main.py")
LIMIT_S = 120.0  # on a slow machine; it takes seconds


def warm_up() -> None:
    """Draw the page in this process. A page that fails tells its visitors itself."""
    try:
        AppTest.from_file(str(PAGE), default_timeout=LIMIT_S).run()
    except Exception as error:
        logging.getLogger(__name__).warning("the first page could not be drawn: %s", error)
