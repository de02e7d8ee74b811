"""``docs/reference/errors.md``: every row is run, and raises what it says."""

import builtins
import re
from pathlib import Path

import dicom_files
import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.cli.console import exit_code

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "errors.md"
ROWS = re.findall(r"^\| `(.+?)` \| `(\w+)` \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def class_of(name):
    return getattr(mitk, name, None) or getattr(builtins, name)


def test_the_tables_are_seen():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert len(ROWS) == sum(line.startswith("| `") for line in lines) > 40


def test_the_table_of_classes_is_true():
    rows = re.findall(r"^\| (\w+) \| ([\w, ]*)\| (\d+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {name for name, _, _ in rows} == {*mitk.errors.__all__} - {"Exception", "DicomSeriesWarning"}
    for name, bases, status in rows:
        kind = getattr(mitk, name)
        assert issubclass(kind, mitk.Exception)
        assert all(issubclass(kind, getattr(builtins, base.strip())) for base in bases.split(",") if base.strip())
        assert int(status) == exit_code(kind("text")), name


def nrrd(sizes="2 2 2", x="(1,0,0)", more=""):
    return (
        f"NRRD0004\ntype: uchar\ndimension: 3\nspace: LPS\nsizes: {sizes}\nspace directions: {x} (0,1,0) (0,0,1)\n"
        f"encoding: raw\n{more}\n"
    ).encode() + bytes(8)


def make_files():
    """The files that the page speaks of, in the working folder."""
    Path("empty.nrrd").write_bytes(b"")
    Path("text.nrrd").write_text("not an image")
    Path("many_dimensions.mha").write_text(
        "NDims = 100\nDimSize = 1\nElementType = MET_CHAR\nElementDataFile = LOCAL\n"
    )
    Path("too_large.nrrd").write_bytes(nrrd("40000 40000 40000"))
    Path("tiny_spacing.nrrd").write_bytes(nrrd(x="(1e-300,0,0)"))
    Path("elsewhere.nhdr").write_bytes(nrrd(more="data file: ../secret\n"))
    Path("format_string.nhdr").write_bytes(nrrd(more="data file: x%s%n.raw\n"))
    for folder, heights in (("gap", (0, 2, 6, 8)), ("two_series", (0, 2, 4))):
        Path(folder).mkdir()
        for number, height in enumerate(heights):
            voxels = np.zeros((4, 5), "i2")
            dicom_files.write_slice(Path(folder, f"{number}.dcm"), voxels, (0, 0, height), number=number)
    dicom_files.write_slice(Path("two_series", "other.dcm"), np.zeros((4, 5), "i2"), (0, 0, 0), series=2)


@pytest.mark.parametrize(("code", "name", "message"), ROWS, ids=[row[0] for row in ROWS])
def test_row(code, name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    make_files()
    names = {path.name for path in tmp_path.iterdir()}
    array = np.arange(9.0).reshape(3, 3)
    image, series = mitk.Image(array), mitk.Image(np.zeros((3, 4, 5, 6)))
    cube = np.linspace(-1, 1, 125).reshape(5, 5, 5)
    given = {"array": array, "image": image, "series": series, "cube": cube}
    with pytest.raises(class_of(name), match=re.escape(message)) as caught:
        eval(code, {"mitk": mitk, "np": np, **given})
    assert "\n" not in str(caught.value)
    assert image.equals(mitk.Image(array))
    assert {path.name for path in tmp_path.iterdir()} == names
