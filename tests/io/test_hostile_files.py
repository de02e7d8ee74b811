"""Damaged and malicious files give one clear error that names the file and the field; nothing is printed."""

import gzip
import os
import resource
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import mitk_rs as mitk

VOXELS = np.random.default_rng(3).integers(0, 1000, (30, 40, 50)).astype("i2")


def write_damaged(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def meta(spacing="1 1 1", size="4 4 4", **fields):
    given = {
        "NDims": "3",
        "BinaryData": "True",
        "CompressedData": "False",
        "TransformMatrix": "1 0 0 0 1 0 0 0 1",
        "Offset": "0 0 0",
        "ElementSpacing": spacing,
        "DimSize": size,
        "ElementType": "MET_SHORT",
        **fields,
        "ElementDataFile": "LOCAL",
    }
    header = "".join(f"{name} = {value}\n" for name, value in {"ObjectType": "Image", **given}.items())
    return header.encode() + bytes(128)


def nrrd(directions="(1,0,0) (0,1,0) (0,0,1)", size="4 4 4", origin="(1,2,3)", kind="short"):
    lines = (
        f"NRRD0004|type: {kind}|dimension: 3|space: left-posterior-superior|sizes: {size}",
        f"space directions: {directions}|kinds: domain domain domain|endian: little|encoding: raw",
        f"space origin: {origin}||",
    )
    return "|".join(lines).replace("|", "\n").encode() + bytes(128)


def nifti(tmp_path, *changes):
    path = tmp_path / "whole.nii"
    mitk.Image(VOXELS).save(path)
    content = bytearray(path.read_bytes())
    for at, code, value in changes:
        struct.pack_into(code, content, at, value)
    return bytes(content)


def vti(tmp_path, old, new):
    path = tmp_path / "whole.vti"
    mitk.Image(VOXELS, spacing=(0.75, 1, 1)).save(path)
    content = path.read_bytes()
    assert old in content
    return content.replace(old, new)


BAD_HEADERS = {
    "negative.mha": (meta(spacing="-1 1 1"), "field spacing"),
    "zero.mha": (meta(spacing="0 1 1"), "field spacing"),
    "nan.mha": (meta(spacing="nan 1 1"), "field spacing"),
    "origin.mha": (meta(Offset="inf 0 0"), "field Offset is 'inf 0 0'"),
    "singular.mha": (meta(TransformMatrix="1 0 0 1 0 0 0 0 1"), "field direction"),
    "terabytes.mha": (meta(size="40000 40000 40000"), "field size is 40000 x 40000 x 40000 int16, 128000000000000"),
    "overflow.mha": (meta(size="4294967296 4294967296 4294967296"), "field size"),
    "negative_size.mha": (meta(size="-4 4 4"), "field size"),
    "empty_axis.mha": (meta(size="0 4 4"), "at least one voxel"),
    "text.mha": (meta(size="a b c"), "cannot read"),
    "one_dimension.mha": (meta(size="4", NDims="1", TransformMatrix="1", Offset="0", ElementSpacing="1"), "dimensions"),
    "zero.nrrd": (nrrd("(0,0,0) (0,1,0) (0,0,1)"), "field"),
    "nan.nrrd": (nrrd("(nan,0,0) (0,1,0) (0,0,1)"), "space vector"),
    "singular.nrrd": (nrrd("(1,0,0) (1,0,0) (0,0,1)"), "field direction"),
    "terabytes.nrrd": (nrrd(size="40000 40000 40000"), "field size"),
    "no_data.nhdr": (nrrd().replace(b"raw\n", b"raw\ndata file: nothing.raw\n"), "cannot read"),
    "garbage.png": ("hello" * 50, "in no format"),
    "garbage.mha": ("hello" * 50, "in no format"),
    "garbage.unknown": ("hello" * 50, "in no format"),
    "garbage.jpg": ("hello" * 50, "JPEG"),
    "garbage.vti": ("hello" * 50, "syntax error"),
    "garbage.vtk": ("hello" * 50, "Unrecognized file type"),
    "garbage.npy": ("hello" * 50, "cannot read"),
    "surface.vtk": ("# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\nPOINTS 1 float\n0 0 0\n", "polydata"),
    "other.vti": ('<?xml version="1.0"?><VTKFile type="PolyData"></VTKFile>', "ImageData"),
}


@pytest.mark.parametrize("name", BAD_HEADERS)
def test_a_bad_header_is_named(tmp_path, name):
    content, field = BAD_HEADERS[name]
    assert_refused(write_damaged(tmp_path, name, content), field)


def assert_refused(path, message):
    for reader in (mitk.Image, mitk.io.read_record):
        with pytest.raises(mitk.FileError) as caught:
            reader(path)
        text = str(caught.value)
        assert message in text
        assert str(path) in text
        assert "\n" not in text
        assert len(text) < 500


NIFTI_CHANGES = {
    "negative": ([(80, "<f", -1.0)], "field spacing"),
    "zero": ([(80, "<f", 0.0)], r"field pixdim[1] is 0"),
    "nan": ([(84, "<f", float("nan"))], r"field pixdim[2] is nan"),
    "dimensions": ([(40, "<h", 9)], "cannot read"),
    "negative_size": ([(42, "<h", -5)], "cannot read"),
    "terabytes": ([(42, "<h", 32000), (44, "<h", 32000), (46, "<h", 32000)], "field size is 32000 x 32000 x 32000"),
    "too_large": ([(46, "<h", 31)], "truncated: the header needs 124352 bytes, there are 120352"),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", NIFTI_CHANGES)
def test_a_bad_nifti_header_is_named(tmp_path, name, packed):
    changes, field = NIFTI_CHANGES[name]
    content = nifti(tmp_path, *changes)
    path = tmp_path / (name + (".nii.gz" if packed else ".nii"))
    assert_refused(write_damaged(tmp_path, path.name, gzip.compress(content) if packed else content), field)


VTI_CHANGES = {
    "zero": (b'Spacing="0.75', b'Spacing="0.00', "field spacing"),
    "negative": (b'Spacing="0.75', b'Spacing="-.75', "field spacing"),
    "nan": (b'Spacing="0.75', b'Spacing="nan ', "field Spacing"),
    "direction": (b'Direction="1', b'Direction="x', "field Direction"),
    "extent": (b"0 49 0 39 0 29", b"0 49 0 39 0 99", "cannot read"),
    "terabytes": (b"0 49 0 39 0 29", b"0 40000 0 40000 0 40000", "field extent"),
}


@pytest.mark.parametrize("name", VTI_CHANGES)
def test_a_bad_vti_header_is_named(tmp_path, name):
    old, new, field = VTI_CHANGES[name]
    assert_refused(write_damaged(tmp_path, "x.vti", vti(tmp_path, old, new)), field)


SUFFIXES = [
    ".mha",
    ".mhd",
    ".nrrd",
    ".nhdr",
    ".nii",
    ".nii.gz",
    ".hdr",
    ".vti",
    ".vtk",
    ".tif",
    ".png",
    ".jpg",
    ".bmp",
    ".npy",
]


@pytest.mark.parametrize("compress", [True, False])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_truncated_file_is_refused(tmp_path, suffix, compress):
    flat = suffix in {".png", ".jpg", ".bmp"}
    image = mitk.Image(VOXELS[0].astype("u1")) if flat else mitk.Image(VOXELS)
    path = tmp_path / f"x{suffix}"
    mitk.io.write_image(image, path, compress=compress)
    data = max(tmp_path.iterdir(), key=lambda file: file.stat().st_size)
    whole = data.read_bytes()
    for kept in (0.97, 0.6):
        data.write_bytes(whole[: int(len(whole) * kept)])
        with pytest.raises(mitk.FileError, match="cannot read"):
            mitk.Image(path)
    data.write_bytes(b"")
    with pytest.raises(mitk.FileError):
        mitk.Image(path)


def test_a_neighbour_is_not_taken_for_the_file(tmp_path):
    """The library behind ITK reads the voxels of x.nii when asked for x.nii.gz."""
    names = ["x.nii", "x.nii.gz", "x.hdr", "x.hdr.gz"]
    for number, name in enumerate(names):
        mitk.Image(np.full((3, 4, 5), number, "u1")).save(tmp_path / name)
    assert [int(mitk.Image(tmp_path / name).array[0, 0, 0]) for name in names] == [0, 1, 2, 3]


def test_what_is_no_file_is_said(tmp_path):
    (tmp_path / "loop.mha").symlink_to(tmp_path / "loop.mha")
    os.mkfifo(tmp_path / "pipe.mha")
    (tmp_path / "empty.mha").touch()
    for path, kind, reason in (
        (tmp_path / "missing.mha", mitk.FileMissingError, "no such file"),
        (tmp_path / "loop.mha", mitk.FileError, "symbolic links"),
        (tmp_path / "pipe.mha", mitk.FileError, "not a regular file"),
        (tmp_path / "empty.mha", mitk.FileError, r"empty \(0 bytes\)"),
        ("https://example.org/x.mha", mitk.FileError, "download"),
        ("nul\0.mha", mitk.FileError, "not a file name"),
    ):
        with pytest.raises(kind, match=reason):
            mitk.Image(path)


def test_a_missing_file_is_a_file_not_found_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        mitk.Image(tmp_path / "missing.nrrd")
    with pytest.raises(ValueError, match="no such file"):
        mitk.io.read_info(tmp_path / "missing.nrrd")


def test_types_that_no_image_has_are_refused(tmp_path):
    import SimpleITK as sitk

    path = tmp_path / "complex.nii"
    sitk.WriteImage(sitk.Cast(sitk.GetImageFromArray(VOXELS), sitk.sitkComplexFloat32), path)
    assert_refused(path, "complex")
    np.save(tmp_path / "objects.npy", np.array([[{}]]), allow_pickle=True)
    assert_refused(tmp_path / "objects.npy", "cannot read")
    np.save(tmp_path / "line.npy", np.zeros(3))
    assert_refused(tmp_path / "line.npy", "1 axes")


def test_too_little_memory_is_a_memory_error_with_the_number_of_bytes(tmp_path):
    """8 GB that the file really has (as a hole), in a process that may have 4."""
    path = write_damaged(tmp_path, "large.mha", meta(size="2000 2000 1000"))
    os.truncate(path, path.stat().st_size + 8_000_000_000)
    code = "import sys, mitk_rs\ntry:\n mitk_rs.Image(sys.argv[1])\nexcept MemoryError as error:\n print(error)"
    done = subprocess.run(
        [sys.executable, "-c", code, path],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )
    assert done.stdout == f"cannot read {path}: not enough memory for the 8000000000 bytes of its voxels\n"
    assert done.stderr == ""


def test_nothing_is_printed_about_hostile_files(tmp_path):
    """Libraries print on the descriptors themselves, so only a process of its own shows it."""
    paths = [write_damaged(tmp_path, name, content) for name, (content, _) in BAD_HEADERS.items()]
    for suffix in SUFFIXES:
        image = mitk.Image(VOXELS[0].astype("u1")) if suffix in {".png", ".jpg", ".bmp"} else mitk.Image(VOXELS)
        image.save(tmp_path / f"t{suffix}")
    for file in list(tmp_path.glob("t.*")):
        whole = file.read_bytes()
        file.write_bytes(whole[: len(whole) * 2 // 3])
        paths.append(file)
    code = """
        import sys, mitk_rs
        for path in sys.argv[1:]:
            try:
                mitk_rs.Image(path)
            except mitk_rs.FileError:
                continue
            sys.exit(path)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *paths],
        capture_output=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (16 << 30, 16 << 30)),
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
