"""Level sets that evolve until their surfaces rest on the edges of a scan: :func:`evolve_level_set`."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

import numpy as np
from numpy.typing import NDArray

from mitk_rs import _core
from mitk_rs._sources import AnyImage, Clock, Source, image_of, shows_progress
from mitk_rs._validation import (
    RUN_OPTIONS,
    RunOptions,
    check_names,
    finite,
    flag,
    not_negative,
    number,
    one_of,
    positive,
    run_options,
    whole_number,
)
from mitk_rs.errors import GeometryError, RequestError, brief
from mitk_rs.features import FEATURE_TYPES, feature_image
from mitk_rs.image.display import fact_of_warnings, facts_of_inside
from mitk_rs.interop import as_image
from mitk_rs.levelset import Report, WithLevelSet, describe_inside

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["EvolutionReport", "LevelSetEvolution", "evolve_level_set"]

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

EVOLUTION_TYPES = ("geodesic", "curves", "threshold", "laplacian")
_WITH_FEATURE = ("geodesic", "curves")
#: Share of the whole work that the feature image takes, about: for progress.
_FEATURE = 0.2

_NOT_NEGATIVE = (
    *("propagation", "curvature", "advection", "edge_weight", "max_rms", "smoothing_conductance"),
    *("feature_sigma", "advection_sigma"),
)
#: What the core takes as it is.
_REQUEST = (
    *("type", "iterations", "propagation", "curvature", "advection", "advection_sigma", "edge_weight"),
    *("smoothing_iterations", "smoothing_time_step", "smoothing_conductance", "isosurface", "max_rms"),
)
#: VMTK's time step of smoothing, whatever it is asked for.
_VMTK_SMOOTHING_TIME_STEP = 0.1


class EvolutionOptions(RunOptions, total=False):
    """Further keyword arguments of :func:`evolve_level_set`, explained there."""

    feature_type: str
    feature_sigma: float
    advection_sigma: float
    sigmoid: bool
    lower_threshold: float | None
    upper_threshold: float | None
    edge_weight: float
    smoothing_iterations: int
    smoothing_time_step: float | None
    smoothing_conductance: float
    max_rms: float
    time_step: int | None


# Those of the others are None.
_DEFAULTS: EvolutionOptions = {
    "feature_type": "gradient",
    "feature_sigma": 0.0,
    "advection_sigma": 0.0,
    "sigmoid": False,
    "edge_weight": 0.0,
    "smoothing_iterations": 5,
    "smoothing_conductance": 0.8,
    "max_rms": 1e-20,
}


@dataclass(frozen=True, kw_only=True)
class EvolutionReport(Report):
    """What was asked for and what came out."""

    __module__ = "mitk_rs"
    type: str
    parameters: dict[str, Any]  #: The arguments as they were used.
    geometry: dict[str, Any]
    """``size``, ``spacing``, ``origin`` (x, y, z; mm) and ``direction``, of scan and level set alike."""
    iterations: int  #: Number of iterations done.
    stopped_by: str
    """``"iterations"``: all were done; ``"rms"``: the surface moved less than ``max_rms``."""
    rms: list[float]  #: For each iteration, the root of the mean squared change of phi on the surface, in mm.
    time_steps: list[float]  #: For each iteration, its time step.
    active_voxels: list[int]  #: For each iteration, the number of voxels that the surface goes through.
    moved_voxels: list[int]  #: For each iteration, the number of voxels that the surface left.
    voxels: int  #: Number of voxels of the scan.
    inside: int  #: Number of negative voxels of the level set.
    volume_ml: float  #: Their volume in millilitres.
    components: int  #: Number of pieces that they form, connected through faces.
    bounding_box: list[list[int]] | None
    """First and last index of them along x, y and z; ``None`` where there are none."""
    seconds: dict[str, float] = field(default_factory=dict)  #: Duration of each step.
    warnings: list[str] = field(default_factory=list)  #: What looks wrong with the request or its result.


@dataclass(frozen=True, kw_only=True, repr=False)
class LevelSetEvolution(WithLevelSet):
    """What :func:`evolve_level_set` returns."""

    __module__ = "mitk_rs"
    level_set: Image
    """float32, negative inside, with the geometry of the scan: a band of values around the surface."""
    report: EvolutionReport

    def _facts(self) -> dict[str, str]:
        done = f"{self.report.iterations} iterations, stopped by {self.report.stopped_by}"
        facts = {"type": self.report.type, "evolution": done, **facts_of_inside(self.report)}
        return facts | fact_of_warnings(self.report.warnings)


@shows_progress
def evolve_level_set(
    scan: AnyImage,
    initial: AnyImage | Sequence[AnyImage],
    *,
    type: str = "geodesic",  # noqa: A002
    iterations: int,
    propagation: float = 0.0,
    curvature: float = 0.0,
    advection: float = 1.0,
    feature: AnyImage | None = None,
    isosurface: float = 0.0,
    merge: AnyImage | Sequence[AnyImage] | None = None,
    compat: str | None = None,
    **options: Unpack[EvolutionOptions],
) -> LevelSetEvolution:
    """Evolve a level set until its surface rests on the edges of a scan.

    A function phi, negative inside, follows ``d phi / dt = curvature K F |grad phi| - propagation F |grad phi| -
    advection V . grad phi``: K is the curvature of the surface, the speed F and the advection field V come from the
    scan (see ``type``). The numbers are those of ITK's sparse field level sets, in every bit and for any number of
    threads.

    Parameters
    ----------
    scan
        A scalar :class:`~mitk_rs.Image` of any pixel type, or an array ``(z, y, x)`` with a spacing of 1 mm. It is
        computed with as float32, along the axes of the array: directions play no part, the geometry is kept. Where
        ``feature`` is given only its geometry is used.
    initial
        The level set to start from, on the same grid: an image or array of floats, or of integers with negative values.
        One of bool or of integers that are not negative is a mask, with everything that is not 0 inside. A list of
        several is united first.
    type
        ``"geodesic"``: F is the feature image, V minus its gradient, so that the surface is drawn to edges.

        ``"curves"``: the same with the smaller principal curvature, which does not pinch off thin vessels.

        ``"threshold"``: F is positive between ``lower_threshold`` and ``upper_threshold``, largest in the middle
        between them, and negative elsewhere; there is no V. With ``propagation`` above 0 the surface fills what is
        between the thresholds.

        ``"laplacian"``: the surface is drawn to zeros of the Laplacian of the scan by ``propagation``; there is no V.
    iterations
        The most iterations, at least 1. One moves the surface by at most a sixth of the smallest spacing a term, mostly
        much less: hundreds are normal.
    propagation
        Weight of growth with the speed F, at least 0.
    curvature
        Weight of smoothing, at least 0. For ``"geodesic"`` and ``"curves"`` it is multiplied by F.
    advection
        Weight of the way along V, at least 0, for ``"geodesic"`` and ``"curves"``.
    feature
        Feature image of ``"geodesic"`` and ``"curves"`` on the grid of the scan; see :func:`feature_image`. Without one
        it is computed from the scan with ``feature_type``, ``feature_sigma`` and ``sigmoid``.
    isosurface
        The value of ``initial`` on the surface. Masks do not use it.
    merge
        A level set, or several, that the result is united with: the voxelwise minimum.
    compat
        ``"vmtk"`` keeps defects of ``vmtklevelsetsegmentation``: ``"curves"`` runs backwards (its surface is pushed
        away from edges) and gives NaN where the gradient of phi vanishes, ``smoothing_time_step`` is always 0.1, and
        the spacing is rounded to float32.
    feature_type, feature_sigma, sigmoid
        ``type``, ``sigma`` and ``sigmoid`` of :func:`feature_image`: ``"gradient"``, 0 mm and ``False`` by default.
    advection_sigma
        Standard deviation in mm of a Gaussian that smooths the feature before V is taken from it; 0 by default, which
        takes central differences. With one V is stored, which costs 12 bytes a voxel more.
    lower_threshold, upper_threshold
        Grey values between which ``"threshold"`` grows. Both are needed.
    edge_weight
        For ``"threshold"``: weight of the Laplacian of the smoothed scan in F, which keeps the surface off edges; 0 by
        default.
    smoothing_iterations, smoothing_conductance
        Number of iterations (5) and conductance (0.8) of the anisotropic diffusion that smooths the scan for
        ``edge_weight``.
    smoothing_time_step
        Its time step. By default the largest stable one: a sixteenth of the smallest spacing, or less where the spacing
        is below 0.4 mm.
    max_rms
        Stop once the RMS change of an iteration is below this, in mm; 1e-20 by default, when nothing moves any more.
    time_step
        Which frame of an image with several.
    threads, progress, cancel, timeout
        As in :func:`~mitk_rs.fast_marching`. The result is the same for any number of threads.

    Returns
    -------
    LevelSetEvolution
        ``level_set``, ``mask``, ``surface()`` and ``report``. The level set is a band, not a map of distances: within
        3.5 times the smallest spacing h of the surface it grows by h a voxel, elsewhere it is 4 h or -4 h.

    Raises
    ------
    RequestError
        Sizes that differ, a level set without a surface, voxels that are not finite, negative weights, thresholds
        missing or crossed, no iterations, a sigma that exceeds the scan, a volume with an axis of less than three
        voxels.
    GeometryError
        Spacings that differ.
    Cancelled, TimeoutError, MemoryError
        The call was cancelled, took too long, or memory was refused.

    Warns
    -----
    The report lists, and the logger ``mitk_rs`` tells, what looks wrong: a surface that touches the frame of the scan
    (where it cannot move), one that vanished, an unstable time step of smoothing, arguments that the type does not use,
    an origin or direction of another image that is not that of the scan.

    See Also
    --------
    initialize_level_set : Level sets to start from.
    feature_image : What geodesic and curves are drawn to.
    extract_surface : The surface of a level set.

    Notes
    -----
    SimpleITK's ``GeodesicActiveContourLevelSet`` gives another result on images whose direction is not the identity: it
    rotates the gradient of the feature, but not that of phi.

    References
    ----------
    R. T. Whitaker, "A level-set approach to 3D reconstruction from range data", Int J Comput Vis 29(3), 1998; V.
    Caselles, R. Kimmel and G. Sapiro, "Geodesic active contours", Int J Comput Vis 22(1), 1997; L. M. Lorigo et al.,
    "CURVES: curve evolution for vessel segmentation", Med Image Anal 5(3), 2001;
    ``itk::SparseFieldLevelSetImageFilter``, ``itk::GeodesicActiveContourLevelSetImageFilter``,
    ``itk::CurvesLevelSetImageFilter``, ``itk::ThresholdSegmentationLevelSetImageFilter``,
    ``itk::LaplacianSegmentationLevelSetImageFilter``; ``vmtklevelsetsegmentation`` of VMTK.

    Examples
    --------
    A ball that is seen as a bright disk in every slice; the surface starts from a smaller one:

    >>> import numpy as np
    >>> import mitk_rs as mitk
    >>> z, y, x = np.mgrid[:30, :30, :30] - 14.5
    >>> distance = np.sqrt(x**2 + y**2 + z**2)
    >>> scan = mitk.Image((100 / (1 + np.exp(distance - 10))).astype("float32"), spacing=(0.5, 0.5, 0.5))
    >>> found = mitk.evolve_level_set(scan, distance < 6, iterations=300, propagation=0.1)
    >>> found.report.stopped_by, found.report.iterations
    ('iterations', 300)
    >>> truth = 4 / 3 * np.pi * 5**3 / 1000
    >>> bool(abs(found.report.volume_ml / truth - 1) < 0.05)
    True
    >>> found.mask.array.dtype, found.mask.spacing
    (dtype('uint8'), (0.5, 0.5, 0.5))
    """
    check_names("evolve_level_set", options, EvolutionOptions)
    given: dict[str, Any] = {**dict.fromkeys(EvolutionOptions.__annotations__), **_DEFAULTS, **options}
    run = {name: given.pop(name) for name in RUN_OPTIONS}
    run_options(run)
    given |= {"type": type, "iterations": iterations, "isosurface": isosurface, "compat": compat}
    given |= {"propagation": propagation, "curvature": curvature, "advection": advection}
    return _Evolution(_parameters(given), image_of(scan), initial, feature, merge).run(run)


def _parameters(given: dict[str, Any]) -> dict[str, Any]:
    """The arguments that need no voxels, checked."""
    parameters = {
        **given,
        "type": one_of(given["type"], "type", EVOLUTION_TYPES),
        "compat": one_of(given["compat"], "compat", (None, "vmtk")),
        "iterations": _count(given["iterations"], "iterations", least=1),
        "smoothing_iterations": _count(given["smoothing_iterations"], "smoothing_iterations", least=0),
        "isosurface": finite(given["isosurface"], "isosurface"),
        "feature_type": one_of(given["feature_type"], "feature_type", FEATURE_TYPES),
        "sigmoid": flag(given["sigmoid"], "sigmoid"),
    }
    for name in _NOT_NEGATIVE:
        parameters[name] = not_negative(given[name], name)
    for name in ("lower_threshold", "upper_threshold"):
        parameters[name] = number(given[name], name)
    parameters["smoothing_time_step"] = positive(given["smoothing_time_step"], "smoothing_time_step", zero=True)
    if parameters["type"] == "threshold":
        _check_thresholds(parameters["lower_threshold"], parameters["upper_threshold"])
    return parameters


def _count(value: Any, name: str, *, least: int) -> int:
    count = whole_number(value, name)
    if not least <= count < 2**31:
        raise RequestError(f"{name} is {count}: it must be at least {least}" + " and below 2**31" * (count >= 2**31))
    return count


def _check_thresholds(lower: float | None, upper: float | None) -> None:
    if lower is None or upper is None:
        missing = "lower_threshold" if lower is None else "upper_threshold"
        raise RequestError(f"type 'threshold' needs lower_threshold and upper_threshold: {missing} is missing")
    if lower > upper:
        raise RequestError(f"the lower threshold {lower:g} is above the upper threshold {upper:g}")
    if max(abs(lower), abs(upper)) > float(np.finfo(np.float32).max):
        raise RequestError(f"the thresholds are {lower:g} and {upper:g}: type 'threshold' needs finite ones")


class _Evolution:
    """A request on its way: the volumes, checked against each other, and the parameters."""

    def __init__(self, parameters: dict[str, Any], scan: Any, initial: Any, feature: Any, merge: Any) -> None:
        self.parameters = parameters
        self.warnings: list[str] = []
        self.step = parameters["time_step"]
        self.scan = Source(scan, "scan", time_step=self.step)
        self._image = scan
        if len(self.scan.shape) != 3 or min(self.scan.shape) < 3:
            size = " x ".join(map(str, self.scan.shape[::-1]))
            raise RequestError(f"the scan has {size} voxels: a surface evolves in at least 3 along x, y and z")
        if feature is not None and parameters["type"] not in _WITH_FEATURE:
            raise RequestError(
                f"feature is for types 'geodesic' and 'curves': type {brief(parameters['type'])} uses the scan"
            )
        self.initial = self._others(initial, "initial")
        self.merge = [] if merge is None else self._others(merge, "merge")
        self.feature = None if feature is None else self._others(feature, "feature", several=False)[0]
        x, y, z = self.scan.spacing
        if parameters["compat"] == "vmtk":
            x, y, z = (float(np.float32(h)) for h in (x, y, z))
        self.spacing = (x, y, z)
        self._choose_time_step()
        self._warn_of_request()

    def _others(self, given: Any, name: str, *, several: bool = True) -> list[Source]:
        """Volumes on the grid of the scan."""
        listed = list(given) if several and isinstance(given, list | tuple) else [given]
        if not listed:
            raise RequestError(f"{name} is an empty list: at least one level set is needed")
        return [self._other(source, name) for source in listed]

    def _other(self, source: Any, name: str) -> Source:
        source = as_image(source)
        volume = Source(source, name, time_step=self.step if getattr(source, "time_steps", 1) > 1 else None)
        if volume.shape != self.scan.shape:
            got, expected = (" x ".join(map(str, v.shape[::-1])) for v in (volume, self.scan))
            raise RequestError(f"{name} has {got} voxels, the scan {expected}: they must be on the same grid")
        if volume.is_image:
            self._compare_geometry(volume, name)
        return volume

    def _compare_geometry(self, volume: Source, name: str) -> None:
        if not np.allclose(volume.spacing, self.scan.spacing, rtol=1e-4, atol=0):
            raise GeometryError(
                f"{name} has the spacing {volume.spacing} mm, the scan {self.scan.spacing} mm: resample one of them"
            )
        tolerance = 0.01 * min(self.scan.spacing)
        same = np.allclose(volume.origin, self.scan.origin, rtol=0, atol=tolerance)
        if not (same and np.allclose(volume.direction, self.scan.direction, rtol=0, atol=1e-3)):
            self.warnings.append(f"origin or direction of {name} differ from those of the scan, which are used")

    def _choose_time_step(self) -> None:
        """Time step of smoothing: VMTK's, the given one, or the largest stable one."""
        stable = min(min(self.spacing) / 16, 0.5 / sum(h**-2 for h in self.spacing))
        chosen = self.parameters["smoothing_time_step"]
        if self.parameters["compat"] == "vmtk":
            chosen = _VMTK_SMOOTHING_TIME_STEP
        self.parameters["smoothing_time_step"] = stable if chosen is None else chosen
        if self.parameters["edge_weight"] > 0 and self.parameters["smoothing_time_step"] > stable * (1 + 1e-6):
            self.warnings.append(
                f"smoothing_time_step {self.parameters['smoothing_time_step']:g} may be unstable: "
                f"the largest stable one is {stable:.3g} at this spacing"
            )

    def _warn_of_request(self) -> None:
        """Tell of arguments that the type does not use."""
        kind = self.parameters["type"]
        unused = {
            "lower_threshold": kind != "threshold",
            "upper_threshold": kind != "threshold",
            "edge_weight": kind != "threshold",
            "feature_sigma": kind not in _WITH_FEATURE or self.feature is not None,
            "sigmoid": kind not in _WITH_FEATURE or self.feature is not None,
            "advection_sigma": kind not in _WITH_FEATURE,
        }
        for name, is_unused in unused.items():
            if is_unused and self.parameters[name]:
                why = "a given feature" if kind in _WITH_FEATURE and name != "edge_weight" else f"type {kind}"
                self.warnings.append(f"{why} does not use {name}")
        if all(self.parameters[name] == 0 for name in ("propagation", "curvature", "advection")):
            self.warnings.append("all weights are 0: nothing moves")

    def run(self, run: dict[str, Any]) -> LevelSetEvolution:
        """Compute, and report."""
        times = [time.perf_counter()]
        image, run = self._field(run)
        times.append(time.perf_counter())
        level_set, record = self._evolve(image, run)
        times.append(time.perf_counter())
        facts = describe_inside(level_set, self._image, self.step or 0)
        if record.touches_frame:
            self.warnings.append("the surface touches the frame of the scan, the outermost voxels, which do not evolve")
        if facts["inside"] == 0:
            self.warnings.append("the surface vanished: no voxel is inside")
        if record.rms and not math.isfinite(record.rms[-1]):
            self.warnings.append(f"{int(np.isnan(level_set).sum())} voxels of the level set are NaN")
        report = EvolutionReport(
            type=self.parameters["type"],
            parameters={name: value for name, value in self.parameters.items() if name != "type"},
            iterations=len(record.rms),
            stopped_by="rms" if record.at_rest else "iterations",
            rms=record.rms,
            time_steps=record.time_steps,
            active_voxels=record.active,
            moved_voxels=record.moved,
            warnings=self.warnings,
            **facts,
        )
        times.append(time.perf_counter())
        report.seconds.update(zip(("feature", "evolve", "measure"), map(float, np.diff(times)), strict=True))
        for warning in report.warnings:
            _log.warning("%s", warning)
        return LevelSetEvolution(level_set=self.scan.wrap(level_set), report=report)

    def _field(self, run: dict[str, Any]) -> tuple[Source, dict[str, Any]]:
        """The feature image or the scan; and how the rest of the work is run."""
        if self.feature is not None:
            return self.feature, run
        if self.parameters["type"] not in _WITH_FEATURE:
            return self.scan, run
        used = self.parameters
        clock = Clock(run["timeout"], run["progress"])
        feature = feature_image(
            self._image,
            type=used["feature_type"],
            sigma=used["feature_sigma"],
            sigmoid=used["sigmoid"],
            time_step=self.step,
            **{**run, "progress": clock.part(0.0, _FEATURE)},
        )
        return Source(feature, "the feature"), {**run, **clock.options(_FEATURE, 1.0)}

    def _evolve(self, image: Source, run: dict[str, Any]) -> tuple[NDArray[np.float32], _core.EvolutionRecord]:
        used = self.parameters
        thresholds = (used["lower_threshold"], used["upper_threshold"]) if used["type"] == "threshold" else None
        request: Any = {name: used[name] for name in _REQUEST}
        request |= {"thresholds": thresholds, "vmtk": used["compat"] == "vmtk"}

        def compute(arrays: list[NDArray[Any]]) -> tuple[NDArray[np.float32], _core.EvolutionRecord]:
            count = 1 + len(self.initial)
            # A mask is of bool, or of integers of which none is negative.
            initial = [(a, a.dtype.kind in "bui" and bool(a.min() >= 0)) for a in arrays[1:count]]
            if used["isosurface"] != 0 and any(mask for _, mask in initial):
                raise RequestError(f"isosurface is {used['isosurface']:g}: masks have no grey values, leave it at 0")
            return _core.evolve_level_set(arrays[0], initial, arrays[count:], self.spacing, request, **run)

        return _read_all([image, *self.initial, *self.merge], compute)


def _read_all(volumes: Sequence[Source], compute: Callable[[list[NDArray[Any]]], _Result]) -> _Result:
    """What ``compute`` makes of the voxels of all volumes, each under a read accessor."""
    if not volumes:
        return compute([])
    *others, last = volumes
    return last.read(lambda voxels: _read_all(others, lambda arrays: compute([*arrays, voxels])))
