"""What the page needs of Streamlit and Streamlit has no option for.

Both are races that a slow or busy server loses:

- Callbacks change the session's state. When another message has arrived, Streamlit aborts a
  callback at its next access to that state and never calls it again, since the widget's new value
  no longer counts as a change: a slider moved just before a click jumped back. So a message that
  arrives while callbacks run waits until they are over, which takes milliseconds.
- When a fragment runs again, Streamlit deletes from the queue to the browser what this fragment
  has drawn before and has not been sent yet, its container included. What the whole page drew below
  the fragment stays in the queue, so the browser gets a place without the one above it and ends the
  page with "Bad delta path index". So nothing is deleted; what is new follows what is old.
"""

from __future__ import annotations

from functools import cache

from streamlit.runtime.forward_msg_queue import ForwardMsgQueue
from streamlit.runtime.scriptrunner_utils.script_requests import ScriptRequest, ScriptRequests
from streamlit.runtime.scriptrunner_utils.script_run_context import RunLocation, ThreadState


@cache
def apply() -> None:
    """From now on, in this process."""
    _finish_callbacks()
    _send_all_of_a_fragment()


def _finish_callbacks() -> None:
    look = ScriptRequests.on_scriptrunner_yield

    def on_scriptrunner_yield(requests: ScriptRequests) -> ScriptRequest | None:
        if ThreadState.get().run_location is RunLocation.CALLBACK:
            return None
        return look(requests)

    setattr(ScriptRequests, look.__name__, on_scriptrunner_yield)


def _send_all_of_a_fragment() -> None:
    delete = ForwardMsgQueue.clear

    def clear(
        queue: ForwardMsgQueue,
        retain_lifecycle_msgs: bool = False,
        fragment_ids_this_run: list[str] | None = None,
    ) -> None:
        runs_fragment = fragment_ids_this_run is not None
        delete(queue, retain_lifecycle_msgs, [] if runs_fragment else None)

    setattr(ForwardMsgQueue, delete.__name__, clear)
