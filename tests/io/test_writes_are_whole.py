"""A write is whole or absent: whatever fails, the old file stays and nothing else is left."""

import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs import io
from mitk_rs.io import atomic
from mitk_rs.io.atomic import atomic_folder, atomic_output, full_suffix
from mitk_rs.io.formats import FORMATS

SUFFIXES = [kind.suffixes[0] for kind in FORMATS] + [".nii.gz", ".img", ".hdr.gz"]
NOISE = np.random.default_rng(0).integers(0, 255, (700, 700)).astype("u1")


def contents(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


def test_a_file_that_is_replaced_while_it_is_read_is_read_again(tmp_path, monkeypatch):
    """The header of one file with the voxels of the next would be an image that nobody wrote."""
    path, real = tmp_path / "x.mha", io._adapter("x.mha").read
    later = mitk.Image(np.full((4, 5, 6), 2, "i2"), spacing=(2, 2, 2))
    later.save(tmp_path / "later.mha")
    mitk.Image(np.full((4, 5, 6), 1, "i2"), spacing=(1, 1, 1)).save(path)

    def read(name, options):
        found = real(name, options)
        if (tmp_path / "later.mha").exists():
            (tmp_path / "later.mha").replace(path)
        return found

    monkeypatch.setattr(io._adapter("x.mha"), "read", read)
    assert mitk.io.read_image(path).equals(later)


def test_a_file_that_changes_all_the_time_is_refused(tmp_path, monkeypatch):
    path, real = tmp_path / "x.mha", io._adapter("x.mha").read
    mitk.Image(np.zeros((4, 5, 6), "i2")).save(path)

    def read(name, options):
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
        return real(name, options)

    monkeypatch.setattr(io._adapter("x.mha"), "read", read)
    with pytest.raises(mitk.FileError, match="another program changed it during each of 20 reads"):
        mitk.io.read_image(path)


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.mha", ".mha"),
        ("a.b.mha", ".mha"),
        ("a.nii.gz", ".nii.gz"),
        ("v1.2.NII.GZ", ".NII.GZ"),
        ("a", ""),
        (".x", ""),
    ],
)
def test_the_ending_that_names_the_format(name, ending):
    assert full_suffix(name) == ending


def test_the_temporary_file_has_the_same_ending_on_the_same_file_system(tmp_path):
    target = tmp_path / "a.nii.gz"
    with atomic_output(target) as temporary:
        assert tmp_path in temporary.parents
        assert re.fullmatch(r"\.a\.nii\.gz\.[0-9a-f]{12}\.mitk_rs", temporary.relative_to(tmp_path).parts[0])
        assert temporary.name == "a.nii.gz"
        assert temporary.read_bytes() == b""
        assert not target.exists()
        temporary.write_text("new")
    assert contents(tmp_path) == {"a.nii.gz": b"new"}


@pytest.mark.parametrize("name", ["x" * 255, "x" * 251 + ".mha", "血" * 85, "血" * 83 + ".mha", "🩸" * 63], ids=len)
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path, name):
    with atomic_output(tmp_path / name) as temporary:
        temporary.write_text("new")
    assert contents(tmp_path) == {name: b"new"}


def fail_after_writing(temporary, failure):
    temporary.write_text("new")
    raise failure


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file(tmp_path, failure):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(failure), atomic_output(target) as temporary:
        fail_after_writing(temporary, failure)
    assert contents(tmp_path) == {"a.txt": b"old"}


def test_an_os_error_names_file_and_reason(tmp_path):
    target = tmp_path / "a.txt"
    with pytest.raises(mitk.FileWriteError, match=r"cannot write .*a\.txt: the disk is full"), atomic_output(target):
        raise OSError(28, "No space left on device")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (OSError(13, "Permission denied"), "no permission"),
        (OSError("cannot flush"), "cannot flush"),
    ],
)
def test_an_error_is_as_precise_as_the_system_and_the_library_allow(tmp_path, monkeypatch, error, reason, full):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(atomic, "disk_is_full", lambda _: full)
    if full and error.errno is None:
        reason = "the disk is full"
    with pytest.raises(mitk.FileWriteError) as caught, atomic_output("a.txt"):
        raise error
    assert str(caught.value) == f"cannot write a.txt: {reason}"


def test_permissions_are_kept_or_those_of_a_plain_file(tmp_path):
    target, plain = tmp_path / "a.txt", tmp_path / "plain.txt"
    plain.write_text("")
    with atomic_output(target) as temporary:
        temporary.write_text("new")
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    target.chmod(0o640)
    with atomic_output(target) as temporary:
        temporary.write_text("newer")
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_a_link_is_followed_and_stays(tmp_path):
    target, link = tmp_path / "a.txt", tmp_path / "link.txt"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_output(link) as temporary:
        temporary.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_a_header_comes_after_its_data(tmp_path, monkeypatch):
    moved, replace = [], Path.replace
    monkeypatch.setattr(Path, "replace", lambda self, to: (moved.append(to.name), replace(self, to))[1])
    with atomic_folder(tmp_path / "a.mhd") as header:
        header.write_text("ElementDataFile = z.zraw")
        header.with_name("z.zraw").write_text("voxels")
    assert moved == ["journal", "z.zraw", "a.mhd"]
    assert set(contents(tmp_path)) == {"a.mhd", "z.zraw"}
    assert len(list(tmp_path.iterdir())) == 2


def bad_targets(folder):
    (folder / "folder.mha").mkdir()
    (folder / "file.txt").write_text("")
    (folder / "loop.mha").symlink_to(folder / "loop.mha")
    os.mkfifo(folder / "pipe.mha")
    return {
        folder / "missing" / "a.mha": "missing does not exist",
        folder / "file.txt" / "a.mha": "not a folder",
        folder / "folder.mha": "it is a folder",
        folder / "pipe.mha": "not a regular file",
        folder / "loop.mha": "symbolic link",
        folder / ("n" * 300 + ".mha"): "the name is too long",
        folder / "nul\0.mha": "not a file name",
    }


def test_a_bad_target_is_named_with_its_reason(tmp_path):
    image = mitk.Image(NOISE)
    for target, reason in bad_targets(tmp_path).items():
        before = sorted(tmp_path.iterdir())
        with pytest.raises(mitk.FileWriteError, match=reason):
            image.save(target)
        with pytest.raises(mitk.FileWriteError, match=reason):
            atomic.check_writable(target)
        assert sorted(tmp_path.iterdir()) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere; the next test does it as another user")
def test_no_permission_is_said(tmp_path):
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(mitk.FileWriteError, match="no permission"):
        mitk.Image(NOISE).save(locked / "a.mha")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user; the test before runs instead")
def test_no_permission_is_said_to_another_user(tmp_path):
    locked, frozen = tmp_path / "locked", tmp_path / "frozen.mha"
    locked.mkdir(mode=0o755)
    frozen.write_text("old")
    frozen.chmod(0o444)
    child = os.fork()
    if child == 0:
        os._exit(as_nobody(locked / "a.mha", frozen))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert frozen.read_text() == "old"


def as_nobody(*targets):
    """Exit status 0 if writing every target fails for want of permission."""
    os.setuid(65534)
    for target in targets:
        try:
            with atomic_output(target):
                return 1
        except mitk.FileWriteError as error:
            if "no permission" not in str(error):
                return 2
    return 0


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 256 kB; skips where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = shutil.which("mount")
    if os.geteuid() != 0 or mount is None:
        pytest.skip("needs the right to mount a small file system")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount a small file system: {done.stderr.decode().strip()}")
    yield folder
    # lazily: after a failed write ITK keeps files open
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_full_disk_leaves_the_old_file(small_disk, suffix):
    target = small_disk / f"x{suffix}"
    mitk.Image(NOISE[:8, :8].copy()).save(target)
    before = contents(small_disk)
    big = np.concatenate([NOISE] * 4) if suffix == ".jpg" else NOISE
    with pytest.raises(mitk.FileWriteError, match="the disk is full"):
        mitk.Image(big).save(target)
    assert contents(small_disk) == before
    assert len(list(small_disk.iterdir())) == len(before)


def test_a_full_disk_is_told_from_one_with_room(small_disk):
    assert not atomic.disk_is_full(small_disk)
    with pytest.raises(OSError, match="No space"):
        (small_disk / "all").write_bytes(bytes(1 << 20))
    assert atomic.disk_is_full(small_disk)


@pytest.fixture
def limit_files():
    """Limits the size of files from now on."""
    if not hasattr(resource, "RLIMIT_FSIZE"):
        pytest.skip("this system does not limit the size of files")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_last_byte_that_does_not_fit_is_noticed(tmp_path, suffix, limit_files):
    """C libraries keep the end of a file in memory until they close it, and some do not look how that went."""
    image = mitk.Image(NOISE[:40, :40].copy())
    image.save(tmp_path / f"x{suffix}")
    sizes = {len(content) for content in contents(tmp_path).values()}
    for name in contents(tmp_path):
        (tmp_path / name).write_text("old")
    before = contents(tmp_path)
    limit_files(max(sizes) - 1)
    with pytest.raises(mitk.FileWriteError):
        image.save(tmp_path / f"x{suffix}")
    assert contents(tmp_path) == before
    assert len(list(tmp_path.iterdir())) == len(before)


KILLED = """
import sys, numpy, mitk_rs
image = mitk_rs.Image(numpy.random.default_rng(1).integers(0, 255, (64, 256, 256)).astype('u1'))
print('ready', flush=True)
while True:
    image.save(sys.argv[1])
"""


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii.gz", ".vti"])
def test_a_killed_write_leaves_a_whole_file(tmp_path, suffix):
    target = tmp_path / f"x{suffix}"
    mitk.Image(NOISE[:8, :8].copy()).save(target)
    child = subprocess.Popen([sys.executable, "-c", KILLED, target], stdout=subprocess.PIPE)
    try:
        assert child.stdout.readline() == b"ready\n"
        wait_for(lambda: len(list(tmp_path.iterdir())) > 1)
        time.sleep(0.05)
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
    loaded = mitk.Image(target)
    old = loaded.shape == (8, 8) and np.array_equal(loaded.array, NOISE[:8, :8])
    assert old or loaded.shape == (64, 256, 256)


def wait_for(condition, patience=60.0):
    end = time.monotonic() + patience
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)


def test_many_threads_write_one_file_and_it_is_always_whole(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    target = tmp_path / "x.nrrd"
    images = [mitk.Image(np.full((40, 40, 40), number, "u1")) for number in range(8)]
    images[0].save(target)

    def write_and_read(image):
        image.save(target)
        return np.unique(mitk.Image(target).array).size

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(write_and_read, images * 4)) == {1}
    assert set(contents(tmp_path)) == {"x.nrrd"}
