"""The front ends of dialogues: a window, a terminal, and the replay of a script file.

A window shows slices, with seeds by Ctrl+click, questions answered by typing, and the result over the slices. Of text
questions what is typed is the answer, Return ends it, BackSpace takes a character away, ``b`` goes one question back.
Seeds: ``u`` takes the last one away, ``b`` goes one question back, ``q`` goes on. While looking at the image: ``q``
brings the question back. Always: the keys of the slices, F12 writes a screenshot, Escape cancels, after a question
where results would be lost.

In lines of text every line answers the question at hand. While seeds are asked for, ``I J K`` places one, ``undo``
takes the last one away and ``done`` goes on. At any time ``show [FILE]`` writes a picture, ``default`` (or an empty
line at a terminal) takes the offered answer, ``back`` asks the question before, ``help`` lists these words, and
``cancel`` ends. A script file holds the same lines; ``#`` starts a comment.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from mitk_rs.errors import FileError, FileMissingError, UsageError, brief
from mitk_rs.viewer.dialogue import AnyDialogue, DoubtError, Index, RefusalError, interval
from mitk_rs.viewer.slices import PLANE_KEYS, ImagePlanes, SeedMarkers, SurfaceShape
from mitk_rs.viewer.window import RETURN_KEYS, ViewerWindow, typed

__all__ = ["DialogueWindow", "replay", "run_terminal"]

_RESULT = ((0.9, 0.3, 0.2), 0.5)
_MERGED = ((0.3, 0.8, 0.4), 0.5)
# Far from the grey of the slices, from their tint and from results.
_SEEDS = (0.1, 0.9, 1.0)
_ALWAYS = (*PLANE_KEYS, ("F1", "hide or show the keys"), ("Escape", "cancel"))
_WITHOUT_TEXT = (("r", "reset camera"), ("x, F12", "screenshot"), *_ALWAYS)
_BACK = (("b Return", "one question back"),)
_TEXT_KEYS = (("F12", "screenshot"), *_ALWAYS)
_LOOK_KEYS = (("q", "back to the question"), *_WITHOUT_TEXT)
_SEED_KEYS = (
    ("Ctrl+click", "place a seed"),
    ("u", "take the last seed away"),
    ("b", "one question back"),
    ("q", "go on"),
    *_WITHOUT_TEXT,
)


class DialogueWindow:
    """Leads a dialogue in an open window, which is given back as it was.

    ``image`` is the ``vtkImageData`` to show, whose extent the dialogue counts seeds in, ``axes`` are as for
    :class:`~mitk_rs.viewer.slices.ImagePlanes`. ``surface_of`` makes a ``vtkPolyData`` of a level set; ``log`` gets
    every question and answer.
    """

    def __init__(
        self,
        window: ViewerWindow,
        image: Any,
        dialogue: AnyDialogue,
        surface_of: Callable[[Any], Any],
        log: Callable[[str], object],
        *,
        axes: Any = None,
    ) -> None:
        self._window, self._image, self._dialogue = window, image, dialogue
        self._surface_of, self._log = surface_of, log
        self._typed = ""
        self._leaving = False
        self._shown: tuple[Any, Any] = (None, None)
        self._planes = ImagePlanes(window, image, axes=axes, on_control_click=self._clicked)
        self._seeds = SeedMarkers(window, image.GetLength(), colour=_SEEDS)
        self._result = SurfaceShape(window, *_RESULT)
        self._merged = SurfaceShape(window, *_MERGED)

    def run(self) -> None:
        """Show the window until the dialogue has ended."""
        self._window.on_key = self._key
        self._window.on_close = self._cancel
        before, self._window.on_notice = self._window.on_notice, lambda text: self._log(f"{text}\n")
        self._planes.look()
        self._refresh()
        self._log(f"{self._dialogue.prompt}: ")
        try:
            self._window.run()
            if not self._dialogue.finished:
                self._dialogue.cancel()
        finally:
            self._window.on_notice = before
            self._window.on_key = self._window.on_close = None
            self._window.show_prompt("")
            self._window.show_keys(None)
            for part in (self._planes, self._seeds, self._result, self._merged):
                part.remove()

    # What the user does

    def _key(self, symbol: str, character: str) -> bool:
        if self._leaving:
            self._leave_key(symbol)
        elif symbol == "Escape":
            self._escape()
        elif symbol == "F12":
            self._window.photograph()
        elif self._planes.key(symbol):
            return True
        elif self._dialogue.wants_seeds:
            return self._seed_key(symbol)
        elif self._dialogue.looking:
            return self._look_key(symbol)
        else:
            self._text_key(symbol, character)
        return True

    def _escape(self) -> None:
        """Cancel, but ask first where accepted branches or a result would be lost."""
        if self._dialogue.accepted or self._dialogue.result is not None:
            self._leaving = True
            self._log(f"\n{self._leaving_prompt()}: ")
            self._refresh()
        else:
            self._cancel()

    def _leave_key(self, symbol: str) -> None:
        if symbol in ("y", "n", "Escape"):
            self._leaving = False
            self._log(f"{'y' if symbol == 'y' else 'n'}\n")
            if symbol == "y":
                self._cancel()
            else:
                self._refresh()
                self._log(f"{self._dialogue.prompt}: ")

    def _leaving_prompt(self) -> str:
        count = self._dialogue.accepted
        lost = "this result" if not count else "the accepted branch" if count == 1 else f"the {count} accepted branches"
        return f"Cancel and throw {lost} away? (y/n)"

    def _cancel(self) -> None:
        self._dialogue.cancel()
        self._window.stop()

    def _clicked(self, index: Index) -> None:
        if self._dialogue.wants_seeds:
            self._do(lambda: self._dialogue.add_seed(index))

    def _seed_key(self, symbol: str) -> bool:
        actions = {"u": self._dialogue.undo_seed, "b": self._dialogue.back, "q": self._dialogue.seeds_done}
        if symbol in actions:
            self._do(actions[symbol])
        return symbol in actions

    def _look_key(self, symbol: str) -> bool:
        if symbol == "q":
            self._dialogue.looking = False
            self._refresh()
        return symbol == "q"

    def _text_key(self, symbol: str, character: str) -> None:
        if symbol in RETURN_KEYS:
            text, self._typed = self._typed, ""
            self._log(f"{text}\n")
            if text.strip() in ("b", "back"):
                self._do(self._dialogue.back)
            else:
                self._do(lambda: self._dialogue.answer(text))
        else:
            self._typed = typed(self._typed, symbol, character)
            self._refresh(self._window.render_soon)

    def _do(self, action: Callable[[], None]) -> None:
        """Do something to the dialogue and show what came of it."""
        step, result = self._dialogue.step, self._dialogue.result
        try:
            action()
        except DoubtError as doubt:
            self._typed = doubt.answer
        except RefusalError:
            pass  # the reason is the dialogue's message
        if self._dialogue.finished:
            self._window.stop()
            return
        # What the log tells is to be seen already.
        self._refresh()
        if self._dialogue.message:
            self._log(f"{self._dialogue.message}\n")
        # The same question about another result is a new one.
        if self._dialogue.step is not step or self._dialogue.result is not result:
            self._log(f"{self._dialogue.prompt}: ")

    # What the user sees

    def _refresh(self, draw: Callable[[], None] | None = None) -> None:
        dialogue = self._dialogue
        self._planes.tint(dialogue.interval_with(self._typed) or self._kept_interval())
        self._seeds.show([self._position(seed) for seed in dialogue.seeds] if dialogue.wants_seeds else [])
        self._show_surfaces()
        self._window.show_prompt(self._lines())
        self._window.show_keys(self._keys())
        (draw or self._window.render)()

    def _kept_interval(self) -> tuple[float, float] | None:
        branch = self._dialogue.branch
        if not self._dialogue.wants_seeds or (branch.lower is None and branch.upper is None):
            return None
        return interval(branch.lower, branch.upper)

    def _show_surfaces(self) -> None:
        result, merged = self._dialogue.result, self._dialogue.merged
        if result is not self._shown[0]:
            self._result.show(None if result is None else self._surface_of(result))
        if merged is not self._shown[1]:
            self._merged.show(None if merged is None else self._surface_of(merged))
        self._shown = (result, merged)

    def _lines(self) -> str:
        dialogue = self._dialogue
        if self._leaving:
            return self._leaving_prompt()
        if dialogue.looking:
            return "Looking at the image, q brings the question back"
        typing = "" if dialogue.wants_seeds else f": {self._typed}_"
        question = f"{dialogue.prompt}{typing}"
        return f"{dialogue.message}\n{question}" if dialogue.message else question

    def _keys(self) -> tuple[tuple[str, str], ...]:
        if self._leaving:
            return (("y", "cancel"), ("n", "go on"))
        if self._dialogue.wants_seeds:
            return _SEED_KEYS
        if self._dialogue.looking:
            return _LOOK_KEYS
        return (("Return", "answer"), *(_BACK if self._dialogue.can_go_back else ()), *_TEXT_KEYS)

    def _position(self, index: Index) -> list[float]:
        origin, spacing = self._image.GetOrigin(), self._image.GetSpacing()
        return [start + step * value for start, step, value in zip(origin, spacing, index, strict=True)]


# Lines of text: a terminal, and the replay of a script file

# Writes a picture of the present state to a file.
Show = Callable[[Any, Path], None]
_HELP = "show [FILE] writes a picture, default takes the answer in brackets, back goes one question back, cancel ends"
_SEED_HELP = "I J K places a seed at a voxel, undo takes the last one away, done goes on; " + _HELP


class _LineFrontEnd:
    """Turns lines into steps of a dialogue."""

    def __init__(self, dialogue: AnyDialogue, show: Show) -> None:
        self._dialogue = dialogue
        self._show = show
        self._numbers = itertools.count(1)

    def take(self, line: str) -> str:
        """Do what a line says and return what the user should read."""
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


def run_terminal(dialogue: AnyDialogue, show: Show, lines: TextIO, write: Callable[[str], object]) -> None:
    """Lead a dialogue at a terminal until it ends; the end of input cancels it."""
    front = _LineFrontEnd(dialogue, show)
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


def _read_script(path: Path) -> list[tuple[int, str]]:
    """The lines of a script file with their numbers, without comments and blank lines."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise FileMissingError(f"no such file: {path}") from None
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot read the script {path}: {error}") from None
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [(number, line) for number, line in enumerate(lines, start=1) if line]


def replay(dialogue: AnyDialogue, show: Show, path: Path, write: Callable[[str], object]) -> None:
    """Lead a dialogue by the lines of a script file; each must answer its question, from the first to the last."""
    front = _LineFrontEnd(dialogue, show)
    number = 0
    for number, line in _read_script(path):
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
