"""The program as a whole: help, version, completion, streams, interrupts."""

import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK

from mitk_rs import _core
from mitk_rs.cli import console
from mitk_rs.cli.main import COMMANDS


def test_version_imports_nothing_it_does_not_need(succeed):
    assert succeed("--version") == f"mitk-rs {_core.version()}\n"
    code = (
        "import sys; from mitk_rs.cli.main import main; main(['--version'])\n"
        "print(*sorted({'numpy', 'argparse', 'SimpleITK', 'vtkmodules', 'rich', 'json', 'logging'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == f"mitk-rs {_core.version()}\n\n"


def test_the_help_of_the_program_loads_neither_numpy_nor_a_library_of_files():
    code = (
        "import sys; from mitk_rs.cli.main import main; main(['--help'])\n"
        "print(*sorted({'numpy', 'SimpleITK', 'vtkmodules', 'mitk_rs.seeds'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stderr, done.stdout[:15]) == ("\n", "usage: mitk-rs ")


def test_a_command_imports_nothing_that_only_others_need(tmp_path):
    SimpleITK.WriteImage(SimpleITK.Image([4, 4, 4], SimpleITK.sitkFloat32), tmp_path / "in.mha")
    line = ["init", str(tmp_path / "in.mha"), "-o", str(tmp_path / "out.mha"), "--method", "threshold", "--lower", "0"]
    others = [f"mitk_rs.cli.{module}" for module in set(COMMANDS.values()) - {"init"}]
    code = (
        f"import sys; from mitk_rs.cli.main import main; assert main({line}) == 0\n"
        f"print([name for name in {[*others, 'numpy.ma', 'importlib.metadata']} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("line", ["--help", "-h", "init -h", *(f"{command} nosuch.mha --help" for command in COMMANDS)])
def test_help_is_on_stdout(run, line):
    done = run(line)
    assert (done.returncode, done.stderr) == (0, "")
    command = line.split()[0] if line[0] != "-" else ""
    assert done.stdout.startswith(f"usage: mitk-rs {command}".rstrip())


def test_help_of_init_names_every_option_and_what_differs_from_vmtk(succeed):
    text = succeed("init --help")
    for option in ("--method", "-method", "-sourcepoints", "-olevelsetsfile", "--compat", "--force", "--json"):
        assert re.search(rf"(^|[ ,]){option}\b", text, re.MULTILINE), option
    for promise in ("1.7014117e38", "two holes", "VMTK stops 100 after the first", "--compat vmtk gives VMTK's bytes"):
        assert promise in text


def test_help_of_the_program_names_every_command(succeed):
    text = succeed("--help")
    assert all(re.search(rf"^ +{command}\b", text, re.MULTILINE) for command in COMMANDS)


CHECKS = {
    "bash": ["bash", "-c", 'source "$0" && complete -p mitk-rs'],
    "zsh": ["zsh", "-n"],
    "fish": ["fish", "-c", 'source $argv[1]; complete -C "mitk-rs init --method c"; complete -C "mitk-rs ini"'],
}


@pytest.mark.parametrize("shell", CHECKS)
def test_completion_is_understood_by_the_shell(succeed, tmp_path, shell):
    script = succeed(f"completion {shell}")
    assert "mitk-rs" in script
    assert "sourcepoints" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed: its completion script was made but not tried")
    file = tmp_path / "script"
    file.write_text(script)
    done = subprocess.run([*CHECKS[shell], str(file)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    if shell == "fish":
        assert "collidingfronts" in done.stdout
        assert "init\t" in done.stdout


def test_fish_is_told_of_options_with_one_dash(succeed):
    script = succeed("completion fish")
    assert re.findall(r" -s \w{2,}", script) == []
    assert " -l source -l sources -o sourcepoints " in script
    # Names of files are completed, too.
    (line,) = [line for line in script.splitlines() if line.startswith("complete") and " -o ifile " in line]
    assert "__fish_complete_path" in line


def test_a_reader_that_leaves_early_is_no_error(program):
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as gone:
        done = subprocess.run([*program, "completion", "bash"], stdout=gone, stderr=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_stdout_on_a_full_disk_is_an_error(program):
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run([*program, "completion", "zsh"], stdout=full, stderr=subprocess.PIPE, timeout=60)
    message = b"mitk-rs completion: error: cannot write standard output: no space left on device\n"
    assert (done.returncode, done.stderr) == (5, message)


def test_closed_streams_do_no_harm(program, tube):
    line = '"$@" <&- >&- 2>&-'
    words = [*program, "init", "tube.mha", "--method", "threshold", "--lower", "50", "-o", "y.mha"]
    done = subprocess.run(["sh", "-c", line, "sh", *words], cwd=tube.parent, timeout=60)
    assert done.returncode == 0
    assert (tube.parent / "y.mha").exists()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="needs /proc to see how far the program is")
def test_an_interrupt_leaves_nothing_behind(program, tmp_path):
    noise = np.random.default_rng(0).integers(1, 255, (300, 300, 300), np.uint8)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(noise), str(tmp_path / "noise.mha"))
    (tmp_path / "y.mha").write_text("precious")
    words = [
        "init",
        "noise.mha",
        "--method",
        "fastmarching",
        "--source",
        "0",
        "0",
        "0",
        "--target",
        "299",
        "299",
        "299",
    ]
    line = [*program, *words, "--lower", "1", "--threads", "1", "-o", "y.mha", "--surface", "y.stl", "--force"]
    process = subprocess.Popen(line, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    maps = Path(f"/proc/{process.pid}/maps")
    while process.poll() is None and "_SimpleITK" not in maps.read_text():
        time.sleep(0.02)
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "")
    assert process.returncode == 130
    assert {file.name for file in tmp_path.iterdir()} == {"noise.mha", "y.mha"}
    assert (tmp_path / "y.mha").read_text() == "precious"


def test_a_bar_is_shown_on_a_terminal_only(monkeypatch):
    monkeypatch.setattr("mitk_rs._sources._PATIENCE_SECONDS", 0.0)
    master, slave = pty.openpty()
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with console.Console("mitk-rs init").progress("marching through noise") as progress:
            for fraction in (0.1, 0.6, 1.0):
                progress(fraction)
        with console.Console("mitk-rs init", quiet=True).progress("hidden") as progress:
            assert progress is None
    shown = ""
    while "hidden" not in shown and not re.search(r"60%|100%", shown):
        shown += os.read(master, 65536).decode()
    os.close(master)
    assert "marching through noise" in shown
    assert "60%" in shown or "100%" in shown
    assert "hidden" not in shown


def test_quick_work_shows_no_bar(monkeypatch):
    master, slave = pty.openpty()
    os.set_blocking(master, False)
    with os.fdopen(slave, "w") as terminal:
        monkeypatch.setattr(sys, "stderr", terminal)
        with console.Console("mitk-rs init").progress("quick") as progress:
            progress(1.0)
        with pytest.raises(BlockingIOError):
            os.read(master, 100)
    os.close(master)


def test_doctor_finds_this_installation_in_order(succeed):
    facts = json.loads(succeed("doctor --json"))
    assert facts["status"] == 0
    assert facts["version"] == _core.version()
    assert set(facts["checks"]) == {"packages", "computation", "image files", "surface", "temporary folder"}
    text = succeed("doctor")
    assert text.count("\nok   ") == 5


def test_doctor_fails_where_something_does_not_work(run, program):
    nowhere = {**os.environ, "TMPDIR": "/nowhere", "MITK_RS_TRACEBACK": ""}
    code = "import tempfile; tempfile.tempdir = '/nowhere'; from mitk_rs.cli.main import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, "doctor"], capture_output=True, text=True, env=nowhere, timeout=60
    )
    assert done.returncode == 1
    assert "FAIL temporary folder: FileNotFoundError" in done.stdout
    assert done.stderr == "mitk-rs doctor: error: 2 of 5 checks failed: image files, temporary folder\n"


@pytest.mark.parametrize("method", ["threshold", "collidingfronts"])
def test_a_dialogue_without_display_and_terminal_does_not_hang(run, tube, method):
    done = run(f"init tube.mha --interactive --method {method} -o y.mha", timeout=30)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (6, "", 1)
    assert not (tube.parent / "y.mha").exists()
