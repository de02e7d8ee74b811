"""The promises of docs/explanation/reliability.md: soak, signals and kills at random moments, full disks, many writers.

Each test prints what it counted. `MITK_RS_SOAK` says how much: nothing for the ordinary suite, `minute` for continuous
integration, `full` for the figures of the page. Durations say how long to go on; nothing is judged by the clock.
"""

from __future__ import annotations

import gc
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest
from signalled import is_ready, send_when_ready

import mitk_rs as mitk
from mitk_rs.io import atomic
from mitk_rs.io.atomic import atomic_output
from mitk_rs.io.formats import FORMATS

LEVEL = os.environ.get("MITK_RS_SOAK", "")
SECONDS = {"": 4, "minute": 60, "full": 600}[LEVEL]
MOMENTS = {"": 6, "minute": 30, "full": 200}[LEVEL]
WRITES = {"": 12, "minute": 100, "full": 700}[LEVEL]
THREADS = 16
HUGE = np.broadcast_to(np.float32(1), (160, 160, 160))
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc to see how far it is")
pytestmark = [pytest.mark.timeout(3600), pytest.mark.filterwarnings("ignore::ResourceWarning")]


def tell(text: str) -> None:
    print(f"\nreliability: {text}", flush=True)


# --- soak --------------------------------------------------------------------------------------------------------


class Soak:
    """Threads that do everything at once with shared images, and compare every result with the first one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        noise = np.random.default_rng(0).random((20, 24, 28), np.float32) + 0.5
        self.image = mitk.Image(noise, spacing=(0.5, 0.75, 1.25))
        self.counts: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.jobs = {
            "march": self.march,
            "fronts": self.fronts,
            "level set": self.level_set,
            "projection": self.projection,
            "rays": self.rays,
            "cancel": self.cancelled,
            "timeout": self.late,
            "callback": self.complaining,
            "file": self.file,
            "locks": self.locks,
        }
        self.truths = {name: self.jobs[name](0) for name in self.jobs}

    def march(self, number: int) -> bytes:
        made = mitk.fast_marching(self.image, seeds=[(3, 4, 5)], threads=1 + number % 3)
        return bytes(made.arrival_time.array.tobytes())

    def fronts(self, number: int) -> bytes:
        ends = {"seeds1": [(1, 1, 1)], "seeds2": [(25, 20, 15)]}
        return bytes(mitk.colliding_fronts(self.image, **ends, threads=1 + number % 2).array.tobytes())

    def level_set(self, _number: int) -> bytes:
        made = mitk.initialize_level_set(self.image, method="threshold", lower_threshold=1.0)
        return bytes(made.level_set.array.tobytes())

    def projection(self, number: int) -> bytes:
        return bytes(mitk.mip(self.image, axis="xyz"[0], threads=1 + number % 2).array.tobytes())

    def rays(self, _number: int) -> bytes:
        return bytes(mitk.render_mip(self.image, azimuth=30, size=(24, 24)).tobytes())

    def cancelled(self, _number: int) -> bytes:
        stop = threading.Event()
        stop.set()
        try:
            mitk.fast_marching(HUGE, seeds=[(0, 0, 0)], cancel=stop, threads=1)
        except mitk.Cancelled:
            return b"cancelled"
        return b"not cancelled"

    def late(self, _number: int) -> bytes:
        try:
            mitk.fast_marching(HUGE, seeds=[(0, 0, 0)], timeout=0.0, threads=1)
        except mitk.TimeoutError:
            return b"late"
        return b"in time"

    def complaining(self, _number: int) -> bytes:
        def complain(_fraction: float) -> None:
            raise KeyError

        try:
            mitk.fast_marching(self.image, seeds=[(0, 0, 0)], progress=complain)
        except KeyError:
            return b"complained"
        return b"silent"

    def file(self, number: int) -> bytes:
        path = self.folder / f"{threading.get_ident()}{('.mha', '.nrrd', '.mhd', '.vti', '.nii.gz')[number % 5]}"
        self.image.save(path)
        return bytes(mitk.Image(path).array.tobytes())

    def locks(self, number: int) -> bytes:
        with self.image.read() as voxels:
            total = float(voxels[number % 20, 3, 3])
        copied = self.image.snapshot()
        assert total == float(copied.array[number % 20, 3, 3])
        return b"read"

    def work(self, seed: int, stop: float) -> None:
        chance = random.Random(seed)
        while time.monotonic() < stop:
            name = chance.choice(list(self.jobs))
            try:
                if self.jobs[name](chance.randrange(1000)) != self.truths[name]:
                    self.wrong.append(name)
            except Exception as error:
                self.wrong.append(f"{name}: {type(error).__name__}: {error}")
            self.counts[name] += 1


def test_threads_that_do_everything_at_once_give_right_results_and_leave_nothing(tmp_path):
    soak = Soak(tmp_path)
    soak.work(0, time.monotonic() + 1)
    process = psutil.Process()
    gc.collect()
    open_files = process.num_fds()
    stop = time.monotonic() + SECONDS
    threads = [threading.Thread(target=soak.work, args=(seed, stop), daemon=True) for seed in range(1, THREADS + 1)]
    for thread in threads:
        thread.start()
    # Until then every thread has done everything, and the allocator keeps what they need.
    time.sleep(SECONDS / 2)
    memory = process.memory_info().rss
    for thread in threads:
        thread.join(SECONDS + 300)
    stuck = sum(thread.is_alive() for thread in threads)
    gc.collect()
    growth = process.memory_info().rss - memory
    left = [path.name for path in tmp_path.iterdir() if path.name.endswith(".mitk_rs")]
    tell(
        f"soak of {SECONDS} s, {THREADS} threads: {soak.counts.total()} operations, {len(soak.wrong)} wrong, {stuck} "
        f"stuck, {len(left)} files left, {process.num_fds() - open_files:+d} descriptors, {growth / 1e6:+.0f} MB"
    )
    assert (soak.wrong, stuck, left) == ([], 0, [])
    assert process.num_fds() <= open_files
    assert growth < 300e6


# --- signals and kills at random moments -------------------------------------------------------------------------

SEGMENT = "init tube.mha --method threshold --lower 50 --force -o y.{} --surface y.stl"


@pytest.fixture
def tube(tmp_path):
    z, y, x = np.mgrid[:30, :60, :60]
    voxels = np.where((x - 30) ** 2 + (y - 30) ** 2 < 150, 100, (7 * x + 5 * y + 3 * z) % 11).astype(np.int16)
    mitk.Image(voxels).save(tmp_path / "tube.mha")
    return tmp_path


def start(folder, suffix):
    command = [sys.executable, "-m", "mitk_rs.cli.main", *SEGMENT.format(suffix).split()]
    options = {"cwd": folder, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **options)


def hidden(folder):
    return [path for path in folder.iterdir() if path.name.endswith(".mitk_rs")]


class Range:
    """Old and new content of the outputs, and how long a run takes."""

    def __init__(self, folder, suffix):
        self.folder, self.suffix = folder, suffix
        process = start(folder, suffix)
        send_when_ready(process, 0, 0.0)
        began = time.monotonic()
        assert process.wait(120) == 0, process.communicate()
        self.seconds = time.monotonic() - began
        names = {"mha": ("y.mha", "y.stl"), "mhd": ("y.mhd", "y.zraw", "y.stl")}[suffix]
        self.new = {name: (folder / name).read_bytes() for name in names}
        self.old = {name: b"old " + name.encode() for name in self.new}

    def now(self):
        return {name: (self.folder / name).read_bytes() for name in self.new}

    def write_old(self):
        for name, content in self.old.items():
            (self.folder / name).write_bytes(content)

    def run(self, which, chance):
        self.write_old()
        process = start(self.folder, self.suffix)
        send_when_ready(process, 0, 0.0)
        began = time.monotonic()
        send_when_ready(process, which, chance.uniform(0, 1.1 * self.seconds))
        out, err = process.communicate(timeout=120)
        if process.returncode == 0:
            # The machine was busier before; without this most signals would come when the work is done.
            self.seconds = min(self.seconds, time.monotonic() - began)
        return process.returncode, out + err


@needs_proc
@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_signals_at_random_moments(tube, which):
    chance, seen = random.Random(int(which)), Counter()
    ranges = [Range(tube, "mha"), Range(tube, "mhd")]
    for number in range(MOMENTS):
        run = ranges[number % 2]
        status, text = run.run(which, chance)
        kept = run.now()
        seen["interrupted" if status == 128 + which else "finished" if status == 0 else f"status {status}"] += 1
        seen["old" if kept == run.old else "new" if kept == run.new else "mixed"] += 1
        seen["tracebacks"] += b"Traceback" in text
        seen["left"] += len(hidden(tube))
    tell(f"{MOMENTS} x {which.name}: {dict(seen)}")
    assert seen["interrupted"] + seen["finished"] == MOMENTS
    assert seen["old"] + seen["new"] == MOMENTS
    assert (seen["tracebacks"], seen["left"]) == (0, 0)


@needs_proc
def test_signals_in_the_first_half_second(tube):
    """While Python itself starts it answers them; from the first lines of the program on the program does."""
    chance, seen, run = random.Random(5), Counter(), Range(tube, "mha")
    for number in range(MOMENTS // 2):
        which = (signal.SIGINT, signal.SIGTERM)[number % 2]
        run.write_old()
        process = start(tube, "mha")
        time.sleep(chance.uniform(0, 0.5))
        ready = is_ready(process)
        process.send_signal(which)
        out, err = process.communicate(timeout=120)
        if ready or process.returncode == 128 + which:
            assert (process.returncode, out + err) == (128 + which, b"")
        else:
            # 1 is what Python makes of SIGINT while it imports its `site`.
            assert process.returncode in (-which, 1)
        assert run.now() == run.old
        seen["by the program" if ready else "by Python"] += 1
        seen["left"] += len(hidden(tube))
    tell(f"{MOMENTS // 2} SIGINT and SIGTERM in the first half second: answered {dict(seen)}")
    assert seen["left"] == 0


def write_again(folder):
    for path in hidden(folder):
        os.utime(path, (time.time() - 60,) * 2)
    atomic._looked_at.clear()
    with atomic_output(folder / "other") as temporary:
        temporary.write_text("")


@needs_proc
def test_kills_at_random_moments(tube):
    chance, seen = random.Random(9), Counter()
    ranges = [Range(tube, "mha"), Range(tube, "mhd")]
    for number in range(MOMENTS):
        run = ranges[number % 2]
        status, _ = run.run(signal.SIGKILL, chance)
        state = run.now()
        seen["killed" if status == -signal.SIGKILL else "finished"] += 1
        whole = all(state[name] in (run.old[name], run.new[name]) for name in run.new)
        seen["torn"] += not whole
        seen["left"] += bool(hidden(tube))
        write_again(tube)
        kept = run.now()
        seen["mixed after the next write"] += kept not in (run.old, run.new)
        seen["left after the next write"] += len(hidden(tube))
    tell(f"{MOMENTS} x SIGKILL: {dict(seen)}")
    assert (seen["torn"], seen["mixed after the next write"], seen["left after the next write"]) == (0, 0, 0)


# --- full disks, many writers ------------------------------------------------------------------------------------

SUFFIXES = [kind.suffixes[0] for kind in FORMATS]
LIMITED = """
import resource, sys, numpy, mitk_rs
suffix = sys.argv[1]
noise = numpy.random.default_rng(0).integers(0, 255, (900, 900)).astype("u1")
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    mitk_rs.Image(noise).save("x" + suffix)
except mitk_rs.FileWriteError as error:
    print("refused")
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="this system does not limit the size of files")
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_file_that_becomes_too_large_leaves_the_old_one(tmp_path, suffix):
    mitk.Image(np.zeros((8, 8), np.uint8)).save(tmp_path / f"x{suffix}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, suffix], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "refused\n"), done.stderr
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


WRITER = """
import sys, numpy, mitk_rs
value, writes = int(sys.argv[1]), int(sys.argv[2])
image = mitk_rs.Image(numpy.full((20, 50, 50), value, "u1"))
for number in range(writes):
    image.save("x" + (".mha", ".nrrd", ".nii.gz", ".vti", ".npy", ".mhd")[number % 6])
"""


def test_two_processes_write_the_same_files_and_a_third_reads_whole_ones(tmp_path):
    for value in (1, 2):
        subprocess.run([sys.executable, "-c", WRITER, str(value), "6"], cwd=tmp_path, check=True)
    command = [sys.executable, "-c", WRITER]
    writers = [subprocess.Popen([*command, str(value), str(WRITES)], cwd=tmp_path) for value in (1, 2)]
    reads = Counter()
    while any(writer.poll() is None for writer in writers):
        for suffix in (".mha", ".nrrd", ".nii.gz", ".vti", ".npy", ".mhd"):
            values = np.unique(mitk.Image(tmp_path / f"x{suffix}").array)
            reads["whole" if values.size == 1 else "torn"] += 1
    assert [writer.returncode for writer in writers] == [0, 0]
    tell(f"two writers, one reader: {2 * WRITES} writes, {dict(reads)} reads, {len(hidden(tmp_path))} left")
    assert reads["whole"] > 0
    assert reads["torn"] == 0
    assert not hidden(tmp_path)
