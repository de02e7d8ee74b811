"""Ctrl-C held back while something runs that an exception would break in the middle.

Python raises ``KeyboardInterrupt`` in the main thread between any two instructions. Inside the import of an extension
module of VTK that ends the process with a segmentation fault, and between two renames it leaves one new and one old
file. Such work runs in :func:`held_interrupts`; the interrupt is raised right after it.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["held_interrupts"]


@contextmanager
def held_interrupts(at_once: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold ``SIGINT`` back until the block ends, then do what its handler does: usually raise ``KeyboardInterrupt``.

    Outside of the main thread, where Python never raises it, the block just runs.

    Parameters
    ----------
    at_once
        Called when the signal comes, to end the block early.
    """
    held: list[int] = []

    def hold(number: int, _: object) -> None:
        held.append(number)
        if at_once is not None:
            at_once()

    before = _replace_handler(hold)
    try:
        yield
    finally:
        if before is not None:
            signal.signal(signal.SIGINT, before)
            if held:
                _deliver(before)


def _replace_handler(handler: Callable[[int, FrameType | None], None]) -> signal._HANDLER | None:
    """The handler that ``SIGINT`` had, or ``None`` where it cannot be replaced."""
    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        return None
    try:
        return signal.signal(signal.SIGINT, handler)
    except ValueError:  # the main thread of a subinterpreter
        return None


def _deliver(handler: signal._HANDLER) -> None:
    # A handler in Python is called, not signalled again: who watches signals through a descriptor has seen this one.
    if callable(handler):
        handler(signal.SIGINT, None)
    else:
        signal.raise_signal(signal.SIGINT)
