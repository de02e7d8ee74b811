"""Level sets through Python: VMTK's bytes, sane values without them, and what is refused."""

import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import mitk_rs as mitk
from mitk_rs import _core

FAR = np.float32(np.finfo(np.float32).max / 2)
SOURCE, NEAR, FURTHER = (71, 213, 16), (58, 78, 22), (96, 78, 21)


@pytest.fixture(scope="module")
def aorta(test_data):
    return mitk.Image(test_data / "aorta.mha")


def negative(image):
    return image.as_numpy(writeable=False) < 0


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("threshold", {"lower_threshold": 100, "upper_threshold": 1000}),
        ("isosurface", {"isosurface": 500}),
        ("fastmarching", {"lower_threshold": 700, "sources": [SOURCE], "targets": [NEAR, FURTHER]}),
    ],
)
@pytest.mark.usefixtures("many_threads")
@pytest.mark.parametrize("threads", [1, 3])
def test_vmtks_reference_files_in_every_bit(aorta, test_data, method, request_, threads):
    made = mitk.initialize_level_set(aorta, method=method, compat="vmtk", threads=threads, **request_)
    reference = mitk.Image(test_data / f"vmtk_reference_{method}.mha")
    assert made.level_set.array.tobytes() == reference.array.tobytes()
    assert (made.level_set.spacing, made.level_set.origin) == (aorta.spacing, aorta.origin)
    assert (made.level_set.direction == aorta.direction).all()


def test_colliding_fronts_on_a_real_ct(aorta):
    report = mitk.initialize_level_set(aorta, lower_threshold=700, sources=[SOURCE], targets=[NEAR]).report
    assert (report.inside, report.components) == (16473, 1)
    assert report.bounding_box == [[55, 83], [78, 213], [9, 24]]
    assert report.volume_ml == pytest.approx(16473 * 0.878906**2 * 1.50009 / 1000, rel=1e-9)


# A bent tube of brightness 100 in darkness 0, with a side branch.
def vessel():
    voxels = np.zeros((5, 12, 30), np.int16)
    voxels[1:4, 4:7, :] = 100
    voxels[1:4, 7:, 20:23] = 100
    return mitk.Image(voxels, spacing=(0.5, 0.5, 1.0))


START, END, BRANCH = (1, 5, 2), (28, 5, 2), (21, 11, 2)


def march(**request_):
    request_ = {"sources": [START], "targets": [END], "lower_threshold": 50, **request_}
    return mitk.initialize_level_set(vessel(), method="fastmarching", **request_)


def at(image, index):
    return float(image.array[index[::-1]])


def test_the_target_reached_last_decides():
    made = march(targets=[BRANCH, END])
    assert made.report.deciding_target == END
    assert at(made.level_set, END) == 0.0
    assert at(made.level_set, BRANCH) < 0
    assert made.report.level_time == -at(made.level_set, START) == 13.5
    assert march(targets=[END, BRANCH, END]).level_set.array.tobytes() == made.level_set.array.tobytes()


def test_vmtk_lets_the_last_target_within_its_offset_decide():
    made = march(targets=[BRANCH, END], compat="vmtk")
    assert (made.report.deciding_target, at(made.level_set, END)) == (END, 0.0)


def test_targets_further_than_vmtks_offset_are_reached_all_the_same():
    long = np.zeros((1, 2, 300), np.uint8)
    long[0, 1] = 7
    request_ = {"sources": [(0, 1, 0)], "targets": [(50, 1, 0), (299, 1, 0)], "lower_threshold": 5}
    made = mitk.initialize_level_set(long, method="fastmarching", **request_)
    assert (made.report.deciding_target, made.report.level_time) == ((299, 1, 0), 299.0)
    vmtk = mitk.initialize_level_set(long, method="fastmarching", compat="vmtk", **request_)
    assert (vmtk.report.deciding_target, vmtk.report.level_time) == ((50, 1, 0), 50.0)
    assert vmtk.report.warnings == ["target (299, 1, 0) was not reached within 100 of the first"]


@pytest.mark.parametrize(
    ("voxels", "limits"),
    [
        (np.full((4, 5, 6), 3, np.int16), {"lower_threshold": 1}),
        (np.arange(120).reshape(4, 5, 6) // 60 + 1, {"lower_threshold": 1, "upper_threshold": 2}),
    ],
)
def test_a_target_behind_the_smallest_value_is_told_why(voxels, limits):
    """Where every voxel is within the thresholds, the speed is scaled from the smallest value, which gets 0."""
    for method in ("fastmarching", "collidingfronts"):
        with pytest.raises(mitk.RequestError, match=r"no voxel lies outside the thresholds, so the smallest value"):
            mitk.initialize_level_set(voxels, method=method, sources=[(1, 1, 3)], targets=[(2, 2, 0)], **limits)


def test_the_outside_is_positive_and_finite():
    made = march().level_set.array
    outside = vessel().array == 0
    assert np.isfinite(made).all()
    # The largest value that the front left.
    assert (made[outside] == made[~outside].max()).all()
    assert made[outside].min() > 0


def test_the_outside_is_positive_even_if_the_front_ends_at_the_target():
    made = march(target_offset=0, targets=[(29, 4, 1)]).level_set.array
    assert made[0, 0, 0] >= 0.5


def test_a_far_value_of_ones_own():
    outside = vessel().array == 0
    assert (march(far_value=3.5).level_set.array[outside] == 3.5).all()
    assert (march(far_value=3.5, compat="vmtk").level_set.array[outside] == 3.5).all()
    assert (march(compat="vmtk").level_set.array[outside] == FAR).all()


def test_stop_time_takes_the_place_of_targets():
    made = march(targets=(), stop_time=3.25)
    assert made.report.level_time == 3.25
    assert at(made.level_set, START) == -3.25
    with pytest.raises(mitk.RequestError, match="needs either targets or a stop time"):
        march(stop_time=3.25)


def test_vmtk_without_targets_floods_to_100_and_says_so():
    made = march(targets=(), compat="vmtk")
    assert made.report.warnings == ["no target: the front is limited to 100 time units"]
    # Everything reached is inside, the voxel reached last on the surface.
    assert made.level_set.array[vessel().array > 0].max() == 0.0


def collide(image=None, **request_):
    request_ = {"sources": [START], "targets": [END], "lower_threshold": 50, **request_}
    return mitk.initialize_level_set(image or vessel(), **request_)


def test_seeds_of_colliding_fronts_are_inside():
    made, vmtk = collide().level_set, collide(compat="vmtk").level_set
    for seed in (START, END):
        assert at(made, seed) < -0.1
        assert at(vmtk, seed) == np.float32(-1e-6) + np.float32(1e-5)
    holes = negative(made) & ~negative(vmtk)
    assert sorted(map(tuple, np.argwhere(holes)[:, ::-1])) == [START, END]
    assert not (negative(vmtk) & ~negative(made)).any()
    assert set(made.array[~negative(made)]) == {1.0}
    assert vmtk.array.max() == np.float32(1e-5)


@pytest.mark.parametrize("compat", [None, "vmtk"])
@pytest.mark.parametrize("combine", ["minimum", "sum"])
def test_pairs_of_fronts_are_the_union_of_single_ones(compat, combine):
    singles = [collide(targets=[target], compat=compat).level_set for target in (END, BRANCH)]
    both = mitk.initialize_level_set(
        vessel(), method="multiplecollidingfronts", sources=[START, START], targets=[END, BRANCH],
        lower_threshold=50, combine=combine, compat=compat)  # fmt: skip
    if compat and combine == "sum":
        assert both.level_set.array.tobytes() == (singles[0].array + singles[1].array).tobytes()
    else:
        assert (negative(both.level_set) == (negative(singles[0]) | negative(singles[1]))).all()


def test_far_value_of_colliding_fronts():
    assert collide(far_value=2.5).level_set.array.max() == 2.5
    assert collide(far_value=2.5, compat="vmtk").level_set.array.max() == 2.5


def test_masks_hold_on_images_without_positive_values():
    """VMTK gives voxels outside the thresholds a speed if the image's maximum is negative."""
    voxels = vessel().array.astype(np.float32) - 200
    dark = mitk.Image(voxels, spacing=(0.5, 0.5, 1.0))
    made = collide(dark, lower_threshold=-150)
    assert (negative(made.level_set) == negative(collide().level_set)).all()
    assert not (negative(made.level_set) & (voxels < -150)).any()


def test_compat_holds_the_spacing_in_single_precision():
    spacing = (0.878906, 0.878906, 1.50009)
    rounded = tuple(float(np.float32(step)) for step in spacing)
    image, request_ = vessel().array, {"method": "fastmarching", "sources": [START], "targets": [END]}
    marched = [
        mitk.initialize_level_set(mitk.Image(image, spacing=s), compat=c, **request_, lower_threshold=50).level_set
        for s, c in ((spacing, "vmtk"), (rounded, "vmtk"), (spacing, None))
    ]
    assert marched[0].array.tobytes() == marched[1].array.tobytes()
    near = vessel().array > 0
    assert (marched[0].array[near] != marched[2].array[near]).any()


@pytest.mark.parametrize("kind", ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float64"])
def test_every_pixel_type_gives_the_same(kind):
    image = mitk.Image(vessel().array.astype(kind), spacing=(0.5, 0.5, 1.0))
    for method in ("collidingfronts", "fastmarching", "threshold", "isosurface"):
        request_ = {"method": method, "lower_threshold": 50, "sources": [START], "targets": [END]}
        expected = mitk.initialize_level_set(vessel(), **request_).level_set.array
        assert mitk.initialize_level_set(image, **request_).level_set.array.tobytes() == expected.tobytes()


def test_pictures_arrays_and_frames():
    flat = np.zeros((8, 9), np.uint8)
    flat[3:6] = 200
    request_ = {"method": "threshold", "lower_threshold": 100}
    picture = mitk.initialize_level_set(mitk.Image(flat), **request_).level_set
    assert (picture.shape, picture.ndim) == ((8, 9), 2)
    assert mitk.initialize_level_set(flat, **request_).level_set.array.tobytes() == picture.array.tobytes()
    crossed = mitk.initialize_level_set(flat, sources=[(0, 4)], targets=[(8, 4)], lower_threshold=100)
    assert crossed.report.inside > 0
    series = mitk.Image(np.stack([np.zeros((4, 8, 9), np.uint8), np.tile(flat, (4, 1, 1))]))
    frame = mitk.initialize_level_set(series, time_step=1, **request_).level_set
    assert (frame.shape, frame.time_steps) == ((4, 8, 9), 1)
    with pytest.raises(mitk.RequestError, match="choose one with time_step="):
        mitk.initialize_level_set(series, **request_)


@settings(max_examples=60, deadline=None)
@given(
    arrays.arrays(np.float32, st.tuples(*[st.integers(1, 6)] * 3), elements=st.integers(-20, 20).map(float)),
    st.floats(-25, 25, width=32),
    st.floats(-25, 25, width=32),
    st.booleans(),
)
def test_methods_without_fronts_are_their_formulas(voxels, one, other, negate):
    low, high = sorted((one, other))
    seen = (voxels.max().astype(float) + voxels.min() - voxels).astype(np.float32) if negate else voxels
    request_ = {"negate": negate, "lower_threshold": low, "upper_threshold": high}
    made = mitk.initialize_level_set(voxels, method="threshold", **request_)
    assert (made.level_set.array == np.where((seen >= low) & (seen <= high), -1, 1)).all()
    assert made.report.inside == np.count_nonzero(made.level_set.array < 0)
    made = mitk.initialize_level_set(voxels, method="isosurface", isosurface=one, negate=negate)
    assert (made.level_set.array == np.float32(one) - seen).all()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_fronts_stay_within_the_thresholds(data):
    voxels = data.draw(arrays.arrays(np.int16, (5, 6, 7), elements=st.integers(0, 9)))
    points = st.tuples(st.integers(0, 6), st.integers(0, 5), st.integers(0, 4))
    source, target = data.draw(points), data.draw(points)
    request_ = {"sources": [source], "targets": [target], "lower_threshold": 3}
    for method in ("fastmarching", "collidingfronts"):
        try:
            made = mitk.initialize_level_set(voxels, method=method, **request_).level_set.array
        except mitk.RequestError:
            continue
        inside = made < 0
        inside[source[::-1]] = inside[target[::-1]] = False
        assert (voxels[inside] >= 3).all()
        assert np.isfinite(made).all()


def test_progress_cancel_and_timeout():
    big = np.ones((120, 160, 160), np.float32)
    request_ = {"method": "fastmarching", "sources": [(0, 0, 0)], "stop_time": 1e6, "lower_threshold": 0}
    seen = []
    mitk.initialize_level_set(big[:40], **request_, upper_threshold=2, progress=seen.append)
    assert seen[-1] == 1.0
    assert seen == sorted(seen)
    stop = threading.Event()
    stop.set()
    big += np.random.default_rng(1).random(big.shape, np.float32)
    with pytest.raises(mitk.Cancelled):
        mitk.initialize_level_set(big, **request_, cancel=stop)
    with pytest.raises(TimeoutError):
        mitk.initialize_level_set(big, **request_, timeout=0)


def test_a_failed_request_leaves_the_image_free():
    image = vessel()
    for request_ in ({"method": "threshold"}, {"sources": [START], "targets": [(0, 0, 0)], "lower_threshold": 50}):
        with pytest.raises(mitk.RequestError) as caught:
            mitk.initialize_level_set(image, **request_)
        with image.write(block=False) as voxels:
            voxels[0, 0, 0] = 0
        assert caught.value.args


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"method": "magic"}, "method is 'magic': it must be one of isosurface, threshold, "),
        ({"combine": "product"}, "combine is 'product': it must be one of 'minimum', 'sum'"),
        ({"compat": "itk"}, "compat is 'itk': it must be one of None, 'vmtk'"),
        ({"target_offset": -1}, "target_offset is -1: it must be finite and >= 0"),
        ({"far_value": float("inf")}, "far_value is inf: it must be finite and > 0"),
        ({"sources": [(30, 0, 0)]}, r"source \(30, 0, 0\) lies outside the image: allowed x 0..29, y 0..11, z 0..4"),
        ({"lower_threshold": 5, "upper_threshold": 4}, "the lower threshold 5 is above the upper threshold 4"),
    ],
)
def test_what_is_refused(request_, message):
    with pytest.raises(mitk.RequestError, match=message):
        mitk.initialize_level_set(vessel(), **request_)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_no_numbers(value):
    voxels = np.ones((3, 4, 5), np.float32)
    voxels[1, 2, 3] = value
    for method in ("isosurface", "threshold", "fastmarching", "collidingfronts"):
        with pytest.raises(mitk.RequestError, match=r"voxel \(3, 2, 1\) is .*: the image must be finite"):
            mitk.initialize_level_set(
                voxels, method=method, lower_threshold=0, sources=[(0, 0, 0)], targets=[(4, 3, 2)]
            )


def test_shear_is_refused_for_fronts_only():
    sheared = mitk.Image(vessel().array, direction=[[1, 0.1, 0], [0, np.sqrt(0.99), 0], [0, 0, 1]])
    with pytest.raises(mitk.GeometryError, match="sheared"):
        collide(sheared)
    assert mitk.initialize_level_set(sheared, method="threshold", lower_threshold=50).report.inside > 0


@pytest.mark.parametrize(
    ("direction", "factor"),
    [
        (np.eye(3), 1.0),
        (np.diag([-1.0, 1.0, 1.0]), 1.0),
        ([[1, 0.6, 0], [0, 0.8, 0], [0, 0, 1]], 0.8),
        ([[0.6, 0, 0], [0.8, 1, 0], [0, 0, -1]], 0.6),
    ],
)
def test_the_volume_is_that_of_the_voxels_however_their_axes_stand(direction, factor):
    """Sheared voxels are parallelepipeds: their volume is the determinant, not the product of the spacings."""
    image = mitk.Image(vessel().array, spacing=(0.5, 2.0, 3.0), direction=direction)
    report = mitk.initialize_level_set(image, method="threshold", lower_threshold=50).report
    assert report.inside > 0
    assert report.volume_ml == pytest.approx(report.inside * 3.0 * factor / 1000, rel=1e-12)


def test_unused_arguments_are_told(caplog):
    made = mitk.initialize_level_set(vessel(), method="threshold", lower_threshold=50, sources=[START])
    assert made.report.warnings == ["method threshold does not use sources and targets"]
    assert caplog.messages == made.report.warnings
    made = mitk.initialize_level_set(vessel(), method="seeds", lower_threshold=50, sources=[START])
    assert made.report.warnings == ["method seeds does not use thresholds"]
    made = march(sources=[(5, 3, 2)], targets=[(6, 5, 2)])
    assert made.report.warnings == ["source (5, 3, 2) has the value 0, outside the thresholds"]


def test_nothing_inside_is_told():
    made = mitk.initialize_level_set(vessel(), method="threshold", lower_threshold=500)
    assert made.report.warnings == ["the level set is empty: no voxel is inside"]
    assert (made.report.inside, made.report.components, made.report.bounding_box) == (0, 0, None)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.float64, st.tuples(*[st.integers(1, 7)] * 3), elements=st.sampled_from([-1.0, 0.0, np.nan])))
def test_pieces_are_those_of_a_flood(values):
    inside, pieces, box = _core.measure_inside(values)
    where = np.argwhere(values < 0)
    assert inside == len(where)
    expected = None if not inside else np.column_stack([where.min(0), where.max(0)])[::-1].tolist()
    assert box == expected
    left = {tuple(voxel) for voxel in where}
    count = 0
    while left:
        count, todo = count + 1, [left.pop()]
        while todo:
            z, y, x = todo.pop()
            near = {(z - 1, y, x), (z + 1, y, x), (z, y - 1, x), (z, y + 1, x), (z, y, x - 1), (z, y, x + 1)} & left
            left -= near
            todo += near
    assert pieces == count


def test_branches_of_another_shape_are_not_combined():
    merged = np.zeros((2, 3, 4), np.float32)
    for shape in [(4, 3, 2), (2, 4, 3), (1, 6, 4), (2, 3, 5)]:
        with pytest.raises(ValueError, match="shape of the branch"):
            _core.combine(merged, np.zeros(shape, np.float32))
    speed = np.ones((2, 3, 4), np.float32)
    with pytest.raises(ValueError, match="shape of the times"):
        _core.fixed_point_defects(np.zeros((4, 3, 2), np.float32), speed, (1, 1, 1), [(0, 0, 0)], 1.0)


def test_the_report_says_where_the_image_is_and_how_long_each_step_took():
    began = time.perf_counter()
    report = collide().report
    elapsed = time.perf_counter() - began
    geometry = report.geometry
    assert (geometry["size"], geometry["spacing"], geometry["origin"]) == ((30, 12, 5), (0.5, 0.5, 1.0), (0, 0, 0))
    assert {"initialize", "measure"} <= set(report.seconds)
    assert all(0 <= seconds <= elapsed for seconds in report.seconds.values())


def test_defaults_are_the_surface_at_0_and_an_offset_of_100():
    voxels = np.linspace(-5, 5, 120, dtype=np.float32).reshape(4, 5, 6)
    assert (mitk.initialize_level_set(voxels, method="isosurface").level_set.array == -voxels).all()
    long = np.zeros((1, 2, 300), np.uint8)
    long[0, 1] = 7
    request_ = {"method": "fastmarching", "sources": [(0, 1, 0)], "targets": [(50, 1, 0)], "lower_threshold": 5}
    options = ({}, {"target_offset": 100}, {"target_offset": 101})
    default, same, other = (mitk.initialize_level_set(long, **request_, **more).level_set.array for more in options)
    assert default.tobytes() == same.tobytes() != other.tobytes()


def test_the_third_index_of_a_picture_is_0():
    with pytest.raises(mitk.RequestError, match=r"source \(3, 4, 1\) lies outside the image: allowed .* z 0\.\.0"):
        mitk.initialize_level_set(np.ones((8, 9), np.uint8), method="seeds", sources=[(3, 4, 1)])


def test_an_unused_threshold_is_told_whichever_it_is_and_only_then():
    for name in ("lower_threshold", "upper_threshold"):
        report = mitk.initialize_level_set(vessel(), method="seeds", sources=[START], **{name: 50}).report
        assert report.warnings == ["method seeds does not use thresholds"]
    assert mitk.initialize_level_set(vessel(), method="seeds", sources=[START]).report.warnings == []
