"""``mitk-rs convert``: an image in another format or pixel type."""

from __future__ import annotations

import time
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import (
    add_input_options,
    add_time_step,
    all_image_suffixes,
    check_files,
    check_time_step,
    read_input,
)
from mitk_rs.cli.parser import CommandParser, Numbers, Subparsers, number, one_of
from mitk_rs.errors import RequestError, UsageError
from mitk_rs.vmtk.options import parse_float

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mitk_rs.image import Image

__all__ = ["PIXEL_TYPES", "add_parser", "run"]

PIXEL_TYPES = (
    "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64",
)  # fmt: skip

INTERPOLATIONS = ("linear", "nearest", "bspline", "lanczos")

_DESCRIPTION = """Write an image in the format that the ending of OUT names; voxels, geometry and time steps are kept.

  mitk-rs convert dicom-folder scan.mha
  mitk-rs convert scan.nii.gz scan.nrrd --pixel-type float32
  mitk-rs convert dicom-folder scan.mha --allow-gaps --orthogonal     a scan with a tilted gantry
  mitk-rs convert scan.mha fine.mha --spacing 0.5 0.5 0.5

What a format cannot hold is refused, and so is a pixel type that would change a value."""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("convert", help="write an image in another format", description=_DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="image: a file, a folder with a DICOM series, or -")
    parser.add_argument("output", metavar="OUT", help="image to write; its ending names the format")
    parser.add_argument(
        "--pixel-type", type=one_of(PIXEL_TYPES), metavar="TYPE", help=f"one of {', '.join(PIXEL_TYPES)}"
    )
    parser.add_argument("--round", action="store_true", help="let --pixel-type round and clip values")
    add_time_step(parser, "write this frame only")
    _add_resampling(parser)
    add_input_options(parser)
    return parser


def _add_resampling(parser: CommandParser) -> None:
    group = parser.add_argument_group("resampling")
    text = "distances of voxels along x, y and z, or one for all"
    group.add_argument("--spacing", type=Numbers(parse_float, -1), metavar="MM", help=text)
    group.add_argument("--like", metavar="IMAGE", help="take the grid of this image")
    text = "make the axes orthogonal, which those of a tilted gantry are not"
    group.add_argument("--orthogonal", action="store_true", help=text)
    kinds = f"{', '.join(INTERPOLATIONS)} (default: linear); nearest is for labels"
    group.add_argument("--interpolation", type=one_of(INTERPOLATIONS), default="linear", metavar="KIND", help=kinds)
    text = "value outside of the image (default: its least value)"
    group.add_argument("--fill", type=number(), metavar="V", help=text)


def run(args: Namespace) -> None:
    """Check everything, read, convert, write."""
    resampling = _resampling(args)
    inputs = [args.input, *([args.like] if args.like else [])]
    check_files(args, inputs, [(args.output, all_image_suffixes())])
    from mitk_rs.io import write_image

    console = Console("mitk-rs convert", quiet=args.quiet, as_json=args.json)
    start = time.perf_counter()
    image = read_input(args, args.input, console)
    if args.time_step is not None:
        check_time_step(image, args.input, args.time_step)
        image = frame(image, args.time_step)
    if resampling:
        like = read_input(args, args.like, console) if args.like else None
        image = image.resample(**{**resampling, "like": like})
    if args.pixel_type is not None:
        image = cast(image, args.pixel_type, rounded=args.round)
    write_image(image, args.output)
    seconds = time.perf_counter() - start
    size = [image.get_dimension(axis) for axis in range(image.ndim)]
    if args.json:
        written = {"path": args.output, "kind": "image", "size": size, "pixel_type": image.dtype.name}
        console.result_json({"input": args.input, "outputs": [written], "seconds": seconds})
    else:
        console.note(f"wrote {args.output}: {' x '.join(map(str, size))} {image.dtype.name}, {seconds:.2f} s")


def _resampling(args: Namespace) -> dict[str, Any]:
    """The keyword arguments of :meth:`mitk_rs.Image.resample`; none where nothing is resampled."""
    grids = [name for name in ("spacing", "orthogonal", "like") if getattr(args, name)]
    if not grids:
        if args.fill is not None or args.interpolation != "linear":
            raise UsageError("--interpolation and --fill go with --spacing, --like or --orthogonal")
        return {}
    if args.like and len(grids) > 1:
        raise UsageError(f"--like does not go with --{grids[0]}: it has a grid of its own")
    if args.spacing and len(args.spacing) not in (1, 2, 3):
        raise UsageError(f"--spacing needs one, two or three values, got {len(args.spacing)}")
    spacing = args.spacing[0] if args.spacing and len(args.spacing) == 1 else args.spacing
    chosen = {"spacing": spacing, "orthogonal": args.orthogonal}
    return {**chosen, "interpolation": args.interpolation, "fill": args.fill}


def frame(image: Image, time_step: int) -> Image:
    """One time step as an image of its own, with the properties of the whole."""
    place = image.get_spacing(time_step), image.get_origin(time_step), image.get_direction(time_step)
    voxels = image.as_numpy(writeable=False, time_step=time_step)
    return image._like(voxels.copy(), *place, components=image.components > 1, properties=True)


def cast(image: Image, pixel_type: str, *, rounded: bool) -> Image:
    """The image with another pixel type; every value must survive unless ``rounded``."""
    import numpy as np

    kind = np.dtype(pixel_type)
    voxels = image.as_numpy(writeable=False)
    if rounded and voxels.dtype.kind == "f" and kind.kind in "iu":
        voxels = np.rint(np.nan_to_num(voxels, nan=0.0, posinf=np.inf, neginf=-np.inf))
    below, above = _beyond(voxels, kind)
    with np.errstate(invalid="ignore", over="ignore"):
        made = voxels.astype(kind)
        if not rounded and (below.any() or above.any() or not _come_back(made, voxels)):
            raise RequestError(f"{pixel_type} cannot hold every value of the image; --round rounds and clips them")
    if kind.kind in "iu":
        made[below], made[above] = np.iinfo(kind).min, np.iinfo(kind).max
    converted = image._like(made, components=image.components > 1, properties=True)
    converted.time_geometry = image.time_geometry
    return converted


def _beyond(voxels: NDArray[Any], kind: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Which voxels are below and above all numbers of a type of whole numbers; casts would wrap or saturate."""
    import numpy as np

    if kind.kind == "f":
        nowhere = np.zeros((), bool)
        return nowhere, nowhere
    ends = np.iinfo(kind)
    # One more than the greatest is a power of two, which single precision holds, too.
    return voxels < ends.min, voxels >= ends.max + 1


def _come_back(made: NDArray[Any], voxels: NDArray[Any]) -> bool:
    """Whether a cast back gives the voxels again."""
    import numpy as np

    beyond = any(part.any() for part in _beyond(made, voxels.dtype))
    return not beyond and np.array_equal(made.astype(voxels.dtype), voxels, equal_nan=voxels.dtype.kind == "f")
