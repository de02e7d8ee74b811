"""Fast marching: when does a front that starts at seeds arrive at each voxel?

The arrival time T solves the eikonal equation ``|grad T| * speed = 1`` with first-order upwind differences, where
distances are in mm, so T is in mm per unit of speed. Numbers are those of ITK's float filters, in every bit and for
any number of threads.

References
----------
J. A. Sethian, "A fast marching level set method for monotonically advancing fronts", PNAS 93(4), 1996;
L. Antiga et al., "An image-based modeling framework for patient-specific computational hemodynamics", Med Biol Eng
Comput 46(11), 2008; ``itk::FastMarchingUpwindGradientImageFilter`` and ``itk::CollidingFrontsImageFilter``.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeAlias, TypeVar, Unpack, overload

import numpy as np
from numpy.typing import DTypeLike, NDArray

from mitk_rs import _core
from mitk_rs._sources import ImageT, Source, shows_progress
from mitk_rs._validation import (
    RunOptions,
    check_kind,
    check_names,
    flag,
    one_of,
    real_number,
    run_options,
    whole_number,
    whole_or_none,
    wrong_type,
)
from mitk_rs.errors import RequestError, brief
from mitk_rs.image.display import ShownResult

if TYPE_CHECKING:
    from os import PathLike

    from mitk_rs.image import Image
    from mitk_rs.seeds import Seeds

__all__ = ["FAR", "Arrival", "SparseTimes", "colliding_fronts", "fast_marching"]

#: Arrival time, in float32, of a voxel that no front reaches: half of the largest finite number, as in ITK.
FAR = float(np.finfo(np.float32).max / np.float32(2))

Progress = Callable[[float], object]
#: Voxels (x, y, z), or a file of points: see :mod:`mitk_rs.seeds`.
Indices: TypeAlias = "Iterable[Sequence[int]] | NDArray[np.integer[Any]] | Seeds | str | PathLike[str]"
TargetMode: TypeAlias = "Literal['one', 'all', 'none'] | str | int"
_Times = TypeVar("_Times")


class Cancel(Protocol):
    """Anything with ``is_set()``, such as ``threading.Event``."""

    def is_set(self) -> bool:
        """Whether the computation shall stop."""


@dataclass(frozen=True, repr=False)
class SparseTimes:
    """Arrival times of the accepted voxels alone: for fronts that stay within a vessel of a large volume."""

    __module__ = "mitk_rs"
    indices: NDArray[np.int64]  #: Voxels (x, y, z), one row each, in the order of memory.
    values: NDArray[Any]  #: Arrival time of each voxel.
    shape: tuple[int, ...]  #: Shape of the volume, (z, y, x) or (y, x).

    def __repr__(self) -> str:
        size = " x ".join(map(str, self.shape[::-1]))
        return f"SparseTimes({len(self.values)} of {size} voxels)"

    def bounding_box(self) -> tuple[slice, ...]:
        """The smallest box that holds every voxel, as slices in the order of ``shape``."""
        low, high = self.indices.min(axis=0), self.indices.max(axis=0) + 1
        return tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))[::-1]

    def crop(self) -> NDArray[Any]:
        """Times in the bounding box, :data:`FAR` where no front came."""
        box = self.bounding_box()
        cropped = np.full([s.stop - s.start for s in box], np.finfo(self.values.dtype).max / 2, self.values.dtype)
        places = tuple(self.indices[:, axis] - s.start for axis, s in enumerate(box[::-1]))
        cropped[places[::-1]] = self.values
        return cropped


@dataclass(frozen=True, repr=False)
class Arrival(ShownResult, Generic[_Times]):
    """What :func:`fast_marching` returns."""

    __module__ = "mitk_rs"
    arrival_time: _Times
    """Arrival time per voxel, float32 or ``dtype``; an ``Image`` where the speed was one, otherwise an array;
    :class:`SparseTimes` if that was asked for."""
    gradient: _Times | None
    """Upwind gradient (x, y, z) of T per voxel, one axis more than ``arrival_time``; ``None`` unless asked for."""
    target_value: float | None
    """Arrival time of the target that decided where to stop; ``None`` if it was not reached or there was none."""
    stop: float  #: Every voxel with ``T <= stop`` is final; :data:`FAR` if the front went everywhere.
    accepted: int  #: Number of final voxels.

    def _facts(self) -> dict[str, str]:
        stop = "the front went everywhere" if self.stop >= FAR else f"times up to {self.stop:.6g} are final"
        target = "" if self.target_value is None else f"target reached at {self.target_value:.6g}"
        return {"accepted": f"{self.accepted} voxels accepted", "target": target, "stop": stop}

    def _shown(self) -> Image | None:
        """Final times, NaN elsewhere."""
        from mitk_rs.image import Image

        if self.accepted == 0:
            return None
        times: Any = self.arrival_time.crop() if isinstance(self.arrival_time, SparseTimes) else self.arrival_time
        image = times if isinstance(times, Image) else Image(times)
        values = np.asarray(image.as_numpy(writeable=False))
        return image.like(np.where(values <= min(self.stop, FAR * 0.99), values, np.nan))


class FrontOptions(RunOptions, total=False):
    """Options of :func:`colliding_fronts` that most calls leave out."""

    spacing: Sequence[float] | None
    check: Literal["front", "all"]
    out: NDArray[Any] | None
    time_step: int | None
    memory_limit: int | None


class MarchOptions(FrontOptions, total=False):
    """Options of :func:`fast_marching` that most calls leave out."""

    seed_times: Iterable[float] | None
    target_offset: float
    stopping_time: float | None
    gradient: bool
    dtype: DTypeLike


class _MarchArguments(MarchOptions, total=False):
    targets: Indices
    target_mode: TargetMode | None


class _CollidingArguments(FrontOptions, total=False):
    stop_on_targets: bool
    apply_connectivity: bool
    negative_epsilon: float


@overload
def fast_marching(
    speed: Any, *, seeds: Indices, sparse: Literal[True], **options: Unpack[_MarchArguments]
) -> Arrival[SparseTimes]: ...
@overload
def fast_marching(
    speed: ImageT, *, seeds: Indices, sparse: Literal[False] = False, **options: Unpack[_MarchArguments]
) -> Arrival[ImageT]: ...
@overload
def fast_marching(
    speed: NDArray[Any], *, seeds: Indices, sparse: Literal[False] = False, **options: Unpack[_MarchArguments]
) -> Arrival[NDArray[Any]]: ...
@shows_progress
def fast_marching(
    speed: Image | NDArray[Any],
    *,
    seeds: Indices,
    targets: Indices = (),
    target_mode: TargetMode | None = None,
    sparse: bool = False,
    **options: Unpack[MarchOptions],
) -> Arrival[Any]:
    """March a front from seeds through a volume of speeds.

    Parameters
    ----------
    speed
        ``Image``, or array ``(z, y, x)`` or ``(y, x)`` of any real type and any strides: speed of the front at each
        voxel, finite and at least 0. Speed 0 is a wall. An image is read under a read accessor.
    seeds
        Voxels (x, y, z) where the front starts; on an array ``(y, x)`` also (x, y). A seed's own speed plays no part: a
        seed on a wall starts a front. A voxel given twice counts once, with its last time. Also a file of points,
        ``"seeds.mrk.json"`` or ``"seeds.mrk.json:LABEL"``, or :class:`mitk_rs.seeds.Seeds`.
    spacing
        Distances (x, y, z) in mm between voxel centres; by default those of the image, or 1 for an array.
    seed_times
        When the front starts at each seed; 0 by default. A seed keeps its time even if a front from another seed would
        be there earlier.
    targets
        Voxels (x, y, z) after which the march may stop. A voxel given twice counts once.
    target_mode
        Which target decides: ``"one"`` (the first reached; the default where there are targets), ``"some:n"`` or the
        number n (the n-th), ``"all"`` (the last), ``"none"`` (march everywhere).
    target_offset
        How far beyond the deciding target's time the march goes on, in units of T; 1 by default, as in ITK.
    stopping_time
        Time after which no voxel is accepted, targets or not.
    gradient
        Whether to compute the upwind gradient, 1 / speed long, pointing away from the seeds.
    sparse
        Return the accepted voxels alone, as :class:`SparseTimes`: time and memory follow what the front touches, and
        nothing has the size of the volume. Not with ``gradient`` or ``out``.
    dtype
        Precision in which times are stored, float32 (the numbers of ITK's filters on float images) or float64 (those of
        SimpleITK); all arithmetic is float64.
    check
        Which speeds are checked to be finite and at least 0: with ``"front"`` those that the front comes near, while it
        marches; with ``"all"`` every one, before it starts.
    out
        C-contiguous array of ``dtype`` and of the speed's shape that takes the times; it must not overlap with
        ``speed``. Only with an array as ``speed``.
    time_step
        Which time step of an image with several.
    memory_limit
        The most bytes that the front's tiles may take beside input and output; no limit by default.
    threads
        The most threads to use; by default all that :func:`mitk_rs.get_num_threads` allows the process, fewer while
        other computations are at work. The result does not depend on it.
    progress
        Called with the fraction done, at most ten times a second; raising in it stops the march. ``True`` shows a bar,
        in a terminal and in notebooks.
    cancel
        Object with ``is_set()``; once it says true the march ends with ``Cancelled`` within 200 ms.
    timeout
        Seconds after which the march gives up.

    Returns
    -------
    Arrival
        A voxel beyond the stop holds a tentative time if a final voxel touches it, otherwise :data:`FAR`, which is also
        what voxels have that the front cannot reach.

    Raises
    ------
    RequestError
        Seeds empty, outside or not triples; a negative, infinite or NaN speed (of those found at the same time the
        first in memory is named); an argument out of its range; an image with several time steps or components.
    GeometryError
        An image with sheared axes, or an impossible spacing.
    TypeError
        Something that is not an image or array, an unsupported dtype, indices that are not whole numbers.
    MemoryLimitError
        More than ``memory_limit`` would be needed.
    Cancelled, TimeoutError, MemoryError
        The call was cancelled, took too long, or memory was refused.

    Examples
    --------
    >>> import numpy as np
    >>> import mitk_rs as mitk
    >>> arrival = mitk.fast_marching(np.full((3, 3, 5), 0.5, np.float32), seeds=[(0, 1, 1)], spacing=(2, 1, 1))
    >>> arrival.arrival_time[1, 1]
    array([ 0.,  4.,  8., 12., 16.], dtype=float32)

    Stop one time unit after a target was reached:

    >>> arrival = mitk.fast_marching(np.ones((1, 1, 9)), seeds=[(0, 0, 0)], targets=[(3, 0, 0)])
    >>> arrival.target_value, arrival.stop
    (3.0, 4.0)
    """
    check_names("fast_marching", options, MarchOptions)
    volume, front = _source(speed, options)
    starts = volume.seeds(seeds, "seeds")
    goals = volume.seeds(targets, "targets", needed=False)
    limit = options.get("stopping_time")
    march: dict[str, Any] = {
        **front,
        "seed_times": _seed_times(options.get("seed_times"), len(starts)),
        "targets": goals,
        "target_mode": _target_mode(target_mode, goals),
        "target_offset": real_number(options.get("target_offset", 1.0), "target_offset"),
        "stopping_time": None if limit is None else real_number(limit, "stopping_time"),
        "gradient": flag(options.get("gradient", False), "gradient"),
        "sparse": flag(sparse, "sparse"),
        "precision": _precision(options.get("dtype", np.float32)),
    }
    found = volume.read(lambda voxels: _core.march(voxels, volume.spacing, starts, **march))
    times: Any = found.arrival_time
    if found.indices is not None:
        places = found.indices if len(volume.shape) == 3 else found.indices[:, :2].copy()
        times = SparseTimes(places, times, volume.shape)
    else:
        times = volume.wrap(times)
    slopes = None if found.gradient is None else volume.wrap(found.gradient, components=True)
    return Arrival(times, slopes, found.target_value, found.stop, found.accepted)


@overload
def colliding_fronts(
    speed: ImageT, *, seeds1: Indices, seeds2: Indices, **options: Unpack[_CollidingArguments]
) -> ImageT: ...
@overload
def colliding_fronts(
    speed: NDArray[Any], *, seeds1: Indices, seeds2: Indices, **options: Unpack[_CollidingArguments]
) -> NDArray[np.float32]: ...
@shows_progress
def colliding_fronts(
    speed: Image | NDArray[Any],
    *,
    seeds1: Indices,
    seeds2: Indices,
    stop_on_targets: bool = True,
    apply_connectivity: bool = True,
    negative_epsilon: float = -1e-6,
    **options: Unpack[FrontOptions],
) -> Any:
    """Let a front run from each of two seed sets, and tell where they run against each other.

    Each voxel gets the scalar product of the gradients of both arrival times: negative where the fronts collide,
    which between two ends of a vessel is the vessel.

    Parameters
    ----------
    speed, spacing, check, out, time_step, memory_limit, threads, progress, cancel, timeout
        As in :func:`fast_marching`.
    seeds1, seeds2
        Voxels (x, y, z) where the first and the second front start. They get the value ``negative_epsilon``.
    stop_on_targets
        Whether each front stops one unit of time after it reached all seeds of the other. Without, both march as far as
        they can, which takes longer and can find a larger region.
    apply_connectivity
        Whether to keep only what is connected to ``seeds1`` by faces through values of at most ``negative_epsilon``;
        the rest becomes 0.
    negative_epsilon
        A number of at most -1.5e-45, so that it is below 0 in single precision, the precision of the result.

    Returns
    -------
    Image or numpy.ndarray
        Float32, like ``speed``: negative where the fronts collide, 0 where one of them did not come (and, with
        connectivity, everywhere else), 0 or positive otherwise.

    Raises
    ------
    RequestError, GeometryError, TypeError, MemoryLimitError, Cancelled, TimeoutError, MemoryError
        As in :func:`fast_marching`.

    Examples
    --------
    >>> import numpy as np
    >>> import mitk_rs as mitk
    >>> front = mitk.colliding_fronts(np.ones((1, 1, 7)), seeds1=[(1, 0, 0)], seeds2=[(5, 0, 0)])
    >>> front[0, 0, 2:5]
    array([-1., -1., -1.], dtype=float32)
    """
    check_names("colliding_fronts", options, FrontOptions)
    volume, front = _source(speed, options)
    first = volume.seeds(seeds1, "seeds1")
    second = volume.seeds(seeds2, "seeds2")
    front |= {
        "stop_on_targets": flag(stop_on_targets, "stop_on_targets"),
        "apply_connectivity": flag(apply_connectivity, "apply_connectivity"),
        "negative_epsilon": real_number(negative_epsilon, "negative_epsilon"),
    }
    found = volume.read(lambda voxels: _core.colliding_fronts(voxels, volume.spacing, first, second, **front))
    return volume.wrap(found)


def _source(speed: Any, options: FrontOptions) -> tuple[Source, dict[str, Any]]:
    """The speeds, and the arguments of the core that both kinds of fronts share."""
    volume = Source(speed, "speed", spacing=options.get("spacing"), time_step=options.get("time_step"))
    volume.check_axes()
    out = options.get("out")
    if out is not None and volume.is_image:
        raise RequestError("out= goes with an array as speed: an image gives a new image")
    check = one_of(options.get("check", "front"), "check", ("front", "all"))
    shared = {"check": check, "memory_limit": whole_or_none(options.get("memory_limit"), "memory_limit"), "out": out}
    return volume, {**run_options(options), **shared}


def _seed_times(times: Iterable[float] | None, seeds: int) -> list[float] | None:
    if times is None:
        return None
    check_kind(times, Iterable, "seed_times", "a list of numbers, one for each seed")
    given = [real_number(t, "seed_times") for t in itertools.islice(times, seeds + 1)]
    if len(given) != seeds:
        raise RequestError(f"seed_times has {len(given)} entries, there are {seeds} seeds: one for each is needed")
    for position, time in enumerate(given):
        if not math.isfinite(time):
            raise RequestError(f"seed_times[{position}] is {time}: every time must be finite")
    return given


def _target_mode(mode: str | int | None, targets: Sequence[object]) -> str | int:
    """The mode as the core takes it: ``"none"``, ``"one"``, ``"all"`` or a number."""
    if mode is None:
        return "one" if targets else "none"
    if isinstance(mode, str) and mode.startswith("some:"):
        number = mode.removeprefix("some:")
        if not number.isdecimal():
            raise RequestError(
                f"target_mode is {brief(mode)}: after 'some:' a number of targets is needed, as in 'some:2'"
            )
        return int(number)
    if isinstance(mode, str):
        if mode not in ("none", "one", "all"):
            raise RequestError(
                f"target_mode is {brief(mode)}: allowed are 'one', 'some:n' or a number n, 'all' and 'none'"
            )
    elif not 0 <= whole_number(mode, "target_mode") <= sys.maxsize:
        raise RequestError(f"target_mode is {brief(mode)}: a number of targets is needed")
    return mode


def _precision(dtype: DTypeLike) -> str:
    try:
        name = np.dtype(dtype).name
    except (TypeError, ValueError):
        raise wrong_type("dtype", "'float32' or 'float64'", dtype) from None
    if name not in ("float32", "float64"):
        raise RequestError(f"dtype is {name}: times are stored as float32 or float64")
    return name
