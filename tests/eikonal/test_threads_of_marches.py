"""The number of threads changes nothing; marches run side by side, can be stopped, and survive a fork."""

from __future__ import annotations

import hashlib
import math
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
    speeds = [speed_volume("noise", (60, 60, 60), seed=number) for number in range(4)]
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


class Button:
    """A cancel event that is set at the third look, and how much processor time had been used by then."""

    def __init__(self) -> None:
        self.looks = 0
        self.pressed = math.inf

    def is_set(self) -> bool:
        self.looks += 1
        if self.looks == 3:
            self.pressed = time.process_time()
        return self.looks >= 3


def work_after_cancel(march: Callable[[Button], object]) -> float:
    """Seconds of processor time from pressing the button to the end of the march.

    Other processes on the machine make the clock run on, but not this.
    """
    button = Button()
    with pytest.raises(mitk.Cancelled, match="cancelled"):
        march(button)
    return time.process_time() - button.pressed


@pytest.mark.parametrize("threads", [1, 2])
def test_cancel_ends_a_march_within_200_ms_of_work(threads: int) -> None:
    def march(button: Button) -> object:
        return mitk.fast_marching(HUGE, seeds=[(150, 150, 150)], threads=threads, cancel=button)

    assert work_after_cancel(march) < 0.2 * threads


def test_cancel_ends_colliding_fronts_within_200_ms_of_work() -> None:
    def collide(button: Button) -> object:
        ends: dict[str, Any] = {"seeds1": [(0, 0, 0)], "seeds2": [(299, 299, 299)]}
        return mitk.colliding_fronts(HUGE, **ends, threads=1, cancel=button)

    assert work_after_cancel(collide) < 0.2


def test_timeout_ends_a_march() -> None:
    start = time.process_time()
    with pytest.raises(TimeoutError, match="timeout"):
        mitk.fast_marching(HUGE, seeds=[(150, 150, 150)], threads=1, timeout=0.1)
    assert time.process_time() - start < 0.1 + 0.2


def test_progress_rises_to_one_at_most_ten_times_a_second() -> None:
    fractions: list[float] = []
    speed = speed_volume("smooth", (150, 150, 150))
    start = time.monotonic()
    mitk.fast_marching(speed, seeds=[(0, 0, 0)], threads=1, progress=fractions.append)
    elapsed = time.monotonic() - start
    assert fractions == sorted(fractions)
    assert fractions[0] >= 0
    assert fractions[-1] == 1.0
    # One more for the beginning and one for the end.
    assert len(fractions) <= 10 * elapsed + 2


def test_an_exception_in_progress_stops_the_march() -> None:
    def complain(_fraction: float) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError, match="enough"):
        mitk.fast_marching(HUGE, seeds=[(150, 150, 150)], threads=1, progress=complain)


MARCH_UNTIL_INTERRUPTED = """
import signal, time
import numpy as np
import mitk_rs as mitk
speed = np.broadcast_to(np.float32(1), (300, 300, 300))
mitk.fast_marching(np.ones((9, 9, 9)), seeds=[(1, 1, 1)])
# The signal comes after so much processor time, not after so much time on the clock.
signal.signal(signal.SIGPROF, signal.default_int_handler)
start = time.process_time()
signal.setitimer(signal.ITIMER_PROF, 0.15)
try:
    mitk.fast_marching(speed, seeds=[(150, 150, 150)], threads=1)
except KeyboardInterrupt:
    print(time.process_time() - start - 0.15)
"""


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers that count processor time")
def test_ctrl_c_ends_a_march_within_200_ms_of_work() -> None:
    command = [sys.executable, "-c", MARCH_UNTIL_INTERRUPTED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=True)
    assert float(done.stdout) < 0.2


def march_in_child(answers: Any) -> None:
    speed = speed_volume("smooth", (48, 48, 48))
    answers.put(mitk.fast_marching(speed, seeds=[(0, 0, 0)], threads=2).arrival_time.tobytes())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_a_child_process_marches_after_its_parent_did(method: str) -> None:
    speed = speed_volume("smooth", (48, 48, 48))
    ours = mitk.fast_marching(speed, seeds=[(0, 0, 0)], threads=2).arrival_time.tobytes()
    context = multiprocessing.get_context(method)
    answers = context.Queue()
    child = context.Process(target=march_in_child, args=(answers,))
    child.start()
    assert answers.get(timeout=PATIENCE) == ours
    child.join(PATIENCE)
    assert child.exitcode == 0
    assert mitk.fast_marching(speed, seeds=[(0, 0, 0)], threads=2).arrival_time.tobytes() == ours
