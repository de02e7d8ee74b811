"""The dialogue in lines of text: a plain terminal, and the replay of a script file.

Every line answers the question at hand. While seeds are asked for, ``I J K`` places one, ``undo`` takes the last one
away and ``done`` goes on. At any time ``show [FILE]`` writes a picture, ``default`` (or an empty line at a terminal)
takes the offered answer, ``back`` asks the question before, ``help`` lists these words, and ``cancel`` ends. A script
file holds the same lines; ``#`` starts a comment.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from mitk_rs._validation import brief
from mitk_rs.errors import FileError, FileMissingError, UsageError
from mitk_rs.viewer.dialogue import Dialogue, DoubtError, Index, RefusalError

__all__ = ["LineFrontEnd", "read_script", "replay", "run_terminal"]

Show = Callable[[Dialogue, Path], None]
_HELP = "show [FILE] writes a picture, default takes the answer in brackets, back goes one question back, cancel ends"
_SEED_HELP = "I J K places a seed at a voxel, undo takes the last one away, done goes on; " + _HELP


class LineFrontEnd:
    """Turns lines into steps of a dialogue.

    Parameters
    ----------
    dialogue
        The session.
    show
        Writes a picture of the present state to a file.
    """

    def __init__(self, dialogue: Dialogue, show: Show) -> None:
        self._dialogue = dialogue
        self._show = show
        self._numbers = itertools.count(1)

    def take(self, line: str) -> str:
        """Do what a line says and return what the user should read.

        Raises
        ------
        RefusalError
            The line does not fit the question.
        """
        words = line.split()
        command = words[0].lower() if words else ""
        if command == "cancel":
            self._dialogue.cancel()
        elif command in ("back", "b"):
            self._dialogue.back()
        elif command in ("help", "?"):
            return _SEED_HELP if self._dialogue.wants_seeds else _HELP
        elif command == "show" or (command == "i" and not self._dialogue.wants_seeds):
            return self._picture(words[1:])
        elif self._dialogue.wants_seeds:
            self._seed_line(command, words)
        else:
            self._dialogue.answer("" if command == "default" else line)
        return self._dialogue.message

    def _picture(self, words: list[str]) -> str:
        path = Path(" ".join(words)) if words else self._free_name()
        self._show(self._dialogue, path)
        return f"wrote {path}"

    def _free_name(self) -> Path:
        names = (Path(f"preview-{number}.png") for number in self._numbers)
        return next(path for path in names if not path.exists())

    def _seed_line(self, command: str, words: list[str]) -> None:
        if command == "undo":
            self._dialogue.undo_seed()
        elif command in ("", "done", "default", "q"):
            self._dialogue.seeds_done()
        else:
            self._dialogue.add_seed(_index(words))


def _index(words: list[str]) -> Index:
    parts = " ".join(words).replace(",", " ").split()
    try:
        first, second, third = (int(part) for part in parts)
    except ValueError:
        text = " ".join(words)
        raise RefusalError(
            f"{brief(text)} is not a voxel; write three whole numbers I J K, or done, undo, show"
        ) from None
    return first, second, third


def run_terminal(dialogue: Dialogue, show: Show, lines: TextIO, write: Callable[[str], object]) -> None:
    """Lead a dialogue at a terminal until it ends; the end of input cancels it."""
    front = LineFrontEnd(dialogue, show)
    while not dialogue.finished:
        hint = " (I J K, undo, done, show, back, help)" if dialogue.wants_seeds else ""
        for seed in dialogue.seeds if dialogue.wants_seeds else ():
            write(f"  {seed[0]} {seed[1]} {seed[2]}\n")
        write(f"{dialogue.prompt}{hint}: ")
        line = lines.readline()
        if not line:
            dialogue.cancel()
            return
        try:
            message = front.take(line.rstrip("\r\n"))
        except RefusalError as refusal:
            message = str(refusal)
        write(f"{message}\n" if message else "")


def read_script(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a script file with their numbers, without comments and blank lines.

    Raises
    ------
    FileMissingError, FileError
        The file is missing or not text.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileMissingError(f"no such file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read the script {path}: {error}") from None
    stripped = ((number, line.partition("#")[0].strip()) for number, line in enumerate(text.splitlines(), start=1))
    return iter([(number, line) for number, line in stripped if line])


def replay(dialogue: Dialogue, show: Show, path: Path, write: Callable[[str], object]) -> None:
    """Lead a dialogue by the lines of a script file.

    Raises
    ------
    UsageError
        A line does not answer its question, or the file ends before the dialogue does, or goes on after it.
    """
    front = LineFrontEnd(dialogue, show)
    number = 0
    for number, line in read_script(path):
        if dialogue.finished:
            raise UsageError(f"{path}:{number}: the dialogue has ended before this line")
        write(f"{dialogue.prompt}: {line}\n")
        try:
            with suppress(DoubtError):
                front.take(line)
                continue
            front.take(line)  # what a file says is meant
        except RefusalError as refusal:
            raise UsageError(f"{path}:{number}: {refusal}") from None
    if not dialogue.finished:
        raise UsageError(f"{path}: ends after line {number} while this is asked: {dialogue.prompt}")
