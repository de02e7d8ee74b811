"""The program ``mitk-rs``: finds the command, runs it, and turns whatever happens into an exit status."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mitk_rs.cli.parser import CommandParser

__all__ = ["COMMANDS", "build_parsers", "main", "program"]

# Name of the command and of its module in this package; each module has `add_parser` and `run`.
COMMANDS = (
    "sample",
    "segment",
    "init",
    "features",
    "evolve",
    "batch",
    "mip",
    "surface",
    "info",
    "convert",
    "crop",
    "pick",
    "seeds",
    "doctor",
    "completion",
)

_DESCRIPTION = """Vessel segmentation with level sets, and maximum intensity projection.

Exit status: 0 success, 1 something unexpected, 2 invalid command line, 3 an input is missing or
unreadable, 4 the request does not fit the data, 5 an output cannot be written, 6 a display is needed.

With VMTK's grammar: mitk-rs vmtkimageinitialization ... and other script names, mitk-rs pype, mitk-rs
install-vmtk-names; mitk-rs pype --help lists the scripts."""


def program() -> int:
    """The command itself: :func:`main` in a process of its own, which signals end at once."""
    from mitk_rs.cli.signals import end_on_signals, ignore_signals

    end_on_signals()
    status = main()
    ignore_signals()
    return status


def main(argv: Sequence[str] | None = None) -> int:
    """Run ``mitk-rs`` with these words (default: those of the process) and return the exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    status = 0
    try:
        if words == ["--version"]:
            _print_version()
        elif _is_vmtk(words):
            status = _run_vmtk(words)
            _flush()
        else:
            _dispatch(words)
            _flush()
    except SystemExit as leave:
        return int(leave.code or 0)
    except BrokenPipeError:
        from mitk_rs.cli.console import abandon_stdout

        abandon_stdout()
    except BaseException as error:
        from mitk_rs.cli.errors import report

        return int(report(_name(words), error, as_json=_wants_json(words)))
    return status


def _is_vmtk(words: list[str]) -> bool:
    """Whether the first word is one of the commands with VMTK's grammar; see :mod:`mitk_rs.cli.vmtk_names`."""
    from mitk_rs.vmtk import COMMANDS as VMTK_COMMANDS

    return bool(words) and words[0] in VMTK_COMMANDS


def _run_vmtk(words: list[str]) -> int:
    from mitk_rs.cli.vmtk_names import run

    return run(words)


def _flush() -> None:
    """Flush stdout while a failure can still be reported."""
    from mitk_rs.cli.console import write_stdout

    write_stdout("")


def _print_version() -> None:
    # Nothing else is imported on this path: it has to be quick.
    from mitk_rs import _core

    sys.stdout.write(f"mitk-rs {_core.version()}\n")


def _name(words: list[str]) -> str:
    return f"mitk-rs {words[0]}" if words and words[0] in COMMANDS else "mitk-rs"


def _wants_json(words: list[str]) -> bool:
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def _dispatch(words: list[str]) -> None:
    from mitk_rs.cli.words import nearest
    from mitk_rs.errors import UsageError

    # The parsers of other commands import what this one does not need.
    parser, commands = build_parsers([name for name in words[:1] if name in COMMANDS] or COMMANDS)
    if not words or words[0] not in commands:
        rest = parser.parse_args(words[:1] if words and words[0].startswith("-") else [])
        if rest.version:
            return _print_version()
        if not words:
            raise UsageError(f"missing command: one of {', '.join(COMMANDS)}")
        raise UsageError(f"unknown command {words[0]}{nearest(words[0], COMMANDS)}")
    options = commands[words[0]].parse_args(words[1:])
    options.words = words[1:]
    if getattr(options, "threads", None) is not None:
        from mitk_rs._core import set_num_threads

        # As many as were asked for, even if the process may not run as many at once.
        set_num_threads(options.threads)
    from mitk_rs.cli.streams import standard_streams

    try:
        with standard_streams(options):
            options.run(options)
    except Exception as error:
        from mitk_rs.cli.errors import about

        names = [getattr(options, name, None) for name in ("input", "ifile", "i")]
        raise about(error, next(filter(None, names), None)) from None
    return None


def build_parsers(names: Iterable[str] = COMMANDS) -> tuple[CommandParser, dict[str, CommandParser]]:
    """The parser of the program, for its help and for completion, and the one of each command, or of some of them."""
    from importlib import import_module

    from mitk_rs.cli.parser import CommandParser

    parser = CommandParser(prog="mitk-rs", description=_DESCRIPTION)
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in names:
        module = import_module(f"mitk_rs.cli.{name}")
        module.add_parser(subparsers).set_defaults(run=module.run)
    commands = dict(subparsers.choices)
    for command in commands.values():
        _tell_choices(command)
    return parser, commands


def _tell_choices(command: CommandParser) -> None:
    """Let completion know the words that an option takes; our own check, which gives hints, comes first."""
    from mitk_rs.cli.parser import OneOf

    for action in command._actions:
        if isinstance(action.type, OneOf):
            action.choices = action.type.choices


if __name__ == "__main__":
    sys.exit(program())
