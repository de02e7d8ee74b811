"""``mitk-rs features``: the feature image of a scan."""

from __future__ import annotations

import time
from argparse import Namespace, _ArgumentGroup
from pathlib import Path
from typing import Any

from mitk_rs.cli.console import Console, outputs_of_kinds
from mitk_rs.cli.files import IMAGE_SUFFIXES, add_input_options, add_time_step, check_files, read_frame
from mitk_rs.cli.parser import CommandParser, Numbers, Subparsers, integer, number, one_of
from mitk_rs.errors import UsageError
from mitk_rs.vmtk.options import parse_float, parse_int

__all__ = ["FEATURE_TYPES", "add_feature_options", "add_parser", "feature_request", "run"]

FEATURE_TYPES = ("gradient", "vtkgradient", "upwind", "fwhm")

_DESCRIPTION = """Compute a feature image: near 1 where the scan is homogeneous, near 0 at edges.

  mitk-rs features scan.mha -o feature.mha --sigma 1
  mitk-rs features scan.mha -o feature.mha --type upwind --sigmoid

docs/explanation/evolution.md says what each type computes."""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("features", help="make a feature image for evolve", description=_DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="scan: a file, a folder with a DICOM series, or -")
    parser.add_argument(
        "-o", "--output", required=True, metavar="OUT", help=f"feature image to write: {' '.join(IMAGE_SUFFIXES)}"
    )
    add_feature_options(parser.add_argument_group("the feature"), prefix="")
    add_time_step(parser)
    add_input_options(parser, threads=True)
    return parser


def add_feature_options(group: _ArgumentGroup, *, prefix: str) -> None:
    """Add the options of :func:`mitk_rs.feature_image`; ``prefix`` is put before the names of type and sigma."""
    kinds = ", ".join(FEATURE_TYPES)
    group.add_argument(
        f"--{prefix}type", type=one_of(FEATURE_TYPES), default="gradient", metavar="TYPE", dest="feature_type",
        help=f"{kinds} (default: gradient)",
    )  # fmt: skip
    group.add_argument(
        f"--{prefix}sigma", type=number(), default=0.0, metavar="MM", dest="feature_sigma",
        help="standard deviation of a Gaussian that smooths the scan (default: 0): gradient",
    )  # fmt: skip
    group.add_argument("--sigmoid", action="store_true", help="map by a sigmoid over the range: gradient, upwind")
    group.add_argument(
        "--sigmoid-range", type=Numbers(parse_float, 2), metavar="LOW HIGH",
        help="gradients between which the sigmoid falls, in grey values per mm, instead of their smallest and largest",
    )  # fmt: skip
    group.add_argument(
        "--upwind-factor", type=number(), default=1.0, metavar="F", help="weight of the steeper side, 0 to 1: upwind"
    )
    group.add_argument(
        "--radius", type=Numbers(parse_int, 3), default=[1, 1, 1], metavar="X Y Z",
        help="voxels within which the maximum is taken (default: 1 1 1): fwhm",
    )  # fmt: skip
    group.add_argument(
        "--background", type=number(), default=0.0, metavar="V", help="grey value around the vessel: fwhm"
    )
    group.add_argument(
        "--dimensionality", type=integer(minimum=2), default=3, metavar="N", help="2 or 3 axes: vtkgradient"
    )


def feature_request(args: Namespace) -> dict[str, Any]:
    """The keyword arguments of :func:`mitk_rs.feature_image`."""
    if args.sigmoid_range and not args.sigmoid:
        raise UsageError("--sigmoid-range goes with --sigmoid")
    return {
        "type": args.feature_type,
        "sigma": args.feature_sigma,
        "sigmoid": args.sigmoid,
        "sigmoid_range": tuple(args.sigmoid_range) if args.sigmoid_range else None,
        "upwind_factor": args.upwind_factor,
        "radius": args.radius,
        "background": args.background,
        "dimensionality": args.dimensionality,
        "time_step": args.time_step,
        "threads": args.threads,
    }


def run(args: Namespace) -> None:
    """Check everything, read, compute, write."""
    check_files(args, [args.input], [(args.output, IMAGE_SUFFIXES)])
    request = feature_request(args)
    from mitk_rs.features import feature_image
    from mitk_rs.io import write_image

    console = Console("mitk-rs features", quiet=args.quiet, as_json=args.json)
    start = time.perf_counter()
    image = read_frame(args, args.input, console, result=args.output)
    with console.progress(f"feature of {Path(args.input).name}") as progress:
        feature = feature_image(image, progress=progress, **request)
    low, high = float(feature.as_numpy().min()), float(feature.as_numpy().max())
    write_image(feature, args.output)
    seconds = time.perf_counter() - start
    if args.json:
        made = {"type": args.feature_type, "range": [low, high], "seconds": seconds}
        console.result_json({"input": args.input, "outputs": outputs_of_kinds(image=args.output), **made})
    else:
        console.note(f"wrote {args.output}: {args.feature_type}, {low:.3g} to {high:.3g}, {seconds:.2f} s")
