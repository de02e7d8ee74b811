"""The program as users run it: a process of its own in a temporary folder, stdin closed, no display."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

PROGRAM = Path(sys.executable).with_name("mitk-rs")


def environment():
    return {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}


@pytest.fixture
def program():
    """The command as the words that start it."""
    return [str(PROGRAM)]


@pytest.fixture
def run(tmp_path):
    """Run ``mitk-rs`` in the temporary folder, with words or with one line as a shell would split it."""

    def run(*words, timeout=60, **options):
        words = shlex.split(words[0]) if len(words) == 1 else words
        closed = ["sh", "-c", 'exec "$0" "$@" <&-', PROGRAM, *words]
        options = {"capture_output": True, "text": True, "cwd": tmp_path, "env": environment(), **options}
        return subprocess.run([str(word) for word in closed], timeout=timeout, **options)

    return run


@pytest.fixture
def succeed(run):
    """Run ``mitk-rs``, expect success and an empty stderr but for notes, and return stdout."""

    def succeed(*words, **options):
        done = run(*words, **options)
        assert (done.returncode, "error" in done.stderr) == (0, False), done.stderr
        return done.stdout

    return succeed


@pytest.fixture
def fail(run, tmp_path):
    """Run ``mitk-rs``, expect this one line on stderr, this status, and no change to any file; whole text compared."""

    def fail(status, line, *words, **options):
        before = contents(tmp_path)
        done = run(*words, **options)
        assert (done.returncode, done.stdout, done.stderr) == (status, "", f"{line}\n")
        assert contents(tmp_path) == before

    return fail


def contents(folder):
    """Every file below a folder with its bytes."""
    files = [file for file in sorted(folder.rglob("*")) if file.is_file() and os.access(file, os.R_OK)]
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def tube_voxels():
    """The tube of the acceptance examples: 45 voxels a slice with value 100."""
    _, y, x = np.mgrid[:20, :20, :20]
    return np.where((x - 10) ** 2 + (y - 10) ** 2 < 16, 100, 0).astype(np.int16)


@pytest.fixture
def tube(tmp_path):
    """``tube.mha`` in the temporary folder."""
    image = SimpleITK.GetImageFromArray(tube_voxels())
    image.SetSpacing((0.5, 0.5, 1.0))
    image.SetOrigin((-3.0, 2.0, 7.0))
    SimpleITK.WriteImage(image, str(tmp_path / "tube.mha"))
    return tmp_path / "tube.mha"


@pytest.fixture
def voxels(tmp_path):
    """Read the voxels of a file in the temporary folder with SimpleITK."""

    def voxels(name):
        return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(tmp_path / name)))

    return voxels
