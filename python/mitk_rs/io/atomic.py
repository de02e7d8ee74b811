"""Files that are whole or absent, and sets of files that are all new or all old.

Every writer of the project goes through :func:`atomic_output` (one file) or :func:`atomic_folder` (a header and its
data files). The new content is made in a hidden folder beside the target, ``.NAME.xxxxxxxxxxxx.mitk_rs``, brought to
the disk, and only then takes the target's name. Whatever fails before that moment, a full disk or a kill included,
leaves the old files as they were.

Files that are finished inside :func:`atomic_outputs` take their names together: first all of them are brought to the
disk, then they are renamed one right after the other with interrupts held back. If a rename fails, those before it
are undone. Before the first one a *journal* in the hidden folder lists them all, so that the renames that a kill or a
power cut has prevented are made up for by the next write to the same folder; until then some files of the set may be
new and others old. Hidden folders that a kill has left are removed by the next write to the same folder, if they
belong to the same user and no process holds the lock in them.

After a power cut a file may still be the old one although the program had ended well only if the disk itself lied
about what it had stored.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import re
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from mitk_rs import _platform
from mitk_rs._validation import path_name
from mitk_rs.errors import FileError, FileWriteError, brief

PathName = str | bytes | os.PathLike[str] | os.PathLike[bytes]

_log = logging.getLogger(__name__)

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

_HIDDEN = re.compile(r"\..+\.[0-9a-f]{12}\.mitk_rs")
# A hidden folder younger than this may not have its lock yet.
_LEFTOVER_SECONDS = 10.0
# Where the file system has no locks, only age tells whether a hidden folder is still in use.
_LEFTOVER_SECONDS_WITHOUT_LOCKS = 86400.0


def full_suffix(path: str | os.PathLike[str]) -> str:
    """Return the ending that names the format: ``.nii.gz`` for ``a.b.nii.gz``, ``.mha`` for ``a.b.mha``."""
    name = Path(path)
    return "".join(name.suffixes[-2 if name.suffix.lower() == ".gz" else -1 :])


def with_small_ending(name: str) -> str:
    """Return a file's name with its ending in small letters: some writers do not know it in capital ones."""
    suffix = full_suffix(name)
    return name.removesuffix(suffix) + suffix.lower()


@contextmanager
def atomic_output(path: PathName) -> Iterator[Path]:
    """Write a file so that ``path``, or what it links to, holds either its old content or all of the new one.

    The block gets an existing empty file in a hidden folder, with its ending in small letters, for the content. When
    the block ends well it is brought to the disk and renamed to ``path``, inside :func:`atomic_outputs` when that
    ends; when the block raises it is removed. Any ``OSError`` of the block becomes a ``FileWriteError`` with the name
    of the file and the reason.

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
    with atomic_outputs() as group, _write_errors(target, path):
        temporary = group.new_folder(target) / with_small_ending(target.name)
        temporary.touch()
        yield temporary
        group.add(temporary, target)


@contextmanager
def atomic_folder(path: PathName) -> Iterator[Path]:
    """Write a header file together with the data files that it names.

    The block gets the name for the header inside a hidden folder. Headers name their data files relative to
    themselves, so the files fit together after the move too. Every file made in that folder is moved beside ``path``;
    the header is renamed last, so a reader that finds a new header finds new data.
    """
    target = _checked_target(path)
    with atomic_outputs() as group, _write_errors(target, path):
        header = group.new_folder(target) / with_small_ending(target.name)
        yield header
        for data in sorted(set(header.parent.iterdir()) - {header}):
            group.add(data, _checked_target(target.parent / data.name))
        group.add(header, target)


@contextmanager
def atomic_outputs(*, apart: bool = False) -> Iterator[_Group]:
    """Let all files that are finished in the block take their names together when it ends: all are new or all old.

    A block inside of a block belongs to the outer one, except one ``apart``. Files of other threads do not.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> with atomic_outputs():
    ...     with atomic_output(folder / "a") as temporary:
    ...         _ = temporary.write_text("whole")
    ...     (folder / "a").exists()
    False
    >>> (folder / "a").exists()
    True
    """
    outer = _group.get()
    if outer is not None and not apart:
        yield outer
        return
    group = _Group()
    token = _group.set(group)
    try:
        yield group
        group.commit()
    finally:
        _group.reset(token)
        group.remove_folders()


def check_writable(path: PathName) -> None:
    """Refuse now what :func:`atomic_output` would refuse later: no such folder, no permission, not a regular file."""
    _checked_target(path)


def abandon_writes() -> None:
    """Remove what unfinished writes of this process have made so far, and let no other write begin or finish.

    For a program that is about to end. Renames that have begun are waited for.
    """
    _naming.acquire()
    for folder in list(_in_progress):
        # Another thread may be making files there; once the folder is gone it cannot.
        for _ in range(100):
            shutil.rmtree(folder, ignore_errors=True)
            if not folder.exists():
                break


# --- sets of files -----------------------------------------------------------------------------------------------

# Held while hidden folders are made and while files are renamed.
_naming = threading.RLock()
# The hidden folders of this process.
_in_progress: set[Path] = set()


class _Group:
    """Files that take their names together."""

    def __init__(self) -> None:
        # One hidden folder beside the targets of each folder, with the lock that says that it is in use.
        self._hidden: dict[Path, tuple[Path, int | None]] = {}
        self._moves: list[tuple[Path, Path]] = []

    def new_folder(self, target: Path) -> Path:
        """An empty folder on the file system of ``target``."""
        folder = self._hidden_beside(target) / f"new-{secrets.token_hex(4)}"
        folder.mkdir()
        return folder

    def _hidden_beside(self, target: Path) -> Path:
        if target.parent not in self._hidden:
            _settle_leftovers(target.parent)
            # Names of 255 bytes are possible, and a character may take 4 of them.
            folder = target.parent / f".{target.name[:50]}.{secrets.token_hex(6)}.mitk_rs"
            with _naming, _platform.held_interrupts():
                folder.mkdir(mode=0o700)
                _in_progress.add(folder)
                self._hidden[target.parent] = folder, None
                self._hidden[target.parent] = folder, _platform.lock_file(folder / "lock")
        return self._hidden[target.parent][0]

    def add(self, new: Path, target: Path) -> None:
        """Let ``new``, a finished file in a hidden folder, become ``target``."""
        if target.exists():
            new.chmod(stat.S_IMODE(target.stat().st_mode))
        _check_room(new)
        _platform.sync_file(new)
        self._moves.append((new, target))

    def commit(self) -> None:
        old = self._keep_old() if len(self._moves) > 1 else {}
        with _naming, _platform.held_interrupts():
            self._rename(old)
        for parent in {target.parent for _, target in self._moves}:
            _sync_names(parent)

    def _keep_old(self) -> dict[Path, Path]:
        """Give the old files second names, and write the journal."""
        old: dict[Path, Path] = {}
        for number, (_, target) in enumerate(self._moves):
            kept = self._hidden_beside(target) / f"old-{number}"
            with _write_errors(target), contextlib.suppress(FileNotFoundError):
                _second_name(target, kept)
                old[target] = kept
        with _write_errors(self._moves[0][1]):
            self._write_journal()
        return old

    @property
    def _journal(self) -> Path:
        return self._hidden_beside(self._moves[0][1]) / "journal"

    def _write_journal(self) -> None:
        folder = self._journal.parent
        part = folder / "journal.part"
        part.write_text(json.dumps([[os.path.relpath(path, folder) for path in move] for move in self._moves]))
        _platform.sync_file(part)
        for place in {new.parent for new, _ in self._moves} | {hidden for hidden, _ in self._hidden.values()}:
            _sync_names(place)
        part.replace(self._journal)
        _sync_names(folder)

    def _rename(self, old: dict[Path, Path]) -> None:
        done: list[Path] = []
        for new, target in self._moves:
            try:
                new.replace(target)
            except OSError as error:
                self._undo(done, old)
                raise FileWriteError(f"cannot write {target}: {_reason(error)}") from error
            done.append(target)

    def _undo(self, done: list[Path], old: dict[Path, Path]) -> None:
        if len(self._moves) > 1:
            self._journal.unlink()
        for target in reversed(done):
            if target in old:
                old[target].replace(target)
            else:
                target.unlink()

    def remove_folders(self) -> None:
        """Remove the hidden folders with whatever is still in them."""
        for folder, lock in self._hidden.values():
            shutil.rmtree(folder, ignore_errors=True)
            _in_progress.discard(folder)
            if lock is not None:
                os.close(lock)


_group: ContextVar[_Group | None] = ContextVar("group", default=None)


def _forget_parent() -> None:
    """A forked child has no writes in progress, and nobody in it holds the lock."""
    global _naming
    _naming = threading.RLock()
    _in_progress.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_parent)


def _second_name(file: Path, second: Path) -> None:
    """Give a file a second name: a hard link, or a copy where the file system has no links."""
    try:
        os.link(file, second)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copy2(file, second)


# --- what a kill has left ----------------------------------------------------------------------------------------

_looked_at: dict[Path, float] = {}


def _settle_leftovers(folder: Path) -> None:
    """Finish or remove what writes that were killed have left in a folder; look there now and then only."""
    now = time.monotonic()
    if now - _looked_at.get(folder, -_LEFTOVER_SECONDS) < _LEFTOVER_SECONDS:
        return
    _looked_at[folder] = now
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for name in [entry.name for entry in entries if _HIDDEN.fullmatch(entry.name)]:
            with contextlib.suppress(OSError, ValueError):
                _settle(folder / name)


def _settle(leftover: Path) -> None:
    """Finish or remove one hidden folder, if it is ours and nobody works in it."""
    found = leftover.lstat()
    age = time.time() - found.st_mtime
    ours = stat.S_ISDIR(found.st_mode) and _platform.owns(found)
    if not ours or age < _LEFTOVER_SECONDS or leftover in _in_progress:
        return
    try:
        lock = _platform.lock_file(leftover / "lock")
    except BlockingIOError:
        return
    if lock is None and age < _LEFTOVER_SECONDS_WITHOUT_LOCKS:
        return
    try:
        _finish_renames(leftover / "journal")
        shutil.rmtree(leftover)
        _log.info("removed %s, which a process that was killed had left", leftover)
    finally:
        if lock is not None:
            os.close(lock)


def _finish_renames(journal: Path) -> None:
    """Make the renames of a journal that were not made."""
    if not journal.exists():
        return
    for new, target in json.loads(journal.read_text()):
        with contextlib.suppress(FileNotFoundError):
            (journal.parent / new).replace(journal.parent / target)


# --- targets and errors ------------------------------------------------------------------------------------------


def _checked_target(path: PathName) -> Path:
    """Follow links and refuse, before any work is done, what the final rename could not do or should not."""
    name = path_name(path)
    if "\0" in name or not name:
        raise FileWriteError(f"cannot write {brief(name)}: not a file name")
    target = Path(os.path.realpath(name))
    refusal = _file_refusal(target) or _folder_refusal(target.parent)
    if refusal:
        raise FileWriteError(f"cannot write {name}: {refusal}")
    return target


def _file_refusal(target: Path) -> str | None:
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        return _reason(error)
    if stat.S_ISDIR(mode):
        return "it is a folder"
    if not stat.S_ISREG(mode):
        return "it exists and is not a regular file"
    return None if os.access(target, os.W_OK) else "no permission to change the existing file"


def _folder_refusal(folder: Path) -> str | None:
    if not folder.exists():
        return f"the folder {folder} does not exist"
    if not folder.is_dir():
        return f"{folder} is not a folder"
    if not os.access(folder, os.W_OK | os.X_OK):
        return f"no permission to write in the folder {folder}"
    return None


@contextmanager
def _write_errors(target: Path, given: PathName | None = None) -> Iterator[None]:
    """Turn every ``OSError`` into a :class:`FileWriteError` that names the file as the caller does."""
    try:
        yield
    except FileError:
        raise
    except OSError as error:
        if error.errno is None and disk_is_full(target.parent):
            error.errno = errno.ENOSPC
        raise FileWriteError(f"cannot write {os.fsdecode(given or target)}: {_reason(error)}") from error
    finally:
        # After abandon_writes the hidden folder is gone, and whatever that causes here is no news: wait for the end.
        with _naming:
            pass


def disk_is_full(folder: Path) -> bool:
    """Return True where the file system has no room left, which writers do not always tell from other failures."""
    return shutil.disk_usage(folder).free == 0


def _sync_names(folder: Path) -> None:
    """Bring the names in a folder to the disk. The files are there already: if this fails, no write has failed."""
    try:
        _platform.sync_folder(folder)
    except OSError as error:
        _log.warning("the names in %s may be lost in a power cut: %s", folder, _reason(error))


def _reason(error: OSError) -> str:
    return _REASONS.get(error.errno or 0, error.strerror or str(error))


def _check_room(file: Path) -> None:
    """Raise the error that a library may have passed over: where its last bytes did not fit, more bytes do not either.

    On a full disk, over a quota, and at a limit on the size of files. C libraries keep the end of a file until they
    close it, and NumPy, ITK and VTK do not look whether that went well.
    """
    with file.open("r+b") as opened:
        size = opened.seek(0, os.SEEK_END)
        opened.write(bytes(4096))
        opened.flush()
        opened.truncate(size)
