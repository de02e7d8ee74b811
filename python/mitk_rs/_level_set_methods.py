"""The six methods of level-set initialization on plain arrays.

Each takes a :class:`Job` and returns a float32 array, negative inside. ``job.compat`` chooses between VMTK's bytes
and results without VMTK's defects; :func:`mitk_rs.levelset.initialize_level_set` documents what differs. Speeds are
those of VMTK: intensities within the thresholds, scaled to at most 1; 0 outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mitk_rs import _core
from mitk_rs.errors import RequestError

__all__ = ["METHODS", "Index", "Job"]

Index = tuple[int, int, int]
Floats = NDArray[np.float32]

# Arrival time of voxels that no front reached: half of the greatest float32, as in ITK.
_FAR = np.float32(np.finfo(np.float32).max / 2)
# VMTK marks seeds with this value and shifts by its tenfold, so that 0 becomes positive.
_NEGATIVE_EPSILON = -1e-6
# VMTK without targets: the front runs this long.
_VMTK_STOP = 100.0
_COLLIDING_OUTSIDE = 1.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """One initialization, its request checked."""

    voxels: NDArray[Any]
    spacing: tuple[float, float, float]
    sources: Sequence[Index] = ()
    targets: Sequence[Index] = ()
    lower: float | None = None
    upper: float | None = None
    isosurface: float = 0.0
    negate: bool = False
    combine: Literal["minimum", "sum"] = "minimum"
    compat: bool = False
    far_value: float | None = None
    stop_time: float | None = None
    target_offset: float = 100.0
    threads: int | None = None
    progress: Callable[[float], object] | None = None
    cancel: Any = None
    timeout: float | None = None
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def speed_map(self) -> _core.ScannedSpeed:
        """How the core makes speeds of intensities; the image is scanned once for all fronts."""
        return _core.scan_speed(self.voxels, (self.lower, self.upper, self.negate, self.compat), threads=self.threads)

    def front_options(self, progress: Callable[[float], object] | None) -> dict[str, Any]:
        """Arguments that both kinds of fronts share."""
        return {
            "speed_map": self.speed_map,
            "threads": self.threads,
            "progress": progress,
            "cancel": self.cancel,
            "timeout": self.timeout,
        }


def isosurface(job: Job) -> Floats:
    """``isosurface - voxels``: bright inside."""
    return _core.isosurface(job.voxels, job.isosurface, negate=job.negate, threads=job.threads)


def threshold(job: Job) -> Floats:
    """-1 within the thresholds, +1 elsewhere."""
    if job.lower is None and job.upper is None:
        raise RequestError("method threshold needs a lower or an upper threshold")
    return _core.threshold(job.voxels, job.lower, job.upper, negate=job.negate, threads=job.threads)


def seeds(job: Job) -> Floats:
    """-1 at the points and their face and edge neighbours, +1 elsewhere."""
    points = [*job.sources, *job.targets]
    if not points:
        raise RequestError("method seeds needs at least one source or target")
    z, y, x = job.voxels.shape
    return _core.seed_level_set((z, y, x), points, threads=job.threads)


def fast_marching(job: Job) -> Floats:
    """Arrival time of a front from the sources, minus the time of the deciding target."""
    if not job.sources:
        raise RequestError("method fastmarching needs at least one source")
    times, level_time = _march_as_vmtk(job) if job.compat else _march(job)
    job.facts["level_time"] = level_time
    reached = times < _FAR
    level_set = times + np.float32(-level_time)
    if job.compat and job.far_value is None:
        return level_set
    level_set[~reached] = _far_value(job, level_set, reached)
    return level_set


def _far_value(job: Job, level_set: Floats, reached: NDArray[np.bool_]) -> float:
    """The largest finite value, but no less than a front at full speed needs for one voxel: outside is positive."""
    if job.far_value is not None:
        return job.far_value
    largest = float(np.max(level_set, where=reached, initial=-np.inf))
    return max(largest, min(job.spacing))


def _march(job: Job) -> tuple[Floats, float]:
    """Arrival times up to the last target, or up to ``stop_time``."""
    if bool(job.targets) == (job.stop_time is not None):
        raise RequestError("method fastmarching needs either targets or a stop time")
    options = job.front_options(job.progress)
    if job.stop_time is not None:
        limit = job.stop_time + job.target_offset
        times, *_ = _core.march(job.voxels, job.spacing, job.sources, stopping_time=limit, **options)
        return times, job.stop_time
    targets = list(dict.fromkeys(job.targets))
    times, *_ = _core.march(
        job.voxels,
        job.spacing,
        job.sources,
        target_mode="all",
        targets=targets,
        target_offset=job.target_offset,
        **options,
    )
    arrival = {target: float(times[target[::-1]]) for target in targets}
    for target, time in arrival.items():
        if time >= _FAR:
            raise RequestError(unreachable(job, target))
    last = max(arrival, key=arrival.__getitem__)
    job.facts["deciding_target"] = last
    return times, arrival[last]


def _march_as_vmtk(job: Job) -> tuple[Floats, float]:
    """VMTK's rule: the last target reached within 100 of the first decides; without targets 100 is the end."""
    options = job.front_options(job.progress)
    if not job.targets:
        job.warnings.append(f"no target: the front is limited to {_VMTK_STOP:g} time units")
        times, *_ = _core.march(job.voxels, job.spacing, job.sources, stopping_time=_VMTK_STOP, **options)
        return times, float(np.max(times, where=times <= _VMTK_STOP, initial=0.0))
    times, _, _, stop, _ = _core.march(
        job.voxels,
        job.spacing,
        job.sources,
        target_mode="one",
        targets=list(job.targets),
        target_offset=_VMTK_STOP,
        **options,
    )
    arrival = {target: float(times[target[::-1]]) for target in job.targets}
    # Beyond `stop` there are tentative times only: those targets were not reached.
    reached = {target: time for target, time in arrival.items() if time < _FAR and time <= stop}
    if not reached:
        job.warnings.extend(unreachable(job, target) for target in arrival)
        return times, 0.0
    for target in [target for target in arrival if target not in reached]:
        text = f"target {target} was not reached within {_VMTK_STOP:g} of the first"
        job.warnings.append(text if within(job, intensity(job, target)) else unreachable(job, target))
    last = max(reached, key=reached.__getitem__)
    job.facts["deciding_target"] = last
    return times, reached[last]


def unreachable(job: Job, target: Index) -> str:
    """Why a front does not come to ``target``, as far as one can tell from its voxel."""
    text = f"target {target} cannot be reached from source {', '.join(map(str, job.sources))}"
    value = intensity(job, target)
    low, high = float(job.voxels.min()), float(job.voxels.max())
    if within(job, low) and within(job, high):
        return (
            f"{text}: no voxel lies outside the thresholds, so the smallest value {low:g} gets speed 0; "
            "give thresholds that leave it outside"
        )
    if within(job, value):
        return f"{text} through voxels within the thresholds"
    return f"{text}: its value {value:g} lies outside the thresholds"


def intensity(job: Job, index: Index) -> float:
    """Value of a voxel, negated where the job says so."""
    value = float(job.voxels[index[::-1]])
    return float(job.voxels.max()) + float(job.voxels.min()) - value if job.negate else value


def within(job: Job, value: float) -> bool:
    """Whether a value lies within the thresholds, compared as float32 like the voxels."""
    lower = -np.inf if job.lower is None else job.lower
    upper = np.inf if job.upper is None else job.upper
    return bool(np.float32(lower) <= np.float32(value) <= np.float32(upper))


def colliding_fronts(job: Job) -> Floats:
    """The region that two fronts sweep on their way to each other."""
    if not job.sources or not job.targets:
        raise RequestError("method collidingfronts needs one source and one target")
    if max(len(job.sources), len(job.targets)) > 1:
        text = f"got {len(job.sources)} and {len(job.targets)}; multiplecollidingfronts takes pairs"
        if not job.compat:
            raise RequestError(f"method collidingfronts needs one source and one target, {text}")
        job.warnings.append(f"method collidingfronts uses the first source and the first target only: {text}")
    return _finished(job, _collide(job, 0, job.progress), pairs=1)


def multiple_colliding_fronts(job: Job) -> Floats:
    """Colliding fronts from each source to the target of the same number, combined."""
    pairs = len(job.sources)
    if not pairs or pairs != len(job.targets):
        text = f"got {pairs} and {len(job.targets)}"
        raise RequestError(f"method multiplecollidingfronts needs as many targets as sources, {text}")
    total = _collide(job, 0, _part(job.progress, 0, pairs))
    for pair in range(1, pairs):
        branch = _collide(job, pair, _part(job.progress, pair, pairs))
        # Colliding fronts are 0 outside and negative inside, so the minimum is the union.
        total = _core.combine(total, branch, job.combine, threads=job.threads)
    return _finished(job, total, pairs)


def _part(progress: Callable[[float], object] | None, number: int, count: int) -> Callable[[float], object] | None:
    return progress and (lambda fraction: progress((number + fraction) / count))


def _collide(job: Job, pair: int, progress: Callable[[float], object] | None) -> Floats:
    """One pair of fronts: 0 outside and negative inside, or VMTK's values for ``compat``."""
    source, target = job.sources[pair], job.targets[pair]
    if source == target:
        raise RequestError(f"source and target {source} are the same voxel: two fronts need two places to start")
    product = _core.colliding_fronts(
        job.voxels,
        job.spacing,
        [source],
        [target],
        negative_epsilon=_NEGATIVE_EPSILON,
        **job.front_options(progress),
    )
    if product[target[::-1]] == 0:
        text = unreachable(job, target)
        if not job.compat:
            raise RequestError(text)
        job.warnings.append(text)
    if job.compat:
        return product + np.float32(-10.0 * _NEGATIVE_EPSILON)
    for seed in (source, target):
        _fill_pinhole(product, seed)
    return product


def _fill_pinhole(product: Floats, seed: Index) -> None:
    """Give a seed, where no front has a gradient, the least value around it."""
    box = tuple(slice(max(0, i - 1), i + 2) for i in seed[::-1])
    least = float(product[box].min())
    product[seed[::-1]] = least if least < 10.0 * _NEGATIVE_EPSILON else -1.0


def _finished(job: Job, level_set: Floats, pairs: int) -> Floats:
    """Give the outside its value."""
    if job.compat:
        if job.far_value is not None:
            level_set[level_set == _vmtk_outside(job, pairs)] = job.far_value
        return level_set
    outside = _COLLIDING_OUTSIDE if job.far_value is None else job.far_value
    level_set[level_set >= 0] = outside
    return level_set


def _vmtk_outside(job: Job, pairs: int) -> np.float32:
    """What VMTK's shift makes of 0, added up over the pairs where they are summed."""
    shift = np.float32(-10.0 * _NEGATIVE_EPSILON)
    total = shift
    for _ in range(1, pairs if job.combine == "sum" else 1):
        total += shift
    return total


METHODS: dict[str, Callable[[Job], Floats]] = {
    "isosurface": isosurface,
    "threshold": threshold,
    "collidingfronts": colliding_fronts,
    "fastmarching": fast_marching,
    "seeds": seeds,
    "multiplecollidingfronts": multiple_colliding_fronts,
}
