"""Random images and speeds for tests, ours and yours.

:func:`speed_volume` makes a volume of speeds of a given kind, the same for the same seed. The others are `Hypothesis
<https://hypothesis.readthedocs.io>`_ strategies, which shrink to a small example when a test fails; the extra
``mitk_rs[test]`` installs Hypothesis.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import DTypeLike, NDArray

import mitk_rs
from mitk_rs import _core
from mitk_rs.marching import Arrival

__all__ = [
    "PIXEL_TYPES",
    "directions",
    "fixed_point_defects",
    "images",
    "indices",
    "shapes",
    "spacings",
    "speed_volume",
    "speeds",
]

#: Types a voxel can have.
PIXEL_TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64")

Kind = Literal["constant", "smooth", "noise", "blocks", "binary"]
Triple = tuple[float, float, float]


def speed_volume(kind: Kind, shape: Sequence[int], seed: int = 0) -> NDArray[np.float32]:
    """A float32 volume of speeds.

    Parameters
    ----------
    kind
        ``"constant"``: 1 everywhere. ``"smooth"``: varies slowly between 0.1 and 1. ``"noise"``: each voxel
        between 0.01 and 1. ``"blocks"``: blocks of 8 voxels a side, speed 1 or 0.01. ``"binary"``: 1, with a third
        of blocks of 4 voxels a side at 0, which no front enters.
    shape
        Size in NumPy's order, ``(z, y, x)`` or ``(y, x)``.
    seed
        Number from which all that is random follows.

    Examples
    --------
    >>> from mitk_rs.testing import speed_volume
    >>> speed = speed_volume("smooth", (20, 30, 40), seed=7)
    >>> bool(speed.min() >= 0.1 and speed.max() <= 1.0)
    True
    """
    random = np.random.default_rng(seed)
    if kind == "constant":
        return np.ones(shape, np.float32)
    if kind == "smooth":
        return np.float32(0.1) + np.float32(0.9) * _smooth(shape, random)
    if kind == "noise":
        return np.float32(0.01) + np.float32(0.99) * random.random(tuple(shape), np.float32)
    if kind == "blocks":
        return _blocks(random, shape, 8, (1.0, 0.01))
    if kind == "binary":
        return _blocks(random, shape, 4, (1.0, 1.0, 0.0))
    raise ValueError(f"kind is {kind!r}: allowed are 'constant', 'smooth', 'noise', 'blocks' and 'binary'")


def fixed_point_defects(
    arrival: Arrival[NDArray[Any]],
    speed: NDArray[Any],
    *,
    seeds: Sequence[Sequence[int]],
    spacing: Sequence[float] = (1.0, 1.0, 1.0),
) -> int:
    """How many accepted voxels do not hold exactly the time that follows from the accepted ones around them.

    0 for every result of :func:`mitk_rs.fast_marching`: its times are a fixed point of the discrete eikonal equation.

    Parameters
    ----------
    arrival
        Result of a march through the array ``speed``, in float32.
    speed, seeds, spacing
        What was marched through, from where, with which spacing (x, y, z) in mm.

    Examples
    --------
    >>> from mitk_rs import fast_marching
    >>> from mitk_rs.testing import fixed_point_defects, speed_volume
    >>> speed = speed_volume("noise", (20, 30, 40))
    >>> fixed_point_defects(fast_marching(speed, seeds=[(1, 2, 3)]), speed, seeds=[(1, 2, 3)])
    0
    """
    x, y, z = spacing
    return _core.fixed_point_defects(arrival.arrival_time, speed, (x, y, z), seeds, arrival.stop)


def _smooth(shape: Sequence[int], random: np.random.Generator) -> NDArray[np.float32]:
    """A coarse random grid, one node in 16 voxels, interpolated linearly along one axis after the other."""
    field = random.random([n // 16 + 2 for n in shape], np.float32)
    for axis, n in enumerate(shape):
        position = np.linspace(0, field.shape[axis] - 1, n, dtype=np.float32)
        lower = np.minimum(position.astype(np.intp), field.shape[axis] - 2)
        weight = (position - lower).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(len(shape))])
        field = field.take(lower, axis) * (1 - weight) + field.take(lower + 1, axis) * weight
    return field


def _blocks(
    random: np.random.Generator, shape: Sequence[int], side: int, values: Sequence[float]
) -> NDArray[np.float32]:
    blocks = random.choice(np.array(values, np.float32), [-(-n // side) for n in shape])
    for axis, n in enumerate(shape):
        blocks = blocks.repeat(side, axis).take(range(n), axis)
    return blocks


def shapes(dimensions: int | None = None, max_side: int = 8) -> st.SearchStrategy[tuple[int, ...]]:
    """Shapes ``(y, x)``, ``(z, y, x)`` or ``(t, z, y, x)`` with sides of 1 to ``max_side``; all three by default."""
    lowest, highest = (2, 4) if dimensions is None else (dimensions, dimensions)
    return arrays.array_shapes(min_dims=lowest, max_dims=highest, min_side=1, max_side=max_side)


def spacings(low: float = 0.1, high: float = 10.0) -> st.SearchStrategy[Triple]:
    """Spacings (x, y, z) in mm."""
    length = st.floats(low, high)
    return st.tuples(length, length, length)


def indices(shape: Sequence[int]) -> st.SearchStrategy[tuple[int, ...]]:
    """Voxel indices (x, y, z) inside an array of this shape."""
    return st.tuples(*(st.integers(0, n - 1) for n in reversed(shape)))


@st.composite
def directions(draw: st.DrawFn) -> NDArray[np.float64]:
    """Orthonormal 3x3 matrices, right- and left-handed: rotations by a random unit quaternion, some mirrored."""
    part = st.floats(-1, 1)
    quaternion = np.array(draw(st.tuples(part, part, part, part)))
    length = np.linalg.norm(quaternion)
    w, x, y, z = quaternion / length if length > 0.1 else (1.0, 0.0, 0.0, 0.0)
    rotation = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    return rotation * draw(st.sampled_from([1.0, -1.0]))


def speeds(
    shape: Sequence[int] | st.SearchStrategy[tuple[int, ...]] | None = None, *, zeros: bool = True
) -> st.SearchStrategy[NDArray[np.float32]]:
    """Float32 volumes of speeds between 0.01 and 1, and 0 for walls unless ``zeros`` is false.

    Examples
    --------
    >>> from hypothesis import given
    >>> from mitk_rs.testing import speeds
    >>> @given(speeds())
    ... def test_speeds_are_never_negative(speed):
    ...     assert (speed >= 0).all()
    >>> test_speeds_are_never_negative()
    """
    value: st.SearchStrategy[float] = st.floats(float(np.float32(0.01)), 1.0, width=32)
    elements = st.one_of(value, st.just(0.0)) if zeros else value
    sides = shapes(3) if shape is None else shape
    return arrays.arrays(np.float32, tuple(sides) if isinstance(sides, Sequence) else sides, elements=elements)


@st.composite
def images(
    draw: st.DrawFn, dtype: DTypeLike | None = None, shape: Sequence[int] | None = None, *, components: int = 1
) -> mitk_rs.Image:
    """Images of any pixel type, 2-D to 3-D + time, with any spacing, origin and orthonormal direction.

    Parameters
    ----------
    dtype
        NumPy type of the voxels; any of :data:`PIXEL_TYPES` by default. Floats are finite.
    shape
        Shape without components; any of :func:`shapes` by default.
    components
        Components of a voxel.

    Examples
    --------
    >>> from hypothesis import given
    >>> from mitk_rs.testing import images
    >>> @given(images("int16"))
    ... def test_direction_is_orthonormal(image):
    ...     assert abs(image.direction @ image.direction.T - [[1, 0, 0], [0, 1, 0], [0, 0, 1]]).max() < 1e-9
    >>> test_direction_is_orthonormal()
    """
    kind = np.dtype(draw(st.sampled_from(PIXEL_TYPES)) if dtype is None else dtype)
    sides = tuple(draw(shapes(max_side=6)) if shape is None else shape)
    full = sides if components == 1 else (*sides, components)
    elements = {"allow_nan": False, "allow_infinity": False} if kind.kind == "f" else None
    voxels = draw(arrays.arrays(kind, full, elements=elements))
    origin = draw(spacings(-1000.0, 1000.0))
    return mitk_rs.Image(voxels, draw(spacings()), origin, draw(directions()), components=components > 1)
