"""Projections along an axis of the voxel grid, exact and at the speed of memory.

The core takes single volumes ``(z, y, x)`` of any strides: a :class:`Stack` gives one for each time step and component.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs import _core
from mitk_rs._volumes import read
from mitk_rs.errors import RequestError, TimeStepError
from mitk_rs.projection.camera import plane_axes

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = [
    "AXES",
    "KINDS",
    "Array",
    "Options",
    "Stack",
    "axis_number",
    "mip",
    "place_projection",
    "plane_axes",
    "project",
    "project_all",
    "slab_range",
    "slide",
]

Array = NDArray[Any]
AXES = ("x", "y", "z", "t")


def axis_number(axis: str | int, *, names: tuple[str, ...] = AXES) -> int:
    """0 for x, 1 for y, 2 for z, 3 for t.

    Raises
    ------
    RequestError
        Neither a name nor a number of an axis.
    """
    if isinstance(axis, str) and axis.lower() in names:
        return names.index(axis.lower())
    if not isinstance(axis, str) and hasattr(axis, "__index__") and 0 <= axis.__index__() < len(names):
        return axis.__index__()
    raise RequestError(f"axis is {axis!r}: allowed are {', '.join(names)} or 0 to {len(names) - 1} for them")


def slab_range(slab: Any, count: int) -> tuple[int, int]:
    """First index and end of ``slab`` on an axis of ``count`` voxels; ``None`` is all of it.

    Raises
    ------
    RequestError
        Not two whole numbers, or not ``0 <= first < end <= count``.
    """
    if slab is None:
        return 0, count
    try:
        first, end = (slab.start, slab.stop) if isinstance(slab, slice) else slab
        first = 0 if first is None else first.__index__()
        end = count if end is None else end.__index__()
    except (TypeError, ValueError, AttributeError):
        raise RequestError(f"slab is {slab!r}: expected two whole numbers (first, end), or a slice") from None
    if not 0 <= first < end <= count:
        raise RequestError(f"slab is {first}:{end}: allowed are 0 <= first < end <= {count}, the voxels along the axis")
    return first, end


@dataclass(frozen=True)
class Stack:
    """An array seen as ``(t, z, y, x, c)``, and which of these axes it really has."""

    array: Array
    has_time: bool
    has_components: bool

    @classmethod
    def of(cls, array: Array, *, components: bool) -> Stack:
        """The stack of ``([t, ]z, y, x[, c])``.

        Raises
        ------
        RequestError
            A picture, which has no depth to project, or an empty array.
        """
        axes = array.ndim - components
        if axes not in (3, 4):
            extra = "[, c]" if components else ""
            what = "2-D image" if axes == 2 else "array"
            wanted = f"voxels (z, y, x{extra}) or (t, z, y, x{extra})"
            raise RequestError(f"a projection needs {wanted}, got a {what} of shape {array.shape}")
        if 0 in array.shape:
            raise RequestError(f"there are no voxels: shape {array.shape}")
        array = array if components else array[..., np.newaxis]
        return cls(array if axes == 4 else array[np.newaxis], axes == 4, components)

    def project(self, axis: int, compute: Callable[[Array, int], Array]) -> Array:
        """``compute(volume, axis)`` for each time step and component, put together again."""
        results = [self._project_frame(frame, axis, compute) for frame in self.array]
        stacked = np.stack(results) if self.has_time else results[0]
        return stacked if self.has_components else stacked[..., 0]

    def _project_frame(self, frame: Array, axis: int, compute: Callable[[Array, int], Array]) -> Array:
        count = frame.shape[-1]
        if count > 1 and axis != 0 and frame.flags.c_contiguous:
            # Components lie side by side like voxels: one long row is as fast as a scalar image.
            z, y, x, _ = frame.shape
            merged = compute(frame.reshape(z, y, x * count), axis)
            return merged.reshape(*merged.shape[:-1], x, count)
        single = [along_memory(frame[..., c], axis, compute) for c in range(count)]
        return np.stack(single, axis=-1) if count > 1 else single[0][..., np.newaxis]

    def project_time(self, compute: Callable[[Array, int], Array]) -> Array:
        """``compute`` over the time steps of each voxel.

        Raises
        ------
        RequestError
            There is one time step only.
        """
        if not self.has_time:
            raise RequestError("a projection over time needs an image with time steps")
        _, z, y, x, count = self.array.shape
        slices = [self.array[:, k].reshape(-1, y, x * count) for k in range(z)]
        result = np.stack([compute(slice_, 2) for slice_ in slices]).reshape(z, y, x, count)
        return result if self.has_components else result[..., 0]


def along_memory(volume: Array, axis: int, compute: Callable[[Array, int], Array]) -> Array:
    """``compute(volume, axis)`` with the axes in the order of memory, which the core reads fastest."""
    order = sorted(range(3), key=lambda a: -abs(volume.strides[a]))
    if order == [0, 1, 2]:
        return compute(volume, axis)
    position = order.index(2 - axis)
    result = compute(volume.transpose(order), 2 - position)
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


def place_projection(array: Array, source: Image, steps: list[int], axis: int, slab: tuple[int, int]) -> Image:
    """The image of a projection of ``source``: 2-D, or 2-D + time as ``(t, 1, y, x)``."""
    places = [_plane(source.get_geometry(step), axis, *slab) for step in steps]
    components = source.components > 1
    spacing, origin, direction = places[0]
    image = source._like(array, spacing, origin, direction, components=components)
    if len(steps) > 1:
        image.time_geometry = _moved(image, source, places)
    return image


def _moved(image: Image, source: Image, places: list[tuple[Array, Array, Array]]) -> Any:
    """The time geometry of ``source`` with a plane's geometry at each step."""
    times = source.time_geometry.clone()
    for step, (spacing, origin, direction) in enumerate(places):
        geometry = image.get_geometry(step).clone()
        geometry.direction, geometry.spacing, geometry.origin = direction, spacing, origin
        times.set_geometry_for_time_step(geometry, step)
    return times


KINDS = ("max", "min", "mean", "sum", "std", "argmax", "argmin", "depth")

Progress = Callable[[float], object]


@dataclass(frozen=True)
class Options:
    """How a call is run; handed through to the core."""

    threads: int | None = None
    progress: Progress | None = None
    cancel: Any = None
    timeout: float | None = None

    def keywords(self) -> dict[str, Any]:
        """As keyword arguments of a function of the core."""
        return dict(vars(self))


def project(
    image: Any,
    *,
    axis: str | int = "z",
    kind: str = "max",
    slab: Sequence[int] | slice | None = None,
    time_step: int | None = None,
    components: bool = False,
    spacing: Sequence[float] | None = None,
    threads: int | None = None,
    progress: Progress | None = None,
    cancel: Any = None,
    timeout: float | None = None,
) -> Any:
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
        There is no such time step.
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
    task = _Task(image, time_step=time_step, components=components)
    number = axis_number(axis)
    if not isinstance(kind, str) or kind not in KINDS:
        raise RequestError(f"kind is {kind!r}: allowed are {', '.join(KINDS)}")
    slab_ = slab_range(slab, task.count(number))
    options = Options(threads, progress, cancel, timeout)
    if kind == "depth":
        step = 1.0 if number == 3 else task.spacing(spacing)[number]
        return task.run(number, slab_, lambda v, a: _core_project(v, a, "argmax", slab_, options) * step)
    return task.run(number, slab_, lambda v, a: _core_project(v, a, kind, slab_, options))


def mip(image: Any, *, axis: str | int = "z", **options: Any) -> Any:
    """Maximum intensity projection along an axis: :func:`project` with ``kind="max"``.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> mitk.mip(np.eye(3, dtype=np.uint8)[np.newaxis]).tolist()
    [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    """
    return project(image, axis=axis, kind="max", **options)


def project_all(
    image: Any,
    *,
    kind: str = "max",
    time_step: int | None = None,
    components: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    cancel: Any = None,
    timeout: float | None = None,
) -> tuple[Any, Any, Any]:
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
    options = Options(threads, progress, cancel, timeout)
    task = _Task(image, time_step=time_step, components=components)
    if not isinstance(kind, str) or kind not in ("max", "min") or not task.is_scalar_volume:
        kept = {"time_step": time_step, "components": components, **options.keywords()}
        return tuple(project(image, axis=axis, kind=kind, **kept) for axis in "xyz")
    return task.run_all(lambda volume: _core.project_all_axes(volume, kind, **options.keywords()))


def slide(
    image: Any,
    *,
    axis: str | int = "z",
    thickness: int,
    kind: str = "max",
    time_step: int | None = None,
    components: bool = False,
    threads: int | None = None,
    progress: Progress | None = None,
    cancel: Any = None,
    timeout: float | None = None,
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
    options = Options(threads, progress, cancel, timeout)
    number = axis_number(axis, names=AXES[:3])
    width = operator.index(thickness)
    if width < 1:
        raise RequestError(f"thickness is {width}: allowed are 1 to the number of voxels along the axis")
    task = _Task(image, time_step=time_step, components=components)
    return task.run_volume(number, lambda v, a: _core.slide_axis(v, a, width, kind, **options.keywords()))


def _core_project(volume: Array, axis: int, kind: str, slab: tuple[int, int], options: Options) -> Array:
    result = _core.project_axis(volume, axis, kind, *slab, **options.keywords())
    if kind in ("argmax", "argmin"):
        return result + np.int32(slab[0])
    return result.view(np.bool_) if volume.dtype == np.bool_ and kind in ("max", "min") else result


class _Task:
    """A source to project: an image under a read accessor, or an array."""

    def __init__(self, source: Any, *, time_step: int | None, components: bool) -> None:
        self._source = source
        self._step = time_step
        self._is_image = hasattr(source, "get_geometry")
        if self._is_image:
            self._check_image(source)
        elif isinstance(source, np.ma.MaskedArray):
            raise TypeError("the image is a masked array, whose mask would be lost: use array.filled(value)")
        elif not isinstance(source, np.ndarray):
            raise TypeError(f"the image must be an Image or a numpy array, got {type(source).__name__}")
        self._components = source.components > 1 if self._is_image else components
        Stack.of(np.broadcast_to(np.uint8(0), self._shape()), components=self._components)

    def _check_image(self, image: Any) -> None:
        if image.time_steps == 0:
            raise RequestError("the image is empty")
        if self._step is not None and not 0 <= operator.index(self._step) < image.time_steps:
            raise TimeStepError(f"time step {self._step} does not exist: the image has {image.time_steps}")

    @property
    def is_scalar_volume(self) -> bool:
        return len(self._shape()) == 3 and not self._components

    def _shape(self) -> tuple[int, ...]:
        shape: tuple[int, ...] = self._source.shape
        axes = len(shape) - self._components
        if self._step is None or axes < 4:
            if self._step not in (None, 0):
                raise TimeStepError(f"time step {self._step} does not exist: there is one")
            return shape
        if not 0 <= operator.index(self._step) < shape[0]:
            raise TimeStepError(f"time step {self._step} does not exist: there are {shape[0]}")
        return shape[1:]

    def count(self, axis: int) -> int:
        """Voxels along an axis."""
        stack = Stack.of(np.broadcast_to(np.uint8(0), self._shape()), components=self._components)
        return int(stack.array.shape[(3, 2, 1, 0)[axis]])

    def spacing(self, given: Sequence[float] | None) -> Sequence[float]:
        """Distances (x, y, z) in mm."""
        if given is None:
            return self._source.get_spacing(self._step or 0) if self._is_image else (1.0, 1.0, 1.0)
        values = np.asarray(given, np.float64)
        if values.shape != (3,) or not (np.isfinite(values).all() and (values > 0).all()):
            raise RequestError(f"spacing is {given!r}: expected three finite numbers (x, y, z) > 0 mm")
        return [float(value) for value in values]

    def _read(self, compute: Callable[[Stack], Any]) -> Any:
        if not self._is_image:
            array = self._source[self._step] if len(self._shape()) < self._source.ndim else self._source
            return compute(Stack.of(array, components=self._components))
        step = self._step if len(self._shape()) < len(self._source.shape) else None
        return read(self._source, step, lambda voxels: compute(Stack.of(voxels, components=self._components)))

    def run(self, axis: int, slab: tuple[int, int], compute: Callable[[Array, int], Array]) -> Any:
        """The projection, as what the source was."""
        if axis == 3:
            return self._wrap_volume(self._read(lambda stack: stack.project_time(compute)), one_step=True)
        return self._wrap(self._read(lambda stack: stack.project(axis, compute)), axis, slab)

    def run_volume(self, axis: int, compute: Callable[[Array, int], Array]) -> Any:
        """A result with the shape of the source."""
        return self._wrap_volume(self._read(lambda stack: stack.project(axis, compute)), one_step=False)

    def run_all(self, compute: Callable[[Array], list[Array]]) -> tuple[Any, Any, Any]:
        """Three projections of a scalar volume."""
        results = self._read(lambda stack: compute(stack.array[0, ..., 0]))
        wrapped = [self._wrap(r, axis, (0, self.count(axis))) for axis, r in enumerate(results)]
        return wrapped[0], wrapped[1], wrapped[2]

    def _steps(self) -> list[int]:
        if self._step is not None:
            return [self._step]
        return list(range(self._source.time_steps))

    def _wrap(self, array: Array, axis: int, slab: tuple[int, int]) -> Any:
        if not self._is_image:
            return array
        steps = self._steps()
        array = array[:, np.newaxis] if len(steps) > 1 else array
        return place_projection(np.ascontiguousarray(array), self._source, steps, axis, slab)

    def _wrap_volume(self, array: Array, *, one_step: bool) -> Any:
        if not self._is_image:
            return array
        geometry = self._source.get_geometry(self._step or 0)
        image = self._source._like(
            np.ascontiguousarray(array),
            geometry.spacing,
            geometry.origin,
            geometry.direction,
            components=self._components,
        )
        if not one_step and len(self._steps()) > 1:
            image.time_geometry = self._source.time_geometry.clone()
        return image
