"""``vmtkrenderer``: one window for several viewers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mitk_rs.viewer.window import ViewerWindow
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkRenderer"]


class vmtkRenderer(pypeScript):
    """A window that scripts share (VMTK's ``vmtkRenderer``).

    Attributes
    ----------
    Window
        The :class:`mitk_rs.viewer.window.ViewerWindow`, after :meth:`Initialize`.
    Renderer, RenderWindow, RenderWindowInteractor
        Its VTK objects.
    """

    def __init__(self) -> None:
        super().__init__()
        self.vmtkRenderer = self
        self.Window: ViewerWindow | None = None
        self.Renderer: Any = None
        self.RenderWindow: Any = None
        self.RenderWindowInteractor: Any = None
        self.WindowSize = [1200, 900]
        self.WindowPosition = [0, 0]
        self.Background = [0.1, 0.1, 0.2]
        self.Annotations = 1
        self.PointSmoothing = 1
        self.LineSmoothing = 1
        self.PolygonSmoothing = 0
        self.ScreenshotMagnification = 4
        self.SetScriptName("vmtkrenderer")
        self.SetScriptDoc("open a window that the viewers behind it share")
        self.SetInputMembers(
            [
                ["WindowSize", "size", "int", 2, "", "width and height of the window"],
                ["WindowPosition", "position", "int", 2, "", "position of the window on the screen"],
                ["Annotations", "annotations", "bool", 1, "", "toggle texts on image slices"],
                ["PointSmoothing", "pointsmoothing", "bool", 1, "", "toggle smooth points"],
                ["LineSmoothing", "linesmoothing", "bool", 1, "", "toggle smooth lines"],
                ["PolygonSmoothing", "polygonsmoothing", "bool", 1, "", "toggle smooth polygons"],
                ["Background", "background", "float", 3, "", "red, green and blue of the background, 0 to 1"],
                ["ScreenshotMagnification", "magnification", "int", 1, "(1,)", "enlargement of screenshots"],
            ]
        )
        self.SetOutputMembers([["vmtkRenderer", "o", "vmtkRenderer", 1, "", "the renderer"]])

    def Initialize(self) -> None:
        """Open the window, unless it is open; off screen where there is no display.

        Raises
        ------
        DisplayError
            There is no display, and neither EGL nor OSMesa to draw without one.
        """
        if self.Window is not None:
            return
        self.Window = ViewerWindow(
            size=(self.WindowSize[0], self.WindowSize[1]),
            background=(self.Background[0], self.Background[1], self.Background[2]),
            magnification=self.ScreenshotMagnification,
        )
        self.Renderer = self.Window.renderer
        self.RenderWindow = self.Window.window
        self.RenderWindowInteractor = self.Window.interactor
        self._apply_window_options()

    def _apply_window_options(self) -> None:
        if any(self.WindowPosition):
            self.RenderWindow.SetPosition(*self.WindowPosition)
        self.RenderWindow.SetPointSmoothing(self.PointSmoothing)
        self.RenderWindow.SetLineSmoothing(self.LineSmoothing)
        self.RenderWindow.SetPolygonSmoothing(self.PolygonSmoothing)

    def AddKeyBinding(
        self, key: str, text: str, callback: Callable[[Any], object] | None = None, group: str | None = None
    ) -> None:
        """Let a key call something, with this renderer's interactor as its argument."""
        self.Initialize()
        assert self.Window is not None
        bound = None if callback is None else lambda: callback(self.RenderWindowInteractor)
        self.Window.bind(key, text, bound)

    def RemoveKeyBinding(self, key: str) -> None:
        """Forget a key."""
        if self.Window is not None:
            self.Window.unbind(key)

    def RegisterScript(self, script: pypeScript) -> None:
        """Make sure that the window is open for a script that is going to use it."""
        self.Initialize()

    def Render(self, interactive: int = 1) -> None:
        """Draw; with ``interactive`` take events until ``q``."""
        self.Initialize()
        assert self.Window is not None
        if interactive:
            self.Window.run()
        else:
            self.Window.render()

    def Execute(self) -> None:
        """Open the window."""
        self.Initialize()

    def Deallocate(self) -> None:
        """Close the window; the script can be initialized again."""
        if self.Window is not None:
            self.Window.close()
        self.Window = self.Renderer = self.RenderWindow = self.RenderWindowInteractor = None
