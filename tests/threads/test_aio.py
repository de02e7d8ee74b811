"""Long calls in ``async`` code: the same results, and cancelling ends the computation."""

import asyncio
import inspect
import threading
import time

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs import aio


def slow(**options):
    """A march that takes longer than any test waits."""
    return aio.fast_marching(np.ones((400, 400, 400), "float32"), seeds=[(0, 0, 0)], threads=1, **options)


def test_an_awaited_call_gives_what_the_call_gives():
    speed = np.random.default_rng(1).uniform(0.5, 1, (20, 20, 20))
    awaited = asyncio.run(aio.fast_marching(speed, seeds=[(3, 4, 5)]))
    assert awaited.arrival_time.tobytes() == mitk.fast_marching(speed, seeds=[(3, 4, 5)]).arrival_time.tobytes()


def test_errors_reach_the_task():
    with pytest.raises(mitk.RequestError, match="method is 'x'"):
        asyncio.run(aio.initialize_level_set(np.zeros((4, 4, 4)), method="x"))


def test_cancelling_the_task_ends_the_computation():
    reached, ended = [], []

    def progress(fraction):
        reached.append(fraction)

    async def cancel():
        task = asyncio.create_task(slow(progress=progress))
        while not reached:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # The task ends only when its computation has.
        ended.append(len(reached))

    asyncio.run(cancel())
    assert ended[0] == len(reached)
    assert reached[-1] < 1


def test_a_timeout_of_asyncio_ends_the_computation():
    async def limited():
        async with asyncio.timeout(0.2):
            await slow()

    start = time.thread_time()
    with pytest.raises(TimeoutError):
        asyncio.run(limited())
    assert time.thread_time() - start < 1


def test_the_callers_own_cancel_still_counts():
    stop = threading.Event()
    stop.set()
    with pytest.raises(mitk.Cancelled):
        asyncio.run(slow(cancel=stop))


def test_every_name_is_that_of_a_public_call():
    for name in aio.__all__:
        call = getattr(aio, name)
        assert inspect.iscoroutinefunction(call)
        assert call.__doc__
        assert hasattr(mitk, name) or hasattr(mitk.io, name)
