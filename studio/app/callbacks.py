"""Let callbacks finish, even if another message arrives meanwhile.

Callbacks change the session's state. When another message has arrived, Streamlit aborts a callback
at its next access to that state and never calls it again, since the widget's new value no longer
counts as a change: a slider moved just before a click jumped back. So a message that arrives while
callbacks run waits until they are over, which takes milliseconds.
"""

from __future__ import annotations

from functools import cache

from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequest, ScriptRequests
from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState


@cache
def finish_callbacks() -> None:
    """From now on, in this process. (Streamlit has no option for it.)"""
    look = ScriptRequests.on_scriptrunner_yield

    def on_scriptrunner_yield(requests: ScriptRequests) -> ScriptRequest | None:
        if ThreadState.get().run_location is RunLocation.CALLBACK:
            return None
        return look(requests)

    setattr(ScriptRequests, look.__name__, on_scriptrunner_yield)
