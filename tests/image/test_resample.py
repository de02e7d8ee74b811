"""``Image.resample``: the voxels of SimpleITK's ``Resample``, with times, properties and class of the image."""

import numpy as np
import pytest
import SimpleITK as sitk

import mitk_rs as mitk


def tilted(angle=12.0, size=(9, 20, 16)):
    """A scan with a tilted gantry: each slice is shifted along y."""
    shear = np.deg2rad(angle)
    direction = [[1, 0, 0], [0, 1, np.sin(shear)], [0, 0, np.cos(shear)]]
    voxels = np.random.default_rng(3).integers(-900, 1500, size).astype("int16")
    return mitk.Image(voxels, spacing=(0.7, 0.9, 3.0), origin=(5, -40, 12), direction=direction)


def peer(image, result, kind, fill):
    """What SimpleITK makes of the image on the grid of the result."""
    source = sitk.GetImageFromArray(image.array, isVector=image.components > 1)
    source.SetSpacing(image.spacing)
    source.SetOrigin(image.origin)
    source.SetDirection(image.direction.ravel().tolist())
    size = [int(result.get_dimension(axis)) for axis in range(3)]
    direction = result.direction.ravel().tolist()
    made = sitk.Resample(source, size, sitk.Transform(), kind, result.origin, result.spacing, direction, fill)
    return sitk.GetArrayFromImage(made)


@pytest.mark.parametrize(
    ("kind", "interpolator"),
    [
        ("linear", sitk.sitkLinear),
        ("nearest", sitk.sitkNearestNeighbor),
        ("bspline", sitk.sitkBSpline),
        ("lanczos", sitk.sitkLanczosWindowedSinc),
    ],
)
@pytest.mark.parametrize("options", [{"spacing": 1.3}, {"spacing": (0.5, 2, 1)}, {"orthogonal": True}])
def test_voxels_are_those_of_simpleitk(kind, interpolator, options):
    image = tilted()
    result = image.resample(**options, interpolation=kind)
    assert result.dtype == image.dtype
    expected = peer(image, result, interpolator, float(image.array.min()))
    np.testing.assert_array_equal(result.array, expected)


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64"]
)
def test_pixel_types_stay(dtype):
    image = mitk.Image(np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(dtype), spacing=(1, 2, 3))
    result = image.resample((2, 1, 1.5))
    assert result.dtype == dtype
    assert result.shape == (8, 10, 3)
    assert image.array.min() <= result.array.min() <= result.array.max() <= image.array.max()


def test_a_tilted_scan_gets_axes_that_fronts_accept():
    scan = tilted()
    speed = mitk.Image(np.ones(scan.shape, np.float32), scan.spacing, scan.origin, scan.direction)
    with pytest.raises(mitk.GeometryError, match=r"resample\(orthogonal=True\)"):
        mitk.fast_marching(speed, seeds=[(0, 0, 0)])
    straight = speed.resample(orthogonal=True)
    mitk.fast_marching(straight, seeds=[(8, 8, 4)])
    np.testing.assert_allclose(straight.direction, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(straight.spacing, (0.7, 0.9, 3 * np.cos(np.deg2rad(12))))


def test_the_result_holds_the_whole_tilted_image():
    scan = tilted()
    straight = scan.resample(orthogonal=True)
    corners = np.array([[x, y, z] for x in (0, 15) for y in (0, 19) for z in (0, 8)])
    inside = straight.world_to_index(scan.index_to_world(corners))
    size = np.array([straight.get_dimension(axis) for axis in range(3)])
    assert (inside >= -0.5).all()
    assert (inside <= size - 0.5).all()


def test_orthogonal_axes_stay():
    direction = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    image = mitk.Image(np.random.default_rng(2).normal(size=(5, 6, 7)), (1, 2, 3), (4, 5, 6), direction)
    same = image.resample(orthogonal=True)
    assert same.shape == image.shape
    np.testing.assert_allclose(same.affine(), image.affine(), atol=1e-9)
    np.testing.assert_allclose(same.array, image.array, atol=1e-6)


def test_positions_in_the_world_stay():
    """A linear ramp in the world is the same ramp on every grid."""
    z, y, x = np.mgrid[:12, :14, :16].astype(float)
    image = mitk.Image(2 * x + 3 * y - z, spacing=(1, 0.5, 2), origin=(3, 2, 1))
    fine = image.resample((0.4, 0.7, 0.9))
    inner = fine.crop((2, 2, 2), [fine.get_dimension(axis) - 2 for axis in range(3)])
    places = np.array([image.world_to_index(inner.index_to_world(p)) for p in np.ndindex(*inner.shape[::-1])])
    expected = places @ [2, 3, -1]
    np.testing.assert_allclose(inner.array.transpose(2, 1, 0).ravel(), expected, atol=1e-9)


def test_times_properties_and_class_survive():
    class Scan(mitk.Image):
        pass

    image = Scan(np.random.default_rng(0).normal(size=(3, 4, 6, 8)).astype("float32"), spacing=(1, 1, 2))
    image.time_geometry = mitk.ArbitraryTimeGeometry.from_time_points([0, 10, 30, 35])
    image.set_property("patient", "somebody")
    result = image.resample(2.0)
    assert type(result) is Scan
    assert result.shape == (3, 4, 3, 4)
    assert result.time_geometry.time_points == (0, 10, 30, 35)
    assert result.get_property("patient") == "somebody"
    for step in range(3):
        single = mitk.Image(image.array[step], spacing=(1, 1, 2)).resample(2.0)
        np.testing.assert_array_equal(result.array[step], single.array)
        assert result.get_spacing(step) == (2, 2, 2)


def test_nearest_makes_no_new_labels():
    labels = np.random.default_rng(0).choice([0, 3, 7], (6, 7, 8)).astype("uint8")
    assert set(np.unique(mitk.Image(labels).resample(0.3, interpolation="nearest").array)) <= {0, 3, 7}


def test_like_takes_the_grid_of_another_image():
    image, other = tilted(), mitk.Image(np.zeros((4, 5, 6)), (1, 2, 4), (6, -38, 13))
    for like in (other, other.to_simpleitk(), other.to_vtk(), other.to_nibabel()):
        result = image.resample(like=like)
        assert result.shape == other.shape
        np.testing.assert_allclose(result.affine(), other.affine(), atol=1e-5)


def test_outside_is_the_least_value_or_what_was_asked_for():
    image = mitk.Image(np.full((3, 3, 3), 40, "int16"))
    image[0, 0, 0] = -1000
    away = mitk.Image(np.zeros((2, 2, 2)), origin=(100, 0, 0))
    assert (image.resample(like=away).array == -1000).all()
    assert (image.resample(like=away, fill=7).array == 7).all()


def test_pictures_are_resampled_in_their_plane():
    image = mitk.Image(np.arange(20.0).reshape(4, 5), spacing=(1, 2, 5), origin=(1, 2, 3))
    result = image.resample(0.5)
    assert result.shape == (16, 10)
    assert result.spacing == (0.5, 0.5, 5.0)
    assert image.resample((2, 2)).shape == (4, 2)


def test_components_are_resampled_one_by_one():
    voxels = np.random.default_rng(0).normal(size=(4, 5, 6, 3)).astype("float32")
    result = mitk.Image(voxels, components=True).resample(0.8)
    for component in range(3):
        single = mitk.Image(voxels[..., component].copy()).resample(0.8)
        np.testing.assert_allclose(result.array[..., component], single.array, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({}, mitk.RequestError, "needs spacing=, like= or orthogonal=True"),
        ({"spacing": 1, "like": mitk.datasets.tube()}, mitk.RequestError, "does not go with"),
        ({"spacing": 0}, mitk.GeometryError, "greater than 0"),
        ({"spacing": (1, 2)}, TypeError, "three numbers"),
        ({"spacing": "wide"}, TypeError, "must be"),
        ({"spacing": 1e-9}, mitk.Exception, "voxels"),
        ({"spacing": 1e-4}, mitk.MemoryLimitError, "larger spacing"),
        ({"spacing": 1, "interpolation": "cubic"}, mitk.RequestError, "interpolation is 'cubic'"),
        ({"spacing": 1, "fill": float("nan")}, mitk.RequestError, "fill is nan"),
        ({"like": 5}, TypeError, "like must be an Image"),
        ({"like": mitk.Image(np.zeros((3, 3)))}, mitk.RequestError, "like has 2 dimensions"),
        ({"like": mitk.Image()}, mitk.RequestError, "like is an empty image"),
        ({"orthogonal": "yes"}, TypeError, "orthogonal must be"),
    ],
)
def test_a_mistake_is_one_line(options, error, text):
    with pytest.raises(error, match=text.replace("(", r"\(").replace(")", r"\)")):
        tilted().resample(**options)


def test_an_empty_image_has_nothing_to_resample():
    with pytest.raises(mitk.RequestError, match="empty"):
        mitk.Image().resample(1.0)
