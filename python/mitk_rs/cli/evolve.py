"""``mitk-rs evolve``: a level set evolves until its surface rests on the edges of a scan."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.console import Console, outputs_of_kinds
from mitk_rs.cli.features import add_feature_options, feature_request
from mitk_rs.cli.files import (
    IMAGE_SUFFIXES,
    SURFACE_SUFFIXES,
    add_input_options,
    add_time_step,
    check_files,
    read_frame,
    read_input,
)
from mitk_rs.cli.parser import CommandParser, Subparsers, integer, number, one_of
from mitk_rs.errors import RequestError, UsageError

if TYPE_CHECKING:
    from vtkmodules.vtkCommonDataModel import vtkPolyData

    from mitk_rs.evolution import LevelSetEvolution
    from mitk_rs.image import Image

__all__ = ["add_outputs", "add_parser", "add_weights", "outputs_of", "run", "write_outputs"]

EVOLUTION_TYPES = ("geodesic", "curves", "threshold", "laplacian")

_DESCRIPTION = """Evolve a level set until its surface rests on the edges of a scan.

  mitk-rs evolve scan.mha --initial level.mha -o vessel.mha --iterations 300 --curvature 0.2 --sigma 0.5
  mitk-rs evolve scan.mha --initial mask.mha -o vessel.mha --type threshold --lower 150 --upper 600 --propagation 1 --iterations 300
  mitk-rs evolve scan.mha --initial level.mha -o vessel.mha --feature feature.mha --iterations 300

docs/explanation/evolution.md says what is computed; every value is that of ITK's filters."""  # noqa: E501


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("evolve", help="evolve a level set to edges", description=_DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="scan: a file, a folder with a DICOM series, or -")
    parser.add_argument(
        "--initial", required=True, action="append", metavar="LEVELSET",
        help="level set to start from, negative inside, or mask; may be repeated, several are united",
    )  # fmt: skip
    add_outputs(parser)
    parser.add_argument(
        "--type", type=one_of(EVOLUTION_TYPES), default="geodesic", metavar="TYPE",
        help=f"what draws the surface: {', '.join(EVOLUTION_TYPES)} (default: geodesic)",
    )  # fmt: skip
    parser.add_argument("--iterations", type=integer(minimum=1), required=True, metavar="N", help="the most iterations")
    add_weights(parser, propagation=0.0, curvature=0.0, advection=1.0)
    parser.add_argument(
        "--isosurface", type=number(), default=0.0, metavar="V", help="value of the initial level set on its surface"
    )
    parser.add_argument(
        "--merge", action="append", default=[], metavar="LEVELSET",
        help="level set that the result is united with; may be repeated",
    )  # fmt: skip
    group = parser.add_argument_group("the feature image of geodesic and curves")
    group.add_argument("--feature", metavar="IMAGE", help="feature image, instead of computing it from the scan")
    group.add_argument(
        "--advection-sigma", type=number(), default=0.0, metavar="MM",
        help="standard deviation of a Gaussian that smooths the feature before its gradient is taken (default: 0)",
    )  # fmt: skip
    add_feature_options(group, prefix="feature-")
    _add_threshold_options(parser)
    parser.add_argument("--compat", type=one_of(["vmtk"]), metavar="vmtk", help="keep VMTK's defects")
    add_time_step(parser)
    add_input_options(parser, threads=True)
    return parser


def add_outputs(parser: CommandParser) -> None:
    """Add the options that name what is written."""
    images = " ".join(IMAGE_SUFFIXES)
    parser.add_argument("-o", "--output", metavar="LEVELSET", help=f"level set to write: {images}")
    parser.add_argument("--mask", metavar="MASK", help="mask to write, 1 inside")
    parser.add_argument("--surface", metavar="SURFACE", help=f"surface to write: {' '.join(SURFACE_SUFFIXES)}")


def add_weights(parser: CommandParser, *, propagation: float, curvature: float, advection: float) -> None:
    """Add the weights of the terms, and when to stop."""
    texts = {
        "propagation": ("weight of growth", propagation),
        "curvature": ("weight of smoothing", curvature),
        "advection": ("weight of the way to edges", advection),
    }
    for name, (text, default) in texts.items():
        parser.add_argument(
            f"--{name}", type=number(), default=default, metavar="W", help=f"{text} (default: {default:g})"
        )
    parser.add_argument(
        "--stop-rms", type=number(), default=1e-20, metavar="MM",
        help="stop once the RMS change of an iteration is below this",
    )  # fmt: skip


def _add_threshold_options(parser: CommandParser) -> None:
    group = parser.add_argument_group("type threshold")
    group.add_argument("--lower", type=number(), metavar="L", help="least grey value inside")
    group.add_argument("--upper", type=number(), metavar="U", help="greatest grey value inside")
    group.add_argument(
        "--edge-weight", type=number(), default=0.0, metavar="W", help="weight of the edges of the smoothed scan"
    )
    group.add_argument("--smoothing-iterations", type=integer(minimum=0), default=5, metavar="N", help="(default: 5)")
    group.add_argument(
        "--smoothing-time-step", type=number(), metavar="T", help="(default: the largest that is stable)"
    )
    group.add_argument("--smoothing-conductance", type=number(), default=0.8, metavar="C", help="(default: 0.8)")


def run(args: Namespace) -> None:
    """Check everything, read, compute, write."""
    others = [*args.initial, *args.merge, *([args.feature] if args.feature else [])]
    check_files(args, [args.input, *others], outputs_of(args))
    request = feature_request(args)
    from mitk_rs.evolution import evolve_level_set

    console = Console("mitk-rs evolve", quiet=args.quiet, as_json=args.json)
    start = time.perf_counter()
    scan = read_frame(args, args.input, console, result=args.output)
    feature = _feature(args, scan, request, console)
    with console.progress(f"{args.type} evolution in {Path(args.input).name}") as progress:
        found = evolve_level_set(
            scan,
            [read_input(args, name, console) for name in args.initial],
            feature=feature,
            merge=[read_input(args, name, console) for name in args.merge] or None,
            progress=progress,
            **_options(args),
        )
    for warning in found.report.warnings:
        console.warning(warning)
    surface = found.surface() if args.surface else None
    write_outputs(args, found, surface)
    _tell(args, found, time.perf_counter() - start, console)


def outputs_of(args: Namespace) -> list[tuple[str, tuple[str, ...]]]:
    """The files to write, with the endings that they may have."""
    kinds: list[tuple[str, tuple[str, ...]]]
    kinds = [(args.output, IMAGE_SUFFIXES), (args.mask, IMAGE_SUFFIXES), (args.surface, SURFACE_SUFFIXES)]
    outputs = [(name, suffixes) for name, suffixes in kinds if name]
    if not outputs and not args.json:
        raise UsageError("missing -o LEVELSET, --mask MASK or --surface SURFACE: the result would not be stored")
    return outputs


def _feature(args: Namespace, scan: Image, request: dict[str, Any], console: Console) -> Image | None:
    if args.type not in ("geodesic", "curves"):
        if args.feature:
            raise UsageError(f"--feature is for types geodesic and curves; type {args.type} uses the scan")
        return None
    if args.feature:
        return read_input(args, args.feature, console)
    from mitk_rs.features import feature_image

    made: Image = feature_image(scan, **request)
    return made


def _options(args: Namespace) -> dict[str, Any]:
    """The keyword arguments of :func:`mitk_rs.evolve_level_set` that are options of the same name."""
    names = ("type", "iterations", "propagation", "curvature", "isosurface", "compat", "time_step", "threads")
    options = {name: getattr(args, name) for name in names}
    options["max_rms"] = args.stop_rms
    if args.type in ("geodesic", "curves"):
        options |= {"advection": args.advection, "advection_sigma": args.advection_sigma}
    if args.type == "threshold":
        smoothing = ("smoothing_iterations", "smoothing_time_step", "smoothing_conductance")
        options |= {name: getattr(args, name) for name in ("edge_weight", *smoothing)}
        options |= {"lower_threshold": args.lower, "upper_threshold": args.upper}
    return options


def write_outputs(args: Namespace, found: Any, surface: vtkPolyData | None) -> None:
    """Write level set, mask and surface: all of them or none.

    Raises
    ------
    RequestError
        A surface is wanted and there is none.
    """
    from mitk_rs.io import write_image
    from mitk_rs.io.atomic import atomic_outputs
    from mitk_rs.surface import write_surface

    if surface is not None and surface.GetNumberOfPoints() == 0:
        raise RequestError("the surface vanished: there is none to write")
    with atomic_outputs():
        if surface is not None:
            write_surface(surface, args.surface)
        if args.mask:
            write_image(found.mask, args.mask)
        if args.output:
            write_image(found.level_set, args.output)


def _tell(args: Namespace, found: LevelSetEvolution, seconds: float, console: Console) -> None:
    report = found.report
    if args.json:
        facts = {
            "input": args.input,
            "outputs": outputs_of_kinds(image=args.output, mask=args.mask, surface=args.surface),
        }
        return console.result_json({**facts, **report.as_dict(), "seconds": {**report.seconds, "whole": seconds}})
    written = " and ".join(name for name in (args.output, args.mask, args.surface) if name)
    console.note(
        f"wrote {written}: {report.iterations} iterations, stopped by {report.stopped_by}, RMS change "
        f"{report.rms[-1]:.3g} mm, {report.inside} voxels inside, {report.volume_ml:.4g} ml, {seconds:.2f} s"
    )
    return None
