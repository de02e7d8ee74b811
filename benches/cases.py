"""The volumes that are marched through, made once and handed to every package as a ``.npy`` file."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.testing import speed_volume

Floats = NDArray[np.float32]
Index = tuple[int, int, int]


@dataclass(frozen=True)
class Problem:
    """What a package is asked: a march where ``goals`` is empty, otherwise fronts that collide."""

    speed: Floats
    spacing: tuple[float, float, float]
    seeds: list[Index]
    goals: list[Index] = field(default_factory=list)
    stop_on_targets: bool = True
    #: Whether ours gives the reached voxels alone.
    sparse: bool = False

    def request(self, folder: Path, name: str) -> dict[str, Any]:
        """The problem as a worker reads it, the speed in a file."""
        path = folder / f"{name}.npy"
        np.save(path, self.speed)
        return {
            "speed": str(path),
            "spacing": self.spacing,
            "seeds": self.seeds,
            "goals": self.goals,
            "stop_on_targets": self.stop_on_targets,
            "sparse": self.sparse,
        }


@dataclass(frozen=True)
class Case:
    """A row of the table: how to make the problem, and which peers run it how often."""

    title: str
    make: Callable[[], Problem]
    peers: tuple[str, ...] = ("itk",)
    peer_repeats: int = 3
    #: Runs of ours for each that the command line asks for: what takes milliseconds needs more of them.
    own_repeats: int = 1
    #: Whether a peer that runs for minutes is needed.
    long: bool = False


def centre(n: int) -> Index:
    """The middle voxel."""
    return (n // 2, n // 2, n // 2)


def dense(kind: Any, n: int) -> Callable[[], Problem]:
    """A march through the whole of a volume from its middle."""
    return lambda: Problem(speed_volume(kind, (n, n, n), seed=1), (1.0, 1.0, 1.0), [centre(n)])


def whole_collision(n: int) -> Problem:
    """Two fronts that both march everywhere."""
    ends: list[Index] = [(n // 4, n // 2, n // 2), (n - n // 4, n // 2, n // 2)]
    return Problem(speed_volume("smooth", (n, n, n), seed=1), (1.0, 1.0, 1.0), ends[:1], ends[1:], False)


def stamp(depth: Floats, point: Sequence[float], radius: float) -> None:
    """Lower ``depth`` (distance to a centreline over the radius there) around a point (x, y, z)."""
    low = [max(int(c - radius), 0) for c in point]
    high = [min(int(c + radius) + 2, n) for c, n in zip(point, depth.shape[::-1], strict=True)]
    x, y, z = (np.arange(a, b, dtype=np.float32) - np.float32(c) for a, b, c in zip(low, high, point, strict=True))
    distance = np.sqrt(z[:, None, None] ** 2 + y[:, None] ** 2 + x**2) / np.float32(radius)
    window = depth[low[2] : high[2], low[1] : high[1], low[0] : high[0]]
    np.minimum(window, distance, out=window)


def tube(n: int) -> Problem:
    """Fronts from both ends of a helical tube: radius 0.04 n, one and a half turns, 1.5 % of the volume."""
    t = np.linspace(0, 1, 6 * n)
    angle = 3 * np.pi * t
    line = n * np.stack([0.5 + 0.3 * np.cos(angle), 0.5 + 0.3 * np.sin(angle), 0.1 + 0.8 * t], axis=1)
    depth = np.full((n, n, n), 2, np.float32)
    for point in line:
        stamp(depth, point.tolist(), 0.04 * n)
    speed = np.where(depth <= 1, 1 - np.float32(0.4) * depth, np.float32(0))
    first, last = (tuple(round(c) for c in line[end]) for end in (0, -1))
    return Problem(speed, (1.0, 1.0, 1.0), [first], [last])


def tree(n: int, side: int = 256, *, sparse: bool = False) -> Callable[[], Problem]:
    """A march through a binary vessel tree that fills a box of ``side`` voxels, in a volume of n^3."""

    def make() -> Problem:
        depth = np.full((side, side, side), 2, np.float32)
        root = (side / 2, side / 2, 4.0)
        grow(depth, np.random.default_rng(5), np.array(root), np.array([0.0, 0.0, 1.0]), 0.022 * side, 0.26 * side, 6)
        speed = np.zeros((n, n, n), np.float32)
        first = (n - side) // 2
        inner = slice(first, first + side)
        speed[inner, inner, inner] = depth <= 1
        x, y, z = (int(c) + first for c in root)
        return Problem(speed, (1.0, 1.0, 1.0), [(x, y, z)], sparse=sparse)

    return make


def grow(
    depth: Floats,
    random: np.random.Generator,
    start: NDArray[np.float64],
    towards: NDArray[np.float64],
    radius: float,
    length: float,
    generations: int,
) -> None:
    """Draw a branch and, at its end, two thinner and shorter ones in random directions."""
    position = start
    for _ in range(int(2 * length)):
        stamp(depth, position.tolist(), radius)
        towards = towards + random.normal(0, 0.04, 3)
        towards /= np.linalg.norm(towards)
        position = np.clip(position + towards / 2, 4, np.array(depth.shape[::-1]) - 5)
    for _ in range(2 if generations else 0):
        turned = towards + random.normal(0, 0.6, 3)
        grow(depth, random, position, turned / np.linalg.norm(turned), 0.78 * radius, 0.75 * length, generations - 1)


def aorta() -> Problem:
    """The CT of the test data, its speeds made from intensities beforehand."""
    import SimpleITK as sitk

    from mitk_rs import _core

    image = sitk.ReadImage(str(Path(os.environ["MITK_RS_TEST_DATA"]) / "aorta.mha"), sitk.sitkFloat32)
    x, y, z = (float(np.float32(h)) for h in image.GetSpacing())
    speed = _core.speed_image(sitk.GetArrayFromImage(image), (700.0, None, False, False))
    return Problem(speed, (x, y, z), [(71, 213, 16)], [(58, 78, 22)])


def all_cases(n: int, large: int) -> dict[str, Case]:
    """The cases by name, at edge lengths ``n`` and, where it says so, ``large``."""
    everyone = ("itk", "SimpleITK", "scikit-fmm", "eikonalfm")
    small = {
        f"{kind}-{edge}": Case(f"march {edge}³, {kind} speed", dense(kind, edge), own_repeats=7)
        for edge in (32, 48, 64, 96)
        for kind in ("constant", "smooth")
        if edge < n
    }
    cases = small | {
        "constant": Case(f"march {n}³, constant speed, one seed at the centre", dense("constant", n), everyone),
        "smooth": Case(f"march {n}³, smooth random speed 0.1 to 1", dense("smooth", n)),
        "noise": Case(f"march {n}³, white noise 0.01 to 1", dense("noise", n)),
        "blocks": Case(f"march {n}³, blocks of speed 1 and 0.01", dense("blocks", n)),
        "tube": Case(f"colliding fronts, tube {n}³, stop on targets", lambda: tube(n), ("itk", "SimpleITK")),
        "whole": Case(f"colliding fronts, whole {n}³, smooth speed, no stop", lambda: whole_collision(n)),
        "tree": Case(f"march, binary vessel tree in {n}³", tree(n, n), ("itk", "numpy.full")),
        "tree-large": Case(f"march, the same tree in {2 * n}³", tree(2 * n, n), ("itk", "numpy.full")),
        "sparse": Case(f"march, the tree in {n}³, sparse", tree(n, n, sparse=True), ("itk",)),
        "sparse-large": Case(f"march, the tree in {2 * n}³, sparse", tree(2 * n, n, sparse=True), ("itk",)),
        "constant-large": Case(f"march {large}³, constant speed", dense("constant", large), peer_repeats=1, long=True),
        "smooth-large": Case(f"march {large}³, smooth speed", dense("smooth", large), peer_repeats=1, long=True),
    }
    if os.environ.get("MITK_RS_TEST_DATA"):
        cases["aorta"] = Case("colliding fronts, aorta 157 x 393 x 34, filter only", aorta, ("itk", "SimpleITK"))
    return cases
