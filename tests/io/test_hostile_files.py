"""Damaged and malicious files give one clear error that names the file and the field; nothing is printed."""

import contextlib
import errno
import gzip
import os
import re
import resource
import struct
import subprocess
import sys
import textwrap
import tracemalloc
import zlib
from pathlib import Path

import dicom_files
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
    "negative.mha": (meta(spacing="-1 1 1"), "field ElementSpacing has a length of -1"),
    "zero.mha": (meta(spacing="0 1 1"), "field ElementSpacing has a length of 0"),
    "nan.mha": (meta(spacing="nan 1 1"), "field ElementSpacing is 'nan 1 1'"),
    "origin.mha": (meta(Offset="inf 0 0"), "field Offset is 'inf 0 0'"),
    "singular.mha": (meta(TransformMatrix="1 0 0 1 0 0 0 0 1"), "field direction"),
    "terabytes.mha": (meta(size="40000 40000 40000"), "field size is 40000 x 40000 x 40000 int16, 128000000000000"),
    "overflow.mha": (meta(size="4294967296 4294967296 4294967296"), "more than any file can hold"),
    "negative_size.mha": (meta(size="-4 4 4"), "field size is -4 x 4 x 4"),
    "empty_axis.mha": (meta(size="0 4 4"), "at least one voxel"),
    "text.mha": (meta(size="a b c"), "field DimSize is 'a b c', it must be 3 whole numbers"),
    "one_dimension.mha": (meta(size="4", NDims="1", TransformMatrix="1", Offset="0", ElementSpacing="1"), "dimensions"),
    "zero.nrrd": (nrrd("(0,0,0) (0,1,0) (0,0,1)"), "field"),
    "nan.nrrd": (nrrd("(nan,0,0) (0,1,0) (0,0,1)"), "field space directions is 'nan 0 0'"),
    "singular.nrrd": (nrrd("(1,0,0) (1,0,0) (0,0,1)"), "field direction"),
    "terabytes.nrrd": (nrrd(size="40000 40000 40000"), "field size"),
    "no_data.nhdr": (nrrd().replace(b"raw\n", b"raw\ndata file: nothing.raw\n"), "'nothing.raw': no such file"),
    "garbage.png": ("hello" * 50, "not a PNG picture"),
    "garbage.mha": ("hello" * 50, "not 'name = value'"),
    "garbage.unknown": ("hello" * 50, "in no format"),
    "garbage.jpg": ("hello" * 50, "JPEG"),
    "garbage.vti": ("hello" * 50, "syntax error"),
    "garbage.vtk": ("hello" * 50, "# vtk DataFile Version"),
    "garbage.npy": ("hello" * 50, r"it does not begin with \x93NUMPY"),
    "surface.vtk": (
        "# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\nPOINTS 1 float\n0 0 0\n",
        "no DATASET STRUCTURED_POINTS",
    ),
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
    "negative": ([(80, "<f", -1.0)], "field pixdim[1] is -1, it must be above 0"),
    "zero": ([(80, "<f", 0.0)], r"field pixdim[1] is 0"),
    "nan": ([(84, "<f", float("nan"))], r"field pixdim[2] is nan"),
    "dimensions": ([(40, "<h", 9)], "field dim[0] is 9, it must be 1 to 7"),
    "negative_size": ([(42, "<h", -5)], "field dim[1] is -5"),
    "terabytes": ([(42, "<h", 32000), (44, "<h", 32000), (46, "<h", 32000)], "field size is 32000 x 32000 x 32000"),
    "too_large": ([(46, "<h", 31)], "the file is truncated: "),
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
    "extent": (b"0 49 0 39 0 29", b"0 49 0 39 0 99", "are needed"),
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
        (b"\x89" * 40_000, mitk.FileError, "40000 letters are not the name of a file; give the content of a file"),
        ("x" * 40_000, mitk.FileError, r"\.\.\.: 40000 letters are not the name of a file$"),
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


# --- never voxels that the file does not hold --------------------------------------------------------------------


def packed_meta(data, size="4 4 40", **fields):
    """A compressed MetaImage with any data."""
    header = meta(size=size, CompressedData="True", **fields)
    return header[: header.index(b"LOCAL") + 6] + data


NUMBERS = np.random.default_rng(7).integers(0, 255, 1280).astype("u1").tobytes()
PACKED = zlib.compress(NUMBERS)


def vti_of(pieces, whole="0 9 0 9 0 9"):
    """A .vti file of 10 x 10 x 10 voxels, of pieces given by their extents."""
    text = ""
    for extent in pieces:
        a, b, c, d, e, f = map(int, extent.split())
        count = (b - a + 1) * (d - c + 1) * (f - e + 1)
        array = f'<DataArray type="Int16" Name="s" format="ascii">{" ".join("7" * count)}</DataArray>'
        text += f'<Piece Extent="{extent}"><PointData Scalars="s">{array}</PointData></Piece>'
    grid = f'<ImageData WholeExtent="{whole}" Origin="0 0 0" Spacing="1 1 1">{text}</ImageData>'
    return f'<?xml version="1.0"?><VTKFile type="ImageData" version="0.1" byte_order="LittleEndian">{grid}</VTKFile>'


def vtk_text(numbers, end="\n", spacing="1 1 1"):
    header = f"# vtk DataFile Version 3.0\nx\nASCII\nDATASET STRUCTURED_POINTS\nDIMENSIONS 2 2 2\nSPACING {spacing}\n"
    return header + "ORIGIN 0 0 0\nPOINT_DATA 8\nSCALARS s short\nLOOKUP_TABLE default\n" + numbers + end


NOT_HELD = {
    "stream ends early.mha": (packed_meta(PACKED[:-100]), "truncated"),
    "stream is short.mha": (packed_meta(zlib.compress(NUMBERS[:128])), "its voxels need 1280 bytes, there are 128"),
    "size lies.mha": (packed_meta(PACKED, CompressedDataSize="100"), "truncated"),
    "checksum.mha": (packed_meta(PACKED[:-1] + bytes([PACKED[-1] ^ 1])), "the compressed data are damaged"),
    "text is short.mha": (
        meta(BinaryData="False", size="4 4 4").replace(bytes(128), b"111 222 333 " * 20),
        "64 numbers are needed, there are 60",
    ),
    "text is no number.mha": (
        meta(BinaryData="False", size="4 4 4").replace(bytes(128), b"1 2 x " * 22),
        "not all of type int16",
    ),
    "text cut in its last number.mha": (
        meta(BinaryData="False", size="4 4 4").replace(bytes(128), b"111 " * 63 + b"11"),
        "no space or end of line follows the last number",
    ),
    "text is too large.mha": (
        meta(BinaryData="False", size="4 4 4").replace(bytes(128), b"70000 " * 64),
        "not all of type int16",
    ),
    "raw is short.mha": (meta(size="4 4 5"), "160 bytes, but there are only 128 bytes of data"),
    "raw.nrrd": (nrrd(size="4 4 5"), "160 bytes, but there are only 128 bytes of data"),
    "gzip.nrrd": (
        nrrd().replace(b"raw", b"gzip")[:-128] + gzip.compress(bytes(64)),
        "its voxels need 128 bytes, there are 64",
    ),
    "hex.nrrd": (nrrd().replace(b"raw", b"hex")[:-128] + b"00" * 100 + b"\n" * 80, "need 128 bytes, there are 100"),
    "ascii.nrrd": (nrrd().replace(b"raw", b"ascii")[:-128] + b"100 " * 63, "64 numbers are needed, there are 63"),
    "cut in its last number.nrrd": (nrrd().replace(b"raw", b"ascii")[:-128] + b"100 " * 63 + b"1", "follows the last"),
    "pieces leave a part out.vti": (vti_of(["0 1 0 1 0 1"]), "its 1 pieces do not cover the extent"),
    "pieces leave a gap.vti": (vti_of(["0 9 0 9 0 3", "0 9 0 9 5 9"]), "its 2 pieces do not cover the extent"),
    "piece elsewhere.vti": (vti_of(["20 29 0 9 0 9"]), "its 1 pieces do not cover the extent"),
    "no piece.vti": (vti_of([]), "its 0 pieces do not cover the extent"),
    "too few numbers.vti": (vti_of(["0 9 0 9 0 9"]).replace("7 7", "7", 1), "has 999 numbers, 1000 are needed"),
    "cut in its last number.vtk": (vtk_text("1 2 3 4 5 6 7 18", end=""), "no end of line follows the last number"),
    "too few numbers.vtk": (vtk_text("1 2 3 4 5 6 7"), "needs 8 numbers"),
    "number out of range.vtk": (vtk_text("1 2 3 4 5 6 7 70000"), "not of type int16"),
}


@pytest.mark.parametrize("name", NOT_HELD)
def test_voxels_that_the_file_does_not_hold_are_refused(tmp_path, name):
    content, message = NOT_HELD[name]
    assert_refused(write_damaged(tmp_path, name, content), message)


def test_a_detached_nrrd_header_cut_within_a_line_is_refused(tmp_path):
    path = tmp_path / "x.nhdr"
    image = mitk.Image(VOXELS)
    image.set_property("Patient.Name", "Doe")
    image.save(path)
    whole = path.read_bytes()
    assert whole.endswith(b"Doe\n")
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        if not whole[:length].endswith(b"\n"):
            assert_refused(path, "")
    path.write_bytes(whole[:-1])
    assert_refused(path, "the last line of its header does not end")


def vti_with_texts(tmp_path, old, new, *, compress):
    """A .vti file with one text, changed where it says how that is stored."""
    path = tmp_path / "x.vti"
    image = mitk.Image(VOXELS)
    image.set_property("Patient.Name", "Doe")
    mitk.io.write_image(image, path, compress=compress)
    content, found = re.subn(old, new, path.read_bytes(), count=1)
    assert found == 1
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("compress", [True, False])
def test_texts_that_a_vti_does_not_hold_are_refused(tmp_path, compress):
    for count in (b"4294967296", b"9"):
        path = vti_with_texts(tmp_path, b'NumberOfTuples="1"', b'NumberOfTuples="%b"' % count, compress=compress)
        message = "texts, 9 are needed" if count == b"9" else "has 4294967296 texts, 1048576 are possible"
        assert_refused(path, message)


def test_more_texts_than_a_vti_says_are_refused(tmp_path):
    """VTK would write them behind the memory that it took for those that the file says."""
    path = vti_with_texts(tmp_path, b"header_type", b"other_type", compress=False)
    assert_refused(path, "texts, 1 are needed")
    texts = " ".join(["97 0"] * 500)
    array = f'<FieldData><Array type="String" Name="a" NumberOfTuples="1" format="ascii">{texts}</Array></FieldData>'
    path = write_damaged(tmp_path, "text.vti", vti_of(["0 9 0 9 0 9"]).replace("<Piece", array + "<Piece", 1))
    assert_refused(path, "array 'a' has 500 texts, 1 are needed")


def test_pieces_that_cover_the_extent_are_read(tmp_path):
    path = write_damaged(tmp_path, "x.vti", vti_of(["0 9 0 9 0 4", "0 9 0 9 4 9"]))
    assert (mitk.Image(path).array == 7).all()


def test_forged_lengths_of_gzip_files_are_noticed(tmp_path):
    """The last four bytes of a gzip file say how long its content is; here they say what the header wants."""
    whole = nifti(tmp_path)
    for kept in (0.5, 0.9):
        cut = gzip.compress(whole[: int(len(whole) * kept)])
        for content in (cut[:-4] + struct.pack("<I", len(whole)), cut[:-8] + gzip.compress(whole)[-8:], cut[:-8]):
            assert_refused(write_damaged(tmp_path, "x.nii.gz", content), "cannot read")


def test_gzip_files_of_several_members_are_read(tmp_path):
    whole = nifti(tmp_path)
    parts = [gzip.compress(whole[begin : begin + 30000]) for begin in range(0, len(whole), 30000)]
    for padding in (b"", bytes(512), b"garbage"):
        path = write_damaged(tmp_path, "x.nii.gz", b"".join(parts) + padding)
        np.testing.assert_array_equal(mitk.Image(path).array, VOXELS)


FIELDS = {
    "offset nan": ([(108, "<f", float("nan"))], "field vox_offset is nan"),
    "offset inf": ([(108, "<f", float("inf"))], "field vox_offset is inf"),
    "offset negative": ([(108, "<f", -1000.0)], "field vox_offset is -1000, it must be a whole number from 352 on"),
    "offset far": ([(108, "<f", 1e20)], "truncated"),
    "offset 0": ([(108, "<f", 0.0)], "field vox_offset is 0"),
    "offset broken": ([(108, "<f", 352.5)], "field vox_offset is 352.5"),
    "quaternion": ([(252, "<h", 1), (256, "<f", float("nan"))], "field quatern_b is nan"),
    "quaternion too long": ([(252, "<h", 1), (254, "<h", 0), (256, "<f", 0.9), (260, "<f", 0.9)], "not a rotation"),
    "q-offset": ([(252, "<h", 1), (268, "<f", float("inf"))], "field qoffset_x is inf"),
    "s-form": ([(254, "<h", 1), (280, "<f", float("nan"))], "field srow_x is [nan"),
    "slope nan": ([(112, "<f", float("nan"))], "field scl_slope is nan"),
    "slope inf": ([(112, "<f", float("inf"))], "field scl_slope is inf"),
    "intercept": ([(116, "<f", float("nan"))], "field scl_inter is nan"),
    "slope too large": ([(112, "<f", 3e38)], "lead beyond float32"),
    "bitpix 0": ([(72, "<h", 0)], "field bitpix is 0, voxels of this datatype have 16 bits"),
    "bitpix 8": ([(72, "<h", 8)], "field bitpix is 8"),
    "bitpix -16": ([(72, "<h", -16)], "field bitpix is -16"),
    "datatype": ([(70, "<h", 1234)], "field datatype is 1234 (unknown)"),
    "no axis": ([(44, "<h", 0)], "field dim[2] is 0"),
}


def test_numbers_of_a_nifti_that_overflow_are_refused(tmp_path):
    import nibabel

    for field, number in (("srow_x", [1e200, 0, 0, 0]), ("srow_y", [0, 1, 0, 1e300]), ("qoffset_x", 1.7e308)):
        made = nibabel.Nifti2Image(VOXELS, np.eye(4))
        made.header["qform_code"], made.header["sform_code"] = (1, 0) if field == "qoffset_x" else (0, 1)
        made.header["scl_slope"], made.header["scl_inter"], made.header[field] = 1, 0, number
        content = made.header.binaryblock + bytes(4) + VOXELS.tobytes()
        assert_refused(write_damaged(tmp_path, "x.nii", content), f"field {field} is")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("name", FIELDS)
def test_fields_of_a_nifti_are_never_replaced(tmp_path, name, packed):
    changes, message = FIELDS[name]
    content = nifti(tmp_path, *changes)
    path = write_damaged(tmp_path, "x.nii.gz" if packed else "x.nii", gzip.compress(content) if packed else content)
    assert_refused(path, message)


WRONG_COUNTS = {
    "one number.mha": (meta(Offset="5"), "field Offset has 1 numbers, 3 are needed"),
    "broken sizes.mha": (meta(size="4.7 4.2 4"), "field DimSize is '4.7 4.2 4', it must be 3 whole numbers"),
    "far.mha": (meta(HeaderSize="999999999999"), "field HeaderSize is 999999999999, but the voxels follow the header"),
    "element size.mha": (meta(ElementSize="0 -1 nan"), "field ElementSize is '0 -1 nan'"),
    "skip.nrrd": (nrrd().replace(b"raw\n", b"raw\nbyte skip: -2\n"), "field byte skip is '-2'"),
    "twice.mha": (meta().replace(b"Offset", b"DimSize = 1 1 1\nOffset"), "field DimSize is there twice"),
    "twice.nrrd": (nrrd().replace(b"encoding", b"sizes: 1 1 1\nencoding"), "field sizes is there twice"),
    "vectors.nrrd": (nrrd(directions="(1,0,0) (0,1,0)"), "field space directions has 2 vectors, 3 are needed"),
    "short vector.nrrd": (
        nrrd(directions="(1,0,0) (0,1) (0,0,1)"),
        "field space directions has vectors of [2, 3] numbers",
    ),
    "tiny.mha": (meta(spacing="1e-310 1 1"), "field ElementSpacing has a length of 1e-310, spacing must be 1e-12 to"),
    "huge.mha": (meta(spacing="1e300 1 1"), "field ElementSpacing has a length of 1e+300, spacing must be 1e-12 to"),
    "huge.nrrd": (nrrd("(1e300,0,0) (0,1,0) (0,0,1)"), "spacing must be 1e-12 to 1e+12 mm"),
    "underscore.mha": (meta(spacing="1_0 1 1"), "field ElementSpacing is '1_0 1 1'"),
    "underscore.vtk": (vtk_text("1_0 2 3 4 5 6 7 8"), "a number has an underscore"),
    "tiny.vtk": (vtk_text("1 2 3 4 5 6 7 8", spacing="1e-310 1 1"), "spacing must be 1e-12 to 1e+12 mm"),
}


@pytest.mark.parametrize("name", WRONG_COUNTS)
def test_fields_of_wrong_length_or_range_are_named(tmp_path, name):
    content, message = WRONG_COUNTS[name]
    assert_refused(write_damaged(tmp_path, name, content), message)


# --- never the end of the process --------------------------------------------------------------------------------

LONG = b"x" * 70_000
DEADLY = {
    "many dimensions.mha": (meta(NDims="100"), "field NDims is '100', it must be a whole number from 1 to 5"),
    "billions of dimensions.mha": (meta(NDims="1000000000"), "field NDims is '1000000000'"),
    "negative dimensions.mha": (meta(NDims="-1"), "field NDims is '-1'"),
    "format string.mhd": (meta().replace(b"LOCAL", b"x%s%s%s%n.raw 0 3 1"), "is not the name of one file"),
    "long field.nrrd": (
        nrrd().replace(b"raw\n", b"raw\nspace units: " + LONG + b"\n"),
        "has 70001 characters, 700 are",
    ),
    "long word.nrrd": (
        nrrd().replace(b"raw\n", b"raw\ncenterings: cell cell " + b"x" * 1100 + b"\n"),
        "field centers has 1111 characters, 700 are possible",
    ),
    "long line.nrrd": (nrrd().replace(b"encoding", LONG), "neither a field nor 'key:=value'"),
    "long type.nrrd": (nrrd(kind=LONG.decode()), "field type has 70001 characters"),
    "many keys.nrrd": (
        nrrd().replace(b"raw\n", b"raw\n" + b"".join(b"key%d:=value\n" % n for n in range(100_000))),
        "more than 10000 lines",
    ),
    "many keys.mha": (
        b"".join(b"key%d = value\n" % n for n in range(100_000)) + meta(),
        "more than 10000 lines",
    ),
    "texts.vti": (vti_of(["0 9 0 9 0 9"]).replace("Int16", "String"), "has type 'String'"),
    "components.vti": (
        vti_of(["0 9 0 9 0 9"]).replace('Name="s"', 'Name="s" NumberOfComponents="2000000000"'),
        "field NumberOfComponents is '2000000000', it must be 0 to 1024",
    ),
    "negative components.vti": (
        vti_of(["0 9 0 9 0 9"]).replace('Name="s"', 'Name="s" NumberOfComponents="-1"'),
        "field NumberOfComponents is '-1'",
    ),
    # Four billion blocks, in a header of 16 bytes.
    "blocks.vti": (
        vti_of(["0 9 0 9 0 9"])
        .replace('format="ascii">' + " ".join("7" * 1000), 'format="binary">////////AAAAAP///////////w==')
        .replace("LittleEndian", 'LittleEndian" compressor="vtkZLibDataCompressor'),
        "array 's' has 4294967295 blocks",
    ),
    "negative extent.vti": (vti_of(["0 9 0 9 0 9"], whole="0 -5 0 9 0 9"), "every axis must have at least one voxel"),
    "entities.vti": (
        '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
        + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
        + ']><VTKFile type="ImageData"><DataArray>&i;</DataArray></VTKFile>',
        "cannot read",
    ),
    "deep.npy": (
        b"\x93NUMPY\x01\x00" + struct.pack("<H", 4000) + (b"[" * 2000 + b"]" * 2000),
        "its header is damaged, truncated or longer than 10000 bytes",
    ),
    # Python's parser runs out of its own stack and calls that a shortage of memory.
    "signs.npy": (b"\x93NUMPY\x01\x00" + struct.pack("<H", 9001) + b"-" * 9000 + b"1", "its header is damaged"),
    "long header.npy": (b"\x93NUMPY\x01\x00" + struct.pack("<H", 60_000) + b" " * 60_000, "its header is damaged"),
    "bracket.npy": (b"\x93NUMPY\x01\x00" + struct.pack("<H", 30) + b"{'descr': '<i2', 'shape': (3, ", "its header"),
    "archive.npy": (b"PK\x03\x04" + bytes(100), "it does not begin with"),
    "header length.npy": (b"\x93NUMPY\x02\x00" + struct.pack("<I", 2**32 - 1) + b"{", "its header"),
}


@pytest.mark.parametrize("name", DEADLY)
def test_files_that_ended_or_hung_the_process_are_refused(tmp_path, name):
    content, message = DEADLY[name]
    assert_refused(write_damaged(tmp_path, name, content), message)


LINES = ["DIMENSIONS 2 2", "DIMENSIONS 2 2 99999999999999999999", "SPACING a b c", "POINT_DATA 99", "VECTORS v short"]
LINES += ["SCALARS s short 999999", "LOOKUP_TABLE default 4000000000", "FIELD f 999999999", "SCALARS s nonsense"]
LINES += ["\0" * 40, "CELL_DATA 99999999999", "x" * 5000, "SCALARS " + "s" * 5000 + " short", "DATASET POLYDATA"]
LINES += ["METADATA"]


@pytest.mark.parametrize("line", LINES, ids=range(len(LINES)))
def test_damaged_lines_of_a_legacy_header_are_refused(tmp_path, line):
    lines = vtk_text("1 2 3 4 5 6 7 8").splitlines()
    for number in range(4, 9):
        path = write_damaged(tmp_path, "x.vtk", "\n".join([*lines[:number], line, *lines[number + 1 :]]) + "\n")
        if line == "DIMENSIONS 2 2" and number != 4:
            continue
        with contextlib.suppress(mitk.FileError):
            # A line that is left out may be one that a file can do without.
            assert mitk.Image(path).array.shape == (2, 2, 2)


TRIANGLE = "v 0 0 0\nv 1 0 0\nv 0 1 0\nvt 0 0\nvn 0 0 1\n"


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        ("f 1 2 4", "a cell uses point 4 of 3"),
        ("f 1//1 2//1 3//65536", "a cell uses normal 65536 of 1"),
        ("f 1/1 2/1 3/2", "a cell uses texture coordinate 2 of 1"),
        ("f 1 2 \\\n 9", "a cell uses point 9 of 3"),
        ("l -4 -1", "a cell uses index '-4'"),
        ("f 0 1 2", "a cell uses index '0'"),
        ("p 99999999999", "a cell uses index '99999999999'"),
    ],
)
def test_elements_that_a_surface_does_not_have_are_not_used(tmp_path, cell, message):
    path = write_damaged(tmp_path, "x.obj", f"{TRIANGLE}{cell}\n")
    with pytest.raises(mitk.FileError, match=message):
        mitk.io.read_surface(path)
    path = write_damaged(tmp_path, "x.obj", f"{TRIANGLE}# a face\nf 1/1/1 2/1/1 \\\n -1/-1/-1\n")
    assert mitk.io.read_surface(path).GetNumberOfPolys() == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("0 1 2<", "0 1 99999999<", "a cell uses point 99999999 of 3"),
        ("0 1 2<", "0 1 -1<", "a cell uses point -1 of 3"),
        ('NumberOfPoints="3"', 'NumberOfPoints="-3"', "field NumberOfPoints is '-3'"),
        ('NumberOfPoints="3"', 'NumberOfPoints="999999999999"', "has 9 numbers, 2999999999997 are needed"),
        ('NumberOfPolys="1"', 'NumberOfPolys="2"', "array 'offsets' has 1 numbers, 2 are needed"),
        ('"Float32"', '"String"', "has type 'String'; known are"),
        ('NumberOfComponents="3"', 'NumberOfComponents="-1"', "field NumberOfComponents is '-1'"),
        ('<Piece NumberOfPoints="3" NumberOfPolys="1">', "<Group>", "a cell uses point 2 of 0"),
    ],
)
def test_numbers_of_a_vtp_that_do_not_fit_are_refused(tmp_path, old, new, message):
    points = '<DataArray type="Float32" NumberOfComponents="3" format="ascii">0 0 0 1 0 0 0 1 0</DataArray>'
    cells = "".join(
        f'<DataArray type="Int64" Name="{name}" format="ascii">{numbers}</DataArray>'
        for name, numbers in (("connectivity", "0 1 2"), ("offsets", "3"))
    )
    text = f'<Piece NumberOfPoints="3" NumberOfPolys="1"><Points>{points}</Points><Polys>{cells}</Polys></Piece>'
    text = f'<?xml version="1.0"?><VTKFile type="PolyData" version="0.1"><PolyData>{text}</PolyData></VTKFile>'
    assert mitk.read_surface(write_damaged(tmp_path, "whole.vtp", text)).GetNumberOfPolys() == 1
    assert old in text
    broken = text.replace(old, new, 1)
    broken = broken if "<Piece" in broken else broken.replace("</Piece>", "</Group>")
    with pytest.raises(mitk.FileError, match=re.escape(message)):
        mitk.read_surface(write_damaged(tmp_path, "x.vtp", broken))


def test_a_damaged_extension_of_a_nifti_pair_does_not_matter(tmp_path):
    mitk.Image(VOXELS).save(tmp_path / "x.hdr")
    header = (tmp_path / "x.hdr").read_bytes()
    (tmp_path / "x.hdr").write_bytes(header[:348] + b"\1\0\0\0" + struct.pack("<2i", 9999, 4) + b"cut")
    np.testing.assert_array_equal(mitk.Image(tmp_path / "x.hdr").array, VOXELS)


def test_numbers_beyond_their_type_are_refused_without_a_warning(tmp_path):
    """VTK's reader refuses them; checking the text before that says nothing else."""
    text = vtk_text("1 2 3 4 5 6 7 1e300").replace("short", "float")
    with pytest.raises(mitk.FileError, match=r"x\.vtk"):
        mitk.Image(write_damaged(tmp_path, "x.vtk", text))


def test_fields_of_a_meta_image_come_in_any_order(tmp_path):
    lines = meta(Offset="7 8 9").replace(b"LOCAL\n", b"LOCAL\n|").split(b"|")
    fields = lines[0].splitlines(keepends=True)
    path = write_damaged(tmp_path, "x.mha", b"".join([*fields[-2::-1], fields[-1], lines[1]]))
    assert mitk.Image(path).origin == (7, 8, 9)


@pytest.mark.parametrize("steps", [10**7, 2 * 10**9])
@pytest.mark.parametrize("name", ["x.nrrd", "x.mha"])
def test_time_steps_that_the_file_does_not_hold_are_refused_at_once(tmp_path, name, steps):
    """Nothing is made from the sizes before they are compared with the file."""
    content = (
        nrrd(directions="(1,0,0,0) (0,1,0,0) (0,0,1,0) (0,0,0,1)", size=f"1 1 1 {steps}", origin="(0,0,0,0)")
        .replace(b"dimension: 3", b"dimension: 4")
        .replace(b"space: left-posterior-superior", b"space dimension: 4")
        .replace(b"domain domain domain", b"domain domain domain domain")
        if name == "x.nrrd"
        else meta(
            NDims="4",
            size=f"1 1 1 {steps}",
            Offset="0 0 0 0",
            spacing="1 1 1 1",
            TransformMatrix="1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1",
        )
    )
    before = tracemalloc_peak(lambda: assert_refused(write_damaged(tmp_path, name, content), "bytes of data"))
    assert before < 1e6


def tracemalloc_peak(work):
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_descriptors_of_refused_files_are_closed(tmp_path):
    paths = [write_damaged(tmp_path, name, content) for name, (content, _) in (NOT_HELD | DEADLY).items()]
    for _ in range(2):
        before = len(list(Path("/proc/self/fd").iterdir()))
        for path in paths:
            with pytest.raises(mitk.FileError):
                mitk.Image(path)
        after = len(list(Path("/proc/self/fd").iterdir()))
    assert after <= before


def test_a_bomb_of_gzip_is_bounded_by_its_header(tmp_path):
    """A megabyte that would unpack to a gigabyte is not unpacked."""
    header = nifti(tmp_path)[:352]
    path = write_damaged(tmp_path, "x.nii.gz", gzip.compress(header + bytes(1 << 30), 1))
    assert tracemalloc_peak(lambda: assert_refused(path, "after the voxels")) < 10e6


# --- nothing is read but what was named --------------------------------------------------------------------------


def headers_naming(folder, name):
    """Headers of both formats that name a data file."""
    text = meta(size="2 2 2")
    yield write_damaged(folder, "a.mhd", text[: text.index(b"LOCAL")] + name.encode() + b"\n")
    yield write_damaged(folder, "list.mhd", text[: text.index(b"LOCAL")] + b"LIST\n" + name.encode() + b"\n")
    yield write_damaged(folder, "a.nhdr", nrrd(size="2 2 2")[:-129] + b"data file: " + name.encode() + b"\n")
    lines = b"data file: LIST\n" + name.encode() + b"\n"
    yield write_damaged(folder, "list.nhdr", nrrd(size="2 2 2")[:-129] + lines)


def test_pipes_and_devices_are_not_read_as_data(tmp_path):
    os.mkfifo(tmp_path / "pipe.raw")
    (tmp_path / "zero.raw").symlink_to("/dev/zero")
    (tmp_path / "folder").mkdir()
    for name, reason in (
        ("pipe.raw", "not a regular file"),
        ("zero.raw", "outside the folder"),
        ("folder", "a folder"),
    ):
        for path in headers_naming(tmp_path, name):
            assert_refused(path, reason)


@pytest.mark.parametrize("name", ["../secret", "sub/../../secret", "/etc/passwd", "link"])
def test_data_outside_the_folder_of_the_header_are_refused(tmp_path, name):
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "secret").write_bytes(bytes(range(200)))
    (home / "link").symlink_to(tmp_path / "secret")
    for path in headers_naming(home, name):
        with pytest.raises(mitk.FileError, match=r"(outside the folder|no such file)"):
            mitk.Image(path)
        if name in ("../secret", "link"):
            read = mitk.io.read_image(path, allow_other_folders=True)
            assert read.array.tobytes() == bytes(range(16))


def test_the_other_half_of_a_pair_may_not_lead_out_of_its_folder(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    mitk.Image(VOXELS).save(tmp_path / "x.hdr")
    (tmp_path / "x.hdr").rename(home / "x.hdr")
    (home / "x.img").symlink_to(tmp_path / "x.img")
    assert_refused(home / "x.hdr", "outside the folder of the header")
    np.testing.assert_array_equal(mitk.io.read_image(home / "x.hdr", allow_other_folders=True).array, VOXELS)
    (home / "x.img").unlink()
    os.mkfifo(home / "x.img")
    assert_refused(home / "x.hdr", "its data file is missing")


# --- texts and names that are not UTF-8 --------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_texts_in_latin_1_are_read(tmp_path, encoding):
    key, value = "Patiënt".encode(encoding), "Müller".encode(encoding)
    path = write_damaged(tmp_path, "x.mha", meta().replace(b"NDims", key + b" = " + value + b"\nNDims"))
    assert mitk.Image(path).get_property("Patiënt") == "Müller"
    path = write_damaged(tmp_path, "x.nrrd", nrrd().replace(b"encoding", key + b":=" + value + b"\nencoding"))
    assert mitk.Image(path).get_property("Patiënt") == "Müller"


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_names_that_are_not_utf_8_work_or_are_refused(tmp_path, suffix):
    flat = suffix in {".png", ".jpg", ".bmp"}
    image = mitk.Image(VOXELS[0].astype("u1")) if flat else mitk.Image(VOXELS)
    name = os.fsencode(tmp_path) + b"/bad\xff\xfe" + suffix.encode()
    folder = os.fsencode(tmp_path)
    if suffix in {".mhd", ".nhdr"}:
        with pytest.raises(mitk.FileWriteError, match="bytes that are not UTF-8"):
            image.save(name)
        assert not os.listdir(folder)  # noqa: PTH208 (bytes)
        return
    image.save(name)
    assert set(os.listdir(folder)) <= {b"bad\xff\xfe" + suffix.encode(), b"bad\xff\xfe.img"}  # noqa: PTH208
    loaded = mitk.Image(name)
    assert loaded.shape == image.shape
    if suffix != ".jpg":
        np.testing.assert_array_equal(loaded.array, image.array)
    assert mitk.io.read_info(name).shape == image.shape


def test_a_dicom_folder_with_names_that_are_not_utf_8_is_read(tmp_path):
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    folder.mkdir()
    for z in range(3):
        dicom_files.write_slice(tmp_path / "a", np.full((4, 5), z, "i2"), (0, 0, z), number=z)
        (tmp_path / "a").rename(folder / os.fsdecode(b"%d\xfe" % z))
    assert mitk.Image(folder).array[:, 0, 0].tolist() == [0, 1, 2]


# --- headers are read without their voxels -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "suffix", [".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".hdr", ".img", ".vti", ".vtk", ".npy", ".tif"]
)
def test_a_description_costs_no_voxels(tmp_path, suffix):
    """Peak memory of Python and its arrays, and of the process, stays far below the 64 MB of the voxels."""
    path = tmp_path / f"x{suffix}"
    mitk.io.write_image(mitk.Image(np.ones((64, 1024, 1024), "u1")), path, compress=False)
    mitk.io.read_info(path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert tracemalloc_peak(lambda: mitk.io.read_info(path)) < 4e6
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000


def test_a_missing_file_has_errno_and_name(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        mitk.Image(tmp_path / "missing.mha")
    assert (caught.value.errno, caught.value.filename) == (errno.ENOENT, str(tmp_path / "missing.mha"))
    assert str(caught.value) == f"cannot read {tmp_path / 'missing.mha'}: no such file"


def test_warnings_of_simpleitk_are_left_as_the_user_set_them(tmp_path):
    import SimpleITK as sitk

    mitk.Image(VOXELS).save(tmp_path / "x.mha")
    for switch in (sitk.ProcessObject.GlobalWarningDisplayOff, sitk.ProcessObject.GlobalWarningDisplayOn):
        switch()
        shown = sitk.ProcessObject.GetGlobalWarningDisplay()
        mitk.Image(tmp_path / "x.mha").save(tmp_path / "y.nrrd")
        assert sitk.ProcessObject.GetGlobalWarningDisplay() == shown


def test_a_binary_stl_with_fewer_triangles_than_it_says_is_refused(tmp_path):
    path = tmp_path / "x.stl"
    mitk.write_surface(mitk.extract_surface(mitk.Image(VOXELS[:5, :5, :5]), 500), path)
    whole = path.read_bytes()
    triangles = mitk.read_surface(path).GetNumberOfCells()
    for kept in (84 + 50 * (triangles - 1), len(whole) - 1, 84, 83, 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(mitk.FileError, match=r"x\.stl: the file is truncated"):
            mitk.read_surface(path)


def test_an_stl_as_text_that_is_cut_is_refused(tmp_path):
    path = tmp_path / "x.stl"
    mitk.write_surface(mitk.extract_surface(mitk.Image(VOXELS[:3, :3, :3]), 500), path, binary=False)
    whole = path.read_bytes()
    triangles = mitk.read_surface(path).GetNumberOfCells()
    for kept in (*range(1, len(whole) - 60, 61), *range(len(whole) - 60, len(whole))):
        path.write_bytes(whole[:kept])
        # Without the rest of the name behind the last word nothing is missing.
        if kept >= whole.rfind(b"endsolid") + len(b"endsolid"):
            assert mitk.read_surface(path).GetNumberOfCells() == triangles
        else:
            with pytest.raises(mitk.FileError, match="cannot read"):
                mitk.read_surface(path)


@pytest.mark.parametrize("data", ["POINT_DATA 3", "CELL_DATA 1"])
def test_a_legacy_surface_cut_before_its_arrays_is_refused(tmp_path, data):
    file = tmp_path / "x.vtk"
    grid = "POINTS 3 float\n0 0 0 1 0 0 0 1 0\nPOLYGONS 1 4\n3 0 1 2\n"
    whole = f"# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\n{grid}{data}\n"
    file.write_text(whole + "SCALARS s float\nLOOKUP_TABLE default\n1 2 3\n"[: None if data[0] == "P" else -4])
    assert mitk.read_surface(file).GetNumberOfPolys() == 1
    file.write_text(whole)
    with pytest.raises(mitk.FileError, match=f"the file is truncated: no array follows {data} at byte"):
        mitk.read_surface(file)


def test_a_name_of_a_data_file_with_a_zero_byte_is_refused(tmp_path):
    (tmp_path / "b.raw").write_bytes(bytes(128))
    header = meta().replace(b"ElementDataFile = LOCAL\n", b"ElementDataFile = b.\0raw\n")[:-128]
    path = write_damaged(tmp_path, "x.mhd", header)
    with pytest.raises(mitk.FileError, match=r"its data file 'b\.\?raw': not a file name"):
        mitk.Image(path)


def test_a_nifti_whose_transform_has_an_axis_of_length_0_is_refused(tmp_path):
    import nibabel

    made = nibabel.Nifti2Image(VOXELS, np.eye(4))
    # Above 0, but not in the single precision of the transform.
    made.header["qform_code"], made.header["sform_code"], made.header["pixdim"][1:4] = 1, 0, 1e-310
    made.header["scl_slope"], made.header["scl_inter"] = 1, 0
    path = write_damaged(tmp_path, "x.nii", made.header.binaryblock + bytes(4) + VOXELS.tobytes())
    assert_refused(path, "its transform has axes of length [0.0, 0.0, 0.0]")
