"""Three orthogonal slices of an image in a window, with the voxel under a click and a tint for an interval of values.

Left button: cursor with position and value; middle: push the slice; right: window/level. The slices start at the
first index of each axis, as in VMTK; arrow keys and page keys move them one voxel.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from mitk_rs._vtk import vtk
from mitk_rs.projection.picture import in_window
from mitk_rs.viewer.window import ViewerWindow

__all__ = ["ImagePlanes"]

Index = tuple[int, int, int]
_SHADES = 4096
_TINT = (1.0, 0.45, 0.2)
_STEPS = {"Right": (0, 1), "Left": (0, -1), "Prior": (1, 1), "Next": (1, -1), "Up": (2, 1), "Down": (2, -1)}


class ImagePlanes:
    """The slices.

    Parameters
    ----------
    window
        Where they are shown.
    image
        ``vtkImageData`` with scalars.
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
        on_control_click: Callable[[Index], None] | None = None,
        interpolate: bool = True,
        margins: bool = False,
    ) -> None:
        self._window = window
        self._image = image
        self._clicked = on_control_click
        self._range = image.GetScalarRange()
        self._window_level = (max(self._range[1] - self._range[0], 1e-30), sum(self._range) / 2)
        self._tint: tuple[float, float] | None = None
        self.widgets = [self._make(axis, interpolate=interpolate, margins=margins) for axis in range(3)]
        self._share_grey()

    def _make(self, axis: int, *, interpolate: bool, margins: bool) -> Any:
        widget = vtk("vtkInteractionWidgets").vtkImagePlaneWidget()
        widget.SetInteractor(self._window.interactor)
        picker = vtk("vtkRenderingCore").vtkCellPicker()
        picker.SetTolerance(0.005)
        widget.SetPicker(picker)
        widget.KeyPressActivationOff()
        widget.SetInputData(self._image)
        widget.SetPlaneOrientation(axis)
        widget.SetSliceIndex(self._image.GetExtent()[2 * axis])
        widget.SetTextureInterpolate(interpolate)
        widget.DisplayTextOn()
        size = 0.05 if margins else 0.0
        widget.SetMarginSizeX(size)
        widget.SetMarginSizeY(size)
        widget.AddObserver("StartInteractionEvent", self._interaction_started)
        widget.On()
        return widget

    def _share_grey(self) -> None:
        table = self.widgets[0].GetLookupTable()
        table.SetNumberOfTableValues(_SHADES)
        table.SetTableRange(*self._range)
        for widget in self.widgets:
            widget.UserControlledLookupTableOn()
            widget.SetLookupTable(table)
        self._colour()

    # Grey values

    def set_window_level(self, window: float, level: float) -> None:
        """Black at ``level - window / 2``, white at ``level + window / 2``."""
        self._window_level = (window, level)
        self._colour()

    def tint(self, interval: tuple[float, float] | None) -> None:
        """Show the voxels of an interval of values in colour; ``None`` shows grey only."""
        if interval != self._tint:
            self._tint = interval
            self._colour()

    def _colour(self) -> None:
        table = self.widgets[0].GetLookupTable()
        values = np.linspace(self._range[0], self._range[1], _SHADES)
        width, level = self._window_level
        colours = np.repeat(in_window(values, level - width / 2, level + width / 2)[:, np.newaxis], 3, axis=1)
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
        self._window.render()
        return True

    def set_slice(self, axis: int, index: int) -> None:
        """Show another slice, as far as there is one."""
        first, last = self._image.GetExtent()[2 * axis : 2 * axis + 2]
        self.widgets[axis].SetSliceIndex(min(max(index, first), last))

    def remove(self) -> None:
        """Take the slices out of the window."""
        for widget in self.widgets:
            widget.Off()
            widget.SetInteractor(None)
