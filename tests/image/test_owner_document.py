"""The document that describes MITK's images, executed statement by statement with ``import mitk_rs as mitk``."""

from pathlib import Path

import numpy as np
import pytest

import mitk_rs as mitk


@pytest.fixture
def scan(tmp_path, monkeypatch, itk_files):
    """``input.nrrd`` in the current folder, as the document has it."""
    monkeypatch.chdir(tmp_path)
    voxels = np.arange(3 * 40 * 50, dtype=np.int16).reshape(3, 40, 50)
    mitk.Image(voxels, spacing=(0.5, 0.7, 1.1), origin=(1.0, 2.0, 3.0)).save("input.nrrd")
    return voxels


def test_construction_from_nothing():
    img = mitk.Image()
    img.initialize("float32", dimensions=[64, 64, 64])
    assert (img.shape, img.dtype, img.ndim) == ((64, 64, 64), np.float32, 3)
    img.initialize("uint8", dimensions=[256, 256, 32], channels=3)
    assert (img.shape, img.dtype, img.ndim) == ((32, 256, 256, 3), np.uint8, 3)
    assert not img.array.any()


def test_construction_from_an_array():
    arr = np.zeros((64, 64, 64), dtype=np.float32)
    img = mitk.Image(arr)
    assert img.spacing == (1.0, 1.0, 1.0)
    assert img.origin == (0.0, 0.0, 0.0)
    img = mitk.Image(arr, spacing=(1.0, 1.0, 2.5))
    assert img.spacing == (1.0, 1.0, 2.5)
    img = mitk.Image(arr, spacing=(1.0, 1.0, 2.5), origin=(0.0, 0.0, -100.0), direction=np.eye(3))
    assert img.origin == (0.0, 0.0, -100.0)
    assert np.array_equal(img.direction, np.eye(3))
    assert np.array_equal(img.array, arr)
    assert not np.shares_memory(img.array, arr)


def test_construction_from_a_file(scan):
    for img in (mitk.Image("input.nrrd"), mitk.Image(Path("input.nrrd")), mitk.Image(b"input.nrrd")):
        assert np.array_equal(img.array, scan)
        assert img.spacing == (0.5, 0.7, 1.1)
        assert img.origin == (1.0, 2.0, 3.0)


def test_named_factory_methods(scan):
    arr = np.ones((4, 5, 6), np.float32)
    img = mitk.Image.from_numpy(arr, spacing=(1.0, 1.0, 2.5))
    assert np.array_equal(img.array, arr)
    assert img.spacing == (1.0, 1.0, 2.5)
    img = mitk.Image.load("input.nrrd")
    assert np.array_equal(img.array, scan)


def test_properties_table():
    img = mitk.Image(np.zeros((5, 4, 3, 2), np.int16))
    assert img.ndim == 4
    assert img.shape == (5, 4, 3, 2)
    assert img.dtype == np.int16
    assert not img.array.flags.writeable
    assert np.shares_memory(img.array, img.as_numpy())
    assert (img.spacing, img.origin) == ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert np.array_equal(img.direction, np.eye(3))
    assert img.time_steps == 5
    assert isinstance(img.time_geometry, mitk.TimeGeometry)
    assert img.time_geometry.count_time_steps() == 5


def test_numpy_interop():
    img = mitk.Image(np.zeros((64, 64, 64), np.float32))
    arr = np.asarray(img)
    read_only_view = img.as_numpy(writeable=False)
    assert not arr.flags.writeable
    assert not read_only_view.flags.writeable
    assert np.shares_memory(arr, read_only_view)
    read_only_view = img.array
    assert not read_only_view.flags.writeable

    writable_view = img.as_numpy(writeable=True)
    writable_view[32, 32, 32] = 1.0
    assert arr[32, 32, 32] == read_only_view[32, 32, 32] == 1.0


def test_direct_and_accessor_backed_views():
    img = mitk.Image(np.zeros((8, 8, 8), np.float32))
    arr = img.as_numpy(use_accessor=True, writeable=True)
    arr[5, 5, 5] = 7
    with pytest.raises(mitk.MemoryIsLockedError):
        img.as_numpy(use_accessor=True, writeable=False)
    del arr  # release the write accessor before re-acquiring
    assert img.as_numpy(use_accessor=True, writeable=False)[5, 5, 5] == 7


def test_time_resolved_data():
    voxels = np.arange(3 * 2 * 4 * 5).reshape(3, 2, 4, 5).astype(np.uint16)
    img = mitk.Image(voxels)
    processed = []

    def process(frame):
        processed.append(frame.copy())

    for t in range(img.time_steps):
        frame = img.as_numpy(time_step=t)
        process(frame)
    assert np.array_equal(np.stack(processed), voxels)

    geom_t0 = img.get_geometry(0)
    img.set_spacing((0.8, 0.8, 1.5), time_step=0)
    assert tuple(geom_t0.spacing) == (0.8, 0.8, 1.5)
    assert img.get_spacing(1) == (1.0, 1.0, 1.0)


def test_persistence(scan):
    img = mitk.Image("input.nrrd")
    img.save("output.nrrd")
    assert mitk.Image("output.nrrd").equals(img)
    mitk.IOUtil.save(img, "again.nrrd")
    assert mitk.Image("again.nrrd").equals(img)
