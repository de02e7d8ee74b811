"""Whether a window can be opened here, asked before VTK is: VTK may end the process where there is no display."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

from mitk_rs import _platform
from mitk_rs.errors import DisplayError

__all__ = ["has_display", "require_display"]

_X_NAME = re.compile(r"(?P<host>[^:]*):(?P<number>\d+)(\.\d+)?")
_SECONDS = 2.0


def has_display() -> bool:
    """Whether a window system answers: on macOS and Windows always, elsewhere the X server of ``DISPLAY``."""
    if _platform.MACOS or _platform.WINDOWS:
        return True
    name = _X_NAME.fullmatch(os.environ.get("DISPLAY", ""))
    return name is not None and _answers(name["host"], int(name["number"]))


def _answers(host: str, number: int) -> bool:
    if host in ("", "unix") or Path(host).is_absolute():
        return _connects(socket.AF_UNIX, f"/tmp/.X11-unix/X{number}") or _connects_abstract(number)
    try:
        with socket.create_connection((host, 6000 + number), timeout=_SECONDS):
            return True
    except (OSError, OverflowError):
        return False


def _connects_abstract(number: int) -> bool:
    return _platform.LINUX and _connects(socket.AF_UNIX, f"\0/tmp/.X11-unix/X{number}")


def _connects(family: socket.AddressFamily, address: str) -> bool:
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(_SECONDS)
        try:
            probe.connect(address)
        except OSError:
            return False
    return True


def require_display(what: str) -> None:
    """Raise where no window can be opened.

    Raises
    ------
    DisplayError
        Naming what needed the window.
    """
    if not has_display():
        shown = os.environ.get("DISPLAY", "")
        reason = f"DISPLAY={shown} does not answer" if shown else "DISPLAY is not set"
        raise DisplayError(f"{what} needs a display and there is none ({reason})")
