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
            mitk.colliding_fronts(speed, seeds1=[(1, 1, 1)], seeds2=[(2, 2, 2)])


def test_negative_integers_are_no_speeds() -> None:
    speed = np.ones((4, 5, 6), np.int16)
    speed[3, 2, 1] = -7
    with pytest.raises(mitk.RequestError, match=r"\(1, 2, 3\) is -7"):
        march(speed)
