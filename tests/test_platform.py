"""Windows as far as it can be had here: without what it lacks, and with what it refuses."""

import re
import subprocess
import sys
from pathlib import Path

import mitk_rs

PACKAGE = Path(mitk_rs.__file__).parent
# What differs between systems; signals.py, main.py and isolation.py use `signal` and `socket`, which all have.
ASKING = re.compile(
    r"os\.name\b|sys\.platform|platform\.system|statvfs|sysconf|^\s*import (?:fcntl|resource|termios|pty|pwd)"
    r"|CDLL|windll|set_blocking|getppid|get[e]?uid|os\.fork\("
)

WINDOWS = """
import ctypes, errno, os, signal, socket, sys, types

# What Windows does not have.
for module in ("fcntl", "resource", "termios", "pwd", "grp"):
    sys.modules[module] = None
for name in ("sysconf", "statvfs", "geteuid", "getuid", "set_blocking", "memfd_create", "register_at_fork", "fork",
             "O_NONBLOCK", "sched_getaffinity", "fchmod", "mkfifo"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("SIGHUP", "SIGXCPU", "SIGKILL"):
    if hasattr(signal, name):
        delattr(signal, name)
del socket.AF_UNIX
# Linux wants a pipe that never blocks there, Windows does not.
signal.set_wakeup_fd = lambda handle, warn_on_full_buffer=True: -1

# What only it has.
class Kernel:
    def GetPhysicallyInstalledSystemMemory(self, kilobytes):
        kilobytes._obj.value = 16 << 20
ctypes.windll = types.SimpleNamespace(kernel32=Kernel())

# What it refuses: folders cannot be opened, fsync needs a file that is open for writing, there is no library None.
opened, synced = os.open, os.fsync
writable = set()
def open_(path, flags, *args, **options):
    if os.path.isdir(path):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))
    handle = opened(path, flags, *args, **options)
    (writable.add if flags & (os.O_RDWR | os.O_WRONLY) else writable.discard)(handle)
    return handle
def fsync(handle):
    if handle not in writable:
        raise OSError(errno.EBADF, "Bad file descriptor")
    synced(handle)
os.open, os.fsync = open_, fsync
real = ctypes.CDLL
class CDLL(real):
    def __init__(self, name, *args, **options):
        if name is None:
            raise TypeError("argument of type 'NoneType' is not iterable")
        super().__init__(name, *args, **options)
ctypes.CDLL = CDLL

from mitk_rs import _platform
_platform.WINDOWS, _platform.LINUX, _platform.MACOS = True, False, False
"""

WORK = """
import importlib, pkgutil
import numpy as np
import mitk_rs as mitk
for module in pkgutil.walk_packages(mitk.__path__, "mitk_rs."):
    if module.name != "mitk_rs.testing":
        importlib.import_module(module.name)
tube = mitk.datasets.tube()
for turn in range(2):  # the second time files are replaced
    for suffix in (".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz", ".hdr", ".vti", ".vtk", ".tif", ".npy"):
        tube.save(f"a{suffix}")
        assert (mitk.Image(f"a{suffix}").array == tube.array).all(), suffix
    mitk.write_surface(mitk.extract_surface(tube, 50), "a.stl")
from mitk_rs.cli.main import main
from mitk_rs.cli.signals import end_on_signals
end_on_signals()
words = ["init", "a.mha", "-o", "b.mha", "--surface", "b.stl", "--method", "threshold", "--lower", "50"]
assert main(words) == 0
assert main(["mip", "a.mha", "-o", "b.png"]) == 0
assert main(["doctor", "-q"]) == 0
os.mkdir("names")
assert main(["install-vmtk-names", "names"]) == 0
assert any(name.endswith(".cmd") for name in os.listdir("names"))
assert mitk.io.Limits(memory=5).bytes == 5
for refused in (lambda: mitk.read_image("a.mha", isolate=True), lambda: mitk.read_image("unknown.xyz")):
    open("unknown.xyz", "wb").write(b"something")
    try:
        refused()
    except mitk.RequestError as error:
        assert "Linux and macOS only" in str(error)
    else:
        raise AssertionError("not refused")
assert mitk.io.Limits().bytes == 8 << 30
assert [name for name in os.listdir(".") if name.endswith(".mitk_rs")] == []
print("done")
"""


def test_one_module_asks_which_system_this_is():
    found = {
        f"{path.relative_to(PACKAGE)}: {line.strip()}"
        for path in PACKAGE.rglob("*.py")
        for line in path.read_text().splitlines()
        if ASKING.search(line) and path.name != "_platform.py"
    }
    assert found == set()


def test_files_commands_and_surfaces_work_on_a_simulated_windows(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", WINDOWS + WORK], capture_output=True, text=True, cwd=tmp_path, timeout=250
    )
    assert done.stdout.splitlines()[-1:] == ["done"], done.stderr


def test_a_simulated_windows_refuses_what_windows_refuses(tmp_path):
    """The simulation is one: what the package avoids fails there."""
    for code in ("os.open('.', os.O_RDONLY)", "ctypes.CDLL(None)", "os.fsync(os.open('f', os.O_RDONLY))", "os.sysconf"):
        (tmp_path / "f").write_text("x")
        done = subprocess.run([sys.executable, "-c", WINDOWS + code], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 1, code


def test_a_worker_ends_with_its_parent(tmp_path):
    """In whatever way the parent ends; a spawned process knows its parent on every system."""
    script = tmp_path / "parent.py"
    script.write_text(
        "import multiprocessing, os, sys, time\n"
        "from mitk_rs.cohort.worker import begin_worker\n"
        "def work():\n"
        "    begin_worker(1)\n"
        "    print(os.getpid(), flush=True)\n"
        "    time.sleep(100)\n"
        "if __name__ == '__main__':\n"
        "    multiprocessing.get_context('spawn').Process(target=work).start()\n"
        "    time.sleep(100)\n"
    )
    import psutil

    parent = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True)
    worker = psutil.Process(int(parent.stdout.readline()))
    parent.kill()
    parent.wait()
    parent.stdout.close()
    gone, _ = psutil.wait_procs([worker], timeout=30)
    assert gone or worker.status() == psutil.STATUS_ZOMBIE
