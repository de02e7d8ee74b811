"""Voxels as the core wants them: single volumes ``(z, y, x)`` of any strides, one for each time step and component."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import RequestError

__all__ = ["AXES", "Array", "Stack", "axis_number", "slab_range"]

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
