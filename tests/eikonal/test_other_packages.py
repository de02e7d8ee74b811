"""Agreement with packages that solve the same equation in other ways."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import skfmm

import mitk_rs as mitk
from mitk_rs.testing import speed_volume


@pytest.mark.parametrize("kind", ["constant", "smooth", "noise"])
def test_scikit_fmm_agrees_from_a_plane(kind: Any) -> None:
    """From the plane x = 0 there is no curvature: both solve the same equations, to our single precision."""
    speed = speed_volume(kind, (20, 25, 30), seed=8)
    speed[:, :, :2] = 1
    spacing = (0.5, 1.0, 2.0)
    seeds = [(0, y, z) for z in range(20) for y in range(25)]
    ours = mitk.fast_marching(speed, seeds=seeds, spacing=spacing).arrival_time
    contour = np.ascontiguousarray(np.broadcast_to(np.arange(30) - 0.5, speed.shape))
    theirs = skfmm.travel_time(contour, speed, dx=spacing[::-1], order=1)
    # Their front starts from the contour half a voxel after the plane.
    np.testing.assert_allclose(ours[:, :, 1:], theirs[:, :, 1:] + spacing[0] / 2, rtol=1e-6)


@pytest.mark.parametrize(("kind", "tolerance"), [("constant", 1e-6), ("smooth", 0.02)])
def test_scikit_fmm_agrees_from_a_point(kind: Any, tolerance: float) -> None:
    """Their front starts half a voxel around the point, with the speeds there instead of ours behind it."""
    speed = speed_volume(kind, (41, 41, 41), seed=8)
    contour = np.ones(speed.shape)
    contour[20, 20, 20] = -1
    theirs = skfmm.travel_time(contour, speed, order=1)
    ours = mitk.fast_marching(speed, seeds=[(20, 20, 20)]).arrival_time
    start = 0.5 / float(speed[20, 20, 20])
    around = ours > 0
    np.testing.assert_allclose(ours[around], theirs[around] + start, rtol=tolerance)
    far = ours > np.median(ours)
    np.testing.assert_allclose(ours[far], theirs[far] + start, rtol=tolerance / 20 + 1e-6)


@pytest.mark.parametrize("kind", ["constant", "smooth", "noise", "blocks", "binary"])
def test_simpleitk_agrees_to_the_rounding_of_single_precision(kind: Any) -> None:
    """SimpleITK stores times in double precision; what differs is the rounding that adds up along the way."""
    speed = speed_volume(kind, (30, 35, 40), seed=3)
    image = sitk.GetImageFromArray(speed)
    image.SetSpacing((0.7, 0.7, 1.9))
    march = sitk.FastMarchingUpwindGradientImageFilter()
    march.SetTrialPoints([(3, 4, 5)])
    theirs = sitk.GetArrayFromImage(march.Execute(image))
    ours = mitk.fast_marching(speed, seeds=[(3, 4, 5)], spacing=(0.7, 0.7, 1.9)).arrival_time
    unreached = ours == np.float32(mitk.marching.FAR)
    np.testing.assert_array_equal(unreached, theirs > 1e38)
    np.testing.assert_allclose(ours[~unreached], theirs[~unreached], rtol=2e-6)


def test_distance_from_a_point_has_the_error_of_first_order() -> None:
    """Times at speed 1 are distances; upwind differences of first order are 2.5 % too long on average at this size."""
    n = 64
    times = mitk.fast_marching(np.ones((n, n, n), np.float32), seeds=[(n // 2,) * 3]).arrival_time
    z, y, x = np.indices(times.shape) - n // 2
    exact = np.sqrt(x**2 + y**2 + z**2)
    error = times - exact
    assert error.min() > -1e-4
    assert 0.5 < error.max() < 2.5
    assert 0.02 < (error.sum() / exact.sum()) < 0.06
