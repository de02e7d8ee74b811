"""``mitk-rs segment``: a vessel from its scan in one call."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mitk_rs.cli.console import Console, outputs_of_kinds
from mitk_rs.cli.evolve import add_outputs, add_weights, outputs_of, write_outputs
from mitk_rs.cli.files import add_input_options, add_time_step, check_files, read_frame
from mitk_rs.cli.parser import CommandParser, Points, Subparsers, integer, number, one_of
from mitk_rs.cli.seeds import given_seeds, voxels_of
from mitk_rs.errors import UsageError

if TYPE_CHECKING:
    from mitk_rs.image import Image
    from mitk_rs.segmentation import VesselSegmentation

__all__ = ["add_parser", "run"]

METHODS = ("collidingfronts", "fastmarching")
PICTURES = (".png", ".tif", ".tiff")

_DESCRIPTION = """Segment the vessel between points: fronts find it, an evolving level set puts its wall on the edges.

  mitk-rs segment scan.mha -o vessel.mha --surface vessel.stl --lower 200 --source 47 48 61 --target 68 52 15
  mitk-rs segment scan.mha --mask vessel.nii.gz --lower 200 --source 47 48 61 --target 68 52 15 --picture vessel.png

It is init, features and evolve with weights that suit vessels brighter than what is around them."""

_EXCLUDED = "--auto-lower and --lower exclude each other"
_POINTS = (
    "what the numbers of sources and targets are: index (default; whole voxels from 0), physical (LPS mm, nearest "
    "voxel) or ras (RAS mm); files of points say it themselves"
)


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("segment", help="segment a vessel between points", description=_DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="scan: a file, a folder with a DICOM series, or -")
    add_outputs(parser)
    parser.add_argument(
        "--picture", metavar="PICTURE", help=f"outlines before and after evolution to draw: {' '.join(PICTURES)}"
    )
    text = "letters of the sides of the patient and scale bars around the parts of PICTURE"
    parser.add_argument("--letters", action="store_true", help=text)
    _add_vessel(parser)
    parser.add_argument(
        "--iterations", type=integer(minimum=1), default=300, metavar="N", help="the most iterations (default: 300)"
    )
    add_weights(parser, propagation=0.0, curvature=0.2, advection=1.0)
    parser.add_argument(
        "--sigma", type=number(), metavar="MM",
        help="standard deviation of the Gaussian of the feature image (default: half the smallest spacing)",
    )  # fmt: skip
    parser.add_argument("--sigmoid", action="store_true", help="map gradients by a sigmoid over their range")
    parser.add_argument("--rough", action="store_true", help="leave the steps of voxels in the surface")
    parser.add_argument("--open", action="store_true", help="leave the surface open where the vessel leaves the scan")
    add_time_step(parser)
    add_input_options(parser, threads=True)
    return parser


def _add_vessel(parser: CommandParser) -> None:
    for name, text in (("source", "where the vessel begins"), ("target", "where it ends")):
        parser.add_argument(
            f"--{name}", type=Points(), action="append", required=True, metavar="I J K",
            help=f"{text}: voxel indices I J K counted from 0, or a file of points; may be repeated",
        )  # fmt: skip
    parser.add_argument(
        "--points", type=one_of(["index", "physical", "ras"]), default="index", metavar="KIND", help=_POINTS
    )
    parser.add_argument("--lower", type=number(), metavar="L", help="least grey value that fronts may enter")
    parser.add_argument("--auto-lower", action="store_true", help="lower threshold from the values at the seeds")
    parser.add_argument("--upper", type=number(), metavar="U", help="greatest grey value that fronts may enter")
    parser.add_argument(
        "--method", type=one_of(METHODS), default="collidingfronts", metavar="METHOD",
        help="collidingfronts (default): between source and targets; fastmarching: side branches too",
    )  # fmt: skip


def run(args: Namespace) -> None:
    """Check everything, read, compute, write."""
    if args.auto_lower == (args.lower is not None):
        raise UsageError("missing --lower L, or --auto-lower instead" if args.lower is None else _EXCLUDED)
    outputs = outputs_of(args) if not args.picture else [*_others(args), (args.picture, PICTURES)]
    check_files(args, [args.input], outputs)
    from mitk_rs.segmentation import segment_vessel

    console = Console("mitk-rs segment", quiet=args.quiet, as_json=args.json)
    start = time.perf_counter()
    seeds = {name: given_seeds(args, name, name) for name in ("source", "target")}
    scan = read_frame(args, args.input, console, result=args.output)
    sources, targets = (voxels_of(seeds[name], name, scan, args.time_step) for name in ("source", "target"))
    lower: float | Literal["auto"] = "auto" if args.auto_lower else args.lower
    with console.progress(f"vessel in {Path(args.input).name}") as progress:
        found = segment_vessel(scan, sources, targets, lower, progress=progress, **_options(args))
    for warning in found.report.warnings:
        console.warning(warning)
    _write(args, scan, found)
    _tell(args, found, time.perf_counter() - start, console)


def _others(args: Namespace) -> list[tuple[str, tuple[str, ...]]]:
    return outputs_of(args) if args.output or args.mask or args.surface else []


def _options(args: Namespace) -> dict[str, Any]:
    """The keyword arguments of :func:`mitk_rs.segment_vessel`."""
    if args.sigma is not None and args.sigma < 0:
        raise UsageError(f"--sigma must be >= 0, got {args.sigma:g}")
    names = (
        "upper",
        "method",
        "iterations",
        "propagation",
        "curvature",
        "advection",
        "sigmoid",
        "time_step",
        "threads",
    )
    options = {name: getattr(args, name) for name in names}
    return {**options, "feature_sigma": args.sigma, "max_rms": args.stop_rms}


def _write(args: Namespace, scan: Image, found: VesselSegmentation) -> None:
    from mitk_rs.io.atomic import atomic_outputs
    from mitk_rs.projection import write_picture

    surface = found.surface(smooth=not args.rough, closed=not args.open) if args.surface else None
    with atomic_outputs():
        if args.picture:
            write_picture(found.picture(scan, time_step=args.time_step, letters=args.letters), args.picture)
        write_outputs(args, found, surface)


def _tell(args: Namespace, found: VesselSegmentation, seconds: float, console: Console) -> None:
    report, evolved = found.report, found.report.evolution
    if args.json:
        made = outputs_of_kinds(image=args.output, mask=args.mask, surface=args.surface, picture=args.picture)
        plain = report.as_dict()
        return console.result_json(
            {"input": args.input, "outputs": made, **plain, "seconds": {**plain["seconds"], "command": seconds}}
        )
    written = " and ".join(name for name in (args.output, args.mask, args.surface, args.picture) if name)
    pieces = "1 piece" if evolved.components == 1 else f"{evolved.components} pieces"
    console.note(
        f"wrote {written}: {evolved.volume_ml:.4g} ml in {pieces}, before evolution "
        f"{report.initialization.volume_ml:.4g} ml; {evolved.iterations} iterations, {seconds:.2f} s"
    )
    return None
