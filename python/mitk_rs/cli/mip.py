"""``mitk-rs mip``: projections of an image, as pictures or as values."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError, Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import IMAGE_SUFFIXES, check_inputs, check_outputs
from mitk_rs.cli.members import parse_float, parse_int
from mitk_rs.cli.parser import CommandParser, Numbers, Subparsers, add_common, integer, number, one_of
from mitk_rs.cli.words import repeated
from mitk_rs.errors import UsageError

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["add_parser", "run"]

_DESCRIPTION = """Project an image along an axis of its voxel grid, exactly.

  mitk-rs mip scan.mha -o mip.png                      along z, as a picture
  mitk-rs mip scan.mha -o mip.png --axis y --overlay level.mha
  mitk-rs mip scan.mha -o mip.npy --axis all           the values: mip_x.npy, mip_y.npy, mip_z.npy

The ending of OUT says what is written: .png and .tif are pictures, turned for radiologists (patient's left on the
right, anterior or superior up), with square pixels; .npy and image formats such as .mha hold the values of the
projection in the order of the voxels, with geometry where the format has one."""

_PICTURES = (".png", ".tif", ".tiff")
_VALUES = (".npy", *IMAGE_SUFFIXES)
_KINDS = ("max", "min", "mean", "sum", "std", "argmax", "argmin", "depth")
_COLORMAPS = ("grey", "inverse", "hot", "bone", "ice", "depth")


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("mip", help="project an image to a picture", description=_DESCRIPTION)
    parser.add_argument("input", metavar="IN", help="image: a file, or a folder with a DICOM series")
    parser.add_argument("-o", "--output", required=True, metavar="OUT", help="file to write: .png .tif .npy .mha ...")
    _add_projection(parser)
    _add_picture(parser)
    add_common(parser, threads=True)
    return parser


def _add_projection(parser: CommandParser) -> None:
    group = parser.add_argument_group("projection")
    axes = one_of(["x", "y", "z", "all"])
    group.add_argument("--axis", type=axes, default="z", metavar="AXIS", help="x, y, z (default) or all: three files")
    group.add_argument(
        "--kind", "--mode", type=one_of(_KINDS), default="max", metavar="KIND", help=f"{', '.join(_KINDS)}; default max"
    )
    slab = "only voxels FIRST <= index < END along the axis; either may be left out"
    group.add_argument("--slab", type=_slab, metavar="FIRST:END", help=slab)
    group.add_argument("--time-step", type=integer(minimum=0), metavar="N", help="frame of an image with several")


def _add_picture(parser: CommandParser) -> None:
    group = parser.add_argument_group("picture")
    group.add_argument("--window", type=number(), metavar="W", help="range of values from black to white")
    group.add_argument("--level", type=number(), metavar="L", help="value in the middle of the window")
    group.add_argument(
        "--percentiles",
        type=Numbers(parse_float, 2),
        metavar="LOW HIGH",
        help="window from percentiles of the projection (default: 0.5 99.8)",
    )
    group.add_argument(
        "--colormap", type=one_of(_COLORMAPS), default="grey", metavar="NAME", help=", ".join(_COLORMAPS)
    )
    group.add_argument("--bits", type=one_of(["8", "16"]), default="8", metavar="8|16", help="bits of grey")
    group.add_argument("--size", type=Numbers(parse_int, 2), metavar="W H", help="pixels; the projection is fitted in")
    group.add_argument("--overlay", metavar="LEVELSET", help="level set whose outline is drawn over the picture")
    group.add_argument(
        "--seeds",
        type=Numbers(parse_float, -1, multiple=3),
        action="append",
        default=None,
        metavar="I J K",
        help="voxels to mark, the first in another colour",
    )


def _slab(word: str) -> tuple[int | None, int | None]:
    found = re.fullmatch(r"(\d*):(\d*)", word.strip())
    if not found:
        raise ArgumentTypeError(f"expects FIRST:END, two whole numbers from 0, got {word}")
    first, end = (int(part) if part else None for part in found.groups())
    return first, end


def run(args: Namespace) -> None:
    """Check everything, read, project, write."""
    console = Console("mitk-rs mip", quiet=args.quiet, as_json=args.json)
    for option in repeated(args.words):
        if option != "--seeds":
            console.warning(f"{option} is given more than once: the last one counts")
    outputs = _outputs(args)
    check_inputs(*[path for path in (args.input, args.overlay) if path])
    inputs = [path for path in (args.input, args.overlay) if path]
    check_outputs([(path, _PICTURES + _VALUES) for path in outputs.values()], inputs=inputs, force=args.force)
    _check_combination(args)
    from mitk_rs.io import read_image

    image = read_image(args.input)
    results = _pictures(args, image) if _is_picture(args.output) else _values(args, image)
    report = [_write(result, outputs[axis]) for axis, result in results.items()]
    for path in outputs.values():
        console.note(f"wrote {path}")
    if args.json:
        console.result_json({"input": args.input, "axis": args.axis, "kind": args.kind, "outputs": report})


def _outputs(args: Namespace) -> dict[str, str]:
    """The file of each axis."""
    if args.axis != "all":
        return {args.axis: args.output}
    path = Path(args.output)
    stem = path.name[: len(path.name) - len("".join(_suffix(path)))]
    return {axis: str(path.with_name(f"{stem}_{axis}{_suffix(path)}")) for axis in "xyz"}


def _suffix(path: Path) -> str:
    return "".join(path.suffixes[-2:]) if path.name.lower().endswith(".gz") else path.suffix


def _is_picture(path: str) -> bool:
    return path.lower().endswith(_PICTURES)


def _check_combination(args: Namespace) -> None:
    if _is_picture(args.output):
        if args.percentiles and args.window is not None:
            raise UsageError("--percentiles and --window exclude each other")
        return
    given = [name for name in ("window", "level", "percentiles", "size", "overlay", "seeds") if getattr(args, name)]
    if given or args.colormap != "grey" or args.bits != "8":
        name = given[0] if given else "colormap" if args.colormap != "grey" else "bits"
        raise UsageError(f"--{name} is for pictures (.png, .tif); {args.output} gets the values of the projection")


def _values(args: Namespace, image: Image) -> dict[str, Any]:
    from mitk_rs.projection import project, project_all

    common = {"kind": args.kind, "time_step": args.time_step, "threads": args.threads}
    if args.axis == "all" and args.slab is None:
        return dict(zip("xyz", project_all(image, **common), strict=True))
    axes = "xyz" if args.axis == "all" else args.axis
    return {axis: project(image, axis=axis, slab=args.slab, **common) for axis in axes}


def _pictures(args: Namespace, image: Image) -> dict[str, Any]:
    from mitk_rs.io import read_image
    from mitk_rs.projection import axis_picture

    overlay = read_image(args.overlay) if args.overlay else None
    options = {
        "kind": args.kind,
        "slab": args.slab,
        "time_step": args.time_step,
        "shades": _shades(args),
        "size": args.size,
        "overlay": overlay,
        "seeds": _triples(args.seeds),
        "threads": args.threads,
    }
    axes = "xyz" if args.axis == "all" else args.axis
    return {axis: axis_picture(image, axis=axis, **options) for axis in axes}


def _triples(groups: list[list[float]] | None) -> list[list[float]]:
    flat = [value for group in groups or [] for value in group]
    return [flat[i : i + 3] for i in range(0, len(flat), 3)]


def _shades(args: Namespace) -> Any:
    from mitk_rs.projection import Shades

    percentiles = tuple(args.percentiles) if args.percentiles else None
    return Shades(args.window, args.level, percentiles, args.colormap, int(args.bits))


def _write(result: Any, path: str) -> dict[str, Any]:
    """Write a picture or an image; what is worth telling about it."""
    if _is_picture(path):
        from mitk_rs.projection import write_picture

        write_picture(result.pixels, path, mm=result.mm)
        height, width = result.pixels.shape[:2]
        return {"path": path, "size": [width, height], "mm_per_pixel": result.mm, "sides": result.view.letters}
    result.save(path)
    array = result.as_numpy(writeable=False)
    return {"path": path, "shape": list(array.shape), "dtype": array.dtype.name}
