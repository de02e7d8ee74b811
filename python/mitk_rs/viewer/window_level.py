"""Window and level of what a window shows: changed by dragging with the right button and by keys, and set back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mitk_rs.viewer.window import ViewerWindow

__all__ = ["WINDOW_LEVEL_KEYS", "WindowLevel"]

# What an arrow key does to window and level, in parts of the window.
_ARROWS = {"Up": (0, -1), "Down": (0, 1), "Right": (1, 0), "Left": (-1, 0)}
_STEP = 0.05
_RESET = "Home"
_BEFORE_STYLE = 5.0
WINDOW_LEVEL_KEYS = (
    ("right button", "drag: window and level"),
    ("Shift+arrow keys", "window and level"),
    ("Home", "first window and level"),
)


class WindowLevel:
    """Black is ``level - window / 2``, white ``level + window / 2``.

    Parameters
    ----------
    viewer
        Whose mouse and keys change them. Its status shows them.
    first
        Window and level at first, and after a reset.
    apply
        Called with window and level whenever they change, before the picture is drawn.
    arrows
        Whether arrow keys change them without Shift, too.
    """

    def __init__(
        self,
        viewer: ViewerWindow,
        first: tuple[float, float],
        apply: Callable[[float, float], object],
        *,
        arrows: bool = False,
    ) -> None:
        self._viewer, self._apply, self._arrows = viewer, apply, arrows
        self._first = first
        self._drag: tuple[tuple[int, int], tuple[float, float]] | None = None
        self.extra = ""
        self.set(*first)
        events = {
            "RightButtonPressEvent": self._press,
            "MouseMoveEvent": self._move,
            "RightButtonReleaseEvent": self._end,
        }
        add = viewer.interactor.AddObserver
        self._observers = {name: add(name, call, _BEFORE_STYLE) for name, call in events.items()}
        viewer.first_keys.append(self._key)

    def remove(self) -> None:
        """Leave mouse and keys to others."""
        for observer in self._observers.values():
            self._viewer.interactor.RemoveObserver(observer)
        self._observers.clear()
        if self._key in self._viewer.first_keys:
            self._viewer.first_keys.remove(self._key)
        self._viewer.show_status("")

    def set(self, window: float, level: float) -> None:
        """Change both; a window below 0 is its opposite."""
        self.window, self.level = max(abs(window), 1e-30), level
        self._apply(self.window, self.level)
        self.show()

    def start_with(self, window: float, level: float) -> None:
        """Change both, and what a reset brings back."""
        self._first = (window, level)
        self.set(window, level)

    def show(self, extra: str | None = None) -> None:
        """Write both into the status of the window, with a line of text if there is one."""
        self.extra = self.extra if extra is None else extra
        self._viewer.show_status(f"window {self.window:.4g}, level {self.level:.4g}\n{self.extra}".strip())

    def _key(self, symbol: str, _: str) -> bool:
        if symbol == _RESET:
            self.set(*self._first)
        elif symbol in _ARROWS and (self._arrows or self._viewer.interactor.GetShiftKey()):
            wider, higher = _ARROWS[symbol]
            self.set(self.window * (1 + wider * _STEP), self.level + higher * _STEP * self.window)
        else:
            return False
        self._viewer.render_soon()
        return True

    # Dragging

    def _press(self, *_: object) -> None:
        if not (self._viewer.interactor.GetShiftKey() or self._viewer.interactor.GetControlKey()):
            self._drag = (self._viewer.interactor.GetEventPosition(), (self.window, self.level))
            self._swallow("RightButtonPressEvent")

    def _move(self, *_: object) -> None:
        if self._drag is None:
            return
        (x0, y0), (window, level) = self._drag
        x, y = self._viewer.interactor.GetEventPosition()
        width, height = self._viewer.window.GetSize()
        self.set(window * math.exp(3 * (x - x0) / width), level - 2 * window * (y - y0) / height)
        self._viewer.render_soon()
        self._swallow("MouseMoveEvent")

    def _end(self, *_: object) -> None:
        if self._drag is not None:
            self._drag = None
            self._swallow("RightButtonReleaseEvent")

    def _swallow(self, event: str) -> None:
        """Keep an event from the interactor style and from widgets."""
        command: Any = self._viewer.interactor.GetCommand(self._observers[event])
        command.AbortFlagOn()
