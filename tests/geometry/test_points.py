"""Points, vectors and colours: MITK's behaviour, and what ours adds to it."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mitk_rs as mitk

NUMBERS = st.floats(allow_nan=False, allow_infinity=False, width=32)
SPATIAL = [mitk.Point2D, mitk.Point3D, mitk.Vector2D, mitk.Vector3D]


@pytest.mark.parametrize("kind", [*SPATIAL, mitk.Color])
def test_no_arguments_give_zero_and_coordinates_read_back(kind):
    size = len(kind())
    assert kind() == (0,) * size
    numbers = tuple(range(1, size + 1))
    assert tuple(kind(*numbers)) == numbers
    assert [kind(*numbers)[i] for i in range(size)] == list(numbers)
    assert kind.__module__ == "mitk_rs"


@pytest.mark.parametrize("kind", [mitk.Point3D, mitk.Vector3D])
def test_coordinates_can_be_written_by_name_and_index(kind):
    point = kind(1, 2, 3)
    point.x, point[1], point.z = 7, 8, np.float32(9)
    assert (point.x, point.y, point.z) == (7.0, 8.0, 9.0)


def test_reprs_are_those_of_mitk():
    assert repr(mitk.Point3D(1, 2, 3)) == "<Point3D [1.000000, 2.000000, 3.000000]>"
    assert repr(mitk.Vector2D(0.5, -1)) == "<Vector2D [0.500000, -1.000000]>"
    assert repr(mitk.Color(1, 0.5, 0)) == "mitk.Color(1.000000, 0.500000, 0.000000)"


def test_coordinates_are_double_and_colours_single_precision():
    assert mitk.Point3D(0.1, 0, 0).x == 0.1
    color = mitk.Color(0.1, 0, 0)
    assert color.r == float(np.float32(0.1))
    color.g, color.b = 0.5, 0.25
    assert list(color) == [float(np.float32(0.1)), 0.5, 0.25]


@given(*[NUMBERS] * 6)
def test_points_and_vectors_add_as_in_geometry(a, b, c, d, e, f):
    point, vector = mitk.Point3D(a, b, c), mitk.Vector3D(d, e, f)
    moved = point + vector
    assert type(moved) is mitk.Point3D
    assert moved == (a + d, b + e, c + f)
    assert type(moved - point) is mitk.Vector3D
    assert point - vector == mitk.Point3D(a - d, b - e, c - f)
    assert vector + vector == 2 * vector == vector * 2 == vector - -vector
    assert vector / 2 == 0.5 * vector


def test_flat_points_and_vectors_add_too():
    assert mitk.Point2D(3, 4) - mitk.Point2D(0, 0) == mitk.Vector2D(3, 4)
    assert mitk.Point2D(1, 1) + mitk.Vector2D(1, 2) == mitk.Point2D(2, 3)
    assert mitk.Point2D(1, 1) - mitk.Vector2D(1, 2) == mitk.Point2D(0, -1)
    assert mitk.Vector2D(3, 4).length == 5.0


@pytest.mark.parametrize(
    "act",
    [
        lambda: mitk.Point3D() + mitk.Point3D(),
        lambda: mitk.Vector3D() + mitk.Vector2D(),
        lambda: mitk.Vector3D() + mitk.Point3D(),
        lambda: mitk.Vector3D() * mitk.Vector3D(),
        lambda: mitk.Vector3D() / "2",
        lambda: mitk.Point3D() - 1,
        lambda: mitk.Vector3D() - 1,
    ],
)
def test_sums_without_meaning_are_refused(act):
    with pytest.raises(TypeError, match="unsupported operand"):
        act()


def test_equality_is_of_kind_and_coordinates():
    assert mitk.Point3D(1, 2, 3) != mitk.Vector3D(1, 2, 3)
    assert mitk.Point3D(1, 2, 3) == [1, 2, 3]
    assert mitk.Point3D(1, 2, 3) != (1, 2)
    assert mitk.Point3D() != "point"
    with pytest.raises(TypeError, match="unhashable"):
        hash(mitk.Point3D())


@pytest.mark.parametrize("kind", SPATIAL)
def test_numpy_sees_a_copy(kind):
    point = kind(*range(len(kind())))
    array = np.asarray(point)
    assert array.dtype == np.float64
    assert array.tolist() == list(point)
    assert np.asarray(point, dtype=np.float32).dtype == np.float32
    with pytest.raises(ValueError, match="without a copy"):
        np.asarray(point, copy=False)
    assert (np.eye(len(point)) @ point).tolist() == list(point)


@pytest.mark.parametrize("kind", [*SPATIAL, mitk.Color])
def test_copies_are_independent(kind):
    point = kind()
    for twin in (copy.copy(point), copy.deepcopy(point), pickle.loads(pickle.dumps(point))):
        assert type(twin) is kind
        assert twin == point
        twin[0] = 5
        assert twin != point


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: mitk.Point3D()[3], IndexError, r"Point3D has elements 0 to 2, got 3"),
        (lambda: mitk.Color()[-1], IndexError, r"Color has elements 0 to 2, got -1"),
        (lambda: mitk.Point3D(1, 2), TypeError, "Point3D takes no coordinates or 3, got 2"),
        (lambda: mitk.Point2D("1", "2"), TypeError, "an element of a Point2D must be a number, got str '1'"),
        (lambda: mitk.Point2D(1j, 2), TypeError, "complex"),
        (lambda: mitk.Point2D()["x"], TypeError, "integer"),
    ],
)
def test_bad_input_is_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()
