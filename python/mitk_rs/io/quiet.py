"""Keep C and C++ libraries from writing on the user's terminal."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

__all__ = ["NativeOutput", "native_output"]

_only_one = threading.Lock()


class NativeOutput:
    """What the libraries wrote, once the block of :func:`native_output` has ended."""

    text = ""


@contextlib.contextmanager
def native_output() -> Iterator[NativeOutput]:
    """Catch what C code writes to the process's standard output and error while the block runs.

    Some readers (libtiff, NIfTI's, MetaIO) print on the file descriptors themselves, past every switch of ITK. The
    descriptors belong to the whole process, so they are only turned away while the calling thread is the only
    Python thread: in a threaded service nobody else's lines can get lost, and the libraries' own get through.
    """
    caught = NativeOutput()
    if threading.active_count() > 1 or not _only_one.acquire(blocking=False):
        yield caught
        return
    try:
        with tempfile.TemporaryFile() as sink:
            saved = _redirect(sink.fileno())
            try:
                yield caught
            finally:
                _restore(saved)
                sink.seek(0)
                caught.text = sink.read(65536).decode(errors="replace")
    finally:
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
