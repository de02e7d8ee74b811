"""Surfaces lie where the geometry says, face outwards, and are written whole or not at all."""

import ctypes
import itertools
import resource

import numpy as np
import pytest
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkIOGeometry import vtkOBJReader, vtkSTLReader
from vtkmodules.vtkIOLegacy import vtkPolyDataReader
from vtkmodules.vtkIOPLY import vtkPLYReader
from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

import mitk_rs as mitk
from mitk_rs.surface import SURFACE_SUFFIXES

CENTRE, RADIUS = np.array([9.3, 7.1, 6.4]), 4.2


def rotation():
    """Axes turned about no axis of the world."""
    matrix, _ = np.linalg.qr(np.array([[1.0, 0.3, -0.2], [-0.4, 1.0, 0.5], [0.1, -0.6, 1.0]]))
    return matrix * np.sign(np.linalg.det(matrix))


DIRECTIONS = {
    "identity": np.eye(3),
    "oblique": rotation(),
    "left-handed": rotation() @ np.diag([1.0, -1.0, 1.0]),
    "flipped": np.diag([-1.0, -1.0, 1.0]),
    "permuted": np.array([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]]),
    "sheared": np.array([[1.0, 0.1, 0], [0, np.sqrt(0.99), 0], [0, 0, 1]]),
}


def index_grid(shape=(14, 16, 20)):
    z, y, x = np.indices(shape)
    return np.stack([x, y, z], axis=-1).astype(float)


def ball(direction, dtype=np.float32):
    """Distance to a sphere in index units, so that every voxel near it has a value of its own."""
    distance = np.linalg.norm(index_grid() - CENTRE, axis=-1) - RADIUS
    return mitk.Image(
        distance.astype(dtype), spacing=(0.4, 0.7, 1.9), origin=(-812.5, 333.25, 1024.0), direction=direction
    )


def points_of(surface):
    return vtk_to_numpy(surface.GetPoints().GetData()).astype(float)


def triangles_of(surface):
    return points_of(surface)[vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)]


def interpolated(voxels, index):
    """Trilinear values at continuous indices (x, y, z)."""
    low = np.clip(np.floor(index).astype(int), 0, np.array(voxels.shape[::-1]) - 2)
    f = index - low
    total = np.zeros(len(index))
    for corner in np.ndindex(2, 2, 2):
        weight = np.prod(np.where(corner, f, 1 - f), axis=1)
        x, y, z = (low + corner).T
        total += weight * voxels[z, y, x]
    return total


@pytest.mark.parametrize("name", DIRECTIONS)
def test_points_lie_on_the_zero_crossing(name):
    image = ball(DIRECTIONS[name])
    points = points_of(mitk.extract_surface(image))
    index = image.world_to_index(points)
    # The gradient is one per voxel, so the value is the distance to the crossing in voxels.
    assert np.abs(interpolated(image.array.astype(float), np.asarray(index))).max() < 1e-3
    assert len(points) > 300


@pytest.mark.parametrize("name", DIRECTIONS)
def test_normals_point_outwards(name):
    image = ball(DIRECTIONS[name])
    a, b, c = triangles_of(mitk.extract_surface(image)).transpose(1, 0, 2)
    normals = np.cross(b - a, c - a)
    outwards = (a + b + c) / 3 - np.asarray(image.index_to_world(CENTRE))
    assert ((normals * outwards).sum(axis=1) > 0).all()
    enclosed = (a * np.cross(b, c)).sum() / 6
    voxel = abs(np.linalg.det(image.direction)) * np.prod(image.spacing)
    assert enclosed == pytest.approx(4 / 3 * np.pi * RADIUS**3 * voxel, rel=0.05)


def test_the_surface_is_closed_and_has_no_slivers_without_area():
    voxels = np.full((7, 8, 9), 1.0, np.float32)
    voxels[2:5, 3:6, 2:7] = -1
    voxels[3, 4, 7] = 0.0  # Exactly on the surface.
    triangles = triangles_of(mitk.extract_surface(mitk.Image(voxels)))
    a, b, c = triangles.transpose(1, 0, 2)
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 0
    edges = {}
    for triangle in triangles:
        corners = [tuple(corner) for corner in triangle]
        for edge in zip(corners, corners[1:] + corners[:1], strict=True):
            edges[edge] = edges.get(edge, 0) + 1
    # Each edge once in each direction: closed, and turned the same way everywhere.
    assert all(count == edges.get(edge[::-1]) for edge, count in edges.items())


@pytest.mark.parametrize("seed", range(5))
def test_voxels_exactly_at_the_level_make_no_triangle_without_area_and_no_point_twice(seed):
    """Where a voxel has the value of the surface, the cells around it put points on top of each other."""
    voxels = np.random.default_rng(seed).integers(-1, 2, (6, 7, 8)).astype(np.float32)
    surface = mitk.extract_surface(mitk.Image(voxels))
    a, b, c = triangles_of(surface).transpose(1, 0, 2)
    assert np.linalg.norm(np.cross(b - a, c - a), axis=1).min() > 1e-6
    points = vtk_to_numpy(surface.GetPoints().GetData())
    assert len(np.unique(points, axis=0)) == len(points)
    assert surface.GetNumberOfCells() == surface.GetNumberOfPolys()


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int64", "float64"])
def test_any_pixel_type_and_level(dtype):
    voxels = np.zeros((5, 6, 7), dtype)
    voxels[2, 3, 3] = 100
    surface = mitk.extract_surface(mitk.Image(voxels), 50)
    assert np.abs(points_of(surface) - [3, 3, 2]).max() == 0.5


def test_a_frame_of_a_series_with_its_own_geometry():
    voxels = np.ones((2, 4, 4, 4), np.float32)
    voxels[1, 2, 2, 2] = -1
    image = mitk.Image(voxels)
    image.set_origin((100, 0, 0), time_step=1)
    assert points_of(mitk.extract_surface(image, time_step=1)).mean(axis=0).tolist() == [102, 2, 2]
    with pytest.raises(mitk.RequestError, match="time step"):
        mitk.extract_surface(image)


def test_the_result_has_the_surface_of_its_level_set():
    voxels = np.zeros((9, 9, 9), np.float32)
    voxels[3:6, 3:6, 3:6] = 1
    result = mitk.initialize_level_set(voxels, method="isosurface", isosurface=0.5)
    assert result.surface().GetNumberOfPolys() == mitk.extract_surface(result.level_set).GetNumberOfPolys() > 0


@pytest.mark.parametrize(
    ("array", "level", "message"),
    [
        (np.zeros((4, 5)), 0, "the image has 5 x 4 voxels: a surface needs at least two along x, y and z"),
        (np.zeros((1, 4, 5)), 0, "the image has 5 x 4 x 1 voxels"),
        (np.zeros((4, 4, 5)), np.nan, "level is nan: it must be a finite number"),
    ],
)
def test_what_has_no_surface(array, level, message):
    with pytest.raises(mitk.RequestError, match=message):
        mitk.extract_surface(mitk.Image(array), level)


def test_several_components_have_no_surface():
    with pytest.raises(mitk.RequestError, match="3 components a voxel: one is needed"):
        mitk.extract_surface(mitk.Image(np.zeros((4, 4, 5, 3)), components=True))


READERS = {
    ".stl": vtkSTLReader,
    ".vtp": vtkXMLPolyDataReader,
    ".ply": vtkPLYReader,
    ".obj": vtkOBJReader,
    ".vtk": vtkPolyDataReader,
}


@pytest.mark.parametrize("suffix", SURFACE_SUFFIXES)
def test_files_hold_the_surface(tmp_path, suffix):
    surface = mitk.extract_surface(ball(rotation()))
    path = tmp_path / f"ball{suffix}"
    mitk.write_surface(surface, path)
    mitk.write_surface(surface, path)
    reader = READERS[suffix]()
    reader.SetFileName(str(path))
    reader.Update()
    again = reader.GetOutput()
    assert again.GetNumberOfPolys() == surface.GetNumberOfPolys()
    # OBJ has six digits, STL and PLY have float32.
    assert np.abs(triangles_of(again) - triangles_of(surface)).max() < (6e-3 if suffix == ".obj" else 1e-4)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_files_that_cannot_be_written(tmp_path):
    surface = mitk.extract_surface(ball(np.eye(3)))
    for path, message in (
        (tmp_path / "ball.gif", "its ending must be one of .stl .vtp .ply .obj .vtk"),
        (tmp_path / "nowhere" / "ball.stl", "does not exist"),
        (tmp_path, "its ending must be"),
    ):
        with pytest.raises(mitk.errors.FileWriteError, match=message):
            mitk.write_surface(surface, path)
    with pytest.raises(mitk.errors.FileWriteError, match="the surface is empty"):
        mitk.write_surface(mitk.extract_surface(mitk.Image(np.ones((3, 3, 3)))), tmp_path / "ball.stl")
    assert list(tmp_path.iterdir()) == []


def mass_of(surface):
    from vtkmodules.vtkFiltersCore import vtkMassProperties

    mass = vtkMassProperties()
    mass.SetInputData(surface)
    return mass.GetVolume(), mass.GetSurfaceArea()


def open_edges(surface):
    from vtkmodules.vtkFiltersCore import vtkFeatureEdges

    edges = vtkFeatureEdges()
    edges.SetInputData(surface)
    edges.FeatureEdgesOff()
    edges.ManifoldEdgesOff()
    edges.Update()
    return edges.GetOutput().GetNumberOfCells()


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32"])
def test_a_closed_surface_is_capped_half_a_voxel_outside(dtype):
    tube = mitk.datasets.tube()
    dark = mitk.Image((100 - tube.array).astype(dtype), spacing=tube.spacing, origin=tube.origin)
    assert open_edges(mitk.extract_surface(dark, 50)) > 0
    closed = mitk.extract_surface(dark, 50, closed=True)
    assert open_edges(closed) == 0
    low, high = closed.GetBounds()[4:]
    assert (low, high) == (7 - 0.5, 7 + 19 + 0.5)
    assert mass_of(closed)[0] == pytest.approx(45 * 0.25 * 20, rel=0.05)


def test_a_surface_inside_is_the_same_closed_and_open():
    ball = mitk.Image((np.sqrt(sum(a**2 for a in np.mgrid[:11, :12, :13] - 5.0)) - 3).astype(np.float32))
    one, other = (mitk.extract_surface(ball, closed=closed) for closed in (False, True))
    assert one.GetBounds() == other.GetBounds()
    assert one.GetNumberOfCells() == other.GetNumberOfCells()


def test_smoothing_removes_steps_and_keeps_the_volume():
    inside = np.sqrt(sum(a**2 for a in np.mgrid[:31, :31, :31] - 15.0)) < 10
    steps = mitk.extract_surface(mitk.Image(np.where(inside, -1, 1).astype(np.float32)))
    smooth = mitk.smooth_surface(steps)
    (volume, area), (kept, less) = mass_of(steps), mass_of(smooth)
    assert kept == pytest.approx(volume, rel=0.01)
    assert less < 0.97 * area
    assert smooth.GetNumberOfCells() == steps.GetNumberOfCells()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"iterations": 0}, "iterations is 0: it must be at least 6"),
        ({"iterations": 3}, "iterations is 3: it must be at least 6 and at most 1000"),
        ({"iterations": 1001}, "at most 1000"),
        ({"pass_band": 0}, "pass_band is 0"),
        ({"pass_band": 1e-4, "iterations": 300}, "it must be at least 0.001 and at most 2"),
        ({"pass_band": 2.5}, "at most 2"),
    ],
)
def test_smoothing_out_of_range_is_refused(options, message):
    with pytest.raises(mitk.RequestError, match=message):
        mitk.smooth_surface(mitk.extract_surface(mitk.datasets.tube(), 50), **options)


def test_smoothing_prints_nothing(capfd):
    surface = mitk.extract_surface(mitk.Image(np.random.default_rng(0).random((3, 3, 3), np.float32)), 0.5)
    for iterations, pass_band in itertools.product((6, 7, 30, 1000), (0.001, 0.0011, 0.1, 2)):
        mitk.smooth_surface(surface, iterations=iterations, pass_band=pass_band)
    assert mitk.smooth_surface(vtkPolyData()).GetNumberOfPoints() == 0
    # What C++ wrote is in its own buffer.
    ctypes.CDLL(None).fflush(None)
    assert capfd.readouterr() == ("", "")


def test_two_voxels_along_each_axis_are_enough_for_a_surface():
    voxels = np.ones((2, 2, 2), np.float32)
    voxels[0, 0, 0] = -1
    surface = mitk.extract_surface(mitk.Image(voxels))
    assert sorted(map(tuple, points_of(surface))) == [(0, 0, 0.5), (0, 0.5, 0), (0.5, 0, 0)]


def test_a_surface_is_points_and_triangles_and_nothing_else():
    surface = mitk.extract_surface(ball(np.eye(3)))
    assert surface.GetPointData().GetNumberOfArrays() == surface.GetCellData().GetNumberOfArrays() == 0


TEXT = {".stl": b"solid mitk_rs SPACE=LPS", ".vtp": b'format="ascii"', ".ply": b"format ascii", ".vtk": b"\nASCII\n"}
BYTES = {".stl": b"mitk_rs SPACE=LPS", ".vtp": b'format="appended"', ".ply": b"format binary", ".vtk": b"\nBINARY\n"}


@pytest.mark.parametrize("suffix", TEXT)
def test_numbers_are_bytes_unless_text_is_asked_for(tmp_path, suffix):
    surface, path = mitk.extract_surface(ball(np.eye(3))), tmp_path / f"ball{suffix}"
    mitk.write_surface(surface, path)
    content = path.read_bytes()
    assert BYTES[suffix] in content
    assert TEXT[suffix] not in content
    if suffix == ".stl":
        assert content.startswith(BYTES[suffix])
        assert len(content) == 84 + 50 * surface.GetNumberOfPolys()
    mitk.write_surface(surface, path, binary=False)
    assert TEXT[suffix] in path.read_bytes()


def test_the_header_of_stl_names_the_space_or_none(tmp_path):
    surface, path = mitk.extract_surface(ball(np.eye(3))), tmp_path / "ball.stl"
    for space, header in (("RAS", b"mitk_rs SPACE=RAS"), ("", b"mitk_rs")):
        mitk.write_surface(surface, path, space=space)
        assert path.read_bytes()[:80].rstrip(b"\0 ") == header


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("suffix", SURFACE_SUFFIXES)
def test_a_surface_that_does_not_fit_on_the_disk_leaves_the_old_one(tmp_path, suffix, binary):
    """Also where the cut falls behind a number or a line, so that what is there could be a whole file."""
    surface, path = mitk.extract_surface(ball(np.eye(3))), tmp_path / f"ball{suffix}"
    mitk.write_surface(surface, path, binary=binary)
    content = path.read_bytes()
    path.write_bytes(b"old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    line = content.rindex(b"\n", 0, len(content) // 2) + 1
    for limit in (len(content) - 1, content.rindex(b"\n", 0, -1) + 1, line):
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            with pytest.raises(mitk.FileWriteError, match="cannot write"):
                mitk.write_surface(surface, path, binary=binary)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
        assert path.read_bytes() == b"old"
        assert [file.name for file in tmp_path.iterdir()] == [path.name]
