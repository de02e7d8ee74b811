"""Times in double precision equal SimpleITK's; memory limits hold; work follows what the front touches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

import mitk_rs as mitk
from mitk_rs import _core
from mitk_rs.testing import speed_volume

FAR = np.finfo(np.float64).max / 2


@pytest.mark.parametrize("kind", ["constant", "smooth", "noise", "blocks", "binary"])
def test_double_precision_equals_simpleitk(kind: Any) -> None:
    speed = speed_volume(kind, (40, 45, 50), seed=3)
    image = sitk.GetImageFromArray(speed)
    image.SetSpacing((0.7, 0.7, 1.9))
    march = sitk.FastMarchingUpwindGradientImageFilter()
    march.SetTrialPoints([(3, 4, 5)])
    theirs = sitk.GetArrayFromImage(march.Execute(image))
    ours = mitk.fast_marching(speed, seeds=[(3, 4, 5)], spacing=(0.7, 0.7, 1.9), dtype="float64")
    assert ours.arrival_time.dtype == np.float64
    assert ours.stop == FAR
    np.testing.assert_allclose(ours.arrival_time, theirs, rtol=1e-11)


@pytest.mark.usefixtures("many_threads")
def test_double_precision_is_the_same_for_any_number_of_threads() -> None:
    speed = speed_volume("noise", (50, 40, 45), seed=3)
    results = {
        mitk.fast_marching(speed, seeds=[(3, 4, 5)], dtype=np.float64, threads=threads).arrival_time.tobytes()
        for threads in (1, 2, 3, 7, 16)
    }
    assert len(results) == 1


def test_out_has_the_precision_asked_for() -> None:
    speed = np.ones((3, 4, 5))
    out = np.empty(speed.shape)
    assert mitk.fast_marching(speed, seeds=[(0, 0, 0)], dtype=float, out=out).arrival_time is out
    with pytest.raises(TypeError, match="float64"):
        mitk.fast_marching(speed, seeds=[(0, 0, 0)], dtype=float, out=np.empty(speed.shape, np.float32))
    with pytest.raises(mitk.RequestError, match="dtype is int32: times are stored as float32 or float64"):
        mitk.fast_marching(speed, seeds=[(0, 0, 0)], dtype=np.int32)


def test_too_small_a_memory_limit_is_told_and_a_large_one_changes_nothing() -> None:
    speed = speed_volume("smooth", (60, 60, 60))
    ends: dict[str, Any] = {"seeds1": [(5, 5, 5)], "seeds2": [(50, 50, 50)]}
    with pytest.raises(mitk.MemoryLimitError, match="100000 bytes allowed"):
        mitk.fast_marching(speed, seeds=[(5, 5, 5)], memory_limit=100_000)
    with pytest.raises(MemoryError, match="100000 bytes allowed"):
        mitk.colliding_fronts(speed, **ends, memory_limit=100_000)
    free = mitk.fast_marching(speed, seeds=[(5, 5, 5)]).arrival_time
    limited = mitk.fast_marching(speed, seeds=[(5, 5, 5)], memory_limit=50_000_000).arrival_time
    np.testing.assert_array_equal(free, limited)
    front = mitk.colliding_fronts(speed, **ends, memory_limit=50_000_000)
    np.testing.assert_array_equal(front, mitk.colliding_fronts(speed, **ends))


def test_a_short_march_through_a_large_volume_needs_little_memory() -> None:
    speed = np.broadcast_to(np.float32(1), (250, 250, 250))
    arrival = mitk.fast_marching(speed, seeds=[(125, 125, 125)], stopping_time=10.0, memory_limit=2_000_000)
    assert arrival.accepted == (arrival.arrival_time <= 10).sum()
    assert 3000 < arrival.accepted < 4200


@pytest.fixture(scope="module")
def tube() -> np.ndarray:
    speed = np.zeros((40, 50, 60), np.float32)
    speed[18:23, 20:26, 5:55] = 1.0
    return speed


def test_sparse_times_are_the_accepted_ones_of_the_dense_march(tube: np.ndarray) -> None:
    dense = mitk.fast_marching(tube, seeds=[(6, 22, 20)], targets=[(40, 22, 20)], target_offset=2.0)
    sparse = mitk.fast_marching(tube, seeds=[(6, 22, 20)], targets=[(40, 22, 20)], target_offset=2.0, sparse=True)
    found = sparse.arrival_time
    accepted = dense.arrival_time <= dense.stop
    assert found.values.size == accepted.sum()
    assert np.array_equal(dense.arrival_time[tuple(found.indices.T[::-1])], found.values)
    assert np.array_equal(found.crop()[accepted[found.bounding_box()]], dense.arrival_time[accepted])
    assert (sparse.target_value, sparse.stop) == (dense.target_value, dense.stop)


def test_sparse_times_of_a_picture_have_two_coordinates() -> None:
    found = mitk.fast_marching(np.ones((3, 4)), seeds=[(1, 2)], stopping_time=1.0, sparse=True).arrival_time
    assert found.indices.tolist() == [[1, 1], [0, 2], [1, 2], [2, 2]]
    assert found.values.tolist() == [1.0, 1.0, 0.0, 1.0]


def test_sparse_goes_without_gradient_and_out(tube: np.ndarray) -> None:
    with pytest.raises(ValueError, match="without gradient"):
        mitk.fast_marching(tube, seeds=[(6, 22, 20)], sparse=True, gradient=True)


def test_two_fronts_share_one_scan_of_the_image() -> None:
    image = np.random.default_rng(3).integers(0, 1000, (12, 14, 16), np.int16)
    scanned = _core.scan_speed(image, (200.0, None, False, False))
    once = _core.march(image, (1, 1, 1), [(3, 4, 5)], speed_map=scanned).arrival_time
    parameters = (200.0, None, False, False)
    again = _core.march(image, (1, 1, 1), [(3, 4, 5)], speed_map=parameters).arrival_time
    speed = _core.speed_image(image, parameters)
    plain = _core.march(speed, (1, 1, 1), [(3, 4, 5)]).arrival_time
    assert once.tobytes() == again.tobytes() == plain.tobytes()


def test_an_unknown_solver_is_refused() -> None:
    speed = np.ones((4, 4, 4), np.float32)
    with pytest.raises(ValueError, match=r'solver is "magic": allowed are "tiles" and "heap"'):
        _core.march(speed, (1, 1, 1), [(0, 0, 0)], solver="magic")
    with pytest.raises(ValueError, match=r'solver is "magic": allowed are "tiles" and "heap"'):
        _core.colliding_fronts(speed, (1, 1, 1), [(0, 0, 0)], [(3, 3, 3)], solver="magic")
