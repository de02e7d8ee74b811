"""Read and write accessors as context managers."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable

from mitk_rs._core import ArrayLock
from mitk_rs.image.arguments import Array

Place = tuple[str, int, str]


def place() -> Place:
    """Where user code called us: file, line, and name of the thread. It ends up in messages about locks."""
    frame = sys._getframe(1)
    while frame.f_back is not None and _is_ours(frame.f_globals.get("__name__", "")):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno, threading.current_thread().name


def _is_ours(module: str) -> bool:
    return module.startswith("mitk_rs.")


class Accessor:
    """What ``image.read()`` and ``image.write()`` return: gives the array for the length of a ``with`` block.

    After the block the name it was bound to stays a readable, unlocked array. If anything else still refers to the
    voxels, such as a slice, even one under the same name, the lock stays until that is gone and a ``ResourceWarning``
    says so: unlocking under a live view would let others write what it reads. As long as any array of a write accessor
    exists, a snapshot or copy of the image gets voxels of its own at once.
    """

    __slots__ = ("_lock", "_open", "_place")

    def __init__(self, opener: Callable[[Place], tuple[Array, ArrayLock]]) -> None:
        self._open = opener
        self._place = place()
        self._lock: ArrayLock | None = None

    def __enter__(self) -> Array:
        if self._lock is not None:
            raise RuntimeError("this accessor is open already; ask the image for another one")
        array, self._lock = self._open(self._place)
        return array

    def __exit__(self, *_exception: object) -> None:
        lock, self._lock = self._lock, None
        if lock is not None and not lock.close():
            file, line, _ = self._place
            message = f"a view of the voxels survives the accessor opened at {file}:{line} and keeps it locked"
            warnings.warn(message, ResourceWarning, stacklevel=2)
