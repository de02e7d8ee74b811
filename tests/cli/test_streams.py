"""``-`` as input and output: commands work in pipes, and nothing but the result is on standard output."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mitk_rs as mitk

PROGRAM = Path(sys.executable).with_name("mitk-rs")


def run(*words, given=b"", cwd=None):
    return subprocess.run([PROGRAM, *map(str, words)], input=given, capture_output=True, cwd=cwd)


@pytest.fixture(scope="module")
def scan():
    return mitk.datasets.tube()


@pytest.fixture(scope="module")
def content(scan):
    return scan.to_bytes("mha")


INIT = ["--source", "10", "10", "2", "--target", "10", "10", "17", "--lower", "50"]
COMMANDS = {
    "init": ["init", "-", "-o", "-", "--format", "mha", *INIT],
    "init as VMTK": ["init", "-ifile", "-", "-olevelsetsfile", "-", "--format", "mha", *INIT],
    "surface of init": ["init", "-", "--surface", "-", "--format", "stl", *INIT],
    "segment": ["segment", "-", "--mask", "-", "--format", "nii.gz", "--iterations", "5", *INIT],
    "picture of segment": ["segment", "-", "--picture", "-", "--format", "png", "--iterations", "5", *INIT],
    "features": ["features", "-", "-o", "-", "--format", "nrrd"],
    "mip": ["mip", "-", "-o", "-", "--format", "png"],
    "values of mip": ["mip", "-", "-o", "-", "--format", "npy"],
    "spin": ["mip", "-", "-o", "-", "--format", "gif", "--spin", "4", "--size", "40", "40"],
    "montage": ["mip", "-", "-o", "-", "--format", "png", "--montage"],
    "surface": ["surface", "-", "-o", "-", "--isosurface", "50", "--format", "ply"],
    "convert": ["convert", "-", "-", "--format", ".nrrd"],
    "crop": ["crop", "-", "-", "--format", "vti", "--start", "2", "2", "2", "--stop", "9", "9", "9"],
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_in_a_pipe_gives_the_bytes_of_its_file(name, scan, content, tmp_path):
    words = COMMANDS[name]
    piped = run(*words, given=content)
    assert piped.returncode == 0, piped.stderr
    suffix = words[words.index("--format") + 1].removeprefix(".")
    scan.save(tmp_path / "scan.mha")
    named = [word for word in words if word not in ("--format", words[words.index("--format") + 1])]
    named[named.index("-")] = "scan.mha"
    named[named.index("-")] = f"out.{suffix}"
    done = run(*named, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert piped.stdout == (tmp_path / f"out.{suffix}").read_bytes()
    assert b"mitk_rs_" not in piped.stderr


def test_commands_make_a_pipe(content):
    level_set = run("init", "-", "-o", "-", "--format", "nrrd", *INIT, given=content)
    assert b"wrote standard output" in level_set.stderr
    surface = run("surface", "-", "-o", "-", "--format", "stl", given=level_set.stdout)
    assert surface.returncode == 0
    assert surface.stdout[:80].strip(b"\0 ")


def test_info_reads_standard_input(content):
    done = run("info", "-", "--json", given=content)
    facts = json.loads(done.stdout)
    assert facts["input"] == "standard input"
    assert facts["size"] == [20, 20, 20]
    assert b"file:        standard input" in run("info", "-", given=content).stdout


@pytest.mark.parametrize("suffix", ["mha", "nrrd", "nii", "nii.gz", "vti", "vtk", "tif", "npy"])
def test_the_format_of_standard_input_is_known_from_its_content(suffix, scan):
    done = run("info", "-", "--json", given=scan.to_bytes(suffix))
    assert json.loads(done.stdout)["size"] == [20, 20, 20]


def test_a_format_without_a_mark_can_be_named(tmp_path):
    text = b"DimSize = 2 2\nNDims = 2\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n\1\2\3\4"
    unknown = run("info", "-", given=text)
    assert unknown.returncode == 3
    assert b"name it with --format" in unknown.stderr


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["convert", "-", "-"], 2, "missing --format"),
        (["convert", "-", "-", "--format", "doc"], 5, "cannot write standard output: its ending must be one of"),
        (["convert", "-", "-", "--format", "mhd"], 2, "- is for one"),
        (["convert", "-", "-", "--format", "mha", "--json"], 2, "--json does not go with -"),
        (["convert", "-", "x.mha", "--like", "-"], 2, "- is given for two inputs"),
        (["mip", "-", "-o", "x.png", "--overlay", "-"], 2, "- is given for two inputs"),
        (["init", "-", "-o", "-", "--surface", "-", "--format", "mha", *INIT], 2, "- is given for two outputs"),
        (["mip", "-", "-o", "-", "--format", "png", "--axis", "all"], 2, "- is for one"),
        (["info", "scan.mha", "--format", "mha"], 2, "no file is -"),
        (["mip", "-", "--show"], 2, "window"),
        (
            ["crop", "-", "-", "--format", "mha", "--start", "0", "0", "0", "--stop", "99", "9", "9"],
            4,
            "standard input",
        ),
    ],
)
def test_a_mistake_writes_nothing_to_standard_output(words, status, message, content, tmp_path):
    done = run(*words, given=content, cwd=tmp_path)
    assert done.returncode == status, done.stderr
    assert message in done.stderr.decode()
    assert done.stdout == (b"" if "--json" not in words else done.stdout)
    assert not list(tmp_path.iterdir())


def test_damaged_input_is_named_standard_input(content):
    for given in (b"", content[: len(content) // 2]):
        done = run("info", "-", "--statistics", given=given)
        assert done.returncode == 3
        assert b"cannot read standard input" in done.stderr
        assert not done.stdout


def test_a_reader_that_leaves_is_not_an_error(content):
    big = mitk.Image(np.random.default_rng(0).normal(size=(64, 128, 128)).astype("float32")).to_bytes("mha")
    writer = subprocess.Popen(
        [PROGRAM, "convert", "-", "-", "--format", "vtk"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    writer.stdin.write(big)
    writer.stdin.close()
    writer.stdout.read(10)
    writer.stdout.close()
    assert writer.wait(60) == 0
    assert b"rror" not in writer.stderr.read()
    writer.stderr.close()
