"""Projections along an axis of the voxel grid, exact and at the speed of memory."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, get_args, overload

import numpy as np

from mitk_rs import _core
from mitk_rs._sources import Array, ImageT, Source, shows_progress
from mitk_rs._validation import Run, RunOptions, check_names, flag, one_of, run_options, whole_number
from mitk_rs.errors import RequestError, brief
from mitk_rs.projection.camera import plane_axes

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["AXES", "KINDS", "axis_number", "mip", "project", "project_all", "slide"]

AXES = ("x", "y", "z", "t")
Axis = Literal["x", "y", "z", "t", 0, 1, 2, 3]
VolumeAxis = Literal["x", "y", "z", 0, 1, 2]
Extremum = Literal["max", "min"]
Kind = Literal["max", "min", "mean", "sum", "std", "argmax", "argmin", "depth"]
#: What :func:`~mitk_rs.project` computes along each line of voxels.
KINDS: tuple[Kind, ...] = get_args(Kind)
_One = TypeVar("_One")
Three = tuple[_One, _One, _One]


class AllAxesOptions(RunOptions, total=False):
    """Options of :func:`project_all` and :func:`slide`."""

    time_step: int | None
    components: bool


class ProjectOptions(AllAxesOptions, total=False):
    """Options of :func:`project`."""

    slab: Sequence[int | None] | slice | None
    spacing: Sequence[float] | None


def axis_number(axis: str | int, *, names: tuple[str, ...] = AXES) -> Any:
    """0 for x, 1 for y, 2 for z, 3 for t."""
    if isinstance(axis, str) and axis.lower() in names:
        return names.index(axis.lower())
    try:
        number = operator.index(axis)  # type: ignore[arg-type]
    except TypeError:
        number = -1
    if 0 <= number < len(names):
        return number
    allowed = f"{', '.join(names)} or 0 to {len(names) - 1} for them"
    raise RequestError(f"axis is {brief(axis)}: allowed are {allowed}")


def _slab_range(slab: Any, count: int) -> tuple[int, int]:
    """First index and end of ``slab`` on an axis of ``count`` voxels; ``None`` is all of it."""
    if slab is None:
        return 0, count
    try:
        first, end = (slab.start, slab.stop) if isinstance(slab, slice) else slab
        first = 0 if first is None else first.__index__()
        end = count if end is None else end.__index__()
    except (TypeError, ValueError, AttributeError):
        raise RequestError(f"slab is {brief(slab)}: expected two whole numbers (first, end), or a slice") from None
    if not 0 <= first < end <= count:
        raise RequestError(f"slab is {first}:{end}: allowed are 0 <= first < end <= {count}, the voxels along the axis")
    return first, end


def _over_frames(source: Source, voxels: Array, axis: int, compute: Callable[[Array, int], Array]) -> Array:
    """``compute(volume, axis)`` for each time step and component of ``([t, ]z, y, x[, c])``, put together again."""
    if voxels.ndim - source.components == 4:
        return np.stack([_of_frame(frame, axis, compute, source.components) for frame in voxels])
    return _of_frame(voxels, axis, compute, source.components)


def _of_frame(frame: Array, axis: int, compute: Callable[[Array, int], Array], components: int) -> Array:
    if not components:
        return _along_memory(frame, axis, compute)
    count = frame.shape[-1]
    if count > 1 and axis != 0 and frame.flags.c_contiguous:
        # Components lie side by side like voxels: one long row is as fast as a scalar image.
        merged = compute(frame.reshape(*frame.shape[:2], -1), axis)
        return merged.reshape(*merged.shape[:-1], -1, count)
    return np.stack([_along_memory(frame[..., c], axis, compute) for c in range(count)], axis=-1)


def _over_time(source: Source, voxels: Array, compute: Callable[[Array, int], Array]) -> Array:
    """``compute`` over the time steps of each voxel."""
    if voxels.ndim - source.components != 4:
        raise RequestError("a projection over time needs an image with time steps")
    steps, slices, rows = voxels.shape[:3]
    found = [compute(voxels[:, k].reshape(steps, rows, -1), 2) for k in range(slices)]
    return np.stack(found).reshape(voxels.shape[1:])


def _along_memory(volume: Array, axis: int, compute: Callable[[Array, int], Array]) -> Array:
    """``compute(volume, axis)`` with the axes in the order of memory, which the core reads fastest."""
    order = sorted(range(3), key=lambda a: -abs(volume.strides[a]))
    if order == [0, 1, 2]:
        return compute(volume, axis)
    result = compute(volume.transpose(order), 2 - order.index(2 - axis))
    if result.ndim == 3:
        return result.transpose(np.argsort(order))
    left = [a for a in order if a != 2 - axis]
    return result if left[0] < left[1] else result.T


def _plane(geometry: Any, axis: int, first: int, end: int) -> tuple[Array, Array, Array]:
    """Spacing, origin and direction of the projection of ``first <= index < end``.

    The picture lies in the middle of the slab and is as thick as it, as in ITK's projection filters. The third axis
    is the projection axis, turned around where that keeps the handedness of the volume.
    """
    columns, rows = plane_axes(axis)
    direction = np.asarray(geometry.direction, np.float64)
    spacing = np.asarray(geometry.spacing, np.float64)
    middle = (first + end - 1) / 2 * spacing[axis] * direction[:, axis]
    third = direction[:, axis] * (-1.0 if axis == 1 else 1.0)
    return (
        np.array([spacing[columns], spacing[rows], spacing[axis] * (end - first)]),
        np.asarray(geometry.origin, np.float64) + middle,
        np.column_stack([direction[:, columns], direction[:, rows], third]),
    )


@overload
def project(image: ImageT, *, axis: Axis = "z", kind: Kind = "max", **options: Unpack[ProjectOptions]) -> ImageT: ...
@overload
def project(image: Array, *, axis: Axis = "z", kind: Kind = "max", **options: Unpack[ProjectOptions]) -> Array: ...
@shows_progress
def project(image: Image | Array, *, axis: Axis = "z", kind: Kind = "max", **options: Unpack[ProjectOptions]) -> Any:
    """Project a volume along one of its axes.

    Parameters
    ----------
    image
        ``Image``, read under a read accessor, or array ``([t, ]z, y, x[, c])`` of any real type and any strides. A
        4-D image is projected step by step.
    axis
        ``"x"``, ``"y"``, ``"z"`` or 0, 1, 2 for them; ``"t"`` or 3 folds the time steps of each voxel.
    kind
        ``"max"`` and ``"min"`` (of the image's type), ``"mean"`` and ``"std"`` (float64; ``std`` divides by n),
        ``"sum"`` (int64, uint64 or float64; 64-bit integers wrap), ``"argmax"`` and ``"argmin"`` (int32: voxel index
        along the axis of the first extremum), ``"depth"`` (float64: mm from voxel 0 to that of the maximum, or time
        steps).
    slab
        Voxel indices ``(first, end)`` along the axis, ``end`` not included, or a ``slice``; all by default.
    time_step
        Project this step only.
    components
        Whether the last axis of an array counts components; each is projected by itself.
    spacing
        Distances (x, y, z) in mm for ``"depth"`` of an array; 1 by default.
    threads, progress, cancel, timeout
        As for :func:`mitk_rs.fast_marching`. The result does not depend on ``threads``.

    Returns
    -------
    Image or numpy.ndarray
        What ``image`` was. Pixels keep the order of the axes that remain: along z ``(y, x)``, along y ``(z, x)``,
        along x ``(z, y)``. An image lies in the middle of the slab and is as thick; with time it is ``(t, 1, y, x)``.

    Raises
    ------
    RequestError
        An unknown axis or kind, an empty slab or one outside, a 2-D image, voxels of no kind that has an order.
    TimeStepError
        The time step does not exist.
    Cancelled, TimeoutError
        What they say.

    Notes
    -----
    NaN never wins an extremum; a line of nothing but NaN gives the lowest finite number for ``max``, the highest for
    ``min`` and index 0, as in ``itk::MaximumProjectionImageFilter``. Other kinds let NaN through. Apart from that,
    results equal NumPy's reductions: extrema, indices and integer sums exactly; ``mean``, ``std`` and floating-point
    sums are those of NumPy's in double precision (``dtype=numpy.float64``), summed in the same order.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> volume = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    >>> mitk.project(volume, axis="x").tolist()
    [[3, 7, 11], [15, 19, 23]]
    >>> mitk.project(mitk.Image(volume, spacing=(1, 1, 5)), axis="y", kind="mean").shape
    (2, 4)
    """
    check_names("project", options, ProjectOptions)
    source, run = _source(image, options, options.get("spacing")), run_options(options)
    number = axis_number(axis)
    one_of(kind, "kind", KINDS)
    ends = _slab_range(options.get("slab"), _count(source, number))
    scale = 1.0 if number == 3 else source.spacing[number]

    def compute(volume: Array, along: int) -> Array:
        if kind == "depth":
            return _core_project(volume, along, "argmax", ends, run) * scale
        return _core_project(volume, along, kind, ends, run)

    if number == 3:
        return source.wrap(source.read(lambda voxels: _over_time(source, voxels, compute)))
    return _placed(source, source.read(lambda voxels: _over_frames(source, voxels, number, compute)), number, ends)


@overload
def mip(image: ImageT, *, axis: Axis = "z", **options: Unpack[ProjectOptions]) -> ImageT: ...
@overload
def mip(image: Array, *, axis: Axis = "z", **options: Unpack[ProjectOptions]) -> Array: ...
@shows_progress
def mip(image: Image | Array, *, axis: Axis = "z", **options: Unpack[ProjectOptions]) -> Any:
    """Maximum intensity projection along an axis: :func:`project` with ``kind="max"``.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> mitk.mip(np.eye(3, dtype=np.uint8)[np.newaxis]).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    return project(image, axis=axis, kind="max", **options)


@overload
def project_all(image: ImageT, *, kind: Kind = "max", **options: Unpack[AllAxesOptions]) -> Three[ImageT]: ...
@overload
def project_all(image: Array, *, kind: Kind = "max", **options: Unpack[AllAxesOptions]) -> Three[Array]: ...
@shows_progress
def project_all(image: Image | Array, *, kind: Kind = "max", **options: Unpack[AllAxesOptions]) -> Any:
    """Project along x, y and z, for ``"max"`` and ``"min"`` in a single pass over the voxels.

    Parameters and errors are those of :func:`project`.

    Returns
    -------
    tuple
        The projections along x, y and z.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> [p.shape for p in mitk.project_all(np.zeros((2, 3, 4)))]
    [(2, 3), (2, 4), (3, 4)]
    """
    check_names("project_all", options, AllAxesOptions)
    one_of(kind, "kind", KINDS)
    source = _source(image, options)
    if kind not in ("max", "min") or len(source.shape) != 3 or source.components:
        x, y, z = (project(image, axis=axis, kind=kind, **options) for axis in (0, 1, 2))
        return x, y, z
    found = source.read(lambda volume: _core.project_all_axes(volume, kind, **run_options(options)))
    x, y, z = (_placed(source, array, axis, (0, _count(source, axis))) for axis, array in enumerate(found))
    return x, y, z


@overload
def slide(
    image: ImageT, *, axis: VolumeAxis = "z", thickness: int, kind: Extremum = "max", **options: Unpack[AllAxesOptions]
) -> ImageT: ...
@overload
def slide(
    image: Array, *, axis: VolumeAxis = "z", thickness: int, kind: Extremum = "max", **options: Unpack[AllAxesOptions]
) -> Array: ...
@shows_progress
def slide(
    image: Image | Array,
    *,
    axis: VolumeAxis = "z",
    thickness: int,
    kind: Extremum = "max",
    **options: Unpack[AllAxesOptions],
) -> Any:
    """Sliding thick slab: for every voxel the extremum of the slab of ``thickness`` voxels around it.

    Each slice of the result is the projection of the slab around that slice, cut at the ends of the volume; an even
    slab has one voxel more before than behind. It takes three comparisons a voxel for any thickness (van Herk 1992,
    Gil and Werman 1993).

    Parameters
    ----------
    image, axis, time_step, components
        As for :func:`project`; not along t.
    thickness
        Voxels along the axis, 1 to all.
    kind
        ``"max"`` or ``"min"``.

    Returns
    -------
    Image or numpy.ndarray
        What ``image`` was, with the same shape, type and geometry.

    Raises
    ------
    RequestError
        A thickness or kind that is not allowed, a 2-D image.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> volume = np.array([0, 5, 0, 0, 7]).reshape(1, 1, 5)
    >>> mitk.slide(volume, axis="x", thickness=3).ravel().tolist()
    [5, 5, 5, 7, 7]
    """
    check_names("slide", options, AllAxesOptions)
    one_of(kind, "kind", ("max", "min"))
    number = axis_number(axis, names=AXES[:3])
    width = whole_number(thickness, "thickness")
    if not 1 <= width <= sys.maxsize:
        raise RequestError(f"thickness is {width}: allowed are 1 to the number of voxels along the axis")
    source, run = _source(image, options), run_options(options)

    def compute(volume: Array, along: int) -> Array:
        return _core.slide_axis(volume, along, width, kind, **run)

    return source.wrap(source.read(lambda voxels: _over_frames(source, voxels, number, compute)))


def _core_project(volume: Array, axis: int, kind: str, slab: tuple[int, int], run: Run) -> Array:
    result = _core.project_axis(volume, axis, kind, *slab, **run)
    if kind in ("argmax", "argmin"):
        return result + np.int32(slab[0])
    return result.view(np.bool_) if volume.dtype == np.bool_ and kind in ("max", "min") else result


def _source(image: Any, options: AllAxesOptions, spacing: Sequence[float] | None = None) -> Source:
    components = flag(options.get("components", False), "components")
    return Source(
        image, time_step=options.get("time_step"), spacing=spacing, axes=(3,), series=True, components=components
    )


def _count(source: Source, axis: int) -> int:
    """Voxels along an axis, or time steps."""
    spatial = source.shape[: len(source.shape) - source.components]
    return int((1, *spatial)[-4:][3 - axis])


def _placed(source: Source, array: Array, axis: int, slab: tuple[int, int]) -> Any:
    """A projection as what the source was: an array, or an image in the middle of the slab, ``(t, 1, y, x)`` with
    time."""
    if not source.is_image:
        return array
    array = np.ascontiguousarray(array[:, np.newaxis] if len(source.steps) > 1 else array)
    return source.place(array, [_plane(geometry, axis, *slab) for geometry in source.geometries])
