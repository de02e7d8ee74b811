"""Feature images equal ITK's and VTK's in every bit, for any threads and instructions; what has no reference equals
its definition."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import mitk_rs as mitk
from mitk_rs import _core
from mitk_rs.testing import PIXEL_TYPES

Floats = NDArray[np.float32]
SHAPES = ((4, 5, 6), (5, 17, 33), (19, 8, 16), (9, 40, 61))
SPACINGS = ((1.0, 1.0, 1.0), (0.3, 1.0, 3.0), (0.878906, 0.878906, 1.50009))
INSTRUCTIONS = ("baseline", "avx2", "avx512")


def same_bits(ours: Any, theirs: Any) -> bool:
    assert ours.dtype == theirs.dtype == np.float32
    assert ours.shape == theirs.shape
    return bool(np.array_equal(ours.view(np.uint32), theirs.view(np.uint32)))


def noise(shape: Sequence[int], seed: int, scale: float = 300.0) -> Floats:
    return (np.random.default_rng(seed).normal(size=shape) * scale).astype(np.float32)


def feature(scan: Any, spacing: Any = (1, 1, 1), **options: Any) -> Floats:
    return mitk.feature_image(mitk.Image(scan, spacing=spacing), **options).array


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_gradients_equal_itk(oracle: Any, shape: Any, spacing: Any) -> None:
    extent = np.array(shape[::-1]) * spacing
    for sigma in (0.0, 0.5, 1.0, 2.3):
        if sigma > extent.min():
            continue
        scan = noise(shape, seed=int(10 * sigma))
        magnitude = oracle.ask("gradient", scan, spacing, sigma)
        assert same_bits(feature(scan, spacing, sigma=sigma), oracle.ask("reciprocal", magnitude))
        low, high = (float(end) for end in (magnitude.min(), magnitude.max()))
        theirs = oracle.ask("sigmoid", magnitude, -(high - low) / 6, (high + low) / 2)
        assert same_bits(feature(scan, spacing, sigma=sigma, sigmoid=True), theirs)
        theirs = oracle.ask("sigmoid", magnitude, -50.0, 250.0)
        ours = feature(scan, spacing, sigma=sigma, sigmoid=True, sigmoid_range=(100, 400))
        assert same_bits(ours, theirs)


def test_gradients_of_values_near_the_largest_float(oracle: Any) -> None:
    scan = (np.sign(noise((6, 7, 20), seed=1)) * np.float32(3e38)).astype(np.float32)
    for sigma in (0.0, 1.0):
        theirs = oracle.ask("reciprocal", oracle.ask("gradient", scan, (1, 1, 1), sigma))
        assert same_bits(feature(scan, sigma=sigma), theirs)


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("dimensionality", [2, 3])
def test_vtkgradient_equals_vtk(spacing: Any, dimensionality: int) -> None:
    from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
    from vtkmodules.vtkCommonDataModel import vtkImageData
    from vtkmodules.vtkImagingGeneral import vtkImageGradientMagnitude

    for seed, shape in enumerate(SHAPES):
        scan = noise(shape, seed)
        grid = vtkImageData()
        grid.SetDimensions(*shape[::-1])
        grid.SetSpacing(*spacing)
        grid.GetPointData().SetScalars(numpy_to_vtk(scan.reshape(-1)))
        gradient = vtkImageGradientMagnitude()
        gradient.SetDimensionality(dimensionality)
        gradient.SetInputData(grid)
        gradient.Update()
        magnitude = vtk_to_numpy(gradient.GetOutput().GetPointData().GetScalars()).reshape(shape)
        theirs = np.float32(1) / (magnitude + np.float32(1))
        assert same_bits(feature(scan, spacing, type="vtkgradient", dimensionality=dimensionality), theirs)


@pytest.mark.parametrize("radius", [(1, 1, 1), (2, 2, 2), (3, 3, 3), (3, 1, 0), (0, 0, 0)], ids=str)
def test_fwhm_with_the_dilation_of_itk(oracle: Any, radius: Any) -> None:
    for background in (0.0, -0.4):
        scan = noise((9, 10, 21), seed=4, scale=0.5)
        dilated = oracle.ask("dilate", scan, radius)
        background_value = np.float32(background)
        above = (scan - background_value) - (dilated - background_value) / np.float32(2)
        theirs = (2 / (1 + np.exp(-above.astype(np.float64) / (1 / 6))) - 1).astype(np.float32)
        ours = feature(scan, type="fwhm", radius=radius, background=background)
        # NumPy's exponential may differ from the C library's in the last bit of a double.
        np.testing.assert_array_max_ulp(ours, theirs, maxulp=1)


def upwind_magnitude(scan: Floats, spacing: Sequence[float], factor: float) -> tuple[Any, Any]:
    """By its definition; and where the choice between two equal differences decides."""
    total, tied = np.zeros(scan.shape), np.zeros(scan.shape, bool)
    values = scan.astype(np.float64)
    weight = (1 + factor) / 2
    for axis, step in zip((2, 1, 0), spacing, strict=True):
        padded = np.pad(values, 1, mode="edge")
        inner = [slice(1, -1)] * 3
        before, behind = list(inner), list(inner)
        before[axis], behind[axis] = slice(0, -2), slice(2, None)
        backward = (values - padded[tuple(before)]) / step
        forward = (padded[tuple(behind)] - values) / step
        first = -backward > forward
        slope = np.where(first, weight * backward + (1 - weight) * forward, (1 - weight) * backward + weight * forward)
        total += np.where((-backward > 0) | (forward > 0), slope, 0) ** 2
        tied |= np.abs(backward + forward) < 1e-5 * np.maximum(np.abs(backward), np.abs(forward))
    return np.sqrt(total), tied


@pytest.mark.parametrize("factor", [1.0, 0.3, 0.0])
@pytest.mark.parametrize("spacing", SPACINGS)
def test_upwind_equals_its_definition(spacing: Any, factor: float) -> None:
    scan = noise((9, 12, 15), seed=2, scale=2.0)
    magnitude, tied = upwind_magnitude(scan, spacing, factor)
    ours = feature(scan, spacing, type="upwind", upwind_factor=factor)
    np.testing.assert_allclose(ours[~tied], (1 / (1 + magnitude))[~tied], rtol=1e-6)


def test_upwind_sees_an_edge_from_its_dark_side() -> None:
    scan = np.zeros((5, 5, 8), np.float32)
    scan[:, :, 4:] = 9
    assert feature(scan, type="upwind")[2, 2].argmin() == 3
    assert (feature(scan, type="upwind")[2, 2] < 1).sum() == 1


OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"sigma": 1.0},
    {"sigma": 0.8, "sigmoid": True},
    {"type": "vtkgradient"},
    {"type": "upwind", "sigmoid": True},
    {"type": "fwhm", "radius": (2, 1, 1)},
)


@pytest.mark.usefixtures("many_threads")
@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_threads_and_instructions_do_not_change_a_bit(options: Any) -> None:
    scan = noise((23, 37, 41), seed=9)
    expected = feature(scan, SPACINGS[1], threads=1, **options)
    for threads in (2, 3, 8):
        assert same_bits(feature(scan, SPACINGS[1], threads=threads, **options), expected)
    request: Any = {"type": "gradient", "sigma": 0.0, "sigmoid": False, "sigmoid_range": None, "upwind_factor": 1.0}
    request |= {"radius": (1, 1, 1), "background": 0.0, "dimensionality": 3, **options}
    for name in INSTRUCTIONS:
        assert same_bits(_core.feature_image(scan, SPACINGS[1], request, instructions=name), expected)


@pytest.mark.parametrize("name", [*PIXEL_TYPES, "bool"])
def test_every_pixel_type_is_read(name: str) -> None:
    scan = np.random.default_rng(0).integers(0, 2, (6, 7, 8)).astype(name)
    for options in OPTIONS:
        expected = mitk.feature_image(scan.astype(np.float32), **options)
        np.testing.assert_array_equal(mitk.feature_image(scan, **options), expected)


def test_geometry_is_kept_and_directions_play_no_part() -> None:
    scan = noise((8, 9, 10), seed=3)
    plain = mitk.Image(scan, spacing=(0.5, 0.6, 1.5))
    turned = mitk.Image(scan, spacing=(0.5, 0.6, 1.5), origin=(4, 5, 6), direction=np.diag([-1.0, -1.0, 1.0]))
    found = mitk.feature_image(turned, sigma=0.7)
    assert (found.spacing, found.origin) == (turned.spacing, turned.origin)
    assert (found.direction == turned.direction).all()
    assert same_bits(found.array, mitk.feature_image(plain, sigma=0.7).array)


def test_an_array_gives_an_array_and_a_picture_a_picture() -> None:
    scan = noise((7, 9), seed=5)
    flat = mitk.feature_image(scan)
    assert isinstance(flat, np.ndarray)
    np.testing.assert_array_equal(flat, mitk.feature_image(scan[None])[0])


def test_a_frame_of_a_series() -> None:
    frames = noise((2, 5, 6, 7), seed=6)
    series = mitk.Image(frames)
    assert same_bits(mitk.feature_image(series, time_step=1).array, feature(frames[1]))


@given(st.sampled_from(["gradient", "vtkgradient", "upwind"]), st.integers(0, 2**32 - 1))
def test_features_lie_between_0_and_1(kind: str, seed: int) -> None:
    found = mitk.feature_image(noise((4, 5, 6), seed), type=kind)
    assert ((found > 0) & (found <= 1)).all()


def test_a_constant_scan_has_no_edges() -> None:
    scan = np.full((5, 6, 7), 40, np.int16)
    assert (mitk.feature_image(scan) == 1).all()
    np.testing.assert_allclose(mitk.feature_image(scan, sigma=1.0), 1, rtol=1e-5)


def test_the_first_voxel_that_is_not_finite_is_named() -> None:
    scan = noise((5, 6, 7), seed=1)
    scan[3, 2, 1] = scan[4, 0, 0] = np.nan
    with pytest.raises(mitk.RequestError, match=r"voxel \(1, 2, 3\) is NaN"):
        mitk.feature_image(scan)


def test_a_cancelled_call_stops() -> None:
    class Cancel:
        def is_set(self) -> bool:
            return True

    scan = noise((64, 256, 256), seed=1)
    with pytest.raises(mitk.Cancelled):
        mitk.feature_image(scan, type="fwhm", radius=(9, 9, 9), cancel=Cancel())
    with pytest.raises(TimeoutError):
        mitk.feature_image(scan, type="fwhm", radius=(9, 9, 9), timeout=0.05)
