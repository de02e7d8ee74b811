"""``mitk-rs init``: an image becomes a level set, in GNU's or in VMTK's spelling."""

from __future__ import annotations

import time
from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.console import Console, outputs_of_kinds
from mitk_rs.cli.files import (
    IMAGE_SUFFIXES,
    SURFACE_SUFFIXES,
    add_input_options,
    add_time_step,
    check_files,
    read_frame,
)
from mitk_rs.cli.parser import (
    CommandParser,
    Numbers,
    Points,
    Subparsers,
    converter,
    number,
    one_of,
)
from mitk_rs.cli.seeds import given_seeds, voxels_of
from mitk_rs.cli.words import repeated
from mitk_rs.errors import RequestError, UsageError
from mitk_rs.vmtk.options import Member, parse_bool, parse_float
from mitk_rs.vmtk.tables import INIT

if TYPE_CHECKING:
    from mitk_rs.image import Image
    from mitk_rs.levelset import LevelSetResult
    from mitk_rs.seeds import Seeds

__all__ = ["add_parser", "run"]

_DESCRIPTION = """Make a level set of an image: float32, negative inside, positive outside, 0 at the surface.

  mitk-rs init scan.mha -o level.mha --surface vessel.stl --lower 700 --source 71 213 16 --target 58 78 22
  mitk-rs init -ifile scan.mha -method threshold -lowerthreshold 700 -olevelsetsfile level.mha

Options may be spelled as GNU programs do (two dashes) or as vmtkimageinitialization does (one dash)."""

_EPILOG = """Methods:
  isosurface       V - image: bright inside
  threshold        -1 within the thresholds, +1 outside
  seeds            -1 around each source and target, +1 outside
  fastmarching     arrival time of a front from the sources, 0 at the target that it reaches last;
                   without targets at --stop-time
  collidingfronts  what two fronts sweep on their way between one source and one target
  multiplecollidingfronts
                   the same for source 1 and target 1, source 2 and target 2, ..., combined

Results are free of VMTK's defects: voxels that no front reached hold the largest value that a front left (VMTK:
1.7014117e38), the seeds of colliding fronts are inside (VMTK: two holes) and their outside is +1 (VMTK: 1e-5), fast
marching reaches every target (VMTK stops 100 after the first), needs a target or --stop-time (VMTK: stops
at 100), and a target that cannot be reached is an error. --compat vmtk gives VMTK's bytes."""

# The native command never prompts unless asked, whatever VMTK's default.
_NATIVE_DEFAULTS: dict[str, Any] = {"interactive": False}


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser(
        "init", help="make a level set of an image", description=_DESCRIPTION, epilog=_EPILOG
    )
    parser.add_argument("input", nargs="?", metavar="IN", help="image: a file, a folder with a DICOM series, or -")
    for member in INIT.all_inputs():
        _add_member(parser, member)
    _add_native(parser)
    add_input_options(parser, threads=True)
    return parser


def _add_member(parser: CommandParser, member: Member) -> None:
    """One option in both spellings. A switch in GNU's takes 0 or 1 in VMTK's."""
    vmtk = f"-{member.option}"
    default = _NATIVE_DEFAULTS.get(member.option, member.default)
    settings: dict[str, Any] = {"dest": member.option, "default": default, "help": member.help}
    if member.type == "bool":
        parser.add_argument(vmtk, type=converter(parse_bool), metavar="0|1", **settings)
        if member.flags:
            parser.add_argument(
                *member.flags, action="store_true", dest=member.option, default=default, help="the same"
            )
        return
    if member.length == -1:
        # Physical points have fractions; `_seeds` checks that indices have none.
        settings.update(action="append", type=Points(), default=None)
    elif member.is_number:
        settings.update(type=Numbers(parse_float, 1))
    elif member.choices:
        settings.update(type=one_of(member.choices))
    parser.add_argument(*member.flags, vmtk, metavar=member.metavar or "VALUE", **settings)


def _add_native(parser: CommandParser) -> None:
    """Options that VMTK does not have."""
    group = parser.add_argument_group("options that VMTK does not have")
    group.add_argument("--compat", type=one_of(["vmtk"]), metavar="vmtk", help="give VMTK's bytes, defects included")
    group.add_argument(
        "--combine",
        type=one_of(["minimum", "sum"]),
        default="minimum",
        metavar="HOW",
        help="join pairs of multiplecollidingfronts by minimum (default) or by sum, as VMTK does",
    )
    group.add_argument("--far-value", type=number(), metavar="V", help="value of voxels that no front reached")
    group.add_argument("--stop-time", type=number(), metavar="T", help="arrival time of the surface without targets")
    group.add_argument(
        "--target-offset",
        type=number(),
        default=100.0,
        metavar="T",
        help="how long fastmarching goes on beyond its surface (default: 100)",
    )
    group.add_argument(
        "--points", type=one_of(["index", "physical", "ras"]), default="index", metavar="KIND", help=_POINTS
    )
    group.add_argument("--auto-lower", action="store_true", help="lower threshold from the values at the seeds")
    add_time_step(group)
    group.add_argument("--fail-empty", action="store_true", help="exit with 4 where nothing is inside")


_POINTS = (
    "what the numbers of sources and targets are: index (default; whole voxels from 0), physical (LPS mm, nearest "
    "voxel) or ras (RAS mm); files of points say it themselves"
)


def run(args: Namespace) -> None:
    """Check everything, read, compute, write."""
    console = Console("mitk-rs init", quiet=args.quiet, as_json=args.json)
    for option in repeated(args.words):
        if option not in ("-sourcepoints", "-targetpoints"):
            console.warning(f"{option} is given more than once: the last one counts")
    if args.auto_lower and args.lowerthreshold is not None:
        raise UsageError("--auto-lower and --lower exclude each other")
    if args.auto_lower and args.interactive:
        raise UsageError("--auto-lower does not go with --interactive: the dialogue asks for the threshold")
    source = _input(args)
    outputs = _outputs(args)
    check_files(args, [source], outputs)
    if args.disabled:
        console.note("-disabled 1: nothing done")
    elif args.interactive:
        _run_dialogue(args, source)
    else:
        _run_headless(args, source, console)


def _input(args: Namespace) -> str:
    given = [name for name in (args.input, args.ifile or None, args.i) if name is not None]
    if not given:
        raise UsageError("missing IN, the image to start from")
    if len(given) > 1:
        raise UsageError(f"more than one input: {', '.join(given)}")
    return str(given[0])


def _outputs(args: Namespace) -> list[tuple[str, tuple[str, ...]]]:
    kinds: list[tuple[str, tuple[str, ...]]]
    kinds = [(args.olevelsetsfile, IMAGE_SUFFIXES), (args.osurfacefile, SURFACE_SUFFIXES)]
    outputs = [(name, suffixes) for name, suffixes in kinds if name]
    if not outputs and not args.json and not args.disabled:
        raise UsageError("missing -o LEVELSET or --surface SURFACE: the result would not be stored")
    return outputs


def _run_headless(args: Namespace, source: str, console: Console) -> None:
    from mitk_rs.levelset import initialize_level_set

    clock = _Clock()
    seeds = {name: given_seeds(args, f"{name}points", name) for name in ("source", "target")}
    image = read_frame(args, source, console, result=args.olevelsetsfile)
    clock.lap("read")
    with console.progress(f"{args.method} of {Path(source).name}") as progress:
        result = initialize_level_set(image, **_request(args, image, seeds), progress=progress)
    clock.start = time.perf_counter()
    for warning in result.report.warnings:
        console.warning(warning)
    if args.fail_empty and not result.report.inside:
        raise RequestError("the level set is empty: no voxel is inside")
    surface = _surface(result) if args.osurfacefile else None
    clock.lap("surface")
    _write(result, surface, args)
    clock.lap("write")
    _tell(args, source, result, clock.seconds, console)


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.start = self.first = time.perf_counter()
        self.seconds: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.seconds[name] = now - self.start
        self.start = now


def _request(args: Namespace, image: Image, seeds: dict[str, list[Seeds]]) -> dict[str, Any]:
    """The keyword arguments of :func:`initialize_level_set`."""
    return {
        "method": args.method,
        "sources": voxels_of(seeds["source"], "source", image, args.time_step),
        "targets": voxels_of(seeds["target"], "target", image, args.time_step),
        "lower_threshold": "auto" if args.auto_lower else args.lowerthreshold,
        "upper_threshold": args.upperthreshold,
        "isosurface": args.isosurface,
        "negate": bool(args.negate),
        "combine": args.combine,
        "compat": args.compat,
        "far_value": args.far_value,
        "stop_time": args.stop_time,
        "target_offset": args.target_offset,
        "time_step": args.time_step,
        "threads": args.threads,
    }


def _surface(result: LevelSetResult) -> Any:
    surface = result.surface()
    if surface.GetNumberOfPoints() == 0:
        raise RequestError("the level set has no zero crossing: there is no surface to write")
    return surface


def _write(result: LevelSetResult, surface: Any, args: Namespace) -> None:
    """Write both files or none."""
    from mitk_rs.io import write_image
    from mitk_rs.io.atomic import atomic_outputs
    from mitk_rs.surface import write_surface

    with atomic_outputs():
        if surface is not None:
            write_surface(surface, args.osurfacefile)
        if args.olevelsetsfile:
            write_image(result.level_set, args.olevelsetsfile)


def _tell(args: Namespace, source: str, result: LevelSetResult, seconds: dict[str, float], console: Console) -> None:
    report = result.report
    report.seconds.update(seconds)
    total = sum(report.seconds.values())
    if args.json:
        console.result_json(_json(args, source, report.as_dict()))
        return
    if report.auto_lower is not None:
        console.note(
            f"--auto-lower: --lower {report.auto_lower.value:g}, half way between the darkest seed "
            f"({report.auto_lower.seeds:g}) and the background ({report.auto_lower.background:g})"
        )
    files = " and ".join(name for name in (args.olevelsetsfile, args.osurfacefile) if name)
    pieces = "1 piece" if report.components == 1 else f"{report.components} pieces"
    console.note(
        f"wrote {files}: {report.inside} of {report.voxels} voxels inside, {report.volume_ml:.4g} ml, {pieces}, "
        f"{total:.2f} s"
    )


def _json(args: Namespace, source: str, report: dict[str, Any]) -> dict[str, Any]:
    from mitk_rs import _core

    return {
        "input": source,
        "outputs": outputs_of_kinds(image=args.olevelsetsfile, surface=args.osurfacefile),
        "threads": args.threads or _core.get_num_threads(),
        **report,
    }


def _run_dialogue(args: Namespace, source: str) -> None:
    """Ask in the dialogue of ``vmtkimageinitialization``; the options given are its defaults."""
    from mitk_rs.cli.vmtk_names import run as run_script

    words = ["vmtkimageinitialization", "--nolog", "-interactive", "1", "-geometry", "physical", "-ifile", source]
    words += ["-method", args.method, "-isosurface", str(args.isosurface), "-negate", str(int(args.negate))]
    for option in ("lowerthreshold", "upperthreshold", "olevelsetsfile", "osurfacefile"):
        if getattr(args, option) not in (None, ""):
            words += [f"-{option}", str(getattr(args, option))]
    for name in ("source", "target"):
        for seeds in given_seeds(args, f"{name}points", name):
            physical = "physical" if seeds.space == "LPS" else ""
            numbers = [value for seed in seeds.seeds for value in seed.position]
            words += [f"-{name}points{physical}", *(f"{value:.17g}" for value in numbers)]
    raise SystemExit(run_script(words))
