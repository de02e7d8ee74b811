"""A scan has one orientation and one grey mapping, whoever draws it."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image as Pillow

import mitk_rs as mitk
from mitk_rs.projection import axis_picture, write_animation, write_picture
from mitk_rs.projection.drawing import mid_slices
from mitk_rs.projection.picture import Shades, in_window, to_grey

DIRECTIONS = [
    np.array(signs)[:, np.newaxis] * np.eye(3)[list(order)]
    for order in ((0, 1, 2), (1, 2, 0), (2, 1, 0))
    for signs in itertools.product((1.0, -1.0), repeat=3)
]


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("direction", DIRECTIONS, ids=lambda matrix: "".join(f"{v:+.0f}" for v in matrix.sum(axis=0)))
def test_slices_in_notebooks_are_turned_like_projections(direction, axis):
    """Of a volume that is the same all along an axis, the middle slice is the projection."""
    size = [9, 7, 5]
    plane = np.random.default_rng(5).random([1 if number == 2 - axis else n for number, n in enumerate(size)])
    image = mitk.Image(np.ascontiguousarray(np.broadcast_to(plane, size)), spacing=(1, 2, 1.5), direction=direction)
    projected = axis_picture(image, axis=axis, size=256)
    left, top = projected.origin
    slice_ = mid_slices(image)[2 - axis]
    expected = projected.pixels[top : top + slice_.shape[0], left : left + slice_.shape[1]]
    assert max(slice_.shape) == 256
    np.testing.assert_array_equal(slice_, expected)


def test_the_head_is_up_in_coronal_and_sagittal_slices():
    voxels = np.zeros((20, 30, 40), np.int16)
    voxels[15:] = 100
    _, coronal, sagittal = mid_slices(mitk.Image(voxels))
    for picture in (coronal, sagittal):
        assert picture[: picture.shape[0] // 5].min() == 255
        assert picture[picture.shape[0] // 2 :].max() == 0


def test_grey_is_the_place_in_the_window():
    values = np.array([-np.inf, -1.0, 0.0, 25.0, 50.0, 100.0, 200.0, np.inf, np.nan])
    shares = in_window(values, 0, 100)
    np.testing.assert_array_equal(shares, [0, 0, 0, 0.25, 0.5, 1, 1, 1, 0])
    np.testing.assert_array_equal(to_grey(values, 0, 100), np.floor(shares * 255 + 0.5))
    np.testing.assert_array_equal(Shades(window=100, level=50).apply(values), to_grey(values, 0, 100))
    np.testing.assert_array_equal(in_window(np.array([4.0, 5.0, 6.0]), 5, 5), [0, 0, 1])


def test_a_picture_in_a_notebook_is_the_one_in_a_file(tmp_path):
    image = mitk.Image(np.arange(3000).reshape(10, 15, 20).astype(np.float32))
    shown = np.asarray(Pillow.open(io.BytesIO(image._repr_png_())))
    write_picture(shown, tmp_path / "picture.png")
    np.testing.assert_array_equal(np.asarray(Pillow.open(tmp_path / "picture.png")), shown)
    size = shown.shape[::-1]
    np.testing.assert_array_equal(shown, axis_picture(image, size=size).pixels)


@pytest.mark.parametrize(
    ("frames", "seconds", "kind", "words"),
    [
        ([], 1, mitk.RequestError, "frames must be one or more pictures"),
        ([()], 1, TypeError, r"write_animation: frames\[0\] must be a numpy array, got tuple"),
        (5, 1, TypeError, "write_animation: frames must be a list of arrays"),
        ([np.zeros((3, 4))], 1, mitk.RequestError, r"frames\[0\] must be grey \(uint8, shape \(y, x\)\) or RGB"),
        ([np.zeros((3, 4), "u1"), np.zeros((4, 3), "u1")], 1, mitk.RequestError, "of the same shape"),
        ([np.zeros((3, 4), "u1")], np.inf, mitk.RequestError, "seconds is inf"),
        ([np.zeros((3, 4), "u1")], "long", TypeError, "write_animation: seconds must be a number"),
    ],
)
@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_what_is_not_an_animation_is_refused(tmp_path, frames, seconds, kind, words, suffix):
    with pytest.raises(kind, match=words):
        write_animation(frames, tmp_path / f"x{suffix}", seconds=seconds)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_frames_last_as_long_as_the_format_can_say(tmp_path, suffix):
    black = np.zeros((32, 32), "u1")
    write_animation([black, black + 255], tmp_path / f"x{suffix}", seconds=1e300)
    with Pillow.open(tmp_path / f"x{suffix}") as picture:
        lasts = 0
        for number in range(2):
            picture.seek(number)
            picture.load()
            lasts += picture.info["duration"]
        assert lasts >= 655_000


@pytest.mark.parametrize(
    ("pixels", "kind", "words"),
    [
        ([1, 2], TypeError, "write_picture: pixels must be a numpy array, got list"),
        (np.zeros((3, 4), "f4"), mitk.RequestError, "pixels must be grey .uint8 or uint16, shape .y, x.. or RGB"),
        (np.zeros((3, 0), "u1"), mitk.RequestError, "got uint8 of shape .3, 0."),
        (np.zeros((3, 4, 2), "u1"), mitk.RequestError, "got uint8 of shape .3, 4, 2."),
    ],
)
def test_what_is_not_a_picture_is_refused(tmp_path, pixels, kind, words):
    with pytest.raises(kind, match=words):
        write_picture(pixels, tmp_path / "x.png")
    assert not list(tmp_path.iterdir())
