"""``mitk-rs segment``, ``features``, ``evolve``: a level set moves until its surface rests on the edges of a scan."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.files import IMAGE_SUFFIXES, PICTURES, SURFACE_SUFFIXES, Session, descriptions, write_results
from mitk_rs.cli.parser import CommandParser, Namespace, Points, command, given
from mitk_rs.errors import UsageError

if TYPE_CHECKING:
    from mitk_rs.image import Image

_IMAGES = " ".join(IMAGE_SUFFIXES)
_SCAN = "scan: a file, a folder with a DICOM series, or -"
_MISSING = "-o LEVELSET, --mask MASK or --surface SURFACE"
_NO_SURFACE = "the surface vanished: there is none to write"
_TYPES = ("geodesic", "curves", "threshold", "laplacian")
_FEATURE_TYPES = ("gradient", "vtkgradient", "upwind", "fwhm")


# What the commands share


def _add_outputs(parser: CommandParser) -> None:
    parser.option("-o --output LEVELSET", f"level set to write: {_IMAGES}")
    parser.option("--mask MASK", "mask to write, 1 inside")
    parser.option("--surface SURFACE", f"surface to write: {' '.join(SURFACE_SUFFIXES)}")


def _add_weights(parser: CommandParser, *, curvature: float) -> None:
    """Add the weights of the terms, and when to stop."""
    for name, text, default in (
        ("propagation", "growth", 0.0), ("curvature", "smoothing", curvature), ("advection", "the way to edges", 1.0),
    ):  # fmt: skip
        parser.option(f"--{name} W", f"weight of {text} (default: {default:g})", float, default=default)
    parser.option("--stop-rms MM", "stop once the RMS change of an iteration is below this", float, default=1e-20)


def _add_feature_options(group: Any, prefix: str = "") -> None:
    """Add the options of :func:`mitk_rs.feature_image`; ``prefix`` is put before the names of type and sigma."""
    text = f"{', '.join(_FEATURE_TYPES)} (default: gradient)"
    kind = _FEATURE_TYPES
    group.option(f"--{prefix}type TYPE", text, kind, default="gradient", dest="feature_type")
    text = "standard deviation of a Gaussian that smooths the scan (default: 0): gradient"
    group.option(f"--{prefix}sigma MM", text, float, default=0.0, dest="feature_sigma")
    group.option("--sigmoid", "map by a sigmoid over the range: gradient, upwind")
    text = "gradients between which the sigmoid falls, in grey values per mm, instead of their smallest and largest"
    group.option("--sigmoid-range LOW HIGH", text, float)
    group.option("--upwind-factor F", "weight of the steeper side, 0 to 1: upwind", float, default=1.0)
    text = "voxels within which the maximum is taken (default: 1 1 1): fwhm"
    group.option("--radius X Y Z", text, int, default=[1, 1, 1])
    group.option("--background V", "grey value around the vessel: fwhm", float, default=0.0)
    group.option("--dimensionality N", "2 or 3 axes: vtkgradient", int, least=2, default=3)


def _feature_request(args: Namespace) -> dict[str, Any]:
    """The keyword arguments of :func:`mitk_rs.feature_image`."""
    if args.sigmoid_range and not args.sigmoid:
        raise UsageError("--sigmoid-range goes with --sigmoid")
    same = given(args, "sigmoid upwind_factor radius background dimensionality time_step threads")
    between = tuple(args.sigmoid_range) if args.sigmoid_range else None
    return {**same, "type": args.feature_type, "sigma": args.feature_sigma, "sigmoid_range": between}


# mitk-rs segment


def _add_segment(parser: CommandParser) -> None:
    parser.add_argument("input", metavar="IN", help=_SCAN)
    _add_outputs(parser)
    parser.option("--picture PICTURE", f"outlines before and after evolution to draw: {' '.join(PICTURES)}")
    parser.option("--letters", "letters of the sides of the patient and scale bars around the parts of PICTURE")
    for name, text in (("source", "where the vessel begins"), ("target", "where it ends")):
        text += ": voxel indices I J K counted from 0, or a file of points; may be repeated"
        parser.option(f"--{name} I J K", text, Points(), action="append", required=True)
    parser.points()
    parser.option("--lower L", "least grey value that fronts may enter", float)
    parser.option("--auto-lower", "lower threshold from the values at the seeds")
    parser.option("--upper U", "greatest grey value that fronts may enter", float)
    text = "collidingfronts (default): between source and targets; fastmarching: side branches too"
    parser.option("--method METHOD", text, ("collidingfronts", "fastmarching"), default="collidingfronts")
    parser.option("--iterations N", "the most iterations (default: 300)", int, least=1, default=300)
    _add_weights(parser, curvature=0.2)
    text = "standard deviation of the Gaussian of the feature image (default: half the smallest spacing)"
    parser.option("--sigma MM", text, float)
    parser.option("--sigmoid", "map gradients by a sigmoid over their range")
    parser.option("--rough", "leave the steps of voxels in the surface")
    parser.option("--open", "leave the surface open where the vessel leaves the scan")
    parser.time_step()
    parser.reading(threads=True)


_SEGMENT = """Segment the vessel between points: fronts find it, an evolving level set puts its wall on the edges.

  mitk-rs segment scan.mha -o vessel.mha --surface vessel.stl --lower 200 --source 47 48 61 --target 68 52 15
  mitk-rs segment scan.mha --mask vessel.nii.gz --lower 200 --source 47 48 61 --target 68 52 15 --picture vessel.png

It is init, features and evolve with weights that suit vessels brighter than what is around them."""


@command("segment", _add_segment, "segment a vessel between points", _SEGMENT)
def _segment(args: Namespace, session: Session) -> None:
    if args.lower is None and not args.auto_lower:
        raise UsageError("missing --lower L, or --auto-lower instead")
    if args.lower is not None and args.auto_lower:
        raise UsageError("--auto-lower and --lower exclude each other")
    files = session.results([args.input], _MISSING)
    from mitk_rs.segmentation import segment_vessel

    start = time.perf_counter()
    seeds = session.seeds()
    scan = session.read_frame(args.input, result=args.output)
    voxels = session.voxels(seeds, scan)
    if args.sigma is not None and args.sigma < 0:
        raise UsageError(f"--sigma must be >= 0, got {args.sigma:g}")
    options = given(args, "upper method iterations propagation curvature advection sigmoid time_step threads")
    options |= {"lower": "auto" if args.auto_lower else args.lower, "feature_sigma": args.sigma}
    with session.progress(f"vessel in {Path(args.input).name}") as progress:
        found = segment_vessel(scan, **voxels, **options, max_rms=args.stop_rms, progress=progress)
    report, evolved = found.report, found.report.evolution
    for warning in report.warnings:
        session.warning(warning)
    surface = found.surface(smooth=not args.rough, closed=not args.open) if args.surface else None
    picture = found.picture(scan, time_step=args.time_step, letters=args.letters) if args.picture else None
    write_results(files, found, surface, _NO_SURFACE, picture)
    seconds = time.perf_counter() - start
    pieces = "1 piece" if evolved.components == 1 else f"{evolved.components} pieces"
    session.note(
        f"wrote {' and '.join(files.values())}: {evolved.volume_ml:.4g} ml in {pieces}, before evolution "
        f"{report.initialization.volume_ml:.4g} ml; {evolved.iterations} iterations, {seconds:.2f} s"
    )
    facts = {"input": args.input, "outputs": descriptions(files), **report.as_dict()}
    session.facts({**facts, "seconds": {**facts["seconds"], "command": seconds}})


# mitk-rs features


def _add_features(parser: CommandParser) -> None:
    parser.add_argument("input", metavar="IN", help=_SCAN)
    parser.option("-o --output OUT", f"feature image to write: {_IMAGES}", required=True)
    _add_feature_options(parser.group("the feature"))
    parser.time_step()
    parser.reading(threads=True)


_FEATURES = """Compute a feature image: near 1 where the scan is homogeneous, near 0 at edges.

  mitk-rs features scan.mha -o feature.mha --sigma 1
  mitk-rs features scan.mha -o feature.mha --type upwind --sigmoid

docs/explanation/evolution.md says what each type computes."""


@command("features", _add_features, "make a feature image for evolve", _FEATURES)
def _features(args: Namespace, session: Session) -> None:
    session.check_files([args.input], [(args.output, IMAGE_SUFFIXES)])
    request = _feature_request(args)
    from mitk_rs.features import feature_image
    from mitk_rs.io import write_image

    start = time.perf_counter()
    image = session.read_frame(args.input, result=args.output)
    with session.progress(f"feature of {Path(args.input).name}") as progress:
        feature = feature_image(image, progress=progress, **request)
    low, high = float(feature.as_numpy().min()), float(feature.as_numpy().max())
    write_image(feature, args.output)
    seconds = time.perf_counter() - start
    session.note(f"wrote {args.output}: {args.feature_type}, {low:.3g} to {high:.3g}, {seconds:.2f} s")
    made = {"type": args.feature_type, "range": [low, high], "seconds": seconds}
    session.facts({"input": args.input, "outputs": descriptions({"image": args.output}), **made})


# mitk-rs evolve


def _add_evolve(parser: CommandParser) -> None:
    parser.add_argument("input", metavar="IN", help=_SCAN)
    text = "level set to start from, negative inside, or mask; may be repeated, several are united"
    parser.option("--initial LEVELSET", text, action="append", required=True)
    _add_outputs(parser)
    text = f"what draws the surface: {', '.join(_TYPES)} (default: geodesic)"
    parser.option("--type TYPE", text, _TYPES, default="geodesic")
    parser.option("--iterations N", "the most iterations", int, least=1, required=True)
    _add_weights(parser, curvature=0.0)
    parser.option("--isosurface V", "value of the initial level set on its surface", float, default=0.0)
    text = "level set that the result is united with; may be repeated"
    parser.option("--merge LEVELSET", text, action="append", default=[])
    group = parser.group("the feature image of geodesic and curves")
    group.option("--feature IMAGE", "feature image, instead of computing it from the scan")
    text = "standard deviation of a Gaussian that smooths the feature before its gradient is taken (default: 0)"
    group.option("--advection-sigma MM", text, float, default=0.0)
    _add_feature_options(group, "feature-")
    group = parser.group("type threshold")
    group.option("--lower L", "least grey value inside", float)
    group.option("--upper U", "greatest grey value inside", float)
    group.option("--edge-weight W", "weight of the edges of the smoothed scan", float, default=0.0)
    group.option("--smoothing-iterations N", "(default: 5)", int, least=0, default=5)
    group.option("--smoothing-time-step T", "(default: the largest that is stable)", float)
    group.option("--smoothing-conductance C", "(default: 0.8)", float, default=0.8)
    parser.option("--compat vmtk", "keep VMTK's defects", ("vmtk",))
    parser.time_step()
    parser.reading(threads=True)


_EVOLVE = """Evolve a level set until its surface rests on the edges of a scan.

  mitk-rs evolve scan.mha --initial level.mha -o vessel.mha --iterations 300 --curvature 0.2 --sigma 0.5
  mitk-rs evolve scan.mha --initial mask.mha -o vessel.mha --type threshold --lower 150 --upper 600 --propagation 1 --iterations 300
  mitk-rs evolve scan.mha --initial level.mha -o vessel.mha --feature feature.mha --iterations 300

docs/explanation/evolution.md says what is computed; every value is that of ITK's filters."""  # noqa: E501


@command("evolve", _add_evolve, "evolve a level set to edges", _EVOLVE)
def _evolve(args: Namespace, session: Session) -> None:
    others = [*args.initial, *args.merge, *([args.feature] if args.feature else [])]
    files = session.results([args.input, *others], _MISSING)
    request = _feature_request(args)
    from mitk_rs.evolution import evolve_level_set

    start = time.perf_counter()
    scan = session.read_frame(args.input, result=args.output)
    feature = _feature(args, scan, request, session)
    with session.progress(f"{args.type} evolution in {Path(args.input).name}") as progress:
        found = evolve_level_set(
            scan,
            [session.read(name) for name in args.initial],
            feature=feature,
            merge=[session.read(name) for name in args.merge] or None,
            progress=progress,
            **_evolution_request(args),
        )
    report = found.report
    for warning in report.warnings:
        session.warning(warning)
    write_results(files, found, found.surface() if args.surface else None, _NO_SURFACE)
    seconds = time.perf_counter() - start
    session.note(
        f"wrote {' and '.join(files.values())}: {report.iterations} iterations, stopped by {report.stopped_by}, "
        f"RMS change {report.rms[-1]:.3g} mm, {report.inside} voxels inside, {report.volume_ml:.4g} ml, {seconds:.2f} s"
    )
    facts = {"input": args.input, "outputs": descriptions(files), **report.as_dict()}
    session.facts({**facts, "seconds": {**report.seconds, "whole": seconds}})


def _feature(args: Namespace, scan: Image, request: dict[str, Any], session: Session) -> Image | None:
    if args.type not in ("geodesic", "curves"):
        if args.feature:
            raise UsageError(f"--feature is for types geodesic and curves; type {args.type} uses the scan")
        return None
    if args.feature:
        return session.read(args.feature)
    from mitk_rs.features import feature_image

    made: Image = feature_image(scan, **request)
    return made


def _evolution_request(args: Namespace) -> dict[str, Any]:
    """The keyword arguments of :func:`mitk_rs.evolve_level_set`."""
    options = given(args, "type iterations propagation curvature isosurface compat time_step threads")
    options["max_rms"] = args.stop_rms
    if args.type in ("geodesic", "curves"):
        options |= given(args, "advection advection_sigma")
    if args.type == "threshold":
        options |= given(args, "edge_weight smoothing_iterations smoothing_time_step smoothing_conductance")
        options |= {"lower_threshold": args.lower, "upper_threshold": args.upper}
    return options
