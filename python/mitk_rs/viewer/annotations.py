"""What is written over a window: keys, status, question, sides of the patient, angles and a scale bar.

Everything is placed anew for every picture, so it fits windows of any size and screenshots of any magnification.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mitk_rs._platform import vtk
from mitk_rs.projection.camera import Gaze, angles_of
from mitk_rs.projection.picture import bar_length

__all__ = ["Annotations"]

_LEFT, _CENTRED, _RIGHT = 0, 1, 2
_BOTTOM, _MIDDLE, _TOP = 0, 1, 2
_SIDES = {"left": (_LEFT, _MIDDLE), "right": (_RIGHT, _MIDDLE), "top": (_CENTRED, _TOP), "bottom": (_CENTRED, _BOTTOM)}
_GREY, _YELLOW, _CYAN = (0.9, 0.9, 0.9), (1.0, 1.0, 0.6), (0.5, 0.95, 1.0)
# Height of letters in a window of 1200 x 900 pixels; smaller and larger ones have smaller and larger letters.
_SMALL, _LARGE = 15, 20
_SIZE = (1200, 900)
_LEAST, _MOST = 0.8, 1.5


class Annotations:
    """Texts over the pictures of a renderer.

    Attributes
    ----------
    prompt, notice
        The question at the bottom, and a message above it.
    keys
        Lines at the upper left.
    status
        Lines at the upper right; the angles of the camera follow.
    axes
        Patient directions (LPS) of the axes of the scene, as the columns of a matrix. ``None`` is unknown: there are no
        letters, angles and scale bar then.
    quiet
        Whether status, letters and scale bar are hidden.
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
        fit = min(width / _SIZE[0], height / _SIZE[1]) / self._scale
        fit = min(max(fit, _LEAST), _MOST)
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
