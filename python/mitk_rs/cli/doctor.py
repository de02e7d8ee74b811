"""``mitk-rs doctor``: whether this installation works, and what it found."""

from __future__ import annotations

import platform
import sys
import tempfile
from argparse import Namespace
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

from mitk_rs.cli.console import Console
from mitk_rs.cli.errors import ExitCode, FailedError
from mitk_rs.cli.parser import CommandParser, Subparsers, add_common
from mitk_rs.errors import Exception as MitkError

__all__ = ["add_parser", "run"]

_REQUIRED = ("numpy", "SimpleITK", "Pillow", "nibabel", "pydicom", "tifffile", "isal", "rich", "shtab")
_OPTIONAL = ("vtk", "itk", "pyvista", "xarray", "torch", "dask", "scikit-fmm")

_DESCRIPTION = """Check the installation: versions, processor, threads, files, and a small computation.

Exit status 0 where everything works, 1 where something does not."""


def add_parser(subparsers: Subparsers[CommandParser]) -> CommandParser:
    """Add the command to the program's."""
    parser = subparsers.add_parser("doctor", help="check the installation", description=_DESCRIPTION)
    add_common(parser, output=False)
    return parser


def run(args: Namespace) -> None:
    """Make every check, print all results, fail if one of them failed."""
    from mitk_rs import _core

    checks = {name: _outcome(check) for name, check in _CHECKS.items()}
    failed = [name for name, outcome in checks.items() if not outcome["ok"]]
    facts: dict[str, Any] = {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "threads": _core.get_num_threads(),
        "cpu_features": _core.cpu_features(),
        "optional": {name: _version(name) for name in _OPTIONAL},
        "checks": checks,
    }
    console = Console("mitk-rs doctor", quiet=args.quiet, as_json=args.json)
    if not args.json and not args.quiet:
        console.result(_text(facts))
    if failed:
        text = f"{len(failed)} of {len(checks)} checks failed: {', '.join(failed)}"
        raise FailedError(text, ExitCode.UNEXPECTED, facts)
    if args.json:
        console.result_json(facts)


def _version(name: str) -> str | None:
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

    times, *_ = _core.march(np.ones((1, 1, 9), np.float32), (0.5, 1.0, 1.0), [(0, 0, 0)])
    if not np.array_equal(times[0, 0], np.arange(9) * 0.5):
        raise MitkError(f"fast marching gave {times[0, 0].tolist()}")
    return "fast marching gives the known answer"


def _check_image_files() -> str:
    """One voxel pattern through a file of each library."""
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
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"0" * 4096)
        file.flush()
    return f"{tempfile.gettempdir()} is writable"


_CHECKS: dict[str, Callable[[], str]] = {
    "packages": _check_packages,
    "computation": _check_computation,
    "image files": _check_image_files,
    "surface": _check_surface,
    "temporary folder": _check_temporary_folder,
}


def _text(facts: dict[str, Any]) -> str:
    from mitk_rs import _core

    lines = [
        f"mitk_rs {_core.version()}, Python {facts['python']} ({sys.executable})",
        f"{facts['platform']}, {facts['threads']} threads, {' '.join(facts['cpu_features']) or 'no extensions'}",
    ]
    installed = [f"{name} {version}" for name, version in facts["optional"].items() if version]
    lines.append(f"optional packages: {', '.join(installed) or 'none'}")
    for name, outcome in facts["checks"].items():
        lines.append(f"{'ok  ' if outcome['ok'] else 'FAIL'} {name}: {outcome['text']}")
    return "\n".join(lines)
