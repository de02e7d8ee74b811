"""Images of other libraries, both ways: same voxels, same places, memory that stays alive."""

import gc
import subprocess
import sys
import textwrap
import types

import numpy as np
import pytest

import mitk_rs as mitk

C, S = np.cos(0.3), np.sin(0.3)
OBLIQUE = np.array([[C, -S, 0], [S, C, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, C, -S], [0, S, C]])
PLACE = {"spacing": (0.7, 0.3, 1.5), "origin": (1 / 7, -10.1, 3.3), "direction": OBLIQUE}
SHAPES = {2: (5, 6), 3: (4, 5, 6), 4: (3, 4, 5, 6)}
# ITK's modules warn while they load, and crash where a warning is made an error.
SWIG = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TYPES = ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"]


def make(dimension=3, components=1, dtype="i2", place=PLACE):
    shape = SHAPES[dimension] + ((components,) if components > 1 else ())
    voxels = np.random.default_rng(7).integers(0, 100, shape).astype(dtype)
    return mitk.Image(voxels, **(place if dimension > 2 else {}), components=components > 1)


def assert_same(one, other, tolerance=1e-12):
    assert one.dtype == other.dtype
    assert one.components == other.components
    np.testing.assert_array_equal(one.array, other.array)
    np.testing.assert_allclose(one.affine(), other.affine(), rtol=tolerance, atol=tolerance)


# --- there and back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("library", ["vtk", "simpleitk", "nibabel", "xarray"])
def test_voxels_and_place_come_back(library, components, dtype):
    for dimension in (2, 3, 4):
        if library == "vtk" and dimension == 4:
            continue
        image = make(dimension, components, dtype)
        back = mitk.Image.from_any(getattr(image, f"to_{library}")())
        assert_same(back, image)
        assert np.shares_memory(back.array, image.array) == (library == "vtk")


@pytest.mark.parametrize("library", ["simpleitk", "itk", "nibabel", "xarray", "vtk"])
@SWIG
def test_each_library_has_its_constructor(library):
    image = make()
    peer = getattr(image, f"to_{library}")()
    assert_same(getattr(mitk.Image, f"from_{library}")(peer), image)
    with pytest.raises(TypeError, match=r"expected .*, got numpy\.ndarray"):
        getattr(mitk.Image, f"from_{library}")(image.array)


@pytest.mark.parametrize(("dtype", "components"), [("u1", 1), ("i2", 3), ("f4", 1), ("f8", 2), ("i4", 1)])
@SWIG
def test_itk_comes_back(dtype, components):
    for dimension in (2, 3, 4):
        image = make(dimension, components, dtype)
        assert_same(mitk.Image.from_any(image.to_itk()), image)


@SWIG
def test_itk_refuses_what_it_does_not_wrap():
    with pytest.raises(mitk.RequestError, match="no scalars of int64"):
        make(3, 1, "i8").to_itk()


# --- VTK --------------------------------------------------------------------------------------------------------


def vtk_points(data, index):
    return np.array(data.GetPoint(data.ComputePointId(index)))


def test_vtk_puts_every_voxel_where_we_do():
    image = make()
    data = image.to_vtk()
    for index in ((0, 0, 0), (5, 4, 3), (2, 1, 3)):
        np.testing.assert_allclose(vtk_points(data, index), list(image.index_to_world(index)), atol=1e-12)


def test_vtk_shares_the_voxels():
    image = make()
    scalars = image.to_vtk().GetPointData().GetScalars()
    image.as_numpy()[3, 4, 5] = 99
    assert scalars.GetTuple1(scalars.GetNumberOfTuples() - 1) == 99
    scalars.SetTuple1(0, 77)
    assert image.array[0, 0, 0] == 77


@pytest.mark.parametrize("method", ["to_vtk", "to_pyvista"])
def test_vtk_keeps_the_voxels_alive(method):
    """Drop every Python name of the image, the array and the scalars; VTK alone holds what it shows."""
    from vtkmodules.util.numpy_support import vtk_to_numpy

    image = make(3, 1, "f8")
    expected = image.array.copy()
    data = getattr(image, method)()
    del image
    gc.collect()
    others = [np.full(expected.shape, 5.0) for _ in range(50)]
    np.testing.assert_array_equal(vtk_to_numpy(data.GetPointData().GetScalars()).reshape(expected.shape), expected)
    assert len(others) == 50


def test_vtk_keeps_the_voxels_alive_in_a_pipeline():
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkCommonExecutionModel import vtkTrivialProducer
    from vtkmodules.vtkImagingMath import vtkImageMathematics

    image = make(3, 1, "f8")
    expected = image.array + 1
    producer, plus = vtkTrivialProducer(), vtkImageMathematics()
    producer.SetOutput(image.to_vtk())
    del image
    gc.collect()
    plus.SetInputConnection(producer.GetOutputPort())
    plus.SetOperationToAddConstant()
    plus.SetConstantC(1.0)
    plus.Update()
    result = vtk_to_numpy(plus.GetOutput().GetPointData().GetScalars())
    np.testing.assert_array_equal(result.reshape(expected.shape), expected)


def test_vtk_memory_is_given_back():
    import psutil

    process = psutil.Process()
    image = mitk.Image(np.ones((64, 256, 256), "f4"))
    image.to_vtk()
    before = process.memory_info().rss
    for _ in range(1000):
        image.to_vtk()
    assert process.memory_info().rss - before < 32e6


def test_vtk_shows_one_time_step():
    image = make(4)
    image.set_origin((9, 8, 7), time_step=2)
    data = image.to_vtk(time_step=2)
    assert data.GetOrigin() == (9, 8, 7)
    np.testing.assert_array_equal(mitk.Image.from_any(data).array, image.array[2])
    with pytest.raises(mitk.TimeStepError, match="time step 3 does not exist: the image has 3"):
        image.to_vtk(time_step=3)


def test_an_extent_that_begins_elsewhere_moves_the_origin():
    data = make().to_vtk()
    data.SetExtent(-2, 3, -1, 3, -1, 2)
    image = mitk.Image.from_any(data)
    np.testing.assert_allclose(image.index_to_world((0, 0, 0)), vtk_points(data, (-2, -1, -1)), atol=1e-12)
    assert not np.allclose(image.origin, PLACE["origin"])


def test_pyvista_agrees_on_the_place():
    image = make()
    grid = image.to_pyvista()
    np.testing.assert_allclose(grid.points[-1], list(image.index_to_world((5, 4, 3))), atol=1e-6)
    assert_same(mitk.Image.from_any(grid), image)


# --- SimpleITK, ITK, nibabel, xarray, torch: places by the library's own truth ----------------------------------


@pytest.mark.parametrize("method", ["to_simpleitk", "to_itk"])
@SWIG
def test_itk_puts_every_voxel_where_we_do(method):
    image = make()
    peer = getattr(image, method)()
    place = peer.TransformIndexToPhysicalPoint([5, 4, 3])
    np.testing.assert_allclose(list(place), list(image.index_to_world((5, 4, 3))), atol=1e-9)


@SWIG
def test_an_itk_region_that_begins_elsewhere_moves_the_origin():
    import itk

    peer = make().to_itk()
    region = peer.GetLargestPossibleRegion()
    region.SetIndex([2, 1, 1])
    peer.SetRegions(region)
    first = list(peer.TransformIndexToPhysicalPoint([2, 1, 1]))
    np.testing.assert_allclose(list(mitk.Image.from_any(peer).origin), first, atol=1e-9)
    assert itk.size(peer)[0] == 6


@pytest.mark.parametrize("method", ["to_simpleitk", "to_itk"])
@SWIG
def test_a_tilted_plane_is_refused_by_itk(method):
    image = mitk.Image(np.zeros((5, 6), "f4"), direction=OBLIQUE)
    with pytest.raises(mitk.GeometryError, match="plane z = 0"):
        getattr(image, method)()


def test_simpleitk_takes_properties_and_times_along():
    image = make(4)
    image.time_geometry = mitk.ProportionalTimeGeometry(5, 2.5, 3)
    image.set_property("count", 5)
    back = mitk.Image.from_any(image.to_simpleitk())
    assert back.get_property("count") == 5
    assert back.time_geometry.time_points == (5, 7.5, 10, 12.5)


def test_nibabel_is_ras_and_x_first():
    image = make(4)
    peer = image.to_nibabel()
    assert peer.shape == (6, 5, 4, 3)
    world = peer.affine @ [5, 4, 3, 1]
    np.testing.assert_allclose(world[:3] * [-1, -1, 1], list(image.index_to_world((5, 4, 3))), atol=1e-9)
    assert peer.dataobj[5, 4, 3, 2] == image.array[2, 3, 4, 5]
    assert np.shares_memory(np.asanyarray(peer.dataobj), image.array)


def test_a_file_of_nibabel_is_the_image_that_we_read(tmp_path):
    import nibabel

    image = make(4)
    nibabel.save(image.to_nibabel(), tmp_path / "x.nii.gz")
    assert_same(mitk.Image(tmp_path / "x.nii.gz"), image, tolerance=1e-6)
    image.save(tmp_path / "y.nii.gz")
    assert_same(mitk.Image.from_any(nibabel.load(tmp_path / "y.nii.gz")), image, tolerance=1e-6)


def test_xarray_has_names_and_millimetres():
    image = mitk.Image(np.zeros((3, 4, 5, 6), "i2"), spacing=(0.5, 0.7, 2), origin=(1, 2, 3))
    image.time_geometry = mitk.ProportionalTimeGeometry(0, 40, 3)
    peer = image.to_xarray()
    assert peer.dims == ("t", "z", "y", "x")
    np.testing.assert_allclose(peer.coords["x"], 1 + 0.5 * np.arange(6))
    assert peer.coords["z"].attrs["units"] == "mm"
    assert peer.coords["t"].values.tolist() == [0, 40, 80]
    assert np.shares_memory(peer.values, image.array)
    back = mitk.Image.from_any(peer)
    assert back.time_geometry.time_points == (0, 40, 80, 120)
    part = mitk.Image.from_any(peer.isel(t=1, x=slice(2, 5)).transpose("x", "z", "y"))
    assert part.origin == (2, 2, 3)
    assert part.shape == (4, 5, 3)


def test_xarray_without_equal_distances_is_refused():
    import xarray

    bent = xarray.DataArray(np.zeros((2, 3)), dims=("y", "x"), coords={"x": [0, 1, 3]})
    with pytest.raises(mitk.GeometryError, match="equally spaced"):
        mitk.Image.from_any(bent)
    with pytest.raises(mitk.RequestError, match="named"):
        mitk.Image.from_any(xarray.DataArray(np.zeros((2, 3))))


class Tensor:
    """As much of a torch tensor as the conversion uses; the memory protocol is the real one."""

    def __init__(self, array):
        self.array = array

    def detach(self):
        return self

    def cpu(self):
        return self

    def __dlpack__(self, **options):
        return self.array.__dlpack__(**options)

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()


@pytest.fixture
def torch(monkeypatch):
    module = types.ModuleType("torch")
    module.Tensor = Tensor
    module.from_dlpack = lambda source: Tensor(np.from_dlpack(source))
    monkeypatch.setitem(sys.modules, "torch", module)
    return module


def test_torch_shares_the_voxels_both_can_write(torch):
    image = make()
    tensor = image.to_torch()
    tensor.array[0, 0, 0] = 88
    assert image.array[0, 0, 0] == 88
    expected = image.array.copy()
    del image
    gc.collect()
    np.testing.assert_array_equal(tensor.array, expected)
    np.testing.assert_array_equal(mitk.Image.from_any(tensor).array, expected)
    np.testing.assert_array_equal(mitk.Image.from_torch(tensor).array, expected)


def test_voxels_that_images_do_not_have_are_no_file_error():
    import SimpleITK as sitk

    for kind in (sitk.sitkComplexFloat32, sitk.sitkLabelUInt8):
        with pytest.raises(mitk.RequestError, match="SimpleITK image: its voxels are of type"):
            mitk.Image.from_any(sitk.Image([2, 2, 2], kind))


# --- from_any ---------------------------------------------------------------------------------------------------


def test_from_any_takes_what_numpy_can_see(tmp_path):
    voxels = np.arange(24, dtype="f4").reshape(2, 3, 4)
    path = tmp_path / "x.mha"
    mitk.Image(voxels).save(path)
    interface = types.SimpleNamespace(__array_interface__=voxels.__array_interface__)
    for source in (voxels, Tensor(voxels), memoryview(voxels), interface, path, str(path), mitk.Image(voxels)):
        image = mitk.Image.from_any(source)
        np.testing.assert_array_equal(image.array, voxels)
        assert not np.shares_memory(image.array, voxels)


@pytest.mark.parametrize("source", [None, 5, {"a": 1}, object()])
def test_from_any_says_what_it_knows(source):
    with pytest.raises(TypeError, match="known are arrays, paths, and images of VTK"):
        mitk.Image.from_any(source)


def test_types_that_images_do_not_have_are_named():
    with pytest.raises(TypeError, match="complex64"):
        mitk.Image.from_any(Tensor(np.zeros((3, 4), "c8")))


def test_from_any_imports_nothing():
    code = """
        import sys
        import numpy as np, mitk_rs
        mitk_rs.Image.from_any(np.zeros((3, 4)))
        mitk_rs.Image.from_any(memoryview(np.zeros((3, 4))))
        heavy = {"vtkmodules", "SimpleITK", "itk", "nibabel", "pyvista", "xarray", "torch"} & set(sys.modules)
        sys.exit(",".join(sorted(heavy)) or 0)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
