"""The immutable state of a geometry and all of its arithmetic.

A geometry object is a mutable handle on one :class:`Frame` at a time. A reader takes the frame once and
works on numbers that belong together, whatever other threads set meanwhile; no reader needs a lock."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs.geometry import arguments
from mitk_rs.geometry.arguments import FloatArray, Triple

# Columns this close to unit length are meant as unit: rounding of cosines must not leak into the spacing.
UNIT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Frame:
    """Spacing and origin in mm, direction cosines row by row, bounds in index units."""

    spacing: Triple = (1.0, 1.0, 1.0)
    cosines: tuple[float, ...] = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)
    origin: Triple = (0.0, 0.0, 0.0)
    bounds: tuple[float, ...] = (0.0, 1.0, 0.0, 1.0, 0.0, 1.0)
    image_geometry: bool = False
    frame_of_reference_id: int = 0

    def with_direction(self, value: ArrayLike) -> Self:
        """Turn the axes; what their columns lack to unit length goes into the spacing, as in MITK."""
        matrix = arguments.direction(value)
        lengths = arguments.column_lengths(matrix)
        if (abs(lengths - 1.0) <= UNIT_TOLERANCE).all():
            return replace(self, cosines=tuple(matrix.ravel().tolist()))
        spacing = arguments.spacing(np.multiply(self.spacing, lengths))
        return replace(self, spacing=spacing, cosines=tuple((matrix / lengths).ravel().tolist()))

    def with_affine(self, value: ArrayLike, space: str) -> Self:
        """Place index (x, y, z) where a 4x4 matrix has it: the lengths of its columns become the spacing."""
        matrix = arguments.affine(value, space)
        origin = arguments.triple(matrix[:3, 3], "origin")
        return replace(self, spacing=(1.0, 1.0, 1.0), origin=origin).with_direction(matrix[:3, :3])

    @cached_property
    def direction(self) -> FloatArray:
        return np.array(self.cosines).reshape(3, 3)

    @cached_property
    def matrix(self) -> FloatArray:
        """The 3x3 part of index to world."""
        matrix: FloatArray = self.direction * np.array(self.spacing)
        return matrix

    @cached_property
    def inverse_direction(self) -> FloatArray:
        return np.linalg.inv(self.direction).astype(np.float64)

    def affine(self, space: str) -> FloatArray:
        affine = np.eye(4)
        affine[:3, :3] = self.matrix
        affine[:3, 3] = self.origin
        return affine if space == "LPS" else arguments.RAS_FROM_LPS @ affine

    def points_to_world(self, indices: FloatArray) -> FloatArray:
        world: FloatArray = self.vectors_to_world(indices) + np.array(self.origin)
        return world

    def vectors_to_world(self, indices: FloatArray) -> FloatArray:
        world: FloatArray = indices @ self.matrix.T
        return world

    def points_to_index(self, world: FloatArray) -> FloatArray:
        return self.vectors_to_index(world - np.array(self.origin))

    def vectors_to_index(self, world: FloatArray) -> FloatArray:
        indices: FloatArray = world @ self.inverse_direction.T / np.array(self.spacing)
        return indices

    @property
    def half_voxel(self) -> float:
        """How far corners lie before the index bounds: images count from the centres of voxels."""
        return 0.5 if self.image_geometry else 0.0

    @property
    def extent(self) -> FloatArray:
        return self.upper - self.lower

    @property
    def lower(self) -> FloatArray:
        return np.array(self.bounds[::2])

    @property
    def upper(self) -> FloatArray:
        return np.array(self.bounds[1::2])

    @property
    def center(self) -> FloatArray:
        return self.points_to_world((self.lower + self.upper) / 2 - self.half_voxel)

    def corner(self, number: int) -> FloatArray:
        at_upper = np.array([number & 4, number & 2, number & 1], dtype=bool)
        return self.points_to_world(np.where(at_upper, self.upper, self.lower) - self.half_voxel)

    def contains_index(self, indices: FloatArray) -> NDArray[np.bool_]:
        if not self.image_geometry:
            return np.asarray(((self.lower <= indices) & (indices <= self.upper)).all(axis=-1))
        voxel = np.floor(indices + 0.5)
        return np.asarray(((self.lower <= voxel) & (voxel < self.upper)).all(axis=-1))

    def clamped(self, world: FloatArray) -> FloatArray:
        if self.contains_index(self.points_to_index(world)):
            return world
        first = np.array(self.origin) - self.half_voxel * np.array(self.spacing)
        return np.clip(world, first, first + self.extent * np.array(self.spacing))

    def is_close(self, other: Frame, eps: float) -> bool:
        same_kind = self.image_geometry == other.image_geometry
        return same_kind and all(
            np.allclose(mine, theirs, rtol=0.0, atol=eps)
            for mine, theirs in (
                (self.spacing, other.spacing),
                (self.cosines, other.cosines),
                (self.origin, other.origin),
                (self.bounds, other.bounds),
            )
        )
