"""What commands say: results on stdout, notes, warnings, errors and progress on stderr, and the exit status."""

from __future__ import annotations

import builtins
import contextlib
import enum
import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from mitk_rs import errors
from mitk_rs.cli.signals import at_the_end

#: Temporary files, and what messages call them.
SPOKEN: dict[str, str] = {}


def spoken(text: str) -> str:
    """A message with the names of streams in place of those of temporary files."""
    for path, name in SPOKEN.items():
        text = text.replace(path, name)
    return text


# Standard output


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    """Report what stdout does not take; ``BrokenPipeError``, its reader has gone, is not an error of the command."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise errors.FileWriteError(f"cannot write standard output: {errors.reason(error)}") from error


def write_stdout_file(path: Path) -> None:
    """Write the content of a file to stdout."""
    if sys.stdout is None:
        return
    with _writing():
        sys.stdout.flush()
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()


def write_stdout(text: str) -> None:
    """Write to stdout at once."""
    if sys.stdout is None:
        return
    with _writing():
        sys.stdout.write(text)
        sys.stdout.flush()


def abandon_stdout() -> None:
    """Keep Python from trying once more, and complaining, at its end."""
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, sys.stdout.fileno())
    os.close(sink)


def write_json(command: str, content: Mapping[str, Any], *, status: int = 0) -> None:
    """Print the JSON object of a command, as ``schema.json`` describes it. Infinite numbers and NaN become text."""
    from mitk_rs import _core

    value = {"command": command.removeprefix("mitk-rs "), "version": _core.version(), "status": status, **content}
    write_stdout(json.dumps(_plain(value), indent=2, allow_nan=False, ensure_ascii=False) + "\n")


def _plain(value: Any) -> Any:
    """``value`` of JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, str):
        return spoken(value)
    if isinstance(value, (bool, type(None))):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value if isinstance(value, int) else str(value)


class Console:
    """Messages of one command. ``quiet`` leaves errors only, ``as_json`` one object on stdout and warnings."""

    def __init__(self, command: str, *, quiet: bool = False, as_json: bool = False) -> None:
        self.command, self.quiet, self.as_json = command, quiet, as_json
        self.warnings: list[str] = []

    def note(self, text: str) -> None:
        """Tell what was done, on stderr."""
        if not self.as_json:
            self._to_stderr(text)

    def warning(self, text: str) -> None:
        """Tell what looks wrong, on stderr and under ``warnings`` of the JSON object."""
        self.warnings.append(spoken(text))
        self._to_stderr(f"warning: {text}")

    def _to_stderr(self, text: str) -> None:
        if not self.quiet and sys.stderr is not None:
            sys.stderr.write(spoken(f"{self.command}: {text}\n"))
            sys.stderr.flush()

    def result(self, text: str) -> None:
        """Print what was asked for, on stdout; with ``--json`` the object takes its place."""
        if not self.as_json:
            write_stdout(spoken(text if text.endswith("\n") else f"{text}\n"))

    def facts(self, value: Mapping[str, Any]) -> None:
        """Print the JSON object of the command on stdout, with the warnings, where it is asked for."""
        if self.as_json:
            warnings = list(dict.fromkeys([*value.get("warnings", ()), *self.warnings]))
            write_json(self.command, {**value, "warnings": warnings})

    @contextlib.contextmanager
    def progress(self, label: str) -> Iterator[Callable[[float], None] | None]:
        """A function that takes the done fraction; ``None`` where nobody watches a terminal."""
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
            yield None
            return
        from mitk_rs._sources import progress_bar

        # A signal removes the bar and shows the cursor, which it hides.
        with progress_bar(label, opened=lambda: at_the_end(lambda: os.write(2, b"\r\x1b[2K\x1b[?25h"))) as bar:
            yield bar


# Errors


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


# Errors of a request that do not fit the data.
_ABOUT_AN_INPUT = (errors.RequestError, errors.GeometryError, errors.TimeStepError, errors.MemoryLimitError)
# The first classes that fit decide, so subclasses come before their bases.
_CODES: tuple[tuple[tuple[type[BaseException], ...], ExitCode], ...] = (
    ((KeyboardInterrupt, errors.Cancelled), ExitCode.INTERRUPTED),
    ((errors.UsageError, errors.PackageMissingError), ExitCode.USAGE),
    ((errors.FileWriteError,), ExitCode.OUTPUT),
    ((errors.FileError,), ExitCode.INPUT),
    ((*_ABOUT_AN_INPUT, errors.TimeoutError), ExitCode.REQUEST),
    ((errors.DisplayError,), ExitCode.DISPLAY),
)


class FailedError(errors.Exception):
    """The work is done and part of it failed. ``facts`` are what the command prints with ``--json``."""

    def __init__(self, text: str, code: ExitCode, facts: Mapping[str, Any]) -> None:
        super().__init__(text)
        self.code, self.facts = code, facts


def exit_code(error: BaseException) -> ExitCode:
    """The exit status that an exception ends a command with."""
    if isinstance(error, FailedError):
        return error.code
    return next((code for kinds, code in _CODES if isinstance(error, kinds)), ExitCode.UNEXPECTED)


def _one_line(error: BaseException) -> str:
    text = spoken(" ".join(str(error).split()))
    if isinstance(error, errors.Exception):
        return text or type(error).__name__
    if isinstance(error, builtins.MemoryError):
        return f"out of memory: {text}" if text else "out of memory"
    return f"unexpected {type(error).__name__}: {text} (MITK_RS_TRACEBACK=1 shows where; please report it)"


def report(command: str, error: BaseException, *, as_json: bool = False) -> ExitCode:
    """Print ``COMMAND: error: ...`` on stderr and return the exit status. An interrupt prints nothing.

    With ``as_json`` stdout gets an object with the error, the status, and the ``facts`` of the error if it has any.
    """
    code = exit_code(error)
    if code is ExitCode.INTERRUPTED:
        return code
    if sys.stderr is not None:
        if os.environ.get("MITK_RS_TRACEBACK"):
            import traceback

            sys.stderr.write("".join(traceback.format_exception(error)))
        sys.stderr.write(f"{command}: error: {_one_line(error)}\n")
    if as_json:
        with contextlib.suppress(OSError):
            write_json(command, {**getattr(error, "facts", {}), "error": _one_line(error)}, status=code)
    return code


def about(error: BaseException, name: str | None) -> BaseException:
    """The error with the name of the input, so that it can be found in the log of many files."""
    if not name or not isinstance(error, _ABOUT_AN_INPUT) or name in str(error):
        return error
    named = type(error)(f"{name}: {error}")
    named.__cause__ = error
    return named
