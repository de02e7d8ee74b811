"""Marches and colliding fronts equal ITK's float filters in every bit."""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mitk_rs as mitk
from mitk_rs.testing import speed_volume

Index = tuple[int, int, int]
KINDS = ("constant", "smooth", "noise", "blocks", "binary")
SPACINGS = ((1.0, 1.0, 1.0), (1.0, 1.0, 2.0), (0.7, 0.9, 3.1), (1.0, 1.0, 5.0))
SLOW = bool(os.environ.get("MITK_RS_SLOW_TESTS"))


def same_bits(ours: NDArray[Any], theirs: NDArray[Any]) -> bool:
    """Whether two arrays of floats agree in every bit."""
    assert ours.dtype == theirs.dtype == np.float32
    assert ours.shape == theirs.shape
    return bool(np.array_equal(ours.view(np.uint32), theirs.view(np.uint32)))


def voxels(random: np.random.Generator, shape: Sequence[int], count: int) -> list[Index]:
    """Different voxels, some of them in corners and on faces."""
    sides = np.array(shape[::-1])
    found: dict[Index, None] = {}
    while len(found) < count:
        voxel = random.integers(0, sides)
        edge = random.random(3) < 0.3
        voxel = np.where(edge, random.choice([0, 1], 3) * (sides - 1), voxel)
        found[tuple(voxel.tolist())] = None
    return list(found)


def test_colliding_fronts_on_aorta(oracle: Any, aorta: Any) -> None:
    theirs = oracle.collide(aorta.speed, aorta.spacing, [aorta.source], [aorta.target])
    ours = mitk.colliding_fronts(aorta.speed, spacing=aorta.spacing, seeds1=[aorta.source], seeds2=[aorta.target])
    assert same_bits(ours, theirs)
    assert (ours < -1e-5).sum() == 16_471


@pytest.mark.parametrize("offset", [0.0, 1.0, 5.0, 100.0])
def test_march_on_aorta(oracle: Any, aorta: Any, offset: float) -> None:
    theirs = oracle.march(
        aorta.speed, aorta.spacing, [aorta.source], targets=[aorta.target], mode="one", offset=offset, gradient=True
    )
    ours = mitk.fast_marching(
        aorta.speed,
        spacing=aorta.spacing,
        seeds=[aorta.source],
        targets=[aorta.target],
        target_offset=offset,
        gradient=True,
    )
    assert same_bits(ours.arrival_time, theirs["times"])
    assert same_bits(ours.gradient, theirs["gradient"])


@pytest.mark.parametrize(("kind", "spacing"), list(itertools.product(KINDS, SPACINGS)))
def test_colliding_fronts_on_generated_volumes(oracle: Any, kind: Any, spacing: Any) -> None:
    speed = speed_volume(kind, (15, 22, 27), seed=3)
    ends: list[tuple[list[Index], list[Index]]] = [
        ([(0, 0, 0)], [(26, 21, 14)]),
        ([(0, 11, 7)], [(13, 0, 7), (26, 10, 14)]),
        ([(5, 5, 5), (20, 3, 9)], [(13, 18, 2)]),
    ]
    for (seeds1, seeds2), stop, connected in itertools.product(ends, (True, False), (True, False)):
        theirs = oracle.collide(speed, spacing, seeds1, seeds2, stop_on_targets=stop, apply_connectivity=connected)
        ours = mitk.colliding_fronts(
            speed,
            spacing=spacing,
            seeds1=seeds1,
            seeds2=seeds2,
            stop_on_targets=stop,
            apply_connectivity=connected,
        )
        assert same_bits(ours, theirs), (seeds1, seeds2, stop, connected)


def test_fronts_that_never_meet(oracle: Any) -> None:
    speed = np.ones((9, 10, 21), np.float32)
    speed[:, :, 10] = 0
    for stop, connected in itertools.product((True, False), (True, False)):
        options = {"stop_on_targets": stop, "apply_connectivity": connected}
        theirs = oracle.collide(speed, (1, 1, 2), [(2, 3, 4)], [(18, 3, 4)], **options)
        ours = mitk.colliding_fronts(speed, spacing=(1, 1, 2), seeds1=[(2, 3, 4)], seeds2=[(18, 3, 4)], **options)
        assert same_bits(ours, theirs)
        assert np.count_nonzero(ours) == (1 if connected else 2)


@pytest.mark.parametrize("offset", [0.0, 1.0, 5.0, 100.0])
@pytest.mark.parametrize("mode", ["none", "one", "some", "all"])
def test_targets_and_gradient(oracle: Any, mode: str, offset: float) -> None:
    targets: list[Index] = [(23, 19, 13), (5, 5, 5), (0, 9, 3), (12, 0, 8)]
    for kind, spacing in itertools.product(KINDS, SPACINGS[::2]):
        speed = speed_volume(kind, (14, 20, 24), seed=11)
        for target in targets:
            speed[target[::-1]] = 1
        theirs = oracle.march(
            speed, spacing, [(12, 10, 7)], targets=targets, mode=mode, count=2, offset=offset, gradient=True
        )
        ours = mitk.fast_marching(
            speed,
            spacing=spacing,
            seeds=[(12, 10, 7)],
            targets=targets,
            target_mode="some:2" if mode == "some" else mode,
            target_offset=offset,
            gradient=True,
        )
        assert same_bits(ours.arrival_time, theirs["times"]), kind
        assert same_bits(ours.gradient, theirs["gradient"]), kind
        if ours.target_value is not None and offset == 0:
            assert ours.target_value == theirs["target_value"]


def test_unreachable_target_marches_everywhere(oracle: Any) -> None:
    speed = np.ones((8, 8, 16), np.float32)
    speed[:, :, 12] = 0
    theirs = oracle.march(speed, (1, 1, 1), [(3, 3, 3)], targets=[(15, 3, 3)], mode="one", offset=1.0)
    ours = mitk.fast_marching(speed, seeds=[(3, 3, 3)], targets=[(15, 3, 3)], target_offset=1.0)
    assert same_bits(ours.arrival_time, theirs["times"])
    assert ours.target_value is None
    assert (ours.arrival_time[:, :, 12:] == np.float32(mitk.marching.FAR)).all()


def test_stopping_time(oracle: Any) -> None:
    speed = speed_volume("smooth", (12, 14, 16), seed=5)
    for limit in (0.0, 3.5, 1000.0):
        theirs = oracle.march(speed, (1, 1, 2), [(8, 7, 6)], stopping_time=limit)
        ours = mitk.fast_marching(speed, spacing=(1, 1, 2), seeds=[(8, 7, 6)], stopping_time=limit)
        assert same_bits(ours.arrival_time, theirs["times"]), limit


def test_seeds_with_start_times(oracle: Any) -> None:
    speed = speed_volume("noise", (12, 14, 16), seed=6)
    seeds: list[Index] = [(0, 0, 0), (15, 13, 11), (8, 7, 6), (9, 7, 6)]
    times = [0.0, 3.25, 1.5, 400.0]
    theirs = oracle.march(speed, (1, 1, 1), seeds, seed_times=times, gradient=True)
    ours = mitk.fast_marching(speed, seeds=seeds, seed_times=times, gradient=True)
    assert same_bits(ours.arrival_time, theirs["times"])
    assert same_bits(ours.gradient, theirs["gradient"])


THIN = [
    *[tuple(n if a == axis else 37 + a for a in range(3)) for axis in range(3) for n in range(1, 9)],
    *[tuple(50 if a == axis else 1 for a in range(3)) for axis in range(3)],
    (1, 1, 1),
]


@pytest.mark.parametrize("shape", THIN, ids=str)
def test_thin_volumes(oracle: Any, shape: Any) -> None:
    """One to eight slices along each axis, lines along each axis, a single voxel."""
    spacing, last = (0.7, 1.3, 2.9), tuple(n - 1 for n in shape[::-1])
    for kind in ("smooth", "binary"):
        speed = speed_volume(kind, shape, seed=13)
        theirs = oracle.march(speed, spacing, [(0, 0, 0)], gradient=True)
        ours = mitk.fast_marching(speed, spacing=spacing, seeds=[(0, 0, 0)], gradient=True)
        assert same_bits(ours.arrival_time, theirs["times"])
        assert same_bits(ours.gradient, theirs["gradient"])
        ends: dict[str, Any] = {"seeds1": [(0, 0, 0)], "seeds2": [last]}
        fronts = oracle.collide(speed, spacing, [(0, 0, 0)], [last])
        assert same_bits(mitk.colliding_fronts(speed, spacing=spacing, **ends), fronts)


@pytest.mark.parametrize("block", range(10))
def test_two_hundred_generated_marches(oracle: Any, block: int) -> None:
    """Twenty cases a block, most of them small, one of each block up to 96 voxels a side."""
    for number in range(block * 20, block * 20 + 20):
        random = np.random.default_rng(number)
        largest = 40 + 56 * (block == 9) if number % 20 == 0 else 24
        shape = tuple(random.integers(1, largest + 1, 3).tolist()) if number else (96, 96, 96)
        check_generated(oracle, random, shape, number)


def check_generated(oracle: Any, random: np.random.Generator, shape: Sequence[int], number: int) -> None:
    """One random march, every choice made by ``random``."""
    speed = speed_volume(KINDS[number % 5], shape, seed=number)
    spacing = tuple(random.uniform(0.3, 5.0, 3).tolist()) if number % 3 else (1.0, 1.0, 1.0)
    total = int(np.prod(shape))
    seeds = voxels(random, shape, min(int(random.integers(1, 4)), total))
    targets = voxels(random, shape, min(int(random.integers(1, 6)), total))
    mode = str(random.choice(["none", "one", "some", "all"]))
    count = int(random.integers(1, len(targets) + 1))
    offset = float(random.choice([0.0, 1.0, 5.0, 100.0]))
    options = {"mode": mode, "count": count, "offset": offset, "targets": targets, "gradient": True}
    theirs = oracle.march(speed, spacing, seeds, **options)
    ours = mitk.fast_marching(
        speed,
        spacing=spacing,
        seeds=seeds,
        targets=targets,
        target_mode=count if mode == "some" else mode,
        target_offset=offset,
        gradient=True,
    )
    assert same_bits(ours.arrival_time, theirs["times"]), number
    assert same_bits(ours.gradient, theirs["gradient"]), number


@pytest.mark.slow
@pytest.mark.skipif(not SLOW, reason="three marches of 256^3 take ITK a minute: set MITK_RS_SLOW_TESTS=1")
@pytest.mark.parametrize("kind", ["constant", "smooth", "noise"])
def test_march_of_256_cubed(oracle: Any, kind: Any) -> None:
    speed = speed_volume(kind, (256, 256, 256), seed=1)
    theirs = oracle.march(speed, (1.0, 1.0, 1.5), [(128, 128, 128)])
    ours = mitk.fast_marching(speed, spacing=(1.0, 1.0, 1.5), seeds=[(128, 128, 128)])
    assert same_bits(ours.arrival_time, theirs["times"])
