"""What a geometry refuses, with class and message; the state stays as it was."""

import math

import numpy as np
import pytest

import mitk_rs as mitk


def assign(name, value):
    return lambda geometry: setattr(geometry, name, value)


def call(name, *arguments):
    return lambda geometry: getattr(geometry, name)(*arguments)


CASES = [
    (
        assign("spacing", (1, 0, 1)),
        mitk.GeometryError,
        r"spacing must be finite and greater than 0 mm .* got \(1.0, 0.0, 1.0\)",
    ),
    (assign("spacing", (1, -2, 1)), mitk.GeometryError, "greater than 0 mm"),
    (assign("spacing", (1, math.nan, 1)), mitk.GeometryError, "greater than 0 mm"),
    (assign("spacing", (1, math.inf, 1)), mitk.GeometryError, "finite"),
    (assign("spacing", (1, 1)), TypeError, r"spacing must be three numbers, got \(1, 1\)"),
    (assign("spacing", (1, 1, 1, 1)), TypeError, "three numbers"),
    (assign("spacing", 1.0), TypeError, "three numbers"),
    (assign("spacing", "abc"), TypeError, "three numbers, got 'abc'"),
    (assign("spacing", ("1", "1", "1")), TypeError, "three numbers"),
    (assign("spacing", (1, 1, 1j)), TypeError, "three numbers"),
    (assign("spacing", None), TypeError, "three numbers"),
    (call("enforce_spacing", (0, 1, 1)), mitk.GeometryError, "greater than 0 mm"),
    (assign("origin", (1, 2)), TypeError, "origin must be three numbers"),
    (assign("origin", (1, 2, math.nan)), mitk.GeometryError, "origin must be finite"),
    (call("translate", (math.inf, 0, 0)), mitk.GeometryError, "translation must be finite"),
    (assign("direction", np.eye(2)), mitk.GeometryError, r"3x3 matrix, got shape \(2, 2\)"),
    (assign("direction", np.arange(9.0)), mitk.GeometryError, r"3x3 matrix, got shape \(9,\)"),
    (assign("direction", [[1, 0, 0], [0, 1], [0]]), mitk.GeometryError, "rows of different lengths"),
    (assign("direction", np.zeros((3, 3))), mitk.GeometryError, "direction must be invertible"),
    (assign("direction", np.ones((3, 3))), mitk.GeometryError, "axes lie in one plane"),
    (assign("direction", np.diag([1, 1, math.nan])), mitk.GeometryError, "direction must be finite"),
    (assign("direction", np.eye(3) * 1j), TypeError, "real numbers, got complex128"),
    (assign("direction", [["a"] * 3] * 3), TypeError, "real numbers"),
    (assign("bounds", (0, 1)), mitk.GeometryError, r"six numbers .* got 2"),
    (assign("bounds", (1, 0, 0, 1, 0, 1)), mitk.GeometryError, "minimum before its maximum"),
    (assign("bounds", (0, math.inf, 0, 1, 0, 1)), mitk.GeometryError, "bounds must be finite"),
    (assign("bounds", 6), TypeError, "six numbers"),
    (call("get_extent", 3), mitk.RequestError, r"axis must be 0 \(x\), 1 \(y\) or 2 \(z\), got 3"),
    (call("get_extent_in_mm", -1), mitk.RequestError, "axis must be"),
    (call("get_axis_vector", 3), mitk.RequestError, "axis must be"),
    (call("set_extent_in_mm", 3, 1.0), mitk.RequestError, "axis must be"),
    (call("set_extent_in_mm", 0, -1.0), mitk.GeometryError, "greater than 0 mm"),
    (call("get_corner_point", 8), mitk.RequestError, "corner id must be 0 to 7, got 8"),
    (call("get_corner_point", -1), mitk.RequestError, "corner id must be 0 to 7"),
    (call("index_to_world", (1, 2)), TypeError, r"coordinates must be 3 numbers or an array \(N, 3\)"),
    (call("index_to_world", "abc"), TypeError, "coordinates must be"),
    (call("index_to_world", [[1, 2, 3], [4]]), TypeError, "coordinates must be"),
    (call("index_to_world", (1, 2, 3), (0, 0, 0)), TypeError, "the output must be a Point3D"),
    (call("index_to_world", (1, 2, 3), np.zeros(3, int)), TypeError, "float array of shape"),
    (call("index_to_world", np.zeros((2, 3)), mitk.Point3D()), TypeError, "the output must be"),
    (call("index_to_world", mitk.Point3D(), mitk.Vector3D()), TypeError, "a Point3D into a Vector3D"),
    (call("affine", "ras"), mitk.RequestError, 'space must be "LPS" or "RAS", got \'ras\''),
    (call("set_affine", np.eye(4), "XYZ"), mitk.RequestError, 'space must be "LPS" or "RAS"'),
    (call("set_affine", np.eye(3)), mitk.GeometryError, r"4x4 matrix with the last row \(0, 0, 0, 1\)"),
    (call("set_affine", np.ones((4, 4))), mitk.GeometryError, "last row"),
    (call("set_affine", np.diag([1, 0, 1, 1])), mitk.GeometryError, "direction must be invertible"),
    (call("set_affine", np.diag([1, math.nan, 1, 1])), mitk.GeometryError, "direction must be finite"),
    (call("set_affine", [[1], [2, 3]]), mitk.GeometryError, "rows of different lengths"),
    (call("set_affine", np.eye(4) * 1j), TypeError, "affine must be a matrix of real numbers"),
    (assign("frame_of_reference_id", 1.5), TypeError, "frame_of_reference_id must be a whole number, got float 1.5"),
    (call("get_extent", 1.0), TypeError, "get_extent: axis must be a whole number, got float 1.0"),
]


@pytest.mark.parametrize(("act", "error", "message"), CASES, ids=[str(i) for i in range(len(CASES))])
@pytest.mark.parametrize("kind", [mitk.Geometry3D, mitk.PlaneGeometry, mitk.SlicedGeometry3D])
def test_bad_input_is_refused_and_changes_nothing(kind, act, error, message):
    geometry = kind(spacing=(1, 2, 3), origin=(4, 5, 6))
    before = geometry.clone()
    with pytest.raises(error, match=message):
        act(geometry)
    assert geometry == before


@pytest.mark.parametrize("error", [mitk.GeometryError, mitk.RequestError])
def test_errors_are_what_callers_of_mitk_catch(error):
    assert issubclass(error, mitk.Exception)
    assert issubclass(error, RuntimeError)
    assert issubclass(error, ValueError)


def test_base_geometry_is_abstract_and_has_no_new():
    with pytest.raises(TypeError, match="BaseGeometry is abstract"):
        mitk.BaseGeometry()
    assert not hasattr(mitk.BaseGeometry, "new")


def test_a_geometry_without_extent_cannot_be_stretched():
    geometry = mitk.Geometry3D(bounds=(0, 0, 0, 1, 0, 1))
    with pytest.raises(mitk.GeometryError, match="axis 0 has no extent"):
        geometry.set_extent_in_mm(0, 1.0)


@pytest.mark.parametrize("far", [math.inf, -math.inf, 1e308])
@pytest.mark.parametrize("name", ["index_to_world", "world_to_index"])
def test_places_too_far_away_for_doubles_are_mapped_without_a_warning(name, far):
    geometry = mitk.Geometry3D(spacing=(10, 0.1, 1), direction=[[0.6, -0.8, 0], [0.8, 0.6, 0], [0, 0, 1]])
    for place in ((far, far, far), mitk.Vector3D(far, far, far), np.full((2, 3), far)):
        assert not np.isfinite(np.asarray(getattr(geometry, name)(place))).all()
