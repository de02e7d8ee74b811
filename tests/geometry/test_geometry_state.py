"""What is set reads back, copies are independent, changes are counted, threads see whole states."""

import copy
import pickle
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mitk_rs as mitk

KINDS = [mitk.Geometry3D, mitk.PlaneGeometry, mitk.SlicedGeometry3D]
lengths = st.floats(1e-3, 1e3)
positions = st.floats(-1e4, 1e4)


def triples(numbers):
    return st.tuples(numbers, numbers, numbers)


@st.composite
def rotations(draw):
    """Orthogonal matrices of either handedness."""
    numbers = draw(st.lists(st.floats(-1, 1), min_size=9, max_size=9))
    q, _ = np.linalg.qr(np.reshape(numbers, (3, 3)) + 3 * np.eye(3))
    return q * draw(st.sampled_from([1, -1]))


@given(triples(lengths), triples(positions), rotations())
def test_what_is_set_reads_back_exactly(spacing, origin, direction):
    geometry = mitk.SlicedGeometry3D.new()
    geometry.direction, geometry.spacing, geometry.origin = direction, spacing, origin
    geometry.enforce_spacing(spacing)
    assert geometry.spacing == spacing
    assert geometry.origin == origin
    assert np.array_equal(geometry.direction, direction)
    assert geometry.direction_cosines == tuple(direction.ravel())


@given(triples(lengths), triples(positions), rotations(), triples(positions))
def test_index_to_world_and_back(spacing, origin, direction, index):
    geometry = mitk.Geometry3D(spacing=spacing, origin=origin, direction=direction)
    there_and_back = np.asarray(geometry.world_to_index(geometry.index_to_world(index)))
    slack = 1e-12 * (np.abs(origin).max() + np.abs(index).max() * max(spacing)) / min(spacing) + 1e-12
    assert np.abs(there_and_back - index).max() <= 10 * slack


@given(triples(lengths), triples(positions), rotations())
def test_arrays_of_points_map_as_single_points(spacing, origin, direction):
    geometry = mitk.Geometry3D(spacing=spacing, origin=origin, direction=direction)
    indices = np.arange(12.0).reshape(4, 3)
    world = geometry.index_to_world(indices)
    assert world.shape == (4, 3)
    for row, index in zip(world, indices, strict=True):
        assert np.allclose(row, list(geometry.index_to_world(tuple(index))), rtol=1e-14, atol=1e-9)
    homogeneous = np.c_[indices, np.ones(4)] @ geometry.affine().T
    assert np.allclose(homogeneous[:, :3], world, rtol=1e-13, atol=1e-9)


@given(triples(lengths), triples(positions), rotations())
def test_ras_negates_the_first_two_world_axes(spacing, origin, direction):
    geometry = mitk.Geometry3D(spacing=spacing, origin=origin, direction=direction)
    assert np.array_equal(geometry.affine("RAS"), np.diag([-1, -1, 1, 1]) @ geometry.affine("LPS"))
    assert np.array_equal(geometry.affine(), geometry.index_to_world_matrix)


@pytest.mark.parametrize("space", ["LPS", "RAS"])
def test_an_affine_that_is_set_comes_back(space):
    c, s = np.cos(0.3), np.sin(0.3)
    source = mitk.Geometry3D(spacing=(0.5, 0.7, 3), origin=(1, 2, 3), direction=[[c, -s, 0], [s, c, 0], [0, 0, -1]])
    target = mitk.Geometry3D(bounds=(0, 4, 0, 5, 0, 6), image_geometry=True)
    before = target.modified
    target.set_affine(source.affine(space), space)
    np.testing.assert_allclose(target.affine(), source.affine(), atol=1e-12)
    np.testing.assert_allclose(list(target.spacing), list(source.spacing), rtol=1e-12)
    assert (target.bounds, target.image_geometry) == ([0, 4, 0, 5, 0, 6], True)
    assert target.modified > before
    assert target.index_to_world_last_modified > before


def test_tiny_and_huge_spacings_map_without_overflow():
    geometry = mitk.Geometry3D(spacing=(1e-12, 1, 1e12))
    assert np.allclose(list(geometry.world_to_index((1e-12, 2, 3e12))), (1, 2, 3))


def test_outputs_are_filled_in_place():
    geometry = mitk.Geometry3D(spacing=(2, 2, 2))
    world, array = mitk.Point3D(), np.empty((2, 3), np.float32)
    assert geometry.index_to_world(mitk.Point3D(1, 2, 3), world) is None
    assert world == (2, 4, 6)
    assert geometry.index_to_world([[1, 2, 3], [0, 0, 1]], array) is None
    assert array.tolist() == [[2, 4, 6], [0, 0, 2]]
    assert geometry.world_to_index((2, 4, 6), world) is None
    assert world == (1, 2, 3)


@pytest.mark.parametrize("kind", KINDS)
def test_copies_are_equal_and_independent(kind):
    geometry = kind(spacing=(1, 2, 3), origin=(4, 5, 6), bounds=(0, 4, 0, 5, 0, 6), image_geometry=True)
    for twin in (
        geometry.clone(),
        copy.copy(geometry),
        copy.deepcopy(geometry),
        pickle.loads(pickle.dumps(geometry)),
    ):
        assert type(twin) is kind
        assert twin == geometry
        twin.origin = (0, 0, 0)
        assert twin != geometry
    assert geometry.origin == (4, 5, 6)


def test_equality_is_of_kind_and_state():
    assert mitk.Geometry3D() == mitk.Geometry3D.new()
    assert mitk.Geometry3D() != mitk.PlaneGeometry()
    assert mitk.Geometry3D() != "geometry"
    assert mitk.Geometry3D().is_close(mitk.PlaneGeometry(origin=(1e-7, 0, 0)))
    assert not mitk.Geometry3D().is_close(mitk.Geometry3D(origin=(1e-5, 0, 0)))
    assert mitk.Geometry3D().is_close(mitk.Geometry3D(origin=(1e-5, 0, 0)), eps=1e-4)
    assert not mitk.Geometry3D().is_close(mitk.Geometry3D(image_geometry=True))
    with pytest.raises(TypeError, match="unhashable"):
        hash(mitk.Geometry3D())


def test_what_is_read_is_a_copy():
    geometry = mitk.Geometry3D()
    geometry.origin.x = 5
    geometry.direction[0, 0] = 5
    geometry.bounds.append(5)
    geometry.index_to_world_matrix[0, 0] = 5
    assert geometry == mitk.Geometry3D()


def test_points_and_vectors_of_any_kind_are_accepted():
    geometry = mitk.Geometry3D()
    for origin in ((1, 2, 3), [1, 2, 3], np.array([1, 2, 3]), mitk.Point3D(1, 2, 3), mitk.Vector3D(1, 2, 3)):
        geometry.origin = (0, 0, 0)
        geometry.origin = origin
        assert geometry.origin == mitk.Point3D(1, 2, 3)


def test_initialize_and_set_identity():
    geometry = mitk.Geometry3D(spacing=(2, 2, 2), origin=(1, 1, 1), bounds=[0, 9] * 3, image_geometry=True)
    geometry.frame_of_reference_id = 7
    geometry.set_identity()
    assert geometry.spacing == (1, 1, 1)
    assert geometry.origin == (0, 0, 0)
    assert geometry.bounds == [0, 9] * 3
    geometry.initialize()
    assert geometry.bounds == [0, 1] * 3
    assert not geometry.image_geometry
    assert geometry.frame_of_reference_id == 0


def test_initialize_geometry_copies_from_its_argument():
    source, target = mitk.Geometry3D(spacing=(2, 3, 4)), mitk.SlicedGeometry3D()
    target.initialize_geometry(source)
    assert target.spacing == (2, 3, 4)
    assert source.spacing == (2, 3, 4)


def test_time_stamps_grow_with_every_change():
    geometry = mitk.Geometry3D()
    modified, moved = geometry.modified, geometry.index_to_world_last_modified
    geometry.bounds = [0, 2] * 3
    assert geometry.modified > modified
    assert geometry.index_to_world_last_modified == moved
    geometry.origin = (1, 0, 0)
    assert geometry.index_to_world_last_modified == geometry.modified > modified
    assert geometry.modified == geometry.modified


def test_plane_has_a_normal_and_flat_conversions():
    plane = mitk.PlaneGeometry(spacing=(2, 3, 4))
    assert plane.normal == (0, 0, 4)
    mm = mitk.Point2D()
    assert plane.index_to_world(mitk.Point2D(1, 1), mm) is None
    assert mm == (2, 3)
    assert plane.world_to_index(mitk.Vector2D(2, 3)) == mitk.Vector2D(1, 1)
    assert plane.index_to_world((1, 1, 1)) == (2, 3, 4)
    with pytest.raises(TypeError, match="cannot map a Point2D into a Vector2D"):
        plane.index_to_world(mitk.Point2D(), mitk.Vector2D())


def test_slices_are_planes_of_the_stack():
    stack = mitk.SlicedGeometry3D.for_image(
        (4, 3, 2), spacing=(1, 2, 3), origin=(5, 6, 7), direction=[[0, 1, 0], [1, 0, 0], [0, 0, -1]]
    )
    assert stack.slices == 2
    plane = stack.get_plane_geometry(1)
    assert plane.index_to_world((2, 1, 0)) == stack.index_to_world((2, 1, 1))
    assert plane.bounds == [0, 4, 0, 3, 0, 1]
    with pytest.raises(mitk.RequestError, match="slice must be 0 to 1, got 2"):
        stack.get_plane_geometry(2)


def test_a_flat_image_has_one_slice():
    assert mitk.SlicedGeometry3D.for_image((4, 3)).bounds == [0, 4, 0, 3, 0, 1]
    assert mitk.SlicedGeometry3D.for_image((4, 3, 2, 9)).bounds == [0, 4, 0, 3, 0, 2]


def test_readers_never_see_a_mixture_of_two_states():
    small = mitk.Geometry3D(spacing=(1, 1, 1), origin=(1, 1, 1))
    large = mitk.Geometry3D(spacing=(9, 9, 9), origin=(9, 9, 9))
    shared, stop, torn = small.clone(), threading.Event(), []

    def write():
        while not stop.is_set():
            shared.initialize_geometry(large)
            shared.initialize_geometry(small)

    def read():
        for _ in range(2000):
            matrix = shared.index_to_world_matrix
            if matrix[0, 0] != matrix[0, 3]:
                torn.append(matrix)

    writer = threading.Thread(target=write)
    readers = [threading.Thread(target=read) for _ in range(4)]
    for thread in (writer, *readers):
        thread.start()
    for thread in readers:
        thread.join(60)
    stop.set()
    writer.join(60)
    assert not torn


def test_no_translation_of_many_threads_is_lost():
    geometry = mitk.Geometry3D()
    threads = [threading.Thread(target=lambda: [geometry.translate((1, 0, 0)) for _ in range(200)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert geometry.origin == (1600, 0, 0)


@pytest.mark.parametrize("kind", [mitk.BaseGeometry, *KINDS])
def test_classes_belong_to_the_package(kind):
    assert kind.__module__ == "mitk_rs"
    assert getattr(mitk, kind.__name__) is kind


def test_repr_tells_units_and_state():
    text = repr(mitk.Geometry3D(spacing=(1, 2, 3)))
    assert text.startswith("<mitk.Geometry3D: spacing (1.0, 2.0, 3.0) mm, origin (0.0, 0.0, 0.0) mm")
