"""Many cases at once: every case is recorded, failures stop nothing, finished work is kept."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from dicom_files import write_slice

import mitk_rs as mitk
from mitk_rs.cohort import read_cases

PROGRAM = Path(sys.executable).with_name("mitk-rs")


def tube(path, seed=0, length=40):
    """A bright tube along x with some noise."""
    voxels = np.random.default_rng(seed).normal(0, 20, (24, 24, length)).astype("int16")
    voxels[8:16, 8:16] += 300
    mitk.Image(voxels).save(path)


@pytest.fixture
def table(tmp_path):
    """Five good cases and three bad ones."""
    for number in range(5):
        tube(tmp_path / f"case{number}.mha", number)
    (tmp_path / "broken.mha").write_bytes(b"ObjectType = Image\nNDims = 3\n")
    lines = ["input,method,source,target,lower"]
    lines += [f"case{n}.mha,collidingfronts,2 12 12,37 12 12,150" for n in range(3)]
    lines += ["case3.mha,fastmarching,2 12 12,37 12 12; 20 11 11,150", "case4.mha,threshold,,,150"]
    lines += ["broken.mha,threshold,,,150", "missing.mha,threshold,,,150", "case4.mha,threshold,,,high"]
    path = tmp_path / "cases.csv"
    text = "\n".join(f"{name},{line}" for name, line in zip(["name", *"abcdefgh"], lines, strict=True))
    path.write_text(text + "\n")
    return path


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A batch that ran, for the tests that only look at it."""
    folder = tmp_path_factory.mktemp("finished")
    path = table.__wrapped__(folder)
    return folder, mitk.batch(path, folder / "out", jobs=2)


def test_each_case_gives_a_result_or_an_error(finished):
    _, result = finished
    assert [record["name"] for record in result.records] == list("abcdefgh")
    assert [record["status"] for record in result.records] == ["done"] * 5 + ["failed"] * 3
    errors = [record["error"] for record in result.failed]
    assert "broken.mha" in errors[0]
    assert "missing.mha: no such file" in errors[1]
    assert errors[2] == "lower expects a number, got high"


def test_results_equal_those_of_single_runs(finished, tmp_path):
    folder, _ = finished
    single = {
        "a": "case0.mha --source 2 12 12 --target 37 12 12 --lower 150",
        "d": "case3.mha --method fastmarching --source 2 12 12 --target 37 12 12 --target 20 11 11 --lower 150",
        "e": "case4.mha --method threshold --lower 150",
    }
    for name, words in single.items():
        outputs = ["-o", tmp_path / f"{name}.mha", "--surface", tmp_path / f"{name}.stl"]
        subprocess.run([PROGRAM, "init", *words.split(), *outputs], cwd=folder, check=True, capture_output=True)
        for suffix in (".mha", ".stl"):
            assert (folder / "out" / f"{name}{suffix}").read_bytes() == (tmp_path / f"{name}{suffix}").read_bytes()


def test_a_vessel_is_segmented_as_by_the_command(table, tmp_path):
    (tmp_path / "vessels.csv").write_text(
        "name,input,source,target,lower,iterations,sigma\n"
        "a,case0.mha,2 12 12,37 12 12,150,20,\n"
        "b,case1.mha,2 12 12,37 12 12,auto,20,0.5\n"
        "c,case2.mha,2 12 12,,150,20,\n"
        "d,case3.mha,2 12 12,37 12 12,,20,\n"
    )
    command = [PROGRAM, "batch", "vessels.csv", "-o", "out", "--segment", "--jobs", "2"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 4
    assert "c: target is missing" in done.stderr
    assert "d: lower is missing" in done.stderr
    for name, words in {"a": "case0.mha --lower 150", "b": "case1.mha --auto-lower --sigma 0.5"}.items():
        ends = ["--source", "2", "12", "12", "--target", "37", "12", "12", "--iterations", "20"]
        outputs = ["-o", f"{name}.mha", "--surface", f"{name}.stl"]
        single = [PROGRAM, "segment", *words.split(), *ends, *outputs]
        subprocess.run(single, cwd=tmp_path, check=True, capture_output=True)
        for suffix in (".mha", ".stl"):
            assert (tmp_path / "out" / f"{name}{suffix}").read_bytes() == (tmp_path / f"{name}{suffix}").read_bytes()
    with (tmp_path / "out" / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["status"], row["method"]) for row in rows[:2]] == [("done", "collidingfronts")] * 2
    assert float(rows[0]["volume_ml"]) > 0
    again = mitk.batch(tmp_path / "vessels.csv", tmp_path / "out", segment=True, jobs=1)
    assert again.computed == 0
    assert repr(again) == "BatchResult(2 of 4 cases done, 2 failed, 0 computed now)"


def test_a_table_of_segment_has_its_own_columns(tmp_path):
    (tmp_path / "c.csv").write_text("input,isosurface\na.mha,3\n")
    with pytest.raises(mitk.UsageError, match="unknown column isosurface: allowed are name, input, method, source"):
        mitk.batch(tmp_path / "c.csv", tmp_path / "out", segment=True)


def test_summaries_tell_what_the_records_tell(finished):
    folder, result = finished
    with (folder / "out" / "summary.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["name"], row["status"]) for row in rows] == [(r["name"], r["status"]) for r in result.records]
    assert float(rows[4]["volume_ml"]) == result.records[4]["report"]["volume_ml"] > 0
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert [record["key"] for record in summary] == [record["key"] for record in result.records]
    page = (folder / "out" / "index.html").read_text()
    assert page.count("<article") == 8
    assert "5 done, 3 failed" in page
    assert (folder / "out" / "a.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_run_computes_nothing(finished):
    folder, first = finished
    before = {path: path.stat().st_mtime_ns for path in (folder / "out").glob("?.*")}
    second = mitk.batch(folder / "cases.csv", folder / "out", jobs=2)
    assert second.computed == 0
    assert [r["status"] for r in second.records] == [r["status"] for r in first.records]
    assert {path: path.stat().st_mtime_ns for path in (folder / "out").glob("?.*")} == before


def test_only_what_changed_is_computed_again(table, tmp_path):
    cases = [{"input": tmp_path / f"case{n}.mha", "method": "threshold", "lower": 150} for n in range(3)]
    assert mitk.batch(cases, tmp_path / "out", jobs=1, pictures=False).computed == 3
    tube(tmp_path / "case1.mha", seed=9)
    cases[2]["lower"] = 160
    again = mitk.batch(cases, tmp_path / "out", jobs=1, pictures=False)
    assert [record["computed"] for record in again.records] == [False, True, True]
    (tmp_path / "out" / "case0.stl").unlink()
    again = mitk.batch(cases, tmp_path / "out", jobs=1, pictures=False)
    assert [record["computed"] for record in again.records] == [True, False, False]


def test_a_failed_case_runs_again_when_asked(table, tmp_path):
    cases = [{"input": tmp_path / "case0.mha", "method": "threshold", "lower": 150, "upper": 10}]
    assert mitk.batch(cases, tmp_path / "out", jobs=1).failed
    assert mitk.batch(cases, tmp_path / "out", jobs=1).computed == 0
    assert mitk.batch(cases, tmp_path / "out", jobs=1, retry_failed=True).computed == 1


def test_files_that_no_batch_wrote_are_kept(table, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "case0.mha").write_text("mine")
    cases = [{"input": tmp_path / "case0.mha", "method": "threshold", "lower": 150}]
    [record] = mitk.batch(cases, tmp_path / "out", jobs=1).records
    assert "no batch wrote it" in record["error"]
    assert (tmp_path / "out" / "case0.mha").read_text() == "mine"
    assert not mitk.batch(cases, tmp_path / "out", jobs=1, overwrite=True, retry_failed=True).failed


def test_files_without_their_record_are_written_again(table, tmp_path):
    """A worker was killed after its files and before its record."""
    cases = [{"input": tmp_path / "case0.mha", "method": "threshold", "lower": 150}]
    mitk.batch(cases, tmp_path / "out", jobs=1)
    record = json.loads((tmp_path / "out" / "case0.json").read_text())
    (tmp_path / "out" / "case0.json").write_text(json.dumps({**record, "status": "started", "files": {}}))
    again = mitk.batch(cases, tmp_path / "out", jobs=1)
    assert (again.computed, again.failed) == (1, [])


def test_a_killed_worker_loses_no_case(table, tmp_path):
    for number in range(12):
        tube(tmp_path / f"long{number}.mha", number, length=400)
    cases = [{"input": tmp_path / f"long{n}.mha", "method": "threshold", "lower": 150} for n in range(12)]
    killed = []

    def kill(fraction):
        if fraction > 0.2 and not killed:
            # The other child is multiprocessing's resource tracker.
            children = [p for p in psutil.Process().children() if p.status() != psutil.STATUS_ZOMBIE]
            workers = [p for p in children if "spawn_main" in " ".join(p.cmdline())]
            killed.extend(workers[:1])
            os.kill(workers[0].pid, signal.SIGKILL)

    result = mitk.batch(cases, tmp_path / "out", jobs=2, progress=kill, pictures=False)
    assert killed
    assert [record["status"] for record in result.records] == ["done"] * 12


def test_a_cancelled_batch_keeps_what_is_finished(table, tmp_path):
    stop = threading.Event()
    cases = [{"input": tmp_path / f"case{n}.mha", "method": "threshold", "lower": 150} for n in range(5)]

    def progress(fraction):
        if fraction > 0:
            stop.set()

    with pytest.raises(mitk.Cancelled, match="finished cases are kept"):
        mitk.batch(cases, tmp_path / "out", jobs=1, progress=progress, cancel=stop, pictures=False)
    again = mitk.batch(cases, tmp_path / "out", jobs=1, pictures=False)
    assert 0 < again.computed < 5
    assert not again.failed


def test_an_interrupted_command_leaves_no_process(table, tmp_path):
    for number in range(6):
        tube(tmp_path / f"long{number}.mha", number, length=2000)
    (tmp_path / "long.csv").write_text(
        "input,method,lower\n" + "".join(f"long{n}.mha,threshold,150\n" for n in range(6))
    )
    running = subprocess.Popen([PROGRAM, "batch", "long.csv", "-o", "out", "--jobs", "2"], cwd=tmp_path)
    program = psutil.Process(running.pid)
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    children = program.children(recursive=True)
    running.send_signal(signal.SIGINT)
    assert running.wait(60) == 130
    _, alive = psutil.wait_procs(children, timeout=30)
    assert not alive


def test_a_dask_scheduler_with_workers_gives_the_same(table, tmp_path):
    distributed = pytest.importorskip("distributed", reason="dask.distributed (extra cluster) is not installed")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, dashboard_address=None, processes=True, host="127.0.0.1"
    ) as cluster:
        there = mitk.batch(table, tmp_path / "there", scheduler=cluster.scheduler_address)
    here = mitk.batch(table, tmp_path / "here", jobs=2)
    assert [r["status"] for r in there.records] == [r["status"] for r in here.records]
    for path in (tmp_path / "here").glob("?.[msp]*"):
        assert path.read_bytes() == (tmp_path / "there" / path.name).read_bytes(), path.name


def test_the_command_exits_with_4_where_cases_failed(table, tmp_path):
    done = subprocess.run(
        [PROGRAM, "batch", "cases.csv", "-o", "out", "--jobs", "1", "--json", "--no-pictures", "--surface", "none"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 4
    assert "3 of 8 cases failed" in done.stderr.splitlines()[-1]
    assert json.loads(done.stdout)["failed"] == 3
    assert not list((tmp_path / "out").glob("*.stl"))


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("input,colour\na.mha,red\n", "unknown column colour"),
        ("name\na\n", "the column input is missing"),
        ("input\n", "there are no cases"),
        ("input\na.mha\nb/a.mha\n", "case 1 is named a and so is another"),
        ("name,input\n../x,a.mha\n", r"case 1 is named '../x'"),
        ("input,lower\na.mha,1,2\n", "case 1 has more cells"),
        ("name,input\nx,\n", "case 1 has no input"),
    ],
)
def test_a_table_with_a_mistake_is_refused(tmp_path, text, error):
    (tmp_path / "cases.csv").write_text(text)
    with pytest.raises(mitk.Exception, match=error):
        mitk.batch(tmp_path / "cases.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_files_of_points_are_seeds(table, tmp_path):
    (tmp_path / "ends.csv").write_text("label,i,j,k\ninlet,2,12,12\noutlet,37,12,12\n")
    (tmp_path / "c.csv").write_text(
        "name,input,lower,source,target\n"
        "file,case0.mha,150,ends.csv:inlet,ends.csv:outlet\nnumbers,case0.mha,150,2 12 12,37 12 12\n"
    )
    out = tmp_path / "out"
    assert not mitk.batch(tmp_path / "c.csv", out, jobs=1).failed
    assert (out / "file.mha").read_bytes() == (out / "numbers.mha").read_bytes()
    (tmp_path / "ends.csv").write_text("label,i,j,k\ninlet,3,12,12\noutlet,37,12,12\n")
    assert [record["computed"] for record in mitk.batch(tmp_path / "c.csv", out, jobs=1).records] == [True, False]


def test_columns_are_options_of_init(tmp_path):
    (tmp_path / "c.csv").write_text(
        "file,lower_threshold,Far-Value,points,sources,negate\na.nii.gz,1e3,5,physical,1.5 2 3;4 5 6,yes\n"
    )
    [case] = read_cases(tmp_path / "c.csv")
    assert case.name == "a"
    assert case.input == str(tmp_path / "a.nii.gz")
    assert case.arguments == {
        "lower_threshold": 1000.0,
        "far_value": 5.0,
        "points": "physical",
        "sources": [(1.5, 2.0, 3.0), (4.0, 5.0, 6.0)],
        "negate": True,
    }


def test_a_row_chooses_a_series_and_allows_gaps(tmp_path):
    (tmp_path / "scans").mkdir()
    for series, skipped in ((1, None), (2, 3)):
        for z in range(6):
            voxels = np.zeros((8, 10), "i2")
            voxels[2:5, 3:7] = 100 * series
            if z != skipped:
                write_slice(tmp_path / "scans" / f"{series}{z}.dcm", voxels, (0, 0, 2 * z), number=z, series=series)
    lines = [f"{row},scans,threshold,50" for row in ("a,,", "b,1,", "c,2,", "d,2,1")]
    (tmp_path / "c.csv").write_text("\n".join(["name,series,allow-gaps,input,method,lower", *lines]) + "\n")
    a, b, c, d = mitk.batch(tmp_path / "c.csv", tmp_path / "out", jobs=1).records
    assert "the folder has 2 series, choose one with series=N" in a["error"]
    assert (b["status"], b["report"]["inside"], b["report"]["warnings"]) == ("done", 6 * 12, [])
    assert "1 slice is missing" in c["error"]
    assert (d["status"], d["report"]["inside"]) == ("done", 5 * 12)
    assert "1 slice is missing" in d["report"]["warnings"][0]
