"""Many threads at once: no torn frame, no hang, and work that overlaps where it may.

``MITK_RS_STRESS_SECONDS`` sets how long the long one runs (3 by default).
"""

import itertools
import os
import random
import threading
import time

import numpy as np
import pytest

import mitk_rs as mitk

SECONDS = float(os.environ.get("MITK_RS_STRESS_SECONDS", "3"))
STEPS = 4


def is_torn(voxels):
    """Writers leave the same number in all voxels of a frame."""
    frames = voxels.reshape(-1, *voxels.shape[-3:])
    return any(frame.min() != frame.max() for frame in frames)


def one_action(image, choose, number):
    step = choose.choice([None, *range(STEPS)])
    if choose.random() < 0.7:
        voxels = image.as_numpy(use_accessor=True, writeable=False, time_step=step)
        assert not is_torn(voxels), "a reader saw a half-written frame"
    elif choose.random() < 0.5:
        with image.write(step) as voxels:
            voxels[...] = number
    else:
        voxels = image.as_numpy(use_accessor=True, time_step=step)
        # In pieces, so that others get a chance to look at the middle of it.
        for part in voxels.reshape(-1, *voxels.shape[-2:]):
            part[...] = number


@pytest.mark.timeout(max(300, 4 * SECONDS))
def test_no_torn_frame_and_no_deadlock_with_sixteen_threads(crew):
    image = mitk.Image(np.zeros((STEPS, 8, 64, 64), np.int32))
    stop, actions = time.monotonic() + SECONDS, [0] * 16

    def work(number):
        choose = random.Random(number)
        while time.monotonic() < stop:
            one_action(image, choose, number)
            actions[number] += 1

    for number in range(16):
        crew.add(work, number)
    crew.run(SECONDS + 60)
    assert min(actions) > 0, f"a thread starved: {actions}"
    assert image._leases() == 0


def test_the_detector_sees_torn_frames_without_accessors(crew):
    """The test above means something: unprotected writes are caught."""
    image = mitk.Image(np.zeros((STEPS, 8, 64, 64), np.int32))
    seen, stop = threading.Event(), time.monotonic() + 30

    def writer(number):
        while not seen.is_set() and time.monotonic() < stop:
            for part in image.as_numpy().reshape(-1, 64, 64):
                part[...] = number

    def reader():
        while not seen.is_set() and time.monotonic() < stop:
            if is_torn(image.array):
                seen.set()

    crew.add(writer, 1)
    crew.add(writer, 2)
    crew.add(reader)
    crew.run()
    assert seen.is_set()


def windows_of(jobs, crew):
    """When each job ran, all started together: job(first, last) gets events to set and to wait for."""
    windows, barrier = [None] * len(jobs), threading.Barrier(len(jobs))

    def run(index):
        barrier.wait(30)
        with jobs[index]() as voxels:
            began = time.monotonic()
            # Everybody is inside at the same time, or this breaks after 10 s.
            barrier.wait(10)
            assert voxels.size
            windows[index] = (began, time.monotonic())

    for index in range(len(jobs)):
        crew.add(run, index)
    crew.run()
    return windows


def overlap(windows):
    return max(began for began, _ in windows) < min(ended for _, ended in windows)


def test_readers_and_writers_of_different_steps_work_at_the_same_time(crew):
    image = mitk.Image(np.zeros((STEPS, 4, 4, 4), np.int32))
    jobs = [lambda: image.write(0), lambda: image.write(1), lambda: image.read(2), lambda: image.read(2)]
    assert overlap(windows_of(jobs, crew))


def test_readers_share_the_whole_image(crew):
    image = mitk.Image(np.zeros((4, 4, 4), np.int32))
    assert overlap(windows_of([image.read] * 4, crew))


def test_writers_of_the_same_step_never_overlap(crew):
    image, windows = mitk.Image(np.zeros((4, 4, 4), np.int32)), []

    def work():
        with image.write():
            began = time.monotonic()
            time.sleep(0.02)
            windows.append((began, time.monotonic()))

    for _ in range(6):
        crew.add(work)
    crew.run()
    windows.sort()
    assert all(one[1] <= other[0] for one, other in itertools.pairwise(windows))


def test_the_interpreter_is_free_while_a_thread_waits(crew):
    image, counted = mitk.Image(np.zeros((4, 4, 4), np.int32)), []
    lease = image.as_numpy(use_accessor=True)

    def wait():
        with pytest.raises(mitk.MemoryIsLockedError):
            image.as_numpy(use_accessor=True, timeout=0.5)

    def count():
        stop, number = time.monotonic() + 0.4, 0
        while time.monotonic() < stop:
            number += 1
        counted.append(number)

    for _ in range(4):
        crew.add(wait)
    crew.add(count)
    crew.run()
    assert counted[0] > 10_000
    assert lease.size


def test_copies_are_made_while_the_interpreter_is_free(crew):
    """A copy of 256 MB leaves other threads running: their windows lie inside its own."""
    image, copied, ticks = mitk.Image(), [], []
    image.initialize("uint8", [1024, 1024, 256])
    image.as_numpy()[:] = 1
    done = threading.Event()

    def copy():
        began = time.monotonic()
        for _ in range(4):
            image.copy()
        copied.append((began, time.monotonic()))
        done.set()

    def tick():
        while not done.is_set():
            ticks.append(time.monotonic())
            time.sleep(0.001)

    crew.add(copy)
    crew.add(tick)
    crew.run()
    began, ended = copied[0]
    assert sum(began < moment < ended for moment in ticks) > 10


def test_snapshots_are_whole_and_never_change(crew):
    image = mitk.Image(np.zeros((STEPS, 8, 32, 32), np.int32))
    stop, taken = time.monotonic() + 1.5, []

    def writer(number):
        while time.monotonic() < stop:
            with image.write() as voxels:
                voxels[...] = number

    def observer():
        while time.monotonic() < stop:
            snapshot = image.snapshot()
            first = int(snapshot.array[0, 0, 0, 0])
            assert not is_torn(snapshot.array)
            taken.append((snapshot, first))
            del taken[:-20]
            assert all((kept.array == value).all() for kept, value in taken)

    for number in range(1, 4):
        crew.add(writer, number)
    for _ in range(3):
        crew.add(observer)
    crew.run()


def test_geometry_and_properties_are_safe_to_use_from_threads(crew):
    image, stop = mitk.Image(np.zeros((3, 2, 2, 2), np.int8)), time.monotonic() + 1

    def setter(number):
        while time.monotonic() < stop:
            image.set_spacing((number, number, number), time_step=number % 3)
            image.set_property(f"key{number}", number)
            image.copy()

    def getter():
        while time.monotonic() < stop:
            x, y, z = image.get_spacing(1)
            assert x == y == z
            dict(image.properties.items())
            repr(image)

    for number in range(1, 5):
        crew.add(setter, number)
    for _ in range(4):
        crew.add(getter)
    crew.run()
