"""Copies, snapshots, pickles, comparison, representations, weak references, subclasses."""

import copy
import gc
import html.parser
import io
import pickle
import weakref

import numpy as np
import pytest
from PIL import Image as Pillow

import mitk_rs as mitk
from mitk_rs.image import protocols


@pytest.fixture
def image():
    voxels = np.arange(3 * 4 * 5 * 6, dtype=np.float32).reshape(3, 4, 5, 6)
    made = mitk.Image(voxels, spacing=(0.5, 0.7, 1.1), origin=(1, 2, 3), direction=np.diag([-1, -1, 1]))
    made.time_geometry = mitk.ArbitraryTimeGeometry.from_time_points([0, 10, 30, 60])
    made.set_spacing((9, 8, 7), time_step=1)
    made.set_property("patient", "nobody")
    return made


class Labelled(mitk.Image):
    """A subclass with a constructor and an attribute of its own."""

    def __init__(self, label, *args, **options):
        super().__init__(*args, **options)
        self.label = label


def same(one, other):
    assert type(one) is type(other)
    assert np.array_equal(one.array, other.array)
    assert one.time_geometry == other.time_geometry
    assert dict(one.properties.items()) == dict(other.properties.items())
    return True


COPIES = {
    "copy.copy": copy.copy,
    "copy.deepcopy": copy.deepcopy,
    "copy": lambda i: i.copy(),
    "clone": lambda i: i.clone(),
    "snapshot": lambda i: i.snapshot(),
    **{f"pickle {p}": lambda i, p=p: pickle.loads(pickle.dumps(i, p)) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
}


@pytest.mark.parametrize("name", COPIES)
def test_copies_are_equal_and_independent(image, name):
    made = COPIES[name](image)
    assert same(made, image)
    before = image.array.copy()
    image[:] = -1
    image.spacing = (3, 3, 3)
    image.set_property("patient", "somebody")
    assert np.array_equal(made.array, before)
    assert made.spacing == (0.5, 0.7, 1.1)
    assert made.get_property("patient") == "nobody"
    if name != "snapshot":
        made[:] = 5
        assert (image.array == -1).all()


@pytest.mark.parametrize("name", COPIES)
def test_empty_images_and_subclasses_can_be_copied(name):
    if name != "snapshot":
        empty = COPIES[name](mitk.Image())
        empty.initialize("uint8", [2, 2])
    labelled = Labelled("left", np.zeros((2, 3)), spacing=(1, 2, 3))
    made = COPIES[name](labelled)
    assert (type(made), made.label, made.shape, made.spacing) == (Labelled, "left", (2, 3), (1, 2, 3))


@pytest.mark.parametrize(
    "change",
    [
        lambda image: setattr(image, "spacing", (2, 2, 2)),
        lambda image: image.set_origin((1, 2, 3), time_step=None),
        lambda image: image.set_affine(np.eye(4)),
        lambda image: setattr(image.get_geometry(1), "spacing", (2, 2, 2)),
        lambda image: image.get_geometry().initialize(),
        lambda image: image.time_geometry.geometries[0].translate((1, 1, 1)),
        lambda image: setattr(image.time_geometry, "step_duration", 7),
        lambda image: image.time_geometry.replace_time_step_geometries(mitk.SlicedGeometry3D.new()),
        lambda image: image.time_geometry.set_geometry_for_time_step(mitk.SlicedGeometry3D.new(), 0),
        lambda image: setattr(image, "time_geometry", image.time_geometry.clone()),
    ],
)
def test_the_geometry_of_a_snapshot_never_changes(change):
    image = mitk.Image(np.zeros((3, 4, 5, 6)), spacing=(0.5, 0.5, 3))
    snapshot = image.snapshot()
    before = snapshot.time_geometry.clone()
    with pytest.raises(mitk.RequestError, match="snapshot"):
        change(snapshot)
    assert snapshot.time_geometry == before
    for free in (image, snapshot.copy(), copy.copy(snapshot), pickle.loads(pickle.dumps(snapshot))):
        change(free)


def test_the_times_of_an_image_keep_their_number():
    image = mitk.Image(np.zeros((2, 3, 4, 5)))
    image.time_geometry = times = mitk.ArbitraryTimeGeometry.from_time_points([0, 1, 2])
    with pytest.raises(mitk.RequestError, match="an image with 2 time steps and keeps them, got 3"):
        image.time_geometry.append(None, 2, 3)
    with pytest.raises(mitk.RequestError, match="got 5"):
        image.time_geometry.expand_to_number_of_time_steps(5)
    assert (image.time_steps, len(image.array)) == (2, 2)
    for free in (times, image.time_geometry.clone(), copy.deepcopy(image.time_geometry)):
        free.append(None, 2, 3)
        assert free.count_time_steps() == 3


def test_a_part_of_a_subclass_is_whole():
    part = Labelled("left", np.zeros((2, 3))).crop((0, 0), (2, 2))
    assert (type(part), part.label, part.shape) == (Labelled, "left", (2, 2))


def test_affines_of_all_steps_are_set_and_snapshots_refuse():
    image = mitk.Image(np.zeros((2, 3, 4, 5)))
    image.set_affine(np.diag([2.0, 3, 4, 1]), time_step=None)
    assert (image.get_spacing(0), image.get_spacing(1)) == ((2, 3, 4), (2, 3, 4))
    image.set_affine(np.diag([-1.0, -1, 1, 1]), "RAS", time_step=1)
    assert image.get_spacing(0) == (2, 3, 4)
    assert np.array_equal(image.affine(time_step=1), np.eye(4))
    with pytest.raises(mitk.RequestError, match="snapshot"):
        image.snapshot().set_affine(np.eye(4))


def test_shallow_copies_share_voxels_until_one_is_written(image):
    made = copy.copy(image)
    assert np.shares_memory(made.array, image.array)
    old = image.array
    image.as_numpy()[0] = -1
    assert not np.shares_memory(made.array, image.array)
    assert np.shares_memory(old, made.array), "views taken before keep showing the shared voxels"
    assert not np.shares_memory(image.copy().array, image.array)


def test_a_writeable_view_makes_a_snapshot_copy_at_once(image):
    view = image.as_numpy()
    snapshot = image.snapshot()
    view[:] = -1
    assert snapshot.array.min() == 0
    del view
    again = image.snapshot()
    assert np.shares_memory(again.array, image.array)


def test_a_snapshot_of_an_adopted_array_is_a_copy():
    array = np.zeros((3, 3))
    snapshot = mitk.Image(array, copy=None).snapshot()
    array[:] = 1
    assert not snapshot.array.any()


def test_a_snapshot_never_changes(image):
    snapshot = image.snapshot()
    assert snapshot.is_snapshot
    assert not image.is_snapshot
    attempts = [
        lambda: snapshot.as_numpy(),
        lambda: snapshot.as_numpy(use_accessor=True),
        lambda: snapshot.write().__enter__(),
        lambda: snapshot.__setitem__(0, 1),
        lambda: snapshot.initialize("uint8", [2, 2]),
        lambda: snapshot.set_spacing((1, 1, 1)),
        lambda: snapshot.set_origin((1, 1, 1), time_step=None),
        lambda: setattr(snapshot, "direction", np.eye(3)),
        lambda: setattr(snapshot, "time_geometry", snapshot.time_geometry),
    ]
    for attempt in attempts:
        with pytest.raises(mitk.RequestError, match="snapshot"):
            attempt()
    with snapshot.read() as voxels:
        assert np.array_equal(voxels, image.array)
    assert same(snapshot, image)
    writable = snapshot.copy()
    writable[:] = 0
    assert snapshot.array.max() > 0


def test_no_snapshot_while_this_thread_writes(image):
    held = image.as_numpy(use_accessor=True)
    for attempt in (image.snapshot, image.copy, lambda: pickle.dumps(image), lambda: copy.copy(image)):
        with pytest.raises(mitk.MemoryIsLockedError):
            attempt()
    assert held.shape == image.shape


def test_pickles_send_voxels_out_of_band_one_buffer_a_step(image):
    buffers = []
    text = pickle.dumps(image, 5, buffer_callback=buffers.append)
    assert len(text) < 3000
    assert [buffer.raw().nbytes for buffer in buffers] == [480] * 3
    # No copy on the way out.
    assert np.shares_memory(np.frombuffer(buffers[1], np.float32), image.array[1])
    # And what is written afterwards does not show.
    before = image.array.copy()
    image[:] = 0
    restored = pickle.loads(text, buffers=[bytes(buffer) for buffer in buffers])
    assert np.array_equal(restored.array, before)
    restored[:] = 3


def test_a_pickle_of_a_newer_version_is_refused_politely(image, monkeypatch):
    monkeypatch.setattr(protocols, "PICKLE_FORMAT", 2)
    text = pickle.dumps(image)
    monkeypatch.undo()
    with pytest.raises(mitk.RequestError, match="format 2, this version of mitk_rs knows 1: update mitk_rs"):
        pickle.loads(text)


def test_a_damaged_pickle_is_refused(image):
    make, (cls, state, steps) = image.__reduce_ex__(5)
    with pytest.raises(mitk.RequestError, match="2 time steps instead of 3"):
        make(cls, state, steps[:2])
    with pytest.raises(ValueError, match="buffer size"):
        make(cls, state, [*steps[:2], b"123"])


def test_equality_is_identity_and_equals_compares(image):
    other = image.copy()
    assert image == image
    assert image != other
    assert len({image, other}) == 2
    assert image.equals(other)
    other.as_numpy()[0, 0, 0, 0] += 0.01
    assert not image.equals(other)
    assert image.equals(other, atol=0.02)
    assert not image.equals(mitk.Image(image.array.astype(np.float64)))
    assert not image.equals(image.array)
    assert not image.equals(None)
    assert mitk.Image().equals(mitk.Image())
    moved = image.copy()
    moved.set_origin((0, 0, 0), time_step=2)
    assert not image.equals(moved)
    assert image.equals(moved, geometry=False)
    nan = mitk.Image(np.full((2, 2), np.nan))
    assert nan.equals(nan.copy())


def test_crop_keeps_the_place_in_the_world(image):
    part = image.crop((1, 2, 3), (5, 4, 4))
    assert part.shape == (3, 1, 2, 4)
    assert np.array_equal(part.array, image.array[:, 3:4, 2:4, 1:5])
    for step in range(3):
        here, there = part.index_to_world((0, 0, 0), step), image.index_to_world((1, 2, 3), step)
        assert np.allclose(tuple(here), tuple(there), atol=1e-12)
        assert part.get_spacing(step) == image.get_spacing(step)
    assert part.time_geometry.time_points == image.time_geometry.time_points
    colour = mitk.Image(np.zeros((5, 6, 3), np.uint8), components=True).crop((1, 2), (3, 5))
    assert (colour.shape, colour.origin) == ((3, 2, 3), (1, 2, 0))


def test_crop_reads_under_an_accessor(image):
    with image.write() as voxels:
        voxels[...] = 1
        with pytest.raises(mitk.MemoryIsLockedError):
            image.crop((0, 0, 0), (1, 1, 1))
    assert image.crop((0, 0, 0), (1, 1, 1)).array.item(0) == 1


@pytest.mark.parametrize(
    ("lower", "upper"), [((0, 0, 0), (7, 1, 1)), ((-1, 0, 0), (1, 1, 1)), ((2, 0, 0), (2, 1, 1)), ((0, 0), (1, 1))]
)
def test_crop_outside_is_refused(image, lower, upper):
    with pytest.raises(mitk.RequestError, match="lower"):
        image.crop(lower, upper)
    with pytest.raises(TypeError, match="whole numbers"):
        image.crop((0.5, 0, 0), (1, 1, 1))


def test_dlpack_is_read_only_or_refused(image):
    view = np.from_dlpack(image)
    assert np.shares_memory(view, image.array)
    assert not view.flags.writeable
    assert image.__dlpack_device__() == (1, 0)
    with pytest.raises(BufferError, match="readonly"):
        image.__dlpack__()
    del image
    gc.collect()
    assert view[2, 3, 4, 5] == 359


def test_repr_is_one_line_with_units(image):
    assert repr(mitk.Image()) == "Image(empty)"
    text = repr(mitk.Image(np.zeros((128, 256, 256), np.int16), spacing=(0.5, 0.6, 0.7)))
    size = "256×256×128 voxels"  # noqa: RUF001
    assert text == (
        f"Image(int16, {size}, 1 step, spacing 0.5×0.6×0.7 mm, origin (0, 0, 0) mm, "  # noqa: RUF001
        "direction LPS, 16.8 MB, loaded)"
    )
    assert "3 steps" in repr(image)
    assert "direction RAS" in repr(image)
    assert "snapshot" in repr(image.snapshot())
    assert repr(Labelled("x", np.zeros((2, 2)))).startswith("Labelled(")
    turned = mitk.Image(np.zeros((2, 2)), direction=[[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, 1]])
    assert "direction LPS oblique" in repr(turned)


class Page(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def test_html_is_a_table_and_three_pictures(image):
    page = Page(image._repr_html_())
    pictures = [attributes["src"] for tag, attributes in page.tags if tag == "img"]
    assert len(pictures) == 3
    assert all(source.startswith("data:image/png;base64,") for source in pictures)
    assert not any(tag == "script" for tag, _ in page.tags)
    assert sum(tag == "tr" for tag, _ in page.tags) == 8
    assert "Image(empty)" in mitk.Image()._repr_html_()
    evil = type("<script>", (mitk.Image,), {})()
    assert "<script>" not in evil._repr_html_()


def picture_of(image):
    return np.asarray(Pillow.open(io.BytesIO(image._repr_png_())))


def test_png_is_the_projection_true_to_scale():
    voxels = np.zeros((5, 20, 10), np.float32)
    voxels[1, 5:10] = 1
    voxels[3, 0, 0] = np.nan
    picture = picture_of(mitk.Image(voxels, spacing=(2, 1, 1)))
    assert picture.shape == (256, 256)
    assert (picture[72:120] == 255).all()
    assert (picture[:56] == 0).all()
    assert (picture[136:] == 0).all()


def test_png_is_turned_for_radiologists():
    voxels = np.zeros((4, 16, 32), np.uint8)
    voxels[:, :8, :16] = 200
    picture = picture_of(mitk.Image(voxels, direction=np.diag([-1.0, -1.0, 1.0])))
    assert picture.shape == (128, 256)
    assert (picture[70:, 140:] == 255).all()
    assert (picture[:58] == 0).all()


def test_png_of_time_steps_is_that_of_the_first():
    voxels = np.zeros((3, 4, 16, 16), np.int16)
    voxels[0, 2, :8] = 5
    voxels[1:] = 900
    picture = picture_of(mitk.Image(voxels))
    assert (picture[:120] == 255).all()
    assert (picture[136:] == 0).all()


def test_png_of_colours_keeps_them_and_else_shows_the_first_component():
    colour = mitk.Image(np.full((4, 4, 3), (255, 0, 7), np.uint8), components=True)
    assert picture_of(colour)[0, 0].tolist() == [255, 0, 7]
    volume = np.zeros((3, 8, 8, 4), np.uint8)
    volume[1, :4] = (10, 20, 30, 255)
    picture = picture_of(mitk.Image(volume, components=True))
    assert picture.shape == (256, 256, 3)
    assert picture[0, 0].tolist() == [10, 20, 30]
    assert picture[-1, -1].tolist() == [0, 0, 0]
    vectors = np.zeros((3, 8, 8, 2), np.float32)
    vectors[..., 1] = np.arange(8)
    vectors[1, :4, :, 0] = 3
    picture = picture_of(mitk.Image(vectors, components=True))
    assert picture.shape == (256, 256)
    assert (picture[:100] == 255).all()
    assert (picture[160:] == 0).all()


@pytest.mark.parametrize("shape", [(3, 3), (4, 3, 3), (2, 4, 3, 3)])
def test_png_of_what_has_no_contrast_is_black(shape):
    for voxels in (np.full(shape, np.nan), np.full(shape, -7, np.int16)):
        assert not picture_of(mitk.Image(voxels)).any()
    assert mitk.Image()._repr_png_() is None


def test_png_of_a_volume_in_nan_shows_the_volume():
    voxels = np.full((6, 16, 16), np.nan, np.float32)
    voxels[:, 4:12, 4:12] = np.linspace(10, 20, 8)
    picture = picture_of(mitk.Image(voxels))
    assert not picture[:48].any()
    assert picture[128, 80] < 40
    assert picture[128, 175] > 215


def test_png_of_a_2d_image_is_the_image():
    picture = picture_of(mitk.Image(np.repeat([[0.0], [1.0]], 2, axis=1)))
    assert picture.shape == (256, 256)
    assert not picture[:128].any()
    assert (picture[128:] == 255).all()


def test_a_projection_is_shown_upright():
    """A projection is a 2-D image with a direction: the head is at the top, the patient's left on the right."""
    scan = np.zeros((4, 4, 4), np.float32)
    scan[3, :, 3] = 1  # head, left
    along_y = picture_of(mitk.mip(mitk.Image(scan), axis="y"))
    assert (along_y[:64, 192:] == 255).all()
    assert not along_y[64:].any()
    turned = mitk.Image(np.repeat([[0.0], [1.0]], 2, axis=1), direction=np.diag([-1.0, -1.0, 1.0]))
    assert (picture_of(turned)[:128] == 255).all()


def test_weak_references():
    image = mitk.Image(np.arange(4.0).reshape(2, 2))
    reference = weakref.ref(image)
    assert reference() is image
    view = image.array
    del image
    gc.collect()
    assert reference() is None
    assert view[0, 1] == 1


def test_subclassing():
    assert type(mitk.Image()) is mitk.Image
    assert mitk.Image.__module__ == "mitk_rs"
    labelled = Labelled("left", np.ones((2, 3)))
    assert isinstance(labelled, mitk.Image)
    assert labelled.array.shape == (2, 3)
    with pytest.raises(TypeError, match="bogus"):
        Labelled("left", np.ones((2, 3)), bogus=1)


def test_uid_is_an_object_s_own(image):
    assert image.uid == image.uid
    assert len({image.uid, image.copy().uid, mitk.Image().uid}) == 3


@pytest.mark.usefixtures("itk_files")
def test_uid_comes_back_from_a_file(image, tmp_path):
    image.save(tmp_path / "without.nrrd")
    uid = image.uid
    image.save(tmp_path / "with.nrrd")
    assert mitk.Image(tmp_path / "with.nrrd").uid == uid
    assert mitk.Image(tmp_path / "without.nrrd").uid != uid


@pytest.mark.usefixtures("itk_files")
def test_a_loaded_image_shares_its_voxels_with_snapshots(image, tmp_path):
    """What a reader made belongs to the image alone, so that no copy is needed."""
    image.save(tmp_path / "image.nrrd")
    loaded = mitk.Image(tmp_path / "image.nrrd")
    assert np.shares_memory(loaded.snapshot().array, loaded.array)
    loaded[:] = 1


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        (0, np.zeros(7), ValueError),
        ((99, 0, 0), 1, IndexError),
        ("x", 1, IndexError),
        (0, "text", ValueError),
        (0, object(), TypeError),
    ],
)
def test_an_assignment_that_fails_leaves_no_lock(key, value, error):
    image = mitk.Image(np.zeros((2, 3, 4), np.int16))
    with pytest.raises(error) as caught:
        image[key] = value
    # As in a notebook, where the last exception lives on with its frames.
    assert caught.tb is not None
    assert image._leases() == 0
    image[1, 2, 3] = 5
    assert image.array.sum() == 5


def test_a_tolerance_beyond_the_type_of_the_voxels_is_infinite():
    zeros, others = mitk.Image(np.zeros((2, 3), "f4")), mitk.Image(np.full((2, 3), 9, "f4"))
    assert zeros.equals(others, atol=1e300)
    assert zeros.equals(others, rtol=1e300)
    assert not others.equals(zeros, rtol=1e300)
