"""``BaseGeometry``: the mutable handle on a frame (``mitk::BaseGeometry``)."""

from __future__ import annotations

import operator
import threading
from dataclasses import replace
from typing import Any, Literal, Self, SupportsFloat, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from mitk_rs._validation import check_kind, real_number
from mitk_rs.errors import GeometryError, RequestError
from mitk_rs.geometry import arguments
from mitk_rs.geometry.arguments import FloatArray
from mitk_rs.geometry.conversion import converted
from mitk_rs.geometry.frame import Frame
from mitk_rs.points import Point3D, Vector3D

__all__ = ["BaseGeometry"]

# MITK ignores a new spacing that differs by less than this on every axis.
SPACING_TOLERANCE = 2.2e-14

_stamp_lock = threading.Lock()
_last_stamp = 0


def _next_stamp() -> int:
    """A number greater than every earlier one of this process, as ITK's time stamps are."""
    global _last_stamp
    with _stamp_lock:
        _last_stamp += 1
        return _last_stamp


class BaseGeometry:
    """Position, spacing, orientation and bounds of something in the world; the base of all geometries.

    Objects are live: an image's geometry, changed, changes the image. Every method may be called from any
    thread; a reader sees the state before or after a setter, never a mixture.

    Raises
    ------
    TypeError
        On construction: create a :class:`Geometry3D`, :class:`PlaneGeometry` or :class:`SlicedGeometry3D`.
    """

    __module__ = "mitk_rs"

    def __init__(
        self,
        *,
        spacing: Any = (1.0, 1.0, 1.0),
        origin: Any = (0.0, 0.0, 0.0),
        direction: ArrayLike | None = None,
        bounds: Any = (0.0, 1.0, 0.0, 1.0, 0.0, 1.0),
        image_geometry: bool = False,
    ) -> None:
        if type(self) is BaseGeometry:
            raise TypeError("BaseGeometry is abstract; use Geometry3D, PlaneGeometry or SlicedGeometry3D")
        frame = Frame(
            spacing=arguments.spacing(spacing),
            origin=arguments.triple(origin, "origin"),
            bounds=arguments.bounds(bounds),
            image_geometry=bool(image_geometry),
        )
        self._start(frame if direction is None else frame.with_direction(direction))

    def _start(self, frame: Frame) -> None:
        self._lock = threading.RLock()
        self._frame = frame
        self._modified = self._moved = _next_stamp()
        self._frozen = False

    def _freeze(self) -> None:
        """Refuse every change from now on."""
        self._frozen = True

    def _set(self, frame: Frame) -> None:
        with self._lock:
            if self._frozen:
                raise RequestError("the geometry is a snapshot's, which never changes: take a clone() of it")
            moved = (frame.spacing, frame.cosines, frame.origin) != (
                self._frame.spacing,
                self._frame.cosines,
                self._frame.origin,
            )
            self._frame = frame
            self._modified = _next_stamp()
            if moved:
                self._moved = self._modified

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self._set(replace(self._frame, **changes))

    def clone(self) -> Self:
        """An equal geometry that shares nothing with this one."""
        twin = type(self).__new__(type(self))
        twin._start(self._frame)
        return twin

    def __copy__(self) -> Self:
        return self.clone()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.clone()

    def __getstate__(self) -> dict[str, Any]:
        frame = self._frame
        return {name: getattr(frame, name) for name in Frame.__dataclass_fields__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._start(Frame(**state))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BaseGeometry):
            return NotImplemented
        return type(self) is type(other) and self._frame == other._frame

    # Mutable: equal now, different later, so no hash.
    __hash__ = None  # type: ignore[assignment]

    def is_close(self, other: BaseGeometry, eps: float = 1e-6) -> bool:
        """Whether spacing, direction, origin and bounds differ by at most ``eps`` (absolute)."""
        check_kind(other, BaseGeometry, "other", "a BaseGeometry")
        return self._frame.is_close(other._frame, real_number(eps, "eps"))

    def __repr__(self) -> str:
        frame = self._frame
        return (
            f"<mitk.{type(self).__name__}: spacing {frame.spacing} mm, origin {frame.origin} mm, "
            f"direction {frame.direction.tolist()}, bounds {list(frame.bounds)}>"
        )

    @property
    def origin(self) -> Point3D:
        """World position (mm, LPS) of index (0, 0, 0); a copy. Set it with three numbers or a point."""
        return Point3D(*self._frame.origin)

    @origin.setter
    def origin(self, value: Any) -> None:
        self._change(origin=arguments.triple(value, "origin"))

    @property
    def spacing(self) -> Vector3D:
        """Distance of neighbouring indices along each axis in mm; a copy. Set it with three positive numbers.

        A new spacing within 2.2e-14 mm of the old one changes nothing, see :meth:`enforce_spacing`.
        """
        return Vector3D(*self._frame.spacing)

    @spacing.setter
    def spacing(self, value: Any) -> None:
        spacing = arguments.spacing(value)
        with self._lock:
            if np.abs(np.subtract(spacing, self._frame.spacing)).max() > SPACING_TOLERANCE:
                self._change(spacing=spacing)

    def enforce_spacing(self, value: Any) -> None:
        """Set the spacing, however little it differs from the present one."""
        self._change(spacing=arguments.spacing(value))

    @property
    def direction(self) -> FloatArray:
        """Direction cosines, 3x3 float64, one axis a column; a copy.

        Any finite invertible matrix can be set. Columns that are not of unit length (beyond 1e-6) are
        normalised and their lengths multiply the spacing, as MITK does; handedness and shear stay."""
        return self._frame.direction.copy()

    @direction.setter
    def direction(self, value: ArrayLike) -> None:
        with self._lock:
            self._set(self._frame.with_direction(value))

    @property
    def direction_cosines(self) -> tuple[float, ...]:
        """The direction matrix row by row, nine numbers."""
        return self._frame.cosines

    @property
    def bounds(self) -> list[float]:
        """``[xmin, xmax, ymin, ymax, zmin, zmax]`` in index units; a copy."""
        return list(self._frame.bounds)

    @bounds.setter
    def bounds(self, value: Any) -> None:
        self._change(bounds=arguments.bounds(value))

    @property
    def image_geometry(self) -> bool:
        """Whether an index addresses the centre of a voxel, which then reaches half a voxel to each side."""
        return self._frame.image_geometry

    @image_geometry.setter
    def image_geometry(self, value: bool) -> None:
        check_kind(value, (bool, int, np.bool_), "image_geometry", "True or False")
        self._change(image_geometry=bool(value))

    @property
    def frame_of_reference_id(self) -> int:
        """A free number that says which geometries belong together; 0 at first."""
        return self._frame.frame_of_reference_id

    @frame_of_reference_id.setter
    def frame_of_reference_id(self, value: SupportsIndex) -> None:
        self._change(frame_of_reference_id=operator.index(value))

    @property
    def modified(self) -> int:
        """Time stamp of the last change: a number that grows with every change of any geometry."""
        return self._modified

    @property
    def index_to_world_last_modified(self) -> int:
        """Time stamp of the last change of spacing, direction or origin."""
        return self._moved

    def initialize(self) -> None:
        """Back to the start: identity, origin 0, bounds ``[0, 1]`` on each axis, no image geometry, id 0."""
        self._set(Frame())

    def initialize_geometry(self, geometry: BaseGeometry) -> None:
        """Take over everything from ``geometry``."""
        check_kind(geometry, BaseGeometry, "geometry", "a BaseGeometry")
        self._set(geometry._frame)

    def set_identity(self) -> None:
        """Spacing 1, identity direction, origin 0; the bounds stay."""
        self._change(spacing=Frame.spacing, cosines=Frame.cosines, origin=Frame.origin)

    def translate(self, vector: Any) -> None:
        """Move the origin by ``vector`` (mm)."""
        step = arguments.triple(vector, "translation")
        with self._lock:
            self.origin = np.add(self._frame.origin, step)

    def set_extent_in_mm(self, axis: SupportsIndex, mm: SupportsFloat) -> None:
        """Stretch ``axis`` so that its extent measures ``mm``: the spacing changes, the bounds stay."""
        number, length = arguments.axis(axis), float(mm)
        with self._lock:
            extent = self.get_extent(number)
            if extent <= 0:
                raise GeometryError(f"axis {number} has no extent that could be stretched: bounds {self.bounds}")
            spacing = list(self._frame.spacing)
            spacing[number] = length / extent
            self._change(spacing=arguments.spacing(spacing))

    def is_valid(self) -> bool:
        """Always true: a geometry refuses states that are not."""
        return True

    @property
    def center(self) -> Point3D:
        """World position of the middle of the bounds."""
        return Point3D(*self._frame.center)

    @property
    def diagonal_length(self) -> float:
        """Distance of corner 0 from corner 7 in mm."""
        frame = self._frame
        return float(np.linalg.norm(frame.corner(7) - frame.corner(0)))

    def get_extent(self, axis: SupportsIndex) -> float:
        """Length of the bounds along ``axis`` (0 x, 1 y, 2 z) in index units."""
        return float(self._frame.extent[arguments.axis(axis)])

    def get_extent_in_mm(self, axis: SupportsIndex) -> float:
        """Length of the bounds along ``axis`` in mm."""
        frame, number = self._frame, arguments.axis(axis)
        return float(frame.extent[number]) * frame.spacing[number]

    def get_axis_vector(self, axis: SupportsIndex) -> Vector3D:
        """World vector (mm) along ``axis``, as long as the extent."""
        frame, number = self._frame, arguments.axis(axis)
        return Vector3D(*(frame.matrix[:, number] * frame.extent[number]))

    def get_corner_point(self, id: SupportsIndex) -> Point3D:  # noqa: A002 - MITK's name
        """World position of a corner of the bounds; bit 2 of ``id`` is x max, bit 1 y max, bit 0 z max.

        Raises
        ------
        RequestError
            ``id`` is not 0 to 7.
        """
        return Point3D(*self._frame.corner(arguments.corner(id)))

    def is_inside(self, world: Any) -> Any:
        """Whether world positions (mm) lie inside; a bool, or for ``(N, 3)`` arrays N of them."""
        frame = self._frame
        return _plain(frame.contains_index(frame.points_to_index(arguments.coordinates(world))))

    def is_index_inside(self, index: Any) -> Any:
        """Whether continuous indices lie inside: images count ``[-0.5, n - 0.5)``, others both bounds."""
        return _plain(self._frame.contains_index(arguments.coordinates(index)))

    def clamp_point(self, world: Any) -> Point3D:
        """The point itself if inside, else cut to the box along world axes; right for unrotated ones only."""
        return Point3D(*self._frame.clamped(arguments.coordinates(arguments.triple(world, "point"))))

    @property
    def index_to_world_matrix(self) -> FloatArray:
        """4x4 matrix from homogeneous indices (x, y, z, 1) to world (mm, LPS); a copy."""
        return self._frame.affine("LPS")

    def affine(self, space: Literal["LPS", "RAS"] = "LPS") -> FloatArray:
        """4x4 matrix from indices to world mm: ``"LPS"`` for ITK and DICOM, ``"RAS"`` for NIfTI and nibabel.

        Raises
        ------
        RequestError
            Any other space.
        """
        arguments.check_space(space)
        return self._frame.affine(space)

    def set_affine(self, matrix: ArrayLike, space: Literal["LPS", "RAS"] = "LPS") -> None:
        """Set spacing, direction and origin at once, from a 4x4 matrix like that of :meth:`affine`.

        Raises
        ------
        GeometryError
            Not 4x4, not finite, singular, or with another last row than (0, 0, 0, 1).
        RequestError
            Any other space.
        """
        with self._lock:
            self._set(self._frame.with_affine(matrix, space))

    def index_to_world(self, index: Any, world: Any = None) -> Any:
        """Map continuous indices to world positions (mm, LPS).

        Parameters
        ----------
        index
            A :class:`Point3D` or three numbers (a position), a :class:`Vector3D` (a displacement: the
            origin plays no part), or an array ``(N, 3)`` of positions.
        world
            Filled in place as in MITK if given: a ``Point3D``, a ``Vector3D`` or a float array of the same
            shape.

        Returns
        -------
        Point3D, Vector3D or ndarray
            Like ``index``; ``None`` if ``world`` was given.

        Examples
        --------
        >>> from mitk_rs import Geometry3D
        >>> Geometry3D(spacing=(0.5, 0.5, 2), origin=(0, 0, -100)).index_to_world((2, 2, 1))
        <Point3D [1.000000, 1.000000, -98.000000]>
        """
        frame = self._frame
        return converted(frame.points_to_world, frame.vectors_to_world, index, world)

    def world_to_index(self, world: Any, index: Any = None) -> Any:
        """Map world positions (mm, LPS) to continuous indices; arguments as in :meth:`index_to_world`."""
        frame = self._frame
        return converted(frame.points_to_index, frame.vectors_to_index, world, index)


def _plain(truth: Any) -> Any:
    return bool(truth) if truth.ndim == 0 else truth
