"""``mitk-rs init``: an image becomes a level set, in GNU's or in VMTK's spelling."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import (
    check_files,
    descriptions,
    given_seeds,
    read_frame,
    result_files,
    voxels_of,
    with_suffixes,
    write_results,
)
from mitk_rs.cli.parser import (
    NUMBER,
    CommandParser,
    Namespace,
    OneOf,
    Points,
    add_input_options,
    add_points,
    add_time_step,
    command,
    converter,
    given,
    option,
    repeated,
)
from mitk_rs.errors import RequestError, UsageError
from mitk_rs.vmtk.options import Member, parse_bool
from mitk_rs.vmtk.tables import TABLES

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


def _add_options(parser: CommandParser) -> None:
    parser.add_argument("input", nargs="?", metavar="IN", help="image: a file, a folder with a DICOM series, or -")
    for member in TABLES["vmtkimageinitialization"].all_inputs():
        _add_member(parser, member)
    group = parser.add_argument_group("options that VMTK does not have")
    option(group, "--compat vmtk", "give VMTK's bytes, defects included", OneOf("vmtk"))
    text = "join pairs of multiplecollidingfronts by minimum (default) or by sum, as VMTK does"
    option(group, "--combine HOW", text, OneOf("minimum", "sum"), default="minimum")
    option(group, "--far-value V", "value of voxels that no front reached", NUMBER)
    option(group, "--stop-time T", "arrival time of the surface without targets", NUMBER)
    text = "how long fastmarching goes on beyond its surface (default: 100)"
    option(group, "--target-offset T", text, NUMBER, default=100.0)
    add_points(group)
    option(group, "--auto-lower", "lower threshold from the values at the seeds")
    add_time_step(group)
    option(group, "--fail-empty", "exit with 4 where nothing is inside")
    add_input_options(parser, threads=True)


def _add_member(parser: CommandParser, member: Member) -> None:
    """One option in both spellings. A switch in GNU's takes 0 or 1 in VMTK's."""
    name, flags = f"-{member.option}", " ".join(member.flags)
    # Whatever VMTK's default, the native command never prompts unless asked.
    settings: dict[str, Any] = {
        "dest": member.option, "default": False if member.option == "interactive" else member.default,
    }  # fmt: skip
    if member.type == "bool":
        option(parser, f"{name} 0|1", member.help, converter(parse_bool), **settings)
        if flags:
            option(parser, flags, "the same", **settings)
        return
    kind: Any = OneOf(*member.choices) if member.choices else None
    if member.length == -1:
        # Physical points have fractions; `given_seeds` checks that indices have none.
        kind, settings["action"], settings["default"] = Points(), "append", None
    elif member.is_number:
        kind = NUMBER
    option(parser, f"{flags} {name} {member.metavar or 'VALUE'}", member.help, kind, **settings)


@command("init", _add_options, "make a level set of an image", _DESCRIPTION, _EPILOG)
def _run(args: Namespace, console: Console) -> None:
    for name in repeated(args.words):
        if name not in ("-sourcepoints", "-targetpoints"):
            console.warning(f"{name} is given more than once: the last one counts")
    if args.auto_lower and args.lowerthreshold is not None:
        raise UsageError("--auto-lower and --lower exclude each other")
    if args.auto_lower and args.interactive:
        raise UsageError("--auto-lower does not go with --interactive: the dialogue asks for the threshold")
    inputs = [name for name in (args.input, args.ifile or None, args.i) if name is not None]
    if not inputs:
        raise UsageError("missing IN, the image to start from")
    if len(inputs) > 1:
        raise UsageError(f"more than one input: {', '.join(inputs)}")
    files = result_files(args, "-o LEVELSET or --surface SURFACE")
    check_files(args, inputs, with_suffixes(files))
    if args.disabled:
        console.note("-disabled 1: nothing done")
    elif args.interactive:
        _run_dialogue(args, inputs[0])
    else:
        _run_headless(args, inputs[0], files, console)


def _run_headless(args: Namespace, source: str, files: dict[str, str], console: Console) -> None:
    from mitk_rs import _core
    from mitk_rs.levelset import initialize_level_set

    times = [time.perf_counter()]
    seeds = given_seeds(args)
    image = read_frame(args, source, console, result=args.olevelsetsfile)
    times.append(time.perf_counter())
    request = given(args, "method isosurface combine compat far_value stop_time target_offset time_step threads")
    request |= {
        "lower_threshold": "auto" if args.auto_lower else args.lowerthreshold,
        "upper_threshold": args.upperthreshold,
        "negate": bool(args.negate),
    }
    with console.progress(f"{args.method} of {Path(source).name}") as progress:
        voxels = voxels_of(seeds, image, args.time_step)
        result = initialize_level_set(image, **voxels, **request, progress=progress)
    report = result.report
    times.append(time.perf_counter())
    for warning in report.warnings:
        console.warning(warning)
    if args.fail_empty and not report.inside:
        raise RequestError("the level set is empty: no voxel is inside")
    surface = result.surface() if args.osurfacefile else None
    times.append(time.perf_counter())
    write_results(files, result, surface, "the level set has no zero crossing: there is no surface to write")
    times.append(time.perf_counter())
    laps = [end - start for start, end in pairwise(times)]
    report.seconds.update(read=laps[0], surface=laps[2], write=laps[3])
    if report.auto_lower is not None:
        console.note(
            f"--auto-lower: --lower {report.auto_lower.value:g}, half way between the darkest seed "
            f"({report.auto_lower.seeds:g}) and the background ({report.auto_lower.background:g})"
        )
    pieces = "1 piece" if report.components == 1 else f"{report.components} pieces"
    console.note(
        f"wrote {' and '.join(files.values())}: {report.inside} of {report.voxels} voxels inside, "
        f"{report.volume_ml:.4g} ml, {pieces}, {sum(report.seconds.values()):.2f} s"
    )
    facts = {"input": source, "outputs": descriptions(files), "threads": args.threads or _core.get_num_threads()}
    console.facts({**facts, **report.as_dict()})


def _run_dialogue(args: Namespace, source: str) -> None:
    """Ask in the dialogue of ``vmtkimageinitialization``; the options given are its defaults."""
    from mitk_rs.cli.vmtk_names import run as run_script

    words = ["vmtkimageinitialization", "--nolog", "-interactive", "1", "-geometry", "physical", "-ifile", source]
    words += ["-method", args.method, "-isosurface", str(args.isosurface), "-negate", str(int(args.negate))]
    for name in ("lowerthreshold", "upperthreshold", "olevelsetsfile", "osurfacefile"):
        if getattr(args, name) not in (None, ""):
            words += [f"-{name}", str(getattr(args, name))]
    for name, groups in given_seeds(args).items():
        for seeds in groups:
            physical = "physical" if seeds.space == "LPS" else ""
            numbers = [value for seed in seeds.seeds for value in seed.position]
            words += [f"-{name}points{physical}", *(f"{value:.17g}" for value in numbers)]
    raise SystemExit(run_script(words))
