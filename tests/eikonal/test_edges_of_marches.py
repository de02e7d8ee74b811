"""Corner cases: what they give is defined, documented, and checked here."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.testing import speed_volume

FAR = np.float32(mitk.marching.FAR)


def test_a_seed_on_a_wall_starts_a_front() -> None:
    speed = np.ones((1, 1, 5), np.float32)
    speed[0, 0, 0] = 0
    assert mitk.fast_marching(speed, seeds=[(0, 0, 0)]).arrival_time.ravel().tolist() == [0, 1, 2, 3, 4]


def test_where_all_is_wall_only_seeds_are_reached() -> None:
    speed = np.zeros((5, 6, 7), np.float32)
    arrival = mitk.fast_marching(speed, seeds=[(1, 2, 3)], targets=[(6, 5, 4)], gradient=True)
    assert arrival.arrival_time[3, 2, 1] == 0
    assert (arrival.arrival_time == FAR).sum() == speed.size - 1
    assert not arrival.gradient.any()
    assert arrival.target_value is None
    front = mitk.colliding_fronts(speed, seeds1=[(1, 2, 3)], seeds2=[(6, 5, 4)])
    assert np.flatnonzero(front).tolist() == [np.ravel_multi_index((3, 2, 1), speed.shape)]


def test_one_voxel() -> None:
    for speed in (np.ones((1, 1, 1)), np.zeros((1, 1, 1)), np.ones((1, 1))):
        seeds = [(0, 0, 0)]
        assert mitk.fast_marching(speed, seeds=seeds).arrival_time.ravel().tolist() == [0]
        front = mitk.colliding_fronts(speed, seeds1=seeds, seeds2=seeds)
        assert front.ravel().tolist() == [np.float32(-1e-6)]


def test_seeds_everywhere() -> None:
    seeds = list(itertools.product(range(4), range(3), range(2)))
    arrival = mitk.fast_marching(np.ones((2, 3, 4)), seeds=seeds, gradient=True)
    assert not arrival.arrival_time.any()
    assert not arrival.gradient.any()


def test_a_target_that_is_a_seed_is_reached_at_once() -> None:
    speed = np.ones((1, 1, 9), np.float32)
    arrival = mitk.fast_marching(speed, seeds=[(4, 0, 0)], targets=[(4, 0, 0)], target_offset=2.0)
    assert arrival.target_value == 0.0
    assert arrival.stop == 2.0
    assert arrival.arrival_time.ravel().tolist() == [FAR, 3, 2, 1, 0, 1, 2, 3, FAR]


def test_a_seed_given_twice_counts_once_with_its_last_time() -> None:
    speed = np.ones((1, 1, 4), np.float32)
    twice = mitk.fast_marching(speed, seeds=[(0, 0, 0), (0, 0, 0)]).arrival_time
    np.testing.assert_array_equal(twice, mitk.fast_marching(speed, seeds=[(0, 0, 0)]).arrival_time)
    timed = mitk.fast_marching(speed, seeds=[(0, 0, 0), (0, 0, 0)], seed_times=[1.0, 5.0]).arrival_time
    assert timed.ravel().tolist() == [5, 6, 7, 8]


@pytest.mark.parametrize("mode", ["one", "some:2", "all"])
def test_a_target_given_twice_counts_once(mode: str) -> None:
    speed = speed_volume("smooth", (9, 10, 11))
    once, twice = ([(10, 9, 8), (3, 3, 3)], [(10, 9, 8), (3, 3, 3), (3, 3, 3), (10, 9, 8)])
    single, double = (
        mitk.fast_marching(speed, seeds=[(0, 0, 0)], targets=targets, target_mode=mode) for targets in (once, twice)
    )
    assert single.target_value == double.target_value is not None
    np.testing.assert_array_equal(single.arrival_time, double.arrival_time)


def test_both_fronts_from_the_same_seed() -> None:
    front = mitk.colliding_fronts(np.ones((5, 5, 5)), seeds1=[(2, 2, 2)], seeds2=[(2, 2, 2)])
    assert np.count_nonzero(front) == 1
    assert front[2, 2, 2] == np.float32(-1e-6)


def test_targets_of_mode_none_are_ignored() -> None:
    speed = np.ones((1, 1, 5), np.float32)
    arrival = mitk.fast_marching(speed, seeds=[(0, 0, 0)], targets=[(1, 0, 0)], target_mode="none")
    assert arrival.arrival_time.max() == 4
    assert arrival.target_value is None
    assert arrival.stop == float(FAR)


def test_a_stopping_time_and_a_target_end_the_march_together() -> None:
    speed = np.ones((1, 1, 9), np.float32)
    options: dict[str, Any] = {"seeds": [(0, 0, 0)], "targets": [(3, 0, 0)], "target_offset": 2.0}
    assert mitk.fast_marching(speed, **options, stopping_time=4.0).stop == 4.0
    assert mitk.fast_marching(speed, **options, stopping_time=100.0).stop == 5.0
    early = mitk.fast_marching(speed, **options, stopping_time=1.0)
    assert (early.stop, early.target_value) == (1.0, None)


def test_a_seed_later_than_the_stop_keeps_its_time_and_starts_nothing() -> None:
    speed = np.ones((1, 1, 9), np.float32)
    arrival = mitk.fast_marching(speed, seeds=[(0, 0, 0), (6, 0, 0)], seed_times=[0.0, 50.0], stopping_time=2.0)
    assert arrival.arrival_time.ravel().tolist() == [0, 1, 2, 3, FAR, FAR, 50, FAR, FAR]


def test_extreme_speeds_and_spacings_stay_finite() -> None:
    speed = np.full((3, 4, 5), 1e-20, np.float32)
    arrival = mitk.fast_marching(speed, seeds=[(0, 0, 0)], spacing=(1e-3, 1.0, 1e3))
    assert np.isfinite(arrival.arrival_time).all()
    fast = mitk.fast_marching(np.full((3, 4, 5), 1e30, np.float32), seeds=[(0, 0, 0)])
    assert (fast.arrival_time < 1e-28).all()


@pytest.mark.parametrize("spacing", [(1e-310, 1, 1), (1, 1, 1e300), (1e-13, 1e-13, 1e-13), (0, 1, 1), (1, np.inf, 1)])
def test_a_spacing_beyond_single_precision_is_refused_for_arrays_as_for_images(spacing) -> None:
    """With 1e-310 mm every arrival time would round to 0, with 1e300 mm no voxel would be reached."""
    speed = np.ones((3, 4, 5), np.float32)
    with pytest.raises(mitk.GeometryError, match="spacing must be"):
        mitk.Image(speed, spacing=spacing)
    with pytest.raises(mitk.GeometryError, match="spacing must be"):
        mitk.fast_marching(speed, seeds=[(0, 0, 0)], spacing=spacing)
    with pytest.raises(mitk.GeometryError, match="spacing must be"):
        mitk.colliding_fronts(speed, seeds1=[(0, 0, 0)], seeds2=[(4, 3, 2)], spacing=spacing)


def test_times_along_an_axis_are_distances_whatever_the_size() -> None:
    for n in (1, 2, 7, 8, 9, 15, 16, 17, 64, 65, 1000):
        for axis in range(3):
            shape, spacing = [1, 1, 1], (0.5, 0.25, 2.0)
            shape[axis] = n
            times = mitk.fast_marching(np.ones(shape), seeds=[(0, 0, 0)], spacing=spacing).arrival_time.ravel()
            np.testing.assert_array_equal(times, np.arange(n, dtype=np.float32) * np.float32(spacing[2 - axis]))
