"""``mitk-rs surface``: the surface of an image at a level, as a file."""

from __future__ import annotations

import time
from argparse import Namespace

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import SURFACE_SUFFIXES, add_input_options, add_time_step, check_files, read_frame
from mitk_rs.cli.parser import CommandParser, Subparsers, number
from mitk_rs.errors import RequestError

__all__ = ["add_parser", "run"]

_DESCRIPTION = """Triangulate the surface where an image takes a value, in world coordinates (LPS mm).

  mitk-rs surface level.mha -o vessel.stl

Triangles face larger values: outwards for a level set. The surface is open where it meets the border."""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("surface", help="cut the surface of a level set", description=_DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="level set or any scalar image, or -")
    parser.add_argument(
        "-o", "--output", required=True, metavar="SURFACE", help=f"file to write: {' '.join(SURFACE_SUFFIXES)}"
    )
    parser.add_argument(
        "--isosurface",
        "--level",
        dest="level",
        type=number(),
        default=0.0,
        metavar="V",
        help="value of the image on the surface (default: 0)",
    )
    add_time_step(parser)
    add_input_options(parser)
    return parser


def run(args: Namespace) -> None:
    """Check everything, read, cut, write."""
    check_files(args, [args.input], [(args.output, SURFACE_SUFFIXES)])
    from mitk_rs.surface import extract_surface, write_surface

    console = Console("mitk-rs surface", quiet=args.quiet, as_json=args.json)
    start = time.perf_counter()
    image = read_frame(args, args.input, console)
    surface = extract_surface(image, args.level, time_step=args.time_step)
    triangles, points = surface.GetNumberOfCells(), surface.GetNumberOfPoints()
    if triangles == 0:
        raise RequestError(f"{args.input} does not cross the level {args.level:g}: there is no surface to write")
    write_surface(surface, args.output)
    seconds = time.perf_counter() - start
    if args.json:
        console.result_json(
            {
                "input": args.input,
                "outputs": [{"path": args.output, "kind": "surface"}],
                "level": args.level,
                "triangles": triangles,
                "points": points,
                "bounds": surface.GetBounds(),
                "seconds": seconds,
            }
        )
    else:
        console.note(f"wrote {args.output}: {triangles} triangles, {points} points, {seconds:.2f} s")
