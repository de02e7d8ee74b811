"""Times in double precision equal SimpleITK's; memory limits hold; work follows what the front touches."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

import mitk_rs as mitk
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
