"""What ends a command from outside: Ctrl-C, ``kill``, a terminal that is closed.

Python would raise an exception in the main thread, wherever it happens to be: inside an import, where libraries turn
it into something else or crash, or never, while C++ code such as the event loop of a window runs. Instead a thread
waits for the signal, removes unfinished files and ends the process with status 128 + number of the signal. Sets of
files that are being renamed at that moment are completed first.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
from collections.abc import Callable

from mitk_rs import _platform

# SIGHUP does not exist on Windows.
_ENDING = [number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None]
_last_actions: list[Callable[[], object]] = []


def end_on_signals() -> None:
    """Let signals end the process from now on. Those that the process was started to ignore stay ignored."""
    reading, writing = os.pipe()
    _platform.unblock(writing)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            # Python writes the number of a signal to the pipe only if it has a handler.
            signal.signal(number, _noted)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_default_signals)
    # Not a threading.Thread: it is no thread of the program, and threading.active_count() does not count it.
    _thread.start_new_thread(_wait, (reading,))


def ignore_signals() -> None:
    """The work is done and the status known: a signal while the interpreter is taken down changes neither."""
    for number in _ENDING:
        if signal.getsignal(number) is _noted:
            signal.signal(number, signal.SIG_IGN)


def at_the_end(action: Callable[[], object]) -> None:
    """Do something before a signal ends the process, in a thread of its own."""
    _last_actions.append(action)


def _noted(*_: object) -> None:
    """What the main thread does about a signal: nothing."""


def _default_signals() -> None:
    """A forked child does not write to the pipe of its parent."""
    signal.set_wakeup_fd(-1)
    for number in _ENDING:
        if signal.getsignal(number) is _noted:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _wait(reading: int) -> None:
    number = 0
    while number not in _ENDING:
        number = os.read(reading, 1)[0]
    try:
        atomic = sys.modules.get("mitk_rs.io.atomic")
        if atomic is not None:
            atomic.abandon_writes()
        for action in _last_actions:
            with contextlib.suppress(Exception):
                action()
    finally:
        os._exit(128 + number)
