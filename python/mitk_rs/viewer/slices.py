"""Slices of an image in a window, and what is shown with them: seeds, surfaces, a box; window and level.

Of three orthogonal slices: the voxel under a click and a tint for an interval of values.

Left button: cursor with position and value; middle: push the slice; right: window/level. The slices start in the middle
of each axis, the camera looks at the axial one as radiologists do; arrow keys and page keys move them one voxel.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mitk_rs._platform import vtk
from mitk_rs.projection.camera import view_along
from mitk_rs.projection.picture import in_window, robust_range
from mitk_rs.viewer.window import STANDARD_KEYS, ViewerWindow

__all__ = ["PLANE_KEYS", "ImagePlanes", "SeedMarkers", "SurfaceShape", "WindowLevel", "choose_box", "scalar_array"]

Index = tuple[int, int, int]
_SHADES = 4096
_TINT = (1.0, 0.45, 0.2)
# Voxels that are enough to find the first window.
_ENOUGH = 1_000_000
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
PLANE_KEYS = (
    ("arrow keys, page keys", "move the slices"),
    ("left button", "position and value"),
    ("middle button", "push a slice"),
    *WINDOW_LEVEL_KEYS,
)
_STEPS = {"Right": (0, 1), "Left": (0, -1), "Prior": (1, 1), "Next": (1, -1), "Up": (2, 1), "Down": (2, -1)}


class WindowLevel:
    """Window and level of what a window shows, changed by dragging with the right button and by keys, and set back.

    Black is ``level - window / 2``, white ``level + window / 2``. ``apply`` is called with both whenever they change,
    before the picture is drawn; ``first`` is what a reset brings back. With ``arrows`` arrow keys change them without
    Shift, too.
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


class ImagePlanes:
    """The slices of ``vtkImageData``.

    ``axes`` are the patient directions (LPS) of its axes, as the columns of a matrix; the world by default.
    ``on_control_click`` is called with the voxel ``(i, j, k)`` of a click with Ctrl held. With ``margins`` the slices
    have margins by which they are tilted.
    """

    def __init__(
        self,
        window: ViewerWindow,
        image: Any,
        *,
        axes: Any = None,
        on_control_click: Callable[[Index], None] | None = None,
        interpolate: bool = True,
        margins: bool = False,
    ) -> None:
        self._window, self._image, self._clicked = window, image, on_control_click
        self._range = image.GetScalarRange()
        self._axes = np.eye(3) if axes is None else np.asarray(axes)
        self._tint: tuple[float, float] | None = None
        self.widgets = [self._make(axis, interpolate=interpolate, margins=margins) for axis in range(3)]
        table = self.widgets[0].GetLookupTable()
        table.SetNumberOfTableValues(_SHADES)
        table.SetTableRange(*self._range)
        for widget in self.widgets:
            widget.UserControlledLookupTableOn()
            widget.SetLookupTable(table)
        window.set_patient_axes(self._axes)
        values = scalar_array(image).ravel()
        low, high = robust_range(values[:: len(values) // _ENOUGH | 1])
        self.grey = WindowLevel(window, (high - low, (low + high) / 2), self._colour)
        self._show_position()

    def _make(self, axis: int, *, interpolate: bool, margins: bool) -> Any:
        widget = vtk("vtkInteractionWidgets").vtkImagePlaneWidget()
        widget.SetInteractor(self._window.interactor)
        picker = vtk("vtkRenderingCore").vtkCellPicker()
        picker.SetTolerance(0.005)
        widget.SetPicker(picker)
        widget.KeyPressActivationOff()
        widget.SetInputData(self._image)
        widget.SetPlaneOrientation(axis)
        widget.SetSliceIndex(sum(self._image.GetExtent()[2 * axis : 2 * axis + 2]) // 2)
        widget.SetTextureInterpolate(interpolate)
        widget.DisplayTextOff()
        size = 0.05 if margins else 0.0
        widget.SetMarginSizeX(size)
        widget.SetMarginSizeY(size)
        widget.AddObserver("StartInteractionEvent", self._interaction_started)
        widget.AddObserver("InteractionEvent", self._show_position)
        widget.AddObserver("EndInteractionEvent", self._show_position)
        widget.On()
        return widget

    def look(self) -> None:
        """Show everything, the slice nearest to an axial one from the feet with the front up."""
        axial = int(np.argmax(np.abs(self._axes[2])))
        view = view_along(self._axes, self._image.GetSpacing(), axial)
        to_scene = np.linalg.inv(self._axes)
        right, down = to_scene @ view.right, to_scene @ view.down
        self._window.look(np.cross(right, down).tolist(), (-down).tolist())

    # Grey values

    def tint(self, interval: tuple[float, float] | None) -> None:
        """Show the voxels of an interval of values in colour; ``None`` shows grey only."""
        if interval != self._tint:
            self._tint = interval
            self._colour(self.grey.window, self.grey.level)

    def _colour(self, window: float, level: float) -> None:
        table = self.widgets[0].GetLookupTable()
        values = np.linspace(self._range[0], self._range[1], _SHADES)
        grey = in_window(values, level - window / 2, level + window / 2)
        colours = np.repeat(grey[:, np.newaxis], 3, axis=1)
        if self._tint is not None:
            tinted = (self._tint[0] <= values) & (values <= self._tint[1])
            colours[tinted] = 0.35 * colours[tinted] + 0.65 * np.array(_TINT)
        opaque = np.full((_SHADES, 4), 255, np.uint8)
        opaque[:, :3] = np.floor(colours * 255 + 0.5)
        table.SetTable(vtk("util.numpy_support").numpy_to_vtk(opaque, deep=True))

    # Mouse and keys

    def _interaction_started(self, widget: Any, _: str) -> None:
        if self._clicked is None or not self._window.interactor.GetControlKey():
            return
        data = [0.0, 0.0, 0.0, 0.0]
        if widget.GetCursorData(data):
            index = (math.floor(data[0] + 0.5), math.floor(data[1] + 0.5), math.floor(data[2] + 0.5))
            self._window.guarded(functools.partial(self._clicked, index))

    def key(self, symbol: str) -> bool:
        """Move a slice by a key; whether the key does that."""
        if symbol not in _STEPS:
            return False
        axis, step = _STEPS[symbol]
        self.set_slice(axis, self.widgets[axis].GetSliceIndex() + step)
        self._show_position()
        self._window.render_soon()
        return True

    def _show_position(self, widget: Any = None, _: str = "") -> None:
        """Show the indices of the slices, or the voxel of the cursor and its value."""
        data = [0.0, 0.0, 0.0, 0.0]
        if widget is not None and widget.GetCursorData(data):
            where, value = " ".join(f"{position:.0f}" for position in data[:3]), f": {data[3]:.6g}"
            self.grey.show(f"voxel {where}{value}")
        else:
            self.grey.show("slices " + " ".join(str(plane.GetSliceIndex()) for plane in self.widgets))

    def set_slice(self, axis: int, index: int) -> None:
        """Show another slice, as far as there is one."""
        first, last = self._image.GetExtent()[2 * axis : 2 * axis + 2]
        self.widgets[axis].SetSliceIndex(min(max(index, first), last))

    def remove(self) -> None:
        """Take the slices out of the window."""
        self.grey.remove()
        for widget in self.widgets:
            widget.Off()
            widget.SetInteractor(None)


def scalar_array(image: Any) -> Any:
    """Scalars of ``vtkImageData``, of several components the first, as an array ``(z, y, x)`` that shares memory."""
    values = vtk("util.numpy_support").vtk_to_numpy(image.GetPointData().GetScalars())
    values = values[:, 0] if values.ndim > 1 else values
    return values.reshape(image.GetDimensions()[::-1])


def choose_box(
    window: ViewerWindow, image: Any, bounds: Sequence[float] | None = None, *, axes: Any = None
) -> list[float] | None:
    """Show the slices of an image and let the user place a box: ``i`` shows and hides it, ``q`` goes on.

    ``bounds`` is where the box is at first, x0 x1 y0 y1 z0 z1; it is shown at once if they are given, and around the
    whole image else. The bounds at the end are returned, ``None`` where the box was not shown then.
    """
    planes = ImagePlanes(window, image, axes=axes)
    widget = _box_widget(window, image, bounds)

    def toggle() -> None:
        widget.SetEnabled(not widget.GetEnabled())
        window.render()

    window.bind("i", "show or hide the box", toggle)
    window.show_keys([("i", "show or hide the box"), ("q", "crop to it and go on"), *PLANE_KEYS, *STANDARD_KEYS])
    window.show_prompt("i shows or hides the box, q crops to it and goes on")
    window.on_key = lambda symbol, _: planes.key(symbol)
    planes.look()
    window.run()
    outline = vtk("vtkCommonDataModel").vtkPolyData()
    widget.GetPolyData(outline)
    chosen = list(outline.GetBounds()) if widget.GetEnabled() else None
    widget.Off()
    window.unbind("i")
    window.show_keys(None)
    window.show_prompt("")
    planes.remove()
    return chosen


def _box_widget(window: ViewerWindow, image: Any, bounds: Sequence[float] | None) -> Any:
    widget = vtk("vtkInteractionWidgets").vtkBoxWidget()
    widget.SetInteractor(window.interactor)
    widget.SetPriority(1.0)
    widget.SetHandleSize(0.01)
    widget.RotationEnabledOff()
    widget.KeyPressActivationOff()
    widget.SetPlaceFactor(1.0)
    widget.PlaceWidget(*(image.GetBounds() if bounds is None else bounds))
    if bounds is not None:
        widget.On()
    return widget


class SeedMarkers:
    """Spheres at seeds, 2 % of the image's diagonal in diameter."""

    def __init__(self, window: ViewerWindow, diagonal: float, *, colour: Sequence[float]) -> None:
        self._window = window
        self.points: Any = vtk("vtkCommonDataModel").vtkPolyData()
        glyphs = vtk("vtkFiltersCore").vtkGlyph3D()
        glyphs.SetInputData(self.points)
        sphere = vtk("vtkFiltersSources").vtkSphereSource()
        glyphs.SetSourceConnection(sphere.GetOutputPort())
        glyphs.SetScaleModeToDataScalingOff()
        glyphs.SetScaleFactor(0.02 * diagonal)
        self._actor = _actor(window, glyphs.GetOutputPort(), colour)
        # The colour itself, whatever the light.
        self._actor.GetProperty().LightingOff()
        self.show(())

    def show(self, positions: Sequence[Sequence[float]]) -> None:
        """Show spheres at these positions instead of the ones before."""
        points = vtk("vtkCommonCore").vtkPoints()
        for position in positions:
            points.InsertNextPoint(*position)
        self.points.SetPoints(points)
        self.points.Modified()

    def remove(self) -> None:
        """Take the spheres out of the window."""
        self._window.renderer.RemoveActor(self._actor)


class SurfaceShape:
    """A surface that may change or be absent."""

    def __init__(self, window: ViewerWindow, colour: tuple[float, float, float], opacity: float) -> None:
        self._window = window
        self._empty = vtk("vtkCommonDataModel").vtkPolyData()
        self._producer = vtk("vtkCommonExecutionModel").vtkTrivialProducer()
        self._producer.SetOutput(self._empty)
        self.actor = _actor(window, self._producer.GetOutputPort(), colour)
        self.actor.GetProperty().SetOpacity(opacity)

    def show(self, surface: Any | None) -> None:
        """Show another ``vtkPolyData``, or nothing."""
        self._producer.SetOutput(self._empty if surface is None else surface)

    def remove(self) -> None:
        """Take the surface out of the window."""
        self._window.renderer.RemoveActor(self.actor)


def _actor(window: ViewerWindow, port: Any, colour: Sequence[float]) -> Any:
    mapper = vtk("vtkRenderingCore").vtkPolyDataMapper()
    mapper.SetInputConnection(port)
    mapper.ScalarVisibilityOff()
    actor = vtk("vtkRenderingCore").vtkActor()
    actor.SetMapper(mapper)
    actor.GetProperty().SetColor(*colour)
    window.renderer.AddActor(actor)
    return actor
