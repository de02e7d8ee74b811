"""Level sets from images: the starting surfaces of vessel segmentation.

A *level set* is a float32 image on the grid of its source, negative inside, positive outside, with the surface where
it is 0. The six methods are those of VMTK's ``vmtkImageInitialization``; see :func:`initialize_level_set`.

References
----------
L. Antiga et al., "An image-based modeling framework for patient-specific computational hemodynamics", Med Biol Eng
Comput 46(11), 2008; ``vmtkscripts.vmtkImageInitialization``; ``itk::FastMarchingUpwindGradientImageFilter``;
``itk::CollidingFrontsImageFilter``.
"""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, Unpack

import numpy as np
from numpy.typing import NDArray

from mitk_rs import _core
from mitk_rs._level_set_methods import METHODS, Index, Job, intensity, within
from mitk_rs._sources import Source, mask_of
from mitk_rs._validation import RunOptions, check_names, finite, flag, number, one_of, positive, run_options
from mitk_rs.errors import RequestError
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


@dataclass(frozen=True, kw_only=True)
class LevelSetReport:
    """What was asked for and what came out."""

    __module__ = "mitk_rs"
    method: str
    parameters: dict[str, Any]
    """The arguments as they were used."""

    geometry: dict[str, Any]
    """``size``, ``spacing``, ``origin`` (x, y, z; mm) and ``direction``, of image and level set alike."""

    voxels: int
    """Number of voxels of the image."""

    inside: int
    """Number of negative voxels of the level set."""

    volume_ml: float
    """Their volume in millilitres."""

    components: int
    """Number of pieces that they form, connected through faces."""

    bounding_box: list[list[int]] | None
    """First and last index of them along x, y and z; ``None`` where there are none."""

    deciding_target: Index | None = None
    """Fast marching: the target that was reached last and lies on the surface."""

    level_time: float | None = None
    """Fast marching: the arrival time on the surface."""

    auto_lower: ProposedThreshold | None = None
    """Where the lower threshold comes from, if it was ``"auto"``."""

    seconds: dict[str, float] = field(default_factory=dict)
    """Duration of each step."""

    warnings: list[str] = field(default_factory=list)
    """What looks wrong with the request or its result."""

    def as_dict(self) -> dict[str, Any]:
        """The report as plain dictionaries, lists and numbers."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class LevelSetResult:
    """What :func:`initialize_level_set` returns."""

    __module__ = "mitk_rs"
    level_set: Image
    """float32, negative inside, with the geometry of the source."""

    report: LevelSetReport

    @property
    def mask(self) -> Image:
        """uint8, 1 inside, with the geometry of the source; made anew each time."""
        return mask_of(self.level_set)

    def surface(self) -> vtkPolyData:
        """The zero level as triangles in world coordinates (LPS mm), normals outwards.

        See :func:`mitk_rs.surface.extract_surface`.
        """
        from mitk_rs.surface import extract_surface

        return extract_surface(self.level_set)


class InitializeOptions(RunOptions, total=False):
    """Options of :func:`initialize_level_set` that most calls leave out."""

    combine: Literal["minimum", "sum"]
    compat: Literal["vmtk"] | None
    far_value: float | None
    stop_time: float | None
    target_offset: float
    time_step: int | None


def initialize_level_set(
    image: Image | NDArray[Any],
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

        ``"fastmarching"``: the arrival time of a front that starts at all sources and runs through voxels within
        the thresholds, minus the arrival time at the *deciding target*, the one reached last: all targets are inside
        or on the surface. Without targets give ``stop_time`` instead.

        ``"collidingfronts"``: the voxels that two fronts sweep on their way from one source to one target and
        back; negative inside (about ``-1 / speed**2``) and +1 outside.

        ``"multiplecollidingfronts"``: that for each source k and target k, combined.
    sources, targets
        Voxel indices (x, y, z), counted from 0; or a file of points (``"seeds.mrk.json"``, with ``:LABEL`` those with
        that label), or :class:`mitk_rs.seeds.Seeds`: see :func:`mitk_rs.read_seeds`.
    lower_threshold, upper_threshold
        Least and greatest value, both included, of ``threshold``, or of voxels that fronts may enter. The speed of a
        front is the value within, scaled so that the largest gets 1. Values outside get 0, always.
        ``lower_threshold="auto"`` takes :func:`mitk_rs.propose_lower_threshold` of all sources and targets; the report
        names it.
    isosurface
        Value of the surface for ``isosurface``.
    negate
        Replace each value v by min + max - v first; thresholds and ``isosurface`` apply to the negated image.
    combine
        How ``multiplecollidingfronts`` joins pairs: ``"minimum"`` (their union) or ``"sum"`` as VMTK does.
    compat
        ``"vmtk"`` gives the bytes of VMTK instead of the sane values above: the spacing is rounded to float32; fast
        marching stops 100 after the first target, the *last target reached until then* decides, without targets
        the front runs until 100, and voxels it never touched hold 1.7014117e38; colliding fronts hold +1e-5 outside
        and 9e-6 at both seeds, so that the seeds are holes; an image whose maximum is negative has its mask inverted.
        What is an error otherwise (a target that cannot be reached) is a warning then.
    far_value
        Positive value of voxels that no front reached. By default the largest value that a front left (fast
        marching, at least the smallest spacing), 1 for colliding fronts.
    stop_time
        Arrival time of the surface for ``fastmarching`` without targets.
    target_offset
        How long fast marching goes on beyond the surface, in units of arrival time (mm at speed 1), so that the
        level set has values around it; 100 by default. ``compat`` always uses VMTK's 100.
    time_step
        Which frame of an image with several.
    threads
        The most threads to use, as in :func:`mitk_rs.fast_marching`. The result is the same for any number.
    progress
        Called with the done fraction, at most ten times a second.
    cancel
        An object with ``is_set()``; true stops with :class:`~mitk_rs.errors.Cancelled`.
    timeout
        Seconds after which to give up with ``TimeoutError``.

    Returns
    -------
    LevelSetResult
        ``level_set``, ``report`` and ``surface()``.

    Raises
    ------
    RequestError
        The request does not fit the data: unknown method, sources or targets missing or outside, crossed or missing
        thresholds, a target that cannot be reached, voxels that are no numbers, several components.
    GeometryError
        A method with fronts on an image whose axes are sheared by more than 1e-3.

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
    source = _as_image(image)
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
        "far_value": positive(options.get("far_value"), "far_value"),
        "stop_time": positive(options.get("stop_time"), "stop_time"),
        "target_offset": positive(options.get("target_offset", 100.0), "target_offset", zero=True),
    }
    _check(method, parameters, volume)
    if auto and method not in _WITH_THRESHOLDS:
        raise RequestError(f"lower_threshold is 'auto', but method {method} does not use thresholds")
    how = run_options(options)
    level_set, found = volume.read(lambda voxels: _compute(method, voxels, volume.spacing, parameters, how, auto=auto))
    computed = time.perf_counter()
    report = _report(method, parameters, source, time_step or 0, level_set, found)
    report.seconds.update(initialize=computed - start, measure=time.perf_counter() - computed)
    for warning in report.warnings:
        _log.warning("%s", warning)
    return LevelSetResult(level_set=volume.wrap(level_set.reshape(volume.shape)), report=report)


def _as_image(image: Any) -> Any:
    if isinstance(image, np.ndarray):
        from mitk_rs.image import Image

        return Image(image, copy=None)
    return image


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
        raise RequestError(f"method is {method!r}: it must be one of {', '.join(METHODS)}")
    lower, upper = parameters["lower"], parameters["upper"]
    if method in _WITH_THRESHOLDS and lower is not None and upper is not None and lower > upper:
        raise RequestError(f"the lower threshold {lower:g} is above the upper threshold {upper:g}")
    if method in _FRONTS:
        volume.check_axes()


@dataclass(frozen=True)
class _Found:
    """What a method tells beside its result. Unlike a job it holds no voxels, which an accessor protects."""

    warnings: list[str]
    facts: dict[str, Any]


def _compute(
    method: str,
    voxels: Any,
    spacing: tuple[float, float, float],
    parameters: dict[str, Any],
    how: RunOptions,
    *,
    auto: bool,
) -> tuple[Any, _Found]:
    if voxels.ndim == 2:
        voxels = voxels[np.newaxis]
    if parameters["compat"]:
        x, y, z = (float(np.float32(step)) for step in spacing)
        spacing = (x, y, z)
    proposed = _propose(voxels, spacing, parameters) if auto else None
    job = Job(voxels=voxels, spacing=spacing, **parameters, **how)
    job.facts["auto_lower"] = proposed
    _warn_of_request(method, job)
    return METHODS[method](job), _Found(job.warnings, job.facts)


def _propose(voxels: Any, spacing: tuple[float, float, float], parameters: dict[str, Any]) -> ProposedThreshold:
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
            value = intensity(job, source)
            if not within(job, value):
                job.warnings.append(f"source {source} has the value {value:g}, outside the thresholds")


def _report(
    method: str, parameters: dict[str, Any], image: Any, step: int, level_set: Any, found: _Found
) -> LevelSetReport:
    facts = describe_inside(level_set, image, step)
    if facts["inside"] == 0:
        found.warnings.append("the level set is empty: no voxel is inside")
    return LevelSetReport(method=method, parameters=parameters, warnings=found.warnings, **facts, **found.facts)


def describe_inside(level_set: Any, image: Any, step: int) -> dict[str, Any]:
    """Geometry of a level set on the grid of an image, and what it encloses, as reports name it."""
    inside, components, box = _core.measure_inside(level_set)
    geometry = {
        "size": level_set.shape[::-1],
        "spacing": tuple(image.get_spacing(step)),
        "origin": tuple(image.get_origin(step)),
        "direction": np.asarray(image.get_direction(step)).tolist(),
    }
    return {
        "geometry": geometry,
        "voxels": level_set.size,
        "inside": inside,
        "volume_ml": inside * _voxel_ml(geometry),
        "components": components,
        "bounding_box": box,
    }


def _voxel_ml(geometry: dict[str, Any]) -> float:
    """Volume of a voxel: the determinant knows sheared axes, too."""
    determinant = np.linalg.det(np.asarray(geometry["direction"]))
    return abs(float(determinant)) * float(np.prod(geometry["spacing"])) / 1000.0
