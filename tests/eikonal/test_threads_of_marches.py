"""The number of threads changes nothing; marches run side by side, can be stopped, and survive a fork."""

from __future__ import annotations

import hashlib
import itertools
import multiprocessing
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.testing import speed_volume

pytestmark = pytest.mark.usefixtures("many_threads")

THREADS = (1, 2, 3, 7, 16)
# Without memory of its own: one number that looks like a volume, large enough to march in for a second and more.
HUGE = np.broadcast_to(np.float32(1), (300, 300, 300))
PATIENCE = 60


@pytest.mark.parametrize("kind", ["constant", "smooth", "noise", "blocks", "binary"])
def test_same_bytes_for_any_number_of_threads(kind: Any) -> None:
    speed = speed_volume(kind, (50, 61, 47), seed=9)
    ends: dict[str, Any] = {"seeds1": [(3, 3, 3), (40, 50, 3)], "seeds2": [(43, 57, 46)]}
    targets = [(43, 57, 46), (20, 30, 25)]
    results = set()
    for threads in THREADS:
        arrival = mitk.fast_marching(
            speed, seeds=[(3, 3, 3)], spacing=(0.7, 0.7, 2), targets=targets, gradient=True, threads=threads
        )
        front = mitk.colliding_fronts(speed, **ends, spacing=(0.7, 0.7, 2), threads=threads)
        whole = mitk.colliding_fronts(speed, **ends, stop_on_targets=False, threads=threads)
        parts = [arrival.arrival_time, arrival.gradient, front, whole]
        numbers = (arrival.target_value, arrival.stop)
        results.add((numbers, *(hashlib.sha256(part.tobytes()).hexdigest() for part in parts)))
    assert len(results) == 1


def timed(work: Callable[[], object], barrier: threading.Barrier, windows: list[tuple[float, float]]) -> None:
    barrier.wait(PATIENCE)
    start = time.monotonic()
    work()
    windows.append((start, time.monotonic()))


@pytest.mark.parametrize("name", ["fast_marching", "colliding_fronts"])
def test_the_interpreter_is_free_while_we_march(name: str) -> None:
    speed = speed_volume("smooth", (90, 90, 90))
    work: dict[str, Callable[[], object]] = {
        "fast_marching": lambda: mitk.fast_marching(speed, seeds=[(0, 0, 0)], threads=1),
        "colliding_fronts": lambda: mitk.colliding_fronts(
            speed, seeds1=[(0, 0, 0)], seeds2=[(89, 89, 89)], threads=1, stop_on_targets=False
        ),
    }
    barrier, windows = threading.Barrier(3), []
    workers = [threading.Thread(target=timed, args=(work[name], barrier, windows)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    assert len(windows) == 3, "a march did not end"
    assert max(start for start, _ in windows) < min(end for _, end in windows)


def test_marches_from_several_threads_neither_deadlock_nor_mix() -> None:
    speeds = [speed_volume("noise", (40, 40, 40), seed=number) for number in range(4)]
    expected = [mitk.fast_marching(speed, seeds=[(1, 2, 3)]).arrival_time for speed in speeds]
    wrong: list[int] = []

    def march(number: int) -> None:
        for _ in range(5):
            got = mitk.fast_marching(speeds[number], seeds=[(1, 2, 3)], threads=2 + number).arrival_time
            if not np.array_equal(got, expected[number]):
                wrong.append(number)

    workers = [threading.Thread(target=march, args=(number,), daemon=True) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(PATIENCE)
    assert not any(worker.is_alive() for worker in workers), "deadlock"
    assert wrong == []


def seconds_to_cancel(march: Callable[[threading.Event], object]) -> float:
    """From setting the event to the end of the march."""
    event, pressed = threading.Event(), []

    def press() -> None:
        pressed.append(time.monotonic())
        event.set()

    timer = threading.Timer(0.15, press)
    timer.start()
    with pytest.raises(mitk.Cancelled, match="cancelled"):
        march(event)
    end = time.monotonic()
    timer.join()
    return end - pressed[0]


@pytest.mark.parametrize("threads", [1, 2])
def test_cancel_ends_a_march_within_200_ms(threads: int) -> None:
    def march(event: threading.Event) -> object:
        return mitk.fast_marching(HUGE, seeds=[(150, 150, 150)], threads=threads, cancel=event)

    # The best of three: other processes on the machine may hold up any single one.
    assert min(seconds_to_cancel(march) for _ in range(3)) < 0.2


def test_cancel_ends_colliding_fronts_within_200_ms() -> None:
    def collide(event: threading.Event) -> object:
        ends: dict[str, Any] = {"seeds1": [(0, 0, 0)], "seeds2": [(299, 299, 299)]}
        return mitk.colliding_fronts(HUGE, **ends, threads=1, cancel=event)

    assert min(seconds_to_cancel(collide) for _ in range(3)) < 0.2


def test_timeout_ends_a_march() -> None:
    start = time.monotonic()
    with pytest.raises(TimeoutError, match="timeout"):
        mitk.fast_marching(HUGE, seeds=[(150, 150, 150)], threads=1, timeout=0.1)
    assert time.monotonic() - start < 5


def test_progress_rises_to_one_at_most_ten_times_a_second() -> None:
    told: list[tuple[float, float]] = []
    speed = speed_volume("smooth", (150, 150, 150))
    mitk.fast_marching(speed, seeds=[(0, 0, 0)], threads=1, progress=lambda done: told.append((time.monotonic(), done)))
    fractions = [fraction for _, fraction in told]
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0
    assert fractions[-1] == 1.0
    times = [moment for moment, _ in told[:-1]]
    assert all(later - earlier > 0.09 for earlier, later in itertools.pairwise(times))


def test_an_exception_in_progress_stops_the_march() -> None:
    def complain(_fraction: float) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        mitk.fast_marching(HUGE, seeds=[(150, 150, 150)], threads=1, progress=complain)


MARCH_UNTIL_INTERRUPTED = """
import time
import numpy as np
import mitk_rs as mitk
speed = np.broadcast_to(np.float32(1), (300, 300, 300))
mitk.fast_marching(np.ones((9, 9, 9)), seeds=[(1, 1, 1)])
print("ready", flush=True)
try:
    mitk.fast_marching(speed, seeds=[(150, 150, 150)], threads=1)
except KeyboardInterrupt:
    print(time.monotonic(), flush=True)
"""


def seconds_to_interrupt() -> float:
    with subprocess.Popen([sys.executable, "-c", MARCH_UNTIL_INTERRUPTED], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        time.sleep(0.15)
        pressed = time.monotonic()
        child.send_signal(signal.SIGINT)
        ended = child.stdout.readline()
        assert child.wait(PATIENCE) == 0
    return float(ended) - pressed


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl-C cannot be sent to one process on Windows")
def test_ctrl_c_ends_a_march_within_200_ms() -> None:
    assert min(seconds_to_interrupt() for _ in range(3)) < 0.2


def march_in_child(answers: Any) -> None:
    speed = speed_volume("smooth", (30, 30, 30))
    answers.put(mitk.fast_marching(speed, seeds=[(0, 0, 0)], threads=2).arrival_time.tobytes())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_child_process_marches_after_its_parent_did(method: str) -> None:
    speed = speed_volume("smooth", (30, 30, 30))
    ours = mitk.fast_marching(speed, seeds=[(0, 0, 0)], threads=2).arrival_time.tobytes()
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    child = context.Process(target=march_in_child, args=(answers,))
    child.start()
    assert answers.get(timeout=PATIENCE) == ours
    child.join(PATIENCE)
    assert child.exitcode == 0
    assert mitk.fast_marching(speed, seeds=[(0, 0, 0)], threads=2).arrival_time.tobytes() == ours
