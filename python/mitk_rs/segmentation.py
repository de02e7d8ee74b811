"""A vessel from its scan in one call, :func:`segment_vessel`: initialization between points, evolution, surface."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Unpack

import numpy as np

from mitk_rs._sources import AnyImage, Clock, Source, image_of, shows_progress
from mitk_rs._validation import RUN_OPTIONS, RunOptions, check_names, flag, one_of, positive, run_options
from mitk_rs.errors import RequestError
from mitk_rs.evolution import EvolutionReport, evolve_level_set
from mitk_rs.image.display import fact_of_warnings, facts_of_inside, inside_of
from mitk_rs.levelset import Index, LevelSetReport, Method, Report, WithLevelSet, initialize_level_set

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

    from mitk_rs.image import Image
    from mitk_rs.marching import Indices
    from mitk_rs.projection import Pixels

__all__ = ["SEGMENTATION_METHODS", "SegmentationReport", "VesselSegmentation", "segment_vessel"]

#: Methods of initialization that :func:`segment_vessel` can begin with.
SEGMENTATION_METHODS = ("collidingfronts", "fastmarching")

#: Share of the whole work that initialization takes, about: for progress.
_INITIALIZATION = 0.2


class SegmentationOptions(RunOptions, total=False):
    """Further keyword arguments of :func:`segment_vessel`, explained there."""

    propagation: float
    curvature: float
    advection: float
    feature_sigma: float | None
    sigmoid: bool
    max_rms: float
    time_step: int | None


#: Chosen on generated vessels with known truth; ``benches/accuracy.py`` compares them.
DEFAULTS: SegmentationOptions = {
    "propagation": 0.0,
    "curvature": 0.2,
    "advection": 1.0,
    "feature_sigma": None,
    "sigmoid": False,
    "max_rms": 1e-20,
    "time_step": None,
}


@dataclass(frozen=True, kw_only=True)
class SegmentationReport(Report):
    """What was asked for and what came out."""

    __module__ = "mitk_rs"
    initialization: LevelSetReport  #: Of the level set between the points.
    evolution: EvolutionReport  #: Of its evolution, with volume, pieces and bounding box of the result.
    moved_ml: float  #: Volume that is inside in one of both and outside in the other, in millilitres.
    seconds: dict[str, float] = field(default_factory=dict)  #: Duration of each step.

    @property
    def warnings(self) -> list[str]:
        """What looks wrong with the request or its result."""
        return [*self.initialization.warnings, *self.evolution.warnings]

    def as_dict(self) -> dict[str, Any]:
        """The report as plain dictionaries, lists and numbers."""
        return {**super().as_dict(), "warnings": self.warnings}


@dataclass(frozen=True, kw_only=True, repr=False)
class VesselSegmentation(WithLevelSet):
    """What :func:`segment_vessel` returns."""

    __module__ = "mitk_rs"
    level_set: Image
    """float32, negative inside, with the geometry of the scan: a band of values around the surface."""
    initial: Image  #: The level set before evolution, float32, negative inside.
    report: SegmentationReport

    def surface(self, *, smooth: bool = True, closed: bool = True) -> vtkPolyData:
        """The surface as triangles in world coordinates (LPS mm), normals outwards.

        Parameters
        ----------
        smooth
            Remove the steps of voxels; see :func:`mitk_rs.smooth_surface`.
        closed
            Cap it where the vessel leaves the scan; see :func:`mitk_rs.extract_surface`.
        """
        from mitk_rs.surface import extract_surface, smooth_surface

        surface = extract_surface(self.level_set, closed=closed)
        return smooth_surface(surface) if flag(smooth, "smooth") and surface.GetNumberOfPoints() else surface

    def _facts(self) -> dict[str, str]:
        found, start = self.report.evolution, self.report.initialization
        facts = {"method": start.method, **facts_of_inside(found)}
        facts["evolution"] = f"{start.volume_ml:.4g} ml before {found.iterations} iterations"
        return facts | fact_of_warnings(self.report.warnings)

    def _shown(self) -> Image | None:
        return inside_of(self.level_set, self.report.evolution.bounding_box)

    def picture(self, scan: Image, *, time_step: int | None = None, size: int = 400, letters: bool = False) -> Pixels:
        """Outlines before (orange) and after evolution (green): a projection of the scan, and three slices.

        Parameters
        ----------
        scan
            The scan that was segmented.
        time_step
            Which frame of it.
        size
            Width and height of each of the four pictures, in pixels.
        letters
            Whether letters of the sides of the patient and a scale bar are around each of them.

        Returns
        -------
        Pixels of uint8, shape (size, 4 * size, 3)
            An array that notebooks show: the projection along the axis along which the vessel is shortest, then the
            slices across x, y and z that hold most of it.
        """
        from mitk_rs.projection import Pixels, axis_picture
        from mitk_rs.projection.annotation import Annotations

        inside = np.asarray(self.level_set.as_numpy(writeable=False)) < 0
        shares = [inside.sum(axis=tuple(a for a in range(3) if a != 2 - axis)) for axis in range(3)]
        extents = [np.count_nonzero(share) * h for share, h in zip(shares, self.level_set.spacing, strict=True)]
        views: list[tuple[Any, tuple[int, int] | None]] = [(int(np.argmin(extents)), None)]
        views += [(axis, (int(share.argmax()), int(share.argmax()) + 1)) for axis, share in enumerate(shares)]
        drawn: dict[str, Any] = {
            "overlay": [self.level_set, self.initial],
            "size": (size, size),
            "time_step": time_step,
            "annotations": Annotations(letters=flag(letters, "letters")),
        }
        pictures = [axis_picture(scan, axis=axis, slab=slab, **drawn).coloured() for axis, slab in views]
        return np.hstack(pictures).view(Pixels)


@shows_progress
def segment_vessel(
    scan: AnyImage,
    sources: Indices,
    targets: Indices,
    lower: float | Literal["auto"],
    *,
    upper: float | None = None,
    method: Literal["collidingfronts", "fastmarching"] = "collidingfronts",
    iterations: int = 300,
    **options: Unpack[SegmentationOptions],
) -> VesselSegmentation:
    """Segment the vessel between points: fronts find it, an evolving level set puts its wall on the edges of the scan.

    It is :func:`initialize_level_set`, :func:`feature_image` and :func:`evolve_level_set` in one call, with weights
    that suit vessels that are brighter than what is around them.

    Parameters
    ----------
    scan
        A scalar :class:`~mitk_rs.Image` of any pixel type, or an array ``(z, y, x)`` with a spacing of 1 mm.
    sources, targets
        Voxel indices (x, y, z), counted from 0, inside the vessel; or files of points, see :func:`mitk_rs.read_seeds`.
        With colliding fronts one source goes with every target, and several sources need as many targets and go with
        them in pairs.
    lower, upper
        Least and greatest grey value that fronts may enter: ``lower`` half way between the vessel and what is around
        it, ``upper`` below bone where that touches the vessel. ``upper`` is optional.
    method
        ``"collidingfronts"``: the vessel between each source and its target. ``"fastmarching"``: everything that a
        front from the sources reaches before the last target, side branches included.
    iterations
        The most iterations of the evolution; fewer where the surface comes to rest.
    propagation, curvature, advection
        Weights of the evolution: 0, 0.2 and 1 by default. More curvature smooths more and makes thin vessels thinner.
    feature_sigma, sigmoid
        How edges are found, see :func:`feature_image`: with a Gaussian of half the smallest spacing and ``False`` by
        default. Less suits scans without noise, more very noisy ones; more than half the radius of the thinnest vessel
        loses it.
    max_rms
        Stop once the RMS change of an iteration is below this, in mm.
    time_step
        Which frame of an image with several.
    threads, progress, cancel, timeout
        As in :func:`~mitk_rs.fast_marching`. The result is the same for any number of threads.

    Returns
    -------
    VesselSegmentation
        ``level_set``, ``initial``, ``mask``, ``surface()`` and ``report``.

    Raises
    ------
    RequestError
        Points outside the scan or outside the thresholds, a target that no front reaches, weights that are negative,
        voxels that are not finite; see :func:`initialize_level_set` and :func:`evolve_level_set`.
    Cancelled, TimeoutError, MemoryError
        The call was cancelled, took too long, or memory was refused.

    See Also
    --------
    initialize_level_set, feature_image, evolve_level_set : The steps.

    Notes
    -----
    The defaults were chosen on generated vessels whose truth is known and on a scan of an aorta:
    ``docs/explanation/evolution.md`` gives the figures, and says where it fails: bone that touches the vessel and is as
    bright stays inside.

    References
    ----------
    L. Antiga et al., "An image-based modeling framework for patient-specific computational hemodynamics", Med Biol Eng
    Comput 46(11), 2008.

    Examples
    --------
    >>> import mitk_rs as mitk
    >>> tree = mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1, 1, 1.2), generations=2)
    >>> found = mitk.segment_vessel(tree.image, [tree.source], tree.targets, tree.lower_threshold)
    >>> found.report.evolution.components
    1
    >>> def dice(image):
    ...     return 2 * ((image.array < 0) & tree.mask).sum() / ((image.array < 0).sum() + tree.mask.sum())
    >>> bool(dice(found.initial) < dice(found.level_set))
    True
    """
    check_names("segment_vessel", options, SegmentationOptions)
    used: dict[str, Any] = {**DEFAULTS, **options}
    run = {name: used.pop(name, None) for name in RUN_OPTIONS}
    run_options(run)
    image = image_of(scan)
    volume = Source(image, "scan", time_step=used["time_step"])
    if used["feature_sigma"] is None:
        used["feature_sigma"] = 0.5 * min(volume.spacing)
    start_method: Method = method
    if one_of(method, "method", SEGMENTATION_METHODS) == "collidingfronts":
        sources, targets = pairs = _pairs(volume, sources, targets)
        start_method = method if len(pairs[0]) == 1 else "multiplecollidingfronts"
    clock = Clock(positive(run.pop("timeout"), "timeout"), run.pop("progress"))
    start = initialize_level_set(
        image,
        method=start_method,
        sources=sources,
        targets=targets,
        lower_threshold=lower,
        upper_threshold=upper,
        time_step=used["time_step"],
        **clock.options(0.0, _INITIALIZATION),
        **run,
    )
    found = evolve_level_set(
        image, start.level_set, iterations=iterations, **used, **clock.options(_INITIALIZATION, 1.0), **run
    )
    before, after = (np.asarray(image.as_numpy(writeable=False)) < 0 for image in (start.level_set, found.level_set))
    voxel_ml = found.report.volume_ml / found.report.inside if found.report.inside else 0.0
    report = SegmentationReport(
        initialization=start.report,
        evolution=found.report,
        moved_ml=float((before != after.reshape(before.shape)).sum()) * voxel_ml,
        seconds={
            "initialize": sum(start.report.seconds.values()),
            "feature": found.report.seconds["feature"],
            "evolve": found.report.seconds["evolve"],
            "whole": clock.seconds(),
        },
    )
    return VesselSegmentation(level_set=found.level_set, initial=start.level_set, report=report)


def _pairs(volume: Source, sources: Indices, targets: Indices) -> tuple[list[Index], list[Index]]:
    """As many sources as targets."""
    first, last = volume.seeds(sources, "sources", role="source"), volume.seeds(targets, "targets", role="target")
    if len(first) == 1:
        first = first * len(last)
    if len(first) != len(last):
        raise RequestError(
            f"{len(first)} sources and {len(last)} targets: give one source, or as many sources as targets"
        )
    return first, last
