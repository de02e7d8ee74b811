"""Keep C and C++ libraries from writing on the user's terminal."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
import threading
from typing import IO, Self

__all__ = ["native_output"]

_only_one = threading.Lock()


class native_output:  # noqa: N801 (used like a function)
    """Catch what C code writes to the process's standard output and error while the block runs, into ``text``.

    Some readers (libtiff, NIfTI's, MetaIO) print on the file descriptors themselves, past every switch of ITK. The
    descriptors belong to the whole process, so they are only turned away while the calling thread is the only
    Python thread: in a threaded service nobody else's lines can get lost, and the libraries' own get through.
    """

    def __init__(self) -> None:
        self.text = ""
        self._sink: IO[bytes] | None = None
        self._saved: dict[int, int] = {}

    def __enter__(self) -> Self:
        if threading.active_count() == 1 and _only_one.acquire(blocking=False):
            self._sink = tempfile.TemporaryFile()
            self._saved = _redirect(self._sink.fileno())
        return self

    def __exit__(self, *_: object) -> None:
        if self._sink is None:
            return
        _restore(self._saved)
        with self._sink as sink:
            sink.seek(0)
            self.text = sink.read(65536).decode(errors="replace")
        self._sink = None
        _only_one.release()


def _redirect(sink: int) -> dict[int, int]:
    _flush()
    saved = {}
    for number in (1, 2):
        try:
            saved[number] = os.dup(number)
        except OSError:  # closed by whoever started us
            continue
        os.dup2(sink, number)
    return saved


def _restore(saved: dict[int, int]) -> None:
    _flush()
    for number, copy in saved.items():
        os.dup2(copy, number)
        os.close(copy)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).fflush(None)
