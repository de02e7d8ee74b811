"""Where an image lies in the world.

World = D · diag(spacing) · index + origin, with the *direction* matrix D (its columns are the image's
axes), the *spacing* in mm and the *origin* in mm: the world position of index (0, 0, 0), a voxel's centre
for images. World coordinates are millimetres, LPS as in DICOM and ITK; indices are (x, y, z), continuous,
never rounded. Classes and behaviour are those of MITK's ``BaseGeometry`` and its descendants.

MITK keeps only the product D · diag(spacing) and derives the spacing as its columns' lengths. We keep the
three apart, so that what is set reads back exactly; columns of D that are not of unit length change the
spacing as in MITK."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self, SupportsFloat, SupportsIndex, TypeAlias, TypeVar, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs import _validation
from mitk_rs._validation import (
    FloatArray,
    Triple,
    check_kind,
    coordinates,
    flag,
    not_negative,
    real_number,
    type_error,
    whole_number,
    wrong_type,
)
from mitk_rs.errors import GeometryError, RequestError, brief
from mitk_rs.points import Point2D, Point3D, Vector2D, Vector3D

__all__ = ["BaseGeometry", "Geometry3D", "PlaneGeometry", "SlicedGeometry3D"]

Number: TypeAlias = float | np.integer[Any] | np.floating[Any]
#: One place, and many: an array ``(N, 3)`` or a list of places.
Position: TypeAlias = Point3D | Sequence[Number]
Positions: TypeAlias = NDArray[Any] | Sequence[Point3D | Sequence[Number] | NDArray[Any]]
AnyPlace: TypeAlias = Point2D | Vector2D | Vector3D | Position | Positions
#: What a map fills in place.
Target: TypeAlias = Point3D | Vector3D | NDArray[np.floating[Any]]
#: For maps that give the class that they are given.
PlaceT = TypeVar("PlaceT", Point2D, Vector2D, Vector3D)

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
        matrix = _validation.direction(value)
        lengths = _validation.column_lengths(matrix)
        if (abs(lengths - 1.0) <= UNIT_TOLERANCE).all():
            return replace(self, cosines=tuple(matrix.ravel().tolist()))
        spacing = _validation.spacing(np.multiply(self.spacing, lengths))
        return replace(self, spacing=spacing, cosines=tuple((matrix / lengths).ravel().tolist()))

    def with_affine(self, value: ArrayLike, space: str) -> Self:
        """Place index (x, y, z) where a 4x4 matrix has it: the lengths of its columns become the spacing."""
        matrix = _validation.affine(value, space)
        origin = _validation.triple(matrix[:3, 3], "origin")
        return replace(self, spacing=(1.0, 1.0, 1.0), origin=origin).with_direction(matrix[:3, :3])

    @cached_property
    def direction(self) -> FloatArray:
        return np.array(self.cosines).reshape(3, 3)

    @cached_property
    def matrix(self) -> FloatArray:
        """The 3x3 part of index to world."""
        return np.asarray(self.direction * np.array(self.spacing))

    @cached_property
    def inverse_direction(self) -> FloatArray:
        return np.linalg.inv(self.direction).astype(np.float64)

    def affine(self, space: str) -> FloatArray:
        affine = np.eye(4)
        affine[:3, :3] = self.matrix
        affine[:3, 3] = self.origin
        return affine if space == "LPS" else _validation.RAS_FROM_LPS @ affine

    # What is infinite, or too far away for doubles, is mapped to NaN and infinity without NumPy's warnings.
    @np.errstate(all="ignore")
    def points_to_world(self, indices: FloatArray) -> FloatArray:
        return np.asarray(self.vectors_to_world(indices) + np.array(self.origin))

    @np.errstate(all="ignore")
    def vectors_to_world(self, indices: FloatArray) -> FloatArray:
        return np.asarray(indices @ self.matrix.T)

    @np.errstate(all="ignore")
    def points_to_index(self, world: FloatArray) -> FloatArray:
        return self.vectors_to_index(world - np.array(self.origin))

    @np.errstate(all="ignore")
    def vectors_to_index(self, world: FloatArray) -> FloatArray:
        return np.asarray(world @ self.inverse_direction.T / np.array(self.spacing))

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
        place = np.floor(indices + 0.5) if self.image_geometry else indices
        below = place < self.upper if self.image_geometry else place <= self.upper
        return np.asarray(((self.lower <= place) & below).all(axis=-1))

    def clamped(self, world: FloatArray) -> FloatArray:
        if self.contains_index(self.points_to_index(world)):
            return world
        first = np.array(self.origin) - self.half_voxel * np.array(self.spacing)
        return np.clip(world, first, first + self.extent * np.array(self.spacing))

    def is_close(self, other: Frame, eps: float) -> bool:
        return self.image_geometry == other.image_geometry and all(
            np.allclose(getattr(self, name), getattr(other, name), rtol=0.0, atol=eps)
            for name in ("spacing", "cosines", "origin", "bounds")
        )


Map = Callable[[FloatArray], FloatArray]


def converted(points: Map, vectors: Map, source: Any, target: Any) -> Any:
    """Apply the map that fits the kind of ``source``.

    Fill ``target``, or return an array for an array and for a list of points, a vector for a vector, else a point.
    """
    if len({type(item) for item in (source, target) if isinstance(item, Point3D | Vector3D)}) > 1:
        raise type_error(f"cannot map a {type(source).__name__} into a {type(target).__name__}")
    kind = Vector3D if isinstance(source, Vector3D) or isinstance(target, Vector3D) else Point3D
    result = (vectors if kind is Vector3D else points)(coordinates(source))
    if target is None:
        return result if isinstance(source, np.ndarray) or result.ndim > 1 else kind(*result)
    if isinstance(target, Point3D | Vector3D) and result.ndim == 1:
        for axis, value in enumerate(result):
            target[axis] = value
    elif isinstance(target, np.ndarray) and target.dtype.kind == "f" and target.shape == result.shape:
        target[...] = result
    else:
        needed = f"a Point3D, a Vector3D or a float array of shape {result.shape}"
        raise type_error(f"the output must be {needed}, got {brief(target)}")
    return None


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
        spacing: ArrayLike = (1.0, 1.0, 1.0),
        origin: ArrayLike = (0.0, 0.0, 0.0),
        direction: ArrayLike | None = None,
        bounds: ArrayLike = (0.0, 1.0, 0.0, 1.0, 0.0, 1.0),
        image_geometry: bool = False,
    ) -> None:
        if type(self) is BaseGeometry:
            raise type_error("BaseGeometry is abstract; use Geometry3D, PlaneGeometry or SlicedGeometry3D")
        frame = Frame(
            spacing=_validation.spacing(spacing),
            origin=_validation.triple(origin, "origin"),
            bounds=_validation.bounds(bounds),
            image_geometry=flag(image_geometry, "image_geometry"),
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
            old, self._frame = self._frame, frame
            self._modified = _next_stamp()
            if (frame.spacing, frame.cosines, frame.origin) != (old.spacing, old.cosines, old.origin):
                self._moved = self._modified

    def _change(self, **changes: Any) -> None:
        with self._lock:
            self._set(replace(self._frame, **changes))

    def clone(self) -> Self:
        """An equal geometry that shares nothing with this one."""
        twin = type(self).__new__(type(self))
        twin._start(self._frame)
        return twin

    # Copies and pickles.
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
        return self._frame.is_close(other._frame, not_negative(eps, "eps"))

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
    def origin(self, value: ArrayLike) -> None:
        self._change(origin=_validation.triple(value, "origin"))

    @property
    def spacing(self) -> Vector3D:
        """Distance of neighbouring indices along each axis in mm; a copy. Set it with three positive numbers.

        A new spacing within 2.2e-14 mm of the old one changes nothing, see :meth:`enforce_spacing`.
        """
        return Vector3D(*self._frame.spacing)

    @spacing.setter
    def spacing(self, value: ArrayLike) -> None:
        spacing = _validation.spacing(value)
        with self._lock:
            if np.abs(np.subtract(spacing, self._frame.spacing)).max() > SPACING_TOLERANCE:
                self._change(spacing=spacing)

    def enforce_spacing(self, value: ArrayLike) -> None:
        """Set the spacing, however little it differs from the present one."""
        self._change(spacing=_validation.spacing(value))

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
    def bounds(self, value: ArrayLike) -> None:
        self._change(bounds=_validation.bounds(value))

    @property
    def image_geometry(self) -> bool:
        """Whether an index addresses the centre of a voxel, which then reaches half a voxel to each side."""
        return self._frame.image_geometry

    @image_geometry.setter
    def image_geometry(self, value: bool) -> None:
        self._change(image_geometry=flag(value, "image_geometry"))

    @property
    def frame_of_reference_id(self) -> int:
        """A free number that says which geometries belong together; 0 at first."""
        return self._frame.frame_of_reference_id

    @frame_of_reference_id.setter
    def frame_of_reference_id(self, value: SupportsIndex) -> None:
        self._change(frame_of_reference_id=whole_number(value, "frame_of_reference_id"))

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

    def translate(self, vector: ArrayLike) -> None:
        """Move the origin by ``vector`` (mm)."""
        step = _validation.triple(vector, "translation")
        with self._lock:
            self.origin = np.add(self._frame.origin, step)

    def set_extent_in_mm(self, axis: SupportsIndex, mm: SupportsFloat) -> None:
        """Stretch ``axis`` so that its extent measures ``mm``: the spacing changes, the bounds stay."""
        number, length = _validation.axis(axis), real_number(mm, "mm")
        with self._lock:
            extent = self.get_extent(number)
            if extent <= 0:
                raise GeometryError(f"axis {number} has no extent that could be stretched: bounds {self.bounds}")
            spacing = list(self._frame.spacing)
            spacing[number] = length / extent
            self._change(spacing=_validation.spacing(spacing))

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
        return float(self._frame.extent[_validation.axis(axis)])

    def get_extent_in_mm(self, axis: SupportsIndex) -> float:
        """Length of the bounds along ``axis`` in mm."""
        frame, number = self._frame, _validation.axis(axis)
        return float(frame.extent[number]) * frame.spacing[number]

    def get_axis_vector(self, axis: SupportsIndex) -> Vector3D:
        """World vector (mm) along ``axis``, as long as the extent."""
        frame, number = self._frame, _validation.axis(axis)
        return Vector3D(*(frame.matrix[:, number] * frame.extent[number]))

    def get_corner_point(self, id: SupportsIndex) -> Point3D:  # noqa: A002 - MITK's name
        """World position of a corner of the bounds; bit 2 of ``id`` is x max, bit 1 y max, bit 0 z max.

        Raises
        ------
        RequestError
            ``id`` is not 0 to 7.
        """
        number = whole_number(id, "id")
        if not 0 <= number < 8:
            raise RequestError(f"corner id must be 0 to 7, got {number}")
        return Point3D(*self._frame.corner(number))

    @overload
    def is_inside(self, world: Position) -> bool: ...
    @overload
    def is_inside(self, world: Positions) -> bool | NDArray[np.bool_]: ...
    def is_inside(self, world: Position | Positions) -> bool | NDArray[np.bool_]:
        """Whether world positions (mm) lie inside; a bool, or for ``(N, 3)`` arrays N of them."""
        frame = self._frame
        return _plain(frame.contains_index(frame.points_to_index(coordinates(world))))

    @overload
    def is_index_inside(self, index: Position) -> bool: ...
    @overload
    def is_index_inside(self, index: Positions) -> bool | NDArray[np.bool_]: ...
    def is_index_inside(self, index: Position | Positions) -> bool | NDArray[np.bool_]:
        """Whether continuous indices lie inside: images count ``[-0.5, n - 0.5)``, others both bounds."""
        return _plain(self._frame.contains_index(coordinates(index)))

    def clamp_point(self, world: ArrayLike) -> Point3D:
        """The point itself if inside, else cut to the box along world axes; right for unrotated ones only."""
        return Point3D(*self._frame.clamped(coordinates(_validation.triple(world, "point"))))

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
        _validation.check_space(space)
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

    @overload
    def index_to_world(self, index: Vector3D) -> Vector3D: ...
    @overload
    def index_to_world(self, index: Position) -> Point3D: ...
    @overload
    def index_to_world(self, index: Positions) -> FloatArray: ...
    @overload
    def index_to_world(self, index: Vector3D | Position | Positions, world: Target) -> None: ...
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

    @overload
    def world_to_index(self, world: Vector3D) -> Vector3D: ...
    @overload
    def world_to_index(self, world: Position) -> Point3D: ...
    @overload
    def world_to_index(self, world: Positions) -> FloatArray: ...
    @overload
    def world_to_index(self, world: Vector3D | Position | Positions, index: Target) -> None: ...
    def world_to_index(self, world: Any, index: Any = None) -> Any:
        """Map world positions (mm, LPS) to continuous indices; arguments as in :meth:`index_to_world`."""
        frame = self._frame
        return converted(frame.points_to_index, frame.vectors_to_index, world, index)


def _plain(truth: NDArray[np.bool_]) -> bool | NDArray[np.bool_]:
    return bool(truth) if truth.ndim == 0 else truth


class WithNew:
    """Classes of objects that MITK makes with ``New()``."""

    __module__ = "mitk_rs"

    @classmethod
    def new(cls) -> Self:
        """An object in its initial state: the constructor without arguments."""
        return cls()


class Geometry3D(WithNew, BaseGeometry):
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


class PlaneGeometry(WithNew, BaseGeometry):
    """A rectangle in the world (``mitk::PlaneGeometry``); its plane is spanned by the first two axes.

    Conversions also take 2-D points and vectors: in-plane coordinates in index units on one side, in mm
    from the plane's origin on the other."""

    __module__ = "mitk_rs"

    @property
    def normal(self) -> Vector3D:
        """The third axis in mm; its length is the spacing across the plane."""
        return Vector3D(*self._frame.matrix[:, 2])

    @overload
    def index_to_world(self, index: PlaceT) -> PlaceT: ...
    @overload
    def index_to_world(self, index: Position) -> Point3D: ...
    @overload
    def index_to_world(self, index: Positions) -> FloatArray: ...
    @overload
    def index_to_world(self, index: AnyPlace, world: Point2D | Vector2D | Target) -> None: ...
    def index_to_world(self, index: Any, world: Any = None) -> Any:
        """As for every geometry; 2-D points and vectors are multiplied by the in-plane spacing."""
        if not _is_flat(index, world):
            return super().index_to_world(index, world)
        return _scaled(np.array(self._frame.spacing[:2]), index, world)

    @overload
    def world_to_index(self, world: PlaceT) -> PlaceT: ...
    @overload
    def world_to_index(self, world: Position) -> Point3D: ...
    @overload
    def world_to_index(self, world: Positions) -> FloatArray: ...
    @overload
    def world_to_index(self, world: AnyPlace, index: Point2D | Vector2D | Target) -> None: ...
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
        raise type_error(f"cannot map a {type(source).__name__} into a {type(target).__name__}")
    x, y = coordinates(source, size=2) * factors
    if target is None:
        return type(source)(x, y)  # type: ignore[no-any-return]
    target.x, target.y = x, y
    return None


class SlicedGeometry3D(WithNew, BaseGeometry):
    """A stack of slices along the third axis (``mitk::SlicedGeometry3D``): the geometry of images."""

    __module__ = "mitk_rs"

    @classmethod
    def for_image(
        cls,
        dimensions: Sequence[SupportsIndex],
        *,
        spacing: ArrayLike = (1.0, 1.0, 1.0),
        origin: ArrayLike = (0.0, 0.0, 0.0),
        direction: ArrayLike | None = None,
    ) -> Self:
        """The geometry of an image of ``dimensions`` voxels (x, y and z; a missing z is one slice).

        Examples
        --------
        >>> from mitk_rs import SlicedGeometry3D
        >>> SlicedGeometry3D.for_image((4, 3, 2), spacing=(0.8, 0.8, 1.5)).bounds
        [0.0, 4.0, 0.0, 3.0, 0.0, 2.0]
        """
        if not isinstance(dimensions, Iterable) or getattr(dimensions, "ndim", 1) == 0:
            raise wrong_type("dimensions", "whole numbers (x, y, z)", dimensions)
        sizes = [whole_number(size, "dimensions") for size in itertools.islice(dimensions, 100)]
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
        frame, number = self._frame, whole_number(slice, "slice")
        if not 0 <= number < self.slices:
            raise RequestError(f"slice must be 0 to {self.slices - 1}, got {number}")
        origin = tuple(frame.points_to_world(np.array([0.0, 0.0, number])).tolist())
        plane = PlaneGeometry.new()
        plane._set(replace(frame, origin=origin, bounds=(*frame.bounds[:4], 0.0, 1.0)))
        return plane
