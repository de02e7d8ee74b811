"""What travels between a file adapter and :class:`mitk_rs.Image`: plain arrays and numbers, no library's types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Frame", "ImageHeader", "ImageRecord", "PropertyDict"]

Triple = tuple[float, float, float]
PropertyDict = Mapping[str, Mapping[str, Any]]
"""Property name to ``{"type": class name, "value": ...}``, the layout of ``PropertyList.to_dict``."""


@dataclass(frozen=True)
class Frame:
    """Where voxels are: ``world = direction @ (spacing * index) + origin``, LPS millimetres, axes x, y, z."""

    spacing: Triple = (1.0, 1.0, 1.0)
    origin: Triple = (0.0, 0.0, 0.0)
    direction: NDArray[np.float64] = field(default_factory=lambda: np.eye(3))

    @property
    def is_identity(self) -> bool:
        """True where the axes of the image are the axes of the world."""
        return bool(np.array_equal(self.direction, np.eye(3)))

    @property
    def is_axis_aligned(self) -> bool:
        """True where every axis of the image is, up to its sign, an axis of the world."""
        rounded = np.rint(self.direction)
        return bool(np.array_equal(self.direction, rounded) and np.abs(rounded).sum() == 3)

    def is_close(self, other: Frame, tolerance: float = 1e-6) -> bool:
        """True where both put every voxel at the same place, up to ``tolerance`` of the larger number."""
        return all(
            np.allclose(mine, theirs, rtol=tolerance, atol=tolerance)
            for mine, theirs in (
                (self.spacing, other.spacing),
                (self.origin, other.origin),
                (self.direction, other.direction),
            )
        )


@dataclass(frozen=True)
class ImageHeader:
    """The description of an image, without its voxels.

    Attributes
    ----------
    shape
        ``([[t,] z,] y, x[, c])``.
    dtype
        Type of one component.
    components
        Numbers a voxel has; above one, ``shape`` ends with it.
    frames
        One for all time steps, or one for each.
    time_points
        Bounds of the time steps in milliseconds, one more than there are steps; None for MITK's default grid.
    properties
        What the file says beside that.
    uid
        MITK's identifier of the object, where the file has one.
    reader
        Description of the reader, such as ``"ITK NrrdImageIO"``.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    components: int = 1
    frames: tuple[Frame, ...] = (Frame(),)
    time_points: tuple[float, ...] | None = None
    properties: PropertyDict = field(default_factory=dict)
    uid: str | None = None
    reader: str = ""

    @property
    def frame(self) -> Frame:
        """The frame of the first time step."""
        return self.frames[0]

    @property
    def dimension(self) -> int:
        """Axes of space and time: 2, 3 or 4."""
        return len(self.shape) - (self.components > 1)

    @property
    def time_steps(self) -> int:
        """Number of time steps."""
        return self.shape[0] if self.dimension == 4 else 1

    @property
    def byte_count(self) -> int:
        """Bytes the voxels take in memory, exact for any header."""
        count = self.dtype.itemsize
        for length in self.shape:
            count *= int(length)
        return count


@dataclass(frozen=True)
class ImageRecord(ImageHeader):
    """An :class:`ImageHeader` together with its voxels, a C-contiguous array of that shape and type."""

    array: NDArray[Any] = field(default_factory=lambda: np.zeros((1, 1), np.uint8))

    @classmethod
    def of(cls, array: NDArray[Any], components: int = 1, **description: Any) -> ImageRecord:
        """Describe ``array``; further arguments as for :class:`ImageHeader`."""
        return cls(shape=array.shape, dtype=array.dtype, components=components, array=array, **description)
