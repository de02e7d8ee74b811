"""Exit codes of every command, and the one place that turns an exception into a line on stderr."""

from __future__ import annotations

import builtins
import contextlib
import enum
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any

from mitk_rs import errors

__all__ = ["ExitCode", "FailedError", "about", "exit_code", "one_line", "report"]


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
    (errors.PackageMissingError, ExitCode.USAGE),
    (errors.FileWriteError, ExitCode.OUTPUT),
    (errors.FileError, ExitCode.INPUT),
    (errors.RequestError, ExitCode.REQUEST),
    (errors.GeometryError, ExitCode.REQUEST),
    (errors.TimeStepError, ExitCode.REQUEST),
    (errors.MemoryLimitError, ExitCode.REQUEST),
    (errors.TimeoutError, ExitCode.REQUEST),
    (errors.DisplayError, ExitCode.DISPLAY),
)


# Errors of a request that do not fit the data.
_ABOUT_AN_INPUT = (errors.RequestError, errors.GeometryError, errors.TimeStepError, errors.MemoryLimitError)


class FailedError(errors.Exception):
    """The work is done and part of it failed. ``facts`` are what the command prints with ``--json``."""

    def __init__(self, text: str, code: ExitCode, facts: Mapping[str, Any]) -> None:
        super().__init__(text)
        self.code, self.facts = code, facts


def exit_code(error: BaseException) -> ExitCode:
    """The exit status that an exception ends a command with."""
    if isinstance(error, FailedError):
        return error.code
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return ExitCode.UNEXPECTED


def one_line(error: BaseException) -> str:
    """The message of an exception without line breaks."""
    from mitk_rs.cli.console import spoken

    text = spoken(" ".join(str(error).split()))
    if isinstance(error, errors.Exception):
        return text or type(error).__name__
    if isinstance(error, builtins.MemoryError):
        return f"out of memory: {text}" if text else "out of memory"
    return f"unexpected {type(error).__name__}: {text} (MITK_RS_TRACEBACK=1 shows where; please report it)"


def report(command: str, error: BaseException, *, as_json: bool = False) -> ExitCode:
    """Print ``COMMAND: error: ...`` on stderr and return the exit status. An interrupt prints nothing.

    With ``as_json`` standard output gets an object with the error, the status, and the ``facts`` of the error if it has
    any.
    """
    code = exit_code(error)
    if code is ExitCode.INTERRUPTED:
        return code
    if sys.stderr is not None:
        if os.environ.get("MITK_RS_TRACEBACK"):
            sys.stderr.write("".join(traceback.format_exception(error)))
        sys.stderr.write(f"{command}: error: {one_line(error)}\n")
    if as_json:
        from mitk_rs.cli.console import write_json

        with contextlib.suppress(OSError):
            write_json(command, {**getattr(error, "facts", {}), "error": one_line(error)}, status=code)
    return code


def about(error: BaseException, name: str | None) -> BaseException:
    """The error with the name of the input, so that it can be found in the log of many files."""
    if not name or not isinstance(error, _ABOUT_AN_INPUT) or name in str(error):
        return error
    named = type(error)(f"{name}: {error}")
    named.__cause__ = error
    return named
