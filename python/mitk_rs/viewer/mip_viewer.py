"""Maximum intensity projection in a window: what VMTK's ``vmtkimagemipviewer`` shows.

The volume is cast on VTK's CPU mapper with maximum intensity blending. The grey ramp is black at
``level - window / 2`` and white at ``level + window / 2``; without a window it is the range of the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mitk_rs._platform import require_display, vtk
from mitk_rs.errors import RequestError, brief
from mitk_rs.interop import as_image

if TYPE_CHECKING:
    from mitk_rs.viewer.window import ViewerWindow

__all__ = ["MipVolume", "mip_volume", "show"]


class MipVolume:
    """A VTK volume with its grey ramp.

    Attributes
    ----------
    volume
        ``vtkVolume``, to be added to any renderer, beside surfaces for instance.
    """

    def __init__(self, data: Any, placement: Any, opacity: Sequence[float] | None) -> None:
        # Importing the implementations for this machine registers them.
        vtk("vtkRenderingOpenGL2")
        vtk("vtkRenderingVolumeOpenGL2")
        self.range: tuple[float, float] = data.GetScalarRange()
        self._opacity = opacity or (1.0, 1.0)
        self._ramp = vtk("vtkRenderingCore").vtkColorTransferFunction()
        self.mapper = vtk("vtkRenderingVolume").vtkFixedPointVolumeRayCastMapper()
        self.mapper.SetInputData(data)
        self.mapper.SetBlendModeToMaximumIntensity()
        self.property = vtk("vtkRenderingCore").vtkVolumeProperty()
        self.property.SetInterpolationTypeToLinear()
        self.property.SetColor(self._ramp)
        self.volume = vtk("vtkRenderingCore").vtkVolume()
        self.volume.SetMapper(self.mapper)
        self.volume.SetProperty(self.property)
        if placement is not None:
            self.volume.SetUserMatrix(placement)

    def set_window(self, window: float, level: float) -> None:
        """Black at ``level - window / 2``, white at ``level + window / 2``; all of the range for a window of 0."""
        low, high = (level - window / 2, level + window / 2) if window > 0 else self.range
        self.window, self.level = high - low, (low + high) / 2
        top = high if high > low else low + 1e-6
        self._ramp.RemoveAllPoints()
        self._ramp.AddRGBPoint(low, 0, 0, 0)
        self._ramp.AddRGBPoint(top, 1, 1, 1)
        opacity = vtk("vtkCommonDataModel").vtkPiecewiseFunction()
        opacity.AddPoint(low, self._opacity[0])
        opacity.AddPoint(top, self._opacity[1])
        self.property.SetScalarOpacity(opacity)

    def robust_window(self) -> tuple[float, float]:
        """Window and level that leave out the darkest and brightest pixels of the projection along z."""
        from mitk_rs.projection.picture import robust_range
        from mitk_rs.viewer.slices import scalar_array

        low, high = robust_range(scalar_array(self.mapper.GetInput()).max(axis=0))
        return (high - low, (low + high) / 2)

    def set_sampling(self, distance: float, *, automatic: bool) -> None:
        """Distance of samples in mm. ``automatic`` lets VTK coarsen it while the camera moves."""
        self.mapper.SetAutoAdjustSampleDistances(automatic)
        self.mapper.SetSampleDistance(distance)
        self.mapper.SetInteractiveSampleDistance(2 * distance)


def mip_volume(
    image: Any,
    *,
    array: str = "",
    sample_distance: float = 1.0,
    auto_sample_distance: bool = True,
    window_level: Sequence[float] = (0.0, 0.0),
    opacity: Sequence[float] | None = None,
    time_step: int | None = None,
) -> MipVolume:
    """The volume that the viewer shows. Makes no window.

    Parameters
    ----------
    image
        ``vtkImageData``, or :class:`mitk_rs.Image`, which is shown at its place in the world (LPS mm).
    array
        Name of the point array to show; the active one by default.
    sample_distance
        Distance of samples in mm, used exactly where ``auto_sample_distance`` is off and not 0.
    auto_sample_distance
        Half the smallest spacing, coarser while the camera moves.
    window_level
        Window and level; the range of the image for a window of 0 or less.
    opacity
        Opacity at the lower and the upper end of the window, 0 to 1; opaque by default.
    time_step
        Which step of an image with several.

    Raises
    ------
    RequestError
        An array that is not there, several components, numbers that are not allowed.
    """
    _check(window_level, sample_distance, opacity)
    data, placement = _data_of(image, time_step)
    data = _with_array(data, array)
    if data.GetNumberOfScalarComponents() != 1:
        raise RequestError(f"the image has {data.GetNumberOfScalarComponents()} components a voxel: a MIP needs one")
    if min(data.GetDimensions()) < 2:
        raise RequestError(f"the image has {data.GetDimensions()} voxels: a volume needs two along each axis")
    shown = MipVolume(data, placement, opacity)
    shown.set_window(*window_level)
    automatic = auto_sample_distance or sample_distance == 0
    shown.set_sampling(min(data.GetSpacing()) / 2 if automatic else sample_distance, automatic=automatic)
    return shown


def _check(window_level: Sequence[float], sample_distance: float, opacity: Sequence[float] | None) -> None:
    if len(window_level) != 2 or not all(math.isfinite(v) for v in window_level):
        raise RequestError(f"window_level is {tuple(window_level)}: expected two finite numbers")
    if not (math.isfinite(sample_distance) and sample_distance >= 0):
        raise RequestError(f"sample_distance is {sample_distance}: it must be >= 0")
    if opacity is not None and (len(opacity) != 2 or not all(0 <= v <= 1 for v in opacity)):
        raise RequestError(f"opacity is {tuple(opacity)}: expected two numbers from 0 to 1")


def _data_of(image: Any, time_step: int | None) -> tuple[Any, Any]:
    """``vtkImageData`` on an upright grid at 0 and the matrix that puts it into the world, if it needs one."""
    if hasattr(image, "GetDimensions"):
        return image, None
    from mitk_rs.projection.rays import Volume

    image, step = as_image(image), time_step or 0
    data = vtk("vtkCommonDataModel").vtkImageData()
    data.SetDimensions(*Volume(image, time_step).scene.size)
    data.SetSpacing(*image.get_spacing(step))
    # A copy, so that no lock outlives the call.
    with image.read(step if image.ndim == 4 else None) as voxels:
        scalars = vtk("util.numpy_support").numpy_to_vtk(voxels.ravel(), deep=True)
    scalars.SetName("ImageScalars")
    data.GetPointData().SetScalars(scalars)
    world = np.eye(4)
    world[:3, :3], world[:3, 3] = image.get_direction(step), image.get_origin(step)
    matrix = vtk("vtkCommonMath").vtkMatrix4x4()
    matrix.DeepCopy(world.ravel())
    return data, matrix


def _with_array(data: Any, name: str) -> Any:
    """The data with its array ``name`` active; the caller's object is not changed."""
    points = data.GetPointData()
    names = [points.GetArrayName(i) for i in range(points.GetNumberOfArrays())]
    if name and name not in names:
        raise RequestError(f"array is {brief(name)}: the image has {', '.join(map(repr, names)) or 'none'}")
    if not name and points.GetScalars() is not None:
        return data
    if not names:
        raise RequestError("the image has no point arrays to show")
    active = data.NewInstance()
    active.ShallowCopy(data)
    active.GetPointData().SetActiveScalars(name or names[0])
    return active


def show(
    image: Any,
    *,
    window: ViewerWindow | None = None,
    display: bool = True,
    axes: Any = None,
    title: str = "",
    notify: Callable[[str], object] | None = None,
    **options: Any,
) -> MipVolume | None:
    """Show the maximum intensity projection of an image and wait for ``q``.

    Dragging with the left button turns, with the right one changes window and level, the wheel zooms; so do the keys
    that are shown in the window. A window of 0 begins with a robust range of the projection along z.

    Parameters
    ----------
    image
        As for :func:`mip_volume`. An :class:`mitk_rs.Image` is seen from the front at first, as by
        :func:`mitk_rs.render_mip`, ``vtkImageData`` along -z as in VMTK.
    window
        A window that other viewers show things in, too; the volume stays in it. A window of its own by default.
    display
        ``False`` adds the volume to ``window`` and returns; without a window nothing at all is touched.
    axes
        Patient directions (LPS) of the axes of ``vtkImageData``, as the columns of a matrix; the world by default.
    title
        Name of the window of its own: what is shown.
    notify
        Called with the name of a screenshot, in a window of its own.
    options
        Those of :func:`mip_volume`.

    Returns
    -------
    MipVolume or None
        What is shown; ``None`` where nothing is.

    Raises
    ------
    DisplayError
        There is no display.
    RequestError
        As for :func:`mip_volume`.
    """
    if window is None and not display:
        return None
    from mitk_rs.viewer.window import ViewerWindow

    if display:
        require_display("the window")
    shown = mip_volume(image, **options)
    own = window is None
    if window is None:
        window = ViewerWindow()
        window.set_title(title)
        window.on_notice = notify or window.on_notice
    window.renderer.AddVolume(shown.volume)
    window.set_patient_axes(np.eye(3) if axes is None else axes)
    if hasattr(image, "GetDimensions"):
        window.renderer.ResetCamera()
    else:
        window.look((0, 1, 0), (0, 0, 1))
    try:
        if display:
            _lead(window, shown, robust=options.get("window_level", (0.0, 0.0))[0] <= 0)
    finally:
        if own:
            window.close()
    return shown


# For each, the keys and what they do.
_KEYS = (
    ("q", "quit and proceed"),
    ("left button", "drag: turn"),
    ("wheel", "zoom"),
    ("middle button", "drag: move"),
    ("right button", "drag: window and level"),
    ("Up, Down", "brighter, darker"),
    ("Right, Left", "less, more contrast"),
    ("Home", "first window and level"),
)


def _lead(window: ViewerWindow, shown: MipVolume, *, robust: bool) -> None:
    """Let mouse and keys change the picture until ``q``."""
    from mitk_rs.viewer.slices import WindowLevel
    from mitk_rs.viewer.window import STANDARD_KEYS

    first = shown.robust_window() if robust else (shown.window, shown.level)
    grey = WindowLevel(window, first, shown.set_window, arrows=True)
    window.show_keys([*_KEYS, *STANDARD_KEYS])
    try:
        window.run()
    finally:
        grey.remove()
        window.show_keys(None)
