"""What commands say: results on stdout, notes, warnings and progress on stderr."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mitk_rs.cli.signals import at_the_end
from mitk_rs.errors import FileWriteError

__all__ = [
    "SPOKEN",
    "Console",
    "abandon_stdout",
    "outputs_of_kinds",
    "spoken",
    "write_json",
    "write_stdout",
    "write_stdout_file",
]

#: Temporary files, and what messages call them.
SPOKEN: dict[str, str] = {}


def spoken(text: str) -> str:
    """A message with the names of streams in place of those of temporary files."""
    for path, name in SPOKEN.items():
        text = text.replace(path, name)
    return text


def write_stdout_file(path: Path) -> None:
    """Write the content of a file to stdout; errors as for :func:`write_stdout`."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
        with path.open("rb") as file:
            shutil.copyfileobj(file, sys.stdout.buffer, 1 << 20)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise FileWriteError(f"cannot write standard output: {(error.strerror or str(error)).lower()}") from error


def write_stdout(text: str) -> None:
    """Write to stdout at once.

    Raises
    ------
    BrokenPipeError
        The reader has gone, which is not an error of the command.
    FileWriteError
        Stdout is a file that takes no more.
    """
    if sys.stdout is None:
        return
    try:
        sys.stdout.write(text)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        abandon_stdout()
        raise FileWriteError(f"cannot write standard output: {(error.strerror or str(error)).lower()}") from error


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


def outputs_of_kinds(**names: str | None) -> list[dict[str, str]]:
    """Entries of ``outputs`` for the files of each kind that has a name: image, mask, surface, picture, ..."""
    return [{"path": name, "kind": kind} for kind, name in names.items() if name]


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
        """Print what was asked for, on stdout."""
        write_stdout(spoken(text if text.endswith("\n") else f"{text}\n"))

    def result_json(self, value: Mapping[str, Any]) -> None:
        """Print the JSON object of the command on stdout, with the warnings."""
        warnings = list(dict.fromkeys([*value.get("warnings", ()), *self.warnings]))
        write_json(self.command, {**value, "warnings": warnings})

    @contextmanager
    def progress(self, label: str) -> Iterator[Callable[[float], None] | None]:
        """A function that takes the done fraction; ``None`` where nobody watches a terminal."""
        if self.quiet or sys.stderr is None or not sys.stderr.isatty():
            yield None
            return
        from mitk_rs._sources import progress_bar

        with progress_bar(label, opened=lambda: at_the_end(_clear_line)) as bar:
            yield bar


def _clear_line() -> None:
    """Remove the bar and show the cursor, which it hides."""
    os.write(2, b"\r\x1b[2K\x1b[?25h")


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
