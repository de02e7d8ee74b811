"""Reading in a process of its own: the same images, and whatever happens there is an error here."""

import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dicom_files
import numpy as np
import pytest
from broken_files import whole_files

import mitk_rs as mitk
from mitk_rs.io import isolation


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return whole_files(tmp_path_factory.mktemp("whole"))


KINDS = ["mha", "mhd list", "nrrd", "nrrd time", "nii.gz", "nii vectors", "hdr", "analyze", "vti", "vtk", "png", "jpg"]
KINDS += ["tif", "tif lzw", "npy", "dcm", "dcm jpeg", "dcm cine", "dcm folder"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_image_comes_back(files, kind):
    path = files[kind]
    here, there = mitk.io.read_image(path, isolate=False), mitk.io.read_image(path, isolate=True)
    assert here.equals(there)
    assert here.time_geometry == there.time_geometry
    assert (here.dtype, here.components, here._uid) == (there.dtype, there.components, there._uid)
    assert {name: here.get_property(name) for name in here.property_keys} == {
        name: there.get_property(name) for name in there.property_keys
    }
    info = mitk.io.read_info(path, isolate=True)
    assert (info.shape, info.dtype) == (here.shape, here.dtype)
    there.as_numpy()[...] = 1
    assert (there.array == 1).all()


def test_geometries_of_time_steps_come_back(tmp_path):
    image = mitk.Image(np.zeros((3, 4, 5, 6), "u1"))
    image.set_origin((7.5, 8.5, 9.5), time_step=1)
    image.time_geometry = mitk.ProportionalTimeGeometry(1, 2.5, 3).for_image(image.time_geometry.geometries)
    image.save(tmp_path / "x.nrrd")
    here, there = (mitk.io.read_image(tmp_path / "x.nrrd", isolate=isolate) for isolate in (False, True))
    assert there.time_geometry == here.time_geometry
    assert [there.get_origin(step) for step in range(3)] == [(0, 0, 0), (7.5, 8.5, 9.5), (0, 0, 0)]


def test_the_environment_makes_it_the_default(files, monkeypatch):
    asked = []
    real = isolation._asked
    monkeypatch.setattr(isolation, "_asked", lambda request, limits: asked.append(limits) or real(request, limits))
    for value, isolated in (("1", True), ("true", True), ("0", False), ("", False), ("no", False)):
        asked.clear()
        monkeypatch.setenv("MITK_RS_ISOLATE", value)
        mitk.Image(files["mha"])
        assert bool(asked) is isolated
    monkeypatch.setenv("MITK_RS_ISOLATE", "1")
    monkeypatch.setenv("MITK_RS_ISOLATE_MEMORY", "1000000000")
    monkeypatch.setenv("MITK_RS_ISOLATE_SECONDS", "7.5")
    mitk.Image(files["mha"])
    assert asked[-1] == mitk.io.Limits(memory=1_000_000_000, seconds=7.5)
    mitk.io.read_image(files["mha"], isolate=False)
    assert len(asked) == 1
    monkeypatch.setenv("MITK_RS_ISOLATE_SECONDS", "soon")
    with pytest.raises(mitk.RequestError, match="must be numbers"):
        mitk.Image(files["mha"])


def test_limits_that_limit_nothing_are_refused():
    for name, value in (("memory", 0), ("seconds", -1), ("seconds", float("nan"))):
        with pytest.raises(mitk.RequestError, match=f"{name} of a reader process must be above 0"):
            mitk.io.Limits(**{name: value})


def test_errors_are_those_of_the_reader(tmp_path):
    for path, kind, message in (
        (tmp_path / "missing.mha", mitk.FileMissingError, "no such file"),
        (tmp_path / "bad.mha", mitk.FileError, "field NDims is '100'"),
    ):
        (tmp_path / "bad.mha").write_text("NDims = 100\nDimSize = 1\nElementType = MET_CHAR\nElementDataFile = LOCAL\n")
        with pytest.raises(kind, match=message):
            mitk.io.read_image(path, isolate=True)


def test_warnings_and_logs_come_here(tmp_path, caplog):
    for z in (0, 1, 2, 4):
        dicom_files.write_slice(tmp_path / f"{z}.dcm", np.zeros((4, 5), "i2"), (0, 0, z), number=z)
    with pytest.warns(mitk.DicomSeriesWarning, match="1 slice is missing"):
        mitk.io.read_image(tmp_path, isolate=True, allow_gaps=True)
    mitk.Image(np.zeros((2, 2, 2))).save(tmp_path / "x.nhdr")
    header = (tmp_path / "x.nhdr").read_bytes()
    broken = header.replace(b"\n", b"\norg_mitk_timegeometry_type:=Strange\n", 1)
    (tmp_path / "x.nhdr").write_bytes(broken)
    with caplog.at_level(logging.ERROR, "mitk_rs"):
        mitk.io.read_image(tmp_path / "x.nhdr", isolate=True)
    assert "time geometry in the header ignored" in caplog.text


# --- a reader that dies, hangs or takes too much -----------------------------------------------------------------


@pytest.fixture
def spoiled(monkeypatch, tmp_path):
    """Workers in which reading runs some code first."""

    def spoil(code):
        while isolation._idle:
            isolation._idle.pop().end()
        start = isolation._START.replace(
            "serve(int", f"from mitk_rs.io import checks\nexec({textwrap.dedent(code)!r})\nserve(int"
        )
        monkeypatch.setattr(isolation, "_START", start)
        path = tmp_path / "x.mha"
        mitk.Image(np.zeros((3, 4, 5), "i2")).save(path)
        return path

    yield spoil
    while isolation._idle:
        isolation._idle.pop().end()


READ = "from mitk_rs.io import itk\nreal = itk.read\n"


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", r"the reader process died \(SIGSEGV\)"),
        ("import os; os.abort()", r"the reader process died \(SIGABRT\)"),
        ("import os; os._exit(3)", r"the reader process died \(status 3\)"),
        (
            "import os; os.write(2, b'free(): invalid pointer\\n'); os.abort()",
            r"\(SIGABRT\).*its last words: free\(\): invalid pointer",
        ),
    ],
)
def test_the_death_of_a_reader_is_an_error(spoiled, what, message):
    path = spoiled(f"{READ}def read(path, options):\n    {what}\nitk.read = read")
    for _ in range(2):
        with pytest.raises(mitk.FileError, match=message) as caught:
            mitk.io.read_image(path, isolate=True)
        assert str(caught.value).startswith(f"cannot read {path}: ")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("what", ["import time; time.sleep(1000)", "while True: pass"])
def test_a_reader_that_takes_too_long_is_ended(spoiled, what):
    path = spoiled(f"{READ}def read(path, options):\n    {what}\nitk.read = read")
    begun = time.monotonic()
    with pytest.raises(mitk.FileError, match=r"reading took longer than 0.5 s"):
        mitk.io.read_image(path, isolate=mitk.io.Limits(seconds=0.5))
    assert time.monotonic() - begun < 60


def test_a_reader_that_needs_too_much_memory_says_so(tmp_path):
    path = tmp_path / "x.mha"
    mitk.io.write_image(mitk.Image(np.zeros((100, 1000, 1000), "u1")), path)
    with pytest.raises(MemoryError, match="not enough memory for the 100000000 bytes"):
        mitk.io.read_image(path, isolate=mitk.io.Limits(memory=50_000_000))
    assert mitk.io.read_image(path, isolate=mitk.io.Limits(memory=400_000_000)).nbytes == 100_000_000


def test_what_a_reader_prints_is_logged_and_not_printed(spoiled, caplog, capfd):
    say = "import os; os.write(1, b'hello'); return real(path, options)"
    path = spoiled(f"{READ}def read(path, options):\n    {say}\nitk.read = read")
    with caplog.at_level(logging.INFO, "mitk_rs"):
        assert mitk.io.read_image(path, isolate=True).shape == (3, 4, 5)
    assert "the reader says: hello" in caplog.text
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "answer",
    [
        b"\xff" * 8,
        b"\x05\0\0\0\0\0\0\0nojso",
        json.dumps({"header": 1}).encode(),
        json.dumps({"shape": [2, 2], "dtype": "<i2", "header": {}, "path": "x", "more": True}).encode(),
    ],
)
def test_a_reader_that_answers_nonsense_is_an_error(spoiled, answer):
    """A damaged process may send anything: no pickle, no code, no numbers that are believed."""
    length = "len(answer).to_bytes(8, 'little') + " if answer[:1] == b"{" else ""
    path = spoiled(
        f"""
        from mitk_rs.io import isolation
        answer = {answer!r}
        def send(connection, request):
            connection.sendall({length}answer)
            connection.close()
        isolation._send_images = send
        """
    )
    with pytest.raises(mitk.FileError, match="the reader process died"):
        mitk.io.read_image(path, isolate=True)


# --- threads, forks, descriptors ---------------------------------------------------------------------------------


def test_workers_are_used_again_and_by_all_threads(files):
    paths = [files[kind] for kind in ("mha", "nrrd", "nii.gz", "vti", "tif", "npy")] * 5
    expected = [mitk.io.read_image(path, isolate=False) for path in paths]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(2):
            read = list(pool.map(lambda path: mitk.io.read_image(path, isolate=True), paths))
            assert all(one.equals(other) for one, other in zip(read, expected, strict=True))
    assert len(isolation._idle) <= (os.cpu_count() or 1)
    worker = isolation._idle[-1].process.pid
    mitk.io.read_image(paths[0], isolate=True)
    assert isolation._idle[-1].process.pid == worker


def test_a_worker_that_ends_for_want_of_files_is_replaced(spoiled, monkeypatch):
    path = spoiled("from mitk_rs.io import isolation; isolation._IDLE_SECONDS = 0.2")
    mitk.io.read_image(path, isolate=True)
    (worker,) = isolation._idle
    assert worker.process.wait(30) == 0
    monkeypatch.setattr(worker.process, "poll", lambda: None)  # it ends between this question and the request
    assert mitk.io.read_image(path, isolate=True).equals(mitk.io.read_image(path, isolate=False))


def test_no_descriptors_and_no_processes_are_left(files):
    mitk.io.read_image(files["mha"], isolate=True)
    before = len(list(Path("/proc/self/fd").iterdir()))
    kept = [mitk.io.read_image(files["mha"], isolate=True) for _ in range(30)]
    for _ in range(5):
        with pytest.raises(mitk.FileError):
            mitk.io.read_image(files["mha"].parent, isolate=True)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
    assert len(kept) == 30


def run(code, *args, **options):
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *map(str, args)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **options,
    )


def test_a_worker_ends_with_the_process_that_asked(files):
    code = """
        import os, sys, mitk_rs
        from mitk_rs.io import isolation
        mitk_rs.io.read_image(sys.argv[1], isolate=True)
        print(isolation._idle[0].process.pid, flush=True)
        if sys.argv[2] == "kill":
            os.kill(os.getpid(), 9)
    """
    for how, status in (("end", 0), ("kill", -signal.SIGKILL)):
        done = run(code, files["mha"], how)
        assert (done.returncode, done.stderr) == (status, "")
        worker = Path(f"/proc/{int(done.stdout)}")
        for _ in range(200):
            if not worker.exists() or "zombie" in (worker / "status").read_text():
                break
            time.sleep(0.05)
        else:
            pytest.fail("the worker is still there")


def test_a_forked_child_has_workers_of_its_own(files):
    code = """
        import os, sys, mitk_rs
        from mitk_rs.io import isolation
        first = mitk_rs.io.read_image(sys.argv[1], isolate=True)
        worker = isolation._idle[0].process.pid
        child = os.fork()
        if child == 0:
            again = mitk_rs.io.read_image(sys.argv[1], isolate=True)
            os._exit(0 if again.equals(first) and isolation._idle[0].process.pid != worker else 1)
        assert os.waitpid(child, 0)[1] == 0
        assert mitk_rs.io.read_image(sys.argv[1], isolate=True).equals(first)
        assert isolation._idle[0].process.pid == worker
    """
    done = run(code, files["mha"])
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_reaches_the_waiting_program_and_not_the_reader(spoiled):
    path = spoiled(f"{READ}def read(path, options):\n    import time; time.sleep(60)\nitk.read = read")
    threading.Timer(1.0, lambda: signal.raise_signal(signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        mitk.io.read_image(path, isolate=True)
    assert not isolation._idle


def test_files_that_nothing_checks_are_read_in_a_process_of_their_own(tmp_path, monkeypatch):
    asked = []
    real = isolation._asked
    monkeypatch.setattr(isolation, "_asked", lambda request, limits: asked.append(request) or real(request, limits))
    mitk.Image(np.arange(12, dtype="u1").reshape(3, 4)).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / "x.data")
    assert mitk.Image(tmp_path / "x.data").shape == (3, 4)
    assert [request["kind"] for request in asked] == ["record"]


def test_a_reader_takes_relative_names_and_names_that_are_not_utf_8(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mitk.Image(np.ones((2, 3, 4), "u1")).save("x.mha")
    assert mitk.io.read_image("x.mha", isolate=True).shape == (2, 3, 4)
    Path("x.mha").rename(os.fsdecode(b"\xff.mha"))
    assert mitk.io.read_image(b"\xff.mha", isolate=True).shape == (2, 3, 4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mitk.io.read_info(b"\xff.mha", isolate=True).shape == (2, 3, 4)
