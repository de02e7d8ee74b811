"""Synthetic images whose truth is known: for demonstrations, tests and measurements.

Every function is deterministic: the same arguments give the same voxels. Arrays are ``(z, y, x)``, voxel indices of
seeds ``(i, j, k)`` = ``(x, y, z)``, lengths millimetres, world coordinates LPS.

:func:`vessel_tree` is a synthetic CT angiography: a branching vessel in soft tissue, with bone, a calcification and
noise. Branches are cubic Hermite curves, so that a child leaves in the direction in which its parent ends. At each fork
the radius follows Murray's law (the cubes of the children's radii add up to the parent's). Voxels at a border hold the
mean of what they contain, as a scanner's do, before the noise comes on top.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitk_rs import _validation
from mitk_rs._validation import not_negative, numbers, triple, whole_number, whole_or_none
from mitk_rs.errors import RequestError, brief
from mitk_rs.image import Image
from mitk_rs.seeds import Seed, Seeds

__all__ = ["VesselTree", "tube", "vessel_tree"]

Points = NDArray[np.float64]
Index = tuple[int, int, int]

# Hounsfield units.
AIR, FAT, SOFT_TISSUE, SPONGY_BONE, LUMEN, COMPACT_BONE, CALCIUM = -1000.0, -90.0, 45.0, 180.0, 350.0, 750.0, 1100.0
LOWER_THRESHOLD = 200.0
DOWN = np.array([0.0, 0.0, -1.0])
# Hounsfield units; voxels are cut to -1024 to 3071.
_MOST_NOISE = 100_000
# Lengths of the generations and the radius of the root, as fractions of the smallest extent of the volume.
LENGTHS = (0.33, 0.3, 0.22, 0.17, 0.12)
ROOT_RADIUS = 0.042
BONE_CLEARANCE_MM = 3.0


@dataclass(frozen=True, repr=False)
class VesselTree:
    """A synthetic angiography and the truth about it.

    Attributes
    ----------
    image : Image
        int16, Hounsfield units.
    labels : ndarray of uint8, shape (z, y, x)
        0 outside of the vessel, ``1 + branch`` inside.
    centre_lines : tuple of ndarray, shape (n, 3)
        World coordinates along each branch, parents before children; branch 0 is the root.
    radii : tuple of ndarray, shape (n,)
        Radius of the lumen at these points, in mm.
    parents : tuple of int
        The branch from which each one springs, -1 for the root.
    source : tuple of int
        Voxel index ``(i, j, k)`` in the root near the face where it enters.
    targets : tuple of tuples of int
        Voxel indices at the ends of the last generation.
    lower_threshold : float
        Half way between tissue and lumen.
    """

    image: Image
    labels: NDArray[np.uint8]
    centre_lines: tuple[Points, ...]
    radii: tuple[Points, ...]
    parents: tuple[int, ...]
    source: Index
    targets: tuple[Index, ...]
    lower_threshold: float = LOWER_THRESHOLD

    def __repr__(self) -> str:
        """Name the tree without its arrays."""
        size = " x ".join(str(n) for n in self.labels.shape[::-1])
        return f"<VesselTree, {size} voxels, {len(self.parents)} branches, source {self.source}>"

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Where the vessel is, shape (z, y, x)."""
        return self.labels > 0

    @property
    def seeds(self) -> Seeds:
        """Source and targets as :class:`~mitk_rs.Seeds` with the labels ``source`` and ``target``."""
        targets = [Seed(target, "target") for target in self.targets]
        return Seeds([Seed(self.source, "source"), *targets], name="vessel_tree")

    @property
    def leaves(self) -> tuple[int, ...]:
        """The branches that end at the targets, in the order of the targets."""
        return tuple(branch for branch in range(len(self.parents)) if branch not in self.parents)

    def path(self, target: int) -> tuple[int, ...]:
        """Return the branches from the root to target number `target`, root first."""
        number = whole_number(target, "target")
        if not 0 <= number < len(self.leaves):
            raise RequestError(f"target is {number}: there are {len(self.leaves)} targets, 0 to {len(self.leaves) - 1}")
        branches = [self.leaves[number]]
        while self.parents[branches[-1]] >= 0:
            branches.append(self.parents[branches[-1]])
        return tuple(reversed(branches))

    def path_mask(self, target: int) -> NDArray[np.bool_]:
        """Return where the branches of :meth:`path` are, shape (z, y, x)."""
        return np.isin(self.labels, np.array(self.path(target)) + 1)


class _Branch(NamedTuple):
    """A branch in the frame of the volume: millimetres from the first voxel along x, y, z."""

    points: Points
    radii: Points
    parent: int


def vessel_tree(
    *,
    size: Sequence[int] = (160, 160, 128),
    spacing: Sequence[float] = (0.8, 0.8, 1.0),
    origin: Sequence[float] = (-61.0, 148.0, -402.5),
    direction: ArrayLike | None = None,
    generations: int = 4,
    noise: float = 20.0,
    seed: int = 2026,
) -> VesselTree:
    """Return a synthetic CT angiography of a branching, tapering, curved vessel, with its truth.

    Without arguments it is the scan of the tutorials, which ``mitk-rs sample`` writes.

    Parameters
    ----------
    size : sequence of int
        Voxels along x, y, z; at least 32 each.
    spacing, origin : sequence of float
        Millimetres along x, y, z; the vessel scales with the extent of the volume.
    direction : array_like, shape (3, 3), optional
        Columns are the axes; by default oblique, turned by 14 degrees about x and -9 degrees about z.
    generations : int
        1 (a single vessel) to 5.
    noise : float
        Standard deviation of the noise in Hounsfield units.
    seed : int
        Seed of the random numbers: shape of the tree, texture and noise.

    Returns
    -------
    VesselTree
        Image, labels, centre lines and seeds.

    Raises
    ------
    RequestError
        For a size, spacing, number of generations or noise out of range.
    GeometryError
        For a direction that is not an invertible 3x3 matrix.

    Examples
    --------
    >>> import mitk_rs as mitk
    >>> tree = mitk.datasets.vessel_tree(size=(48, 48, 40), spacing=(2.5, 2.5, 3.0), generations=3)
    >>> tree.image.as_numpy().shape, len(tree.targets)
    ((40, 48, 48), 4)
    """
    _check(size, spacing, generations, noise)
    spacing, origin = _validation.spacing(spacing), triple(origin, "origin")
    axes = _rotation(0, 14.0) @ _rotation(2, -9.0) if direction is None else _validation.direction(direction)
    grid = _Grid(np.array(size), np.array(spacing, dtype=np.float64))
    rng = np.random.default_rng(whole_or_none(seed, "seed"))
    branches = _grow(rng, grid.extent, generations)
    distance, labels = _rasterize(branches, grid)
    hounsfield = _paint(rng, grid, branches, distance) + _noise(rng, grid.shape, noise)
    voxels = np.clip(np.rint(hounsfield), -1024, 3071).astype(np.int16)
    shift = np.asarray(origin, dtype=np.float64)
    # The first point of the root that lies well inside of the volume.
    entry = int(np.argmax(branches[0].points[:, 2] <= grid.extent[2] - 1.5 * grid.spacing[2]))
    return VesselTree(
        image=Image(voxels, spacing=tuple(spacing), origin=tuple(origin), direction=axes),
        labels=labels,
        centre_lines=tuple(shift + branch.points @ axes.T for branch in branches),
        radii=tuple(branch.radii for branch in branches),
        parents=tuple(branch.parent for branch in branches),
        source=grid.nearest(branches[0].points[entry]),
        targets=tuple(grid.nearest(branch.points[-1]) for branch in branches[-(2 ** (generations - 1)) :]),
    )


@dataclass(frozen=True)
class _Grid:
    """Voxel centres at ``index * spacing``, in the frame of the volume."""

    size: NDArray[np.int64]
    spacing: Points

    @property
    def shape(self) -> tuple[int, int, int]:
        return int(self.size[2]), int(self.size[1]), int(self.size[0])

    @property
    def extent(self) -> Points:
        return (self.size - 1) * self.spacing

    def nearest(self, point: Points) -> Index:
        i, j, k = np.clip(np.rint(point / self.spacing), 0, self.size - 1).astype(int).tolist()
        return i, j, k

    def axes(self) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """x, y, z in mm, shaped so that they broadcast to (z, y, x)."""
        x, y, z = (np.arange(n, dtype=np.float32) * np.float32(h) for n, h in zip(self.size, self.spacing, strict=True))
        return x[None, None, :], y[None, :, None], z[:, None, None]


def _check(size: Sequence[int], spacing: Sequence[float], generations: int, noise: float) -> None:
    lengths = numbers(size, "size")
    if lengths.shape != (3,) or not ((lengths >= 32) & (lengths <= 1 << 16) & (np.floor(lengths) == lengths)).all():
        raise RequestError(f"size must be three whole numbers of at least 32, at most 65536, got {brief(size)}")
    distances = numbers(spacing, "spacing")
    if distances.shape != (3,) or not (np.isfinite(distances) & (distances > 0)).all():
        raise RequestError(f"spacing must be three positive lengths in mm, got {brief(spacing)}")
    if not 1 <= whole_number(generations, "generations") <= len(LENGTHS):
        raise RequestError(f"generations must be 1 to {len(LENGTHS)}, got {generations}")
    if not_negative(noise, "noise") > _MOST_NOISE:
        raise RequestError(f"noise must be at most {_MOST_NOISE} HU, got {noise:g}")


def _unit(vector: Points) -> Points:
    return vector / np.linalg.norm(vector)


def _rotation(axis: int, degrees: float) -> Points:
    """Rotation about coordinate axis 0, 1 or 2."""
    first, second = [number for number in range(3) if number != axis]
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3)
    matrix[first, first] = matrix[second, second] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


# --- the tree ---------------------------------------------------------------------------------------------------------


def _grow(rng: np.random.Generator, extent: Points, generations: int) -> list[_Branch]:
    """Branches of all generations, parents before children."""
    scale = float(extent.min())
    # The root comes in through the last slice: its first point lies beyond it.
    start = np.array([0.5, 0.5, 1.03]) * extent
    radius = ROOT_RADIUS * scale
    root = _curve(rng, start, DOWN, DOWN, LENGTHS[0] * scale)
    tree = [_Branch(root, _taper(radius, radius, len(root)), -1)]
    generation = [0]
    for number in range(1, generations):
        generation = [child for parent in generation for child in _fork(rng, tree, parent, number, scale)]
    return tree


def _fork(rng: np.random.Generator, tree: list[_Branch], parent: int, number: int, scale: float) -> tuple[int, int]:
    """Add two children to branch `parent`; the planes of successive forks are turned against each other."""
    stem = tree[parent]
    forward = _unit(stem.points[-1] - stem.points[-2])
    sideways = _rotation(2, 55.0 * (number - 1) + rng.uniform(-12, 12)) @ np.array([1.0, 0.0, 0.0])
    sideways = _unit(sideways - forward * (sideways @ forward))
    # One child is a little wider; the cubes of both radii add up to the stem's.
    share = rng.uniform(0.42, 0.58)
    for side, part in ((1.0, share), (-1.0, 1.0 - share)):
        angle = np.radians(rng.uniform(30, 38))
        heading = _unit(np.cos(angle) * forward + side * np.sin(angle) * sideways + 0.3 * DOWN)
        points = _curve(rng, stem.points[-1], forward, heading, LENGTHS[number] * scale * rng.uniform(0.92, 1.08))
        radius = float(stem.radii[-1])
        tree.append(_Branch(points, _taper(radius, radius * np.cbrt(part), len(points)), parent))
    return len(tree) - 2, len(tree) - 1


def _curve(rng: np.random.Generator, start: Points, leaving: Points, heading: Points, length: float) -> Points:
    """A cubic Hermite curve that leaves `start` along `leaving` and arrives along `heading`, with a bow to one side."""
    t = np.linspace(0.0, 1.0, 97)[:, None]
    end = start + length * _unit(leaving + 2.0 * heading)
    side = rng.normal(size=3)
    side = _unit(side - heading * (side @ heading))
    curve: Points = (
        (2 * t**3 - 3 * t**2 + 1) * start
        + (t**3 - 2 * t**2 + t) * length * leaving
        + (3 * t**2 - 2 * t**3) * end
        + (t**3 - t**2) * length * heading
        + 0.09 * length * np.sin(np.pi * t) ** 2 * side
    )
    return curve


def _taper(stem: float, radius: float, count: int) -> Points:
    """Radii along a branch: from the stem's soon to `radius`, which shrinks by 12 % to the end."""
    t = np.linspace(0.0, 1.0, count)
    tapered: Points = radius * (1.0 - 0.12 * t) + (stem - radius) * np.exp(-t / 0.06)
    return tapered


# --- voxels -----------------------------------------------------------------------------------------------------------


def _rasterize(branches: list[_Branch], grid: _Grid) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Signed distance to the wall (negative inside, infinite far away) and the branch of each voxel inside."""
    distance = np.full(grid.shape, np.inf, dtype=np.float32)
    nearest = np.zeros(grid.shape, dtype=np.uint8)
    xs, ys, zs = grid.axes()
    balls = [(n, *ball) for n, b in enumerate(branches, 1) for ball in zip(b.points, b.radii, strict=True)]
    for label, point, radius in balls:
        reach = radius + BONE_CLEARANCE_MM
        low = np.clip(np.floor((point - reach) / grid.spacing), 0, grid.size).astype(int)
        high = np.clip(np.ceil((point + reach) / grid.spacing) + 1, 0, grid.size).astype(int)
        box = tuple(slice(a, b) for a, b in zip(low[::-1], high[::-1], strict=True))
        px, py, pz = (np.float32(value) for value in point)
        x, y, z = xs[..., box[2]] - px, ys[:, box[1]] - py, zs[box[0]] - pz
        ball = np.sqrt(x**2 + y**2 + z**2) - np.float32(radius)
        closer = ball < distance[box]
        distance[box][closer] = ball[closer]
        nearest[box][closer] = label
    return distance, np.where(distance < 0, nearest, 0).astype(np.uint8)


def _paint(
    rng: np.random.Generator, grid: _Grid, branches: list[_Branch], distance: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Hounsfield units without noise; what comes later lies over what came before."""
    voxels = _body(rng, grid)
    # Bone at both sides keeps away from the vessel, else a threshold could not tell one from the other.
    free = distance > BONE_CLEARANCE_MM
    for x, z in ((0.1, 0.3), (0.9, 0.36)):
        depth = _ellipsoid_depth(grid, np.array([x, 0.6, z]) * grid.extent, np.array([0.075, 0.11, 0.2]) * grid.extent)
        marrow = np.clip(depth / 2.5 - 0.5, 0, 1)
        _blend(voxels, COMPACT_BONE + (SPONGY_BONE - COMPACT_BONE) * marrow, np.clip(depth + 0.5, 0, 1) * free)
    blur = np.float32(grid.spacing.mean())
    _blend(voxels, LUMEN, np.clip(0.5 - distance / blur, 0, 1))
    # Calcium around a place on the wall of the root, in its second half.
    root = branches[0]
    place = 2 * len(root.points) // 3
    radius = root.radii[place]
    wall, half_axes = root.points[place] + np.array([radius, 0.0, 0.0]), radius * np.array([0.5, 0.9, 1.3])
    depth = _ellipsoid_depth(grid, wall, half_axes)
    _blend(voxels, CALCIUM, np.clip(0.5 + depth / blur, 0, 1) * (np.abs(distance) < 1.2))
    return voxels


def _blend(voxels: NDArray[np.float32], value: ArrayLike, share: NDArray[np.float32]) -> None:
    """Replace the part `share` of every voxel by `value`."""
    voxels += share * (np.asarray(value, dtype=np.float32) - voxels)


def _body(rng: np.random.Generator, grid: _Grid) -> NDArray[np.float32]:
    """Soft tissue with a slow texture in a ring of fat, in air."""
    x, y, z = (axis / np.float32(length) for axis, length in zip(grid.axes(), grid.extent, strict=True))
    ring = np.sqrt(((x - 0.5) / 0.56) ** 2 + ((y - 0.5) / 0.5) ** 2)
    slice_values = np.select([ring < 0.9, ring < 0.97], [SOFT_TISSUE, FAT], AIR).astype(np.float32)
    waves = np.zeros(grid.shape, dtype=np.float32)
    for frequency in rng.uniform(2.0, 7.0, size=(4, 3)).astype(np.float32):
        phase = rng.uniform(0, 2 * np.pi, size=3).astype(np.float32)
        fx, fy, fz = (2 * np.pi * frequency).astype(np.float32)
        waves += np.sin(fx * x + phase[0]) * np.sin(fy * y + phase[1]) * np.sin(fz * z + phase[2])
    return slice_values + np.float32(6.0) * waves


def _ellipsoid_depth(grid: _Grid, centre: Points, half_axes: Points) -> NDArray[np.float32]:
    """Approximate distance in mm to the surface of an ellipsoid, positive inside."""
    x, y, z = (
        (axis - np.float32(c)) / np.float32(a) for axis, c, a in zip(grid.axes(), centre, half_axes, strict=True)
    )
    depth: NDArray[np.float32] = (1 - np.sqrt(x**2 + y**2 + z**2)) * np.float32(half_axes.min())
    return depth


def _noise(rng: np.random.Generator, shape: tuple[int, int, int], sigma: float) -> NDArray[np.float32]:
    """Gaussian noise of standard deviation `sigma` that neighbours share in part, as after reconstruction."""
    grain = rng.standard_normal(shape, dtype=np.float32)
    for axis in range(3):
        grain = grain + np.float32(0.5) * (np.roll(grain, 1, axis) + np.roll(grain, -1, axis))
    # The kernel (1/2, 1, 1/2) along three axes multiplies the variance by 1.5 cubed.
    return grain * np.float32(sigma / np.sqrt(1.5**3))


def tube() -> Image:
    """Return a bright straight tube along z: 900 voxels of 100 in a 20 x 20 x 20 image of zeros.

    The value is 100 where ``(i - 10)**2 + (j - 10)**2 < 16``, which are 45 voxels in each slice; int16, spacing
    (0.5, 0.5, 1.0) mm, origin (-3, 2, 7) mm, identity direction.

    Returns
    -------
    Image
        The tube; ``source=(10, 10, 2)`` and ``target=(10, 10, 17)`` lie on its axis.

    Examples
    --------
    >>> import mitk_rs as mitk
    >>> int((mitk.datasets.tube().as_numpy() == 100).sum())
    900
    """
    squares = (np.arange(20) - 10) ** 2
    disc = squares[:, None] + squares[None, :] < 16
    voxels = np.where(disc, 100, 0).astype(np.int16)
    return Image(np.repeat(voxels[None], 20, axis=0), spacing=(0.5, 0.5, 1.0), origin=(-3.0, 2.0, 7.0))
