"""The worker process: `python -m studio.process.worker_main BYTES` runs calls until its caller
exits.

Calls arrive on standard input and answers leave on standard output, both pickled. At most BYTES of
memory are used beyond what torch needs for itself.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, BinaryIO

import torch

from studio.process.errors import MeasureError, NoMemoryError
from studio.process.release import release

Call = tuple[Callable[..., Any], tuple[Any, ...]]
Answer = tuple[bool, Any]  # success, and the result or a MeasureError

LATER_BYTES = 3 * 2**29  # address space of threads and of libraries loaded later; 0.6 GB was seen
IDLE_S = 60.0
FAULTS = (  # raised by a defect of the code: the text means nothing to a user
    AssertionError,
    AttributeError,
    ImportError,
    LookupError,
    NameError,
    SyntaxError,
    TypeError,
)
NO_MEMORY = ("can't allocate memory", "not enough memory")
REASONS = {  # torch's message -> ours
    "No working C++ compiler": "torch.compile needs a C++ compiler, and this machine has none",
    "working triton": "torch.compile needs Triton on this device, and it is not installed",
}


def main() -> None:
    """Run calls one by one. Does not return: the process ends with its input."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(
        sys.stderr.fileno(), sys.stdout.fileno()
    )  # prints of the measured code must not mix with answers
    warnings.simplefilter("ignore")  # nobody would read those of torch and the measured code
    with contextlib.suppress(OSError, AttributeError):
        os.nice(-10)  # if allowed; 7 ms instead of 25 beside two busy processes
    limit_memory(int(sys.argv[1]) + LATER_BYTES)
    calls: SimpleQueue[Call] = SimpleQueue()
    Thread(target=listen, args=(sys.stdin.buffer, calls), daemon=True).start()
    send(answers, (True, os.getpid()))
    while True:
        send(answers, answer(*next_call(calls)))


def next_call(
    calls: SimpleQueue[Call], idle_s: float = IDLE_S, free: Callable[[], None] = release
) -> Call:
    """Wait for a call; free memory after being idle for a while."""
    try:
        return calls.get(timeout=idle_s)
    except Empty:
        free()
        return calls.get()


def listen(stream: BinaryIO, calls: SimpleQueue[Call]) -> None:
    """Read calls while the main thread works.

    The input ends when the caller ends, however it ends, and with it this process, also in the
    middle of a measurement. (Linux can signal the death of a parent, but means the thread that made
    the child, and the threads of a page come and go.)
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
    release()  # only now: the traceback held the failed model
    return False, refusal


def as_measure_error(error: BaseException) -> MeasureError:
    text = " ".join(str(error).split())
    no_memory = isinstance(error, MemoryError | torch.OutOfMemoryError)
    if no_memory or any(sign in text for sign in NO_MEMORY):
        return NoMemoryError("memory ran out while the model was measured")
    if reason := next((reason for sign, reason in REASONS.items() if sign in text), ""):
        return MeasureError(reason)
    if isinstance(error, FAULTS):
        traceback.print_exception(error)  # the terminal's, or the server's log
        return MeasureError(
            "the model could not be run: the studio's own code failed, which is a defect of the"
            " studio and not of the design; the log has the details"
        )
    return MeasureError(f"the model could not be run: {text[:200] or 'it gave no reason'}")


def limit_memory(more: int) -> None:
    """RLIMIT_AS as a safety net behind `require_free_memory`: an allocation that needs `more` than
    is mapped now fails here only. (At its import torch maps 0.6 GB, its CUDA build 3 GB.)"""
    if sys.platform == "linux" and not torch.accelerator.is_available():
        import resource

        pages, *_ = Path("/proc/self/statm").read_text().split()
        limit = int(pages) * resource.getpagesize() + more
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


def send(stream: BinaryIO, answer: Answer) -> None:
    """Send an answer; exit if the caller has ended."""
    try:
        pickle.dump(answer, stream)
        stream.flush()
    except BrokenPipeError:
        os._exit(0)


if __name__ == "__main__":
    main()
