"""Checks on the files of a line, all of them before anything is written."""

from __future__ import annotations

import errno
import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mitk_rs._validation import brief
from mitk_rs.cli.parser import add_common, integer
from mitk_rs.cli.streams import add_streams
from mitk_rs.errors import FileError, FileMissingError, FileWriteError, RequestError

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace, _ActionsContainer

    from mitk_rs.cli.console import Console
    from mitk_rs.image import Image
    from mitk_rs.io import ReadOptions

__all__ = [
    "IMAGE_SUFFIXES",
    "SURFACE_SUFFIXES",
    "add_input_options",
    "add_time_step",
    "all_image_suffixes",
    "check_files",
    "check_inputs",
    "check_outputs",
    "check_time_step",
    "read_frame",
    "read_input",
    "reading_options",
]

IMAGE_SUFFIXES = (".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz", ".vti", ".vtk")
# Headers whose voxels go to a file of their own beside them.
_DATA_SUFFIXES = {".mhd": (".zraw", ".raw"), ".nhdr": (".raw.gz", ".raw"), ".hdr": (".img",), ".img": (".hdr",)}
SURFACE_SUFFIXES = (".stl", ".vtp", ".ply", ".obj", ".vtk")


def add_input_options(
    parser: ArgumentParser, *, threads: bool = False, output: bool = True, streams: bool = True
) -> None:
    """Add what every command that reads an image has: common options, the format of ``-``, how inputs are read."""
    add_common(parser, threads=threads, output=output)
    if streams:
        add_streams(parser, output=output)
    group = parser.add_argument_group("reading")
    series = "which of several DICOM series of a folder: number in the list of mitk-rs info, UID or description"
    group.add_argument("--series", metavar="SERIES", help=series)
    gaps = "read a DICOM series with missing slices, uneven distances or a tilted gantry, and warn"
    group.add_argument("--allow-gaps", action="store_true", help=gaps)
    folders = "let a header (.mhd .nhdr .hdr) name data outside its own folder"
    group.add_argument("--allow-other-folders", action="store_true", help=folders)


def add_time_step(parser: _ActionsContainer, text: str = "frame of an image with several") -> None:
    """Add the option that chooses a frame."""
    parser.add_argument("--time-step", type=integer(minimum=0), metavar="N", help=text)


def reading_options(args: Namespace) -> ReadOptions:
    """The options of :func:`add_input_options` as :func:`mitk_rs.io.read_image` takes them."""
    return {
        "series": args.series,
        "allow_gaps": args.allow_gaps,
        "allow_other_folders": args.allow_other_folders,
    }


def read_input(args: Namespace, path: str, console: Console) -> Image:
    """Read an image as the options say; errors as for :func:`mitk_rs.io.read_image`."""
    from mitk_rs.io import read_image
    from mitk_rs.io.record import series_warnings

    with series_warnings(console.warning):
        return read_image(path, **reading_options(args))


def read_frame(args: Namespace, path: str, console: Console, *, result: str | None = None) -> Image:
    """Read an image from which one frame is computed.

    Parameters
    ----------
    result
        File for the level set or feature of that frame, if there is one.

    Raises
    ------
    RequestError
        ``--time-step`` is missing, or the image does not have it.
    FileWriteError
        The format of the result cannot hold it.
    """
    image = read_input(args, path, console)
    check_time_step(image, path, args.time_step)
    if result:
        _check_fits(image, result, "float32", time_step=args.time_step or 0)
    return image


def check_files(args: Namespace, inputs: Sequence[str], outputs: Sequence[tuple[str, Collection[str]]]) -> None:
    """Refuse inputs that cannot be read and outputs that cannot be written, before anything is loaded."""
    check_inputs(*inputs)
    check_outputs(outputs, inputs=inputs, force=args.force)


def check_inputs(*paths: str) -> None:
    """Refuse inputs that are not there, cannot be read or are empty, before a library is loaded to say so.

    Raises
    ------
    FileMissingError, FileError
        Naming the file and the reason. Folders pass: they may hold a DICOM series.
    """
    for path in paths:
        if "\0" in path or not path:
            raise FileMissingError(f"cannot read {brief(path)}: not a file name")
        try:
            status = os.stat(path)  # noqa: PTH116 - Path.stat would turn "a/" into "a"
        except OSError as error:
            raise _unreadable(path, error) from error
        if not os.access(path, os.R_OK):
            raise FileError(f"cannot read {path}: no permission")
        if Path(path).is_file() and status.st_size == 0:
            raise FileError(f"cannot read {path}: the file is empty")


def _unreadable(path: str, error: OSError) -> FileError:
    if error.errno == errno.ENOENT:
        return FileMissingError(f"cannot read {path}: no such file")
    return FileError(f"cannot read {path}: {(error.strerror or str(error)).lower()}")


def check_outputs(
    outputs: Sequence[tuple[str, Collection[str]]], *, inputs: Sequence[str] = (), force: bool = False
) -> None:
    """Refuse outputs that could not be written or would destroy something.

    Parameters
    ----------
    outputs
        Names of the files with the endings that their kind may have.
    inputs
        Files that no output may replace, not even with ``force``.
    force
        Whether existing files may be replaced.

    Raises
    ------
    FileWriteError
        Naming the file, the reason and what would do.
    """
    for number, (path, suffixes) in enumerate(outputs):
        _check_name(path, suffixes)
        _check_folder(path)
        for other in inputs:
            if _same_file(path, other):
                raise FileWriteError(f"cannot write {path}: it is the input")
        if any(_same_file(path, earlier) for earlier, _ in outputs[:number]):
            raise FileWriteError(f"cannot write {path}: it is given for two outputs")
        _check_existing(path, force=force)


def _check_name(path: str, suffixes: Collection[str]) -> None:
    if "\0" in path or not path:
        raise FileWriteError(f"cannot write {brief(path)}: not a file name")
    if not any(path.lower().endswith(suffix) for suffix in suffixes):
        raise FileWriteError(f"cannot write {path}: its ending must be one of {' '.join(suffixes)}")


def _check_folder(path: str) -> None:
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


def _check_fits(image: Image, path: str, dtype: str, *, time_step: int = 0) -> None:
    """Refuse a format that cannot hold a scalar result of this type on the image's grid, before it is computed.

    Raises
    ------
    FileWriteError
        Naming what does not fit and formats that would do.
    """
    import numpy as np

    from mitk_rs.io import formats, record
    from mitk_rs.time_geometry import ProportionalTimeGeometry

    times = ProportionalTimeGeometry(steps=1, geometry=image.get_geometry(time_step))
    spatial = image.shape[: image.ndim][-3:] if image.ndim > 2 else image.shape[:2]
    formats.check_fits(record.ImageHeader(shape=spatial, dtype=np.dtype(dtype), time_geometry=times), path)


def check_time_step(image: Image, path: str, time_step: int | None) -> None:
    """Refuse a frame that the image does not have, and to guess one of several.

    Raises
    ------
    RequestError
        Naming the frames to choose from.
    """
    steps = image.time_steps
    if time_step is None and steps > 1:
        raise RequestError(f"{path} has {steps} time steps: choose one with --time-step 0..{steps - 1}")
    if time_step is not None and time_step >= steps:
        raise RequestError(f"--time-step {time_step} does not exist: {path} has 0..{steps - 1}")


def all_image_suffixes() -> tuple[str, ...]:
    """Endings of every image format that can be written, pictures included."""
    from mitk_rs.io.formats import FORMATS

    return tuple(suffix for format_ in FORMATS for suffix in format_.suffixes)
