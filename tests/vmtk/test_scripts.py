"""The script classes in Python programs: one changed word, the same attributes, the same numbers."""

from __future__ import annotations

import importlib
import io
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from vtkmodules.vtkFiltersSources import vtkSphereSource

import mitk_rs
import mitk_rs as mitk
from mitk_rs.errors import RequestError
from mitk_rs.surface import write_surface
from mitk_rs.vmtk import SCRIPTS, make_script, pypes, vmtkscripts
from mitk_rs.vmtk.conversion import frame_of


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_each_script_has_a_module_of_its_name(name: str) -> None:
    module = importlib.import_module(f"mitk_rs.vmtk.{name}")
    made = getattr(module, SCRIPTS[name][1])
    assert made is getattr(vmtkscripts, made.__name__)
    assert made().ScriptName == name


def test_vmtkscripts_holds_every_class() -> None:
    held = {name for name in vmtkscripts.__dict__ if name.startswith("vmtk")}
    assert held == set(vmtkscripts.__all__) == {made for _, made in SCRIPTS.values()}


def test_no_other_module_can_be_imported() -> None:
    with pytest.raises(ModuleNotFoundError, match="vmtkcenterlines"):
        importlib.import_module("mitk_rs.vmtk.vmtkcenterlines")


@pytest.fixture
def voxels() -> np.ndarray:
    return np.arange(5 * 6 * 7, dtype=np.int16).reshape(5, 6, 7)


def initialized(image: Any, **attributes: Any) -> Any:
    script = vmtkscripts.vmtkImageInitialization()
    script.LogOn = 0
    script.Image, script.Interactive = image, 0
    for name, value in attributes.items():
        setattr(script, name, value)
    script.Execute()
    return script


def expected(voxels: np.ndarray) -> np.ndarray:
    return np.where(voxels >= 100, -1, 1).astype(np.float32)


THRESHOLD = {"Method": "threshold", "LowerThreshold": 100}


def test_an_array_comes_back_as_an_array(voxels: np.ndarray) -> None:
    made = initialized(voxels, **THRESHOLD).InitialLevelSets
    assert isinstance(made, np.ndarray)
    assert np.array_equal(made, expected(voxels))


def test_an_array_with_spacing_comes_back_with_it(voxels: np.ndarray) -> None:
    made = initialized((voxels, (1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), **THRESHOLD).InitialLevelSets
    assert np.array_equal(made[0], expected(voxels))
    assert made[1:] == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


def test_our_image_comes_back_with_its_geometry(voxels: np.ndarray) -> None:
    turned = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    image = mitk_rs.Image(voxels, spacing=(0.5, 0.6, 0.7), origin=(1, 2, 3), direction=turned)
    made = initialized(image, **THRESHOLD).InitialLevelSets
    assert isinstance(made, mitk_rs.Image)
    assert np.array_equal(made.array[0] if made.array.ndim == 4 else made.array, expected(voxels))
    assert (made.spacing, made.origin) == (image.spacing, image.origin)
    assert np.array_equal(made.direction, turned)


def test_simpleitk_comes_back_as_simpleitk(voxels: np.ndarray) -> None:
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetOrigin((1, 2, 3))
    image.SetDirection((-1, 0, 0, 0, -1, 0, 0, 0, 1))
    made = initialized(image, **THRESHOLD).InitialLevelSets
    assert isinstance(made, SimpleITK.Image)
    assert np.array_equal(SimpleITK.GetArrayFromImage(made), expected(voxels))
    assert (made.GetOrigin(), made.GetDirection()) == (image.GetOrigin(), image.GetDirection())


def test_vtk_comes_back_as_vtk_and_is_not_changed(voxels: np.ndarray, tmp_path: Path) -> None:
    mitk_rs.Image(voxels, origin=(1, 2, 3)).save(tmp_path / "a.vti")
    reader = vmtkscripts.vmtkImageReader()
    reader.LogOn, reader.InputFileName = 0, str(tmp_path / "a.vti")
    reader.Execute()
    script = initialized(reader.Image, **THRESHOLD, NegateImage=0)
    assert script.Image is reader.Image
    assert script.Image.GetScalarTypeAsString() == "short"
    assert script.InitialLevelSets.GetOrigin() == (1.0, 2.0, 3.0)


def test_what_is_no_image_is_told() -> None:
    with pytest.raises(RequestError, match="an image of type list is not understood"):
        initialized([1, 2, 3], **THRESHOLD)


def test_methods_are_called_one_by_one_and_merged(voxels: np.ndarray) -> None:
    script = vmtkscripts.vmtkImageInitialization()
    script.LogOn, script.Interactive, script.Image = 0, 0, voxels
    script.IsoSurfaceValue = 50.0
    script.IsosurfaceInitialize()
    script.MergeLevelSets()
    assert np.array_equal(script.InitialLevelSets, (50 - voxels).astype(np.float32))
    assert script.IsoSurfaceValue == 0.0
    script.LowerThreshold = 100
    script.ThresholdInitialize()
    script.MergeLevelSets()
    assert np.array_equal(script.MergedInitialLevelSets, np.minimum(50 - voxels, expected(voxels)))


def test_a_script_can_be_executed_again(voxels: np.ndarray) -> None:
    script = initialized(voxels, **THRESHOLD)
    script.LowerThreshold = 200
    script.Execute()
    assert np.array_equal(script.InitialLevelSets < 0, voxels >= 200)


def test_an_image_with_negative_values_only_keeps_its_mask(voxels: np.ndarray) -> None:
    line = np.full((3, 3, 12), -100, np.int16)
    line[1, 1] = -50
    inside = {"LowerThreshold": -60, "SourcePoints": [0, 1, 1], "TargetPoints": [11, 1, 1]}
    made = initialized(line, Method="fastmarching", **inside).InitialLevelSets
    assert (made[1, 1] < 1e30).all()
    made[1, 1] = 1e38
    assert (made > 1e30).all()


def test_points_in_millimetres_are_those_of_the_world(voxels: np.ndarray) -> None:
    turned = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    image = mitk_rs.Image(voxels, spacing=(0.5, 0.6, 0.7), origin=(1, 2, 3), direction=turned)
    world = image.affine() @ (3, 2, 1, 1)
    physical = initialized(image, Method="seeds", SourcePointsPhysical=list(world[:3])).InitialLevelSets
    indexed = initialized(image, Method="seeds", SourcePoints=[3, 2, 1]).InitialLevelSets
    assert np.array_equal(physical.array, indexed.array)


def test_an_empty_result_can_be_refused(voxels: np.ndarray) -> None:
    with pytest.raises(RequestError, match="empty"):
        initialized(voxels, Method="threshold", LowerThreshold=1000, FailEmpty=1)


def test_two_pairs_may_be_summed_as_vmtk_does() -> None:
    tube = np.zeros((3, 3, 20), np.float32)
    tube[1, 1] = 1
    points = {"SourcePoints": [0, 1, 1, 10, 1, 1], "TargetPoints": [9, 1, 1, 19, 1, 1], "LowerThreshold": 0.5}
    made = initialized(tube, Method="multiplecollidingfronts", Combine="sum", **points).InitialLevelSets
    assert made.max() == pytest.approx(2e-5, rel=1e-3)
    made = initialized(tube, Method="multiplecollidingfronts", **points).InitialLevelSets
    assert made.max() == pytest.approx(1e-5, rel=1e-3)


def test_pyperun_takes_objects_and_gives_scripts(voxels: np.ndarray) -> None:
    pype = pypes.PypeRun(
        "vmtkimageinitialization -i {image} -interactive 0 -method threshold -lowerthreshold 100 --nolog --pipe",
        image=voxels,
    )
    script = pype.GetScriptObject("vmtkimageinitialization", "0")
    assert np.array_equal(script.InitialLevelSets, expected(voxels))
    assert pype.ScriptObjectList[-1] is script


def test_arrays_go_out_and_in_indexed_as_in_vmtk(voxels: np.ndarray, tmp_path: Path) -> None:
    mitk_rs.Image(voxels, spacing=(1, 2, 3)).save(tmp_path / "a.mha")
    log = io.StringIO()
    pype = pypes.Pype()
    pype.OutputStream = log
    folder = str(tmp_path)
    pype.SetArgumentsString(
        f"vmtkimagetonumpy -ifile {folder}/a.mha --pipe vmtknumpytoimage -ofile {folder}/b.vti --pipe "
        f"vmtkimagecompare -rfile {folder}/a.mha -method subtraction"
    )
    pype.ParseArguments()
    pype.Execute()
    arrays = pype.GetScriptObject("vmtkimagetonumpy", "0").ArrayDict
    assert arrays["PointData"]["ImageScalars"][6, 5, 4] == voxels[4, 5, 6]
    assert arrays["Dimensions"].tolist() == [7, 6, 5]
    assert pype.ScriptObjectList[-1].Result is True
    assert "Result = True" in log.getvalue()


@pytest.mark.parametrize("method", ["subtraction", "range"])
def test_images_that_differ_are_told(voxels: np.ndarray, method: str) -> None:
    script = vmtkscripts.vmtkImageCompare()
    script.LogOn = 0
    script.Image, script.ReferenceImage, script.Method = voxels, voxels + 1, method
    script.Execute()
    assert script.Result is False
    assert script.ResultLog == "Difference 1 is not below 1e-08"


def test_cropping_keeps_the_extent_and_the_world(voxels: np.ndarray) -> None:
    image = mitk_rs.Image(voxels, origin=(10, 20, 30))
    script = vmtkscripts.vmtkImageVOISelector()
    script.Image, script.Interactive = image, 0
    # VMTK's frame: x from -10, y from -20.
    script.BoxBounds = [-8.2, -5, -19, -17, 31, 33.5]
    script.Execute()
    made = script.CroppedImage
    assert np.array_equal(np.squeeze(made.array), voxels[1:4, 1:4, 2:6])
    assert made.origin == (12.0, 21.0, 31.0)
    script.BoxBounds = [100, 200, -19, -17, 31, 33.5]
    with pytest.raises(RequestError, match="x from 100 200, the image from"):
        script.Execute()


def test_the_reader_gives_the_matrices(voxels: np.ndarray, tmp_path: Path) -> None:
    turned = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    image = mitk_rs.Image(voxels, spacing=(0.5, 0.6, 0.7), origin=(1, 2, 3), direction=turned)
    image.save(tmp_path / "a.nrrd")
    reader = vmtkscripts.vmtkImageReader()
    reader.LogOn, reader.InputFileName = 0, str(tmp_path / "a.nrrd")
    reader.Execute()
    assert reader.Image.GetOrigin() == (-1.0, -2.0, 3.0)
    assert frame_of(reader.Image) is not None
    to_voxels = np.array(reader.RasToIjkMatrixCoefficients).reshape(4, 4)
    assert np.allclose(to_voxels @ image.affine("RAS"), np.eye(4))
    to_ras = np.array(reader.XyzToRasMatrixCoefficients).reshape(4, 4)
    assert np.allclose(to_ras @ (*reader.Image.GetOrigin(), 1), image.affine("RAS")[:, 3])


def test_raw_files_and_series_are_read(voxels: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "a.raw").write_bytes(b"head" + voxels.astype(">i2").tobytes())
    reader = vmtkscripts.vmtkImageReader()
    reader.LogOn, reader.InputFileName = 0, str(tmp_path / "a.raw")
    reader.DataExtent, reader.DataScalarType = [0, 6, 0, 5, 0, 4], "short"
    reader.DataByteOrder, reader.HeaderSize, reader.Flip = "bigendian", 4, [1, 0, 0]
    reader.Execute()
    arrays = vmtkscripts.vmtkImageToNumpy()
    arrays.LogOn, arrays.Image = 0, reader.Image
    arrays.Execute()
    assert np.array_equal(arrays.ArrayDict["PointData"]["ImageScalars"][::-1].T, voxels)
    writer = vmtkscripts.vmtkImageWriter()
    writer.LogOn, writer.Input, writer.OutputFileName = 0, voxels.astype(np.uint8), str(tmp_path / "s.png")
    writer.Execute()
    series = vmtkscripts.vmtkImageReader()
    series.LogOn, series.InputFilePrefix, series.DataExtent = 0, str(tmp_path / "s"), [0, 6, 0, 5, 0, 4]
    series.Execute()
    arrays.Image = series.Image
    arrays.Execute()
    assert np.array_equal(arrays.ArrayDict["PointData"]["ImageScalars"].T, voxels.astype(np.uint8))


def test_point_tables_are_written(tmp_path: Path) -> None:
    writer = vmtkscripts.vmtkImageWriter()
    writer.LogOn, writer.Input = 0, np.array([[[1.5, 2.5]]], np.float32).reshape(1, 1, 2)
    writer.OutputFileName = str(tmp_path / "a.dat")
    writer.Execute()
    assert (tmp_path / "a.dat").read_text() == "X Y Z ImageScalars\n0.0 0.0 0.0 1.5\n1.0 0.0 0.0 2.5\n"


@pytest.mark.parametrize("suffix", [".vtp", ".vtk", ".stl", ".ply", ".obj", ".tec", ".dat"])
@pytest.mark.parametrize("mode", ["binary", "ascii"])
def test_surfaces_are_written_in_every_format(voxels: np.ndarray, tmp_path: Path, suffix: str, mode: str) -> None:
    cubes = vmtkscripts.vmtkMarchingCubes()
    cubes.Image, cubes.Level, cubes.Connectivity = voxels, 100.0, 1
    cubes.Execute()
    writer = vmtkscripts.vmtkSurfaceWriter()
    writer.LogOn, writer.Input, writer.Mode = 0, cubes.Surface, mode
    writer.OutputFileName = str(tmp_path / f"s{suffix}")
    writer.Execute()
    if suffix in (".tec", ".dat"):
        count = cubes.Surface.GetNumberOfPoints()
        assert len((tmp_path / f"s{suffix}").read_text().splitlines()) > count
        return
    reader = vmtkscripts.vmtkSurfaceReader()
    reader.InputFileName = str(tmp_path / f"s{suffix}")
    if suffix == ".ply":
        with pytest.raises(RequestError, match=r"cannot tell the format of .*\.ply; known: \.vtp "):
            reader.Execute()
        return
    reader.Execute()
    assert reader.Surface.GetNumberOfPolys() == cubes.Surface.GetNumberOfPolys()
    assert np.allclose(reader.Surface.GetBounds(), cubes.Surface.GetBounds(), atol=1e-5)


@pytest.mark.parametrize(("wanted", "code"), [("axial", "LPS"), ("coronal", "LIP"), ("sagittal", "PIR")])
@pytest.mark.parametrize("stored", ["RAI", "SAR", "PIR"])
def test_the_reader_turns_the_axes_and_keeps_each_voxel_in_its_place(
    tmp_path: Path, stored: str, wanted: str, code: str
) -> None:
    image = SimpleITK.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    image.SetSpacing((1.0, 2.0, 3.0))
    image.SetOrigin((-7.0, 8.0, 9.0))
    SimpleITK.WriteImage(SimpleITK.DICOMOrient(image, stored), str(tmp_path / "a.mha"))
    reader = vmtkscripts.vmtkImageReader()
    reader.LogOn, reader.InputFileName, reader.DesiredOrientation = 0, str(tmp_path / "a.mha"), wanted
    reader.Execute()
    to_voxels = np.array(reader.RasToIjkMatrixCoefficients).reshape(4, 4)
    columns = np.diag([-1, -1, 1]) @ np.linalg.inv(to_voxels)[:3, :3]
    # Left, back and head are the positive directions of the world; a code names where each axis points to.
    signs = {"L": (0, 1), "R": (0, -1), "P": (1, 1), "A": (1, -1), "S": (2, 1), "I": (2, -1)}
    for column, letter in zip(columns.T, code, strict=True):
        axis, sign = signs[letter]
        assert np.argmax(np.abs(column)) == axis
        assert np.sign(column[axis]) == sign
    for index in np.ndindex(*reader.Image.GetDimensions()):
        ras = np.linalg.inv(to_voxels) @ (*index, 1)
        at = image.TransformPhysicalPointToIndex((-ras[0], -ras[1], ras[2]))
        assert reader.Image.GetScalarComponentAsDouble(*index, 0) == image.GetPixel(at)


def test_an_orientation_is_for_formats_that_have_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    mitk_rs.Image(np.zeros((2, 3, 4), np.uint8)).save(tmp_path / "a.vti")
    pypes.PypeRun(f"vmtkimagereader -ifile {tmp_path}/a.vti -orientation coronal --nolog")
    assert "-orientation coronal has no effect: vtkxml files have none" in caplog.text


def test_the_contour_filter_is_vtks(voxels: np.ndarray) -> None:
    from vtkmodules.vtkFiltersCore import vtkContourFilter

    image = mitk_rs.Image(voxels.astype(np.float32), spacing=(0.5, 1.0, 2.0)).to_vtk()
    peer = vtkContourFilter()
    peer.SetInputData(image)
    peer.SetValue(0, 100.5)
    peer.Update()
    script = vmtkscripts.vmtkMarchingCubes()
    script.LogOn, script.Image, script.Level, script.UseContourFilter = 0, image, 100.5, 1
    script.Execute()
    made, wanted = script.Surface, peer.GetOutput()
    assert made.GetNumberOfPoints() == wanted.GetNumberOfPoints() > 0
    points = [[surface.GetPoint(number) for number in range(surface.GetNumberOfPoints())] for surface in (made, wanted)]
    assert points[0] == points[1]


def test_a_level_line_of_a_picture_is_cut_with_the_contour_filter() -> None:
    rows, columns = np.mgrid[:9, :9]
    script = vmtkscripts.vmtkMarchingCubes()
    script.LogOn, script.Level, script.UseContourFilter = 0, 3.0, 1
    script.Image = np.hypot(rows - 4, columns - 4)[np.newaxis].astype(np.float32)
    script.Execute()
    assert script.Surface.GetNumberOfLines() > 8
    assert script.Surface.GetNumberOfPolys() == 0


def test_images_of_further_libraries_are_taken_and_files_are_not(voxels: np.ndarray) -> None:
    import nibabel

    peer = nibabel.Nifti1Image(voxels.T.astype(np.float32), np.eye(4))
    assert np.array_equal(initialized(peer, **THRESHOLD).InitialLevelSets.array, expected(voxels))
    with pytest.raises(RequestError, match="an image of type str is not understood"):
        initialized("scan.mha", **THRESHOLD)


def test_the_tables_offer_what_the_scripts_can_do() -> None:
    from mitk_rs.vmtk.scripts import files, viewers

    def offered(name: str, option: str) -> set[str]:
        member = make_script(name).input_member(option)
        assert member is not None
        return set(member.GetRangeEnumeration())

    assert offered("vmtkimagereader", "scalartype") == set(files.SCALAR_TYPES)
    assert offered("vmtksurfaceviewer", "colormap") == set(viewers.MAPS)
    assert offered("vmtksurfacewriter", "f") == set(files.vmtkSurfaceWriter._titles)
    assert offered("vmtkimagewriter", "f") - {"meta"} == set(files.vmtkImageWriter._titles)


def read(path):
    reader = vmtkscripts.vmtkSurfaceReader()
    reader.LogOn, reader.InputFileName = 0, str(path)
    reader.Execute()
    return reader.Surface


def test_points_that_do_not_exist_are_refused_in_every_format(tmp_path):
    """VTK reads it; whoever draws it would crash."""
    table = "# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\nPOINTS 3 float\n0 0 0 1 0 0 0 1 0\nPOLYGONS 1 4\n"
    (tmp_path / "a.vtk").write_text(table + "3 0 1 7\n")
    with pytest.raises(mitk.FileError, match="uses point 7 of 3"):
        read(tmp_path / "a.vtk")


@pytest.mark.parametrize("mode", ["binary", "text"])
@pytest.mark.parametrize("suffix", [".stl", ".vtp", ".vtk", ".obj"])
def test_no_truncated_surface_ends_the_process(suffix, mode, tmp_path):
    """In a process of its own, so that a crash fails this test and not the run."""
    ball = vtkSphereSource()
    ball.Update()
    whole = tmp_path / f"whole{suffix}"
    write_surface(ball.GetOutput(), whole, binary=mode == "binary")
    content = whole.read_bytes()
    cuts = sorted({len(content) * part // 40 for part in range(1, 40)} | {len(content) - 9, len(content) - 20})
    for cut in cuts:
        (tmp_path / f"cut{cut:06d}{suffix}").write_bytes(content[:cut])
    code = """
        import sys
        from pathlib import Path
        import mitk_rs
        from mitk_rs.vmtk import vmtkscripts

        for path in sorted(Path(sys.argv[1]).glob("cut*")):
            reader = vmtkscripts.vmtkSurfaceReader()
            reader.LogOn, reader.InputFileName = 0, str(path)
            try:
                reader.Execute()
                print("read")
            except mitk_rs.FileError:
                print("refused")
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    answers = done.stdout.split()
    assert len(answers) == len(cuts)
    assert Path(whole).read_bytes() == content
