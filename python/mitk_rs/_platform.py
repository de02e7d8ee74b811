"""What differs between operating systems: the one module that asks which one this is."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]

__all__ = [
    "LINUX",
    "MACOS",
    "WINDOWS",
    "lock_file",
    "memory_bytes",
    "owns",
    "page_bytes",
    "process_limits",
    "sync_file",
    "sync_folder",
    "unblock",
    "wait_for_end_of_parent",
]


WINDOWS, MACOS, LINUX = os.name == "nt", sys.platform == "darwin", sys.platform == "linux"


def process_limits() -> Any:
    """The module ``resource``, or None where processes have no limits (Windows)."""
    return None if WINDOWS else resource


def sync_file(file: Path) -> None:
    """Bring the content of a file to the disk."""
    # Windows does this only for files that are open for writing.
    handle = os.open(file, os.O_RDWR if WINDOWS else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk; Windows cannot open folders."""
    if not WINDOWS:
        sync_file(folder)


def lock_file(file: Path) -> int | None:
    """Take the lock of a file, which is made, for as long as the returned descriptor is open; ``None`` without locks.

    Raises
    ------
    BlockingIOError
        A living process has it.
    """
    handle = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if fcntl is not None and not WINDOWS:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return handle
    except BlockingIOError:
        os.close(handle)
        raise
    except OSError:  # a file system without locks
        pass
    os.close(handle)
    return None


def owns(status: os.stat_result) -> bool:
    """Whether a file is this user's; on Windows, where files of others cannot be changed anyway, always."""
    return WINDOWS or status.st_uid == os.geteuid()


def page_bytes() -> int:
    """Bytes of a page of memory."""
    return os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


def memory_bytes() -> int:
    """Bytes of the machine's memory."""
    if hasattr(os, "sysconf"):
        return page_bytes() * os.sysconf("SC_PHYS_PAGES")
    import ctypes

    kilobytes = ctypes.c_ulonglong()
    ctypes.windll.kernel32.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes))  # type: ignore[attr-defined]
    return kilobytes.value << 10


def unblock(handle: int) -> None:
    """Let writing to a pipe never wait, where that can be said (on Windows from Python 3.12 on)."""
    with contextlib.suppress(AttributeError, OSError):
        os.set_blocking(handle, False)


def wait_for_end_of_parent() -> None:
    """Wait until the process that started this one through ``multiprocessing`` has ended, in whatever way.

    Ids of parents do not serve: the program that starts Python in an environment of Windows is between the two.
    """
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
