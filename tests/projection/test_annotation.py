"""What is around pictures: ticks are where voxels are, no pixel of the picture changes, contact sheets are full."""

import itertools

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.projection import axis_picture
from mitk_rs.projection.annotation import Annotations

TEXT = (230, 230, 230)
VOXEL = (20, 10, 30)
DIRECTIONS = [np.eye(3), np.diag([-1.0, -1, 1]), np.eye(3)[[1, 2, 0]], -np.eye(3)[[2, 1, 0]]]


@pytest.mark.parametrize(("axis", "direction"), list(itertools.product(range(3), DIRECTIONS)))
def test_ticks_are_where_voxels_are(axis, direction):
    """The bright voxel, whose indices have ticks, is in the row and in the column of one."""
    voxels = np.zeros((40, 30, 40), np.int16)
    voxels[VOXEL[::-1]] = 100
    image = mitk.Image(voxels, direction=direction)
    picture = axis_picture(image, axis=axis, annotations=Annotations(ticks=True))
    plain = axis_picture(image, axis=axis)
    left, top = picture.origin
    height, width = plain.pixels.shape
    inside = picture.pixels[top : top + height, left : left + width]
    np.testing.assert_array_equal(inside, plain.coloured())
    centre = np.argwhere(inside[..., 0] == 255).mean(axis=0)
    below = picture.pixels[top + height + 2, left : left + width]
    beside = picture.pixels[top : top + height, left - 3]
    columns, rows = (np.flatnonzero((line == TEXT).all(axis=-1)) for line in (below, beside))
    assert np.abs(columns - centre[1]).min() <= 1
    assert np.abs(rows - centre[0]).min() <= 1
    # Every second voxel at most has a tick across, and the first one always has.
    assert 4 <= len(columns) <= 20


def test_letters_and_scale_are_around_the_picture():
    image = mitk.Image(np.random.default_rng(1).random((20, 30, 40)), spacing=(1, 1, 2))
    plain = axis_picture(image, axis="y")
    around = axis_picture(image, axis="y", annotations=Annotations(letters=True, ticks=True, color_bar=True))
    left, top = around.origin
    height, width = plain.pixels.shape
    np.testing.assert_array_equal(around.pixels[top : top + height, left : left + width], plain.coloured())
    assert (plain.view.letters["left"], plain.view.letters["top"]) == ("R", "S")
    for side in (around.pixels[:, :26], around.pixels[:26], around.pixels[-18:]):
        assert (side == TEXT).all(axis=-1).any()
    bar = np.flatnonzero((around.pixels[-12] == TEXT).all(axis=-1))
    run = bar[: np.argmax(np.append(np.diff(bar), 9) > 1) + 1]
    assert abs(len(run) * around.mm - 10) < 0.2
    sized = axis_picture(image, axis="y", size=(400, 300), annotations=Annotations(letters=True, ticks=True))
    assert sized.pixels.shape == (300, 400, 3)


def test_small_scans_are_enlarged_by_whole_numbers():
    values = np.random.default_rng(4).random((3, 50, 100)).astype(np.float32)
    small = axis_picture(mitk.Image(values, spacing=(0.5, 1, 1)), axis="z")
    assert small.pixels.shape == (6 * 100, 6 * 100)
    assert small.mm == pytest.approx(0.5 / 6)
    wide = axis_picture(mitk.Image(np.zeros((2, 8, 600), np.uint8)), axis="z")
    assert wide.pixels.shape == (8, 600)


def test_nothing_of_a_hole_spreads_into_its_neighbours():
    values = np.full((1, 8, 8), 5.0, np.float32)
    values[0, :, 4:] = np.nan
    picture = axis_picture(mitk.Image(values), axis="z", size=64).pixels
    flat = axis_picture(mitk.Image(np.where(np.isnan(values), 0, values)), axis="z", size=64).pixels
    assert (picture[:, 32:] == 0).all()
    assert len(np.unique(picture[:, :32])) == 1
    assert flat[:, 26].max() == 255


def test_a_contact_sheet_of_thin_pictures_stacks_them():
    """Side by side, a fifth of the sheet would be pictures."""
    thin = mitk.montage(mitk.Image(np.full((34, 390, 150), 7, np.int16)), window=1, level=3)
    assert (thin == 255).all(axis=-1).mean() > 0.3
    cube = mitk.montage(mitk.Image(np.full((40, 40, 40), 7, np.int16)), window=1, level=3)
    assert cube.shape[1] > 2 * cube.shape[0]


@pytest.mark.parametrize("size", [(800, 600), (300, 900), (900, 300)])
@pytest.mark.parametrize("shape", [(34, 390, 150), (40, 40, 40), (200, 20, 20)])
def test_a_contact_sheet_has_the_size_that_is_asked_for(size, shape):
    sheet = mitk.montage(mitk.Image(np.full(shape, 7, np.int16)), window=1, level=3, size=size)
    assert sheet.shape == (size[1], size[0], 3)
    # All three pictures are on it, in one scale.
    mm = np.sqrt(sum(np.prod(shape) / length for length in shape) / (sheet == 255).all(axis=-1).sum())
    row = mitk.montage(mitk.Image(np.full(shape, 7, np.int16)), window=1, level=3, size=(size[0] // 2, size[1] // 2))
    small = np.sqrt(sum(np.prod(shape) / length for length in shape) / (row == 255).all(axis=-1).sum())
    assert 1.5 < small / mm < 3.5
