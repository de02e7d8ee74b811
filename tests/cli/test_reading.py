"""How commands read: DICOM series, gaps, data in other folders, readers in a process of their own."""

import json
import os

import dicom_files
import numpy as np
import pytest
import SimpleITK

HEADLESS = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}


def write_series(folder, count=6, *, series=1, skip=(), **elements):
    folder.mkdir(exist_ok=True)
    for z in range(count):
        if z not in skip:
            voxels = np.full((8, 10), 100 if 2 <= z <= 4 else 0, "i2")
            dicom_files.write_slice(
                folder / f"{series}-{z}.dcm", voxels, (0, 0, 2 * z), number=z, series=series, **elements
            )


@pytest.fixture
def two(tmp_path):
    """A folder with a scout of 3 slices and a scan of 6."""
    write_series(tmp_path / "two", 3, series=1, SeriesDescription="Scout")
    write_series(tmp_path / "two", 6, series=2, SeriesDescription="Angio")
    return tmp_path / "two"


LISTED = "1: 'Scout' CT 3 images, 10 x 8 x 3; 2: 'Angio' CT 6 images, 10 x 8 x 6"


def test_several_series_are_refused_with_their_list(fail, two):
    line = f"cannot read two: the folder has 2 series, choose one with series=N (--series N): {LISTED}"
    fail(3, f"mitk-rs convert: error: {line}", "convert two y.mha")
    fail(3, f"mitk-rs init: error: {line}", "init two --method threshold --lower 50 -o y.mha")


def test_a_series_is_chosen(succeed, two):
    for wanted, slices in (("1", 3), ("2", 6), ("Angio", 6)):
        succeed(f"convert two {wanted}.nrrd --series {wanted}")
        assert SimpleITK.ReadImage(str(two.parent / f"{wanted}.nrrd")).GetSize() == (10, 8, slices)
    succeed("init two --series 2 --method threshold --lower 50 -o y.mha --surface y.stl")
    succeed("mip two --series 2 -o y.png")
    succeed("crop two c.mha --series 2 --index 0 4 0 4 0 5")
    succeed("surface two --series 2 -o s.stl --level 50")


def test_info_lists_the_series(succeed, two):
    assert succeed("info two").splitlines() == [
        "two: 2 DICOM series; --series N describes one",
        "  1: 'Scout' CT 3 images, 10 x 8 x 3",
        "  2: 'Angio' CT 6 images, 10 x 8 x 6",
    ]
    told = json.loads(succeed("info two --json"))
    assert [(one["number"], one["description"], one["slices"], one["size"]) for one in told["series"]] == [
        (1, "Scout", 3, [10, 8, 3]),
        (2, "Angio", 6, [10, 8, 6]),
    ]
    one = json.loads(succeed("info two --series 2 --json --statistics"))
    assert (one["size"], one["statistics"]["maximum"], len(one["series"])) == ([10, 8, 6], 100, 2)


GAP = "1 slice is missing after slice 2 of 5, slices are 2 mm apart elsewhere"


LINES = ["convert scan y.mha", "init scan --method threshold --lower 50 -o y.mha", "mip scan -o y.png"]
LINES += ["crop scan y.mha --index 0 4 0 4 0 4", "surface scan -o y.stl --level 50"]


@pytest.mark.parametrize("line", LINES)
def test_gaps_are_refused_or_allowed_and_always_in_the_warnings(run, fail, tmp_path, line):
    write_series(tmp_path / "scan", skip={3})
    command = line.split()[0]
    fail(
        3,
        f"mitk-rs {command}: error: cannot read scan: {GAP}; allow_gaps=True (--allow-gaps) reads it all the same",
        line,
    )
    done = run(f"{line} --allow-gaps")
    assert done.returncode == 0
    assert f"mitk-rs {command}: warning: scan: {GAP}\n" in done.stderr
    done = run(f"{line} --allow-gaps --json -q --force")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["warnings"] == [f"scan: {GAP}"]


def test_info_describes_a_series_with_gaps_and_warns(run, tmp_path):
    write_series(tmp_path / "scan", skip={3})
    done = run("info scan --json")
    assert (done.returncode, done.stderr) == (0, f"mitk-rs info: warning: scan: {GAP}\n")
    assert json.loads(done.stdout)["warnings"] == [f"scan: {GAP}"]


def test_data_in_another_folder_need_an_option(succeed, run, tmp_path):
    image = SimpleITK.GetImageFromArray(np.zeros((3, 4, 5), "i2"))
    (tmp_path / "sub").mkdir()
    SimpleITK.WriteImage(image, str(tmp_path / "x.mhd"))
    header = (tmp_path / "x.mhd").read_text().replace("x.raw", "../x.raw")
    (tmp_path / "sub" / "x.mhd").write_text(header)
    done = run("info sub/x.mhd")
    assert done.returncode == 3
    assert "outside the folder of the header; allow_other_folders=True (--allow-other-folders) reads it" in done.stderr
    assert json.loads(succeed("info sub/x.mhd --json --allow-other-folders"))["size"] == [5, 4, 3]


def test_the_environment_has_files_read_in_a_process_of_their_own(run, tmp_path):
    image = SimpleITK.GetImageFromArray(np.full((3, 4, 5), 100, "i2"))
    SimpleITK.WriteImage(image, str(tmp_path / "x.mha"))
    line = "init x.mha --method threshold --lower 50 -o {}.mha"
    assert run(line.format("here")).returncode == 0
    done = run(line.format("there"), env={**HEADLESS, "MITK_RS_ISOLATE": "1"})
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "here.mha").read_bytes() == (tmp_path / "there.mha").read_bytes()
    done = run("info x.mha", env={**HEADLESS, "MITK_RS_ISOLATE": "1", "MITK_RS_ISOLATE_SECONDS": "0.001"})
    assert (done.returncode, done.stderr) == (
        3,
        "mitk-rs info: error: cannot read x.mha: reading took longer than 0.001 s\n",
    )


def test_vmtks_reader_takes_a_series_with_gaps(run, tmp_path):
    write_series(tmp_path / "scan", skip={3})
    write_series(tmp_path / "scan", 3, series=2)
    done = run("vmtkimagereader -d scan --pipe vmtkimagewriter -ofile y.mha")
    assert done.returncode == 3
    assert "the folder has 2 series" in done.stderr
    done = run("vmtkimagereader -d scan -series 1 -allowgaps 1 --pipe vmtkimagewriter -ofile y.mha")
    assert done.returncode == 0, done.stderr
    assert SimpleITK.ReadImage(str(tmp_path / "y.mha")).GetSize() == (10, 8, 5)
