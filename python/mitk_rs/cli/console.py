"""What commands say: results on stdout, notes, warnings and progress on stderr."""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.signals import at_the_end
from mitk_rs.errors import FileWriteError

if TYPE_CHECKING:
    from rich.progress import Progress

__all__ = ["Console", "abandon_stdout", "outputs_of_kinds", "write_json", "write_stdout"]

# Work that ends sooner than this shows no bar.
_PATIENCE_SECONDS = 1.0


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
        self.warnings.append(text)
        self._to_stderr(f"warning: {text}")

    def _to_stderr(self, text: str) -> None:
        if not self.quiet and sys.stderr is not None:
            sys.stderr.write(f"{self.command}: {text}\n")
            sys.stderr.flush()

    def result(self, text: str) -> None:
        """Print what was asked for, on stdout."""
        write_stdout(text if text.endswith("\n") else f"{text}\n")

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
        bar = _Bar(label)
        try:
            yield bar
        finally:
            bar.close()


class _Bar:
    """A progress bar that appears once the work has taken a second."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._start = time.monotonic()
        self._progress: Progress | None = None

    def __call__(self, fraction: float) -> None:
        if self._progress is None:
            if time.monotonic() - self._start < _PATIENCE_SECONDS:
                return
            self._progress = self._open()
        self._progress.update(self._progress.task_ids[0], completed=fraction)

    def _open(self) -> Progress:
        from rich.console import Console as Terminal
        from rich.progress import Progress

        progress = Progress(console=Terminal(stderr=True), transient=True)
        progress.add_task(self._label, total=1.0)
        at_the_end(_clear_line)
        progress.start()
        return progress

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def _clear_line() -> None:
    """Remove the bar and show the cursor, which it hides."""
    os.write(2, b"\r\x1b[2K\x1b[?25h")


def _plain(value: Any) -> Any:
    """``value`` of JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, (str, bool, type(None))):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return value if isinstance(value, int) else str(value)
