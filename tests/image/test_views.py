"""Views: they show the image's memory, keep it alive, and cannot be made to do more than they were given for."""

import gc
import itertools
import sys
import weakref

import numpy as np
import psutil
import pytest

import mitk_rs as mitk

DTYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]


@pytest.fixture
def ramp():
    return np.arange(24, dtype=np.float32).reshape(4, 3, 2)


@pytest.mark.parametrize("components", [1, 3, 7])
@pytest.mark.parametrize("sizes", [(5, 4), (5, 4, 3), (5, 4, 3, 2)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_dimension_and_component_count_reads_back(dtype, sizes, components):
    shape = (*reversed(sizes), components)
    voxels = np.random.default_rng(1).integers(0, 100, shape).astype(dtype)
    image = mitk.Image(voxels if components > 1 else voxels[..., 0], components=components > 1)
    assert np.array_equal(image.array, voxels if components > 1 else voxels[..., 0])
    assert (image.dtype, image.components, image.ndim) == (np.dtype(dtype), components, len(sizes))
    assert [image.get_dimension(axis) for axis in range(len(sizes))] == list(sizes)
    empty = mitk.Image()
    empty.initialize(dtype, sizes, components)
    assert empty.shape == image.shape
    assert not empty.array.any()
    assert empty.array.flags.c_contiguous
    assert empty.array.flags.aligned


@pytest.mark.parametrize("order", ["F", "reversed", "strided"])
def test_any_memory_order_is_accepted(ramp, order):
    array = {"F": np.asfortranarray(ramp), "reversed": ramp[::-1, :, ::-1], "strided": np.repeat(ramp, 2, 1)[:, ::2]}[
        order
    ]
    assert np.array_equal(mitk.Image(array).array, array)


def test_booleans_become_bytes():
    image = mitk.Image(np.array([[True, False], [False, True]]))
    assert image.dtype == np.uint8
    assert image.array.tolist() == [[1, 0], [0, 1]]


def test_all_views_share_one_memory(ramp):
    image = mitk.Image(ramp)
    views = [image.as_numpy(), image.array, np.asarray(image), image.as_numpy(writeable=False), np.from_dlpack(image)]
    views.append(np.asarray(memoryview(image)))
    for one, other in itertools.combinations(views, 2):
        assert np.shares_memory(one, other)
    views[0][1, 2, 1] = -5
    assert all(view[1, 2, 1] == -5 for view in views)


def test_buffer_and_array_protocols_agree(ramp):
    image = mitk.Image(ramp)
    buffer, array = memoryview(image), image.__array__()
    assert (buffer.shape, buffer.strides, buffer.nbytes) == (array.shape, array.strides, array.nbytes)
    assert buffer.readonly
    assert not array.flags.writeable
    assert np.dtype(buffer.format) == array.dtype
    assert np.shares_memory(buffer, array)


@pytest.mark.parametrize(
    "read_only",
    [
        lambda image: image.array,
        lambda image: image.as_numpy(writeable=False),
        lambda image: image.as_numpy(use_accessor=True, writeable=False),
        lambda image: image.__array__(),
        lambda image: np.asarray(image),
        lambda image: image.array[1:],
        lambda image: image.array.view(),
    ],
)
def test_read_only_stays_read_only(ramp, read_only):
    view = read_only(mitk.Image(ramp))
    with pytest.raises(ValueError, match="WRITEABLE"):
        view.flags.writeable = True
    with pytest.raises(ValueError, match="read-only"):
        view[...] = 0


def test_numpy_copy_rules(ramp):
    image = mitk.Image(ramp)
    assert not np.shares_memory(np.array(image), image.array)
    assert np.array(image).flags.writeable
    assert np.shares_memory(np.asarray(image, copy=False), image.array)
    assert np.asarray(image, dtype=np.float64).dtype == np.float64
    assert np.asarray(image, dtype=np.float32).base is not None
    for refused in (
        lambda: np.asarray(image, dtype=np.int16, copy=False),
        lambda: image.__array__(np.int16, copy=False),
    ):
        with pytest.raises(ValueError, match="copy"):
            refused()
    assert image.__array__(np.int16).dtype == np.int16
    assert not np.shares_memory(image.__array__(copy=True), image.array)


def test_frames_of_a_time_series():
    voxels = np.arange(120).reshape(5, 4, 3, 2)
    image = mitk.Image(voxels)
    for step in range(5):
        frame = image.as_numpy(time_step=step)
        assert frame.shape == (4, 3, 2)
        assert np.shares_memory(frame, image.array[step])
        assert np.array_equal(frame, voxels[step])
    assert image.as_numpy().shape == (5, 4, 3, 2)
    assert mitk.Image(voxels[0]).as_numpy(time_step=0).shape == (4, 3, 2)


def test_writing_by_index(ramp):
    image = mitk.Image(ramp)
    image[1, :, 0] = 9
    image[..., 1] = np.ones((4, 3))
    ramp[1, :, 0] = 9
    ramp[..., 1] = 1
    assert np.array_equal(image.array, ramp)
    with pytest.raises(TypeError, match=r"image\.array"):
        image[0]
    with pytest.raises(TypeError, match="not iterable"):
        iter(image)
    held = image.as_numpy(use_accessor=True)
    with pytest.raises(mitk.MemoryIsLockedError):
        image[0] = 1
    del held


@pytest.mark.parametrize("order", list(itertools.permutations(["image", "view", "derived"])))
@pytest.mark.parametrize("accessor", [False, True])
@pytest.mark.parametrize("size", [10, 150])
def test_view_outlives_image(order, accessor, size):
    """Whatever is dropped first, what is left shows the voxels, and nothing is left of them in the end."""
    alive = {"image": mitk.Image(np.full((size, size, size), 7, np.int16))}
    alive["view"] = alive["image"].as_numpy(use_accessor=accessor)
    alive["derived"] = alive["view"][1:, ::2].view(np.uint16)
    for name in order:
        for kept in alive.values():
            assert (np.asarray(kept) == 7).all()
        del alive[name], kept
        gc.collect()


def test_image_held_by_nothing_but_a_view():
    view = mitk.Image(np.full((50, 50, 50), 3.0)).as_numpy()
    frame = mitk.Image(np.full((4, 50, 50, 50), 3.0)).as_numpy(time_step=2)
    buffer = memoryview(mitk.Image(np.full((50, 50), 3.0)))
    gc.collect()
    assert (view == 3).all()
    assert (frame == 3).all()
    assert (np.asarray(buffer) == 3).all()


def test_adopted_array_outlives_its_names_and_is_given_back():
    array = np.full((20, 20, 20), 5, np.int16)
    before = sys.getrefcount(array)
    image = mitk.Image(array, copy=None)
    assert np.shares_memory(image.array, array)
    assert sys.getrefcount(array) == before + 1
    image.as_numpy()[0, 0, 0] = 6
    assert array[0, 0, 0] == 6
    view = image.array
    del image
    assert sys.getrefcount(array) == before + 1
    del view
    assert sys.getrefcount(array) == before


def test_what_cannot_be_adopted_is_copied(ramp):
    for array in (np.asfortranarray(ramp), ramp[::2], ramp[:, :, :1]):
        image = mitk.Image(array, copy=None)
        assert np.array_equal(image.array, array)
        assert not np.shares_memory(image.array, array)


def test_adopted_read_only_array_is_never_written(ramp):
    ramp.flags.writeable = False
    image = mitk.Image(ramp, copy=None)
    assert np.shares_memory(image.array, ramp)
    image.as_numpy()[0] = 99
    assert image.array[0, 0, 0] == 99
    assert ramp[0, 0, 0] == 0


def test_reinitialize_leaves_direct_views_their_voxels(ramp):
    image = mitk.Image(ramp, spacing=(1, 2, 3))
    view, frozen = image.as_numpy(), image.array
    image.initialize("uint8", [7, 8])
    view[0, 0, 0] = 42
    assert frozen[0, 0, 0] == 42
    assert not np.shares_memory(view, image.array)
    assert (image.shape, image.spacing, image.dtype) == ((8, 7), (1, 1, 1), np.uint8)
    held = image.as_numpy(use_accessor=True, writeable=False)
    with pytest.raises(mitk.MemoryIsLockedError, match="drop the arrays"):
        image.initialize("uint8", [7, 8])
    del held
    image.initialize("uint8", [7, 8])


def test_reference_counts_are_flat_over_ten_thousand_views(ramp):
    image = mitk.Image(ramp)
    descriptor, before = image.dtype, (sys.getrefcount(image), sys.getrefcount(ramp))
    counted = sys.getrefcount(descriptor)
    for _ in range(10_000):
        image.as_numpy()[1:].sum()
        image.as_numpy(use_accessor=True, writeable=False)
        memoryview(image)
        np.asarray(image)
    assert (sys.getrefcount(image), sys.getrefcount(ramp)) == before
    assert sys.getrefcount(descriptor) <= counted + 10
    assert image._leases() == 0


def test_a_thousand_views_of_a_gigabyte_take_no_memory():
    image = mitk.Image()
    image.initialize("uint8", [1024, 1024, 1024])
    image.as_numpy()[::64, 0, 0] = 1
    process = psutil.Process()
    before = process.memory_info().rss
    views = [image.as_numpy() for _ in range(1000)]
    views += [np.asarray(image) for _ in range(1000)]
    assert process.memory_info().rss - before < 20 << 20
    assert views[-1][64, 0, 0] == 1


def test_zeroed_gigabytes_are_not_touched_before_they_are_used():
    process = psutil.Process()
    before = process.memory_info().rss
    image = mitk.Image()
    image.initialize("float64", [1024, 1024, 512, 2])
    assert process.memory_info().rss - before < 50 << 20
    assert image.nbytes == 8 << 30


PARTS = [lambda a: a, lambda a: a[5:], lambda a: a[5:].view(), lambda a: a.reshape(-1, 30, 30)]


@pytest.mark.parametrize("part", PARTS)
def test_memory_that_was_taken_over_cannot_be_resized_away(part):
    array = np.full((30, 30, 30), 7, np.float32)
    image = mitk.Image(part(array), copy=None)
    with pytest.raises(ValueError, match="cannot resize"):
        array.resize((2, 2), refcheck=False)
    assert (image.array == 7).all()
    del image
    gc.collect()
    array.resize((2, 2), refcheck=False)
    assert array.shape == (2, 2)


@pytest.mark.parametrize("name", ["speed", "out"])
def test_arrays_cannot_be_resized_away_from_a_running_march(name):
    arrays = {"speed": np.ones((4, 5, 6), np.float32), "out": np.zeros((4, 5, 6), np.float32)}
    refused = []

    def resize(fraction):
        try:
            arrays[name].resize((2, 2), refcheck=False)
        except ValueError as error:
            refused.append(str(error))

    mitk.fast_marching(arrays["speed"], seeds=[(0, 0, 0)], out=arrays["out"], progress=resize)
    assert len(refused) == 1
    arrays[name].resize((2, 2), refcheck=False)


class Labelled(np.ndarray):
    """Arrays of which one can refer to the image that took its memory over."""


@pytest.mark.parametrize("part", [lambda a: a, lambda a: np.asarray(a)[1:], lambda a: a[1:]])
def test_an_image_and_an_array_that_refer_to_each_other_are_collected(part):
    array = Labelled((4, 5, 6), np.float32)
    array[:] = 1
    image = mitk.Image(part(array), copy=None)
    array.image = image
    gone = weakref.ref(image)
    del image, array
    gc.collect()
    assert gone() is None


def test_an_image_whose_memory_others_have_is_not_collected():
    array = Labelled((4, 5, 6), np.float32)
    array[:] = 1
    array.image = mitk.Image(array, copy=None)
    view = array.image.array
    gone = weakref.ref(array.image)
    del array
    gc.collect()
    assert (view == 1).all()
    assert gone() is not None
    del view
    gc.collect()
    assert gone() is None
