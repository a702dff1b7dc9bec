"""What was moved or pressed is done, whatever comes meanwhile.

A control's callback is where the session's state changes. Streamlit ends a callback at its next
look at that state (its values, its link) when another message of the browser has
come, and never calls it again: what it has of the first message is known by then, and no change any
more. A slider that was moved just before something else was pressed went back to where it had been.
So a message that comes while a callback runs waits until the callbacks are over: milliseconds.
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
