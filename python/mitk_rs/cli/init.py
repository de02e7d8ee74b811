"""``mitk-rs init``: an image becomes a level set, in GNU's or in VMTK's spelling."""

from __future__ import annotations

import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from mitk_rs.cli.files import Session, descriptions, write_results
from mitk_rs.cli.parser import CommandParser, Namespace, Points, command, converter, given, repeated
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
    group = parser.group("options that VMTK does not have")
    group.option("--compat vmtk", "give VMTK's bytes, defects included", ("vmtk",))
    text = "join pairs of multiplecollidingfronts by minimum (default) or by sum, as VMTK does"
    group.option("--combine HOW", text, ("minimum", "sum"), default="minimum")
    group.option("--far-value V", "value of voxels that no front reached", float)
    group.option("--stop-time T", "arrival time of the surface without targets", float)
    text = "how long fastmarching goes on beyond its surface (default: 100)"
    group.option("--target-offset T", text, float, default=100.0)
    group.points()
    group.option("--auto-lower", "lower threshold from the values at the seeds")
    group.time_step()
    group.option("--fail-empty", "exit with 4 where nothing is inside")
    parser.reading(threads=True)


def _add_member(parser: CommandParser, member: Member) -> None:
    """One option in both spellings. A switch in GNU's takes 0 or 1 in VMTK's."""
    name, flags = f"-{member.option}", " ".join(member.flags)
    # Whatever VMTK's default, the native command never prompts unless asked.
    settings: dict[str, Any] = {
        "dest": member.option, "default": False if member.option == "interactive" else member.default,
    }  # fmt: skip
    if member.type == "bool":
        parser.option(f"{name} 0|1", member.help, converter(parse_bool), **settings)
        if flags:
            parser.option(flags, "the same", **settings)
        return
    kind: Any = member.choices if member.choices else None
    if member.length == -1:
        # Physical points have fractions; `given_seeds` checks that indices have none.
        kind, settings["action"], settings["default"] = Points(), "append", None
    elif member.is_number:
        kind = float
    parser.option(f"{flags} {name} {member.metavar or 'VALUE'}", member.help, kind, **settings)


@command("init", _add_options, "make a level set of an image", _DESCRIPTION, _EPILOG)
def _run(args: Namespace, session: Session) -> None:
    for name in repeated(args.words):
        if name not in ("-sourcepoints", "-targetpoints"):
            session.warning(f"{name} is given more than once: the last one counts")
    if args.auto_lower and args.lowerthreshold is not None:
        raise UsageError("--auto-lower and --lower exclude each other")
    if args.auto_lower and args.interactive:
        raise UsageError("--auto-lower does not go with --interactive: the dialogue asks for the threshold")
    inputs = [name for name in (args.input, args.ifile or None, args.i) if name is not None]
    if not inputs:
        raise UsageError("missing IN, the image to start from")
    if len(inputs) > 1:
        raise UsageError(f"more than one input: {', '.join(inputs)}")
    files = session.results(inputs, "-o LEVELSET or --surface SURFACE")
    if args.disabled:
        session.note("-disabled 1: nothing done")
    elif args.interactive:
        _run_dialogue(args, inputs[0], session)
    else:
        _run_headless(args, inputs[0], files, session)


def _run_headless(args: Namespace, source: str, files: dict[str, str], session: Session) -> None:
    from mitk_rs import _core
    from mitk_rs.levelset import initialize_level_set

    times = [time.perf_counter()]
    seeds = session.seeds()
    image = session.read_frame(source, result=args.olevelsetsfile)
    times.append(time.perf_counter())
    request = given(args, "method isosurface combine compat far_value stop_time target_offset time_step threads")
    request |= {
        "lower_threshold": "auto" if args.auto_lower else args.lowerthreshold,
        "upper_threshold": args.upperthreshold,
        "negate": bool(args.negate),
    }
    with session.progress(f"{args.method} of {Path(source).name}") as progress:
        voxels = session.voxels(seeds, image)
        result = initialize_level_set(image, **voxels, **request, progress=progress)
    report = result.report
    times.append(time.perf_counter())
    for warning in report.warnings:
        session.warning(warning)
    if args.fail_empty and not report.inside:
        raise RequestError("the level set is empty: no voxel is inside")
    surface = result.surface() if args.osurfacefile else None
    times.append(time.perf_counter())
    write_results(files, result, surface, "the level set has no zero crossing: there is no surface to write")
    times.append(time.perf_counter())
    laps = [end - start for start, end in pairwise(times)]
    report.seconds.update(read=laps[0], surface=laps[2], write=laps[3])
    if report.auto_lower is not None:
        session.note(
            f"--auto-lower: --lower {report.auto_lower.value:g}, half way between the darkest seed "
            f"({report.auto_lower.seeds:g}) and the background ({report.auto_lower.background:g})"
        )
    pieces = "1 piece" if report.components == 1 else f"{report.components} pieces"
    session.note(
        f"wrote {' and '.join(files.values())}: {report.inside} of {report.voxels} voxels inside, "
        f"{report.volume_ml:.4g} ml, {pieces}, {sum(report.seconds.values()):.2f} s"
    )
    facts = {"input": source, "outputs": descriptions(files), "threads": args.threads or _core.get_num_threads()}
    session.facts({**facts, **report.as_dict()})


def _run_dialogue(args: Namespace, source: str, session: Session) -> None:
    """Ask in the dialogue of ``vmtkimageinitialization``; the options given are its defaults."""
    from mitk_rs.cli.vmtk_names import run as run_script

    words = ["vmtkimageinitialization", "--nolog", "-interactive", "1", "-geometry", "physical", "-ifile", source]
    words += ["-method", args.method, "-isosurface", str(args.isosurface), "-negate", str(int(args.negate))]
    for name in ("lowerthreshold", "upperthreshold", "olevelsetsfile", "osurfacefile"):
        if getattr(args, name) not in (None, ""):
            words += [f"-{name}", str(getattr(args, name))]
    for name, groups in session.seeds().items():
        for seeds in groups:
            physical = "physical" if seeds.space == "LPS" else ""
            numbers = [value for seed in seeds.seeds for value in seed.position]
            words += [f"-{name}points{physical}", *(f"{value:.17g}" for value in numbers)]
    raise SystemExit(run_script(words))
