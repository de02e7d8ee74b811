"""Images and names at the edge of what formats know: axes of length 1, names, endings in capital letters."""

import sys
from types import ModuleType

import numpy as np
import pytest
from file_formats import HOLDS, smooth

import mitk_rs as mitk
from mitk_rs.io import read_image, write_image

EXACT_AXES = [".mha", ".mhd", ".nrrd", ".nhdr", ".npy"]
SHAPES = [(1, 1), (1, 5), (4, 1), (1, 1, 1), (1, 4, 5), (3, 1, 1), (1, 3, 4, 5), (2, 1, 4, 5), (1, 1, 1, 1)]


def counting(shape, components=1):
    shape = shape + ((components,) if components > 1 else ())
    return mitk.Image(np.arange(np.prod(shape), dtype="u1").reshape(shape), components=components > 1)


def refused(image, path):
    """The message if the format does not take the image."""
    try:
        write_image(image, path)
    except mitk.FileError as error:
        return str(error)
    return None


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("suffix", EXACT_AXES)
def test_axes_of_length_1_are_kept(suffix, shape, components, tmp_path):
    components = min(components, HOLDS[suffix].components[-1])
    image = counting(shape, components)
    write_image(image, tmp_path / f"image{suffix}")
    back = read_image(tmp_path / f"image{suffix}")
    assert back.shape == image.shape
    assert np.array_equal(back.array, image.array)


@pytest.mark.parametrize("components", [1, 3])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("suffix", [".nii", ".hdr.gz", ".vti", ".vtk", ".tif"])
def test_axes_of_length_1_are_kept_or_told_as_lost_or_refused(suffix, shape, components, tmp_path, caplog):
    image, path = counting(shape, components), tmp_path / f"image{suffix}"
    refusal = refused(image, path)
    if refusal:
        assert "cannot hold" in refusal
        assert not any(tmp_path.iterdir())
        return
    back = read_image(path)
    assert np.array_equal(back.array.ravel(), image.array.ravel())
    assert (back.shape == image.shape) is not ("axes of length 1" in caplog.text)


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".jpg", ".tif"])
def test_one_slice_goes_into_a_picture(suffix, tmp_path, caplog):
    slice_ = mitk.Image(smooth(3)[np.newaxis], components=True)
    write_image(slice_, tmp_path / f"image{suffix}")
    back = read_image(tmp_path / f"image{suffix}")
    assert back.shape == slice_.shape[1:]
    assert np.abs(back.array.astype(int) - slice_.array[0].astype(int)).max() <= (12 if suffix == ".jpg" else 0)
    assert "does not keep axes of length 1" in caplog.text


def test_components_in_a_single_row_are_refused_by_nifti(tmp_path):
    with pytest.raises(mitk.FileError, match=r"NIfTI cannot hold several components in a single row of voxels; \.mha"):
        write_image(counting((1, 5), 3), tmp_path / "image.nii")


STEMS = [
    "with blank",
    "Umläut 日本",
    "a.b.c",
    "quote'\"",
    "semi;colon",
    "-dash",
    "back\\slash",
    "#hash",
    "trail ",
]


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize(
    "suffix", [".mha", ".mhd", ".nrrd", ".nhdr", ".nii.gz", ".hdr", ".vti", ".vtk", ".tif", ".npy"]
)
def test_names_are_taken_as_they_are(suffix, stem, tmp_path):
    image = counting((3, 4, 5))
    write_image(image, tmp_path / f"{stem}{suffix}")
    assert np.array_equal(read_image(tmp_path / f"{stem}{suffix}").array, image.array)


@pytest.mark.parametrize("name", ["50%.mha", "%d.nrrd", "50%.hdr", "line\nfeed.vti", " lead.nii.gz", "tab\t.img.gz"])
def test_names_that_no_header_repeats_may_be_anything(name, tmp_path):
    image = counting((3, 4, 5))
    write_image(image, tmp_path / name)
    assert np.array_equal(read_image(tmp_path / name).array, image.array)


@pytest.mark.parametrize("name", [" lead.nhdr", " lead.mhd", "line\nfeed.nhdr", "tab\t.mhd", "%d.nhdr", "50%.mhd"])
def test_names_that_a_header_cannot_repeat_are_refused(name, tmp_path):
    with pytest.raises(mitk.FileError, match="header cannot name a data file"):
        write_image(counting((3, 4, 5)), tmp_path / name)
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    "suffix", [".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz", ".vti", ".vtk", ".tif", ".npy"]
)
@pytest.mark.parametrize("change", [str.upper, str.title], ids=["upper", "title"])
def test_endings_may_have_capital_letters(suffix, change, tmp_path):
    image, path = counting((3, 4, 5)), tmp_path / f"Image{change(suffix)}"
    write_image(image, path)
    assert path.exists()
    assert np.array_equal(read_image(path).array, image.array)


def test_a_pair_in_capital_letters_is_refused(tmp_path):
    with pytest.raises(mitk.FileError, match="the endings of a NIfTI pair must be in small letters"):
        write_image(counting((3, 4, 5)), tmp_path / "image.HDR")


@pytest.mark.parametrize(
    "suffix", [".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz", ".hdr", ".vti", ".vtk", ".tif"]
)
@pytest.mark.parametrize("kind", ["f4", "f8"])
@pytest.mark.parametrize("components", [1, 2])
def test_numbers_that_are_not_finite_come_back(suffix, kind, components, tmp_path):
    if kind not in HOLDS[suffix].types:
        kind = "f4"
    array = np.arange(60.0 * components, dtype=kind).reshape((3, 4, 5) + ((components,) if components > 1 else ()))
    array.ravel()[[0, 7, 31, -1]] = np.nan, np.inf, -np.inf, -0.0
    write_image(mitk.Image(array, components=components > 1), tmp_path / f"image{suffix}")
    back = read_image(tmp_path / f"image{suffix}").array
    assert np.array_equal(back, array, equal_nan=True)
    assert np.signbit(back.ravel()[-1])


def test_an_array_is_taken_while_another_thread_loads_masked_arrays(monkeypatch):
    """The module is in ``sys.modules`` before it has its class."""
    monkeypatch.setitem(sys.modules, "numpy.ma", ModuleType("numpy.ma"))
    assert mitk.Image(np.zeros((3, 4, 5), "i2")).shape == (3, 4, 5)
