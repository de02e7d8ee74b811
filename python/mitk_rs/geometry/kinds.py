"""The geometries that exist: general, plane, and stack of slices."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from mitk_rs._validation import whole_number
from mitk_rs.errors import RequestError
from mitk_rs.geometry.arguments import FloatArray, coordinates
from mitk_rs.geometry.base import BaseGeometry
from mitk_rs.points import Point2D, Vector2D, Vector3D

__all__ = ["Geometry3D", "PlaneGeometry", "SlicedGeometry3D"]


class Geometry3D(BaseGeometry):
    """A box in the world (``mitk::Geometry3D``).

    Parameters
    ----------
    spacing, origin
        Three numbers in mm; 1 and 0 if not given.
    direction
        3x3 direction cosines, identity if not given.
    bounds
        Six index coordinates, ``[0, 1]`` on each axis if not given.
    image_geometry
        Whether indices address centres of voxels.

    Examples
    --------
    >>> from mitk_rs import Geometry3D
    >>> box = Geometry3D(spacing=(0.8, 0.8, 1.5), bounds=(0, 4, 0, 3, 0, 2), image_geometry=True)
    >>> box.is_index_inside((-0.5, 0, 0)), box.is_index_inside((3.5, 0, 0))
    (True, False)
    """

    __module__ = "mitk_rs"

    @classmethod
    def new(cls) -> Self:
        """A geometry in its initial state."""
        return cls()


class PlaneGeometry(BaseGeometry):
    """A rectangle in the world (``mitk::PlaneGeometry``); its plane is spanned by the first two axes.

    Conversions also take 2-D points and vectors: in-plane coordinates in index units on one side, in mm
    from the plane's origin on the other."""

    __module__ = "mitk_rs"

    @classmethod
    def new(cls) -> Self:
        """A geometry in its initial state."""
        return cls()

    @property
    def normal(self) -> Vector3D:
        """The third axis in mm; its length is the spacing across the plane."""
        return Vector3D(*self._frame.matrix[:, 2])

    def index_to_world(self, index: Any, world: Any = None) -> Any:
        """As for every geometry; 2-D points and vectors are multiplied by the in-plane spacing."""
        if not _is_flat(index, world):
            return super().index_to_world(index, world)
        return _scaled(np.array(self._frame.spacing[:2]), index, world)

    def world_to_index(self, world: Any, index: Any = None) -> Any:
        """As for every geometry; 2-D points and vectors are divided by the in-plane spacing."""
        if not _is_flat(world, index):
            return super().world_to_index(world, index)
        return _scaled(1.0 / np.array(self._frame.spacing[:2]), world, index)


def _is_flat(source: Any, target: Any) -> bool:
    return isinstance(source, Point2D | Vector2D) or isinstance(target, Point2D | Vector2D)


def _scaled(factors: FloatArray, source: Any, target: Any) -> Point2D | Vector2D | None:
    kinds = {type(item) for item in (source, target) if isinstance(item, Point2D | Vector2D)}
    if len(kinds) > 1 or (target is not None and not isinstance(target, Point2D | Vector2D)):
        raise TypeError(f"cannot map a {type(source).__name__} into a {type(target).__name__}")
    x, y = coordinates(source, size=2) * factors
    if target is None:
        return type(source)(x, y)  # type: ignore[no-any-return]
    target.x, target.y = x, y
    return None


class SlicedGeometry3D(BaseGeometry):
    """A stack of slices along the third axis (``mitk::SlicedGeometry3D``): the geometry of images."""

    __module__ = "mitk_rs"

    @classmethod
    def new(cls) -> Self:
        """A geometry in its initial state."""
        return cls()

    @classmethod
    def for_image(
        cls,
        dimensions: Sequence[SupportsIndex],
        *,
        spacing: Any = (1.0, 1.0, 1.0),
        origin: Any = (0.0, 0.0, 0.0),
        direction: ArrayLike | None = None,
    ) -> Self:
        """The geometry of an image of ``dimensions`` voxels (x, y and z; a missing z is one slice).

        Examples
        --------
        >>> from mitk_rs import SlicedGeometry3D
        >>> SlicedGeometry3D.for_image((4, 3, 2), spacing=(0.8, 0.8, 1.5)).bounds
        [0.0, 4.0, 0.0, 3.0, 0.0, 2.0]
        """
        sizes = [whole_number(size, "dimensions") for size in dimensions]
        if len(sizes) < 2:
            raise RequestError(f"dimensions must be two or more whole numbers (x, y, z), got {sizes}")
        x, y, z = (*sizes, 1)[:3]
        bounds = (0, x, 0, y, 0, z)
        return cls(spacing=spacing, origin=origin, direction=direction, bounds=bounds, image_geometry=True)

    @property
    def slices(self) -> int:
        """Number of slices: the extent along the third axis."""
        return int(self.get_extent(2))

    def get_plane_geometry(self, slice: SupportsIndex) -> PlaneGeometry:  # noqa: A002 - MITK's name
        """A copy of one slice as a plane whose index (x, y, 0) lies where the stack's (x, y, slice) does.

        Raises
        ------
        RequestError
            There is no such slice.
        """
        frame, number = self._frame, operator.index(slice)
        if not 0 <= number < self.slices:
            raise RequestError(f"slice must be 0 to {self.slices - 1}, got {number}")
        origin = tuple(frame.points_to_world(np.array([0.0, 0.0, number])).tolist())
        plane = PlaneGeometry.new()
        plane._set(replace(frame, origin=origin, bounds=(*frame.bounds[:4], 0.0, 1.0)))
        return plane
