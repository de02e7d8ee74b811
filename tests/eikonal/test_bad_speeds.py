"""Speeds that are no speeds are refused, and the first offending voxel is named."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.testing import speed_volume


def march(speed: Any) -> Any:
    return mitk.fast_marching(speed, seeds=[(1, 1, 1)])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bad_speed_is_refused_with_the_first_voxel(value: float, dtype: Any) -> None:
    speed = speed_volume("smooth", (20, 30, 40)).astype(dtype)
    for voxel in [(39, 29, 19), (17, 29, 19), (38, 5, 9), (0, 0, 9)]:
        speed[voxel[::-1]] = value
        place = rf"\({voxel[0]}, {voxel[1]}, {voxel[2]}\)"
        with pytest.raises(mitk.RequestError, match=rf"speed at voxel {place} is {str(value).replace('nan', 'NaN')}"):
            march(speed)
        with pytest.raises(mitk.RequestError, match=place):
            mitk.colliding_fronts(speed, seeds1=[(1, 1, 1)], seeds2=[(2, 2, 2)], check="all")


def test_negative_integers_are_no_speeds() -> None:
    speed = np.ones((4, 5, 6), np.int16)
    speed[3, 2, 1] = -7
    with pytest.raises(mitk.RequestError, match=r"\(1, 2, 3\) is -7"):
        march(speed)


def test_a_bad_speed_that_no_front_comes_near_is_noticed_on_request() -> None:
    speed = np.ones((40, 50, 60), np.float32)
    speed[39, 49, 59] = np.nan
    speed[30, 2, 2] = -1
    near: dict[str, Any] = {"seeds": [(30, 25, 20)], "stopping_time": 5.0}
    times = mitk.fast_marching(speed, **near).arrival_time
    assert np.isfinite(times).all()
    sparse = mitk.fast_marching(speed, **near, sparse=True)
    assert sparse.accepted == (times <= 5).sum()
    ends: dict[str, Any] = {"seeds1": [(28, 25, 20)], "seeds2": [(33, 25, 20)]}
    assert mitk.colliding_fronts(speed, **ends)[20, 25, 30] == -1
    for call in (
        lambda: mitk.fast_marching(speed, **near, check="all"),
        lambda: mitk.fast_marching(speed, **near, sparse=True, check="all"),
        lambda: mitk.colliding_fronts(speed, **ends, check="all"),
    ):
        with pytest.raises(mitk.RequestError, match=r"speed at voxel \(2, 2, 30\) is -1"):
            call()


@pytest.mark.parametrize("shape", [(40, 50, 60), (2, 50, 60), (50, 3, 60)])
def test_the_bad_speed_named_does_not_depend_on_threads(shape: Any) -> None:
    speed = speed_volume("smooth", shape, seed=2)
    bad = np.random.default_rng(7).integers(0, np.array(shape), (30, 3))
    speed[tuple(bad.T)] = np.nan
    speed[1, 1, 1] = 1
    messages = set()
    for threads in (1, 2, 3, 7, 16):
        with pytest.raises(mitk.RequestError, match="NaN") as caught:
            mitk.fast_marching(speed, seeds=[(1, 1, 1)], threads=threads)
        messages.add(str(caught.value))
    assert len(messages) == 1


def test_an_unknown_check_is_refused() -> None:
    unknown: Any = "none"
    with pytest.raises(mitk.RequestError, match="check is 'none': it must be one of 'front', 'all'"):
        mitk.fast_marching(np.ones((3, 3, 3)), seeds=[(1, 1, 1)], check=unknown)
