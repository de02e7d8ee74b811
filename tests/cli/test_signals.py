"""Signals end a command at once, with status 128 + number, whatever it is doing, and leave no half-written file."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from signalled import STEPS, count_steps, is_ready, run_signalled, send_when_ready

STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 129}
SEGMENT = ["init", "tube.mha", "--method", "threshold", "--lower", "50", "-o", "y.mha", "--surface", "y.stl", "--force"]
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see how far it is")


@pytest.mark.parametrize("which", STATUS)
@pytest.mark.parametrize(
    "module",
    [
        "mitk_rs.cli.init",
        "argparse",
        "numpy",
        "numpy._core._multiarray_umath",
        "SimpleITK",
        "vtkmodules",
        "vtkmodules.vtkCommonCore",
        "vtkmodules.vtkCommonDataModel",
        "vtkmodules.util.numpy_support",
        "vtkmodules.vtkIOGeometry",
    ],
)
def test_a_signal_during_an_import_is_no_crash_and_no_traceback(tube, module, which):
    done = run_signalled(f"import:{module}", 1, which, *SEGMENT, folder=tube.parent)
    assert (done.returncode, done.stdout, done.stderr) == (STATUS[which], "", "")
    assert [file.name for file in tube.parent.iterdir()] == ["tube.mha"]


OLD = {"y.mha": b"old level set", "y.stl": b"old surface"}


def write_old(folder):
    for name, content in OLD.items():
        (folder / name).write_bytes(content)


def written(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name != "tube.mha"}


@pytest.fixture
def new(tube):
    """What the two outputs hold after a run."""
    assert run_signalled("none:", 0, 0, *SEGMENT, folder=tube.parent).returncode == 0
    return written(tube.parent)


@pytest.mark.parametrize("step", STEPS)
def test_a_signal_at_any_step_of_writing_leaves_both_old_or_both_new(tube, new, step):
    folder = tube.parent
    steps = count_steps(step, *SEGMENT, folder=folder)
    assert steps
    seen = []
    for number in range(1, steps + 1):
        which = (signal.SIGINT, signal.SIGTERM)[number % 2]
        write_old(folder)
        done = run_signalled(step, number, which, *SEGMENT, folder=folder)
        # At the last steps the work may be done before the signal is heard.
        assert done.returncode in (STATUS[which], 0), done.stderr
        assert "rror" not in done.stderr
        seen.append(written(folder))
        assert seen[-1] in (OLD, new), (number, sorted(seen[-1]))
    # A signal takes a moment to be heard: at the renames, and when everything is done, the files are new.
    assert OLD in seen or step in ("os.rename:", "os.remove:", "os.rmdir:")


def test_a_signal_between_two_renames_lets_the_second_happen(tube, new):
    folder = tube.parent
    # The journal, the surface, the level set.
    assert count_steps("os.rename:", *SEGMENT, folder=folder) == 3
    write_old(folder)
    done = run_signalled("os.rename:", 3, signal.SIGINT, *SEGMENT, folder=folder)
    assert done.returncode in (130, 0)
    assert written(folder) == new


@needs_proc
def test_a_computation_ends_at_once(program, tmp_path):
    noise = np.random.default_rng(0).integers(1, 255, (300, 300, 300), np.uint8)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise), str(tmp_path / "noise.mha"))
    words = "init noise.mha --method fastmarching --source 0 0 0 --target 299 299 299 --lower 1 --threads 1 -o y.mha"
    process = subprocess.Popen([*program, *words.split()], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    maps = Path(f"/proc/{process.pid}/maps")
    while process.poll() is None and "_SimpleITK" not in maps.read_text():
        time.sleep(0.02)
    send_when_ready(process, signal.SIGTERM, 0.3)
    assert (process.communicate(timeout=60), process.returncode) == ((b"", b""), 143)
    assert [file.name for file in tmp_path.iterdir()] == ["noise.mha"]


@needs_proc
def test_a_signal_that_is_ignored_stays_ignored(program, tube):
    words = [*program, *SEGMENT]
    line = "trap '' INT HUP; exec \"$@\""
    process = subprocess.Popen(["sh", "-c", line, "sh", *words], cwd=tube.parent, stderr=subprocess.DEVNULL)
    send_when_ready(process, signal.SIGINT, 0.0)
    send_when_ready(process, signal.SIGHUP, 0.0)
    assert process.wait(60) == 0
    assert (tube.parent / "y.mha").exists()


FORKED = """
import os, signal, time
from mitk_rs.cli.signals import end_on_signals
end_on_signals()
child = os.fork()
if child == 0:
    print("ready", flush=True)
    time.sleep(60)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_signal_to_a_forked_child_ends_the_child_only():
    process = subprocess.Popen([sys.executable, "-W", "ignore", "-c", FORKED], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "ready\n"
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    os.kill(int(children[0]), signal.SIGTERM)
    assert (process.communicate(timeout=60)[0], process.returncode) == ("-15\n", 0)


LIBRARY = """
import os, signal, sys
modules = []
def watch(event, args):
    if event == "import" and args[0].startswith("vtkmodules.vtk"):
        os.kill(os.getpid(), signal.SIGINT)
        modules.append(args[0])
sys.addaudithook(watch)
import mitk_rs
image = mitk_rs.Image(__import__("numpy").zeros((3, 4, 5), "u1"))
interrupts = 0
while True:
    try:
        image.save("x.vti")
        surface = mitk_rs.extract_surface(image, 0.5)
        break
    except KeyboardInterrupt:
        interrupts += 1
print(interrupts > 1, len(modules) > 3, mitk_rs.Image("x.vti").equals(image), surface.GetNumberOfPoints())
"""


def test_ctrl_c_during_imports_of_vtk_is_an_ordinary_interrupt(tmp_path):
    """In a program of the user's own: at each module of VTK that is imported on the way."""
    done = subprocess.run(
        [sys.executable, "-c", LIBRARY], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "True True True 0\n"), done.stderr[-2000:]


def test_the_program_takes_over_signals_before_it_imports_anything_large(program):
    process = subprocess.Popen([*program, "--help"], stdout=subprocess.DEVNULL)
    while process.poll() is None and not is_ready(process):
        time.sleep(0.001)
    assert process.wait(60) == 0
    large = {"numpy", "argparse", "logging", "pathlib", "typing"}
    code = f"import sys, mitk_rs.cli.main, mitk_rs.cli.signals; print(sorted({large} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
