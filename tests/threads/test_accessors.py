"""Read and write accessors: who is let in, who waits, who is told off, and that nothing ever hangs."""

import copy
import gc
import signal
import subprocess
import sys
import threading
import time
import warnings

import numpy as np
import pytest

import mitk_rs as mitk


@pytest.fixture
def image():
    return mitk.Image(np.zeros((3, 4, 5, 6), np.int32))


def read(image, **options):
    return image.as_numpy(use_accessor=True, writeable=False, **options)


def write(image, **options):
    return image.as_numpy(use_accessor=True, writeable=True, **options)


OPENERS = {"read": read, "write": write}


@pytest.mark.parametrize("held", ["read", "write"])
@pytest.mark.parametrize("wanted", ["read", "write"])
def test_same_thread_is_granted_or_told_at_once(image, held, wanted):
    first = OPENERS[held](image)
    if (held, wanted) == ("read", "read"):
        assert np.shares_memory(OPENERS[wanted](image), first)
        return
    # A thread that waited for itself would wait for ever.
    with pytest.raises(
        mitk.MemoryIsLockedError, match=f"this thread already holds a {held} accessor on the whole image"
    ):
        OPENERS[wanted](image)
    del first
    OPENERS[wanted](image)


def test_message_names_thread_and_line(image):
    held = write(image)
    with pytest.raises(mitk.MemoryIsLockedError, match=r"thread MainThread, opened at .*test_accessors\.py:\d+"):
        read(image)
    del held


@pytest.mark.usefixtures("itk_files")
def test_saving_needs_a_read_accessor(image, tmp_path):
    held = write(image)
    with pytest.raises(mitk.MemoryIsLockedError):
        image.save(tmp_path / "image.nrrd")
    assert not list(tmp_path.iterdir())
    del held
    held = read(image)
    image.save(tmp_path / "image.nrrd")
    assert np.array_equal(mitk.Image(tmp_path / "image.nrrd").array, held)


@pytest.mark.parametrize("held", ["read", "write"])
def test_unprotected_access_is_always_granted(image, held):
    lease = OPENERS[held](image)
    image.as_numpy()[0] = 1
    assert image.array.any()
    image.spacing = (2, 2, 2)
    image.set_property("name", "x")
    assert np.asarray(image).any()
    assert lease.any()


def test_lock_lives_as_long_as_any_derived_view(image):
    a = write(image)
    s = a[0][1:].view(np.uint32)
    del a
    with pytest.raises(mitk.MemoryIsLockedError):
        read(image)
    buffer = memoryview(s)
    del s
    with pytest.raises(mitk.MemoryIsLockedError):
        read(image)
    buffer.release()
    del buffer
    gc.collect()
    read(image)


def test_another_thread_waits_until_release(image, crew):
    held, events = write(image), []

    def reader():
        events.append("asks")
        events.append(int(read(image)[0, 0, 0, 0]))

    crew.add(reader)
    crew.start()
    time.sleep(0.2)
    assert events == ["asks"]
    held[0, 0, 0, 0] = 7
    del held
    crew.join()
    assert events == ["asks", 7]


def test_release_may_come_from_any_thread(image, crew):
    handed_over = [write(image)]
    crew.add(handed_over.clear)
    crew.run()
    write(image)


def test_a_thread_number_used_again_is_another_thread(image, crew):
    """An accessor left behind by a thread that ended belongs to nobody else, whatever number the next thread gets."""
    left_behind = []
    first = threading.Thread(target=lambda: left_behind.append(write(image)))
    first.start()
    first.join()
    refusals = []

    def ask():
        try:
            read(image, timeout=0.1)
        except mitk.MemoryIsLockedError as error:
            refusals.append(str(error))

    for _ in range(20):
        crew.add(ask)
    crew.run()
    assert len(refusals) == 20
    assert not any("this thread" in text for text in refusals)
    assert len(left_behind) == 1


def test_own_reader_is_found_behind_a_stranger_s(image, crew):
    """The calling thread is told at once even where it would have to wait for others, too."""
    ready, done, refusals = threading.Event(), threading.Event(), []

    def stranger():
        lease = read(image)
        ready.set()
        done.wait(30)
        del lease

    def twice():
        lease = read(image)
        try:
            write(image)
        except mitk.MemoryIsLockedError as error:
            refusals.append((str(error), lease.shape))

    crew.add(stranger)
    crew.start()
    ready.wait(30)
    twice()
    done.set()
    crew.join()
    assert "this thread already holds a read accessor" in refusals[0][0]


def test_a_waiting_writer_holds_up_no_reader(image, crew):
    held, waiting = read(image), threading.Event()

    def writer():
        waiting.set()
        write(image)[:] = 1

    crew.add(writer)
    crew.start()
    waiting.wait(30)
    time.sleep(0.1)
    again = read(image)
    assert not again.any()
    del held, again
    crew.join()
    assert image.array.all()


def test_time_steps_are_locked_one_by_one(image):
    first, second = write(image, time_step=0), write(image, time_step=1)
    assert first.shape == second.shape == (4, 5, 6)
    assert read(image, time_step=2).shape == (4, 5, 6)
    for refused in (lambda: read(image, time_step=1), lambda: read(image), lambda: write(image)):
        with pytest.raises(mitk.MemoryIsLockedError, match="time step"):
            refused()
    del first, second
    assert write(image).shape == (3, 4, 5, 6)


def test_timeout_and_no_wait(image, crew):
    held, ready, done = [], threading.Event(), threading.Event()

    def holder():
        held.append(write(image))
        ready.set()
        done.wait(30)
        held.clear()

    crew.add(holder)
    crew.start()
    ready.wait(30)
    began = time.monotonic()
    with pytest.raises(mitk.MemoryIsLockedError, match=r"another thread holds a write accessor.*still after 0\.2 s"):
        read(image, timeout=0.2)
    assert time.monotonic() - began >= 0.2
    # Who waited here would wait until the other thread is done, which it is only when told so below.
    for refused in (
        lambda: read(image, block=False),
        lambda: write(image, timeout=0),
        image.read(block=False).__enter__,
    ):
        with pytest.raises(mitk.MemoryIsLockedError):
            refused()
    done.set()
    crew.join()
    assert image._leases() == 0


@pytest.mark.parametrize("bad", [-1, float("nan"), float("inf")])
def test_bad_timeouts_are_refused(image, bad):
    with pytest.raises(mitk.RequestError, match="timeout"):
        read(image, timeout=bad)


def test_with_block_locks_and_unlocks(image):
    with image.write() as voxels:
        voxels[:] = 4
        with pytest.raises(mitk.MemoryIsLockedError):
            image.read().__enter__()
    assert image._leases() == 0
    with image.read() as voxels, image.read(time_step=1) as frame:
        assert not voxels.flags.writeable
        assert frame.shape == (4, 5, 6)
        assert (voxels == 4).all()
    assert image._leases() == 0


def test_after_the_block_the_name_is_a_plain_read_only_view(image):
    with image.write() as voxels:
        voxels[:] = 4
    assert (voxels == 4).all()
    with pytest.raises(ValueError, match="read-only"):
        voxels[:] = 5
    with pytest.raises(ValueError, match="WRITEABLE"):
        voxels.flags.writeable = True
    image.as_numpy()[:] = 6
    assert (voxels == 6).all()


def test_an_error_in_the_block_unlocks(image):
    def fail():
        with image.write() as voxels:
            voxels[0] = 1
            raise KeyError("x")

    with pytest.raises(KeyError):
        fail()
    assert image._leases() == 0


@pytest.mark.parametrize(
    "keep", [lambda a: a[0], lambda a: a, lambda a: memoryview(a), lambda a: a.reshape(-1).view("u4")]
)
def test_a_view_that_survives_the_block_keeps_the_lock_and_warns(image, keep):
    warned = pytest.warns(ResourceWarning, match=r"opened at .*test_accessors\.py:\d+ and keeps it locked")
    with warned, image.write() as voxels:
        survivor = keep(voxels)
    del voxels
    with pytest.raises(mitk.MemoryIsLockedError):
        read(image)
    del survivor
    read(image)


REBINDINGS = {
    "first step": lambda a: a[0],
    "reversed": lambda a: a[..., ::-1],
    "another type": lambda a: a.view(np.uint32),
    "flat": lambda a: a.reshape(-1),
    "frombuffer": lambda a: np.frombuffer(a[0], np.int32),
    "memoryview of a slice": lambda a: memoryview(a[1]),
}


@pytest.mark.parametrize("rebind", REBINDINGS.values(), ids=REBINDINGS.keys())
def test_a_slice_under_the_accessor_s_own_name_keeps_lock_and_memory_to_itself(image, rebind):
    with pytest.warns(ResourceWarning, match="survives the accessor"), image.write() as voxels:
        voxels = rebind(voxels)
    with pytest.raises(mitk.MemoryIsLockedError):
        read(image)
    with pytest.raises(mitk.MemoryIsLockedError):
        image.snapshot()
    del voxels
    gc.collect()
    read(image)


def test_a_name_deleted_in_the_block_is_no_survivor(image):
    with image.write() as voxels:
        voxels[:] = 3
        del voxels
    assert image._leases() == 0
    slices = []

    def keep_a_slice():
        with image.write() as voxels:
            slices.append(voxels[1])
            del voxels

    with pytest.warns(ResourceWarning, match="survives the accessor"):
        keep_a_slice()
    assert image._leases() == 1
    slices.clear()
    assert image._leases() == 0


@pytest.mark.parametrize("keep", [memoryview, lambda a: a, lambda a: a[0].view(), lambda a: a.T])
@pytest.mark.parametrize("rebound", [True, False])
def test_a_snapshot_never_changes_whoever_kept_a_way_to_write(image, keep, rebound):
    """Memory that was once handed out writeable is not shared before the last one who has it is gone."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        with image.write() as voxels:
            survivor = keep(voxels)
            if rebound:
                voxels = survivor
    if image._leases():
        del voxels
    else:
        before = image.snapshot()
        copied = copy.copy(image)
        target = np.asarray(survivor)
        if target.flags.writeable:
            target[...] = 7
        assert not before.array.any()
        assert not copied.array.any()


@pytest.mark.parametrize("sparse", [False, True])
def test_an_error_while_computing_keeps_no_lock(sparse):
    image = mitk.Image(np.ones((3, 4, 5), np.float32))
    calls = (
        lambda: mitk.fast_marching(image, seeds=[(9, 9, 9)], sparse=sparse),
        lambda: mitk.slide(image, thickness=4),
        lambda: mitk.render_mip(image, sample_distance=1e-9),
    )
    errors = []
    for call in calls:
        with pytest.raises(mitk.RequestError) as caught:
            call()
        errors.append(caught)
        assert image._leases() == 0


def test_users_cannot_release_the_lock_under_a_writeable_array(image):
    array = write(image)
    owner = array
    while isinstance(owner, np.ndarray):
        owner = owner.base
    assert [name for name in dir(owner) if not name.startswith("_")] == []
    with pytest.raises(mitk.MemoryIsLockedError):
        read(image)


def test_an_accessor_is_for_one_block_at_a_time(image):
    accessor = image.read()
    with accessor, pytest.raises(RuntimeError, match="open already"):
        accessor.__enter__()
    with accessor as voxels:
        assert voxels.shape == image.shape


def test_no_accessor_without_voxels():
    for ask in (lambda i: read(i), lambda i: write(i), lambda i: i.read().__enter__(), lambda i: i.as_numpy()):
        with pytest.raises(mitk.Exception, match="empty"):
            ask(mitk.Image())


def test_steps_that_do_not_exist(image):
    for ask in (
        lambda: image.as_numpy(time_step=3),
        lambda: read(image, time_step=3),
        lambda: write(image, time_step=99),
    ):
        with pytest.raises(mitk.TimeStepError, match=r"the image has 3 \(0 to 2\)"):
            ask()
    for step in (-1, 0.5, "0"):
        with pytest.raises(TypeError, match="time_step"):
            image.as_numpy(time_step=step)
    assert image._leases() == 0


def test_initialize_while_another_thread_waits(image, crew):
    """The one who waited gets the new voxels, or an error if its time step is gone."""
    held, results = write(image), []

    def reader(step):
        try:
            results.append(read(image, time_step=step).shape)
        except mitk.TimeStepError:
            results.append("gone")

    crew.add(reader, 0)
    crew.add(reader, 2)
    crew.start()
    time.sleep(0.2)
    del held
    crew.join()
    assert results in ([(4, 5, 6), (4, 5, 6)], [(4, 5, 6)] * 2)
    image.initialize("uint8", [2, 2])
    assert read(image).shape == (2, 2)


def test_ctrl_c_ends_a_wait():
    script = """
import threading, numpy as np, mitk_rs as mitk
image, ready = mitk.Image(np.zeros((4, 4, 4))), threading.Event()
def hold():
    lease = image.as_numpy(use_accessor=True)
    ready.set()
    threading.Event().wait(60)
threading.Thread(target=hold, daemon=True).start()
ready.wait()
try:
    print("waiting", flush=True)
    image.as_numpy(use_accessor=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout.readline() == "waiting\n"
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        # Without the signal the wait would succeed after a minute, and nothing would be printed.
        assert child.stdout.readline() == "interrupted\n"
    assert child.returncode == 0
