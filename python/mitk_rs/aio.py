"""The long calls of the package for ``async`` code: each runs in a thread and is cancelled with its task.

``await mitk.aio.initialize_level_set(image, ...)`` takes the arguments of :func:`mitk_rs.initialize_level_set` and
returns what it returns. When the awaiting task is cancelled (``task.cancel()``, ``asyncio.timeout``, a client that
left), the computation is asked to stop, and the cancellation goes on once it has, within about 0.1 s.

Examples
--------
>>> import asyncio, numpy as np, mitk_rs as mitk
>>> async def arrival():
...     async with asyncio.timeout(60):
...         return await mitk.aio.fast_marching(np.ones((8, 8, 8)), seeds=[(0, 0, 0)])
>>> float(asyncio.run(arrival()).arrival_time[0, 0, 7])
7.0
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import threading
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from mitk_rs import evolution, features, io, levelset, marching, projection, segmentation, surface
from mitk_rs.errors import Cancelled

if TYPE_CHECKING:
    from mitk_rs.marching import Cancel

__all__ = [
    "colliding_fronts",
    "evolve_level_set",
    "extract_surface",
    "fast_marching",
    "feature_image",
    "initialize_level_set",
    "project",
    "read_image",
    "render_mip",
    "segment_vessel",
    "write_image",
]

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class _Either:
    """Set when the task was cancelled, or when the caller's own ``cancel`` is."""

    def __init__(self, given: Cancel | None) -> None:
        self.task = threading.Event()
        self._given = given

    def is_set(self) -> bool:
        return self.task.is_set() or (self._given is not None and bool(self._given.is_set()))


def _awaited(
    function: Callable[_Parameters, _Result], *, stoppable: bool = True
) -> Callable[_Parameters, Coroutine[Any, Any, _Result]]:
    """A function as a coroutine function. A cancelled task waits for its end, which ``cancel=`` brings where it can."""

    @functools.wraps(function)
    async def run(*args: _Parameters.args, **options: _Parameters.kwargs) -> _Result:
        stop = _Either(options.get("cancel"))  # type: ignore[arg-type]
        if stoppable:
            options["cancel"] = stop
        work = asyncio.ensure_future(asyncio.to_thread(function, *args, **options))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            stop.task.set()
            with contextlib.suppress(Cancelled):
                await (work if stoppable else asyncio.wait([work]))
            raise

    return run


colliding_fronts = _awaited(marching.colliding_fronts)
evolve_level_set = _awaited(evolution.evolve_level_set)
fast_marching = _awaited(marching.fast_marching)
feature_image = _awaited(features.feature_image)
initialize_level_set = _awaited(levelset.initialize_level_set)
project = _awaited(projection.project)
render_mip = _awaited(projection.render_mip)
segment_vessel = _awaited(segmentation.segment_vessel)
read_image = _awaited(io.read_image, stoppable=False)
write_image = _awaited(io.write_image, stoppable=False)
extract_surface = _awaited(surface.extract_surface, stoppable=False)
