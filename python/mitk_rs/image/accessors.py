"""Read and write accessors as context managers."""

from __future__ import annotations

import sys
import threading
import warnings
from collections.abc import Callable
from typing import Any

from mitk_rs.image.arguments import Array

Place = tuple[str, int, str]

# Who refers to the array of a finished `with`: the accessor, the argument of getrefcount, the name after `as`.
_EXPECTED_REFERENCES = 3


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

    After the block the name it was bound to stays a readable, unlocked array. If anything else still refers to
    the voxels, such as a slice, the lock stays until that is gone and a ``ResourceWarning`` says so: unlocking
    under a live view would let others write what it reads.
    """

    __slots__ = ("_array", "_open", "_place")

    def __init__(self, opener: Callable[[Place], Array]) -> None:
        self._open = opener
        self._place = place()
        self._array: Any = None

    def __enter__(self) -> Array:
        if self._array is not None:
            raise RuntimeError("this accessor is open already; ask the image for another one")
        self._array = self._open(self._place)
        return self._array  # type: ignore[no-any-return]

    def __exit__(self, *_exception: object) -> None:
        survives = sys.getrefcount(self._array) > _EXPECTED_REFERENCES
        if not survives:
            self._array.flags.writeable = False
            self._array.base.release()
        self._array = None
        if survives:
            file, line, _ = self._place
            message = f"a view of the voxels survives the accessor opened at {file}:{line} and keeps it locked"
            warnings.warn(message, ResourceWarning, stacklevel=2)
