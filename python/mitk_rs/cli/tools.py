"""``mitk-rs sample``, ``batch``, ``doctor`` and ``completion``: around the work on a scan."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mitk_rs.cli.console import ExitCode, FailedError
from mitk_rs.cli.files import IMAGE_SUFFIXES, Session, check_inputs, check_outputs
from mitk_rs.cli.parser import CommandParser, Namespace, OneOf, command, given
from mitk_rs.errors import Exception as MitkError

# mitk-rs sample


def _add_sample(parser: CommandParser) -> None:
    parser.add_argument("output", metavar="OUT", help=f"scan to write: {' '.join(IMAGE_SUFFIXES)}")
    text = "file for the points, labelled source and target: .mrk.json .fcsv .mps .csv .json"
    parser.option("--seeds FILE", text)
    parser.option("--truth MASK", "image of the true vessel, 1 inside")
    parser.common()


_SAMPLE = """Write a synthetic CT angiography whose truth is known: mitk_rs.datasets.vessel_tree().

  mitk-rs sample scan.mha
  mitk-rs sample scan.mha --seeds seeds.mrk.json --truth truth.mha

A branching vessel in soft tissue, with bone, a calcification and noise; always the same voxels. Points and threshold
for the other commands are printed."""


@command("sample", _add_sample, "write a scan to try the commands with", _SAMPLE)
def _sample(args: Namespace, session: Session) -> None:
    from mitk_rs.seeds import SEED_SUFFIXES, write_seeds

    kinds = [(args.output, IMAGE_SUFFIXES), (args.truth, IMAGE_SUFFIXES), (args.seeds, SEED_SUFFIXES)]
    outputs = [(name, suffixes) for name, suffixes in kinds if name]
    check_outputs(outputs, force=args.force)
    import numpy as np

    from mitk_rs.datasets import vessel_tree
    from mitk_rs.io import write_image
    from mitk_rs.io.atomic import atomic_outputs

    tree = vessel_tree()
    size = [tree.image.get_dimension(axis) for axis in range(3)]
    facts = {"size": size, "pixel_type": tree.image.dtype.name}
    written: list[dict[str, object]] = [{"path": args.output, "kind": "image", **facts}]
    with atomic_outputs():
        write_image(tree.image, args.output)
        if args.truth:
            write_image(tree.image.like(tree.mask.astype(np.uint8)), args.truth)
            written.append({"path": args.truth, "kind": "mask", **facts, "pixel_type": "uint8"})
        if args.seeds:
            write_seeds(tree.seeds, args.seeds, image=tree.image)
            written.append({"path": args.seeds, "kind": "points"})
    source, *targets = (" ".join(map(str, index)) for index in (tree.source, *tree.targets))
    session.note(f"wrote {' and '.join(name for name, _ in outputs)}: {' x '.join(map(str, size))} voxels")
    session.note(f"source {source}; targets {', '.join(targets)}; lower threshold {tree.lower_threshold:g}")
    known = {"source": tree.source, "targets": tree.targets, "lower_threshold": tree.lower_threshold}
    session.facts({"outputs": written, **known})


# mitk-rs batch


def _add_batch(parser: CommandParser) -> None:
    parser.add_argument("input", metavar="CASES.csv", help="table of cases")
    parser.option("-o --output FOLDER", "folder for the results", required=True)
    parser.option("--segment", "segment a vessel in each case, as mitk-rs segment does")
    text = "worker processes on this machine (default: one for each core that this process may use)"
    parser.option("--jobs N", text, int, least=1)
    text = "threads of each worker (default: cores divided by jobs; 1 with --scheduler)"
    parser.option("--job-threads N", text, int, least=1)
    text = "dask scheduler whose workers compute, such as tcp://host:8786; needs mitk_rs[cluster]"
    parser.option("--scheduler ADDRESS", text)
    parser.option("--suffix SUFFIX", "ending of the level sets (default: .mha)", default=".mha")
    parser.option("--surface SUFFIX", "ending of the surfaces (default: .stl); none for none", default=".stl")
    parser.option("--no-pictures", "draw no projections")
    parser.option("--retry-failed", "work again on cases that failed before")
    parser.option("--timeout SECONDS", "give up a case after this time", float)
    parser.common()


_BATCH = """Make a level set, a surface and a picture of every case in a table.

  mitk-rs batch cases.csv -o results/
  mitk-rs batch cases.csv -o results/ --segment
  mitk-rs batch cases.csv -o results/ --scheduler tcp://head:8786

cases.csv begins with a header line. The column input names the image (relative names count from the folder of the
table), name is the stem of the results (default: that of the input); the other columns are options of mitk-rs init
without dashes: method, source, target, lower, upper, isosurface, negate, combine, compat, far_value, stop_time,
target_offset, points, time_step. Points are i j k, several are separated by ;, or a file of points such as
seeds.mrk.json:inlet. With --segment they are the options of mitk-rs segment: method, source, target, lower, upper,
iterations, propagation, curvature, advection, sigma, sigmoid, stop_rms, points, time_step. The columns series,
allow_gaps and allow_other_folders say how the image is read. An empty cell leaves the default:

  input,method,source,target,lower
  a.mha,fastmarching,71 213 16,58 78 22; 60 80 20,700"""
_AGAIN = """A case that fails is recorded with its error and the others go on; the exit status is then 4. Run the same
line again to continue an interrupted batch: a case is computed again only if its input, its row or the version of
mitk_rs changed, or with --retry-failed. Results: NAME.mha, NAME.stl, NAME.png and NAME.json for each case, summary.csv,
summary.json, and index.html with all pictures."""


@command("batch", _add_batch, "make level sets of many images", _BATCH, _AGAIN)
def _batch(args: Namespace, session: Session) -> None:
    check_inputs(args.input)
    from mitk_rs.cohort import batch

    with session.progress("cases") as progress:
        result = batch(
            args.input,
            args.output,
            **given(args, "jobs scheduler suffix segment retry_failed timeout"),
            threads=args.job_threads,
            surface=None if args.surface == "none" else args.surface,
            pictures=not args.no_pictures,
            overwrite=args.force,
            progress=progress,
        )
    cases, failed = len(result.records), len(result.failed)
    outputs = [{"path": str(result.output), "kind": "folder"}]
    facts = {"input": args.input, "outputs": outputs, "cases": cases, "failed": failed, "computed": result.computed}
    session.note(f"{cases - failed} of {cases} cases done ({result.computed} computed now): {result.output}/index.html")
    for record in result.failed:
        session.warning(f"{record['name']}: {record['error']}")
    if failed:
        text = f"{args.input}: {failed} of {cases} cases failed: {result.output}/summary.csv has their errors"
        raise FailedError(text, ExitCode.REQUEST, facts)
    session.facts(facts)


# mitk-rs doctor

_REQUIRED = ("numpy", "SimpleITK", "Pillow", "nibabel", "pydicom", "tifffile", "isal", "rich", "shtab")
_OPTIONAL = ("vtk", "itk", "pyvista", "xarray", "torch", "dask", "scikit-fmm")

_DOCTOR = """Check the installation: versions, processor, threads, files, and a small computation.

Exit status 0 where everything works, 1 where something does not."""


@command("doctor", lambda parser: parser.common(output=False), "check the installation", _DOCTOR)
def _doctor(args: Namespace, session: Session) -> None:
    import platform

    from mitk_rs import _core

    checks = {name: _outcome(check) for name, check in CHECKS.items()}
    failed = [name for name, outcome in checks.items() if not outcome["ok"]]
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": _core.get_num_threads(),
        "cpu_features": _core.cpu_features(),
        "optional": {name: _version(name) for name in _OPTIONAL},
        "checks": checks,
    }
    if not args.quiet:
        session.result(_found(facts, _core.version()))
    if failed:
        text = f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}"
        raise FailedError(text, ExitCode.UNEXPECTED, facts)
    session.facts(facts)


def _version(name: str) -> str | None:
    from importlib import metadata

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _outcome(check: Callable[[], str]) -> dict[str, Any]:
    try:
        return {"ok": True, "text": check()}
    except Exception as error:
        return {"ok": False, "text": " ".join(f"{type(error).__name__}: {error}".split())}


def _check_packages() -> str:
    found = {name: _version(name) for name in _REQUIRED}
    missing = [name for name, version in found.items() if version is None]
    if missing:
        raise MitkError(f"not installed: {', '.join(missing)}")
    return ", ".join(f"{name} {version}" for name, version in found.items())


def _check_computation() -> str:
    """Fast marching on a line, whose answer is known."""
    import numpy as np

    from mitk_rs import _core

    times = _core.march(np.ones((1, 1, 9), np.float32), (0.5, 1.0, 1.0), [(0, 0, 0)]).arrival_time
    if not np.array_equal(times[0, 0], np.arange(9) * 0.5):
        raise MitkError(f"fast marching gave {times[0, 0].tolist()}")
    return "fast marching gives the known answer"


def _check_image_files() -> str:
    """One voxel pattern through a file of each library."""
    import tempfile

    import numpy as np

    from mitk_rs.image import Image
    from mitk_rs.io import read_image, write_image

    image = Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), spacing=(0.5, 1.0, 2.0), origin=(1.0, 2.0, 3.0))
    with tempfile.TemporaryDirectory() as folder:
        suffixes = [".mha", ".nrrd", ".nii.gz", *([".vti"] if _version("vtk") else [])]
        for suffix in suffixes:
            path = Path(folder, f"image{suffix}")
            write_image(image, path)
            if not np.array_equal(read_image(path).array, image.array):
                raise MitkError(f"{suffix} came back changed")
    return f"{', '.join(suffixes)} keep their voxels"


def _check_surface() -> str:
    if _version("vtk") is None:
        return "VTK is not installed: no surfaces, no windows, no files of VTK's formats"
    import numpy as np

    from mitk_rs.image import Image
    from mitk_rs.surface import extract_surface

    voxels = np.ones((5, 5, 5), np.float32)
    voxels[2, 2, 2] = -1
    triangles = extract_surface(Image(voxels)).GetNumberOfCells()
    if triangles != 8:
        raise MitkError(f"the surface of one voxel has {triangles} triangles instead of 8")
    return "VTK cuts surfaces"


def _check_temporary_folder() -> str:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(b"0" * 4096)
        file.flush()
    return f"{tempfile.gettempdir()} is writable"


CHECKS: dict[str, Callable[[], str]] = {
    "packages": _check_packages,
    "computation": _check_computation,
    "image files": _check_image_files,
    "surface": _check_surface,
    "temporary folder": _check_temporary_folder,
}


def _found(facts: dict[str, Any], version: str) -> str:
    installed = [f"{name} {version}" for name, version in facts["optional"].items() if version]
    lines = [
        f"mitk_rs {version}, Python {facts['python']} ({sys.executable})",
        f"{facts['platform']}, {facts['threads']} threads, {' '.join(facts['cpu_features']) or 'no extensions'}",
        f"optional packages: {', '.join(installed) or 'none'}",
    ]
    lines += [f"{'ok  ' if one['ok'] else 'FAIL'} {name}: {one['text']}" for name, one in facts["checks"].items()]
    return "\n".join(lines)


# mitk-rs completion

_COMPLETION = """Print a completion script for a shell.

  bash:  mitk-rs completion bash > ~/.local/share/bash-completion/completions/mitk-rs
  zsh:   mitk-rs completion zsh > ~/.zfunc/_mitk-rs       (with ~/.zfunc in $fpath)
  fish:  mitk-rs completion fish > ~/.config/fish/completions/mitk-rs.fish"""


def _add_completion(parser: CommandParser) -> None:
    shells = OneOf(("bash", "zsh", "fish"))
    parser.add_argument("shell", type=shells, choices=shells.choices, metavar="SHELL", help=", ".join(shells.choices))


@command("completion", _add_completion, "print a completion script", _COMPLETION)
def _completion(args: Namespace, session: Session) -> None:
    import re

    import shtab

    from mitk_rs.cli.main import build_parsers

    parser, commands = build_parsers()
    for one in commands.values():
        for action in one._actions:
            # What is neither a number nor one of a few words is the name of a file.
            if action.type is None and action.choices is None and action.nargs != 0:
                action.complete = shtab.FILE  # type: ignore[attr-defined]
    script = shtab.complete(parser, args.shell)
    if args.shell == "fish":
        # fish's word for options of one dash and several letters, which shtab takes for short ones.
        script = re.sub(r" -s (?=\w{2})", " -o ", script)
    session.result(script)
