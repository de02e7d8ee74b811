"""A VTK window with key bindings, lines of text in it, and an event loop that ends when told to.

Where there is no display the window is off screen: everything can be put into it, drawn and written as a screenshot,
with EGL or OSMesa, whichever VTK finds; only :meth:`ViewerWindow.run` needs a display.

The looks and keys are those of VMTK's renderer: background ``(0.1, 0.1, 0.2)``, ``q`` goes on, ``r`` resets the
camera, ``x`` writes a screenshot. VTK's own one-letter keys are off. Nothing here knows what is shown.
"""

from __future__ import annotations

import itertools
import logging
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from ctypes.util import find_library
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np

from mitk_rs._platform import has_display, held_interrupts, require_display, vtk
from mitk_rs.errors import DisplayError, FileWriteError
from mitk_rs.io.vtk import vtk_messages
from mitk_rs.projection.camera import Gaze, angles_of
from mitk_rs.projection.picture import bar_length, write_picture

__all__ = ["RETURN_KEYS", "STANDARD_KEYS", "ViewerWindow", "typed"]

_logger = logging.getLogger("mitk_rs.viewer")

Callback = Callable[[], object]
KeyUser = Callable[[str, str], bool]
RETURN_KEYS = ("Return", "KP_Enter")
# Keys of every window that are not taken as text.
STANDARD_KEYS = (("r", "reset camera"), ("x", "screenshot"), ("F1", "hide or show the keys"))
_FIRST = 10.0
_TIMER_MILLISECONDS = 25
# Seconds after the last picture of a quick series until the picture is drawn as finely as it can be.
_REST = 0.3


_LEFT, _CENTRED, _RIGHT = 0, 1, 2
_BOTTOM, _MIDDLE, _TOP = 0, 1, 2
_SIDES = {"left": (_LEFT, _MIDDLE), "right": (_RIGHT, _MIDDLE), "top": (_CENTRED, _TOP), "bottom": (_CENTRED, _BOTTOM)}
_GREY, _YELLOW, _CYAN = (0.9, 0.9, 0.9), (1.0, 1.0, 0.6), (0.5, 0.95, 1.0)
# Height of letters in a window of 1200 x 900 pixels; smaller and larger ones have smaller and larger letters.
_SMALL, _LARGE = 15, 20


def typed(text: str, symbol: str, character: str) -> str:
    """A typed text after one more key: a character is added, BackSpace takes the last one away."""
    if symbol == "BackSpace":
        return text[:-1]
    return text + character if character and character.isprintable() else text


class ViewerWindow:
    """One window of ``size`` pixels; ``magnification`` is how much larger than it a screenshot is.

    Attributes
    ----------
    renderer, window, interactor
        The VTK objects; :attr:`style` is the interactor style.
    on_key
        Called with VTK's key symbol and the typed character of every key; returns whether it used the key.
        Keys that it did not use go to the bindings.
    first_keys
        Called before :attr:`on_key`, in the same way.
    on_notice
        Called with what is worth telling outside of the window, too, such as the name of a screenshot.

    Raises
    ------
    DisplayError
        There is no display, and neither EGL nor OSMesa to draw without one.
    """

    def __init__(
        self,
        *,
        size: tuple[int, int] = (1200, 900),
        background: tuple[float, float, float] = (0.1, 0.1, 0.2),
        magnification: int = 4,
    ) -> None:
        # Importing the implementations for this machine registers them.
        for module in ("vtkInteractionStyle", "vtkRenderingFreeType", "vtkRenderingOpenGL2"):
            vtk(module)
        on_screen = has_display()
        self.renderer: Any = vtk("vtkRenderingCore").vtkRenderer()
        self.renderer.SetBackground(*background)
        self.window: Any = _render_window(on_screen=on_screen)
        self.window.AddRenderer(self.renderer)
        self.window.SetSize(*size)
        self.set_title("")
        kind = vtk("vtkRenderingCore").vtkRenderWindowInteractor
        self.interactor: Any = kind() if on_screen else vtk("vtkRenderingUI").vtkGenericRenderWindowInteractor()
        self.interactor.SetRenderWindow(self.window)
        self.style: Any = vtk("vtkInteractionStyle").vtkInteractorStyleTrackballCamera()
        self.interactor.SetInteractorStyle(self.style)
        self.magnification = magnification
        self.on_key: KeyUser | None = None
        self.first_keys: list[KeyUser] = []
        self.on_close: Callback | None = None
        self.on_notice: Callable[[str], object] = _logger.info
        self._bindings: dict[str, tuple[str, Callback | None]] = {}
        self._keys: Sequence[tuple[str, str]] | None = None
        self._shows_keys = True
        self._failure: BaseException | None = None
        # Whether the event loop runs, the picture is out of date, and it was drawn in haste, and when.
        self._running = self._stale = False
        self._hasty: float | None = None
        self._annotations = _Annotations(self.renderer)
        # VTK's own keys (e, q, s, p, w, 3, ...) come as CharEvent to its style and widgets; nobody gets to see those.
        self._characters = self.interactor.AddObserver("CharEvent", self._swallow, _FIRST)
        self.interactor.AddObserver("KeyPressEvent", lambda *_: self.guarded(self._take_key))
        self.interactor.AddObserver("ExitEvent", self._closed)
        self.bind("q", "quit and proceed", self.stop)
        self.bind("r", "reset camera", self.reset_camera)
        self.bind("x", "screenshot", self.photograph)
        self.bind("F1", "hide or show the keys", self._toggle_keys)
        # Widgets draw when they are turned on; nothing is to be seen before all is in its place.
        self.interactor.EnableRenderOff()
        # From now on the window takes keys, so none is lost that comes before the first picture.
        self.interactor.Initialize()

    def _swallow(self, *_: object) -> None:
        self.interactor.GetCommand(self._characters).AbortFlagOn()

    # Keys

    def bind(self, key: str, text: str, callback: Callback | None = None) -> None:
        """Let a key (VTK's key symbol) call something; ``text`` stands in the window."""
        self._bindings[key] = (text, callback)
        self._show_help()

    def unbind(self, key: str) -> None:
        """Forget a key."""
        self._bindings.pop(key, None)
        self._show_help()

    def show_keys(self, keys: Iterable[tuple[str, str]] | None) -> None:
        """Name the keys that work now and what they do; ``None`` names those of :meth:`bind`."""
        self._keys = None if keys is None else list(keys)
        self._show_help()

    def _show_help(self) -> None:
        bound = [(key, text) for key, (text, _) in sorted(self._bindings.items()) if text]
        keys = bound if self._keys is None else self._keys
        self._annotations.keys = "\n".join(f"{key}: {text}" for key, text in keys) if self._shows_keys else ""

    def _toggle_keys(self) -> None:
        self._shows_keys = not self._shows_keys
        self._show_help()
        self.render()

    def guarded(self, action: Callback) -> None:
        """Do something on behalf of an event: what it raises ends :meth:`run` and comes out there.

        VTK would print the exception of an observer and go on.
        """
        try:
            action()
        except BaseException as error:
            self._failure = error
            self.stop()

    def _take_key(self) -> None:
        symbol, character = self.interactor.GetKeySym() or "", self.interactor.GetKeyCode() or ""
        self._annotations.notice = ""
        users = [*self.first_keys, *([] if self.on_key is None else [self.on_key])]
        if symbol != "F1" and any(user(symbol, character) for user in users):
            return
        callback = self._bindings.get(symbol, ("", None))[1]
        if callback is not None:
            callback()

    def _closed(self, *_: object) -> None:
        if self.on_close is not None:
            self.on_close()
        self.stop()

    # Showing

    def set_title(self, name: str) -> None:
        """Name the window after what it shows."""
        self.window.SetWindowName(f"{name} - mitk_rs" if name else "mitk_rs")

    def show_prompt(self, text: str) -> None:
        """Write lines at the bottom of the window."""
        self._annotations.prompt = text

    def show_status(self, text: str) -> None:
        """Write lines at the upper right of the window."""
        self._annotations.status = text

    def show_annotations(self, shown: bool) -> None:  # noqa: FBT001
        """Show or hide status, letters and scale bar."""
        self._annotations.quiet = not shown

    def set_patient_axes(self, axes: Any) -> None:
        """Say which patient directions (LPS) the axes of the scene have, as the columns of a matrix.

        Letters at the sides, angles and a scale bar are shown from then on; ``None`` takes them away.
        """
        self._annotations.axes = None if axes is None else np.asarray(axes, np.float64).reshape(3, 3)

    def look(self, forward: Sequence[float], up: Sequence[float]) -> None:
        """Show everything, seen along a direction of the scene."""
        camera = self.renderer.GetActiveCamera()
        camera.SetPosition(*(-np.asarray(forward, np.float64)))
        camera.SetFocalPoint(0, 0, 0)
        camera.SetViewUp(*up)
        self.renderer.ResetCamera()

    def render(self) -> None:
        """Draw."""
        self._stale = False
        self.window.Render()

    def render_soon(self) -> None:
        """Draw when no event waits, once for all calls until then, and with less detail while they go on."""
        if self._running:
            self._stale = True
        else:
            self.render()

    def _tick(self, *_: object) -> None:
        self.guarded(self._draw_what_waits)

    def _draw_what_waits(self) -> None:
        # VTK's mappers take fewer samples where a high rate of pictures is wished for.
        if self._stale:
            self.window.SetDesiredUpdateRate(self.interactor.GetDesiredUpdateRate())
            self.render()
            self._hasty = monotonic()
        elif self._hasty is not None and monotonic() - self._hasty > _REST:
            self._hasty = None
            self.window.SetDesiredUpdateRate(self.interactor.GetStillUpdateRate())
            self.render()

    def reset_camera(self) -> None:
        """Show everything, from where the camera is."""
        self.renderer.ResetCamera()
        self.render()

    def notify(self, text: str) -> None:
        """Show a message until the next key, and tell it outside of the window."""
        self._annotations.notice = text
        self.render_soon()
        self.on_notice(text)

    def photograph(self) -> None:
        """Write a screenshot to the current folder and say its name."""
        # A projection of sixteen times the pixels takes a while.
        self._annotations.notice = "writing a screenshot ..."
        self.render()
        self._annotations.notice = ""
        try:
            said = f"wrote {self.screenshot()}"
        except FileWriteError as error:
            said = str(error)
        self.notify(said)

    def screenshot(self, path: Path | None = None) -> Path:
        """Write a PNG of the window and return its name, ``vmtk-screenshot-N.png`` in the current folder by default."""
        target = path if path is not None else _free_name()
        write_picture(self._pixels(), target, suffix=".png")
        return target

    def _pixels(self) -> Any:
        """What the window shows as an array ``(y, x, 3)``, magnified: drawn anew in that size, letters too."""
        large = _render_window(on_screen=False)
        large.SetSize(*(self.magnification * length for length in self.window.GetSize()))
        large.SetDPI(self.magnification * self.window.GetDPI())
        self.window.RemoveRenderer(self.renderer)
        large.AddRenderer(self.renderer)
        try:
            large.Render()
            grab = vtk("vtkRenderingCore").vtkWindowToImageFilter()
            grab.SetInput(large)
            grab.ReadFrontBufferOff()
            grab.ShouldRerenderOff()
            grab.Update()
        finally:
            large.RemoveRenderer(self.renderer)
            large.Finalize()
            self.window.AddRenderer(self.renderer)
            self.render_soon()
        shown = grab.GetOutput()
        width, height, _ = shown.GetDimensions()
        colours = vtk("util.numpy_support").vtk_to_numpy(shown.GetPointData().GetScalars())
        # VTK's pictures begin at the bottom.
        return colours.reshape(height, width, -1)[::-1].copy()

    # Running

    def run(self) -> None:
        """Show the window and take events until :meth:`stop`, ``q``, Ctrl-C or the closing of the window."""
        require_display("the window")
        self.render()
        # VTK's loop keeps the interpreter to itself: where nothing happens in the window, Python sees no signal. A
        # timer lets it. An exception must not be raised there, because VTK would end the process.
        timer = self.interactor.CreateRepeatingTimer(_TIMER_MILLISECONDS)
        tick = self.interactor.AddObserver("TimerEvent", self._tick)
        self._running = True
        self.interactor.EnableRenderOn()
        try:
            with held_interrupts(self.stop):
                self.interactor.Start()
        finally:
            self._running = False
            self.interactor.EnableRenderOff()
            self.interactor.RemoveObserver(tick)
            self.interactor.DestroyTimer(timer)
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def stop(self) -> None:
        """End :meth:`run`; the window stays."""
        self.interactor.TerminateApp()

    def close(self) -> None:
        """Close the window for good."""
        self.on_key = self.on_close = None
        self.window.Finalize()
        self.interactor.TerminateApp()


class _Annotations:
    """What is written over a window: keys, status, question, sides of the patient, angles and a scale bar.

    Everything is placed anew for every picture, so it fits windows of any size and screenshots of any magnification.
    ``axes`` are the patient directions (LPS) of the axes of the scene, as columns; without them letters,
    angles and scale bar are left out. ``quiet`` hides status, letters and scale bar.
    """

    def __init__(self, renderer: Any) -> None:
        self._renderer = renderer
        self.prompt = self.notice = self.keys = self.status = ""
        self.axes: Any = None
        self.quiet = False
        self._keys = self._text(_LEFT, _TOP, _GREY)
        self._status = self._text(_RIGHT, _TOP, _GREY)
        self._prompt = self._text(_CENTRED, _BOTTOM, _YELLOW)
        self._length = self._text(_RIGHT, _BOTTOM, _CYAN)
        self._letters = {side: self._text(*place, _CYAN) for side, place in _SIDES.items()}
        self._bar = self._lines()
        renderer.AddObserver("StartEvent", self._lay_out)

    def _text(self, across: int, along: int, colour: Sequence[float]) -> Any:
        actor = vtk("vtkRenderingCore").vtkTextActor()
        style = actor.GetTextProperty()
        style.SetColor(*colour)
        style.SetJustification(across)
        style.SetVerticalJustification(along)
        style.SetBackgroundColor(0.0, 0.0, 0.0)
        style.SetBackgroundOpacity(0.6)
        self._renderer.AddViewProp(actor)
        return actor

    def _lines(self) -> Any:
        self._ends = vtk("vtkCommonDataModel").vtkPolyData()
        mapper = vtk("vtkRenderingCore").vtkPolyDataMapper2D()
        mapper.SetInputData(self._ends)
        actor = vtk("vtkRenderingCore").vtkActor2D()
        actor.SetMapper(mapper)
        actor.GetProperty().SetColor(*_CYAN)
        self._renderer.AddViewProp(actor)
        return actor

    # Placing

    @property
    def _window(self) -> Any:
        """The window that is drawn into: for screenshots it is another one."""
        return self._renderer.GetRenderWindow()

    def _lay_out(self, *_: object) -> None:
        width, height = self._window.GetSize()
        self._scale = self._window.GetDPI() / 72
        fit = min(max(min(width / 1200, height / 900) / self._scale, 0.8), 1.5)
        edge = round(8 * self._scale)
        small, large = round(_SMALL * fit), round(_LARGE * fit)
        question = "\n".join(text for text in (self.notice, self.prompt) if text)
        below = edge + self._put(self._prompt, question, large, (width // 2, edge), width - 2 * edge)
        below += edge if question else 0
        self._put(self._keys, self.keys, small, (edge, height - edge), width // 2)
        status = "" if self.quiet else "\n".join([self.status, *self._angles()]).strip()
        self._put(self._status, status, small, (width - edge, height - edge), width // 2)
        self._put_letters(large, (width, height), edge, below)
        self._put_bar(small, (width - edge, below), width / 4)

    def _put(self, actor: Any, text: str, size: int, place: tuple[int, int], room: int) -> int:
        """Show a text, wrapped to the room there is; how high it is."""
        actor.SetVisibility(bool(text))
        if not text:
            return 0
        style = actor.GetTextProperty()
        style.SetFontSize(size)
        lines = "\n".join(self._wrapped(style, text.split("\n"), room))
        actor.SetInput(lines)
        actor.SetPosition(*place)
        return self._extent(style, lines)[1]

    def _wrapped(self, style: Any, lines: Iterable[str], room: int) -> Iterable[str]:
        for line in lines:
            pieces, columns = [line], len(line)
            while columns > 8 and max(self._extent(style, piece)[0] for piece in pieces) > room:
                columns -= max(1, columns // 20)
                pieces = textwrap.wrap(line, columns, drop_whitespace=False)
            yield from pieces

    def _extent(self, style: Any, text: str) -> tuple[int, int]:
        """Width and height of a text in pixels."""
        box = [0, 0, 0, 0]
        renderer = vtk("vtkRenderingCore").vtkTextRenderer.GetInstance()
        if not text or not renderer.GetBoundingBox(style, text, box, self._window.GetDPI()):
            return 0, 0
        return box[1] - box[0] + 1, box[3] - box[2] + 1

    # The patient

    def _gaze(self) -> Gaze:
        """Patient directions of the picture."""
        camera = self._renderer.GetActiveCamera()
        forward, up = np.array(camera.GetDirectionOfProjection()), np.array(camera.GetViewUp())
        right = np.cross(forward, up)
        right /= np.linalg.norm(right)
        down = np.cross(forward, right)
        return Gaze(self.axes @ forward, self.axes @ right, self.axes @ down)

    def _angles(self) -> list[str]:
        if self.axes is None:
            return []
        azimuth, elevation = angles_of(self._gaze().forward)
        return [f"azimuth {azimuth:.0f}, elevation {elevation:.0f}"]

    def _put_letters(self, size: int, extent: tuple[int, int], edge: int, below: int) -> None:
        letters = {} if self.axes is None or self.quiet else self._gaze().letters
        (width, height), middle = extent, (extent[0] // 2, (extent[1] + below) // 2)
        places = {
            "left": (edge, middle[1]),
            "right": (width - edge, middle[1]),
            "top": (middle[0], height - edge),
            "bottom": (middle[0], below),
        }
        for side, actor in self._letters.items():
            self._put(actor, letters.get(side, ""), size, places[side], width)

    def _millimetres(self) -> float:
        """Of a pixel, where the camera looks at."""
        camera, height = self._renderer.GetActiveCamera(), self._window.GetSize()[1]
        if camera.GetParallelProjection():
            return float(2 * camera.GetParallelScale() / height)
        half = math.tan(math.radians(camera.GetViewAngle()) / 2)
        return float(2 * camera.GetDistance() * half / height)

    def _put_bar(self, size: int, corner: tuple[int, int], longest: float) -> None:
        shown = self.axes is not None and not self.quiet
        self._bar.SetVisibility(shown)
        if not shown:
            self._put(self._length, "", size, corner, 1)
            return
        mm = self._millimetres()
        length = bar_length(longest * mm)
        right, low = corner
        left, tick = right - length / mm, 5 * self._scale
        points, lines = vtk("vtkCommonCore").vtkPoints(), vtk("vtkCommonDataModel").vtkCellArray()
        for ends in (((left, 0), (right, 0)), ((left, -tick), (left, tick)), ((right, -tick), (right, tick))):
            lines.InsertNextCell(2)
            for x, y in ends:
                lines.InsertCellPoint(points.InsertNextPoint(x, low + tick + y, 0))
        self._ends.SetPoints(points)
        self._ends.SetLines(lines)
        self._bar.GetProperty().SetLineWidth(2 * self._scale)
        self._put(self._length, f"{length:g} mm", size, (right, round(low + 3 * tick)), round(longest))


def _free_name() -> Path:
    names = (Path(f"vmtk-screenshot-{number}.png") for number in itertools.count())
    return next(path for path in names if not path.exists())


def _render_window(*, on_screen: bool) -> Any:
    """The window of this machine: on screen, else the first that works of EGL's and OSMesa's."""
    with vtk_messages():
        window = vtk("vtkRenderingCore").vtkRenderWindow()
    if on_screen:
        return window
    # VTK takes OSMesa's window last, whether the library is there or not, and ends the process where it is not.
    if window.GetClassName() == "vtkOSOpenGLRenderWindow" and find_library("OSMesa") is None:
        raise DisplayError("there is no display; to draw without one, install libEGL with a driver, or libOSMesa")
    window.ShowWindowOff()
    window.OffScreenRenderingOn()
    return window
