"""``Image.spacing``, ``index_to_world()`` and all else that says where and when the voxels of an image are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, SupportsIndex, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs._validation import Triple, step_number, type_error
from mitk_rs.errors import Exception as MitkException
from mitk_rs.errors import RequestError, TimeStepError
from mitk_rs.geometry import BaseGeometry, Position, Positions, SlicedGeometry3D
from mitk_rs.points import Point3D, Vector3D
from mitk_rs.time_geometry import ProportionalTimeGeometry, TimeGeometry


def fresh_time_geometry(
    sizes: Sequence[int], spacing: Any = None, origin: Any = None, direction: ArrayLike | None = None
) -> TimeGeometry:
    """The time geometry of a new image: the same geometry at each step."""
    spacing = (1.0, 1.0, 1.0) if spacing is None else spacing
    origin = (0.0, 0.0, 0.0) if origin is None else origin
    geometry = SlicedGeometry3D.for_image(sizes, spacing=spacing, origin=origin, direction=direction)
    return ProportionalTimeGeometry.from_geometry(geometry, sizes[3] if len(sizes) > 3 else 1)


def cropped_times(times: TimeGeometry, index: Sequence[int], sizes: Sequence[int]) -> TimeGeometry:
    """The time geometry of the part of an image that begins at a voxel and has ``sizes`` voxels."""
    moved = times.clone()
    moved._change_all(lambda one: setattr(one, "origin", one.index_to_world(tuple(map(float, index)))))
    return moved.for_image(fresh_time_geometry(sizes).geometries)


class Placement:
    """Part of ``Image``: a geometry for each time step; world is LPS millimetres, time is milliseconds."""

    _bound_times: TimeGeometry | None

    if TYPE_CHECKING:
        # Defined by Image.
        @property
        def is_snapshot(self) -> bool: ...

    @property
    def _times(self) -> TimeGeometry | None:
        return self._bound_times

    @_times.setter
    def _times(self, value: TimeGeometry | None) -> None:
        if value is not None:
            value._of_image = True
        self._bound_times = value

    @property
    def time_geometry(self) -> TimeGeometry:
        """The live time geometry; assign another one with as many steps to replace it by a copy."""
        if self._times is None:
            raise MitkException("the image is empty: it has no geometry before initialize()")
        return self._times

    @time_geometry.setter
    def time_geometry(self, value: TimeGeometry) -> None:
        if not isinstance(value, TimeGeometry):
            raise type_error(f"time_geometry must be a TimeGeometry, got {type(value).__name__}")
        self._check_changeable()
        self._times = value.for_image(self.time_geometry.geometries)

    def _check_changeable(self) -> None:
        if self.is_snapshot:
            raise RequestError("the image is a snapshot, which never changes: take a copy() of it")

    @property
    def time_steps(self) -> int:
        """Number of time steps; 0 for an empty image."""
        return 0 if self._times is None else self._times.count_time_steps()

    def get_geometry(self, time_step: SupportsIndex = 0) -> BaseGeometry:
        """The live geometry of a time step: changing it changes the image.

        Raises
        ------
        TimeStepError
            The time step does not exist.
        """
        step = step_number(time_step)
        geometry = self.time_geometry.get_geometry_for_time_step(step)
        if geometry is None:
            raise TimeStepError(f"time step {step} does not exist: the image has {self.time_steps}")
        return geometry

    def _change_geometry(self, time_step: SupportsIndex | None, act: Callable[[BaseGeometry], None]) -> None:
        self._check_changeable()
        if time_step is None:
            self.time_geometry._change_all(act)
        else:
            act(self.get_geometry(time_step))

    def get_spacing(self, time_step: SupportsIndex = 0) -> Triple:
        """Distances in mm between voxel centres along (x, y, z)."""
        return self.get_geometry(time_step)._frame.spacing

    def set_spacing(self, spacing: ArrayLike, time_step: SupportsIndex | None = 0) -> None:
        """Set the spacing (x, y, z) in mm of one time step, or with ``time_step=None`` of all.

        Raises
        ------
        GeometryError
            A length that is not finite and greater than 0.
        TypeError
            Not three numbers.
        """
        self._change_geometry(time_step, lambda geometry: setattr(geometry, "spacing", spacing))

    def get_origin(self, time_step: SupportsIndex = 0) -> Triple:
        """World position in mm of the centre of voxel (0, 0, 0)."""
        return self.get_geometry(time_step)._frame.origin

    def set_origin(self, origin: ArrayLike, time_step: SupportsIndex | None = 0) -> None:
        """Set the origin (x, y, z) in mm of one time step, or with ``time_step=None`` of all."""
        self._change_geometry(time_step, lambda geometry: setattr(geometry, "origin", origin))

    def get_direction(self, time_step: SupportsIndex = 0) -> NDArray[np.float64]:
        """Copy of the 3x3 matrix whose columns are the world directions of x, y and z."""
        return self.get_geometry(time_step).direction

    def set_direction(self, direction: ArrayLike, time_step: SupportsIndex | None = 0) -> None:
        """Set the direction of one time step, or with ``time_step=None`` of all.

        Raises
        ------
        GeometryError
            Not 3x3, not finite, or singular. Columns that are not of unit length scale the spacing, as in MITK.
        """
        self._change_geometry(time_step, lambda geometry: setattr(geometry, "direction", direction))

    def get_direction_cosines(self, time_step: SupportsIndex = 0) -> tuple[float, ...]:
        """The nine entries of the direction, row by row."""
        return self.get_geometry(time_step).direction_cosines

    @property
    def spacing(self) -> Triple:
        """Spacing (x, y, z) in mm of time step 0."""
        return self.get_spacing()

    @spacing.setter
    def spacing(self, value: ArrayLike) -> None:
        self.set_spacing(value)

    @property
    def origin(self) -> Triple:
        """Origin (x, y, z) in mm of time step 0."""
        return self.get_origin()

    @origin.setter
    def origin(self, value: ArrayLike) -> None:
        self.set_origin(value)

    @property
    def direction(self) -> NDArray[np.float64]:
        """Direction of time step 0: a fresh 3x3 array, so writing into it changes nothing."""
        return self.get_direction()

    @direction.setter
    def direction(self, value: ArrayLike) -> None:
        self.set_direction(value)

    @property
    def direction_cosines(self) -> tuple[float, ...]:
        """The nine entries of the direction of time step 0, row by row."""
        return self.get_direction_cosines()

    def affine(self, space: Literal["LPS", "RAS"] = "LPS", time_step: SupportsIndex = 0) -> NDArray[np.float64]:
        """4x4 matrix from voxel indices (x, y, z) to millimetres.

        Parameters
        ----------
        space
            ``"LPS"`` as in DICOM, ITK and MITK, or ``"RAS"`` as in NIfTI and nibabel.
        """
        return self.get_geometry(time_step).affine(space)

    def set_affine(
        self, matrix: ArrayLike, space: Literal["LPS", "RAS"] = "LPS", time_step: SupportsIndex | None = 0
    ) -> None:
        """Set spacing, direction and origin of one time step, or with ``time_step=None`` of all, from a 4x4 matrix.

        Raises
        ------
        GeometryError
            Not 4x4, not finite, singular, or with another last row than (0, 0, 0, 1).

        Examples
        --------
        >>> import numpy as np, mitk_rs as mitk
        >>> image = mitk.Image(np.zeros((4, 5, 6), np.float32))
        >>> image.set_affine([[-2, 0, 0, 10], [0, -1, 0, 20], [0, 0, 3, 30], [0, 0, 0, 1]], space="RAS")
        >>> image.spacing, image.origin
        ((2.0, 1.0, 3.0), (-10.0, -20.0, 30.0))
        """
        self._change_geometry(time_step, lambda geometry: geometry.set_affine(matrix, space))

    @overload
    def index_to_world(self, index: Vector3D, time_step: SupportsIndex = 0) -> Vector3D: ...
    @overload
    def index_to_world(self, index: Position, time_step: SupportsIndex = 0) -> Point3D: ...
    @overload
    def index_to_world(self, index: Positions, time_step: SupportsIndex = 0) -> NDArray[np.float64]: ...
    def index_to_world(self, index: Any, time_step: SupportsIndex = 0) -> Any:
        """World position in mm of a continuous index (x, y, z), or of an array of them ``(N, 3)``."""
        return self.get_geometry(time_step).index_to_world(index)

    @overload
    def world_to_index(self, world: Vector3D, time_step: SupportsIndex = 0) -> Vector3D: ...
    @overload
    def world_to_index(self, world: Position, time_step: SupportsIndex = 0) -> Point3D: ...
    @overload
    def world_to_index(self, world: Positions, time_step: SupportsIndex = 0) -> NDArray[np.float64]: ...
    def world_to_index(self, world: Any, time_step: SupportsIndex = 0) -> Any:
        """Continuous index (x, y, z) of a world position in mm, or of an array of them ``(N, 3)``."""
        return self.get_geometry(time_step).world_to_index(world)
