"""The program ``mitk-rs``: finds the command, runs it, and turns whatever happens into an exit status."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

# Importing typing takes longer than all the rest here, and a signal is not answered until then.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from mitk_rs.cli.parser import CommandParser

# The commands in the order of the help, and the module here that has each.
COMMANDS = {
    "sample": "tools",
    "segment": "evolve",
    "init": "init",
    "features": "evolve",
    "evolve": "evolve",
    "batch": "tools",
    "mip": "mip",
    "surface": "convert",
    "info": "info",
    "convert": "convert",
    "crop": "convert",
    "pick": "pick",
    "seeds": "info",
    "doctor": "tools",
    "completion": "tools",
}

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
        else:
            status = _dispatch(words)
            from mitk_rs.cli.console import write_stdout

            # While a failure can still be reported.
            write_stdout("")
    except SystemExit as leave:
        return int(leave.code or 0)
    except BrokenPipeError:
        from mitk_rs.cli.console import abandon_stdout

        abandon_stdout()
    except BaseException as error:
        from mitk_rs.cli.console import report

        name = f"mitk-rs {words[0]}" if words and words[0] in COMMANDS else "mitk-rs"
        as_json = "--json" in (words[: words.index("--")] if "--" in words else words)
        return int(report(name, error, as_json=as_json))
    return status


def _print_version() -> None:
    # Nothing else is imported on this path: it has to be quick.
    from mitk_rs import _core

    sys.stdout.write(f"mitk-rs {_core.version()}\n")


def _dispatch(words: list[str]) -> int:
    from mitk_rs.vmtk import COMMANDS as VMTK_COMMANDS

    name = words[0] if words else ""
    if name in VMTK_COMMANDS:
        from mitk_rs.cli.vmtk_names import run

        return run(words)
    if name in COMMANDS:
        # The parsers of other commands import what this one does not need.
        _run(name, build_parsers([name])[1][name], words[1:])
        return 0
    parser, _ = build_parsers(options=False)
    rest = parser.parse_args([name] if name.startswith("-") else [])
    if rest.version:
        _print_version()
        return 0
    from mitk_rs.cli.parser import nearest
    from mitk_rs.errors import UsageError

    if not words:
        raise UsageError(f"missing command: one of {', '.join(COMMANDS)}")
    raise UsageError(f"unknown command {name}{nearest(name, COMMANDS)}")


def _run(name: str, parser: CommandParser, words: list[str]) -> None:
    from mitk_rs.cli.console import about
    from mitk_rs.cli.files import Session, standard_streams

    options = parser.parse_args(words)
    options.words = words
    if getattr(options, "threads", None) is not None:
        from mitk_rs._core import set_num_threads

        # As many as were asked for, even if the process may not run as many at once.
        set_num_threads(options.threads)
    try:
        with standard_streams(options):
            options.run(options, Session(f"mitk-rs {name}", options))
    except Exception as error:
        names = [getattr(options, name, None) for name in ("input", "ifile", "i")]
        raise about(error, next(filter(None, names), None)) from None


def build_parsers(
    names: Iterable[str] = COMMANDS, *, options: bool = True
) -> tuple[CommandParser, dict[str, CommandParser]]:
    """The parser of the program, and that of each command, or of some of them; its own help needs no ``options``."""
    from importlib import import_module

    from mitk_rs.cli.parser import COMMANDS as FOUND
    from mitk_rs.cli.parser import CommandParser

    parser = CommandParser(prog="mitk-rs", description=_DESCRIPTION)
    parser.add_argument("--version", action="store_true", help="print the version and leave")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name in names:
        import_module(f"mitk_rs.cli.{COMMANDS[name]}")
        made = subparsers.add_parser(name, **FOUND[name].settings)
        if options:
            FOUND[name].add_options(made)
        made.set_defaults(run=FOUND[name].run)
    return parser, dict(subparsers.choices)


if __name__ == "__main__":
    sys.exit(program())
