"""What each file format holds, and images to try it with.

``HOLDS`` is the promise, row by row; ``docs/reference/formats.md`` shows the same table. It is written by hand, not
taken from the code that it judges.
"""

from dataclasses import dataclass

import numpy as np

import mitk_rs as mitk

INTEGERS = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"]
ALL = [*INTEGERS, "f4", "f8"]
SIZES = {2: (5, 4), 3: (5, 4, 3), 4: (5, 4, 3, 2)}
COUNTS = (1, 2, 3, 4, 6)


@dataclass(frozen=True)
class Row:
    """What a format holds: dimensions, types, components (None: any), shear, all geometry, exact times."""

    dimensions: tuple[int, ...] = (2, 3, 4)
    types: tuple[str, ...] = tuple(ALL)
    components: tuple[int, ...] = COUNTS
    geometry: str = "any"
    entries: bool = True
    lossy: bool = False


HOLDS = {
    ".mha": Row(),
    ".mhd": Row(),
    ".nrrd": Row(),
    ".nhdr": Row(),
    ".nii": Row(geometry="orthonormal", entries=False),
    ".nii.gz": Row(geometry="orthonormal", entries=False),
    ".hdr": Row(geometry="orthonormal", entries=False),
    ".hdr.gz": Row(geometry="orthonormal", entries=False),
    ".vti": Row((2, 3)),
    ".vtk": Row((2, 3), geometry="aligned"),
    ".tif": Row((2, 3), ("u1", "i1", "u2", "i2", "u4", "i4", "f4"), geometry="none", entries=False),
    ".png": Row((2,), ("u1", "u2"), (1, 3, 4), geometry="none", entries=False),
    ".jpg": Row((2,), ("u1",), (1, 3), geometry="none", entries=False, lossy=True),
    ".bmp": Row((2,), ("u1",), (1, 3), geometry="none", entries=False),
    ".npy": Row(components=(1,), geometry="none", entries=False),
}
PLACED = [suffix for suffix, row in HOLDS.items() if row.geometry != "none"]


def voxels(dimension: int, kind: str, components: int = 1) -> np.ndarray:
    """Different numbers at every voxel, the extremes of the type among them."""
    shape = SIZES[dimension][::-1] + ((components,) if components > 1 else ())
    count = int(np.prod(shape))
    if np.dtype(kind).kind == "f":
        limits = np.finfo(kind)
        numbers = np.linspace(-1e3, 1e3, count).astype(kind)
    else:
        limits = np.iinfo(kind)
        numbers = np.arange(count).astype(kind)
    numbers[0], numbers[-1] = limits.min, limits.max
    return numbers.reshape(shape)


def smooth(components: int) -> np.ndarray:
    """A picture that JPEG changes little."""
    ramp = np.add.outer(np.arange(4) * 9, np.arange(5) * 7).astype("u1")
    return ramp if components == 1 else np.stack([ramp + 3 * n for n in range(components)], axis=-1)


def fits(row: Row, dimension: int, kind: str, components: int) -> bool:
    return dimension in row.dimensions and kind in row.types and components in row.components


def picture(row: Row, dimension: int, kind: str, components: int) -> mitk.Image:
    is_shown = row.lossy and fits(row, dimension, kind, components)
    array = smooth(components) if is_shown else voxels(dimension, kind, components)
    return mitk.Image(array, components=components > 1)


def rotation(seed: int) -> np.ndarray:
    q, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


PLANE_30 = np.array([[np.cos(0.5), -np.sin(0.5), 0], [np.sin(0.5), np.cos(0.5), 0], [0, 0, 1]])
AWKWARD = (0.1, 1 / 3, 0.7000000000000001)
GEOMETRIES = {
    "aligned": ((0.5, 0.75, 2.5), (1.0, -2.0, 300.0), np.eye(3)),
    "awkward": (AWKWARD, (-123.456789012345, 1e-5, 1e5 / 3), np.eye(3)),
    "flipped": ((0.5, 0.7, 1.1), (10.0, 20.0, 30.0), np.diag([-1.0, -1.0, 1.0])),
    "permuted": ((0.5, 0.7, 1.1), (10.0, 20.0, 30.0), np.eye(3)[[1, 2, 0]]),
    "left-handed": (AWKWARD, (1.0, 2.0, 3.0), np.diag([1.0, 1.0, -1.0])),
    "rotated": (AWKWARD, (-1.1, 2.2, -3.3), rotation(1)),
    "rotated and left-handed": (AWKWARD, (-1.1, 2.2, -3.3), -rotation(2)),
    "turned in the plane": (AWKWARD, (-1.1, 2.2, 0.0), PLANE_30),
    "sheared": ((1.0, 1.0, 1.0), (0.0, 0.0, 5.0), [[1, 0.5, 0], [0, 1, 0], [0, 0, 1]]),
}
REFUSED = {"orthonormal": {"sheared"}, "aligned": set(GEOMETRIES) - {"aligned", "awkward"}, "any": set()}


def placed(dimension: int, name: str, kind: str = "i2") -> mitk.Image:
    spacing, origin, direction = GEOMETRIES[name]
    if dimension == 2:
        spacing, origin = (*spacing[:2], 1.0), (*origin[:2], 0.0)
    return mitk.Image(voxels(dimension, kind), spacing=spacing, origin=origin, direction=direction)


def lies_in_plane(direction) -> bool:
    return np.array_equal(np.asarray(direction)[2], [0, 0, 1]) and np.array_equal(
        np.asarray(direction)[:, 2], [0, 0, 1]
    )
