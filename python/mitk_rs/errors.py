"""Exceptions of mitk_rs.

The root is :class:`Exception`, a ``RuntimeError`` as callers of MITK and VMTK expect. Where a builtin class says
more (a missing file, a bad value), our class derives from both, so that either ``except`` clause works.
"""

from __future__ import annotations

import builtins
import logging
import re
import reprlib

__all__ = [
    "Cancelled",
    "DicomSeriesWarning",
    "DisplayError",
    "Exception",
    "FileError",
    "FileMissingError",
    "FileWriteError",
    "GeometryError",
    "InternalError",
    "MemoryIsLockedError",
    "MemoryLimitError",
    "PackageMissingError",
    "PropertyNotOwnedError",
    "RequestError",
    "TimeStepError",
    "TimeoutError",
    "UsageError",
]


# Messages go nowhere until the program says where. Every module that has a logger imports this one.
logging.getLogger("mitk_rs").addHandler(logging.NullHandler())

# A longer message loses its middle: what fills it is a value that the caller knows.
_LONGEST_MESSAGE = 1500


def one_line(message: str) -> str:
    """Return a message as one line that a terminal shows, whatever it quotes: the text of an array has many lines."""
    if len(message) > _LONGEST_MESSAGE:
        half = _LONGEST_MESSAGE // 2
        message = f"{message[:half]} ... {message[-half:]}"
    return re.sub(r"\s*\n\s*", " ", message)


_brief = reprlib.Repr()
_brief.maxstring = _brief.maxother = 100


def brief(value: object) -> str:
    """The ``repr`` of a value as messages show it: of a long one the beginning and the end, or the first entries."""
    return _brief.repr(value)


def reason(error: OSError) -> str:
    """What the system says of a file, for the end of a message."""
    return (error.strerror or str(error)).lower()


class Exception(builtins.RuntimeError):
    """Root of everything mitk_rs raises on purpose (``mitk::Exception``)."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class RequestError(Exception, ValueError):
    """A request that does not fit the data: seeds outside, no threshold, an argument out of range."""


class UsageError(Exception, ValueError):
    """A command or pype line that cannot be understood: unknown option, wrong count, type or reference."""


class PackageMissingError(Exception, ModuleNotFoundError):
    """The call needs a package that is not installed, such as VTK for a surface."""


class DisplayError(Exception):
    """A window or a terminal is needed and there is none."""


class GeometryError(Exception, ValueError):
    """Spacing, origin or direction that no image can have."""


class TimeStepError(Exception, IndexError):
    """A time step that the image does not have."""


class FileError(Exception, OSError, ValueError):
    """A file that cannot be read or written; the message names the file and the reason."""

    def __str__(self) -> str:
        # OSError would show errno and filename in their place where they are set. Names may have bytes that are not
        # UTF-8; the message must be printable all the same.
        return one_line(builtins.BaseException.__str__(self)).encode("utf-8", "backslashreplace").decode()


class FileMissingError(FileError, FileNotFoundError):
    """There is no such file."""


class FileWriteError(FileError):
    """A file that cannot be written: folder missing, no permission, disk full, or a format that cannot hold it."""


class MemoryIsLockedError(Exception):
    """An accessor conflicts with one that is held (``mitk::MemoryIsLockedException``)."""


class MemoryLimitError(Exception, MemoryError):
    """The work would need more memory than the caller allowed."""


class TimeoutError(Exception, builtins.TimeoutError):
    """The time that ``timeout=`` allowed has passed."""


class PropertyNotOwnedError(Exception, AttributeError):
    """A provided property was written or removed through an object that does not own it."""


class DicomSeriesWarning(UserWarning):
    """A DICOM series is not a regular stack: slices missing, unequally spaced, shifted, or left out."""


class Cancelled(Exception):
    """The caller asked a running computation to stop."""


class InternalError(Exception):
    """A defect of mitk_rs itself; please report it."""


# Users know them as members of the package, in tracebacks and in pickles too.
for _name in __all__:
    globals()[_name].__module__ = "mitk_rs"
