"""A box over the slices of an image, moved and resized with the mouse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mitk_rs._platform import vtk
from mitk_rs.viewer.planes import PLANE_KEYS, ImagePlanes
from mitk_rs.viewer.window import STANDARD_KEYS, ViewerWindow

__all__ = ["choose_box"]


def choose_box(
    window: ViewerWindow, image: Any, bounds: Sequence[float] | None = None, *, axes: Any = None
) -> list[float] | None:
    """Show an image and let the user place a box: ``i`` shows and hides it, ``q`` goes on.

    Parameters
    ----------
    window
        An open window.
    image
        ``vtkImageData``.
    bounds
        Where the box is at first, x0 x1 y0 y1 z0 z1; shown at once if given, else around the whole image.
    axes
        As for :class:`~mitk_rs.viewer.planes.ImagePlanes`.

    Returns
    -------
    list of float or None
        The bounds of the box, ``None`` where it was not shown when the user went on.
    """
    planes = ImagePlanes(window, image, axes=axes)
    widget = _box_widget(window, image, bounds)
    window.bind("i", "show or hide the box", lambda: _toggle(window, widget))
    window.show_keys([("i", "show or hide the box"), ("q", "crop to it and go on"), *PLANE_KEYS, *STANDARD_KEYS])
    window.show_prompt("i shows or hides the box, q crops to it and goes on")
    window.on_key = lambda symbol, _: planes.key(symbol)
    planes.look()
    window.run()
    chosen = _bounds_of(widget) if widget.GetEnabled() else None
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


def _toggle(window: ViewerWindow, widget: Any) -> None:
    widget.SetEnabled(not widget.GetEnabled())
    window.render()


def _bounds_of(widget: Any) -> list[float]:
    outline = vtk("vtkCommonDataModel").vtkPolyData()
    widget.GetPolyData(outline)
    return list(outline.GetBounds())
