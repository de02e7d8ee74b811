"""The files of a command: what is checked before anything is written, how they are read, ``-`` in place of a file.

What comes from standard input is kept in a temporary folder, which only this user can read, and read from there. A
result goes to standard output once it is whole; a command that fails writes nothing there. Messages name the streams.
"""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.console import SPOKEN, Console, write_stdout_file
from mitk_rs.cli.parser import Namespace, refuse
from mitk_rs.cli.signals import at_the_end
from mitk_rs.errors import FileError, FileMissingError, FileWriteError, RequestError, UsageError, brief, reason

if TYPE_CHECKING:
    from mitk_rs.image import Image
    from mitk_rs.io import ReadOptions
    from mitk_rs.seeds import Seeds

IMAGE_SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz", ".vti", ".vtk")
SURFACE_SUFFIXES = (".stl", ".vtp", ".ply", ".obj", ".vtk")
PICTURES = (".png", ".tif", ".tiff")
# Headers whose voxels go to a file of their own beside them.
_DATA_SUFFIXES = {".mhd": (".zraw", ".raw"), ".nhdr": (".raw.gz", ".raw"), ".hdr": (".img",), ".img": (".hdr",)}
_SUFFIXES = {"image": IMAGE_SUFFIXES, "mask": IMAGE_SUFFIXES, "surface": SURFACE_SUFFIXES, "picture": PICTURES}
# Options that name results, and what these hold.
_RESULTS = {"output": "image", "olevelsetsfile": "image", "mask": "mask"}
_RESULTS |= {"surface": "surface", "osurfacefile": "surface", "picture": "picture"}
# Options that may be `-`.
_INPUTS = ("input", "ifile", "i", "overlay", "initial", "merge", "feature", "like")
_OUTPUTS = tuple(_RESULTS)

Outputs = Sequence[tuple[str, Collection[str]]]


class Session(Console):
    """A command at work: its options, the files that these name, and what it says."""

    def __init__(self, command: str, args: Namespace) -> None:
        super().__init__(command, quiet=getattr(args, "quiet", False), as_json=getattr(args, "json", False))
        self.args = args

    def check_files(self, inputs: Sequence[str], outputs: Outputs) -> None:
        """Refuse inputs that cannot be read and outputs that cannot be written, before anything is loaded."""
        check_inputs(*inputs)
        check_outputs(outputs, inputs=inputs, force=self.args.force)

    def reading(self) -> ReadOptions:
        """The options of reading as :func:`mitk_rs.io.read_image` takes them."""
        args = self.args
        return {"series": args.series, "allow_gaps": args.allow_gaps, "allow_other_folders": args.allow_other_folders}

    def read(self, path: str) -> Image:
        """Read an image as the options say."""
        from mitk_rs.io import read_image
        from mitk_rs.io.formats import series_warnings

        with series_warnings(self.warning):
            return read_image(path, **self.reading())

    def read_frame(self, path: str, *, result: str | None = None) -> Image:
        """Read an image from which one frame is computed; the format of ``result`` must hold what comes out."""
        image = self.read(path)
        self.check_time_step(image, path)
        if result:
            _check_fits(image, result, time_step=self.args.time_step or 0)
        return image

    def check_time_step(self, image: Image, path: str) -> None:
        """Refuse a frame that the image does not have, and to guess one of several."""
        steps, time_step = image.time_steps, self.args.time_step
        if time_step is None and steps > 1:
            raise RequestError(f"{path} has {steps} time steps: choose one with --time-step 0..{steps - 1}")
        if time_step is not None and time_step >= steps:
            raise RequestError(f"--time-step {time_step} does not exist: {path} has 0..{steps - 1}")

    def seeds(self) -> dict[str, list[Seeds]]:
        """What all occurrences of the options for sources and targets gave, in order; files are read."""
        given, kind = vars(self.args), getattr(self.args, "points", "index")
        names = {"source": "sourcepoints", "target": "targetpoints"}
        return {
            name: [_seeds(group, kind, name) for group in given.get(name, given.get(vmtk)) or []]
            for name, vmtk in names.items()
        }

    def voxels(self, seeds: Mapping[str, list[Seeds]], image: Image) -> dict[str, Any]:
        """The voxels of all seeds, as :meth:`mitk_rs.Seeds.indices` finds them: ``sources`` and ``targets``."""
        step = self.args.time_step
        return {
            f"{name}s": [voxel for group in groups for voxel in group.indices(image, role=name, time_step=step)]
            for name, groups in seeds.items()
        }

    def results(self, inputs: Sequence[str], missing: str) -> dict[str, str]:
        """Check all files; those to write, by what they hold. ``missing`` says how one is named where there is none."""
        args = self.args
        files = {kind: path for name, kind in _RESULTS.items() if (path := getattr(args, name, None))}
        if not files and not self.as_json and not getattr(args, "disabled", False):
            raise UsageError(f"missing {missing}: the result would not be stored")
        self.check_files(inputs, [(path, _SUFFIXES[kind]) for kind, path in files.items()])
        return files


def _seeds(group: list[Any], kind: str, name: str) -> Seeds:
    from mitk_rs.seeds import Seed, Seeds, read_seeds

    if isinstance(group[0], str):
        return read_seeds(group[0])
    broken = [value for value in group if not value.is_integer()]
    if kind == "index" and broken:
        raise UsageError(f"--{name} expects whole numbers, got {broken[0]:g}; --points physical takes mm")
    side = -1.0 if kind == "ras" else 1.0
    seeds = [Seed((side * group[i], side * group[i + 1], group[i + 2])) for i in range(0, len(group), 3)]
    return Seeds(seeds, "index" if kind == "index" else "LPS")


def _check_fits(image: Image, path: str, *, time_step: int) -> None:
    """Refuse a format that cannot hold a level set on the image's grid, before it is computed."""
    import numpy as np

    from mitk_rs.io import formats
    from mitk_rs.time_geometry import ProportionalTimeGeometry

    times = ProportionalTimeGeometry(steps=1, geometry=image.get_geometry(time_step))
    spatial = image.shape[: image.ndim][-3:] if image.ndim > 2 else image.shape[:2]
    formats.check_fits(formats.ImageHeader(shape=spatial, dtype=np.dtype("float32"), time_geometry=times), path)


# Checks


def check_inputs(*paths: str) -> None:
    """Refuse inputs that are not there, cannot be read or are empty. Folders pass: they may hold a DICOM series."""
    for path in paths:
        if "\0" in path or not path:
            raise FileMissingError(f"cannot read {brief(path)}: not a file name")
        try:
            status = os.stat(path)  # noqa: PTH116 - Path.stat would turn "a/" into "a"
        except OSError as error:
            if error.errno == errno.ENOENT:
                raise FileMissingError(f"cannot read {path}: no such file") from error
            raise FileError(f"cannot read {path}: {reason(error)}") from error
        if not os.access(path, os.R_OK):
            raise FileError(f"cannot read {path}: no permission")
        if Path(path).is_file() and status.st_size == 0:
            raise FileError(f"cannot read {path}: the file is empty")


def check_outputs(outputs: Outputs, *, inputs: Sequence[str] = (), force: bool = False) -> None:
    """Refuse outputs that could not be written or would destroy something; not even ``force`` replaces an input.

    ``outputs`` are the names of files with the endings that their kind may have.
    """
    for number, (path, suffixes) in enumerate(outputs):
        _check_name(path, suffixes)
        if any(_same_file(path, other) for other in inputs):
            raise FileWriteError(f"cannot write {path}: it is the input")
        if any(_same_file(path, earlier) for earlier, _ in outputs[:number]):
            raise FileWriteError(f"cannot write {path}: it is given for two outputs")
        _check_existing(path, force=force)


def _check_name(path: str, suffixes: Collection[str]) -> None:
    if "\0" in path or not path:
        raise FileWriteError(f"cannot write {brief(path)}: not a file name")
    if not path.lower().endswith(tuple(suffixes)):
        raise FileWriteError(f"cannot write {path}: its ending must be one of {' '.join(suffixes)}")
    folder = Path(path).parent
    if not folder.exists():
        raise FileWriteError(f"cannot write {path}: the folder {folder} does not exist")
    if not folder.is_dir():
        raise FileWriteError(f"cannot write {path}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileWriteError(f"cannot write {path}: no permission to write in the folder {folder}")


def _same_file(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _check_existing(path: str, *, force: bool) -> None:
    if Path(path).is_dir():
        raise FileWriteError(f"cannot write {path}: it is a folder")
    if force:
        return
    if Path(path).exists():
        raise FileWriteError(f"cannot write {path}: it exists; --force replaces it")
    for suffix in _DATA_SUFFIXES.get(Path(path).suffix.lower(), ()):
        data = Path(path).with_suffix(suffix)
        if data.exists():
            raise FileWriteError(f"cannot write {path}: its data file {data} exists; --force replaces it")


# Results


def write_results(files: Mapping[str, str], result: Any, surface: Any, empty: str, picture: Any = None) -> None:
    """Write all files of a result or none; ``empty`` says that the surface, which is wanted, has no triangle."""
    from mitk_rs.io import write_image
    from mitk_rs.io.atomic import atomic_outputs
    from mitk_rs.surface import write_surface

    if surface is not None and surface.GetNumberOfPoints() == 0:
        raise RequestError(empty)
    with atomic_outputs():
        if picture is not None:
            from mitk_rs.projection import write_picture

            write_picture(picture, files["picture"])
        if surface is not None:
            write_surface(surface, files["surface"])
        if "mask" in files:
            write_image(result.mask, files["mask"])
        if "image" in files:
            write_image(result.level_set, files["image"])


def descriptions(files: Mapping[str, str]) -> list[dict[str, str]]:
    """Entries of ``outputs`` in the JSON object for files by what they hold."""
    return [{"path": path, "kind": kind} for kind, path in files.items()]


# Standard input and output


@contextmanager
def standard_streams(args: Namespace) -> Iterator[None]:
    """Replace ``-`` in the files of a command by temporary files while it runs."""
    inputs, outputs = _uses(args, _INPUTS), _uses(args, _OUTPUTS)
    if not hasattr(args, "format") or not (inputs or outputs):
        if getattr(args, "format", None) is not None:
            raise UsageError("--format is for standard input and output: no file is -")
        yield
        return
    import tempfile

    _check_streams(args, inputs, outputs)
    with tempfile.TemporaryDirectory(prefix="mitk_rs_") as folder:
        at_the_end(lambda: shutil.rmtree(folder, ignore_errors=True))
        if inputs:
            _replace(args, inputs[0], _stored_input(Path(folder), args.format), "standard input")
        result = Path(folder, "output", f"standard_output{_suffix(args.format)}")
        result.parent.mkdir()
        if outputs:
            _replace(args, outputs[0], result, "standard output")
        yield
        if outputs:
            if list(result.parent.iterdir()) != [result]:
                raise UsageError("the command writes several files: - is for one")
            write_stdout_file(result)


def _uses(args: Namespace, names: tuple[str, ...]) -> list[str]:
    """The arguments that are ``-``."""
    values = [(name, getattr(args, name, None)) for name in names]
    return [name for name, value in values for one in (value if isinstance(value, list) else [value]) if one == "-"]


def _check_streams(args: Namespace, inputs: list[str], outputs: list[str]) -> None:
    refuse(
        {
            "- is given for two inputs: standard input is one": len(inputs) > 1,
            "- is given for two outputs: standard output is one": len(outputs) > 1,
            "- does not go with a dialogue or a window": getattr(args, "interactive", False)
            or getattr(args, "show", False),
            "--json does not go with - as output: both are standard output": outputs and args.json,
            "missing --format ENDING, the format of standard output, such as --format mha": outputs
            and args.format is None,
            "standard output is a terminal: send it to a file or a pipe": outputs
            and sys.stdout
            and sys.stdout.isatty(),
            "standard input is a terminal: send an image to it": inputs and not (sys.stdin and not sys.stdin.isatty()),
        }
    )


def _suffix(format_: str | None) -> str:
    return f".{format_.removeprefix('.')}" if format_ else ""


def _stored_input(folder: Path, format_: str | None) -> Path:
    """The content of standard input as a file."""
    from mitk_rs.io import MARK_BYTES, suffix_of_content

    first = sys.stdin.buffer.read(MARK_BYTES)
    suffix = suffix_of_content(first) or _suffix(format_)
    if not suffix and first:
        raise FileError("cannot read standard input: its content does not show its format; name it with --format")
    path = folder / f"standard_input{suffix}"
    try:
        with path.open("wb") as file:
            file.write(first)
            shutil.copyfileobj(sys.stdin.buffer, file, 1 << 20)
    except OSError as error:
        raise FileError(f"cannot keep standard input: {reason(error)}") from error
    return path


def _replace(args: Namespace, name: str, path: Path, spoken: str) -> None:
    SPOKEN[str(path)] = spoken
    value: Any = getattr(args, name)
    setattr(args, name, [str(path) if one == "-" else one for one in value] if isinstance(value, list) else str(path))
