"""Exit codes of every command, and the one place that turns an exception into a line on stderr."""

from __future__ import annotations

import builtins
import enum
import os
import sys
import traceback

from mitk_rs import errors

__all__ = ["ExitCode", "exit_code", "one_line", "report"]


class ExitCode(enum.IntEnum):
    """What the exit status of a command means; the same for native commands and VMTK names."""

    OK = 0
    UNEXPECTED = 1
    USAGE = 2
    INPUT = 3
    REQUEST = 4
    OUTPUT = 5
    DISPLAY = 6
    INTERRUPTED = 130


# The first class that fits decides, so subclasses come before their bases.
_CODES: tuple[tuple[type[BaseException], ExitCode], ...] = (
    (KeyboardInterrupt, ExitCode.INTERRUPTED),
    (errors.Cancelled, ExitCode.INTERRUPTED),
    (errors.UsageError, ExitCode.USAGE),
    (errors.FileWriteError, ExitCode.OUTPUT),
    (errors.FileError, ExitCode.INPUT),
    (errors.RequestError, ExitCode.REQUEST),
    (errors.GeometryError, ExitCode.REQUEST),
    (errors.TimeStepError, ExitCode.REQUEST),
    (errors.MemoryLimitError, ExitCode.REQUEST),
    (errors.TimeoutError, ExitCode.REQUEST),
    (errors.DisplayError, ExitCode.DISPLAY),
)


def exit_code(error: BaseException) -> ExitCode:
    """The exit status that an exception ends a command with."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ExitCode.UNEXPECTED


def one_line(error: BaseException) -> str:
    """The message of an exception without line breaks."""
    text = " ".join(str(error).split())
    if isinstance(error, errors.Exception):
        return text or type(error).__name__
    if isinstance(error, builtins.MemoryError):
        return f"out of memory: {text}" if text else "out of memory"
    return f"unexpected {type(error).__name__}: {text} (MITK_RS_TRACEBACK=1 shows where; please report it)"


def report(command: str, error: BaseException) -> ExitCode:
    """Print ``COMMAND: error: ...`` on stderr and give the exit status. An interrupt prints nothing."""
    code = exit_code(error)
    if code is not ExitCode.INTERRUPTED and sys.stderr is not None:
        if os.environ.get("MITK_RS_TRACEBACK"):
            sys.stderr.write("".join(traceback.format_exception(error)))
        sys.stderr.write(f"{command}: error: {one_line(error)}\n")
    return code
