"""What surrounds the package: the system (no other module asks which one this is), Ctrl-C, displays, other packages."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from types import FrameType

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]
try:
    import resource
except ImportError:
    resource = None  # type: ignore[assignment]

# The program imports this module before it answers signals; typing and pathlib take longer than all the rest here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

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
    """Wait until the process that started this one through ``multiprocessing`` has ended, in whatever way."""
    # Ids of parents do not serve: the program that starts Python in an environment of Windows is between the two.
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()


# --- Ctrl-C -----------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def held_interrupts(at_once: Callable[[], object] | None = None) -> Iterator[None]:
    """Hold ``SIGINT`` back until the block ends, then do what its handler does: usually raise ``KeyboardInterrupt``.

    Python raises it in the main thread between any two instructions. Inside the import of an extension module of VTK
    that ends the process with a segmentation fault, and between two renames it leaves one new and one old file. In
    other threads, where Python never raises it, the block just runs. ``at_once`` is called when the signal comes, to
    end the block early.
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
        # A handler in Python is called, not signalled again: who watches signals by a descriptor has seen this one.
        if held and callable(before):
            before(signal.SIGINT, None)
        elif held:
            signal.raise_signal(signal.SIGINT)


def _replace_handler(handler: Callable[[int, FrameType | None], None]) -> signal._HANDLER | None:
    """The handler that ``SIGINT`` had, or ``None`` where it cannot be replaced."""
    import threading

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGINT) is None:
        return None
    try:
        return signal.signal(signal.SIGINT, handler)
    except ValueError:  # the main thread of a subinterpreter
        return None


# --- displays, asked for before VTK is, which may end the process where there is none ---


def has_display() -> bool:
    """Whether a window system answers: on macOS and Windows always, elsewhere the X server of ``DISPLAY``."""
    import re

    if MACOS or WINDOWS:
        return True
    name = re.fullmatch(r"([^:]*):(\d+)(\.\d+)?", os.environ.get("DISPLAY", ""))
    return name is not None and _server_answers(name[1], int(name[2]))


def _server_answers(host: str, number: int) -> bool:
    import socket

    if host not in ("", "unix") and not host.startswith("/"):
        with contextlib.suppress(OSError, OverflowError), socket.create_connection((host, 6000 + number), timeout=2):
            return True
        return False
    # The name of the socket is that of a file, on Linux also without one.
    for start in ("", "\0") if LINUX else ("",):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(2)
            probe.connect(f"{start}/tmp/.X11-unix/X{number}")
            return True
    return False


def require_display(what: str) -> None:
    """Raise a ``DisplayError`` that names what needs a window, where none can be opened."""
    from mitk_rs.errors import DisplayError

    if not has_display():
        shown = os.environ.get("DISPLAY", "")
        reason = f"DISPLAY={shown} does not answer" if shown else "DISPLAY is not set"
        raise DisplayError(f"{what} needs a display and there is none ({reason})")


# --- packages that need not be installed ------------------------------------------------------------------------------


def package(module: str, distribution: str, purpose: str) -> Any:
    """Import a module of another package when it is first used.

    Raises
    ------
    PackageMissingError
        It is not installed; the message says what needs it and how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        from mitk_rs.errors import PackageMissingError

        raise PackageMissingError(f"{purpose} need {distribution}: pip install {distribution.lower()}") from None


def vtk(module: str) -> Any:
    """Import a module of VTK when it is first used: ``vtk("vtkIOXML").vtkXMLImageDataReader()``."""
    # An exception in the middle of such an import ends the process or leaves VTK half loaded.
    with held_interrupts():
        return package(f"vtkmodules.{module}", "VTK", "surfaces, windows and files of VTK's formats")
