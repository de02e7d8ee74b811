"""``Image.from_vtk``: VTK's own memory behind an image, for as long as anybody shows it."""

import gc
import threading

import numpy as np
import pytest
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkBitArray, vtkCharArray, vtkFloatArray, vtkSOADataArrayTemplate, vtkVersion
from vtkmodules.vtkCommonDataModel import vtkImageData

import mitk_rs as mitk

C, S = np.cos(0.3), np.sin(0.3)
OBLIQUE = np.array([[C, -S, 0], [S, C, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, C, -S], [0, S, C]])
SIZE = (60, 50, 40)
VOXELS = 60 * 50 * 40
TYPES = {2: "i1", 3: "u1", 4: "i2", 5: "u2", 6: "i4", 7: "u4", 8: "i8", 9: "u8", 10: "f4", 11: "f8", 15: "i1"}


def vtk_image(kind=10, components=1, value=3):
    """An image in memory of VTK's own."""
    data = vtkImageData()
    data.SetDimensions(SIZE)
    data.SetSpacing(0.7, 0.3, 1.5)
    data.SetOrigin(1 / 7, -10.1, 3.3)
    data.SetDirectionMatrix(OBLIQUE.ravel().tolist())
    data.AllocateScalars(kind, components)
    scalars_of(data).Fill(value)
    return data


def scalars_of(data):
    return data.GetPointData().GetScalars()


def recycle():
    """Give freed memory to others, who write into it."""
    gc.collect()
    return [np.full(VOXELS, 9, "f4") for _ in range(20)]


# --- sharing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("kind", TYPES)
def test_voxels_of_every_type_are_shared(kind, components):
    data = vtk_image(kind, components)
    image = mitk.Image.from_vtk(data, copy=False)
    assert (image.dtype, image.components) == (np.dtype(TYPES[kind]), components)
    assert image.array.ctypes.data == vtk_to_numpy(scalars_of(data)).ctypes.data
    assert image.shape[:3] == SIZE[::-1]
    assert (image.array == 3).all()


def test_what_one_side_writes_the_other_sees():
    data = vtk_image()
    image = mitk.Image.from_any(data)
    image.as_numpy()[39, 49, 59] = 7
    assert data.GetScalarComponentAsDouble(59, 49, 39, 0) == 7
    data.SetScalarComponentFromDouble(1, 2, 3, 0, 5)
    assert image.array[3, 2, 1] == 5


def test_a_filter_reads_what_the_image_wrote():
    from vtkmodules.vtkImagingMath import vtkImageMathematics

    data = vtk_image()
    mitk.Image.from_vtk(data)[:] = 4
    scalars_of(data).Modified()
    plus = vtkImageMathematics()
    plus.SetInputData(data)
    plus.SetOperationToAddConstant()
    plus.SetConstantC(1.0)
    plus.Update()
    assert (vtk_to_numpy(scalars_of(plus.GetOutput())) == 5).all()
    shared = mitk.Image.from_vtk(plus.GetOutput(), copy=False)
    plus.SetConstantC(2.0)
    plus.Update()
    assert (shared.array == 5).all(), "the filter has made itself a new array"


def test_every_voxel_lies_where_vtk_has_it():
    data = vtk_image()
    data.SetExtent(-2, 57, -1, 48, 5, 44)
    image = mitk.Image.from_vtk(data, copy=False)
    for index in ((0, 0, 0), (59, 49, 39), (2, 1, 3)):
        point = data.GetPoint(data.ComputePointId([i + first for i, first in zip(index, (-2, -1, 5), strict=True)]))
        np.testing.assert_allclose(list(image.index_to_world(index)), point, atol=1e-12)


def test_one_slice_is_a_shared_picture():
    data = vtkImageData()
    data.SetDimensions(6, 5, 1)
    data.AllocateScalars(4, 1)
    image = mitk.Image.from_vtk(data, copy=False)
    assert image.shape == (5, 6)
    image.as_numpy()[4, 5] = 7
    assert data.GetScalarComponentAsDouble(5, 4, 0, 0) == 7


def test_pyvista_shares_too():
    import pyvista

    grid = pyvista.ImageData(dimensions=SIZE)
    grid["values"] = np.zeros(VOXELS, "f4")
    image = mitk.Image.from_pyvista(grid)
    image[:] = 2
    assert (np.asarray(grid["values"]) == 2).all()


def test_an_image_comes_back_to_itself():
    image = mitk.Image(np.zeros((4, 5, 6), "i2"))
    back = mitk.Image.from_vtk(image.to_vtk())
    assert np.shares_memory(back.array, image.array)


def test_a_copy_is_a_copy():
    data = vtk_image()
    for image in (mitk.Image.from_vtk(data, copy=True), mitk.Image.from_any(data).copy()):
        image[:] = 1
        assert (vtk_to_numpy(scalars_of(data)) == 3).all()


# --- lifetime -----------------------------------------------------------------------------------------------------


def resize(_data, scalars):
    scalars.ReserveTuples(100 * VOXELS)


def insert(_data, scalars):
    for _ in range(10):
        scalars.InsertNextTuple1(1)


def shrink(_data, scalars):
    scalars.SetNumberOfTuples(5)
    scalars.Squeeze()


# What becomes of VTK's side while the image shows the voxels.
FATES = {
    "resized": resize,
    "grown": insert,
    "shrunk": shrink,
    "array initialized": lambda _, scalars: scalars.Initialize(),
    "given other memory": lambda _, scalars: scalars.SetVoidArray(np.zeros(10, "f4"), 10, 1),
    "made to share": lambda _, scalars: scalars.ShallowCopy(vtkFloatArray()),
    "buffer reallocated": lambda _, scalars: scalars.GetBuffer().Reallocate(10),
    "grid initialized": lambda data, _: data.Initialize(),
    "allocated again": lambda data, _: (data.SetDimensions(90, 90, 90), data.AllocateScalars(10, 1)),
    "array removed": lambda data, _: data.GetPointData().SetScalars(None),
    "deleted": lambda *_: None,
}


@pytest.mark.parametrize("origin", ["VTK's memory", "NumPy's memory", "shared twice"])
@pytest.mark.parametrize("fate", FATES)
def test_voxels_outlive_vtk_whatever_it_does(fate, origin):
    data = vtk_image()
    if origin == "NumPy's memory":
        data.GetPointData().SetScalars(numpy_to_vtk(np.full(VOXELS, 3, "f4")))
    image = mitk.Image.from_vtk(data, copy=False)
    if origin == "shared twice":
        image = mitk.Image.from_vtk(data, copy=False)
    FATES[fate](data, scalars_of(data))
    del data
    others = recycle()
    assert (image.array == 3).all()
    image[:] = 4
    assert all((other == 9).all() for other in others)


def test_voxels_outlive_a_second_resize():
    """After the first resize VTK's memory is its own again and must be borrowed anew."""
    data = vtk_image()
    first = mitk.Image.from_vtk(data, copy=False)
    scalars = scalars_of(data)
    scalars.Initialize()
    scalars.SetNumberOfTuples(VOXELS)
    scalars.Fill(5)
    second = mitk.Image.from_vtk(data, copy=False)
    scalars.Initialize()
    others = recycle()
    assert (first.array == 3).all()
    assert (second.array == 5).all()
    assert len(others) == 20


def test_a_view_outlives_image_and_vtk():
    data = vtk_image()
    view = mitk.Image.from_vtk(data).as_numpy()[3:, 2]
    del data
    recycle()
    assert (view == 3).all()


def test_vtk_outlives_image_and_views():
    data = vtk_image()
    view = mitk.Image.from_vtk(data, copy=False).as_numpy()
    view[0, 0, 0] = 8
    del view
    recycle()
    assert scalars_of(data).GetRange() == (3, 8)


def test_memory_is_given_back():
    import psutil

    process = psutil.Process()
    once = vtk_image()
    mitk.Image.from_vtk(once)
    before = process.memory_info().rss
    for _ in range(300):
        mitk.Image.from_vtk(once)
        mitk.Image.from_vtk(vtk_image())
    gc.collect()
    assert process.memory_info().rss - before < 32e6, "300 images of 0.5 MB would be 144 MB"


# --- locks, snapshots, initialize ---------------------------------------------------------------------------------


def test_accessors_work_as_on_any_image():
    image = mitk.Image.from_vtk(vtk_image())
    with image.write() as voxels:
        voxels[:] = 1
        with pytest.raises(mitk.MemoryIsLockedError, match="already holds a write accessor"):
            image.as_numpy(use_accessor=True)
    refused = []

    def other():
        with pytest.raises(mitk.MemoryIsLockedError):
            image.as_numpy(use_accessor=True, block=False)
        refused.append(True)

    with image.read():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert refused == [True]


def test_vtk_does_not_ask_for_the_lock():
    data = vtk_image()
    image = mitk.Image.from_vtk(data)
    with image.read() as voxels:
        scalars_of(data).Fill(6)
        assert (voxels == 6).all()


def test_a_snapshot_does_not_change_with_vtk():
    import copy

    data = vtk_image()
    image = mitk.Image.from_vtk(data, copy=False)
    before, twin = image.snapshot(), copy.copy(image)
    scalars_of(data).Fill(6)
    image.as_numpy()[0] = 7
    assert (before.array == 3).all()
    assert (twin.array == 3).all()
    assert (vtk_to_numpy(scalars_of(data)).reshape(image.shape) == image.array).all(), "writing has not parted them"


def test_initialize_parts_from_vtk_and_leaves_it_its_voxels():
    data = vtk_image()
    image = mitk.Image.from_vtk(data, copy=False)
    with image.read(), pytest.raises(mitk.MemoryIsLockedError):
        image.initialize("uint8", [4, 4])
    view = image.as_numpy()
    image.initialize("uint8", [4, 4])
    image[:] = 1
    view[0, 0, 0] = 8
    assert scalars_of(data).GetRange() == (3, 8)


# --- what cannot be shared ----------------------------------------------------------------------------------------


def grid_of(scalars):
    data = vtkImageData()
    data.SetDimensions(3, 2, 2)
    data.GetPointData().SetScalars(scalars)
    return data


def separate_components():
    array = vtkSOADataArrayTemplate["float32"]()
    array.SetNumberOfComponents(2)
    array.SetNumberOfTuples(12)
    for component in range(2):
        for point in range(12):
            array.SetTypedComponent(point, component, point + 100 * component)
    return grid_of(array)


def bits():
    array = vtkBitArray()
    for point in range(12):
        array.InsertNextValue(point % 2)
    return grid_of(array)


def computed():
    from vtkmodules.vtkCommonCore import vtkAffineArray

    array = vtkAffineArray["int32"]()
    array.ConstructBackend(1, 0)
    array.SetNumberOfTuples(12)
    return grid_of(array)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (separate_components, np.stack([np.arange(12.0), 100 + np.arange(12.0)], axis=-1)),
        (bits, np.arange(12) % 2),
        (computed, np.arange(12)),
    ],
)
def test_what_cannot_be_shared_is_copied_or_refused(make, expected):
    data = make()
    image = mitk.Image.from_vtk(data)
    np.testing.assert_array_equal(image.array.reshape(expected.shape), expected)
    with pytest.raises(ValueError, match=r"copy=False, but .* cannot be shared"):
        mitk.Image.from_vtk(data, copy=False)


def test_vtk_before_9_7_is_copied(monkeypatch):
    """Such versions have no ``GetBuffer``; there is no telling what becomes of their memory."""

    class Old:
        def __init__(self, scalars):
            self.scalars = scalars

        def __getattr__(self, name):
            if name == "GetBuffer":
                raise AttributeError(name)
            return getattr(self.scalars, name)

    data = vtk_image()
    monkeypatch.setattr("mitk_rs.interop.libraries.point_scalars", lambda data: Old(scalars_of(data)))
    image = mitk.Image.from_vtk(data)
    scalars_of(data).Fill(1)
    assert (image.array == 3).all()
    assert vtkVersion.GetVTKMajorVersion() >= 9


def test_characters_are_numbers():
    array = vtkCharArray()
    for point in range(12):
        array.InsertNextValue(chr(point))
    image = mitk.Image.from_vtk(grid_of(array), copy=False)
    assert image.dtype == np.int8
    np.testing.assert_array_equal(image.array.ravel(), np.arange(12))


def cells_only():
    data = vtkImageData()
    data.SetDimensions(4, 3, 3)
    data.GetCellData().SetScalars(numpy_to_vtk(np.zeros(12)))
    return data


def spaced(length):
    data = vtk_image()
    data.SetSpacing(length, 1, 1)
    return data


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (vtkImageData, mitk.RequestError, "vtkImageData: it has numbers nowhere"),
        (cells_only, mitk.RequestError, "vtkImageData: it has numbers only in its cells"),
        (lambda: grid_of(numpy_to_vtk(np.zeros(5))), mitk.RequestError, r"5 numbers for a grid of \(2, 2, 3\)"),
        (lambda: spaced(0), mitk.RequestError, "vtkImageData: field spacing must be finite and greater than 0 mm"),
        (lambda: spaced(-1), mitk.RequestError, "greater than 0 mm"),
        (lambda: spaced(float("nan")), mitk.RequestError, "greater than 0 mm"),
        (lambda: 5, TypeError, "expected vtkmodules.vtkImageData, got builtins.int"),
        (lambda: mitk.Image(np.zeros((3, 3))).to_simpleitk(), TypeError, "got SimpleITK.SimpleITK.Image"),
    ],
)
def test_what_is_no_image_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        mitk.Image.from_vtk(make())
