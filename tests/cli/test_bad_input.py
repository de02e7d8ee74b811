"""Bad input: one line on stderr that says what and where, the right status, nothing written, nothing lost."""

import os
import resource
import shutil
import subprocess

import numpy as np
import pytest
import SimpleITK

from mitk_rs.cli.console import ExitCode

SUFFIXES = ".mha .mhd .nrrd .nhdr .nii .nii.gz .vti .vtk"
METHODS = "isosurface, threshold, collidingfronts, fastmarching, seeds, multiplecollidingfronts"
THRESHOLD = "--method threshold --lower 50"
MARCH = "--method fastmarching --lower 50"

# What can be said without reading an image: the line, the status, the message behind "mitk-rs init: error: ".
LINES = [
    ("", 2, "missing IN, the image to start from"),
    ("tube.mha --method threshold --lower 50", 2,
     "missing -o LEVELSET or --surface SURFACE: the result would not be stored"),
    ("tube.mha -ifile other.mha -o y.mha", 2, "more than one input: tube.mha, other.mha"),
    ("tube.mha more.mha -o y.mha", 2, "unexpected words: more.mha"),
    ("tube.mha --frobnicate 3 -o y.mha", 2, "unknown option --frobnicate"),
    ("tube.mha --sorce 1 2 3 -o y.mha", 2, "unknown option --sorce; did you mean --source?"),
    ("-ifile tube.mha -olevelsetfile y.mha", 2, "unknown option -olevelsetfile; did you mean -olevelsetsfile?"),
    ("tube.mha --method bogus -o y.mha", 2, f"--method must be one of {METHODS}; got bogus"),
    ("-ifile tube.mha -method thresold", 2,
     f"-method must be one of {METHODS}; got thresold; did you mean threshold?"),
    ("tube.mha --lower abc -o y.mha", 2, "--lower expects a number, got abc"),
    ("-ifile tube.mha -lowerthreshold abc", 2, "-lowerthreshold expects a number, got abc"),
    ("tube.mha -o y.mha --lower", 2, "--lower needs a value"),
    ("tube.mha --method seeds --source 1 2 -o y.mha", 2, "--source needs a multiple of 3 values, got 2"),
    ("tube.mha --method seeds --source=1,2,x -o y.mha", 2, "--source expects a number, got x"),
    ("tube.mha -negate 2 -o y.mha", 2, "-negate expects 0 or 1 (or yes, no, true, false, on, off), got 2"),
    ("tube.mha --threads 0 -o y.mha", 2, "--threads must be >= 1, got 0"),
    ("tube.mha --compat itk -o y.mha", 2, "--compat must be one of vmtk; got itk"),
    ("missing.mha -o y.mha", 3, "cannot read missing.mha: no such file"),
    ("'' -o y.mha", 3, "cannot read '': not a file name"),
    ("empty.mha -o y.mha", 3, "cannot read empty.mha: the file is empty"),
    ("tube.mha/ -o y.mha", 3, "cannot read tube.mha/: not a directory"),
    ("loop.mha -o y.mha", 3, "cannot read loop.mha: too many levels of symbolic links"),
    ("tube.mha -o nowhere/y.mha", 5, "cannot write nowhere/y.mha: the folder nowhere does not exist"),
    ("tube.mha -o tube.mha/y.mha", 5, "cannot write tube.mha/y.mha: tube.mha is not a folder"),
    ("tube.mha -o folder.mha", 5, "cannot write folder.mha: it is a folder"),
    ("tube.mha -o old.mha", 5, "cannot write old.mha: it exists; --force replaces it"),
    ("tube.mha -o data.mhd", 5, "cannot write data.mhd: its data file data.zraw exists; --force replaces it"),
    ("tube.mha -o y.xyz", 5, f"cannot write y.xyz: its ending must be one of {SUFFIXES}"),
    ("tube.mha -o y", 5, f"cannot write y: its ending must be one of {SUFFIXES}"),
    ("tube.mha --surface y.gif", 5, "cannot write y.gif: its ending must be one of .stl .vtp .ply .obj .vtk"),
    ("tube.mha -o tube.mha --force", 5, "cannot write tube.mha: it is the input"),
    ("tube.mha -o ./folder.mha/../tube.mha --force", 5,
     "cannot write ./folder.mha/../tube.mha: it is the input"),
    ("tube.mha -o link.mha --force", 5, "cannot write link.mha: it is the input"),
    ("tube.mha -o y.vtk --surface y.vtk", 5, "cannot write y.vtk: it is given for two outputs"),
]  # fmt: skip


@pytest.fixture
def folder(tube):
    """The temporary folder with everything that the lines name."""
    here = tube.parent
    (here / "empty.mha").touch()
    (here / "folder.mha").mkdir()
    (here / "old.mha").write_text("precious")
    (here / "data.zraw").write_text("precious")
    (here / "link.mha").symlink_to("tube.mha")
    (here / "loop.mha").symlink_to("loop.mha")
    return here


@pytest.mark.parametrize(("line", "status", "message"), LINES, ids=[line or "nothing" for line, _, _ in LINES])
def test_lines_that_cannot_be_run(fail, folder, line, status, message):
    fail(status, f"mitk-rs init: error: {message}", f"init {line}")


# What needs the image: the same.
REQUESTS = [
    (THRESHOLD.replace("--lower 50", ""), "method threshold needs a lower or an upper threshold"),
    (f"{THRESHOLD} --upper 3", "the lower threshold 50 is above the upper threshold 3"),
    (f"{MARCH} --source 1 1 1 --target 2 2 2 --upper 3", "the lower threshold 50 is above the upper threshold 3"),
    ("--method threshold --lower nan", "lower_threshold is nan: it must be a number"),
    ("--method isosurface --isosurface inf", "isosurface is inf: it must be finite"),
    ("--method seeds", "method seeds needs at least one source or target"),
    ("--method seeds --source 100 2 3",
     "source (100, 2, 3) lies outside the image: allowed x 0..19, y 0..19, z 0..19"),
    ("--method seeds --target 0 -1 3", "target (0, -1, 3) lies outside the image: allowed x 0..19, y 0..19, z 0..19"),
    (MARCH, "method fastmarching needs at least one source"),
    (f"{MARCH} --source 10 10 2", "method fastmarching needs either targets or a stop time"),
    (f"{MARCH} --source 10 10 2 --target 0 0 0",
     "target (0, 0, 0) cannot be reached from source (10, 10, 2): its value 0 lies outside the thresholds"),
    (f"{MARCH} --source 10 10 2 --stop-time -1", "stop_time is -1.0: it must be finite and > 0"),
    (f"{MARCH} --source 10 10 2 --target 10 10 9 --far-value 0", "far_value is 0.0: it must be finite and > 0"),
    ("", "method collidingfronts needs one source and one target"),
    ("--source 10 10 2 10 10 3 --target 10 10 9",
     "method collidingfronts needs one source and one target, got 2 and 1; multiplecollidingfronts takes pairs"),
    ("--source 10 10 2 --target 10 10 2",
     "source and target (10, 10, 2) are the same voxel: two fronts need two places to start"),
    ("--method multiplecollidingfronts --source 10 10 2 10 10 2 --target 10 10 9",
     "method multiplecollidingfronts needs as many targets as sources, got 2 and 1"),
]  # fmt: skip


def test_requests_that_do_not_fit_the_image(tube, folder, monkeypatch, capsys):
    """The same checks as of the program, in one process because each needs the libraries."""
    from mitk_rs.cli.main import main

    monkeypatch.chdir(folder)
    before = sorted(folder.iterdir())
    for line, message in REQUESTS:
        status = main(["init", "tube.mha", *line.split(), "-o", "y.mha"])
        out, err = capsys.readouterr()
        assert (status, out, err) == (ExitCode.REQUEST, "", f"mitk-rs init: error: tube.mha: {message}\n")
    assert sorted(folder.iterdir()) == before


def test_a_seed_outside_as_the_program(fail, tube):
    text = "source (100, 2, 3) lies outside the image: allowed x 0..19, y 0..19, z 0..19"
    fail(4, f"mitk-rs init: error: tube.mha: {text}", "init tube.mha --method seeds --source 100 2 3 -o y.mha")


def save(array, name, **options):
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array, **options), str(name))


@pytest.fixture
def images(tube):
    """Files that are no images, and images that the command cannot use."""
    here, voxels = tube.parent, np.zeros((4, 5, 6), np.float32)
    (here / "folder").mkdir()
    (here / "truncated.mha").write_bytes(tube.read_bytes()[:8000])
    (here / "text.mha").write_text("no image at all\n" * 9)
    save(voxels.astype(np.complex64), here / "complex.mha")
    save(np.zeros((4, 5, 6, 2), np.float32), here / "vector.mha", isVector=True)
    SimpleITK.WriteImage(SimpleITK.JoinSeries([SimpleITK.ReadImage(str(tube))] * 3), str(here / "series.mha"))
    voxels[1, 2, 3] = np.nan
    save(voxels, here / "nan.mha")
    return here


FILES = [
    ("folder", 3, "cannot read folder"),
    ("truncated.mha", 3, "cannot read truncated.mha: "),
    ("text.mha", 3, "cannot read text.mha: "),
    ("complex.mha", 4, "complex.mha: the image has 2 components a voxel: one is needed"),
    ("vector.mha", 4, "vector.mha: the image has 2 components a voxel: one is needed"),
    ("series.mha", 4, "series.mha has 3 time steps: choose one with --time-step 0..2"),
    ("series.mha --time-step 3", 4, "--time-step 3 does not exist: series.mha has 0..2"),
    ("nan.mha", 4, "nan.mha: voxel (3, 2, 1) is NaN: the image must be finite"),
]


@pytest.mark.parametrize(("line", "status", "beginning"), FILES, ids=[line for line, _, _ in FILES])
def test_files_that_are_no_scalar_volume(run, images, line, status, beginning):
    before = {file: file.stat().st_mtime_ns for file in images.iterdir()}
    done = run(f"init {line} {THRESHOLD} -o y.mha --surface y.stl")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1), done.stderr
    assert done.stderr.startswith(f"mitk-rs init: error: {beginning}")
    assert {file: file.stat().st_mtime_ns for file in images.iterdir()} == before


def test_one_frame_of_a_series(succeed, images, voxels):
    succeed(f"init series.mha --time-step 1 {THRESHOLD} -o y.mha")
    assert np.count_nonzero(voxels("y.mha") < 0) == 900


def unprivileged(command):
    """The command without the right of root to write where permissions forbid it."""
    if os.geteuid() != 0:
        return command
    if shutil.which("setpriv") is None:
        pytest.skip("running as root without setpriv: permissions cannot be tested")
    return ["setpriv", "--inh-caps=-all", "--bounding-set=-all", *command]


def test_a_folder_without_permission(tube, program):
    locked = tube.parent / "locked"
    locked.mkdir(mode=0o555)
    line = [*program, "init", "tube.mha", *THRESHOLD.split(), "-o", "locked/y.mha"]
    done = subprocess.run(unprivileged(line), cwd=tube.parent, capture_output=True, text=True, timeout=60)
    text = "cannot write locked/y.mha: no permission to write in the folder locked"
    assert (done.returncode, done.stderr) == (5, f"mitk-rs init: error: {text}\n")


def test_a_file_without_permission(tube, program):
    tube.chmod(0)
    line = [*program, "init", "tube.mha", *THRESHOLD.split(), "-o", "y.mha"]
    done = subprocess.run(unprivileged(line), cwd=tube.parent, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (3, "mitk-rs init: error: cannot read tube.mha: no permission\n")


def limit_files():
    resource.setrlimit(resource.RLIMIT_FSIZE, (400, 400))


@pytest.mark.parametrize("surface", ["y.stl", "y.vtp", "y.ply", "y.obj", "y.vtk"])
def test_writing_ends_early(run, tube, surface):
    """A limit stops the surface; the level set, small enough when packed, is not left alone."""
    (tube.parent / surface).write_text("precious")
    line = f"init tube.mha {THRESHOLD} -o y.nii.gz --surface {surface} --force"
    done = run(line, preexec_fn=limit_files)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (5, "", 1), done.stderr
    assert done.stderr.startswith(f"mitk-rs init: error: cannot write {surface}: ")
    assert {file.name for file in tube.parent.iterdir()} == {"tube.mha", surface}
    assert (tube.parent / surface).read_text() == "precious"


def test_a_full_disk(tube, program):
    """A file system of a few kilobytes, in a mount namespace of its own."""
    disk = tube.parent / "disk"
    disk.mkdir()
    if subprocess.run(["unshare", "-m", "mount", "-t", "tmpfs", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("making a small file system needs the right to mount one")
    script = (
        "mount -t tmpfs -o size=12k tmpfs disk && echo precious > disk/y.mhd && "
        "for level in y.mhd y.nrrd y.mha y.nii y.vti; do "
        '"$@" -o disk/$level --force; echo $?; done; ls -A disk; cat disk/y.mhd'
    )
    # Noise cannot be packed.
    noise = np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32)
    save(noise, tube.parent / "noise.mha")
    line = ["unshare", "-m", "sh", "-c", script, "sh", *program, "init", "noise.mha", "--method", "isosurface"]
    done = subprocess.run(line, cwd=tube.parent, capture_output=True, text=True, timeout=120)
    assert done.stdout.split() == ["5"] * 5 + ["y.mhd", "precious"]
    assert [text.endswith(": the disk is full") for text in done.stderr.splitlines()] == [True] * 5, done.stderr


COMMANDS = [
    ("", 2, "mitk-rs: error: missing command: one of "),
    ("inti", 2, "mitk-rs: error: unknown command inti; did you mean init?"),
    ("--verson", 2, "mitk-rs: error: unknown option --verson; did you mean --version?"),
    ("info", 2, "mitk-rs info: error: missing IN"),
    ("info missing.mha", 3, "mitk-rs info: error: cannot read missing.mha: no such file"),
    ("surface tube.mha", 2, "mitk-rs surface: error: missing -o/--output"),
    ("surface tube.mha -o tube.mha", 5, "mitk-rs surface: error: cannot write tube.mha: its ending must be one of "),
    ("convert tube.mha", 2, "mitk-rs convert: error: missing OUT"),
    ("convert tube.mha y.mha --pixel-type int", 2, "mitk-rs convert: error: --pixel-type must be one of uint8, "),
    ("convert tube.mha ./tube.mha --force", 5, "mitk-rs convert: error: cannot write ./tube.mha: it is the input"),
    ("crop tube.mha y.mha", 2, "mitk-rs crop: error: one of the arguments --start --index --box is required"),
    (
        "crop tube.mha y.mha --start 1 2 3",
        2,
        "mitk-rs crop: error: --start and --stop go together: the first voxel, and the one behind the last",
    ),
    ("crop tube.mha y.mha --index 1 2 3", 2, "mitk-rs crop: error: --index needs 6 values, got 3"),
    ("completion tcsh", 2, "mitk-rs completion: error: SHELL must be one of bash, zsh, fish; got tcsh"),
]


@pytest.mark.parametrize(("line", "status", "beginning"), COMMANDS, ids=[line or "nothing" for line, _, _ in COMMANDS])
def test_the_other_commands(run, tube, line, status, beginning):
    done = run(*line.split()) if line else run("")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (status, "", 1)
    assert done.stderr.startswith(beginning)
    assert [file.name for file in tube.parent.iterdir()] == ["tube.mha"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("crop tube.mha y.mha --index 0 20 0 1 0 1", "x range 0..20 is outside the image (0..19)"),
        ("crop tube.mha y.mha --index 5 4 0 1 0 1", "x range 5..4 is crossed: the first index is above the last"),
        ("crop tube.mha y.mha --box 100 200 0 1 0 1",
         "--box 100 200 0 1 0 1 holds no voxel of the image, which spans x -3..6.5, y 2..11.5, z 7..26"),
        ("crop tube.mha y.mha --box 1 0 0 1 0 1", "--box: the lower bound 1 is above the upper bound 0 along x"),
        ("convert tube.mha y.mha --time-step 1", "--time-step 1 does not exist: tube.mha has 0..0"),
        ("convert float.mha y.mha --pixel-type int16",
         "int16 cannot hold every value of the image; --round rounds and clips them"),
        ("surface tube.mha -o y.stl --level 100.5",
         "tube.mha does not cross the level 100.5: there is no surface to write"),
    ],
)  # fmt: skip
def test_requests_of_the_other_commands(fail, tube, line, message):
    save(np.full((2, 3, 4), 0.5, np.float32), tube.parent / "float.mha")
    command, name = line.split()[:2]
    about = message if name in message else f"{name}: {message}"
    fail(4, f"mitk-rs {command}: error: {about}", line)
