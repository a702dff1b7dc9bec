"""The worker process: `python -m studio.process.worker_main BYTES` answers calls until its caller
goes.

Calls come in by standard input and answers go out by standard output, both pickled. At most BYTES
of memory are used beside what torch needs for itself.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import traceback
import warnings
from collections.abc import Callable
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

import torch

from studio.process.errors import MeasureError, NoMemoryError
from studio.process.release import release

Call = tuple[Callable[..., Any], tuple[Any, ...]]
Answer = tuple[bool, Any]  # whether it went well; the result, or else a MeasureError

TORCH_BYTES = 2 * 2**30  # address space of torch's libraries and threads; 0.8 GB was seen
IDLE_S = 60.0
FAULTS = (  # what a defect of code raises: its text says nothing to who asked for a figure
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    SyntaxError,
    TypeError,
)
NO_MEMORY = ("can't allocate memory", "not enough memory")
REASONS = {  # what torch says -> what it means here
    "No working C++ compiler": "torch.compile needs a C++ compiler, and this machine has none",
    "working triton": "torch.compile needs Triton on this device, and it is not installed",
}


def main() -> None:
    """Answer calls one by one. Does not return: the process ends when its input does."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the measured code prints is no answer
    warnings.simplefilter("ignore")  # they are of torch and the measured code, for no reader
    with contextlib.suppress(OSError, AttributeError):
        os.nice(-10)  # where it is allowed; beside two busy neighbours 7 ms instead of 25
    limit_memory(int(sys.argv[1]) + TORCH_BYTES)
    calls: SimpleQueue[Call] = SimpleQueue()
    Thread(target=listen, args=(sys.stdin.buffer, calls), daemon=True).start()
    send(answers, (True, os.getpid()))
    while True:
        send(answers, answer(*next_call(calls)))


def next_call(calls: SimpleQueue[Call]) -> Call:
    """Wait for a call; a process that is not needed for a while keeps no memory."""
    try:
        return calls.get(timeout=IDLE_S)
    except Empty:
        release()
        return calls.get()


def listen(stream: BinaryIO, calls: SimpleQueue[Call]) -> None:
    """Read calls while the main thread works.

    The input ends when the caller has ended, however it ended, and with it this process, in the
    middle of a measurement too. (Linux could signal a parent's death, but means the thread that
    made the child, and a page's threads come and go.)
    """
    try:
        while True:
            calls.put(pickle.load(stream))
    except (EOFError, OSError, pickle.UnpicklingError):
        os._exit(0)


def answer(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Answer:
    try:
        return True, function(*arguments)
    except MeasureError as error:
        return False, error
    except (Exception, SystemExit) as error:
        refusal = as_measure_error(error)
    release()  # only now: the traceback held the model that failed
    return False, refusal


def as_measure_error(error: BaseException) -> MeasureError:
    text = " ".join(str(error).split())
    no_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if no_memory or any(sign in text for sign in NO_MEMORY):
        return NoMemoryError("memory ran out while the model was measured")
    if reason := next((said for sign, said in REASONS.items() if sign in text), ""):
        return MeasureError(reason)
    if isinstance(error, FAULTS):
        traceback.print_exception(error)  # the terminal's, or the server's log
        return MeasureError(
            "the model could not be run: the measuring code failed, which is a defect of the studio"
            " and not of the design; the log has the details"
        )
    return MeasureError(f"the model could not be run: {text[:200] or 'it gave no reason'}")


def limit_memory(limit: int) -> None:
    """A net under the checks made before: an allocation beyond it fails, and only here."""
    if sys.platform == "linux" and not torch.accelerator.is_available():
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def send(stream: BinaryIO, answer: Answer) -> None:
    """Like the input, the output ends when the caller has ended."""
    try:
        pickle.dump(answer, stream)
        stream.flush()
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
