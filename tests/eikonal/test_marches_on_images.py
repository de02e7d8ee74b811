"""Image in, image out: same geometry, a read accessor while voxels are read, orthogonal axes only."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mitk_rs as mitk
from mitk_rs.testing import images, speed_volume

SPACING, ORIGIN = (0.5, 0.75, 2.0), (-10.0, 20.5, 3.25)
# A rotation about an axis that is none of x, y and z.
OBLIQUE = np.array([[2, -1, 2], [2, 2, -1], [-1, 2, 2]]) / 3.0


def oblique(shape: Any = (9, 10, 11)) -> mitk.Image:
    return mitk.Image(speed_volume("smooth", shape), SPACING, ORIGIN, OBLIQUE)


def assert_same_place(one: mitk.Image, other: mitk.Image) -> None:
    assert one.spacing == other.spacing
    assert one.origin == other.origin
    np.testing.assert_array_equal(one.direction, other.direction)


def test_an_image_gives_an_image_at_the_same_place() -> None:
    speed = oblique()
    arrival = mitk.fast_marching(speed, seeds=[(1, 2, 3)], gradient=True)
    plain = mitk.fast_marching(speed.array, seeds=[(1, 2, 3)], spacing=SPACING, gradient=True)
    assert isinstance(arrival.arrival_time, mitk.Image)
    np.testing.assert_array_equal(arrival.arrival_time.array, plain.arrival_time)
    np.testing.assert_array_equal(arrival.gradient.array, plain.gradient)
    assert arrival.gradient.components == 3
    assert_same_place(arrival.arrival_time, speed)
    assert_same_place(arrival.gradient, speed)


def test_fronts_collide_on_an_image() -> None:
    speed = oblique()
    ends: dict[str, Any] = {"seeds1": [(1, 2, 3)], "seeds2": [(9, 8, 7)]}
    front = mitk.colliding_fronts(speed, **ends)
    np.testing.assert_array_equal(front.array, mitk.colliding_fronts(speed.array, **ends, spacing=SPACING))
    assert_same_place(front, speed)


@given(images("float32", (2, 3, 4)), st.integers(1, 9))
@settings(deadline=None, max_examples=25)
def test_any_place_is_kept(image: mitk.Image, speed: int) -> None:
    image.as_numpy()[:] = speed
    assert_same_place(mitk.fast_marching(image, seeds=[(1, 1, 1)]).arrival_time, image)


def test_a_picture_stays_a_picture() -> None:
    speed = mitk.Image(speed_volume("smooth", (20, 30)), SPACING)
    times = mitk.fast_marching(speed, seeds=[(4, 5)]).arrival_time
    assert times.shape == (20, 30)
    assert times.spacing == SPACING


def test_one_time_step_is_chosen() -> None:
    frames = np.stack([speed_volume("smooth", (5, 6, 7), seed=number) for number in range(3)])
    movie = mitk.Image(frames, SPACING)
    times = mitk.fast_marching(movie, seeds=[(1, 1, 1)], time_step=2).arrival_time
    assert times.shape == (5, 6, 7)
    expected = mitk.fast_marching(frames[2], seeds=[(1, 1, 1)], spacing=SPACING).arrival_time
    np.testing.assert_array_equal(times.array, expected)
    with pytest.raises(mitk.RequestError, match="3 time steps: choose one with time_step="):
        mitk.fast_marching(movie, seeds=[(1, 1, 1)])
    with pytest.raises(mitk.TimeStepError, match="time step 3 does not exist"):
        mitk.fast_marching(movie, seeds=[(1, 1, 1)], time_step=3)


def test_spacing_may_be_overruled() -> None:
    speed = oblique()
    times = mitk.fast_marching(speed, seeds=[(0, 0, 0)], spacing=(1, 1, 1)).arrival_time
    np.testing.assert_array_equal(times.array, mitk.fast_marching(speed.array, seeds=[(0, 0, 0)]).arrival_time)
    assert_same_place(times, speed)


def test_a_sheared_image_is_refused_and_a_slightly_sheared_one_is_not() -> None:
    for shear, allowed in ((1e-4, True), (2e-3, False), (0.3, False)):
        direction = np.array([[1, shear, 0], [0, 1, 0], [0, 0, 1.0]])
        speed = mitk.Image(np.ones((3, 4, 5), np.float32), SPACING, ORIGIN, direction)
        if allowed:
            mitk.fast_marching(speed, seeds=[(0, 0, 0)])
            continue
        with pytest.raises(mitk.GeometryError, match="sheared"):
            mitk.fast_marching(speed, seeds=[(0, 0, 0)])
        with pytest.raises(mitk.GeometryError, match="resample"):
            mitk.colliding_fronts(speed, seeds1=[(0, 0, 0)], seeds2=[(1, 1, 1)])


def test_mirrored_axes_are_orthogonal_axes() -> None:
    speed = mitk.Image(np.ones((3, 4, 5), np.float32), SPACING, ORIGIN, np.diag([1.0, -1.0, 1.0]))
    assert mitk.fast_marching(speed, seeds=[(0, 0, 0)]).arrival_time.array.max() > 0


def test_unfit_images_are_refused() -> None:
    vectors = mitk.Image(np.ones((3, 4, 5, 2), np.float32), components=True)
    with pytest.raises(mitk.RequestError, match="2 components a voxel: one is needed"):
        mitk.fast_marching(vectors, seeds=[(0, 0, 0)])
    with pytest.raises(mitk.RequestError, match="speed is empty"):
        mitk.fast_marching(mitk.Image(), seeds=[(0, 0, 0)])
    with pytest.raises(mitk.RequestError, match="out= goes with an array"):
        mitk.fast_marching(oblique(), seeds=[(0, 0, 0)], out=np.zeros((9, 10, 11), np.float32))


def test_the_image_is_locked_for_writers_while_its_voxels_are_read() -> None:
    speed = mitk.Image(np.ones((60, 60, 60), np.float32))
    refused, read = [], []

    def look(_fraction: float) -> None:
        other = threading.Thread(target=try_both, args=(speed, refused, read))
        other.start()
        other.join()

    mitk.fast_marching(speed, seeds=[(0, 0, 0)], threads=1, progress=look)
    assert refused
    assert len(read) == len(refused)
    with speed.write(block=False) as voxels:
        voxels[0, 0, 0] = 2


def try_both(image: mitk.Image, refused: list[bool], read: list[bool]) -> None:
    with image.read(block=False):
        read.append(True)
    try:
        with image.write(block=False):
            pass
    except mitk.MemoryIsLockedError:
        refused.append(True)
