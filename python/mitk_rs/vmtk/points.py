"""Points of a script as voxel indices, with the checks that VMTK does not make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mitk_rs.errors import RequestError
from mitk_rs.vmtk.flavours import as_image
from mitk_rs.vmtk.frames import direction_of, frame_of

if TYPE_CHECKING:
    from mitk_rs.vmtk.vmtkimageinitialization import vmtkImageInitialization

__all__ = ["add_physical", "inside", "shifted", "speed_shift", "to_indices", "triples"]

Index = tuple[int, int, int]
_FRONTS = ("collidingfronts", "fastmarching", "multiplecollidingfronts")


def triples(flat: Sequence[int]) -> list[Index]:
    """``[1, 2, 3, 4, 5, 6]`` as ``[(1, 2, 3), (4, 5, 6)]``."""
    return [(int(i), int(j), int(k)) for i, j, k in zip(flat[::3], flat[1::3], flat[2::3], strict=True)]


def inside(image: Any, flat: Sequence[int]) -> list[Index]:
    """Indices counted from the first voxel, from ones counted as in the image's extent.

    Raises
    ------
    RequestError
        A point is outside; the message names it and what each axis allows.
    """
    extent = image.GetExtent()
    found = []
    for point in triples(flat):
        if any(not low <= value <= high for value, low, high in zip(point, extent[::2], extent[1::2], strict=True)):
            ranges = ", ".join(
                f"{axis} {low}..{high}" for axis, low, high in zip("ijk", extent[::2], extent[1::2], strict=True)
            )
            raise RequestError(f"point ({point[0]},{point[1]},{point[2]}) is outside of the image; allowed: {ranges}")
        found.append((point[0] - extent[0], point[1] - extent[2], point[2] - extent[4]))
    return found


def add_physical(script: vmtkImageInitialization, image: Any) -> None:
    """Append the points given in millimetres to the voxel points of a script."""
    for name in ("SourcePoints", "TargetPoints"):
        flat = list(getattr(script, f"{name}Physical"))
        if flat:
            setattr(script, name, [*getattr(script, name), *to_indices(image, flat)])
            setattr(script, f"{name}Physical", [])


def to_indices(image: Any, flat: Sequence[float]) -> list[int]:
    """Extent indices, flat, of physical points x y z (LPS, mm)."""
    frame = frame_of(image)
    world = np.asarray(flat, dtype=float).reshape(-1, 3)
    if frame is not None:
        world = frame.memory + np.linalg.solve(frame.direction, (world - frame.anchor).T).T
    local = np.linalg.solve(direction_of(image), (world - image.GetOrigin()).T).T / image.GetSpacing()
    return [int(value) for value in np.rint(local).ravel()]


def speed_shift(image: Any, method: str, lower: float | None, upper: float | None) -> float:
    """What has to be added to the values so that VMTK's formula masks what is outside of the thresholds.

    VMTK gives voxels outside the value ``min - max``, which lies above the minimum where all values are negative:
    the mask is inverted then. Values from 0 on have the same speeds inside, and speed 0 outside.
    """
    low, high = image.GetScalarRange()
    masked = method in _FRONTS and (lower is not None or upper is not None)
    return -low if masked and high < 0 else 0.0


def shifted(image: Any, shift: float) -> Any:
    """The image as ours, with ``shift`` added to every value."""
    ours = as_image(image)
    if shift == 0:
        return ours
    from mitk_rs.image import Image

    values = np.asarray(ours.as_numpy(time_step=0), dtype=np.float64) + shift
    return Image(values.astype(np.float32), spacing=ours.spacing, origin=ours.origin, direction=ours.direction)
