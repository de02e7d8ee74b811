"""The commands with VMTK's grammar: every script name, ``pype``, and ``install-vmtk-names``.

Words of these commands follow :mod:`mitk_rs.vmtk.options`, not the GNU spelling. The log goes to standard output as
VMTK prints it, notes, warnings and errors to standard error.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs import _platform
from mitk_rs.cli.console import ExitCode, about, report, write_json
from mitk_rs.errors import FileError, FileMissingError, FileWriteError, UsageError
from mitk_rs.vmtk import SCRIPTS

if TYPE_CHECKING:
    from mitk_rs.vmtk.pypes import Pype

_PYPE_HELP = """usage: mitk-rs pype [FLAGS] "SCRIPT -option value ... --pipe SCRIPT ..."
       mitk-rs pype [FLAGS] --file FILE

Run scripts one after the other, each fed by the ones before. The line may be one quoted word or many words.

  --nolog       no log on standard output
  --noauto      no automatic pipes, only @ references
  --json        instead of the log one JSON object at the end
  --threads N   number of threads for the scripts that compute
  --file FILE   run every line of FILE; # starts a comment line, a trailing backslash joins lines
  --version     print the version
  --help        this text; behind a script name the help of the script

Scripts: """

_INSTALL_HELP = """usage: mitk-rs install-vmtk-names DIR [--force]

Make a launcher in DIR for every script name of VMTK that mitk-rs has, and for vmtk and pyperun, which run a pype, so
that shell loops written for VMTK run with DIR on the PATH. Files in DIR that are something else are not replaced
without --force.
"""
_MARK = "launcher made by mitk-rs install-vmtk-names"
# Name of a launcher and the command that it runs.
_LAUNCHERS = {**{name: name for name in SCRIPTS}, "vmtk": "pype", "pyperun": "pype"}


def run(words: Sequence[str]) -> int:
    """Run one of :data:`mitk_rs.vmtk.COMMANDS` with its words and return the exit status."""
    if "--version" in words:
        from mitk_rs import __version__

        sys.stdout.write(f"mitk-rs {__version__}\n")
        return ExitCode.OK
    work = {"install-vmtk-names": _install, "pype": _pype}.get(words[0])
    try:
        with _notes_on_stderr():
            return work(list(words[1:])) if work else _run_pype(list(words))
    except BrokenPipeError:
        raise
    except BaseException as error:
        return report(words[0], error, as_json="--json" in words and work is _pype)


@contextmanager
def _notes_on_stderr() -> Iterator[None]:
    """Show what scripts note and warn of."""
    logger = logging.getLogger("mitk_rs.vmtk")
    handler, level = logging.StreamHandler(sys.stderr), logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


# Pypes


def _pype(words: list[str]) -> int:
    if not words:
        raise UsageError('missing pype: mitk-rs pype "SCRIPT -option value ... --pipe SCRIPT ..."')
    if words[0] == "--help":
        sys.stdout.write(_PYPE_HELP + ", ".join(SCRIPTS) + "\n")
        return ExitCode.OK
    if "--file" in words:
        return _run_file(words)
    return _run_pype(words)


def _run_file(words: list[str]) -> int:
    from mitk_rs.vmtk.options import read_lines

    position = words.index("--file")
    if position + 1 >= len(words):
        raise UsageError("--file needs the name of a file with pypes")
    flags = words[:position] + words[position + 2 :]
    for line in read_lines(_text(words[position + 1])):
        status = _run_pype([*flags, line])
        if status:
            return status
    return ExitCode.OK


def _text(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileMissingError(f"no such file: {name}") from None
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read {name}: {error}") from None


def _run_pype(words: list[str]) -> int:
    from mitk_rs.vmtk.pypes import Pype

    pype = Pype()
    as_json = "--json" in words
    try:
        _execute(pype, [word for word in words if word != "--json"], quiet=as_json)
        if as_json:
            write_json("pype", _summary(pype))
    except BrokenPipeError:
        raise
    except BaseException as error:
        if sys.stdout is not None:
            # The log in front of the error where both go to one terminal.
            sys.stdout.flush()
        return report(pype.CurrentScriptName, about(error, pype.InputFileName), as_json=as_json)
    return ExitCode.OK


def _execute(pype: Pype, words: list[str], *, quiet: bool) -> None:
    from mitk_rs.vmtk.options import split_text

    pype.Arguments = [part for word in words for part in (split_text(word) if _is_line(word, words) else [word])]
    pype.LogOn = int(not quiet)
    pype.ParseArguments()
    pype.Execute()


def _is_line(word: str, words: list[str]) -> bool:
    """Whether a word is a whole pype in quotes: the only one beside flags, with a space in it."""
    others = [other for other in words if other is not word and not other.startswith("--") and not other.isdigit()]
    return not others and any(space in word for space in " \t\n")


def _summary(pype: Pype) -> dict[str, Any]:
    steps = zip(pype.ScriptObjectList, pype.Seconds, strict=True)
    return {"scripts": [{**_described(script), "seconds": round(seconds, 6)} for script, seconds in steps]}


def _described(script: Any) -> dict[str, Any]:
    described = {"name": script.ScriptName, "id": script.Id, "inputs": {}, "outputs": {}}
    for part, members in (("inputs", script.InputMembers), ("outputs", script.OutputMembers)):
        for member in members:
            if member.is_builtin:
                described[part][member.OptionName] = getattr(script, member.MemberName)
    report_ = getattr(script, "Report", None)
    if report_ is not None:
        described["report"] = report_.as_dict()
    return described


# Launchers


def _install(words: Sequence[str]) -> int:
    if "--help" in words:
        sys.stdout.write(_INSTALL_HELP)
        return ExitCode.OK
    names = [word for word in words if word != "--force"]
    if len(names) != 1 or names[0].startswith("-"):
        raise UsageError("install-vmtk-names needs one folder: mitk-rs install-vmtk-names DIR [--force]")
    folder = Path(names[0])
    if not folder.is_dir():
        raise FileWriteError(f"{folder} is not a folder")
    paths = {name: folder / (f"{name}.cmd" if _platform.WINDOWS else name) for name in _LAUNCHERS}
    existing = [path for path in paths.values() if "--force" not in words and path.exists()]
    foreign = [path for path in existing if _MARK not in path.read_text(errors="replace")]
    if foreign:
        text = ", ".join(path.name for path in foreign)
        raise FileWriteError(f"{folder} holds other programs of these names: {text}; --force replaces them")
    for name, path in paths.items():
        _write_launcher(_LAUNCHERS[name], path)
        sys.stdout.write(f"{path}\n")
    return ExitCode.OK


def _write_launcher(command: str, path: Path) -> None:
    from mitk_rs.io.atomic import atomic_output

    if _platform.WINDOWS:
        text = f'@rem {_MARK}\n@"{sys.executable}" -m mitk_rs.cli.main {command} %*\n'
    else:
        quoted = sys.executable.replace("'", "'\\''")
        text = f"#!/bin/sh\n# {_MARK}\nexec '{quoted}' -m mitk_rs.cli.main {command} \"$@\"\n"
    with atomic_output(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        temporary.chmod(0o755)
