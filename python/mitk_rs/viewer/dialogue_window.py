"""The dialogue in a window: slices, seeds by Ctrl+click, questions answered by typing, the result over the slices.

Keys. Text questions: what is typed is the answer, Return ends it, BackSpace takes a character away. Seeds: ``u``
takes the last one away, ``q`` goes on. While looking at the image: ``q`` brings the question back. Always: arrows and
page keys move the slices, F12 writes a screenshot, Escape cancels.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from mitk_rs.viewer.dialogue import Dialogue, Index, RefusalError
from mitk_rs.viewer.planes import ImagePlanes
from mitk_rs.viewer.shapes import SeedMarkers, SurfaceShape
from mitk_rs.viewer.window import RETURN_KEYS, ViewerWindow, typed

__all__ = ["DialogueWindow"]

_RESULT = ((0.9, 0.3, 0.2), 0.5)
_MERGED = ((0.3, 0.8, 0.4), 0.5)
_COLUMNS = 72


class DialogueWindow:
    """Leads a dialogue in a window.

    Parameters
    ----------
    window
        An open window; it is given back as it was, and stays open.
    image
        The ``vtkImageData`` to show.
    dialogue
        The session; its indices are those of the image's extent.
    surface_of
        Makes a ``vtkPolyData`` of a level set.
    log
        Told every question and answer.
    """

    def __init__(
        self,
        window: ViewerWindow,
        image: Any,
        dialogue: Dialogue,
        surface_of: Callable[[Any], Any],
        log: Callable[[str], object],
    ) -> None:
        self._window = window
        self._image = image
        self._dialogue = dialogue
        self._surface_of = surface_of
        self._log = log
        self._typed = ""
        self._shown: tuple[Any, Any] = (None, None)
        self._planes = ImagePlanes(window, image, on_control_click=self._clicked)
        self._seeds = SeedMarkers(window, image.GetLength())
        self._result = SurfaceShape(window, *_RESULT)
        self._merged = SurfaceShape(window, *_MERGED)

    def run(self) -> None:
        """Show the window until the dialogue has ended."""
        self._window.on_key = self._key
        self._window.on_close = self._cancel
        self._window.renderer.ResetCamera()
        self._refresh()
        self._log(f"{self._dialogue.prompt}: ")
        try:
            self._window.run()
            if not self._dialogue.finished:
                self._dialogue.cancel()
        finally:
            self._leave()

    def _leave(self) -> None:
        self._window.on_key = self._window.on_close = None
        self._window.show_prompt("")
        for part in (self._planes, self._seeds, self._result, self._merged):
            part.remove()

    # What the user does

    def _key(self, symbol: str, character: str) -> bool:
        if symbol == "Escape":
            self._cancel()
        elif symbol == "F12":
            self._photograph()
        elif self._planes.key(symbol):
            return True
        elif self._dialogue.wants_seeds:
            return self._seed_key(symbol)
        elif self._dialogue.looking:
            return self._look_key(symbol)
        else:
            self._text_key(symbol, character)
        return True

    def _cancel(self) -> None:
        self._dialogue.cancel()
        self._window.stop()

    def _photograph(self) -> None:
        self._log(f"screenshot {self._window.screenshot()}\n")

    def _clicked(self, index: Index) -> None:
        if self._dialogue.wants_seeds:
            self._do(lambda: self._dialogue.add_seed(index))

    def _seed_key(self, symbol: str) -> bool:
        if symbol == "u":
            self._do(self._dialogue.undo_seed)
        elif symbol == "q":
            self._do(self._dialogue.seeds_done)
        return symbol in ("u", "q")

    def _look_key(self, symbol: str) -> bool:
        if symbol == "q":
            self._dialogue.looking = False
            self._refresh()
        return symbol == "q"

    def _text_key(self, symbol: str, character: str) -> None:
        if symbol in RETURN_KEYS:
            text, self._typed = self._typed, ""
            self._log(f"{text}\n")
            self._do(lambda: self._dialogue.answer(text))
        else:
            self._typed = typed(self._typed, symbol, character)
            self._refresh()

    def _do(self, action: Callable[[], None]) -> None:
        """Do something to the dialogue and show what came of it."""
        before = self._dialogue.step
        with suppress(RefusalError):  # the reason is the dialogue's message
            action()
        if self._dialogue.finished:
            self._window.stop()
            return
        # What the log tells is to be seen already.
        self._refresh()
        if self._dialogue.message:
            self._log(f"{self._dialogue.message}\n")
        if self._dialogue.step is not before:
            self._log(f"{self._dialogue.prompt}: ")

    # What the user sees

    def _refresh(self) -> None:
        dialogue = self._dialogue
        self._planes.tint(dialogue.interval_with(self._typed) or self._kept_interval())
        self._seeds.show([self._position(seed) for seed in dialogue.seeds] if dialogue.wants_seeds else [])
        self._show_surfaces()
        self._window.show_prompt(self._lines())
        self._window.render()

    def _kept_interval(self) -> tuple[float, float] | None:
        branch = self._dialogue.branch
        if not self._dialogue.wants_seeds or (branch.lower is None and branch.upper is None):
            return None
        return (
            float("-inf") if branch.lower is None else branch.lower,
            float("inf") if branch.upper is None else branch.upper,
        )

    def _show_surfaces(self) -> None:
        result, merged = self._dialogue.result, self._dialogue.merged
        if result is not self._shown[0]:
            self._result.show(None if result is None else self._surface_of(result))
        if merged is not self._shown[1]:
            self._merged.show(None if merged is None else self._surface_of(merged))
        self._shown = (result, merged)

    def _lines(self) -> str:
        dialogue = self._dialogue
        if dialogue.wants_seeds:
            question = f"{dialogue.prompt}\nCtrl+click adds one, u takes the last away, q goes on"
        elif dialogue.looking:
            question = "Looking at the image, q brings the question back"
        else:
            question = textwrap.fill(f"{dialogue.prompt}: {self._typed}_", _COLUMNS)
        return f"{dialogue.message}\n{question}" if dialogue.message else question

    def _position(self, index: Index) -> list[float]:
        origin, spacing = self._image.GetOrigin(), self._image.GetSpacing()
        return [start + step * value for start, step, value in zip(origin, spacing, index, strict=True)]
