"""Images in child processes: forked ones, spawned ones, and accessors that were held while forking."""

import multiprocessing
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

import mitk_rs as mitk

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")


def _total(image):
    with image.read() as voxels:
        return int(voxels.sum())


def _run(script):
    """In a process of its own, because a fork of a process with threads makes later Pythons warn."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", textwrap.dedent(script)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_images_travel_to_child_processes(method):
    image = mitk.Image(np.full((3, 4, 5), 2, np.int16), spacing=(1, 2, 3))
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map(_total, [image] * 4) == [120] * 4


@needs_fork
def test_fork_use_and_wait():
    words = _run("""
        import os, threading, numpy as np, mitk_rs as mitk
        image = mitk.Image(np.ones((50, 50, 50), np.int32))
        def busy():
            while True:
                with image.read() as voxels:
                    voxels.sum()
        for _ in range(3):
            threading.Thread(target=busy, daemon=True).start()
        for _ in range(20):
            child = os.fork()
            if child == 0:
                view = image.as_numpy(use_accessor=True, writeable=False)
                os._exit(0 if view.sum() == 125000 else 1)
            print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
        os._exit(0)
    """)
    assert words == ["0"] * 20


@needs_fork
def test_what_the_parent_s_threads_hold_is_refused_in_the_child_not_waited_for():
    words = _run("""
        import os, threading, numpy as np, mitk_rs as mitk
        image, ready = mitk.Image(np.zeros((4, 4, 4))), threading.Event()
        def hold():
            lease = image.as_numpy(use_accessor=True)
            ready.set()
            threading.Event().wait(60)
        threading.Thread(target=hold, daemon=True).start()
        ready.wait()
        child = os.fork()
        if child == 0:
            try:
                image.as_numpy(use_accessor=True)
            except mitk.MemoryIsLockedError as error:
                print("forked" in str(error), flush=True)
            print(image.array.sum() == 0, flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        os._exit(0)
    """)
    assert words == ["True", "True"]


@needs_fork
def test_what_the_forking_thread_holds_it_still_holds_in_the_child():
    words = _run("""
        import os, numpy as np, mitk_rs as mitk
        image = mitk.Image(np.zeros((4, 4, 4)))
        lease = image.as_numpy(use_accessor=True)
        child = os.fork()
        if child == 0:
            del lease
            image.as_numpy(use_accessor=True)[:] = 3
            print(image.array.sum(), flush=True)
            os._exit(0)
        os.waitpid(child, 0)
        print(image.array.sum(), image._leases())
    """)
    assert words == ["192.0", "0.0", "1"]
