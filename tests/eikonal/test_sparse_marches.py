"""Sparse results, and images that are scanned once for several fronts."""

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs import _core


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
    once = _core.march(image, (1, 1, 1), [(3, 4, 5)], speed_map=scanned)[0]
    again = _core.march(image, (1, 1, 1), [(3, 4, 5)], speed_map=(200.0, None, False, False))[0]
    speed = _core.speed_image(image, 200.0)
    assert once.tobytes() == again.tobytes() == _core.march(speed, (1, 1, 1), [(3, 4, 5)])[0].tobytes()


def test_an_unknown_solver_is_refused() -> None:
    speed = np.ones((4, 4, 4), np.float32)
    with pytest.raises(ValueError, match=r'solver is "magic": allowed are "tiles" and "heap"'):
        _core.march(speed, (1, 1, 1), [(0, 0, 0)], solver="magic")
    with pytest.raises(ValueError, match=r'solver is "magic": allowed are "tiles" and "heap"'):
        _core.colliding_fronts(speed, (1, 1, 1), [(0, 0, 0)], [(3, 3, 3)], solver="magic")
