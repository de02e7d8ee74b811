"""``mitk-rs mip``: projections of an image, as pictures, turntables, values or in a window."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError, Namespace
from pathlib import Path

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import add_input_options, add_time_step, check_inputs, check_outputs, read_input
from mitk_rs.cli.mip_outputs import ANIMATIONS, PICTURES, VALUES, is_picture, make_outputs, output_names
from mitk_rs.cli.parser import CommandParser, Numbers, Points, Subparsers, integer, number, one_of
from mitk_rs.cli.words import repeated
from mitk_rs.errors import UsageError
from mitk_rs.vmtk.options import parse_float, parse_int

__all__ = ["add_parser", "run"]

_DESCRIPTION = """Project an image: along an axis of its voxel grid, exactly, or from any direction.

  mitk-rs mip scan.mha -o mip.png                      along z, as a picture
  mitk-rs mip scan.mha -o mip.png --axis y --overlay level.mha
  mitk-rs mip scan.mha -o mip.npy --axis all           the values: mip_x.npy, mip_y.npy, mip_z.npy
  mitk-rs mip scan.mha -o mip.png --azimuth 30 --elevation 10
  mitk-rs mip scan.mha -o turn.gif --spin 36           a turntable; turn.png gives turn_000.png, turn_001.png, ...
  mitk-rs mip scan.mha -o sheet.png --montage          x, y and z with scale bar and sides of the patient
  mitk-rs mip scan.mha --show                          a window

The ending of OUT says what is written: .png and .tif are pictures, turned for radiologists (patient's left on the
right, anterior or superior up), with square pixels; .npy and image formats such as .mha hold the values of the
projection, along an axis in the order of the voxels, with geometry where the format has one."""

_EPILOG = """Azimuth 0 and elevation 0 look from the front of the patient. Azimuth turns the camera towards the
patient's left (90: left side, 180: back), elevation lifts it towards the head (90: from above), roll turns the picture
clockwise.
All directions are those of the world (LPS), whatever the direction of the image."""

_KINDS = ("max", "min", "mean", "sum", "std", "argmax", "argmin", "depth")
_PLACES = ("argmax", "argmin", "depth")
_COLORMAPS = ("grey", "inverse", "hot", "bone", "ice", "depth")
_VIEW_OPTIONS = ("azimuth", "elevation", "roll", "direction", "up", "perspective", "zoom", "sample_distance")
_PICTURE_OPTIONS = ("window", "level", "percentiles", "overlay", "seeds", "lower", "colormap", "letters", "ticks")


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser(
        "mip", help="project an image to a picture", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("input", metavar="IN", help="image: a file, a folder with a DICOM series, or -")
    endings = "file to write: .png .tif .npy .mha ..., with --spin also .gif .webp"
    parser.add_argument("-o", "--output", metavar="OUT", help=endings)
    parser.add_argument("--show", action="store_true", help="open a window instead; needs a display")
    _add_projection(parser)
    _add_view(parser)
    _add_picture(parser)
    add_input_options(parser, threads=True)
    return parser


def _add_projection(parser: CommandParser) -> None:
    group = parser.add_argument_group("projection along an axis")
    axes = one_of(["x", "y", "z", "all"])
    group.add_argument("--axis", type=axes, metavar="AXIS", help="x, y, z (default) or all: three files")
    kinds = f"{', '.join(_KINDS)}; default max; from a direction max or depth (mm)"
    group.add_argument("--kind", "--mode", type=one_of(_KINDS), default="max", metavar="KIND", help=kinds)
    slab = "only voxels FIRST <= index < END along the axis; either may be left out"
    group.add_argument("--slab", type=_slab, metavar="FIRST:END", help=slab)
    add_time_step(group)


def _add_view(parser: CommandParser) -> None:
    group = parser.add_argument_group("projection from any direction")
    for name, text in (
        ("azimuth", "around the body axis"),
        ("elevation", "towards the head"),
        ("roll", "of the picture"),
    ):
        group.add_argument(f"--{name}", type=number(), metavar="DEGREES", help=f"angle {text}")
    world = Numbers(parse_float, 3)
    group.add_argument("--direction", type=world, metavar="X Y Z", help="where the camera looks to, instead of angles")
    group.add_argument("--up", type=world, metavar="X Y Z", help="what is up in the picture")
    angle = "rays from an eye with this view angle (VTK's is 30) instead of parallel ones"
    group.add_argument("--perspective", type=number(), nargs="?", const=30.0, metavar="DEGREES", help=angle)
    group.add_argument("--zoom", type=number(), metavar="Z", help="magnification; 1 just shows everything")
    distance = "from sample to sample along a ray (default: half the smallest spacing)"
    group.add_argument("--sample-distance", type=number(), metavar="MM", help=distance)
    group.add_argument("--spin", type=integer(minimum=1), metavar="N", help="a whole turn in N pictures")
    group.add_argument("--seconds", type=number(), default=4.0, metavar="S", help="duration of a turn (default: 4)")


def _add_picture(parser: CommandParser) -> None:
    group = parser.add_argument_group("picture")
    group.add_argument("--window", type=number(), metavar="W", help="range of values from black to white")
    group.add_argument("--level", type=number(), metavar="L", help="value in the middle of the window")
    shares = Numbers(parse_float, 2)
    text = "window from percentiles of the projection (default: 0.5 99.8)"
    group.add_argument("--percentiles", type=shares, metavar="LOW HIGH", help=text)
    text = f"{', '.join(_COLORMAPS)} (default: grey; depth for argmax, argmin and depth)"
    group.add_argument("--colormap", type=one_of(_COLORMAPS), metavar="NAME", help=text)
    group.add_argument("--bits", type=one_of(["8", "16"]), default="8", metavar="8|16", help="bits of grey")
    group.add_argument("--size", type=Numbers(parse_int, 2), metavar="W H", help="pixels; the projection is fitted in")
    text = "voxel indices along the edges of a projection along an axis, or of a contact sheet"
    group.add_argument("--ticks", action="store_true", help=text)
    text = "letters of the sides of the patient (L R A P S I) around the picture, and a scale bar"
    group.add_argument("--letters", action="store_true", help=text)
    text = "pictures of argmax and depth are black where the maximum is below V (default: Otsu's threshold)"
    group.add_argument("--lower", type=number(), metavar="V", help=text)
    group.add_argument("--overlay", metavar="LEVELSET", help="level set whose outline is drawn over the picture")
    text = "voxels to mark, the first in another colour; or a file of points"
    group.add_argument("--seeds", type=Points(), action="append", metavar="I J K", help=text)
    group.add_argument("--montage", action="store_true", help="contact sheet of x, y and z with scale bar")


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
    args.mode = _mode(args)
    _check_combination(args)
    args.colormap = args.colormap or ("depth" if args.kind in _PLACES and args.mode != "montage" else "grey")
    inputs = [path for path in (args.input, args.overlay) if path]
    check_inputs(*inputs)
    if args.mode == "show":
        _show(args, console)
        return
    outputs = output_names(args)
    allowed = (
        ANIMATIONS + PICTURES if args.mode == "spin" else PICTURES if args.mode == "montage" else PICTURES + VALUES
    )
    check_outputs([(path, allowed) for path in outputs], inputs=inputs, force=args.force)
    report = make_outputs(args, outputs, console)
    for path in outputs:
        console.note(f"wrote {path}")
    if args.json:
        console.result_json({"input": args.input, "mode": args.mode, "kind": args.kind, "outputs": report})


def _given(args: Namespace, names: tuple[str, ...]) -> list[str]:
    # Not `in (None, False)`: that would take an angle of 0 for nothing.
    found = [name for name in names if getattr(args, name) is not None and getattr(args, name) is not False]
    return [f"--{name.replace('_', '-')}" for name in found]


def _mode(args: Namespace) -> str:
    """What is asked for: axis, view, spin, montage or show."""
    view = _given(args, _VIEW_OPTIONS)
    modes = _given(args, ("show", "montage", "spin"))
    if len(modes) > 1:
        raise UsageError(f"{modes[0]} and {modes[1]} exclude each other")
    mode = modes[0].lstrip("-") if modes else "view" if view else "axis"
    along = _given(args, ("axis", "slab"))
    if along and mode != "axis":
        raise UsageError(f"{along[0]} is for projections along an axis: it does not go with {(modes + view)[0]}")
    if view and mode in ("montage", "show"):
        raise UsageError(f"{view[0]} does not go with --{mode}")
    if args.output is None and mode != "show":
        raise UsageError("missing -o OUT, the file to write")
    if args.output is not None and mode == "show":
        raise UsageError("-o does not go with --show: the window writes nothing but screenshots (key x)")
    return mode


def _check_combination(args: Namespace) -> None:
    if args.percentiles and args.window is not None:
        raise UsageError("--percentiles and --window exclude each other")
    if args.mode in ("view", "spin", "show") and args.kind not in ("max", "depth"):
        raise UsageError(
            f"--kind {args.kind} is for projections along an axis: from a direction there are max and depth"
        )
    if args.mode == "spin" and args.direction:
        raise UsageError("--direction does not go with --spin: a turn goes around the body axis, from --azimuth on")
    if args.kind == "depth" and args.mode in ("spin", "show"):
        raise UsageError(f"--kind depth does not go with --{args.mode}")
    if args.mode in ("montage", "spin") and args.bits == "16":
        raise UsageError(f"--bits 16 does not go with --{args.mode}")
    if args.ticks and args.mode not in ("axis", "montage"):
        raise UsageError(
            f"--ticks are voxel indices: they do not go with {_given(args, (*_VIEW_OPTIONS, 'spin', 'show'))[0]}"
        )
    if args.letters and args.mode == "show":
        raise UsageError("--letters does not go with --show: the window has letters anyway")
    if args.lower is not None and (args.kind not in ("argmax", "depth") or args.mode == "montage"):
        raise UsageError("--lower is for pictures of --kind argmax and depth")
    if args.bits == "16" and (args.ticks or args.letters or args.kind in _PLACES):
        raise UsageError("--bits 16 is for grey pictures without ticks, letters and colour bar")
    if args.mode in ("axis", "view") and not is_picture(args.output):
        _check_values(args)


def _check_values(args: Namespace) -> None:
    given = _given(args, _PICTURE_OPTIONS + (("size",) if args.mode == "axis" else ()))
    given += ["--bits"] if args.bits != "8" else []
    if given and args.output.lower().endswith(VALUES):
        raise UsageError(f"{given[0]} is for pictures (.png, .tif): {args.output} gets the values of the projection")


def _show(args: Namespace, console: Console) -> None:
    from mitk_rs.viewer.display import require_display

    require_display("mitk-rs mip --show")
    from mitk_rs.viewer.mip_viewer import show

    window = (args.window or 0.0, args.level or 0.0)
    image = read_input(args, args.input, console)
    show(image, window_level=window, time_step=args.time_step, title=Path(args.input).name, notify=console.note)
