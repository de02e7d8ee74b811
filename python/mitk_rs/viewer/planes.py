"""Three orthogonal slices of an image in a window, with the voxel under a click and a tint for an interval of values.

Left button: cursor with position and value; middle: push the slice; right: window/level. The slices start in the middle
of each axis, the camera looks at the axial one as radiologists do; arrow keys and page keys move them one voxel.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mitk_rs._platform import vtk
from mitk_rs.projection.camera import view_along
from mitk_rs.projection.picture import in_window, robust_range
from mitk_rs.viewer.window import ViewerWindow
from mitk_rs.viewer.window_level import WINDOW_LEVEL_KEYS, WindowLevel

__all__ = ["PLANE_KEYS", "ImagePlanes", "scalar_array"]

Index = tuple[int, int, int]
_SHADES = 4096
_TINT = (1.0, 0.45, 0.2)
# Voxels that are enough to find the first window.
_ENOUGH = 1_000_000
PLANE_KEYS = (
    ("arrow keys, page keys", "move the slices"),
    ("left button", "position and value"),
    ("middle button", "push a slice"),
    *WINDOW_LEVEL_KEYS,
)
_STEPS = {"Right": (0, 1), "Left": (0, -1), "Prior": (1, 1), "Next": (1, -1), "Up": (2, 1), "Down": (2, -1)}


class ImagePlanes:
    """The slices.

    Parameters
    ----------
    window
        Where they are shown.
    image
        ``vtkImageData`` with scalars.
    axes
        Patient directions (LPS) of the axes of the image, as the columns of a matrix.
    on_control_click
        Called with the voxel ``(i, j, k)`` of a click with Ctrl held.
    interpolate
        Whether grey values are interpolated on the slices.
    margins
        Whether the slices have margins by which they are tilted.
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
        self._window = window
        self._image = image
        self._clicked = on_control_click
        self._range = image.GetScalarRange()
        self._axes = np.eye(3) if axes is None else np.asarray(axes)
        self._tint: tuple[float, float] | None = None
        self.widgets = [self._make(axis, interpolate=interpolate, margins=margins) for axis in range(3)]
        self._share_grey()
        window.set_patient_axes(self._axes)
        low, high = robust_range(_some_values(image))
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

    def _share_grey(self) -> None:
        table = self.widgets[0].GetLookupTable()
        table.SetNumberOfTableValues(_SHADES)
        table.SetTableRange(*self._range)
        for widget in self.widgets:
            widget.UserControlledLookupTableOn()
            widget.SetLookupTable(table)

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


def _some_values(image: Any) -> Any:
    values = scalar_array(image).ravel()
    return values[:: len(values) // _ENOUGH | 1]
