"""A cohort on a dask scheduler with two workers, of which one is killed: nothing is lost, nothing is computed twice.

The ordinary suite has 24 cases; `make soak` has 200, and compares the time with that of a plain loop.
"""

import os
import signal
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import psutil
import pytest

import mitk_rs as mitk

distributed = pytest.importorskip("distributed", reason="dask.distributed (extra cluster) is not installed")

SOAK = bool(os.environ.get("MITK_RS_SOAK"))
CASES, BROKEN = (200, 10) if SOAK else (24, 4)
# Columns, rows, slices. A case of the soak takes about 0.1 s of processor time.
SIZE = (96, 96, 320) if SOAK else (24, 24, 60)


def generate(folder, cases, broken):
    """The rows of a table of cases with tubes of different widths; every so often a file that cannot be segmented."""
    rows = []
    for number in range(cases):
        path = folder / f"case{number:03}.mha"
        x, y, z = SIZE
        random = np.random.default_rng(number)
        voxels = random.integers(-60, 60, (z, y, x), "int16")
        half = int(random.integers(x // 8, x // 4))
        voxels[:, y // 2 - half : y // 2 + half, x // 2 - half : x // 2 + half] += 400
        mitk.write_image(mitk.Image(voxels, spacing=(0.5, 0.5, 1)), path, compress=False)
        row = {"input": path, "lower": 150, "source": f"{x // 2} {y // 2} 2", "target": f"{x // 2} {y // 2} {z - 3}"}
        row["method"] = ("collidingfronts", "fastmarching")[number % 2]
        if number % (cases // broken) == 3:
            damage(path, number // (cases // broken) % 4)
        rows.append(row)
    return rows


def damage(path, how):
    """Cut it, empty it, remove it, or wall its vessel off."""
    if how == 0:
        os.truncate(path, path.stat().st_size // 2)
    elif how == 1:
        path.write_bytes(b"")
    elif how == 2:
        path.unlink()
    else:
        image = mitk.Image(path)
        image[SIZE[2] // 2] = -1000
        mitk.write_image(image, path, compress=False)


def single(row, folder):
    """What one run makes of a case: the bytes of its level set and its surface, or nothing."""
    x, y, z = SIZE
    ends = {"sources": [(x // 2, y // 2, 2)], "targets": [(x // 2, y // 2, z - 3)]}
    try:
        image = mitk.read_image(row["input"])
        result = mitk.initialize_level_set(image, method=row["method"], **ends, lower_threshold=150, threads=1)
    except mitk.Exception:
        return None
    mitk.write_image(result.level_set, folder / "one.mha")
    mitk.write_surface(result.surface(), folder / "one.stl")
    return (folder / "one.mha").read_bytes(), (folder / "one.stl").read_bytes()


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True, host="127.0.0.1"
    ) as running:
        yield running


def workers_of(cluster):
    """Process ids of the workers."""
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        return list(client.run(os.getpid).values())


class Stopwatch:
    """Cancels once a share of the cases is done."""

    def __init__(self, share):
        self.share, self.done = share, 0.0

    def __call__(self, fraction):
        self.done = fraction

    def is_set(self):
        return self.done >= self.share


@pytest.mark.slow
@pytest.mark.timeout(3600 if SOAK else 280)
def test_a_cohort_survives_an_interrupt_and_a_killed_worker(cluster, tmp_path):
    rows = generate(tmp_path, CASES, BROKEN)
    out, options = tmp_path / "out", {"scheduler": cluster.scheduler_address, "threads": 1, "pictures": False}
    # Interrupted after a quarter.
    stop = Stopwatch(0.25)
    with pytest.raises(mitk.Cancelled):
        mitk.batch(rows, out, progress=stop, cancel=stop, **options)
    kept = {path: path.stat().st_mtime_ns for path in out.glob("case*.mha")}
    assert 0 < len(kept) < CASES
    # Resumed; one of two workers is killed by its id half-way.
    killed = []

    def kill(fraction):
        if fraction > 0.6 and not killed:
            killed.append(workers_of(cluster)[0])
            os.kill(killed[0], signal.SIGKILL)

    result = mitk.batch(rows, out, progress=kill, **options)
    assert killed
    assert not psutil.pid_exists(killed[0]) or psutil.Process(killed[0]).status() == psutil.STATUS_ZOMBIE
    # Nothing is lost, and nothing that was finished was computed again.
    assert [Path(record["input"]).name for record in result.records] == [row["input"].name for row in rows]
    assert {record["status"] for record in result.records} == {"done", "failed"}
    assert len(result.failed) == BROKEN
    assert all(record["error"] for record in result.failed)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    by_name = {record["name"]: record for record in result.records}
    assert not any(by_name[path.stem]["computed"] for path in kept)
    # Byte for byte those of single runs.
    for row, record in zip(rows, result.records, strict=True):
        alone = single(row, tmp_path)
        files = [out / name for name, _ in record["files"].values()]
        assert (alone is None) == (record["status"] == "failed"), record
        assert alone is None or [path.read_bytes() for path in files] == list(alone), record["name"]
    assert mitk.batch(rows, out, **options).computed == 0


def loop_over(rows, folder):
    """Segment the vessels of some cases one after the other with one thread, as a script would; the seconds it took."""
    start = time.perf_counter()
    for row in rows:
        given = {name: [tuple(map(int, row[name.removesuffix("s")].split()))] for name in ("sources", "targets")}
        found = mitk.segment_vessel(mitk.read_image(row["input"]), **given, lower=150, threads=1)
        mitk.write_image(found.level_set, folder / "one.mha")
        mitk.write_surface(found.surface(), folder / "one.stl")
    return time.perf_counter() - start


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not SOAK, reason="compares times: make soak")
def test_two_workers_beat_a_plain_loop(cluster, tmp_path, monkeypatch):
    # Cases that fit in the cache of a processor, so that what limits is work and not memory that workers share.
    monkeypatch.setitem(globals(), "SIZE", (64, 64, 128))
    rows = [row for row in generate(tmp_path, 80, 1) if row.pop("method")]
    rows = [row for row in rows if Path(row["input"]).stat().st_size > 1 << 20]
    halves = [(half, tmp_path / name) for half, name in ((rows[::2], "even"), (rows[1::2], "odd"))]
    for _, folder in halves:
        folder.mkdir()
    busy = psutil.cpu_percent(1.0)
    options = {"scheduler": cluster.scheduler_address, "threads": 1, "pictures": False, "segment": True}
    loops, shared, batches = [], [], []
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as plain:
        for turn in range(4):
            loops.append(loop_over(rows, tmp_path))
            start = time.perf_counter()
            for future in [plain.submit(loop_over, *half) for half in halves]:
                future.result()
            shared.append(time.perf_counter() - start)
            start = time.perf_counter()
            result = mitk.batch(rows, tmp_path / f"out{turn}", **options)
            batches.append(time.perf_counter() - start)
            assert not result.failed
    loop, halved, batch = (statistics.median(seconds[1:]) for seconds in (loops, shared, batches))
    print(f"\nplain loop {loop:.1f} s; two workers {batch:.1f} s: {loop / batch:.2f} times; ", end="")
    print(f"two processes with half of the loop each: {loop / halved:.2f} times; {busy:.0f} % busy before")
    # Two processors that share memory and heat are not two machines: the loop in two processes shows what they give.
    assert loop / batch >= min(1.7, 0.95 * loop / halved) or busy > 10
