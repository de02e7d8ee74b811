"""Projections along axes equal NumPy's, for every type, layout and number of threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import mitk_rs as mitk

pytestmark = pytest.mark.usefixtures("many_threads")

TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
KINDS = ["max", "min", "mean", "sum", "std", "argmax", "argmin"]
NUMPY_AXIS = {"x": -1, "y": -2, "z": -3}


@st.composite
def volumes(draw, dtypes=TYPES):
    """A volume ``(z, y, x)`` in any order of memory, with gaps and reversed axes."""
    dtype = np.dtype(draw(st.sampled_from(dtypes)))
    shape = draw(hnp.array_shapes(min_dims=3, max_dims=3, min_side=1, max_side=9))
    wide = (*shape[:2], draw(st.sampled_from([shape[2], 70])))
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    if dtype.kind == "f":
        array = rng.normal(size=[2 * n for n in wide]).astype(dtype)
    else:
        ends = np.iinfo(dtype)
        array = rng.integers(ends.min, ends.max, size=[2 * n for n in wide], dtype=dtype, endpoint=True)
    step = draw(st.sampled_from([1, 2, -1, -2]))
    array = array[:: draw(st.sampled_from([1, 2])), ::step, :: draw(st.sampled_from([1, -1, 2]))]
    return array.transpose(draw(st.permutations([0, 1, 2])))


def expected(volume, kind, axis):
    if kind in ("mean", "std") or (kind == "sum" and volume.dtype.kind == "f"):
        return getattr(np, kind)(volume, axis=axis, dtype=np.float64)
    with np.errstate(over="ignore"):
        return getattr(np, kind)(volume, axis=axis)


@settings(max_examples=150, deadline=None)
@given(volumes(), st.sampled_from("xyz"), st.sampled_from(KINDS), st.sampled_from([1, 2, 3]))
def test_projections_equal_numpys(volume, axis, kind, threads):
    got = mitk.project(volume, axis=axis, kind=kind, threads=threads)
    want = expected(volume, kind, NUMPY_AXIS[axis])
    assert got.shape == want.shape
    if kind in ("mean", "std") or got.dtype == np.float64:
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-12 * max(1.0, float(np.abs(want).max())))
    else:
        np.testing.assert_array_equal(got, want)
        assert kind.startswith("arg") or got.dtype == want.dtype


@pytest.mark.parametrize("kind", ["sum", "mean", "std"])
@pytest.mark.parametrize("axis", "xyz")
def test_sums_of_contiguous_floats_equal_numpys_in_every_bit(kind, axis):
    volume = np.random.default_rng(5).normal(size=(37, 300, 517))
    want = getattr(np, kind)(volume, axis=NUMPY_AXIS[axis])
    np.testing.assert_array_equal(mitk.project(volume, axis=axis, kind=kind), want)


@settings(max_examples=60, deadline=None)
@given(volumes(), st.sampled_from(["max", "min"]), st.sampled_from([1, 2, 3]))
def test_three_axes_in_one_pass_equal_three_passes(volume, kind, threads):
    for axis, got in zip("xyz", mitk.project_all(volume, kind=kind, threads=threads), strict=True):
        np.testing.assert_array_equal(got, mitk.project(volume, axis=axis, kind=kind))


@settings(max_examples=60, deadline=None)
@given(volumes(), st.sampled_from("xyz"), st.sampled_from(["max", "min"]), st.data())
def test_sliding_slabs_equal_projections_of_their_slabs(volume, axis, kind, data):
    number = NUMPY_AXIS[axis]
    n = volume.shape[number]
    thickness = data.draw(st.integers(1, n))
    got = mitk.slide(volume, axis=axis, thickness=thickness, kind=kind)
    assert got.shape == volume.shape
    assert got.dtype == volume.dtype
    for k in range(n):
        first = max(0, k - thickness // 2)
        slab = (first, min(n, k - thickness // 2 + thickness))
        want = mitk.project(volume, axis=axis, kind=kind, slab=slab)
        np.testing.assert_array_equal(got.take(k, axis=number), want)


@settings(max_examples=40, deadline=None)
@given(volumes(["float32", "float64"]), st.sampled_from("xyz"), st.data())
def test_nan_never_wins_and_infinity_may(volume, axis, data):
    volume = volume.copy()
    share = data.draw(st.sampled_from([0.0, 0.1, 0.9, 1.0]))
    volume[np.random.default_rng(data.draw(st.integers(0, 99))).random(volume.shape) < share] = np.nan
    if volume.size > 2:
        volume.flat[:2] = -np.inf, np.inf
    line = NUMPY_AXIS[axis]
    none = np.isnan(volume).all(axis=line)
    largest = np.where(none, np.finfo(volume.dtype).min, np.where(np.isnan(volume), -np.inf, volume).max(axis=line))
    np.testing.assert_array_equal(mitk.mip(volume, axis=axis), largest)
    smallest = np.where(none, np.finfo(volume.dtype).max, np.where(np.isnan(volume), np.inf, volume).min(axis=line))
    np.testing.assert_array_equal(mitk.project(volume, axis=axis, kind="min"), smallest)
    index = mitk.project(volume, axis=axis, kind="argmax")
    assert (index[none] == 0).all()
    found = np.take_along_axis(volume, np.expand_dims(index, line).astype(np.intp), line).squeeze(line)
    np.testing.assert_array_equal(found[~none], largest[~none])


def test_a_slab_is_a_part_of_the_axis():
    volume = np.random.default_rng(1).integers(0, 99, (5, 6, 7), dtype=np.int16)
    np.testing.assert_array_equal(mitk.project(volume, axis="y", slab=(2, 5)), volume[:, 2:5].max(axis=1))
    np.testing.assert_array_equal(mitk.project(volume, axis=2, slab=slice(None, 2)), volume[:2].max(axis=0))
    index = mitk.project(volume, axis="x", kind="argmax", slab=(3, 6))
    np.testing.assert_array_equal(index, volume[..., 3:6].argmax(axis=2) + 3)


def test_time_steps_are_projected_one_by_one_or_over_time():
    movie = np.random.default_rng(2).integers(0, 999, (4, 5, 6, 7), dtype=np.uint16)
    np.testing.assert_array_equal(mitk.mip(movie, axis="y"), movie.max(axis=2))
    np.testing.assert_array_equal(mitk.mip(movie, axis="y", time_step=2), movie[2].max(axis=1))
    np.testing.assert_array_equal(mitk.mip(movie, axis="t"), movie.max(axis=0))
    np.testing.assert_array_equal(mitk.project(movie, axis=3, kind="mean", slab=(1, 3)), movie[1:3].mean(axis=0))


def test_components_are_projected_each_by_itself():
    colours = np.random.default_rng(3).integers(0, 255, (4, 5, 6, 3), dtype=np.uint8)
    for axis, number in (("x", 2), ("y", 1), ("z", 0)):
        np.testing.assert_array_equal(mitk.mip(colours, axis=axis, components=True), colours.max(axis=number))
    image = mitk.Image(colours, components=True)
    assert mitk.mip(image, axis="x").components == 3
    np.testing.assert_array_equal(mitk.mip(image, axis="x").array, colours.max(axis=2))


def oblique_image(shape=(5, 6, 7), dtype=np.int16):
    a, b = np.deg2rad(20), np.deg2rad(-35)
    turn_z = [[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]
    turn_x = [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    voxels = np.random.default_rng(4).integers(0, 99, shape).astype(dtype)
    direction = np.array(turn_z) @ np.array(turn_x)
    return mitk.Image(voxels, spacing=(0.5, 0.8, 2.0), origin=(-3, 2, 7), direction=direction)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_projected_image_lies_in_the_middle_of_its_slab(axis):
    image = oblique_image()
    flat = mitk.project(image, axis=axis, slab=(1, 4))
    columns, rows = (a for a in range(3) if a != axis)
    for pixel in ((0, 0), (2, 1), (3, 4)):
        voxel = np.zeros(3)
        voxel[columns], voxel[rows], voxel[axis] = *pixel, 2.0
        np.testing.assert_allclose(flat.affine() @ (*pixel, 0, 1), image.affine() @ (*voxel, 1), atol=1e-12)
    assert flat.spacing[2] == pytest.approx(3 * image.spacing[axis])
    assert np.linalg.det(flat.direction) == pytest.approx(np.linalg.det(image.direction))


def test_depth_is_in_millimetres():
    image = oblique_image()
    depth = mitk.project(image, axis="z", kind="depth", slab=(1, 5)).array
    np.testing.assert_array_equal(depth, (image.array[1:].argmax(axis=0) + 1) * 2.0)
    of_array = mitk.project(image.array, axis="z", kind="depth", spacing=(1, 1, 2.0), slab=(1, 5))
    np.testing.assert_array_equal(of_array, depth)


def test_each_time_step_keeps_its_place_and_time():
    image = mitk.Image(np.random.default_rng(6).integers(0, 9, (3, 4, 5, 6), dtype=np.uint8), spacing=(1, 2, 3))
    image.set_origin((10, 20, 30), 1)
    flat = mitk.mip(image, axis="z")
    assert flat.shape == (3, 1, 5, 6)
    assert flat.get_origin(0) == (0, 0, 4.5)
    assert flat.get_origin(1) == (10, 20, 34.5)
    assert flat.time_geometry.get_time_bounds(2) == image.time_geometry.get_time_bounds(2)
    assert mitk.mip(image, axis="z", time_step=1).origin == (10, 20, 34.5)


def test_sliding_keeps_the_geometry():
    image = oblique_image()
    thick = mitk.slide(image, axis="z", thickness=3)
    np.testing.assert_array_equal(thick.affine(), image.affine())
    assert thick.shape == image.shape


def test_booleans_stay_booleans():
    mask = np.zeros((3, 4, 5), bool)
    mask[1, 2, 3] = True
    assert mitk.mip(mask).dtype == np.bool_
    np.testing.assert_array_equal(mitk.mip(mask), mask.max(axis=0))


def test_a_projection_needs_the_image_unlocked():
    image = mitk.Image(np.zeros((3, 4, 5), np.float32))
    with image.write(), pytest.raises(mitk.MemoryIsLockedError):
        mitk.mip(image)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: mitk.mip(v, axis="w"), "axis is 'w': allowed are x, y, z, t"),
        (lambda v: mitk.mip(v, axis=4), "axis is 4"),
        (lambda v: mitk.mip(v, axis=-1), "axis is -1"),
        (lambda v: mitk.mip(v, axis="t"), "needs an image with time steps"),
        (lambda v: mitk.project(v, kind="median"), "kind is 'median': it must be one of 'max', 'min'"),
        (lambda v: mitk.mip(v, slab=(2, 2)), "slab is 2:2: allowed are 0 <= first < end <= 3"),
        (lambda v: mitk.mip(v, slab=(0, 4)), "slab is 0:4"),
        (lambda v: mitk.mip(v, slab=(-2, -1)), "slab is -2:-1"),
        (lambda v: mitk.mip(v, slab=(0.5, 2)), "expected two whole numbers"),
        (lambda v: mitk.mip(v[0]), "got a 2-D image of shape"),
        (lambda v: mitk.mip(mitk.Image(v[0])), "got a 2-D image of shape"),
        (lambda v: mitk.mip(v[:0]), "the image has no voxels: its shape is"),
        (lambda v: mitk.mip(mitk.Image()), "the image is empty"),
        (lambda v: mitk.mip(v, time_step=1), "time step 1 does not exist"),
        (lambda v: mitk.mip(mitk.Image(v), time_step=1), "time step 1 does not exist"),
        (lambda v: mitk.slide(v, thickness=0), "thickness is 0"),
        (lambda v: mitk.slide(v, thickness=4), "thickness is 4 on an axis of 3 voxels"),
        (lambda v: mitk.slide(mitk.Image(v), thickness=4), "thickness is 4 on an axis of 3 voxels"),
        (lambda v: mitk.slide(v, thickness=2, kind="mean"), "kind is 'mean': it must be one of 'max', 'min'"),
        (lambda v: mitk.mip(v, threads=0), "threads is 0"),
    ],
)
def test_bad_requests_say_what_is_allowed(call, message):
    with pytest.raises((mitk.RequestError, mitk.TimeStepError, ValueError), match=message):
        call(np.zeros((3, 4, 5), np.int16))


def test_complex_voxels_and_masked_arrays_are_refused():
    with pytest.raises(TypeError, match="dtype complex128"):
        mitk.mip(np.zeros((3, 4, 5), complex))
    with pytest.raises(TypeError, match="masked"):
        mitk.mip(np.ma.zeros((3, 4, 5)))
    with pytest.raises(TypeError, match="got list"):
        mitk.mip([[[1]]])


@pytest.mark.parametrize("dtype", ["U3", "M8[s]", "c8", "O"])
def test_arrays_of_what_is_not_a_number_are_refused_by_the_function(dtype):
    array = np.zeros((4, 5, 6), dtype)
    for name, call in (("project", mitk.mip), ("slide", lambda a: mitk.slide(a, thickness=2))):
        with pytest.raises(TypeError, match=rf"^(mip|{name}): the image has dtype"):
            call(array)
