"""Every row of the specification's worked geometry examples."""

import math

import numpy as np
import pytest

import mitk_rs as mitk


def example_a():
    return mitk.SlicedGeometry3D.for_image((4, 3, 2), spacing=(0.8, 0.8, 1.5), origin=(0, 0, -100))


def rotation_about_z(degrees):
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def close(actual, expected, eps=1e-12):
    return np.allclose(np.asarray(actual), expected, rtol=0, atol=eps)


@pytest.mark.parametrize(("index", "world"), [((0, 0, 0), (0, 0, -100)), ((3, 2, 1), (2.4, 1.6, -98.5))])
def test_a_maps_indices_to_world_and_back(index, world):
    assert close(example_a().index_to_world(index), world)
    assert close(example_a().world_to_index(world), index)


@pytest.mark.parametrize(
    ("corner", "world"),
    [
        (0, (-0.4, -0.4, -100.75)),
        (1, (-0.4, -0.4, -97.75)),
        (2, (-0.4, 2.0, -100.75)),
        (3, (-0.4, 2.0, -97.75)),
        (4, (2.8, -0.4, -100.75)),
        (5, (2.8, -0.4, -97.75)),
        (6, (2.8, 2.0, -100.75)),
        (7, (2.8, 2.0, -97.75)),
    ],
)
def test_a_has_its_corners(corner, world):
    assert close(example_a().get_corner_point(corner), world)


def test_a_has_its_measures():
    geometry = example_a()
    assert close(geometry.center, (1.2, 0.8, -99.25))
    assert [geometry.get_extent(axis) for axis in range(3)] == [4, 3, 2]
    assert close([geometry.get_extent_in_mm(axis) for axis in range(3)], (3.2, 2.4, 3.0))
    assert geometry.diagonal_length == pytest.approx(5.0, abs=1e-12)
    assert close(geometry.get_axis_vector(0), (3.2, 0, 0))
    assert geometry.bounds == [0, 4, 0, 3, 0, 2]
    assert geometry.is_valid()


@pytest.mark.parametrize(
    ("index", "inside"),
    [((-0.5, 0, 0), True), ((3.49, 0, 0), True), ((3.5, 0, 0), False), ((-0.51, 0, 0), False)],
)
def test_a_image_holds_half_a_voxel_around_centres(index, inside):
    geometry = example_a()
    assert geometry.is_index_inside(index) is inside
    assert geometry.is_inside(geometry.index_to_world(index)) is inside


def test_other_geometries_include_both_bounds():
    geometry = mitk.Geometry3D(bounds=(0, 4, 0, 3, 0, 2))
    assert geometry.is_index_inside((4, 3, 2))
    assert geometry.is_index_inside((0, 0, 0))
    assert not geometry.is_index_inside((-0.1, 0, 0))
    assert close(geometry.get_corner_point(0), (0, 0, 0))
    assert close(geometry.center, (2, 1.5, 1))


def test_the_origin_plays_no_part_for_vectors():
    geometry, index = example_a(), mitk.Vector3D()
    assert geometry.world_to_index(mitk.Vector3D(0.8, 0, 0), index) is None
    assert close(index, (1, 0, 0))
    assert close(geometry.index_to_world(mitk.Vector3D(1, 0, 0)), (0.8, 0, 0))


def test_b_rotation():
    geometry = mitk.Geometry3D(spacing=(1, 2, 3), origin=(10, 20, 30), direction=rotation_about_z(30))
    matrix = geometry.index_to_world_matrix
    assert close(matrix[:3, :3], [[0.866025, -1, 0], [0.5, 1.732051, 0], [0, 0, 3]], 1e-6)
    assert close(matrix[:, 3], (10, 20, 30, 1))
    assert close(geometry.index_to_world((1, 1, 1)), (9.866025, 22.232051, 33), 1e-6)
    assert close(geometry.index_to_world(mitk.Vector3D(0, 1, 0)), (-1, 1.732051, 0), 1e-6)
    assert close(geometry.direction_cosines, (0.866025, -0.5, 0, 0.5, 0.866025, 0, 0, 0, 1), 1e-6)
    assert geometry.spacing == (1, 2, 3)


def test_c_flip_keeps_the_spacing():
    geometry = mitk.Geometry3D(spacing=(0.5, 0.7, 1.5), origin=(10, 20, 30))
    geometry.direction = np.diag([-1, -1, 1])
    assert close(geometry.index_to_world((2, 3, 4)), (9, 17.9, 36))
    assert geometry.spacing == (0.5, 0.7, 1.5)


def test_d_columns_that_are_not_unit_leak_into_the_spacing():
    geometry = mitk.Geometry3D(spacing=(0.5, 1, 1))
    geometry.direction = np.diag([2, 1, 1])
    assert geometry.spacing == (1, 1, 1)
    assert np.array_equal(geometry.direction, np.eye(3))


def test_e_shear_is_kept():
    geometry = mitk.Geometry3D(direction=[[1, 0.5, 0], [0, 1, 0], [0, 0, 1]])
    assert close(geometry.spacing, (1, 1.118034, 1), 1e-6)
    assert close(geometry.direction, [[1, 0.447214, 0], [0, 0.894427, 0], [0, 0, 1]], 1e-6)
    assert close(geometry.world_to_index((2, 3, 4)), (0.5, 3, 4))


def test_handedness_is_never_changed():
    geometry = mitk.Geometry3D(direction=[[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    assert np.linalg.det(geometry.direction) < 0


def test_translate_moves_the_origin():
    geometry = example_a()
    geometry.translate((1, 0, 0))
    assert geometry.origin == (1, 0, -100)


def test_set_extent_in_mm_changes_the_spacing_and_keeps_the_bounds():
    geometry = example_a()
    geometry.set_extent_in_mm(0, 6.4)
    assert close(geometry.spacing, (1.6, 0.8, 1.5))
    assert geometry.bounds == [0, 4, 0, 3, 0, 2]


def test_only_enforce_spacing_takes_a_change_below_the_tolerance():
    geometry, tiny = mitk.Geometry3D(), np.nextafter(1.0, 2.0)
    geometry.spacing = (tiny, 1, 1)
    assert geometry.spacing == (1, 1, 1)
    geometry.enforce_spacing((tiny, 1, 1))
    assert geometry.spacing == (tiny, 1, 1)


def test_clamp_point_keeps_what_is_inside_and_cuts_the_rest():
    geometry = example_a()
    assert geometry.clamp_point((1, 1, -99)) == (1, 1, -99)
    assert close(geometry.clamp_point((9, -9, -99)), (2.8, -0.4, -99))
    assert mitk.Geometry3D(origin=(1, 1, 1)).clamp_point((0, 5, 1.5)) == (1, 2, 1.5)
