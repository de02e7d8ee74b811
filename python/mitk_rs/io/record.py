"""What travels between a file adapter and :class:`mitk_rs.Image`: plain arrays and numbers, no library's types."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np
from numpy.typing import NDArray

from mitk_rs._validation import check_kind, whole_number
from mitk_rs.errors import DicomSeriesWarning, RequestError
from mitk_rs.geometry import Frame
from mitk_rs.io.atomic import PathName
from mitk_rs.time_geometry import TimeGeometry

if TYPE_CHECKING:
    from mitk_rs.io.isolation import Limits

__all__ = [
    "ImageHeader",
    "ImageRecord",
    "PathName",
    "PropertyDict",
    "ReadOptions",
    "frames_of",
    "is_axis_aligned",
    "series_warnings",
]

PropertyDict = Mapping[str, Mapping[str, Any]]
"""Property name to ``{"type": class name, "value": ...}``, the layout of ``PropertyList.to_dict``."""


class ReadOptions(TypedDict, total=False):
    """How a file is read; see :func:`mitk_rs.io.read_image`."""

    time_spacing: bool
    series: int | str | None
    allow_gaps: bool
    allow_other_folders: bool
    isolate: bool | Limits | None


@contextmanager
def series_warnings(tell: Callable[[str], object]) -> Iterator[None]:
    """Call ``tell`` with the text of each warning about a DICOM series, in place of the warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DicomSeriesWarning)
        yield
    for one in caught:
        if issubclass(one.category, DicomSeriesWarning):
            tell(str(one.message))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


def frames_of(times: TimeGeometry) -> tuple[Frame, ...]:
    """Return spacing, origin and direction of each time step."""
    return tuple(geometry._frame for geometry in times.geometries)


def is_axis_aligned(direction: NDArray[np.float64]) -> bool:
    """Return True where every axis of the image is, up to its sign, an axis of the world."""
    rounded = np.rint(direction)
    return bool(np.array_equal(direction, rounded) and np.abs(rounded).sum() == 3)


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
    time_geometry
        Time steps, and where the voxels of each lie.
    properties
        What the file says beside that.
    uid
        MITK's identifier of the object, where the file has one.
    reader
        Description of the reader, such as ``"ITK NrrdImageIO"``.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    time_geometry: TimeGeometry
    components: int = 1
    properties: PropertyDict = field(default_factory=dict)
    uid: str | None = None
    reader: str = ""

    @property
    def frame(self) -> Frame:
        """The frame of the first time step."""
        return self.time_geometry._steps.geometries.peek(0)._frame

    @property
    def has_moving_frame(self) -> bool:
        """True where time steps lie at different places."""
        frames = [geometry._frame for geometry in self.time_geometry._steps.geometries.distinct()]
        return any(frame != frames[0] for frame in frames)

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
    def of(cls, header: ImageHeader, array: NDArray[Any]) -> ImageRecord:
        """Return the header together with its voxels."""
        check_kind(header, ImageHeader, "header", "an ImageHeader")
        return cls(**vars(header), array=array)

    def of_dimension(self, dimension: int) -> ImageRecord:
        """Return the record with the first axes, of length 1, left out until ``dimension`` remain."""
        first = self.dimension - whole_number(dimension, "dimension")
        if first < 0 or any(length != 1 for length in self.shape[:first]):
            raise RequestError(f"dimension is {dimension}: the image has the shape {self.shape}")
        shape = self.shape[first:]
        return replace(self, shape=shape, array=self.array.reshape(shape))

    def with_array(self, array: NDArray[Any]) -> ImageRecord:
        """Return the record with other voxels of the same shape and type."""
        return replace(self, array=array)

    @property
    def header(self) -> ImageHeader:
        """The record without its voxels."""
        return ImageHeader(**{name: value for name, value in vars(self).items() if name != "array"})
