"""What a user of ``evolve_level_set`` is promised: VMTK's result, geometry, reports, and errors of one line."""

from __future__ import annotations

import logging
import math
from dataclasses import fields
from typing import Any

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.testing import PIXEL_TYPES

SHAPE = (22, 26, 30)
SPACING = (0.9, 0.8, 1.1)


def distance(shape: Any = SHAPE, spacing: Any = SPACING, middle: float = 0.5) -> Any:
    """Distance in mm from a point of the volume."""
    axes = [(np.arange(n) - (n - 1) * middle) * h for n, h in zip(shape, spacing[::-1], strict=True)]
    z, y, x = np.meshgrid(*axes, indexing="ij")
    return np.sqrt(x**2 + y**2 + z**2).astype(np.float32)


def scan_of_ball(radius: float = 7.5, **geometry: Any) -> Any:
    voxels = (100 / (1 + np.exp(2 * (distance() - radius)))).astype(np.float32)
    return mitk.Image(voxels, **{"spacing": SPACING, **geometry})


def evolve(scan: Any = None, initial: Any = None, **options: Any) -> Any:
    scan = scan_of_ball() if scan is None else scan
    initial = distance() - 5 if initial is None else initial
    return mitk.evolve_level_set(scan, initial, **{"iterations": 20, "propagation": 1.0, "curvature": 0.1, **options})


@pytest.mark.parametrize("threads", [1, 2])
def test_vmtks_published_result(test_data: Any, threads: int) -> None:
    scan = mitk.Image(test_data / "aorta.mha")
    initial = mitk.Image(test_data / "vmtk_reference_fastmarching.mha")
    reference = mitk.Image(test_data / "vmtk_reference_geodesic.mha").array
    found = mitk.evolve_level_set(scan, initial, iterations=10, compat="vmtk", threads=threads)
    ours = found.level_set.array
    assert (ours.view(np.uint32) == reference.view(np.uint32)).mean() >= 0.99
    assert np.abs(ours - reference).max() <= 2.5e-7
    assert ((ours < 0) == (reference < 0)).all()


def test_a_growing_surface_stops_at_the_edge_of_a_ball() -> None:
    found = evolve(iterations=400, propagation=0.3, curvature=0.2)
    assert found.report.volume_ml == pytest.approx(4 / 3 * math.pi * 7.5**3 / 1000, rel=0.05)
    assert found.report.components == 1
    assert found.report.stopped_by == "iterations"


@pytest.mark.parametrize("kind", ["threshold", "laplacian", "curves"])
def test_the_other_types_find_the_ball_too(kind: str) -> None:
    options: dict[str, Any] = {"curves": {"propagation": 0.3}}.get(kind, {"advection": 0.0})
    if kind == "threshold":
        options |= {"lower_threshold": 50.0, "upper_threshold": 200.0}
    initial = distance() - (6.5 if kind == "laplacian" else 5)
    found = evolve(initial=initial, type=kind, iterations=400, **options)
    assert found.report.volume_ml == pytest.approx(4 / 3 * math.pi * 7.5**3 / 1000, rel=0.1)


def test_the_result_is_a_band_with_the_geometry_of_the_scan() -> None:
    scan = scan_of_ball(origin=(5, 6, 7), direction=np.diag([-1.0, -1.0, 1.0]))
    found = evolve(scan)
    for image in (found.level_set, found.mask):
        assert (image.spacing, image.origin) == (scan.spacing, scan.origin)
        assert (image.direction == scan.direction).all()
    phi = found.level_set.array
    assert phi.dtype == np.float32
    assert phi.min() == np.float32(-4 * 0.8)
    assert phi.max() == np.float32(4 * 0.8)
    assert (found.mask.array == (phi < 0)).all()
    assert found.mask.array.dtype == np.uint8
    assert found.report.inside == int((phi < 0).sum())


def test_directions_do_not_change_a_voxel() -> None:
    turned = evolve(scan_of_ball(direction=np.diag([-1.0, 1.0, -1.0])))
    np.testing.assert_array_equal(turned.level_set.array, evolve().level_set.array)


def test_the_surface_is_in_the_world() -> None:
    found = evolve(scan_of_ball(origin=(100, 0, 0)))
    bounds = found.surface().GetBounds()
    centre = 100 + (SHAPE[2] - 1) / 2 * SPACING[0]
    assert bounds[0] < centre < bounds[1]
    assert bounds[1] - bounds[0] == pytest.approx(2 * 7.5, abs=4)


@pytest.mark.parametrize("name", [*PIXEL_TYPES, "bool"])
def test_a_mask_of_any_type_is_a_start(name: str) -> None:
    inside = distance() < 5
    expected = evolve(initial=inside)
    mask = inside.astype(name) if name == "bool" or not name.startswith("f") else np.where(inside, -1, 1).astype(name)
    np.testing.assert_array_equal(evolve(initial=mask).level_set.array, expected.level_set.array)


def test_masks_and_level_sets_start_together() -> None:
    left, right = distance(middle=0.35) - 3, distance(middle=0.65) - 3
    both = evolve(initial=[left, right], iterations=1)
    np.testing.assert_array_equal(
        both.level_set.array, evolve(initial=np.minimum(left, right), iterations=1).level_set.array
    )
    assert both.report.components == 2
    assert evolve(initial=[left < 0, right < 0], iterations=1).report.components == 2


def test_branches_are_merged_into_the_result() -> None:
    other = distance(middle=0.2) - 2
    found = evolve(merge=[other]).level_set.array
    np.testing.assert_array_equal(found, np.minimum(evolve().level_set.array, other))


def test_a_given_feature_is_the_computed_one() -> None:
    scan = scan_of_ball()
    feature = mitk.feature_image(scan, sigma=1.0, sigmoid=True)
    given = evolve(scan, feature=feature, advection_sigma=0.9)
    made = evolve(scan, feature_sigma=1.0, sigmoid=True, advection_sigma=0.9)
    np.testing.assert_array_equal(given.level_set.array, made.level_set.array)


@pytest.mark.parametrize("kind", ["vtkgradient", "upwind", "fwhm"])
def test_the_feature_may_be_of_any_type(kind: str) -> None:
    scan = mitk.Image(scan_of_ball().array / 100, spacing=SPACING)
    given = evolve(scan, feature=mitk.feature_image(scan, type=kind))
    made = evolve(scan, feature_type=kind)
    np.testing.assert_array_equal(given.level_set.array, made.level_set.array)
    assert kind == "vtkgradient" or (made.level_set.array != evolve(scan).level_set.array).any()


def test_the_isosurface_is_the_level_of_the_start() -> None:
    phi = (distance() - 5).astype(np.float32)
    shifted = evolve(initial=phi + np.float32(0.5), isosurface=0.5).level_set.array
    np.testing.assert_allclose(shifted, evolve(initial=phi).level_set.array, atol=1e-4)


def test_it_stops_once_the_surface_rests() -> None:
    found = evolve(iterations=5000, propagation=0.0, curvature=0.0, max_rms=0.025)
    assert found.report.stopped_by == "rms"
    assert found.report.iterations < 5000
    assert found.report.rms[-1] < 0.025 <= min(found.report.rms[:-1])


def test_the_report_is_whole() -> None:
    report = evolve().report
    plain = report.as_dict()
    assert set(plain) == {field.name for field in fields(report)}
    assert len(report.rms) == len(report.time_steps) == len(report.active_voxels) == report.iterations == 20
    assert plain["parameters"]["propagation"] == 1.0
    assert set(report.seconds) == {"feature", "evolve", "measure"}


def test_compat_keeps_the_reversed_curves_of_vmtk() -> None:
    forwards, reversed_ = (evolve(type="curves", compat=compat, iterations=60) for compat in (None, "vmtk"))
    assert forwards.report.inside > evolve(iterations=1).report.inside > reversed_.report.inside


def test_compat_ignores_the_time_step_of_smoothing() -> None:
    options: dict[str, Any] = {"type": "threshold", "lower_threshold": 50, "upper_threshold": 200, "edge_weight": 0.5}
    vmtk = evolve(compat="vmtk", smoothing_time_step=0.01, **options)
    assert vmtk.report.parameters["smoothing_time_step"] == 0.1
    assert any("unstable" in warning for warning in vmtk.report.warnings)
    assert not evolve(**options).report.warnings
    np.testing.assert_array_equal(
        vmtk.level_set.array, evolve(compat="vmtk", smoothing_time_step=0.1, **options).level_set.array
    )


def test_what_looks_wrong_is_said(caplog: Any) -> None:
    with caplog.at_level(logging.WARNING, "mitk_rs"):
        found = evolve(initial=distance(middle=0.0) - 5, edge_weight=1.0)
    assert any("frame" in warning for warning in found.report.warnings)
    assert any("does not use edge_weight" in warning for warning in found.report.warnings)
    assert [record.message for record in caplog.records] == found.report.warnings
    tiny = evolve(initial=distance() - 1.5, propagation=0.0, curvature=5.0, advection=0.0, iterations=200)
    assert (tiny.report.inside, tiny.report.warnings) == (0, ["the surface vanished: no voxel is inside"])


def with_nan() -> Any:
    voxels = scan_of_ball().array.copy()
    voxels[3, 2, 1] = np.nan
    return voxels


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "size": ({"initial": distance((5, 6, 7))}, "initial has 7 x 6 x 5 voxels, the scan 30 x 26 x 22"),
    "size of feature": ({"feature": np.ones((3, 3, 3))}, "feature has 3 x 3 x 3 voxels"),
    "size of merge": ({"merge": np.ones((3, 3, 3))}, "merge has 3 x 3 x 3 voxels"),
    "no zero crossing": ({"initial": distance() + 1}, "initial is nowhere below the isosurface"),
    "all inside": ({"initial": -distance() - 1}, "initial is nowhere above the isosurface"),
    "empty mask": ({"initial": np.zeros(SHAPE, bool)}, "initial is nowhere below the isosurface"),
    "empty list": ({"initial": []}, "initial is an empty list"),
    "NaN in scan": ({"scan": with_nan()}, r"voxel \(1, 2, 3\) is NaN: the image must be finite"),
    "NaN in scan itself": ({"scan": with_nan(), "type": "laplacian"}, r"is NaN: the scan must be finite"),
    "NaN in initial": ({"initial": with_nan()}, r"voxel \(1, 2, 3\) is NaN: initial must be finite"),
    "NaN in feature": ({"feature": with_nan()}, r"voxel \(1, 2, 3\) is NaN: the feature image must be finite"),
    "no iterations": ({"iterations": 0}, "iterations is 0: it must be at least 1"),
    "too many iterations": ({"iterations": 2**40}, "iterations is 1099511627776: .* below 2"),
    "negative propagation": ({"propagation": -1}, "propagation is -1: it must be finite and >= 0"),
    "negative curvature": ({"curvature": -0.1}, "curvature is -0.1"),
    "negative advection": ({"advection": -3}, "advection is -3"),
    "infinite weight": ({"curvature": math.inf}, "curvature is inf"),
    "type": ({"type": "snake"}, "type is 'snake': it must be one of 'geodesic', 'curves'"),
    "compat": ({"compat": "itk"}, "compat is 'itk'"),
    "no thresholds": ({"type": "threshold"}, "needs lower_threshold and upper_threshold: lower_threshold is missing"),
    "thresholds crossed": (
        {"type": "threshold", "lower_threshold": 9, "upper_threshold": 5},
        "the lower threshold 9 is above the upper threshold 5",
    ),
    "infinite thresholds": (
        {"type": "threshold", "lower_threshold": 9, "upper_threshold": 1e300},
        "needs finite ones",
    ),
    "sigma larger than the scan": ({"feature_sigma": 500.0}, "sigma is 500"),
    "sigma of advection": ({"advection_sigma": 500.0}, "sigma is 500"),
    "feature of a type without": ({"type": "laplacian", "feature": distance()}, "type 'laplacian' uses the scan"),
    "isosurface of a mask": ({"initial": distance() < 5, "isosurface": 0.5}, "isosurface is 0.5: masks have no grey"),
    "thin scan": ({"scan": np.ones((2, 9, 9)), "initial": np.ones((2, 9, 9))}, "the scan has 9 x 9 x 2 voxels"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_an_error_of_one_line(name: str) -> None:
    options, message = BAD[name]
    with pytest.raises(mitk.RequestError, match=message) as caught:
        evolve(**options)
    assert "\n" not in str(caught.value)


def test_a_wrong_spacing_is_refused_and_another_place_is_said() -> None:
    with pytest.raises(mitk.GeometryError, match="initial has the spacing"):
        evolve(initial=mitk.Image(distance() - 5, spacing=(1, 1, 1)))
    moved = evolve(initial=mitk.Image(distance() - 5, spacing=SPACING, origin=(9, 0, 0)))
    assert moved.report.warnings == ["origin or direction of initial differ from those of the scan, which are used"]


def test_a_call_is_cancelled_and_reports_progress() -> None:
    heard: list[float] = []

    class Cancel:
        def is_set(self) -> bool:
            return True

    with pytest.raises(mitk.Cancelled):
        evolve(iterations=100_000, max_rms=0.0, cancel=Cancel())
    with pytest.raises(TimeoutError):
        evolve(iterations=1_000_000, max_rms=0.0, timeout=0.2)
    evolve(iterations=2000, max_rms=0.0, progress=heard.append)
    assert heard == sorted(heard)
    # The feature image, and all the rest.
    assert pytest.approx(0.2) in heard
    assert heard[-1] == pytest.approx(1)


@pytest.mark.parametrize("kind", ["geodesic", "curves", "threshold", "laplacian"])
def test_every_phase_is_cancelled(kind: str) -> None:
    """Each look at the flag may be the one that finds it set; only a call that is done by then has a result."""

    class Cancel:
        def __init__(self, looks: int) -> None:
            self.looks = looks

        def is_set(self) -> bool:
            self.looks -= 1
            return self.looks < 0

    scan = np.random.default_rng(1).normal(size=(90, 90, 90)).astype(np.float32)
    options: dict[str, Any] = {"initial": scan - 0.5, "type": kind, "iterations": 10_000, "max_rms": 0.0}
    if kind == "threshold":
        options |= {"lower_threshold": 0, "upper_threshold": 1, "edge_weight": 1.0, "smoothing_iterations": 50}
    if kind in ("geodesic", "curves"):
        options |= {"feature_sigma": 2.0, "advection_sigma": 2.0}
    for looks in range(4):
        with pytest.raises(mitk.Cancelled):
            evolve(scan, cancel=Cancel(looks), **options)


def test_frames_of_a_series() -> None:
    scan = scan_of_ball()
    series = mitk.Image(np.stack([np.zeros_like(scan.array), scan.array]), spacing=SPACING)
    np.testing.assert_array_equal(evolve(series, time_step=1).level_set.array, evolve(scan).level_set.array)


def test_an_array_is_a_scan_with_a_spacing_of_1_mm() -> None:
    voxels = scan_of_ball().array
    np.testing.assert_array_equal(evolve(voxels).level_set.array, evolve(mitk.Image(voxels)).level_set.array)
