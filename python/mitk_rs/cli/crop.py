"""``mitk-rs crop``: a box of an image, by voxel indices or by millimetres."""

from __future__ import annotations

import math
from argparse import Namespace
from typing import TYPE_CHECKING

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import IMAGE_SUFFIXES, add_input_options, check_files, read_input
from mitk_rs.cli.parser import CommandParser, Numbers, Subparsers
from mitk_rs.errors import RequestError, UsageError
from mitk_rs.vmtk.options import parse_float, parse_int

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["add_parser", "crop", "run"]

_DESCRIPTION = """Cut a box out of an image; every voxel stays where it is in the world.

  mitk-rs crop scan.mha part.mha --start 10 20 0 --stop 100 150 34
  mitk-rs crop scan.mha part.mha --box -80 20 -40.5 60 0 50"""

_START = "first voxel along x, y and z, counted from 0: `lower` of Image.crop"
_STOP = "voxel behind the last one along x, y and z: `upper` of Image.crop; goes with --start"
_INDEX = "the same as first and last voxel along each axis, both included"
_BOX = "bounds in LPS mm: the voxels whose centres lie inside, and on oblique axes the smallest box around them"


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("crop", help="cut a box out of an image", description=_DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="image to cut from, or -")
    parser.add_argument("output", metavar="OUT", help=f"image to write: {' '.join(IMAGE_SUFFIXES)}")
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--start", type=Numbers(parse_int, 3), metavar="I J K", help=_START)
    parser.add_argument("--stop", type=Numbers(parse_int, 3), metavar="I J K", help=_STOP)
    how.add_argument("--index", type=Numbers(parse_int, 6), metavar="I0 I1 J0 J1 K0 K1", help=_INDEX)
    how.add_argument("--box", type=Numbers(parse_float, 6), metavar="X0 X1 Y0 Y1 Z0 Z1", help=_BOX)
    add_input_options(parser)
    return parser


def run(args: Namespace) -> None:
    """Check everything, read, cut, write."""
    if (args.start is None) != (args.stop is None):
        raise UsageError("--start and --stop go together: the first voxel, and the one behind the last")
    check_files(args, [args.input], [(args.output, IMAGE_SUFFIXES)])
    from mitk_rs.io import write_image

    console = Console("mitk-rs crop", quiet=args.quiet, as_json=args.json)
    image = read_input(args, args.input, console)
    bounds = args.index or _bounds_between(args) or _bounds_of_box(image, args.box)
    part = crop(image, bounds)
    write_image(part, args.output)
    size = [bounds[2 * axis + 1] - bounds[2 * axis] + 1 for axis in range(3)]
    if args.json:
        written = {"path": args.output, "kind": "image", "size": size, "origin": part.origin}
        console.result_json({"input": args.input, "outputs": [written], "index": bounds})
    else:
        console.note(f"wrote {args.output}: {' x '.join(map(str, size))} voxels from {tuple(bounds[::2])}")


def _size(image: Image) -> list[int]:
    """Voxels along x, y, z; 1 along z for a picture."""
    return [image.get_dimension(axis) if axis < image.ndim else 1 for axis in range(3)]


def _bounds_between(args: Namespace) -> list[int]:
    """First and last index along each axis from ``--start`` and ``--stop``; empty without them."""
    if args.start is None:
        return []
    return [bound for first, end in zip(args.start, args.stop, strict=True) for bound in (first, end - 1)]


def _bounds_of_box(image: Image, box: list[float]) -> list[int]:
    """First and last index of the smallest index box with every voxel centre inside the box, cut to the image."""
    if not all(math.isfinite(value) for value in box):
        raise RequestError(f"--box {_listed(box)} must be finite")
    for name, low, high in zip("xyz", box[::2], box[1::2], strict=True):
        if low > high:
            raise RequestError(f"--box: the lower bound {low:g} is above the upper bound {high:g} along {name}")
    corners = [[x, y, z] for x in box[:2] for y in box[2:4] for z in box[4:]]
    indices = [image.world_to_index(corner) for corner in corners]
    bounds: list[int] = []
    for axis, count in enumerate(_size(image)):
        along = [float(index[axis]) for index in indices]
        # Bounds that were computed from voxel centres must not lose them to rounding.
        bounds += [max(0, math.ceil(min(along) - 1e-6)), min(count - 1, math.floor(max(along) + 1e-6))]
    if any(first > last for first, last in zip(bounds[::2], bounds[1::2], strict=True)):
        raise RequestError(f"--box {_listed(box)} holds no voxel of the image, which spans {_span(image)}")
    return bounds


def _listed(values: list[float]) -> str:
    return " ".join(f"{value:g}" for value in values)


def _span(image: Image) -> str:
    """First and last voxel centre along each axis of the world."""
    last = [count - 1 for count in _size(image)]
    corners = [image.index_to_world([i, j, k]) for i in (0, last[0]) for j in (0, last[1]) for k in (0, last[2])]
    axes = [[float(corner[axis]) for corner in corners] for axis in range(3)]
    return ", ".join(f"{name} {min(a):g}..{max(a):g}" for name, a in zip("xyz", axes, strict=True))


def crop(image: Image, bounds: list[int]) -> Image:
    """The voxels from first to last index along x, y and z (both included), as :meth:`mitk_rs.Image.crop` cuts them.

    Raises
    ------
    RequestError
        Bounds outside the image or crossed.
    """
    for axis, count in enumerate(_size(image)):
        first, last = bounds[2 * axis], bounds[2 * axis + 1]
        if first > last:
            raise RequestError(f"{'xyz'[axis]} range {first}..{last} is crossed: the first index is above the last")
        if first < 0 or last >= count:
            raise RequestError(f"{'xyz'[axis]} range {first}..{last} is outside the image (0..{count - 1})")
    dimension = min(3, image.ndim)
    return image.crop(bounds[: 2 * dimension : 2], [last + 1 for last in bounds[1 : 2 * dimension : 2]])
