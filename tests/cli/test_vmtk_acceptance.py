"""The acceptance examples for VMTK's names: the real program, whole text, outputs compared."""

import json
import os
import re
import subprocess

import numpy as np
import pytest
import SimpleITK
from PIL import Image as PillowImage
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOGeometry import vtkSTLReader
from vtkmodules.vtkIOXML import vtkXMLImageDataReader, vtkXMLImageDataWriter, vtkXMLPolyDataReader

import mitk_rs

INIT = "vmtkimageinitialization"
FAR = np.float32(1.7014117e38)
AORTA = f"{INIT} -ifile aorta.mha -interactive 0 -lowerthreshold 700"

HEAD = """
Automatic piping vmtkimageinitialization
Parsing options vmtkimageinitialization
{given}
Explicit piping vmtkimageinitialization
Input vmtkimageinitialization members:
    Id = 0
    Disabled = 0
    Image = None
{members}
{reading}
Executing vmtkimageinitialization ...
"""


@pytest.fixture
def vti(tube, tmp_path):
    """The tube as ``tube.vti``."""
    image = mitk_rs.io.read_image(tube)
    mitk_rs.io.write_image(image, tmp_path / "tube.vti")
    return tmp_path / "tube.vti"


@pytest.fixture
def vmtk(run):
    """Run ``vmtkimageinitialization`` with a line, expect success, and return the finished process."""

    def vmtk(line):
        done = run(f"{INIT} {line}")
        assert done.returncode == 0, done.stderr
        return done

    return vmtk


@pytest.fixture
def refuse(run, tmp_path):
    """Run a line, expect this status and these lines on stderr, no error on stdout, and no new file."""

    def refuse(status, text, line):
        before = sorted(tmp_path.rglob("*"))
        done = run(line)
        assert (done.returncode, done.stderr) == (status, f"{text}\n")
        assert "rror" not in done.stdout
        assert "Traceback" not in done.stdout
        assert sorted(tmp_path.rglob("*")) == before

    return refuse


def vti_image(path):
    reader = vtkXMLImageDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    return reader.GetOutput()


def counts(array):
    return {float(value): int(count) for value, count in zip(*np.unique(array, return_counts=True), strict=True)}


def header(path):
    image = SimpleITK.ReadImage(str(path))
    return image.GetSize(), image.GetSpacing(), image.GetOrigin(), image.GetDirection()


def test_01_threshold_with_the_log_of_vmtk(vmtk, vti, tmp_path):
    done = vmtk("-ifile tube.vti -interactive 0 -method threshold -lowerthreshold 50 -olevelsetsfile y.vti")
    made = vti_image(tmp_path / "y.vti")
    assert made.GetScalarTypeAsString() == "float"
    assert counts(vtk_to_numpy(made.GetPointData().GetScalars())) == {-1.0: 900, 1.0: 7100}
    assert (made.GetOrigin(), made.GetSpacing()) == ((-3.0, 2.0, 7.0), (0.5, 0.5, 1.0))
    assert done.stderr == ""
    assert done.stdout == (
        HEAD.format(
            given="    ImageInputFileName = tube.vti\n    Interactive = 0\n    Method = threshold\n"
            "    LowerThreshold = 50.0\n    InitialLevelSetsOutputFileName = y.vti",
            members="    ImageInputFileName = tube.vti\n    NegateImage = 0\n    Interactive = 0\n"
            "    Method = threshold\n    SourcePoints = []\n    TargetPoints = []\n    UpperThreshold = None\n"
            "    LowerThreshold = 50.0\n    IsoSurfaceValue = 0.0\n    vmtkRenderer = None\n"
            "    InitialLevelSetsOutputFileName = y.vti\n    SurfaceOutputFileName = ",
            reading="Reading VTK XML image file.\nSpacing 0.500000 0.500000 1.000000\n"
            "Origin -3.000000 2.000000 7.000000\nDimensions 20 20 20",
        )
        + "Threshold initialization.\nDone executing vmtkimageinitialization.\nWriting VTK XML image file.\n"
        "Output vmtkimageinitialization members:\n    Id = 0\n    IsoSurfaceValue = 0.0\n"
        "    InitialLevelSets = vtkImageData\n    Surface = None\n"
    )


def test_02_isosurface_with_its_surface(vmtk, tube, voxels, tmp_path):
    done = vmtk(
        "-ifile tube.mha -interactive 0 -method isosurface -isosurface 50 -olevelsetsfile y.mha -osurfacefile s.stl"
    )
    assert np.array_equal(voxels("y.mha"), 50.0 - voxels("tube.mha").astype(np.float32))
    assert header(tmp_path / "y.mha") == header(tube)
    reader = vtkSTLReader()
    reader.SetFileName(str(tmp_path / "s.stl"))
    reader.Update()
    points = vtk_to_numpy(reader.GetOutput().GetPoints().GetData())
    # VMTK's frame: x and y of the origin negated. The tube reaches both ends of the image and is open there.
    assert np.allclose(points.min(axis=0), (8 - 1.75, 3 - 1.75, 7), atol=1e-5)
    assert np.allclose(points.max(axis=0), (8 + 1.75, 3 + 1.75, 26), atol=1e-5)
    assert abs(vtk_to_numpy(reader.GetOutput().GetPolys().GetConnectivityArray()).size) > 0
    assert done.stdout.endswith(
        "Writing STL surface file.\nOutput vmtkimageinitialization members:\n    Id = 0\n"
        "    IsoSurfaceValue = 0.0\n    InitialLevelSets = vtkImageData\n    Surface = vtkPolyData\n"
    )
    assert "IsoSurfaceValue = 50.0" in done.stdout


@pytest.mark.parametrize(
    ("points", "inside"),
    [
        ("-sourcepoints 10 10 10 -targetpoints 11 10 10", 28),
        ("-sourcepoints 10 10 10", 19),
        ("-sourcepoints 0 0 0", 7),
    ],
)
def test_03_seeds(vmtk, tube, voxels, points, inside):
    vmtk(f"-ifile tube.mha -interactive 0 -method seeds {points} -olevelsetsfile y.mha")
    assert counts(voxels("y.mha")) == {-1.0: inside, 1.0: 8000 - inside}


def test_04_fast_marching(vmtk, tube, voxels):
    vmtk(
        "-ifile tube.mha -interactive 0 -method fastmarching -lowerthreshold 50 -sourcepoints 10 10 2 "
        "-targetpoints 10 10 17 -olevelsetsfile y.mha"
    )
    made, outside = voxels("y.mha"), voxels("tube.mha") == 0
    assert (made[17, 10, 10], made[2, 10, 10]) == (0.0, -15.0)
    assert (made[outside] == FAR).all()
    assert (made[~outside] < FAR).all()


@pytest.fixture
def aorta(test_data, tmp_path):
    (tmp_path / "aorta.mha").symlink_to(test_data / "aorta.mha")
    return test_data


def test_05_fast_marching_on_a_real_ct_has_the_bits_of_vmtk(succeed, aorta, voxels, tmp_path):
    succeed(
        f"{AORTA} -method fastmarching -sourcepoints 71 213 16 -targetpoints 58 78 22 96 78 21 -olevelsetsfile y.mha"
    )
    reference = aorta / "vmtk_reference_fastmarching.mha"
    expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(reference)))
    assert voxels("y.mha").tobytes() == expected.tobytes()
    assert header(tmp_path / "y.mha") == header(reference)
    assert voxels("y.mha")[21, 78, 96] == 0.0
    assert voxels("y.mha")[22, 78, 58] == pytest.approx(-3.53, abs=5e-3)


def test_06_colliding_fronts_on_a_real_ct(succeed, aorta, voxels):
    log = succeed(
        f"{AORTA} -method collidingfronts -sourcepoints 71 213 16 -targetpoints 58 78 22 -olevelsetsfile y.mha"
    )
    made = voxels("y.mha")
    assert np.count_nonzero(made < 0) == 16471
    assert np.count_nonzero(made == np.float32(1e-5)) == made.size - 16471 - 2
    assert "\n10\n" not in log


def test_07_several_pairs_are_the_union_of_single_runs(succeed, aorta, voxels):
    for name, target in (("a", "58 78 22"), ("b", "96 78 21")):
        succeed(
            f"{AORTA} -method collidingfronts -sourcepoints 71 213 16 -targetpoints {target} -olevelsetsfile {name}.mha"
        )
    succeed(
        f"{AORTA} -method multiplecollidingfronts -sourcepoints 71 213 16 71 213 16 "
        "-targetpoints 58 78 22 96 78 21 -olevelsetsfile y.mha"
    )
    assert np.array_equal(voxels("y.mha") < 0, (voxels("a.mha") < 0) | (voxels("b.mha") < 0))


def test_09_negated(vmtk, vti, voxels, tmp_path):
    vmtk("-ifile tube.vti -interactive 0 -method threshold -negate 1 -lowerthreshold 50 -olevelsetsfile y.vti")
    assert counts(vtk_to_numpy(vti_image(tmp_path / "y.vti").GetPointData().GetScalars())) == {-1.0: 7100, 1.0: 900}


def test_10_negative_numbers_are_values(vmtk, vti, tmp_path):
    done = vmtk(
        "-ifile tube.vti -interactive 0 -method threshold -lowerthreshold -1e2 -upperthreshold -.5 "
        "-olevelsetsfile y.vti"
    )
    assert counts(vtk_to_numpy(vti_image(tmp_path / "y.vti").GetPointData().GetScalars())) == {1.0: 8000}
    assert done.stderr == f"{INIT}: warning: the level set is empty: no voxel is inside\n"


def test_11_a_pype_with_a_trailing_pipe(run, vti, tmp_path):
    done = run(
        "pype",
        "vmtkimagereader -ifile tube.vti --pipe vmtkimageinitialization -interactive 0 -method isosurface "
        "-isosurface 50 --pipe vmtkmarchingcubes -i @.olevelsets -ofile s.vtp --pipe",
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Automatic piping vmtkimageinitialization\n    Image = vmtkimagereader-0.Image\n" in done.stdout
    assert "Parsing options vmtkmarchingcubes\n    Image = @.olevelsets\n" in done.stdout
    assert "    Image = vmtkimageinitialization-0.InitialLevelSets\n" in done.stdout
    reader = vtkXMLPolyDataReader()
    reader.SetFileName(str(tmp_path / "s.vtp"))
    reader.Update()
    assert np.allclose(reader.GetOutput().GetBounds(), (0.25, 3.75, 5.25, 8.75, 7, 26), atol=1e-5)


def test_12_threshold_without_thresholds(refuse, vti):
    refuse(
        4,
        f"{INIT}: error: tube.vti: method threshold needs a lower or an upper threshold",
        f"{INIT} -ifile tube.vti -interactive 0 -method threshold",
    )


def test_13_seeds_outside(refuse, vti):
    refuse(
        4,
        f"{INIT}: error: tube.vti: point (100,2,3) is outside of the image; allowed: i 0..19, j 0..19, k 0..19",
        f"{INIT} -ifile tube.vti -interactive 0 -method seeds -sourcepoints 100 2 3 -olevelsetsfile y.vti",
    )


def test_14_points_come_in_triples(refuse, vti):
    refuse(
        2,
        f"{INIT}: error: -sourcepoints got 2 values, need a multiple of 3",
        f"{INIT} -ifile tube.vti -interactive 0 -method seeds -sourcepoints 1 2 -olevelsetsfile y.vti",
    )


def test_15_colliding_fronts_without_points(refuse, vti):
    refuse(
        4,
        f"{INIT}: error: tube.vti: method collidingfronts needs one source and one target",
        f"{INIT} -ifile tube.vti -interactive 0 -method collidingfronts",
    )


def test_16_a_missing_input(refuse, tmp_path):
    refuse(
        3,
        f"{INIT}: error: cannot read nosuch.vti: no such file",
        f"{INIT} -ifile nosuch.vti -interactive 0 -method threshold -lowerthreshold 1 -olevelsetsfile y.vti",
    )


def test_17_an_unknown_method(refuse, vti):
    refuse(
        2,
        f"{INIT}: error: -method must be one of isosurface, threshold, collidingfronts, fastmarching, seeds, "
        "multiplecollidingfronts, got bogus",
        f"{INIT} -ifile tube.vti -interactive 0 -method bogus",
    )


def test_18_an_unknown_option(refuse, vti):
    refuse(
        2,
        f"{INIT}: error: unknown option -frobnicate; {INIT} --help lists the options",
        f"{INIT} -ifile tube.vti -frobnicate 3",
    )
    refuse(
        2,
        f"{INIT}: error: unknown option -lowerthresold, did you mean -lowerthreshold?",
        f"{INIT} -ifile tube.vti -lowerthresold 3",
    )


def test_19_a_word_that_is_no_number(refuse, vti):
    refuse(
        2,
        f"{INIT}: error: -lowerthreshold expects a number, got abc",
        f"{INIT} -ifile tube.vti -interactive 0 -method threshold -lowerthreshold abc",
    )


def test_20_apostrophes_and_blanks_in_names(run, refuse, vti, tmp_path):
    vti.rename(tmp_path / "it's tube.vti")
    line = [INIT, "-ifile", "it's tube.vti", "-interactive", "0", "-method", "threshold", "-lowerthreshold", "50"]
    missing = run(*line, "-olevelsetsfile", "out dir/y.vti")
    assert missing.returncode == 5
    assert missing.stderr == (
        f"{INIT}: error: cannot write out dir/y.vti: the folder {tmp_path}/out dir does not exist\n"
    )
    (tmp_path / "out dir").mkdir()
    assert run(*line, "-olevelsetsfile", "out dir/y.vti").returncode == 0
    assert (tmp_path / "out dir" / "y.vti").is_file()


def test_21_without_a_display_what_is_complete_runs(vmtk, vti):
    done = vmtk("-ifile tube.vti -method fastmarching -sourcepoints 10 10 2")
    assert done.stderr == (
        f"{INIT}: note: no display and no terminal to ask at, running non-interactively\n"
        f"{INIT}: warning: no threshold is given: fronts run through the whole image, not only through the vessel\n"
        f"{INIT}: warning: no target: the front is limited to 100 time units\n"
        f"{INIT}: warning: the result is not stored; -olevelsetsfile FILE stores it\n"
    )


def test_21_without_a_display_what_is_not_complete_says_what_to_type(refuse, vti):
    refuse(
        6,
        f"{INIT}: error: there is no display and no terminal to ask at; without them type: mitk-rs {INIT} "
        "-ifile tube.vti -interactive 0 -method collidingfronts -sourcepoints I J K -targetpoints I J K",
        f"{INIT} -ifile tube.vti",
    )


def test_25_help_shows_every_option_with_its_default(run):
    done = run(f"{INIT} -ifile nosuch.mha -method seeds --help")
    assert (done.returncode, done.stderr) == (0, "")
    text = re.sub(r"\s+", " ", done.stdout)
    for row in (
        "-i Image (vtkImageData,1)",
        "-ifile ImageInputFileName (str,1): filename for the default Image reader",
        "-negate NegateImage (bool,1); default=0",
        "-interactive Interactive (bool,1); default=1",
        "default=collidingfronts",
        "-sourcepoints SourcePoints (int,-1); default=[]",
        "-targetpoints TargetPoints (int,-1); default=[]",
        "-upperthreshold UpperThreshold (float,1); default=None",
        "-lowerthreshold LowerThreshold (float,1); default=None",
        "-isosurface IsoSurfaceValue (float,1); default=0.0",
        "-renderer vmtkRenderer (vmtkRenderer,1)",
        "-olevelsetsfile InitialLevelSetsOutputFileName (str,1)",
        "-osurfacefile SurfaceOutputFileName (str,1)",
        "-isosurfacevalue IsoSurfaceValue (float,1); default=0.0",
        "-olevelsets InitialLevelSets (vtkImageData,1)",
        "-osurface Surface (vtkPolyData,1)",
    ):
        assert row in text
    assert "an initial level set" in text


@pytest.mark.parametrize("line", ["--help", "init --help", f"{INIT} --html", "pype --help"])
def test_25_every_help_is_on_stdout(run, line):
    done = run(line)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout) > 200


def test_extents_count_as_in_the_uncropped_image(run, vmtk, vti, tmp_path):
    image = vti_image(vti)
    image.SetExtent(4, 23, 0, 19, -2, 17)
    writer = vtkXMLImageDataWriter()
    writer.SetFileName(str(tmp_path / "part.vti"))
    writer.SetInputData(image)
    writer.Write()
    vmtk("-ifile part.vti -interactive 0 -method seeds -sourcepoints 4 0 -2 -olevelsetsfile y.vti")
    made = vti_image(tmp_path / "y.vti")
    assert (made.GetExtent(), made.GetOrigin()) == (image.GetExtent(), image.GetOrigin())
    assert counts(vtk_to_numpy(made.GetPointData().GetScalars())) == {-1.0: 7, 1.0: 7993}
    done = run(f"{INIT} -ifile part.vti -interactive 0 -method seeds -sourcepoints 0 0 0 -olevelsetsfile z.vti")
    assert done.returncode == 4
    assert "allowed: i 4..23, j 0..19, k -2..17" in done.stderr


MIP = "vmtkimagemipviewer"


def test_22_the_projection_as_a_picture(run, tube, tmp_path):
    done = run(f"{MIP} -ifile tube.mha -display 0 -windowlevel 200 100 -omipfile m.png")
    assert (done.returncode, done.stderr) == (0, "")
    with PillowImage.open(tmp_path / "m.png") as picture:
        pixels = np.asarray(picture).astype(int)
    assert pixels.shape == (900, 1200, 3)
    assert pixels.max() == 128
    assert tuple(pixels[5, 5]) == (26, 26, 51)
    assert tuple(pixels[450, 600]) == (128, 128, 128)
    assert tuple(pixels[450, 450]) == (0, 0, 0)


def test_22_the_projection_as_an_array(run, tube, tmp_path):
    done = run("mip tube.mha --axis z -o m.npy")
    assert done.returncode == 0
    assert counts(np.load(tmp_path / "m.npy")) == {0.0: 355, 100.0: 45}


def test_23_ofile_is_the_input(run, tube, voxels, tmp_path):
    done = run(f"{MIP} -ifile tube.mha -display 0 -ofile copy.mha")
    assert done.returncode == 0
    assert done.stderr == (
        f"{MIP}: note: -ofile writes the input image, not the projection; -omipfile FILE writes that\n"
    )
    assert np.array_equal(voxels("copy.mha"), voxels("tube.mha"))
    assert header(tmp_path / "copy.mha") == header(tube)


@pytest.mark.parametrize(
    ("options", "status", "text"),
    [
        ("-windowlevel 100", 2, "-windowlevel needs 2 values, got 1"),
        ("-sampledistance -1", 2, "-sampledistance must be >= 0.0, got -1.0"),
        ("-opacity 0.5 2", 2, "-opacity must be >= 0.0 and <= 1.0, got 2.0"),
        ("-array nosuch", 4, "tube.mha: -array nosuch: no such array; the image has ImageScalars"),
        ("-omipfile m.xyz", 5, "cannot write m.xyz: its ending must be one of .png .tif .tiff .npy"),
    ],
)
def test_24_bad_requests_of_the_projection(refuse, tube, options, status, text):
    refuse(status, f"{MIP}: error: {text}", f"{MIP} -ifile tube.mha -display 0 {options}")


def test_a_projection_that_nobody_sees_is_told(run, refuse, tube):
    done = run(f"{MIP} -ifile tube.mha -display 0")
    assert done.returncode == 0
    assert done.stderr == f"{MIP}: note: nothing was produced; -omipfile FILE writes the projection\n"
    refuse(
        6,
        f"{MIP}: error: there is no display to show the projection on; -display 0 -omipfile FILE writes it",
        f"{MIP} -ifile tube.mha",
    )
    assert run(f"{MIP} -ifile tube.mha -omipfile m.png").returncode == 0


# Command lines that people have published


def test_a_shell_loop_of_thresholds(run, tube, voxels):
    script = (
        'for n in tube; do "$1" vmtkimageinitialization -ifile $n.mha -interactive 0 -method threshold '
        "-lowerthreshold 50 -upperthreshold 500 -olevelsetsfile ${n}_ls.mha; done"
    )
    done = run("true")
    assert done.returncode == 2
    program = done.args[3]
    shell = subprocess.run(["sh", "-c", script, "sh", program], cwd=tube.parent, capture_output=True, check=False)
    assert shell.returncode == 0
    assert counts(voxels("tube_ls.mha")) == {-1.0: 900, 1.0: 7100}


def test_the_pyperun_of_an_aorta_package_with_its_trailing_pipe(tube, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pype = mitk_rs_pypes().PypeRun(
        "vmtkimagereader -ifile tube.mha -origin 0.0 0.0 0.0 --pipe vmtkimageinitialization -interactive 0 "
        "-method isosurface -isosurface 50 -olevelsetsfile ls.vti --pipe"
    )
    assert pype.GetScriptObject("vmtkimageinitialization", "0").InitialLevelSets.GetDimensions() == (20, 20, 20)
    assert (tmp_path / "ls.vti").is_file()


def mitk_rs_pypes():
    from mitk_rs.vmtk import pypes

    return pypes


def test_surface_and_level_set_of_a_finite_element_code(succeed, tube, tmp_path):
    succeed(
        f"{INIT} -ifile tube.mha -interactive 0 -method threshold -lowerthreshold 50 "
        "-osurfacefile imginit.stl -olevelsetsfile levelsetinit.vti"
    )
    assert (tmp_path / "imginit.stl").stat().st_size > 1000
    assert vti_image(tmp_path / "levelsetinit.vti").GetOrigin() == (3.0, -2.0, 7.0)


def test_an_empty_surface_does_not_take_the_level_set_with_it(run, tube, tmp_path):
    line = f"{INIT} --nolog -ifile tube.mha -interactive 0 -method threshold -lowerthreshold -1 -osurfacefile a.stl"
    done = run(f"{line} -olevelsetsfile b.vti")
    message = "error: tube.mha: a.stl is not written: the level set has no surface"
    assert done.returncode == 4
    assert done.stderr.splitlines()[-1] == f"{INIT}: {message}; the level set is in b.vti"
    assert vti_image(tmp_path / "b.vti").GetScalarRange() == (-1.0, -1.0)
    done = run(line)
    assert (done.returncode, done.stderr) == (4, f"{INIT}: {message}\n")
    assert {file.name for file in tmp_path.iterdir()} == {"tube.mha", "b.vti"}


def test_a_cropped_image_stored_by_the_mip_viewer(succeed, vti, tmp_path):
    succeed(
        "pype",
        "vmtkimagevoiselector -ifile tube.vti -interactive 0 -boxbounds -1 5 3 6 9 20 --pipe "
        "vmtkimagemipviewer -display 0 -ofile X_mip.vti -omipfile X_mip.png",
    )
    assert vti_image(tmp_path / "X_mip.vti").GetExtent() == (4, 16, 2, 8, 2, 13)
    assert (tmp_path / "X_mip.png").is_file()


def test_the_log_of_the_reader_tells_spacing_and_size(succeed, vti):
    log = succeed("vmtkimagereader -ifile tube.vti").splitlines()
    found = {line.split()[0]: line.split()[1:] for line in log if line.startswith(("Spacing", "Origin", "Dim"))}
    assert found == {
        "Spacing": ["0.500000", "0.500000", "1.000000"],
        "Origin": ["-3.000000", "2.000000", "7.000000"],
        "Dimensions": ["20", "20", "20"],
    }


def test_a_file_of_pypes_stops_at_the_first_failure(run, tube, tmp_path):
    (tmp_path / "pypes.txt").write_text(
        "# first the level set\n\nvmtkimageinitialization -ifile tube.mha -interactive 0 \\\n"
        "  -method isosurface -isosurface 50 -olevelsetsfile a.mha\nvmtkimagereader -ifile none.mha\n"
        "vmtkimagereader -ifile tube.mha --pipe vmtkimagewriter -ofile b.mha\n"
    )
    done = run("pype --file pypes.txt --nolog")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr == "vmtkimagereader: error: cannot read none.mha: no such file\n"
    assert (tmp_path / "a.mha").is_file()
    assert not (tmp_path / "b.mha").exists()


def test_json_instead_of_the_log(run, tube):
    done = run(f"{INIT} -ifile tube.mha -interactive 0 -method seeds -sourcepoints 0 0 0 -olevelsetsfile y.mha --json")
    (step,) = json.loads(done.stdout)["scripts"]
    assert step["name"] == INIT
    assert step["inputs"]["sourcepoints"] == [0, 0, 0]
    assert step["report"]["inside"] == 7


def test_a_dialogue_is_replayed_from_a_file(succeed, run, tube, voxels, tmp_path):
    (tmp_path / "answers.txt").write_text("3\n50\nn\nshow p.png\ny\nn\n")
    succeed(f"{INIT} -ifile tube.mha --script answers.txt -olevelsetsfile y.mha -osurfacefile y.vtp")
    assert counts(voxels("y.mha")) == {-1.0: 900, 1.0: 7100}
    with PillowImage.open(tmp_path / "p.png") as picture:
        assert min(picture.size) > 200
    (tmp_path / "answers.txt").write_text("3\nx\n")
    done = run(f"{INIT} -ifile tube.mha --script answers.txt -olevelsetsfile z.mha")
    assert done.returncode == 2
    assert done.stderr == f"{INIT}: error: answers.txt:2: 'x' is not a number or n for none\n"


@pytest.mark.parametrize("line", ["vmtkimagereader", "vmtk vmtkimagereader", "pyperun vmtkimagereader"])
def test_installed_names_run(run, tube, tmp_path, line):
    folder = tmp_path / "bin"
    folder.mkdir()
    done = run(f"install-vmtk-names {folder}")
    assert done.returncode == 0
    assert str(folder / line.split()[0]) in done.stdout.splitlines()
    log = subprocess.run(
        [*line.split(), "-ifile", "tube.mha", "--pipe", "vmtkimagewriter", "-ofile", "copy.vti"],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert "Dimensions 20 20 20" in log
    assert (tmp_path / "copy.vti").exists()


def test_programs_of_others_are_kept_unless_forced(run, tmp_path):
    folder = tmp_path / "bin"
    assert run(f"install-vmtk-names {folder}").returncode == 5
    folder.mkdir()
    (folder / "vmtkimagewriter").write_text("someone else's")
    done = run(f"install-vmtk-names {folder}")
    assert done.returncode == 5
    assert "holds other programs of these names: vmtkimagewriter; --force replaces them" in done.stderr
    assert run(f"install-vmtk-names {folder} --force").returncode == 0


# Geometry

TURNED = (0.6, -0.8, 0.0, 0.8, 0.6, 0.0, 0.0, 0.0, 1.0)


@pytest.fixture
def oblique(tmp_path):
    """``o.mha``: oblique, anisotropic, off the origin."""
    image = SimpleITK.GetImageFromArray(np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6))
    image.SetSpacing((0.5, 0.75, 2.0))
    image.SetOrigin((11.0, -12.0, 13.0))
    image.SetDirection(TURNED)
    SimpleITK.WriteImage(image, str(tmp_path / "o.mha"))
    return image


def level_set(run, source, target, geometry):
    words = f"{INIT} -ifile {source} -interactive 0 -method isosurface -isosurface 50 -olevelsetsfile {target}"
    done = run(words + (f" -geometry {geometry}" if geometry else ""))
    assert done.returncode == 0, done.stderr
    return done.stderr


@pytest.mark.parametrize("suffix", ["mha", "mhd", "nrrd", "nii", "nii.gz"])
@pytest.mark.parametrize("geometry", ["", "physical"])
def test_formats_of_itk_keep_the_geometry_of_their_input(run, oblique, tmp_path, suffix, geometry):
    assert level_set(run, "o.mha", f"y.{suffix}", geometry) == ""
    made = SimpleITK.ReadImage(str(tmp_path / f"y.{suffix}"))
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert np.allclose(getattr(made, name)(), getattr(oblique, name)(), atol=1e-6)


@pytest.mark.parametrize("suffix", ["mha", "nrrd", "nii.gz"])
def test_formats_of_itk_as_vmtk_writes_them(run, oblique, tmp_path, suffix):
    level_set(run, "o.mha", f"y.{suffix}", "vmtk")
    made = SimpleITK.ReadImage(str(tmp_path / f"y.{suffix}"))
    assert np.allclose(made.GetOrigin(), oblique.GetOrigin(), atol=1e-6)
    assert np.allclose(made.GetDirection(), (-1, 0, 0, 0, -1, 0, 0, 0, 1))


def test_vti_from_a_format_of_itk(run, oblique, tmp_path):
    note = level_set(run, "o.mha", "y.vti", "")
    assert note == (
        "vmtkimagewriter: note: y.vti is in VMTK's frame; -geometry physical writes the world positions of the input\n"
    )
    made = vti_image(tmp_path / "y.vti")
    assert made.GetOrigin() == (-11.0, 12.0, 13.0)
    assert made.GetDirectionMatrix().IsIdentity()
    assert level_set(run, "o.mha", "y.vti", "physical") == ""
    made = vti_image(tmp_path / "y.vti")
    assert made.GetOrigin() == (11.0, -12.0, 13.0)
    assert np.allclose(made.GetDirectionMatrix().GetData(), TURNED)


def test_a_format_of_itk_from_vti(run, vti, tmp_path):
    note = level_set(run, "tube.vti", "y.mha", "")
    assert "y.mha keeps the positions of the input; -geometry vmtk writes what VMTK reads back" in note
    assert header(tmp_path / "y.mha")[2:] == ((-3.0, 2.0, 7.0), (1, 0, 0, 0, 1, 0, 0, 0, 1))
    assert level_set(run, "tube.vti", "y.mha", "vmtk") == ""
    assert header(tmp_path / "y.mha")[2:] == ((3.0, -2.0, 7.0), (-1, 0, 0, 0, -1, 0, 0, 0, 1))
    # VMTK reads it back to the frame of tube.vti: x and y negated, direction dropped.
    level_set(run, "y.mha", "z.vti", "vmtk")
    assert vti_image(tmp_path / "z.vti").GetOrigin() == (-3.0, 2.0, 7.0)


def test_a_format_that_cannot_hold_the_direction_is_refused(run, oblique, tmp_path):
    done = run(
        f"{INIT} -ifile o.mha -interactive 0 -method isosurface -isosurface 50 -olevelsetsfile y.vtk -geometry physical"
    )
    assert done.returncode == 5
    assert "cannot hold a direction matrix" in done.stderr
    assert not (tmp_path / "y.vtk").exists()
    level_set(run, "o.mha", "y.vtk", "")


@pytest.mark.parametrize("mirror", [1.0, -1.0])
def test_surfaces_lie_in_the_world_when_asked_to(run, oblique, tmp_path, mirror):
    direction = (*TURNED[:8], mirror)
    oblique.SetDirection(direction)
    SimpleITK.WriteImage(oblique, str(tmp_path / "o.mha"))
    base = f"{INIT} -ifile o.mha -interactive 0 -method isosurface -isosurface 50 -olevelsetsfile y.mha"
    assert run(f"{base} -osurfacefile s.vtp -geometry physical").returncode == 0
    reader = vtkXMLPolyDataReader()
    reader.SetFileName(str(tmp_path / "s.vtp"))
    reader.Update()
    points = vtk_to_numpy(reader.GetOutput().GetPoints().GetData())
    index = (points - oblique.GetOrigin()) @ np.array(direction).reshape(3, 3) / oblique.GetSpacing()
    assert np.allclose(index @ (1, 6, 30), 50, atol=30e-3)
    corners = vtk_to_numpy(reader.GetOutput().GetPolys().GetConnectivityArray()).reshape(-1, 3)
    one, two, three = (points[corners[:, k]] for k in range(3))
    normals = np.cross(two - one, three - one)
    outwards = -np.array((1, 6, 30)) / oblique.GetSpacing() @ np.array(direction).reshape(3, 3).T
    assert (normals @ outwards > 0).all()
