"""Files that belong together are all new or all old, and what a kill has left is finished or removed."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from signalled import STEPS, count_steps, run_signalled

import mitk_rs as mitk
from mitk_rs.io import atomic
from mitk_rs.io.atomic import atomic_output, atomic_outputs

OLD = {"a": "old a", "b": "old b"}
NEW = {"a": "new a", "b": "new b"}


@pytest.fixture(autouse=True)
def look_again():
    """Folders are looked at for leftovers now and then only; here each test begins anew."""
    atomic._looked_at.clear()


@pytest.fixture
def folder(tmp_path):
    for name, text in OLD.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def contents(folder):
    return {file.name: file.read_text() for file in folder.iterdir() if file.is_file()}


def hidden(folder):
    return [path for path in folder.iterdir() if path.name.endswith(".mitk_rs")]


def write_both(folder, other=None):
    with atomic_outputs():
        for place, name in ((folder, "a"), (other or folder, "b")):
            with atomic_output(place / name) as temporary:
                temporary.write_text(NEW[name])


def test_files_take_their_names_when_the_outer_block_ends(folder):
    with atomic_outputs():
        write_both(folder)
        assert contents(folder) == OLD
    assert contents(folder) == NEW
    assert not hidden(folder)


def test_an_exception_behind_the_last_file_leaves_all_old(folder):
    def write_and_fail():
        with atomic_outputs():
            write_both(folder)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert contents(folder) == OLD
    assert not hidden(folder)


def test_a_block_apart_does_not_wait_for_the_outer_one(folder):
    with atomic_outputs():
        with atomic_outputs(apart=True), atomic_output(folder / "a") as temporary:
            temporary.write_text("new a")
        assert contents(folder) == {**OLD, "a": "new a"}


def test_other_threads_do_not_belong_to_the_block(folder):
    def write():
        with atomic_output(folder / "a") as temporary:
            temporary.write_text("new a")

    with atomic_outputs():
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
        assert (folder / "a").read_text() == "new a"


@pytest.fixture
def calls(monkeypatch):
    """The names of what is brought to the disk and of what is renamed, in order."""
    made = []
    fsync, replace = os.fsync, Path.replace

    def note_fsync(handle):
        made.append(("fsync", Path(f"/proc/self/fd/{handle}").readlink()))
        fsync(handle)

    def note_replace(self, target):
        made.append(("rename", Path(target)))
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(Path, "replace", note_replace)
    return made


needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc to name an open file")


@needs_proc
def test_a_file_is_on_the_disk_before_it_gets_its_name_and_then_its_name_is(folder, calls):
    with atomic_output(folder / "a") as temporary:
        temporary.write_text("new a")
    assert calls == [("fsync", temporary), ("rename", folder / "a"), ("fsync", folder)]


@needs_proc
def test_all_files_and_the_journal_are_on_the_disk_before_the_first_rename(folder, calls):
    write_both(folder)
    renames = [call for call in calls if call[0] == "rename"]
    assert [path.name for _, path in renames] == ["journal", "a", "b"]
    before = [path.name for _, path in calls[: calls.index(renames[0])]]
    assert {"a", "b", "journal.part"} <= set(before)
    journal = renames[0][1]
    names_in = {path for _, path in calls[: calls.index(renames[0])] if path.parent == journal.parent}
    assert len([path for path in names_in if path.name.startswith("new-")]) == 2
    assert ("fsync", journal.parent) in calls[: calls.index(renames[0])]
    between = calls[calls.index(renames[0]) + 1 : calls.index(renames[1])]
    assert between == [("fsync", journal.parent)]
    assert calls[-1] == ("fsync", folder)


@needs_proc
def test_a_header_and_its_data_are_on_the_disk_before_either_has_its_name(tmp_path, calls):
    mitk.Image(np.zeros((3, 4, 5), np.uint8)).save(tmp_path / "x.mhd")
    first = next(number for number, (kind, _) in enumerate(calls) if kind == "rename")
    assert {"x.mhd", "x.zraw"} <= {path.name for _, path in calls[:first]}
    assert [path.name for kind, path in calls if kind == "rename"] == ["journal", "x.zraw", "x.mhd"]


def failing_fsync(monkeypatch, fails):
    fsync = os.fsync

    def maybe(handle):
        if fails(os.fstat(handle).st_mode):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", maybe)


def test_a_file_that_cannot_be_brought_to_the_disk_is_not_written(folder, monkeypatch):
    failing_fsync(monkeypatch, stat.S_ISREG)
    with pytest.raises(mitk.FileWriteError, match=r"cannot write .*a: the disk is full"):
        write_both(folder)
    assert contents(folder) == OLD
    assert not hidden(folder)


def test_a_journal_that_cannot_be_brought_to_the_disk_is_an_error_that_names_the_first_file(folder, monkeypatch):
    sync = atomic._platform.sync_file

    def maybe(file):
        if file.name == "journal.part":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(file)

    monkeypatch.setattr(atomic._platform, "sync_file", maybe)
    with pytest.raises(mitk.FileWriteError, match=r"cannot write .*a: the disk is full"):
        write_both(folder)
    assert contents(folder) == OLD
    assert not hidden(folder)


def test_a_hidden_folder_is_removed_if_its_lock_cannot_be_made(folder, monkeypatch):
    def fail(_):
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(atomic._platform, "lock_file", fail)
    with pytest.raises(mitk.FileWriteError, match="Too many open files"):
        write_something(folder)
    assert not hidden(folder)


def test_a_hidden_folder_that_somebody_else_removes_is_an_error_of_ours(folder):
    def write():
        with atomic_output(folder / "a"):
            shutil.rmtree(*hidden(folder))

    with pytest.raises(mitk.FileWriteError, match=r"cannot write .*a: No such file"):
        write()
    assert contents(folder) == OLD


def test_only_the_user_can_look_into_a_hidden_folder(folder):
    with atomic_output(folder / "a"):
        (made,) = hidden(folder)
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@needs_proc
def test_writes_keep_no_descriptor_and_no_folder_in_mind(folder):
    before = descriptors()
    write_both(folder)
    left_behind(folder)
    atomic._looked_at.clear()
    write_both(folder)
    assert not hidden(folder)
    assert descriptors() == before
    assert not atomic._in_progress


def test_a_write_does_not_fail_after_the_rename(folder, monkeypatch, caplog):
    failing_fsync(monkeypatch, stat.S_ISDIR)
    with atomic_output(folder / "a") as temporary:
        temporary.write_text("new a")
    assert contents(folder) == {**OLD, "a": "new a"}
    assert "may be lost in a power cut: the disk is full" in caplog.text


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("links", [True, False])
def test_a_rename_that_fails_undoes_those_before_it(folder, monkeypatch, missing, links):
    old = dict(OLD)
    if missing:
        (folder / "a").unlink()
        del old["a"]
    replace = Path.replace

    def fail(self, target):
        if Path(target) == folder / "b" and self.name == "b":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return replace(self, target)

    def no_link(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(Path, "replace", fail)
    if not links:
        monkeypatch.setattr(os, "link", no_link)
    with pytest.raises(mitk.FileWriteError, match=r"cannot write .*b: the disk is full"):
        write_both(folder)
    assert contents(folder) == old
    assert not hidden(folder)


def test_a_single_file_that_cannot_be_renamed_is_an_error_of_ours(folder, monkeypatch):
    def fail(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(mitk.FileWriteError, match=r"cannot write .*c: the disk is full"):
        write_something(folder)
    assert contents(folder) == OLD
    assert not hidden(folder)


# --- kills -------------------------------------------------------------------------------------------------------

WORDS = ["init", "tube.mha", "--method", "threshold", "--lower", "50", "--force", "-o", "y.mha", "--surface", "y.stl"]


@pytest.fixture
def tube(tmp_path):
    z, y, x = np.mgrid[:6, :20, :20]
    mitk.Image(np.where((x - 10) ** 2 + (y - 10) ** 2 < 16, 100, z).astype(np.int16)).save(tmp_path / "tube.mha")
    return tmp_path


def outputs(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file() and file.stem == "y"}


def write_again(folder):
    """Another write to the folder, some time after a kill."""
    for path in hidden(folder):
        os.utime(path, (time.time() - 60,) * 2)
    atomic._looked_at.clear()
    with atomic_output(folder / "other") as temporary:
        temporary.write_text("")


@pytest.mark.parametrize("step", STEPS)
def test_a_kill_at_any_step_leaves_both_old_or_both_new_after_the_next_write(tube, step):
    steps = count_steps(step, *WORDS, folder=tube)
    new, old = outputs(tube), {"y.mha": b"old", "y.stl": b"old"}
    mixed = 0
    for number in range(1, steps + 1):
        for name, content in old.items():
            (tube / name).write_bytes(content)
        done = run_signalled(step, number, signal.SIGKILL, *WORDS, folder=tube)
        assert done.returncode == -signal.SIGKILL
        mixed += outputs(tube) not in (old, new)
        write_again(tube)
        assert not hidden(tube)
        assert outputs(tube) in (old, new), (step, number)
    # Only between the two renames, which no program can make one.
    assert mixed == (step == "os.rename:")


def test_a_kill_between_renames_in_two_folders_is_finished_by_a_write_to_the_first(tmp_path):
    code = (
        "import os, signal, sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path; from mitk_rs.io.atomic import atomic_output, atomic_outputs\n"
        "renames = []\n"
        "def hook(event, args):\n"
        "    if event == 'os.rename':\n"
        "        renames.append(args)\n"
        "        if len(renames) == 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "sys.addaudithook(hook)\n"
        "with atomic_outputs():\n"
        "    for name in ('one/a', 'two/b'):\n"
        "        with atomic_output(name) as temporary: temporary.write_text('new')\n"
    )
    for name in ("one/a", "two/b"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("old")
    subprocess.run([sys.executable, "-c", code, "."], cwd=tmp_path, check=False)
    assert [(tmp_path / name).read_text() for name in ("one/a", "two/b")] == ["new", "old"]
    # The folders may have been moved meanwhile.
    (tmp_path / "one").rename(tmp_path / "two" / "inner")
    (tmp_path / "two" / "inner").rename(tmp_path / "one")
    write_again(tmp_path / "one")
    assert (tmp_path / "two/b").read_text() == "new"
    write_again(tmp_path / "two")
    assert not hidden(tmp_path / "one")
    assert not hidden(tmp_path / "two")


def run(code, folder):
    """Run lines of Python in a process of their own, in a folder."""
    begin = "import os, shutil, sys, threading\nfrom pathlib import Path\nfrom mitk_rs.io import atomic\n"
    words = [sys.executable, "-c", begin + textwrap.dedent(code)]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_a_kill_after_an_undone_rename_leaves_all_old_for_good(folder):
    code = """
        replace = Path.replace
        def fail(self, target):
            if Path(target).name == "b":
                raise OSError(28, "full")
            return replace(self, target)
        Path.replace = fail
        shutil.rmtree = lambda *_, **__: os._exit(9)
        with atomic.atomic_outputs():
            for name in "ab":
                with atomic.atomic_output(name) as temporary:
                    temporary.write_text("new " + name)
    """
    assert run(code, folder).returncode == 9
    assert contents(folder) == OLD
    write_again(folder)
    assert not hidden(folder)
    assert contents(folder) == {**OLD, "other": ""}


def test_abandoned_writes_leave_nothing_and_none_begins_or_ends(folder):
    code = """
        begun, go_on = threading.Event(), threading.Event()
        def write(name, wait):
            with atomic.atomic_output(name) as temporary:
                temporary.write_text("new")
                begun.set()
                if wait:
                    go_on.wait()
        for name in ("a", "gone"):
            begun.clear()
            threading.Thread(target=write, args=(name, True), daemon=True).start()
            begun.wait()
        # One of them another thread has just removed.
        shutil.rmtree(next(path for path in Path().iterdir() if path.name.startswith(".gone.")))
        atomic.abandon_writes()
        assert not [path for path in Path().iterdir() if path.is_dir()]
        go_on.set()
        late = threading.Thread(target=write, args=("late", False), daemon=True)
        late.start()
        late.join(0.5)
        assert late.is_alive()
        print(sorted(path.name for path in Path().iterdir()), flush=True)
        os._exit(0)
    """
    done = run(code, folder)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "['a', 'b']\n")
    assert contents(folder) == OLD


def test_a_forked_child_writes_whatever_its_parent_is_doing(folder):
    code = """
        held, done = threading.Event(), threading.Event()
        def hold():
            with atomic._naming:
                held.set()
                done.wait()
        with atomic.atomic_output("a") as temporary:
            threading.Thread(target=hold).start()
            held.wait()
            child = os.fork()
            if child == 0:
                with atomic.atomic_outputs(apart=True), atomic.atomic_output("b") as other:
                    other.write_text("of the child")
                # Nothing that the parent has begun is abandoned.
                atomic.abandon_writes()
                os._exit(0)
            for _ in range(600):
                ended, status = os.waitpid(child, os.WNOHANG)
                if ended:
                    break
                threading.Event().wait(0.1)
            else:
                os.kill(child, 9)
            done.set()
            temporary.write_text("of the parent")
        assert (ended, status) == (child, 0)
    """
    done = run(code, folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert contents(folder) == {"a": "of the parent", "b": "of the child"}


def left_behind(folder, name=".x.mha.0123456789ab.mitk_rs", age=60.0):
    path = folder / name
    path.mkdir()
    (path / "part").write_text("half a file")
    os.utime(path, (time.time() - age,) * 2)
    return path


def write_something(folder):
    with atomic_output(folder / "c") as temporary:
        temporary.write_text("")


def test_what_a_kill_has_left_is_removed_by_the_next_write_which_says_so(folder, caplog):
    leftover = left_behind(folder)
    with caplog.at_level("INFO", "mitk_rs"):
        write_something(folder)
    assert not hidden(folder)
    assert f"removed {leftover}" in caplog.text


def test_a_folder_is_looked_at_every_ten_seconds(folder, monkeypatch):
    for now, stays in [(0.0, False), (9.9, True), (10.0, False), (19.0, True)]:
        monkeypatch.setattr(atomic.time, "monotonic", lambda now=now: now)
        left_behind(folder)
        write_something(folder)
        assert bool(hidden(folder)) == stays
        for path in hidden(folder):
            shutil.rmtree(path)


@pytest.mark.parametrize(("locks", "oldest"), [(True, 10.0), (False, 86400.0)])
def test_a_leftover_goes_at_the_age_that_is_documented(folder, monkeypatch, locks, oldest):
    if not locks:
        monkeypatch.setattr(atomic._platform, "lock_file", lambda _: None)
    left_behind(folder)
    os.utime(*hidden(folder), (1e9, 1e9))
    for age, stays in [(oldest - 0.5, True), (oldest, False)]:
        monkeypatch.setattr(atomic.time, "time", lambda age=age: 1e9 + age)
        atomic._looked_at.clear()
        write_something(folder)
        assert bool(hidden(folder)) == stays


def test_a_folder_that_a_living_process_uses_stays(folder):
    code = (
        "import sys\nfrom mitk_rs.io.atomic import atomic_output\n"
        "with atomic_output(sys.argv[1]) as temporary:\n    print('ready', flush=True); sys.stdin.read()"
    )
    words = [sys.executable, "-c", code, folder / "d"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        (used,) = hidden(folder)
        os.utime(used, (0, 0))
        write_something(folder)
        assert hidden(folder) == [used]
        process.stdin.close()
        assert process.wait(60) == 0
    assert (folder / "d").exists()
    assert not hidden(folder)


def test_a_young_folder_stays_because_its_process_may_not_hold_the_lock_yet(folder):
    young = left_behind(folder, age=0.0)
    write_something(folder)
    assert hidden(folder) == [young]


@pytest.mark.parametrize(
    "name", [".x.mha.0123456789ab", "x.mha.0123456789ab.mitk_rs", ".0123456789ab.mitk_rs", ".mitk_rs"]
)
def test_folders_with_other_names_stay(folder, name):
    other = left_behind(folder, name=name)
    write_something(folder)
    assert other.exists()


def test_files_and_links_that_only_have_such_a_name_stay(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "precious").write_text("")
    (folder / ".x.0123456789ab.mitk_rs").symlink_to(elsewhere)
    (folder / ".y.0123456789ab.mitk_rs").write_text("precious")
    os.utime(folder / ".y.0123456789ab.mitk_rs", (0, 0))
    write_something(folder)
    assert (elsewhere / "precious").exists()
    assert (folder / ".y.0123456789ab.mitk_rs").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder of another user")
def test_folders_of_other_users_stay(folder):
    other = left_behind(folder)
    os.chown(other, 65534, 65534)
    os.utime(other, (0, 0))
    write_something(folder)
    assert other.exists()


def test_without_locks_only_a_day_old_folder_is_removed(folder, monkeypatch):
    monkeypatch.setattr(atomic._platform, "lock_file", lambda _: None)
    recent, ancient = left_behind(folder), left_behind(folder, ".y.0123456789ab.mitk_rs", age=2 * 86400.0)
    write_something(folder)
    assert recent.exists()
    assert not ancient.exists()


def test_a_damaged_leftover_does_no_harm(folder):
    damaged = left_behind(folder)
    (damaged / "journal").write_text("{ no journal")
    os.utime(damaged, (0, 0))
    write_something(folder)
    assert (folder / "c").exists()


# --- Ctrl-C in a program of the user's own -----------------------------------------------------------------------

INTERRUPTED = """
import os, signal, sys, numpy, mitk_rs
image = mitk_rs.Image(numpy.full((3, 4, 5), 7, "u1"))
events = 0
def hook(event, args):
    global events
    if event in ("os.rename", "os.link", "os.mkdir"):
        events += 1
        if events == int(sys.argv[1]):
            os.kill(os.getpid(), signal.SIGINT)
sys.addaudithook(hook)
try:
    image.save("x.mhd")
except KeyboardInterrupt:
    print("interrupted")
print(events)
"""


def test_ctrl_c_at_any_step_is_an_interrupt_that_leaves_a_whole_pair(tmp_path):
    def run(number):
        words = [sys.executable, "-c", INTERRUPTED, str(number)]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.split()

    def pair():
        return {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.is_file()}

    image = mitk.Image(np.zeros((3, 4, 5), np.uint8))
    image.save(tmp_path / "x.mhd")
    old = pair()
    (steps,) = run(0)
    new = pair()
    seen = []
    for number in range(1, int(steps) + 1):
        image.save(tmp_path / "x.mhd")
        assert run(number)[0] == "interrupted"
        seen.append(pair())
        assert not hidden(tmp_path)
    assert all(state in (old, new) for state in seen)
    assert old in seen
    assert new in seen
