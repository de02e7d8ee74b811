"""What marches read and give back: an ``Image`` becomes an ``Image`` again, an array an array."""

from __future__ import annotations

import os
import reprlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs._validation import numbers, whole_number, wrong_type
from mitk_rs.errors import GeometryError, RequestError, TimeStepError
from mitk_rs.geometry.arguments import spacing as checked_spacing
from mitk_rs.image.accessors import place

if TYPE_CHECKING:
    from mitk_rs.image import Image

Array = NDArray[Any]
Triple = tuple[float, float, float]
Indices = list[tuple[int, int, int]]
_Result = TypeVar("_Result")

# Largest cosine between two axes that fronts accept: they measure distances along the axes.
MAX_SHEAR = 1e-3


class Volume:
    """A scalar volume to compute on, given as an ``Image`` or as an array ``(z, y, x)`` or ``(y, x)``.

    Parameters
    ----------
    source
        The image or array.
    name
        What messages call it.
    spacing
        Three numbers (x, y, z) in mm; the image's own, or 1 for an array, where ``None``.
    time_step
        Which step of an image; it may be left out where there is only one.
    """

    def __init__(self, source: Any, name: str, spacing: Any = None, time_step: int | None = None) -> None:
        self._source = source
        self._step: int | None = None
        if isinstance(source, np.ndarray):
            self._check_array(source, name, time_step)
            self.shape: tuple[int, ...] = source.shape
        elif hasattr(source, "get_geometry"):
            self._step = self._check_image(source, name, time_step)
            self.shape = source.shape[-3:] if source.ndim > 2 else source.shape
        else:
            raise wrong_type(name, "an Image or a numpy array", source)
        self.spacing = self._spacing(spacing)

    @staticmethod
    def _check_array(array: Array, name: str, time_step: int | None) -> None:
        if isinstance(array, np.ma.MaskedArray):
            raise TypeError(f"{name} is a masked array, whose mask would be lost: use array.filled(0)")
        if array.ndim not in (2, 3):
            raise RequestError(f"{name} must have the shape (z, y, x) or (y, x), got {array.shape}")
        if time_step is not None:
            raise TypeError(f"time_step goes with an Image: pass {name}[time_step] instead")

    @staticmethod
    def _check_image(image: Any, name: str, time_step: int | None) -> int:
        steps = image.time_steps
        if steps == 0:
            raise RequestError(f"{name} is an empty image")
        if image.components != 1:
            raise RequestError(f"{name} must have one component a voxel, got {image.components}")
        if time_step is None:
            if steps > 1:
                raise RequestError(f"{name} has {steps} time steps: choose one with time_step=")
            return 0
        step = whole_number(time_step, "time_step")
        if not 0 <= step < steps:
            raise TimeStepError(f"time step {step} does not exist: {name} has {steps}")
        return step

    def _spacing(self, spacing: Any) -> Triple:
        if spacing is None:
            return (1.0, 1.0, 1.0) if not self.is_image else self._source.get_spacing(self._step)
        values = numbers(spacing, "spacing")
        if values.shape == (2,) and len(self.shape) == 2:
            values = np.append(values, 1.0)
        if values.shape != (3,):
            raise RequestError(f"spacing must be three numbers (x, y, z) in mm, got {spacing!r}")
        return checked_spacing(values)

    @property
    def is_image(self) -> bool:
        """Whether the source is an ``Image``."""
        return self._step is not None

    def check_axes(self) -> None:
        """Refuse sheared axes, along which distances do not add up as fronts assume.

        Raises
        ------
        GeometryError
            The cosine between two axes is above 1e-3.
        """
        if self._step is None:
            return
        direction = np.asarray(self._source.get_direction(self._step), np.float64)
        unit = direction / np.linalg.norm(direction, axis=0)
        shear = float(np.abs(unit.T @ unit - np.eye(3)).max())
        if shear > MAX_SHEAR:
            raise GeometryError(
                f"the image's axes are sheared: the cosine between two of them is {shear:.3g}, at most {MAX_SHEAR} is "
                "allowed; resample the image on orthogonal axes"
            )

    def seeds(self, value: Any, name: str, *, role: str = "seed", needed: bool = True, source: Any = None) -> Indices:
        """Voxels (x, y, z) from a list of indices, from :class:`mitk_rs.seeds.Seeds`, or from a file of them.

        ``source`` is what the user passed, where that is not what the volume was made of.

        Raises
        ------
        TypeError, RequestError
            As in :func:`indices`; a seed of a file that lies outside.
        FileError
            A file that cannot be read.
        """
        if isinstance(value, str | os.PathLike):
            from mitk_rs.seeds import is_seed_file, read_seeds

            value = read_seeds(value) if is_seed_file(os.fspath(value)) else value
        if hasattr(value, "to_space"):
            value = value.indices(self._source if source is None else source, role=role, time_step=self._step)
        return indices(value, name, self.shape, needed=needed)

    def read(self, compute: Callable[[Array], _Result]) -> _Result:
        """What ``compute`` makes of the voxels, under a read accessor if they are an image's."""
        return compute(self._source) if self._step is None else read(self._source, self._step, compute)

    def wrap(self, array: Array, *, components: bool = False) -> Any:
        """A result of this shape as what the source was: the array, or an image that takes over its memory."""
        if self._step is None:
            return array
        return self._source._like(array, *self._place(), components=components)

    def _place(self) -> tuple[Triple, Triple, ArrayLike]:
        image, step = self._source, self._step
        return image.get_spacing(step), image.get_origin(step), image.get_direction(step)


def read(image: Image, step: int | None, compute: Callable[[Array], _Result]) -> _Result:
    """What ``compute`` makes of a time step of an image, or of all, under a read accessor."""
    voxels, lock = image._leased_read_view(step, None, place())
    try:
        return compute(voxels)
    finally:
        # Not left to the array's end: the traceback of an error would keep the lock for as long as the error lives.
        lock.release()


def indices(value: Any, name: str, shape: Sequence[int], *, needed: bool = True) -> Indices:
    """Voxel indices as triples of ints; pairs (x, y) are allowed on a picture.

    Raises
    ------
    TypeError
        Entries that are not whole numbers.
    RequestError
        Not triples, or none where ``needed``. Whether they lie inside is for the core to say.
    """
    example = "(x, y) pairs, such as [(71, 213)]" if len(shape) == 2 else "(x, y, z) triples, such as [(71, 213, 16)]"
    points = _points(value, f"{name} must be a list of {example}, got", (2, 3) if len(shape) == 2 else (3,))
    if points.dtype.kind not in "iu":
        raise TypeError(f"{name} must be whole numbers (voxel indices), got {reprlib.repr(value)}")
    if needed and not len(points):
        raise RequestError(f"{name} is empty: at least one voxel is needed, as a list of {example}")
    if points.shape[1] == 2:
        points = np.column_stack([points, np.zeros(len(points), points.dtype)])
    return [(x, y, z) for x, y, z in points.tolist()]


def _points(value: Any, complaint: str, lengths: tuple[int, ...]) -> Array:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise TypeError(f"{complaint} {reprlib.repr(value)}")
    given = value if isinstance(value, np.ndarray) else list(value)
    if len(given) == 0:
        return np.empty((0, 3), np.int64)
    try:
        points = np.asarray(given)
    except ValueError:
        points = np.empty(0)
    if points.ndim != 2 or points.shape[1] not in lengths:
        raise RequestError(f"{complaint} {reprlib.repr(value)}")
    return points
