"""One budget of threads for the process: all calls share it, latecomers get less, and results stay the same."""

from __future__ import annotations

import hashlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from children import needs_limits, run_in_child

import mitk_rs as mitk
from mitk_rs.testing import speed_volume

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="threads are counted the way Linux lists them")

# Large enough for a march to be worth two threads.
SPEED = speed_volume("smooth", (48, 48, 48), seed=6)
# Large enough for a callback to be called while it is computed.
HUGE = np.broadcast_to(np.float32(1), (250, 250, 250))


def workers() -> set[int]:
    """The ids of our workers."""
    found = set()
    for task in Path("/proc/self/task").iterdir():
        try:
            if (task / "comm").read_text().startswith("mitk_rs-"):
                found.add(int(task.name))
        except OSError:  # it has just ended
            continue
    return found


@pytest.fixture(autouse=True)
def the_default_again() -> Iterator[None]:
    yield
    mitk.set_num_threads(None)


def settle(count: int) -> set[int]:
    """Our workers, once those beyond ``count`` have gone."""
    deadline = time.monotonic() + 20
    while len(found := workers()) > count and time.monotonic() < deadline:
        time.sleep(0.01)
    return found


def digest(array: Any) -> str:
    return hashlib.sha256(array.tobytes()).hexdigest()


CALLS: dict[str, Callable[..., Any]] = {
    "march": lambda **o: mitk.fast_marching(SPEED, seeds=[(3, 4, 5)], **o).arrival_time,
    "fronts": lambda **o: mitk.colliding_fronts(SPEED, seeds1=[(3, 4, 5)], seeds2=[(40, 41, 42)], **o),
    "project": lambda **o: mitk.project(SPEED, axis="y", kind="std", **o),
    "rays": lambda **o: mitk.render_mip(SPEED, azimuth=20, size=(60, 60), **o),
}


@pytest.mark.parametrize("budget", [1, 2, 3, 5])
def test_sixteen_callers_have_no_more_workers_than_the_budget(budget: int, crew: Any) -> None:
    expected = {name: digest(call(threads=1)) for name, call in CALLS.items()}
    mitk.set_num_threads(budget)
    settle(budget)
    most, wrong, done = 0, [], threading.Event()
    ready = threading.Barrier(16)

    def call(number: int) -> None:
        ready.wait(60)
        for turn, (name, work) in enumerate(CALLS.items()):
            asked = (None, 1, 2, 7, 64)[(number + turn) % 5]
            if digest(work(threads=asked)) != expected[name]:
                wrong.append((name, asked))

    def count() -> None:
        nonlocal most
        while not done.is_set():
            most = max(most, len(workers()))

    counter = threading.Thread(target=count)
    counter.start()
    for number in range(16):
        crew.add(call, number)
    try:
        crew.run(120)
    finally:
        done.set()
        counter.join()
    assert wrong == []
    assert most <= budget
    assert len(workers()) <= budget


def test_a_call_alone_has_the_whole_budget_and_one_thread_is_the_caller_s_own() -> None:
    lines = run_in_child("""
        from pathlib import Path
        def workers():
            return sum((task / "comm").read_text().startswith("mitk_rs-") for task in Path("/proc/self/task").iterdir())
        huge = np.broadcast_to(np.float32(1), (250, 250, 250))
        for budget, asked in ((4, 1), (1, None), (1, 9), (4, 2), (4, None), (3, 9)):
            mitk.set_num_threads(budget)
            seen = []
            mitk.fast_marching(huge, seeds=[(0, 0, 0)], threads=asked, progress=lambda done: seen.append(workers()),
                               targets=[(60, 60, 60)])
            print(max(seen))
    """)
    assert [int(line) for line in lines[:3]] == [0, 0, 0]
    assert [int(line) for line in lines[3:5]] == [2, 4]
    # Those beyond the new budget may still be on their way out.
    assert int(lines[5]) in (3, 4)


def test_the_same_workers_serve_calls_of_every_size() -> None:
    mitk.set_num_threads(6)
    CALLS["project"]()
    # A call may end before the last worker has begun.
    deadline = time.monotonic() + 20
    while len(first := workers()) < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(first) == 6
    for threads in (2, 3, 4, 5, 6, 1, 4, 2):
        CALLS["project"](threads=threads)
        assert workers() == first
    mitk.set_num_threads(2)
    assert len(settle(2)) == 2
    assert workers() < first


def test_a_small_march_is_not_worth_a_worker() -> None:
    lines = run_in_child("""
        from pathlib import Path
        def workers():
            return sum((task / "comm").read_text().startswith("mitk_rs-") for task in Path("/proc/self/task").iterdir())
        mitk.set_num_threads(4)
        for edge in (32, 48, 60):
            speed = np.ones((edge, edge, edge), np.float32)
            mitk.fast_marching(speed, seeds=[(0, 0, 0)])
            mitk.colliding_fronts(speed, seeds1=[(0, 0, 0)], seeds2=[(9, 9, 9)])
            print(workers())
    """)
    assert [int(line) for line in lines] == [0, 2, 4]


def test_a_call_from_a_callback_computes_on_the_caller_s_thread_if_all_others_are_busy() -> None:
    mitk.set_num_threads(3)
    expected, seen, got = digest(CALLS["march"]()), [], []

    def again(done: float) -> None:
        if not got:
            got.append(digest(CALLS["march"](progress=lambda _: seen.append(len(workers())))))
            seen.append(len(workers()))

    mitk.fast_marching(HUGE, seeds=[(0, 0, 0)], targets=[(80, 80, 80)], progress=again)
    assert got == [expected]
    assert max(seen) <= 3


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_fork_inside_a_callback_leaves_the_child_with_an_error_or_the_result(threads: int) -> None:
    lines = run_in_child(f"""
        import os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        mitk.set_num_threads(5)
        huge = np.broadcast_to(np.float32(1), (200, 200, 200))
        child = []
        def fork(done):
            if not child:
                child.append(os.fork())
        def march(**options):
            return mitk.fast_marching(huge, seeds=[(0, 0, 0)], targets=[(90, 90, 90)], **options).accepted
        expected = march(threads=1)
        try:
            accepted = march(threads={threads}, progress=fork)
        except mitk.Exception as error:
            assert child == [0], error
            print("child:", error, flush=True)
            print("child:", march(threads={threads}) == expected, flush=True)
            os._exit(0)
        if child == [0]:
            print("child:", accepted == expected, flush=True)
            os._exit(0)
        print("parent:", accepted == expected, os.waitstatus_to_exitcode(os.waitpid(child[0], 0)[1]), flush=True)
    """)
    assert lines[-1] == "parent: True 0"
    theirs = [line.removeprefix("child: ") for line in lines[:-1]]
    error = "this process was forked while computing: the computation goes on in its parent, start it anew here"
    # Where no worker had begun, the thread that forked computes on in the child, too.
    assert theirs in ([["True"]] if threads == 1 else [["True"], [error, "True"]])


@needs_limits
def test_where_the_system_starts_no_thread_the_caller_computes() -> None:
    lines = run_in_child("""
        from pathlib import Path
        speed = np.ones((30, 30, 30), np.float32)
        expected = mitk.fast_marching(speed, seeds=[(1, 2, 3)], threads=1).arrival_time
        mitk.set_num_threads(64)
        # Enough for what a march needs, not for the stack of a thread.
        limit_memory(3 << 19)
        got = mitk.fast_marching(speed, seeds=[(1, 2, 3)]).arrival_time
        unlimit_memory()
        print((got == expected).all(), len(list(Path("/proc/self/task").iterdir())) < 64)
        print((mitk.fast_marching(speed, seeds=[(1, 2, 3)]).arrival_time == expected).all())
    """)
    assert lines == ["True True", "True"]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("3", "3"),
        (" 1 ", "1"),
        ("1024", "1024"),
        ("", None),
        ("0", "RequestError"),
        ("-2", "RequestError"),
        ("1025", "RequestError"),
        ("two", "RequestError"),
        ("1e3", "RequestError"),
    ],
)
def test_the_environment_sets_the_default(value: str, expected: str | None, monkeypatch: Any) -> None:
    monkeypatch.setenv("MITK_RS_NUM_THREADS", value)
    lines = run_in_child("""
        try:
            print(mitk.get_num_threads())
        except mitk.RequestError as error:
            print("RequestError", str(error))
            try:
                mitk.fast_marching(np.ones((3, 3, 3)), seeds=[(0, 0, 0)])
            except mitk.RequestError:
                mitk.set_num_threads(2)
                print(mitk.fast_marching(np.ones((3, 3, 3)), seeds=[(0, 0, 0)]).accepted, mitk.get_num_threads())
    """)
    if expected == "RequestError":
        assert lines[0].startswith(f'RequestError MITK_RS_NUM_THREADS is "{value}": a whole number from 1 to 1024')
        assert lines[1] == "27 2"
    else:
        assert lines == [expected or str(len(os.sched_getaffinity(0)))]


def test_affinity_counts_and_a_forked_child_keeps_what_was_set() -> None:
    lines = run_in_child("""
        import os, warnings
        warnings.simplefilter("ignore", DeprecationWarning)
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
        print(mitk.get_num_threads(), flush=True)
        mitk.set_num_threads(7)
        if os.fork() == 0:
            print(mitk.get_num_threads(), flush=True)
            os._exit(0)
        os.wait()
        mitk.set_num_threads(None)
        print(mitk.get_num_threads())
    """)
    assert lines == ["1", "7", "1"]


@pytest.mark.parametrize("bad", [0, -1, 1025, 2**64])
def test_impossible_budgets_are_refused(bad: int) -> None:
    with pytest.raises((mitk.RequestError, OverflowError)):
        mitk.set_num_threads(bad)
    with pytest.raises(TypeError):
        mitk.set_num_threads("2")  # type: ignore[arg-type]
