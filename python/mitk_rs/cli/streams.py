"""``-`` in place of a file: standard input and standard output of commands.

What comes from standard input is kept in a temporary folder, which only this user can read, and read from there. A
result goes to standard output once it is whole; a command that fails writes nothing there. Messages name the streams.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mitk_rs.cli.console import SPOKEN, write_stdout_file
from mitk_rs.cli.signals import at_the_end
from mitk_rs.errors import FileError, UsageError

__all__ = ["add_streams", "standard_streams"]

_INPUTS = ("input", "ifile", "i", "overlay", "initial", "merge", "feature", "like")
_OUTPUTS = ("output", "olevelsetsfile", "osurfacefile", "mask", "surface", "picture")


def add_streams(parser: ArgumentParser, *, output: bool = True) -> None:
    """Let ``-`` name standard input and output in the files of a command."""
    where = "standard output, and of standard input" if output else "standard input"
    text = f"format of {where} (-) where its content does not show it: an ending such as mha"
    parser.add_argument("--format", metavar="ENDING", help=text)


@contextmanager
def standard_streams(args: Namespace) -> Iterator[None]:
    """Replace ``-`` in the files of a command by temporary files while it runs.

    Raises
    ------
    UsageError
        Several inputs or several outputs are ``-``, or the format of the output is missing.
    FileError
        The format of standard input is not known.
    FileWriteError, BrokenPipeError
        As for :func:`mitk_rs.cli.console.write_stdout`.
    """
    if not hasattr(args, "format"):
        yield
        return
    inputs, outputs = _uses(args, _INPUTS), _uses(args, _OUTPUTS)
    if not inputs and not outputs:
        if args.format is not None:
            raise UsageError("--format is for standard input and output: no file is -")
        yield
        return
    _check(args, inputs, outputs)
    with tempfile.TemporaryDirectory(prefix="mitk_rs_") as folder:
        at_the_end(lambda: shutil.rmtree(folder, ignore_errors=True))
        if inputs:
            _replace(args, inputs[0], _stored_input(Path(folder), args.format), "standard input")
        result = Path(folder, "output", f"standard_output{_suffix(args.format)}")
        result.parent.mkdir()
        if outputs:
            _replace(args, outputs[0], result, "standard output")
        yield
        if outputs:
            if list(result.parent.iterdir()) != [result]:
                raise UsageError("the command writes several files: - is for one")
            write_stdout_file(result)


def _uses(args: Namespace, names: tuple[str, ...]) -> list[str]:
    """The arguments that are ``-``."""
    used = []
    for name in names:
        value = getattr(args, name, None)
        used += [name] * (value.count("-") if isinstance(value, list) else value == "-")
    return used


def _check(args: Namespace, inputs: list[str], outputs: list[str]) -> None:
    if len(inputs) > 1:
        raise UsageError("- is given for two inputs: standard input is one")
    if len(outputs) > 1:
        raise UsageError("- is given for two outputs: standard output is one")
    if getattr(args, "interactive", False) or getattr(args, "show", False):
        raise UsageError("- does not go with a dialogue or a window")
    if outputs and args.json:
        raise UsageError("--json does not go with - as output: both are standard output")
    if outputs and args.format is None:
        raise UsageError("missing --format ENDING, the format of standard output, such as --format mha")
    if outputs and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("standard output is a terminal: send it to a file or a pipe")
    if inputs and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("standard input is a terminal: send an image to it")


def _suffix(format_: str | None) -> str:
    return f".{format_.removeprefix('.')}" if format_ else ""


def _stored_input(folder: Path, format_: str | None) -> Path:
    """The content of standard input as a file."""
    from mitk_rs.io.memory import MARK_BYTES, suffix_of_content

    first = sys.stdin.buffer.read(MARK_BYTES)
    suffix = suffix_of_content(first) or _suffix(format_)
    if not suffix and first:
        raise FileError("cannot read standard input: its content does not show its format; name it with --format")
    path = folder / f"standard_input{suffix}"
    try:
        with path.open("wb") as file:
            file.write(first)
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    except OSError as error:
        raise FileError(f"cannot keep standard input: {(error.strerror or str(error)).lower()}") from error
    return path


def _replace(args: Namespace, name: str, path: Path, spoken: str) -> None:
    SPOKEN[str(path)] = spoken
    value: Any = getattr(args, name)
    setattr(args, name, [str(path) if one == "-" else one for one in value] if isinstance(value, list) else str(path))
