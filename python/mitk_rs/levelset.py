"""Level sets from images, :func:`initialize_level_set`: the starting surfaces of vessel segmentation.

A *level set* is a float32 image on the grid of its source, negative inside, positive outside, with the surface where
it is 0.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from mitk_rs import _core
from mitk_rs._sources import AnyImage, Source, Triple, image_of, shows_progress
from mitk_rs._validation import Run, RunOptions, check_names, finite, flag, number, one_of, positive, run_options
from mitk_rs.errors import RequestError, brief
from mitk_rs.image.display import ShownResult, fact_of_warnings, facts_of_inside, inside_of
from mitk_rs.interop import as_image
from mitk_rs.marching import FAR
from mitk_rs.thresholds import ProposedThreshold, propose

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

    from mitk_rs.image import Image
    from mitk_rs.marching import Indices

__all__ = ["LevelSetReport", "LevelSetResult", "initialize_level_set"]

Method: TypeAlias = Literal[
    "isosurface", "threshold", "collidingfronts", "fastmarching", "seeds", "multiplecollidingfronts"
]
_log = logging.getLogger(__name__)

_FRONTS = frozenset({"collidingfronts", "fastmarching", "multiplecollidingfronts"})
_WITH_THRESHOLDS = _FRONTS | {"threshold"}
_WITH_POINTS = _FRONTS | {"seeds"}

Index = tuple[int, int, int]
Floats = NDArray[np.float32]

# VMTK marks seeds with this value and shifts by its tenfold, so that 0 becomes positive.
_NEGATIVE_EPSILON = -1e-6
_VMTK_SHIFT = np.float32(-10.0 * _NEGATIVE_EPSILON)
# VMTK without targets: the front runs this long.
_VMTK_STOP = 100.0
_COLLIDING_OUTSIDE = 1.0


@dataclass(frozen=True, kw_only=True)
class Report:
    """Part of the reports of computations."""

    def as_dict(self) -> dict[str, Any]:
        """The report as plain dictionaries, lists and numbers."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class LevelSetReport(Report):
    """What was asked for and what came out."""

    __module__ = "mitk_rs"
    method: str
    parameters: dict[str, Any]  #: The arguments as they were used.
    geometry: dict[str, Any]
    """``size``, ``spacing``, ``origin`` (x, y, z; mm) and ``direction``, of image and level set alike."""
    voxels: int  #: Number of voxels of the image.
    inside: int  #: Number of negative voxels of the level set.
    volume_ml: float  #: Their volume in millilitres.
    components: int  #: Number of pieces that they form, connected through faces.
    bounding_box: list[list[int]] | None
    """First and last index of them along x, y and z; ``None`` where there are none."""
    deciding_target: Index | None = None
    """Fast marching: the target that was reached last and lies on the surface."""
    level_time: float | None = None  #: Fast marching: the arrival time on the surface.
    auto_lower: ProposedThreshold | None = None  #: Where the lower threshold comes from, if it was ``"auto"``.
    seconds: dict[str, float] = field(default_factory=dict)  #: Duration of each step.
    warnings: list[str] = field(default_factory=list)  #: What looks wrong with the request or its result.


class WithLevelSet(ShownResult):
    """Part of the results that are a level set: what can be made of it."""

    level_set: Image
    report: Any

    def _shown(self) -> Image | None:
        return inside_of(self.level_set, self.report.bounding_box)

    @property
    def mask(self) -> Image:
        """uint8, 1 inside, with the geometry of the level set; made anew each time."""
        source = Source(self.level_set, "the level set")
        mask: Image = source.wrap(source.read(lambda phi: (phi < 0).astype(np.uint8)))
        return mask

    def surface(self) -> vtkPolyData:
        """The zero level as triangles in world coordinates (LPS mm), normals outwards.

        See :func:`mitk_rs.extract_surface`.
        """
        from mitk_rs.surface import extract_surface

        return extract_surface(self.level_set)


@dataclass(frozen=True, kw_only=True, repr=False)
class LevelSetResult(WithLevelSet):
    """What :func:`initialize_level_set` returns."""

    __module__ = "mitk_rs"
    level_set: Image  #: float32, negative inside, with the geometry of the source.
    report: LevelSetReport

    def _facts(self) -> dict[str, str]:
        return {"method": self.report.method, **facts_of_inside(self.report), **fact_of_warnings(self.report.warnings)}


class InitializeOptions(RunOptions, total=False):
    """Options of :func:`initialize_level_set` that most calls leave out."""

    combine: Literal["minimum", "sum"]
    compat: Literal["vmtk"] | None
    far_value: float | None
    stop_time: float | None
    target_offset: float
    time_step: int | None


@shows_progress
def initialize_level_set(
    image: AnyImage,
    *,
    method: Method = "collidingfronts",
    sources: Indices = (),
    targets: Indices = (),
    lower_threshold: float | Literal["auto"] | None = None,
    upper_threshold: float | None = None,
    isosurface: float = 0.0,
    negate: bool = False,
    **options: Unpack[InitializeOptions],
) -> LevelSetResult:
    """Make a level set of an image with one of VMTK's six methods.

    Parameters
    ----------
    image
        A scalar :class:`~mitk_rs.Image` of any pixel type, or an array ``(z, y, x)`` with a spacing of 1 mm. It is
        computed with as float32; NaN and infinite voxels are refused.
    method
        ``"isosurface"``: ``isosurface - image``, bright inside.

        ``"threshold"``: -1 within the thresholds (both included, each optional but not both), +1 elsewhere.

        ``"seeds"``: -1 at sources and targets and their 18 face and edge neighbours, +1 elsewhere.

        ``"fastmarching"``: the arrival time of a front that starts at all sources and runs through voxels within the
        thresholds, minus that at the *deciding target*, the one reached last: all targets are inside or on the surface.
        Without targets give ``stop_time`` instead.

        ``"collidingfronts"``: the voxels that two fronts sweep on their way from one source to one target and back;
        negative inside (about ``-1 / speed**2``) and +1 outside.

        ``"multiplecollidingfronts"``: that for each source k and target k, combined.
    sources, targets
        Voxel indices (x, y, z), counted from 0; or a file of points (``"seeds.mrk.json"``, with ``:LABEL`` those with
        that label), or :class:`mitk_rs.seeds.Seeds`: see :func:`mitk_rs.read_seeds`.
    lower_threshold, upper_threshold
        Least and greatest value, both included, of ``threshold``, or of voxels that fronts may enter. The speed of a
        front is the value, scaled so that the largest gets 1; outside it is always 0. ``lower_threshold="auto"`` takes
        :func:`mitk_rs.propose_lower_threshold` of all sources and targets; the report names it.
    isosurface
        Value of the surface for ``isosurface``.
    negate
        Replace each value v by min + max - v first; thresholds and ``isosurface`` apply to the negated image.
    combine
        How ``multiplecollidingfronts`` joins pairs: ``"minimum"`` (their union) or ``"sum"`` as VMTK does.
    compat
        ``"vmtk"`` gives the bytes of VMTK, not the corrected values above: the spacing is rounded to float32; fast
        marching stops 100 after the first target, the *last target reached until then* decides, without targets
        the front runs until 100, and voxels it never touched hold 1.7014117e38; colliding fronts hold +1e-5 outside
        and 9e-6 at both seeds, so that the seeds are holes; an image whose maximum is negative has its mask inverted.
        What is an error otherwise (a target that cannot be reached) is a warning then.
    far_value
        Positive value of voxels that no front reached. By default the largest value that a front left (fast marching,
        at least the smallest spacing), 1 for colliding fronts.
    stop_time
        Arrival time of the surface for ``fastmarching`` without targets.
    target_offset
        How long fast marching goes on beyond the surface, in units of arrival time (mm at speed 1), so that the level
        set has values around it; 100 by default. ``compat`` always uses VMTK's 100.
    time_step
        Which frame of an image with several.
    threads, progress, cancel, timeout
        As in :func:`mitk_rs.fast_marching`. The result is the same for any number of threads.

    Returns
    -------
    LevelSetResult
        ``level_set``, ``report`` and ``surface()``.

    Raises
    ------
    RequestError
        The request does not fit the data: unknown method, sources or targets missing or outside, crossed or missing
        thresholds, a target that cannot be reached, voxels that are not numbers, several components.
    GeometryError
        A method with fronts on an image whose axes are sheared by more than 1e-3.

    References
    ----------
    L. Antiga et al., "An image-based modeling framework for patient-specific computational hemodynamics", Med Biol Eng
    Comput 46(11), 2008; ``vmtkscripts.vmtkImageInitialization``; ``itk::FastMarchingUpwindGradientImageFilter``;
    ``itk::CollidingFrontsImageFilter``.

    Examples
    --------
    >>> import numpy, mitk_rs
    >>> tube = numpy.zeros((20, 20, 20), "int16")
    >>> tube[:, 7:13, 7:13] = 100
    >>> result = mitk_rs.initialize_level_set(
    ...     mitk_rs.Image(tube), method="collidingfronts", sources=[(10, 10, 2)], targets=[(10, 10, 17)],
    ...     lower_threshold=50)
    >>> result.report.components
    1
    >>> bool(result.level_set.array[10, 10, 10] < 0 < result.level_set.array[10, 2, 2])
    True
    """
    start = time.perf_counter()
    check_names("initialize_level_set", options, InitializeOptions)
    time_step = options.get("time_step")
    image = as_image(image)
    source = image_of(image)
    volume = Source(source, "the image", time_step=time_step)
    # Not a comparison alone: an array would be compared element by element.
    lower = None if isinstance(lower_threshold, str) and lower_threshold == "auto" else lower_threshold
    auto = lower is not lower_threshold
    parameters: dict[str, Any] = {
        "sources": _points(sources, "source", volume, image),
        "targets": _points(targets, "target", volume, image),
        "lower": number(lower, "lower_threshold"),
        "upper": number(upper_threshold, "upper_threshold"),
        "isosurface": finite(isosurface, "isosurface"),
        "negate": flag(negate, "negate"),
        "combine": one_of(options.get("combine", "minimum"), "combine", ("minimum", "sum")),
        "compat": one_of(options.get("compat"), "compat", (None, "vmtk")) == "vmtk",
        "far_value": _single(positive(options.get("far_value"), "far_value"), "far_value"),
        "stop_time": positive(options.get("stop_time"), "stop_time"),
        "target_offset": positive(options.get("target_offset", 100.0), "target_offset", zero=True),
    }
    _check(method, parameters, volume)
    if auto and method not in _WITH_THRESHOLDS:
        raise RequestError(f"lower_threshold is 'auto', but method {method} does not use thresholds")
    run = run_options(options)
    level_set, warnings, facts = volume.read(
        lambda voxels: _compute(method, voxels, volume.spacing, parameters, run, auto=auto)
    )
    computed = time.perf_counter()
    facts |= describe_inside(level_set, source, time_step or 0)
    if facts["inside"] == 0:
        warnings.append("the level set is empty: no voxel is inside")
    report = LevelSetReport(method=method, parameters=parameters, warnings=warnings, **facts)
    report.seconds.update(initialize=computed - start, measure=time.perf_counter() - computed)
    for warning in warnings:
        _log.warning("%s", warning)
    return LevelSetResult(level_set=volume.wrap(level_set.reshape(volume.shape)), report=report)


def _points(value: Indices, name: str, volume: Source, image: Any) -> list[Index]:
    """Triples inside the image."""
    points = volume.seeds(value, f"{name}s", role=name, needed=False, source=image)
    size = (*volume.shape[::-1], 1)[:3]
    for point in points:
        if not all(0 <= i < n for i, n in zip(point, size, strict=True)):
            allowed = ", ".join(f"{axis} 0..{n - 1}" for axis, n in zip("xyz", size, strict=True))
            raise RequestError(f"{name} {point} lies outside the image: allowed {allowed}")
    return points


def _check(method: str, parameters: dict[str, Any], volume: Source) -> None:
    """What can be wrong before a voxel is read."""
    if not isinstance(method, str) or method not in METHODS:
        raise RequestError(f"method is {brief(method)}: it must be one of {', '.join(METHODS)}")
    lower, upper = parameters["lower"], parameters["upper"]
    if method in _WITH_THRESHOLDS and lower is not None and upper is not None and lower > upper:
        raise RequestError(f"the lower threshold {lower:g} is above the upper threshold {upper:g}")
    if method in _FRONTS:
        volume.check_axes()


def _compute(
    method: str, voxels: Any, spacing: Triple, parameters: dict[str, Any], run: Run, *, auto: bool
) -> tuple[Floats, list[str], dict[str, Any]]:
    """The level set, with warnings and facts: not the job, which holds voxels that an accessor protects."""
    if voxels.ndim == 2:
        voxels = voxels[np.newaxis]
    if parameters["compat"]:
        x, y, z = (float(np.float32(step)) for step in spacing)
        spacing = (x, y, z)
    proposed = _propose(voxels, spacing, parameters) if auto else None
    job = Job(voxels=voxels, spacing=spacing, run=run, **parameters)
    job.facts["auto_lower"] = proposed
    _warn_of_request(method, job)
    return METHODS[method](job), job.warnings, job.facts


def _propose(voxels: Any, spacing: Triple, parameters: dict[str, Any]) -> ProposedThreshold:
    """Set the lower threshold from the values at the seeds."""
    if parameters["negate"]:
        voxels = float(voxels.max()) + float(voxels.min()) - voxels.astype(np.float64)
    proposed = propose(voxels, spacing, [*parameters["sources"], *parameters["targets"]])
    upper = parameters["upper"]
    if upper is not None and proposed.value > upper:
        raise RequestError(f"the lower threshold {proposed.value:g} from the seeds is above the upper one, {upper:g}")
    parameters["lower"] = proposed.value
    return proposed


def _warn_of_request(method: str, job: Job) -> None:
    """Tell of arguments that the method does not use, and of sources where no front should start."""
    if method not in _WITH_POINTS and (job.sources or job.targets):
        job.warnings.append(f"method {method} does not use sources and targets")
    if method not in _WITH_THRESHOLDS and not (job.lower is None and job.upper is None):
        job.warnings.append(f"method {method} does not use thresholds")
    if method in _FRONTS:
        if job.lower is None and job.upper is None:
            job.warnings.append(
                "no threshold is given: fronts run through the whole image, not only through the vessel"
            )
        for source in job.sources:
            value = job.intensity(source)
            if not job.within(value):
                job.warnings.append(f"source {source} has the value {value:g}, outside the thresholds")


def describe_inside(level_set: Any, image: Any, step: int) -> dict[str, Any]:
    """Geometry of a level set on the grid of an image, and what it encloses, as reports name it."""
    inside, components, box = _core.measure_inside(level_set)
    direction, spacing = np.asarray(image.get_direction(step)), tuple(image.get_spacing(step))
    origin = tuple(image.get_origin(step))
    size = level_set.shape[::-1]
    return {
        "geometry": {"size": size, "spacing": spacing, "origin": origin, "direction": direction.tolist()},
        "voxels": level_set.size,
        "inside": inside,
        # The determinant knows sheared axes, too.
        "volume_ml": inside * (abs(float(np.linalg.det(direction))) * float(np.prod(spacing)) / 1000.0),
        "components": components,
        "bounding_box": box,
    }


# --- the methods on plain arrays ---------------------------------------------------------------------------------

# Each takes a Job and returns a float32 array, negative inside. `job.compat` chooses between VMTK's bytes and results
# without VMTK's defects. Speeds are those of VMTK: intensities within the thresholds, scaled to at most 1; 0 outside.


@dataclass(frozen=True, kw_only=True)
class Job:
    """One initialization, its request checked."""

    voxels: NDArray[Any]
    spacing: Triple
    run: Run
    sources: list[Index]
    targets: list[Index]
    lower: float | None
    upper: float | None
    isosurface: float
    negate: bool
    combine: Literal["minimum", "sum"]
    compat: bool
    far_value: float | None
    stop_time: float | None
    target_offset: float
    warnings: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def threads(self) -> int | None:
        return self.run.get("threads")

    @cached_property
    def speed_map(self) -> _core.ScannedSpeed:
        """How the core makes speeds of intensities; the image is scanned once for all fronts."""
        return _core.scan_speed(self.voxels, (self.lower, self.upper, self.negate, self.compat), threads=self.threads)

    def march(self, **request: Any) -> tuple[Floats, float]:
        """Arrival times of a front from the sources, and when it stopped."""
        found = _core.march(self.voxels, self.spacing, self.sources, speed_map=self.speed_map, **request, **self.run)
        return found.arrival_time, found.stop

    def intensity(self, index: Index) -> float:
        """Value of a voxel, negated where the request says so."""
        value = float(self.voxels[index[::-1]])
        return float(self.voxels.max()) + float(self.voxels.min()) - value if self.negate else value

    def within(self, value: float) -> bool:
        """Whether a value lies within the thresholds, compared as float32 like the voxels."""
        lower = -np.inf if self.lower is None else self.lower
        upper = np.inf if self.upper is None else self.upper
        with np.errstate(over="ignore"):
            return bool(np.float32(lower) <= np.float32(value) <= np.float32(upper))


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
    reached = times < FAR
    level_set = times + np.float32(-level_time)
    if job.compat and job.far_value is None:
        return level_set
    # The largest value, but no less than a front at full speed needs for one voxel: outside is positive.
    largest = max(float(np.max(level_set, where=reached, initial=-np.inf)), min(job.spacing))
    level_set[~reached] = largest if job.far_value is None else job.far_value
    return level_set


def _single(value: float | None, name: str) -> float | None:
    """A number that level sets hold, which are float32, or nothing."""
    if value is not None and value > float(np.finfo(np.float32).max):
        raise RequestError(f"{name} is {value:g}: float32, the type of level sets, holds 3.4e+38 at most")
    return value


def _march(job: Job) -> tuple[Floats, float]:
    """Arrival times up to the last target, or up to ``stop_time``."""
    if bool(job.targets) == (job.stop_time is not None):
        raise RequestError("method fastmarching needs either targets or a stop time")
    if job.stop_time is not None:
        return job.march(stopping_time=job.stop_time + job.target_offset)[0], job.stop_time
    targets = list(dict.fromkeys(job.targets))
    times, _ = job.march(target_mode="all", targets=targets, target_offset=job.target_offset)
    arrival = {target: float(times[target[::-1]]) for target in targets}
    for target, arrives in arrival.items():
        if arrives >= FAR:
            raise RequestError(unreachable(job, target))
    return times, _decided(job, arrival)


def _march_as_vmtk(job: Job) -> tuple[Floats, float]:
    """VMTK's rule: the last target reached within 100 of the first decides; without targets 100 is the end."""
    if not job.targets:
        job.warnings.append(f"no target: the front is limited to {_VMTK_STOP:g} time units")
        times, _ = job.march(stopping_time=_VMTK_STOP)
        return times, float(np.max(times, where=times <= _VMTK_STOP, initial=0.0))
    times, stop = job.march(target_mode="one", targets=job.targets, target_offset=_VMTK_STOP)
    arrival = {target: float(times[target[::-1]]) for target in job.targets}
    # Beyond `stop` there are tentative times only: those targets were not reached.
    reached = {target: t for target, t in arrival.items() if t < FAR and t <= stop}
    if not reached:
        job.warnings.extend(unreachable(job, target) for target in arrival)
        return times, 0.0
    for target in [target for target in arrival if target not in reached]:
        text = f"target {target} was not reached within {_VMTK_STOP:g} of the first"
        job.warnings.append(text if job.within(job.intensity(target)) else unreachable(job, target))
    return times, _decided(job, reached)


def _decided(job: Job, arrival: dict[Index, float]) -> float:
    """When the front came to the last target."""
    last = max(arrival, key=arrival.__getitem__)
    job.facts["deciding_target"] = last
    return arrival[last]


def unreachable(job: Job, target: Index) -> str:
    """Why a front does not come to ``target``, as far as one can tell from its voxel."""
    text = f"target {target} cannot be reached from source {', '.join(map(str, job.sources))}"
    value = job.intensity(target)
    if job.within(float(job.voxels.min())) and job.within(float(job.voxels.max())):
        return (
            f"{text}: no voxel lies outside the thresholds, so the smallest value {float(job.voxels.min()):g} gets "
            "speed 0; give thresholds that leave it outside"
        )
    if job.within(value):
        return f"{text} through voxels within the thresholds"
    return f"{text}: its value {value:g} lies outside the thresholds"


def colliding_fronts(job: Job) -> Floats:
    """The region that two fronts sweep on their way to each other."""
    if not job.sources or not job.targets:
        raise RequestError("method collidingfronts needs one source and one target")
    if max(len(job.sources), len(job.targets)) > 1:
        text = f"got {len(job.sources)} and {len(job.targets)}; multiplecollidingfronts takes pairs"
        if not job.compat:
            raise RequestError(f"method collidingfronts needs one source and one target, {text}")
        job.warnings.append(f"method collidingfronts uses the first source and the first target only: {text}")
    return _finished(job, _collide(job, 0, 1), pairs=1)


def multiple_colliding_fronts(job: Job) -> Floats:
    """Colliding fronts from each source to the target of the same number, combined."""
    pairs = len(job.sources)
    if not pairs or pairs != len(job.targets):
        text = f"got {pairs} and {len(job.targets)}"
        raise RequestError(f"method multiplecollidingfronts needs as many targets as sources, {text}")
    total = _collide(job, 0, pairs)
    for pair in range(1, pairs):
        # Colliding fronts are 0 outside and negative inside, so the minimum is the union.
        total = _core.combine(total, _collide(job, pair, pairs), job.combine, threads=job.threads)
    return _finished(job, total, pairs)


def _collide(job: Job, pair: int, pairs: int) -> Floats:
    """One pair of fronts: 0 outside and negative inside, or VMTK's values for ``compat``."""
    source, target = job.sources[pair], job.targets[pair]
    if source == target:
        raise RequestError(f"source and target {source} are the same voxel: two fronts need two places to start")
    options: Any = {**job.run, "negative_epsilon": _NEGATIVE_EPSILON, "speed_map": job.speed_map}
    if progress := job.run.get("progress"):
        options["progress"] = lambda fraction: progress((pair + fraction) / pairs)
    product = _core.colliding_fronts(job.voxels, job.spacing, [source], [target], **options)
    if product[target[::-1]] == 0:
        text = unreachable(job, target)
        if not job.compat:
            raise RequestError(text)
        job.warnings.append(text)
    if job.compat:
        return product + _VMTK_SHIFT
    for seed in (source, target):
        # No front has a gradient at its seed: it gets the least value around it.
        least = float(product[tuple(slice(max(0, i - 1), i + 2) for i in seed[::-1])].min())
        product[seed[::-1]] = least if least < 10.0 * _NEGATIVE_EPSILON else -1.0
    return product


def _finished(job: Job, level_set: Floats, pairs: int) -> Floats:
    """Give the outside its value."""
    if not job.compat:
        level_set[level_set >= 0] = _COLLIDING_OUTSIDE if job.far_value is None else job.far_value
    elif job.far_value is not None:
        # What VMTK's shift makes of 0, added up over the pairs where they are summed.
        shifts = np.full(pairs if job.combine == "sum" else 1, _VMTK_SHIFT)
        level_set[level_set == shifts.cumsum()[-1]] = job.far_value
    return level_set


METHODS: dict[str, Callable[[Job], Floats]] = {
    "isosurface": isosurface,
    "threshold": threshold,
    "collidingfronts": colliding_fronts,
    "fastmarching": fast_marching,
    "seeds": seeds,
    "multiplecollidingfronts": multiple_colliding_fronts,
}
