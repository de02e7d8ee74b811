"""Images as bytes: the content of files, without a file of their own."""

import io

import numpy as np
import pytest
from dicom_files import write_slice

import mitk_rs as mitk


@pytest.fixture
def scan():
    return mitk.datasets.tube()


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii", ".nii.gz", ".vti", ".vtk"])
def test_bytes_come_back_as_the_same_image(suffix, scan, tmp_path):
    scan.set_property("note", "kept")
    content = scan.to_bytes(suffix)
    scan.save(tmp_path / f"a{suffix}")
    assert content == (tmp_path / f"a{suffix}").read_bytes()
    for source, format_ in ((content, suffix), (io.BytesIO(content), None), (bytearray(content), suffix[1:])):
        back = mitk.Image(source, format=format_)
        assert back.equals(scan if suffix != ".vtk" else mitk.Image(tmp_path / f"a{suffix}"))
        assert "path" not in back.property_keys
    with (tmp_path / f"a{suffix}").open("rb") as file:
        assert mitk.Image(file).shape == scan.shape


def test_a_dicom_file_is_read_from_bytes(tmp_path):
    voxels = np.arange(48, dtype="int16").reshape(6, 8)
    write_slice(tmp_path / "a.dcm", voxels, (1, 2, 3))
    image = mitk.Image(io.BytesIO((tmp_path / "a.dcm").read_bytes()))
    assert image.equals(mitk.Image(tmp_path / "a.dcm"))
    assert (image.array.reshape(6, 8) == voxels).all()


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: mitk.Image(b"abc", format="mha"), mitk.FileError, "the given bytes"),
        (lambda: mitk.Image(io.BytesIO(b"abc")), mitk.RequestError, "do not show their format"),
        (lambda: mitk.Image(io.BytesIO(b"")), mitk.RequestError, "do not show their format"),
        (lambda: mitk.Image(b"abc", format="mhd"), mitk.RequestError, "in a second file"),
        (lambda: mitk.Image(b"abc", format="doc"), mitk.RequestError, "it must be one of"),
        (lambda: mitk.Image("a.mha", format="mha"), TypeError, "format goes with bytes"),
        (lambda: mitk.Image(io.StringIO("abc")), TypeError, "bytes or a binary file"),
        (lambda: mitk.Image(io.BytesIO(b"abc"), (1, 1, 1)), TypeError, "go with an array"),
        (lambda: mitk.datasets.tube().to_bytes("png"), mitk.FileWriteError, "PNG cannot hold"),
        (lambda: mitk.datasets.tube().to_bytes("dcm"), mitk.RequestError, "it must be one of"),
        (lambda: mitk.datasets.tube().to_bytes(5), TypeError, "format must be"),
    ],
)
def test_wrong_bytes_are_one_line_without_a_temporary_name(make, error, message):
    with pytest.raises(error, match=message) as caught:
        make()
    assert "/tmp" not in str(caught.value)
