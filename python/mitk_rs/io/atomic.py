"""Files that are whole or absent.

Every writer of the project goes through :func:`atomic_output` (one file) or :func:`atomic_folder` (a header and
its data files): the new content is made beside the target, brought to the disk, and only then takes the target's
name. Whatever fails before that moment, a full disk or a kill included, leaves the old file as it was.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mitk_rs.errors import FileError, FileWriteError

PathName = str | bytes | os.PathLike[str] | os.PathLike[bytes]

__all__ = [
    "atomic_folder",
    "atomic_output",
    "check_writable",
    "disk_is_full",
    "full_suffix",
    "with_small_ending",
]

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENAMETOOLONG: "the name is too long",
    errno.EFBIG: "the file would be too large",
    errno.ELOOP: "the name is a loop of symbolic links",
    errno.ENOTDIR: "a part of the path is not a folder",
}


def full_suffix(path: str | os.PathLike[str]) -> str:
    """Return the ending that names the format: ``.nii.gz`` for ``a.b.nii.gz``, ``.mha`` for ``a.b.mha``."""
    suffixes = Path(path).suffixes
    doubled = len(suffixes) > 1 and suffixes[-1].lower() == ".gz"
    return "".join(suffixes[-2 if doubled else -1 :])


def with_small_ending(name: str) -> str:
    """Return a file's name with its ending in small letters: some writers do not know it in capital ones."""
    suffix = full_suffix(name)
    return name.removesuffix(suffix) + suffix.lower()


@contextmanager
def atomic_output(path: PathName) -> Iterator[Path]:
    """Write a file so that ``path`` holds either its old content or all of the new one.

    Parameters
    ----------
    path
        The file to make or to replace. A symbolic link is followed, its target is replaced.

    Yields
    ------
    pathlib.Path
        An existing empty file in the same folder with the same ending in small letters; write the content there.
        When the block ends well it is flushed to the disk and renamed to ``path``; when it raises it is removed.

    Raises
    ------
    FileWriteError
        The folder is missing or not writable, ``path`` is a folder or a device, or the disk is full. Any
        ``OSError`` of the block is turned into this class, with the name of the file and the reason.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with atomic_output(folder / "note.txt") as temporary:
    ...     _ = temporary.write_text("whole")
    >>> (folder / "note.txt").read_text()
    'whole'
    """
    target = _checked_target(path)
    with _write_errors(target):
        temporary = _create_beside(target)
        try:
            yield temporary
            _replace(temporary, target)
            _sync(target.parent)
        except OSError as error:
            if error.errno is None and disk_is_full(target.parent):
                error.errno = errno.ENOSPC
            raise
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_folder(path: PathName) -> Iterator[Path]:
    """Write a header file together with the data files that it names.

    Parameters
    ----------
    path
        The header; it is renamed last, so a reader that finds a new header finds new data.

    Yields
    ------
    pathlib.Path
        The name for the header, its ending in small letters, inside a temporary folder beside the target. Headers
        name their data files relative to themselves, so the pair keeps fitting together after the move. Every file
        made in that folder is moved beside ``path``.

    Raises
    ------
    FileWriteError
        As for :func:`atomic_output`.
    """
    target = _checked_target(path)
    with _write_errors(target):
        folder = target.parent / _temporary_name(target, "")
        folder.mkdir()
        try:
            header = folder / with_small_ending(target.name)
            yield header
            _move_all(header, target)
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def check_writable(path: PathName) -> None:
    """Refuse now what :func:`atomic_output` would refuse later.

    Raises
    ------
    FileWriteError
        The folder is missing or not writable, or ``path`` is a folder or a device.
    """
    _checked_target(path)


def _move_all(header: Path, target: Path) -> None:
    places = {file: target.parent / file.name for file in header.parent.iterdir() if file != header} | {header: target}
    for place in places.values():
        _checked_target(place)
    for file, place in places.items():
        _replace(file, place)
    _sync(target.parent)


def _checked_target(path: PathName) -> Path:
    """Follow links and refuse, before any work is done, what the final rename could not do or should not."""
    name = os.fsdecode(path)
    if "\0" in name or not name:
        raise FileWriteError(f"cannot write {name!r}: not a file name")
    target = Path(os.path.realpath(name))
    refusal = _refusal(target)
    if refusal:
        raise FileWriteError(f"cannot write {name}: {refusal}")
    return target


def _refusal(target: Path) -> str | None:
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return _folder_refusal(target.parent)
    except OSError as error:
        return _reason(error)
    if stat.S_ISDIR(mode):
        return "it is a folder"
    if not stat.S_ISREG(mode):
        return "it exists and is not a regular file"
    if not os.access(target, os.W_OK):
        return "no permission to change the existing file"
    return _folder_refusal(target.parent)


def _folder_refusal(folder: Path) -> str | None:
    if not folder.exists():
        return f"the folder {folder} does not exist"
    if not folder.is_dir():
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"no permission to write in the folder {folder}"
    return None


@contextmanager
def _write_errors(target: Path) -> Iterator[None]:
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        raise FileWriteError(f"cannot write {target}: {_reason(error)}") from error


def disk_is_full(folder: Path) -> bool:
    """Return True where the file system has no room left, which writers do not always tell from other failures."""
    return os.statvfs(folder).f_bavail == 0


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def _temporary_name(target: Path, suffix: str) -> str:
    return f".{target.name[:100]}.{secrets.token_hex(6)}{suffix}"


def _create_beside(target: Path) -> Path:
    """Make an empty file with the permissions a plain ``open`` would give, or those of the file it replaces."""
    temporary = target.parent / _temporary_name(target, full_suffix(target).lower())
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return temporary


def _replace(temporary: Path, target: Path) -> None:
    if target.exists():
        temporary.chmod(stat.S_IMODE(target.stat().st_mode))
    _sync(temporary)
    temporary.replace(target)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
