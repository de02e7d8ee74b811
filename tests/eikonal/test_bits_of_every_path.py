"""Tiles or heap, any instructions, any order of work, any number of threads: the same bytes."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mitk_rs as mitk
from mitk_rs import _core
from mitk_rs.testing import fixed_point_defects, indices, shapes, spacings, speed_volume, speeds

pytestmark = pytest.mark.usefixtures("many_threads")

KINDS = ("constant", "smooth", "noise", "blocks", "binary")
PATHS: list[dict[str, Any]] = [
    *({"instructions": name} for name in ("baseline", "avx2", "avx512")),
    *({"shuffle": seed, "threads": threads} for seed, threads in ((1, 1), (2, 3), (3, 16))),
]


def march(speed: Any, spacing: Any, seeds: Any, **options: Any) -> tuple[Any, ...]:
    """Times and gradient as bytes, time of the target, stop."""
    found = _core.march(speed, spacing, seeds, gradient=True, **options)
    assert found.gradient is not None
    return found.arrival_time.tobytes(), found.gradient.tobytes(), found.target_value, found.stop


@pytest.mark.parametrize("kind", KINDS)
def test_every_path_gives_the_bytes_of_the_heap(kind: Any) -> None:
    for shape, spacing in (((40, 33, 51), (1, 1, 1)), ((30, 41, 35), (0.7, 0.7, 2.3)), ((3, 60, 70), (1, 2, 3))):
        speed = speed_volume(kind, shape, seed=21)
        seeds, targets = [(2, 3, 1), (20, 20, 2)], [(30, 30, 2), (5, 30, 0)]
        options: dict[str, Any] = {"targets": targets, "target_mode": "all", "target_offset": 3.0}
        plain = march(speed, spacing, seeds, solver="heap", **options)
        everywhere = march(speed, spacing, seeds, solver="heap")
        for path in PATHS:
            assert march(speed, spacing, seeds, **options, **path) == plain, path
            assert march(speed, spacing, seeds, **path) == everywhere, path


@pytest.mark.parametrize("kind", KINDS)
def test_every_path_collides_like_the_heap(kind: Any) -> None:
    for shape, spacing in (((31, 33, 36), (1, 1, 1)), ((2, 40, 55), (0.7, 0.7, 2.3))):
        speed = speed_volume(kind, shape, seed=22)
        ends = ([(2, 3, 1)], [(30, 30, 1), (4, 28, 0)])
        for stop, connected in itertools.product((True, False), (True, False)):
            options: dict[str, Any] = {"stop_on_targets": stop, "apply_connectivity": connected}
            plain = _core.colliding_fronts(speed, spacing, *ends, solver="heap", **options).tobytes()
            for path in PATHS:
                assert _core.colliding_fronts(speed, spacing, *ends, **options, **path).tobytes() == plain, path


@pytest.mark.parametrize("block", range(8))
def test_two_hundred_generated_volumes_against_the_heap(block: int) -> None:
    """Twenty-five a block, one of them up to 96 voxels a side; speeds over four decades among them."""
    for number in range(block * 25, block * 25 + 25):
        random = np.random.default_rng(1000 + number)
        shape = tuple(random.integers(1, 97 if number % 25 == 0 else 33, 3).tolist())
        speed = speed_volume(KINDS[number % 5], shape, seed=number)
        if number % 7 == 0:
            speed = np.float32(1e-4) + speed ** np.float32(4)
        spacing = [(1, 1, 1), (0.8, 0.8, 2.5), tuple(random.uniform(0.3, 5, 3).tolist())][number % 3]
        seeds = random.integers(0, shape[::-1], (int(random.integers(1, 4)), 3)).tolist()
        others = random.integers(0, shape[::-1], (int(random.integers(1, 3)), 3)).tolist()
        assert march(speed, spacing, seeds) == march(speed, spacing, seeds, solver="heap"), number
        front, plain = (_core.colliding_fronts(speed, spacing, seeds, others, solver=s) for s in ("tiles", "heap"))
        assert front.tobytes() == plain.tobytes(), number


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.4, 0.4, 6), (0.5, 0.5, 5), (6, 0.4, 0.4)])
def test_fronts_from_a_plane_whose_neighbours_tie_give_the_bytes_of_the_heap(spacing: Any) -> None:
    """All voxels of a layer are accepted at one time, so the order in which a heap accepts them must not matter."""
    random = np.random.default_rng(0)
    seeds = list(itertools.product(range(6), range(6), [0]))
    for value in random.uniform(0.05, 3, 20):
        speed = np.full((200, 6, 6), value, np.float32)
        assert march(speed, spacing, seeds) == march(speed, spacing, seeds, solver="heap"), value


@st.composite
def problems(draw: st.DrawFn) -> tuple[Any, Any, Any, Any]:
    """Speeds, spacing, and two sets of seeds."""
    shape = draw(shapes(3, max_side=20))
    kind, seed = draw(st.sampled_from(KINDS)), draw(st.integers(0, 1000))
    small = draw(st.booleans())
    speed = draw(speeds(tuple(min(n, 6) for n in shape))) if small else speed_volume(kind, shape, seed)
    places = st.lists(indices(speed.shape), min_size=1, max_size=4)
    return speed, draw(spacings()), draw(places), draw(places)


@given(problems(), st.sampled_from(PATHS), st.booleans(), st.booleans())
@settings(deadline=None, max_examples=150)
def test_any_problem_gives_the_bytes_of_the_heap(problem: Any, path: Any, stop: bool, connected: bool) -> None:
    speed, spacing, seeds, others = problem
    assert march(speed, spacing, seeds, **path) == march(speed, spacing, seeds, solver="heap")
    options: dict[str, Any] = {"stop_on_targets": stop, "apply_connectivity": connected}
    front, plain = (
        _core.colliding_fronts(speed, spacing, seeds, others, **options, **way) for way in (path, {"solver": "heap"})
    )
    assert front.tobytes() == plain.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_march_is_a_fixed_point_and_a_changed_one_is_not(kind: Any) -> None:
    speed = speed_volume(kind, (40, 45, 50), seed=4)
    spacing, seeds = (0.8, 0.8, 2.5), [(1, 2, 3)]
    arrival = mitk.fast_marching(speed, seeds=seeds, spacing=spacing)
    assert fixed_point_defects(arrival, speed, seeds=seeds, spacing=spacing) == 0
    times = arrival.arrival_time
    reached = times[(times > 0) & (times < mitk.marching.FAR)]
    z, y, x = np.argwhere(times == np.sort(reached)[len(reached) // 2])[0]
    times[z, y, x] = np.nextafter(times[z, y, x], np.float32(0))
    assert fixed_point_defects(arrival, speed, seeds=seeds, spacing=spacing) > 0
