"""``vmtknumpyreader``: a dictionary of arrays from a file."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from mitk_rs.errors import FileError, FileMissingError
from mitk_rs.vmtk.script import pypeScript
from mitk_rs.vmtk.vmtknumpywriter import SEPARATOR

__all__ = ["vmtkNumpyReader"]

_ALLOWED = frozenset({"_reconstruct", "_frombuffer", "ndarray", "dtype", "scalar"})


class vmtkNumpyReader(pypeScript):
    """Read a dictionary of arrays (VMTK's ``vmtkNumpyReader``): ``.npz``, or a pickle of plain arrays.

    A pickle that names anything but NumPy's arrays is refused: nothing of a file is ever run.
    """

    def __init__(self) -> None:
        super().__init__()
        self.InputFileName = ""
        self.ArrayDict: Any = None
        self.Output: Any = None
        self.SetScriptName("vmtknumpyreader")
        self.SetScriptDoc("read a dictionary of NumPy arrays")
        self.SetInputMembers([["InputFileName", "ifile", "str", 1, "", "input file name"]])
        self.SetOutputMembers([["ArrayDict", "o", "dict", 1, "", "the output dictionary"]])

    def Execute(self) -> None:
        """Read the file.

        Raises
        ------
        FileMissingError, FileError
            It is missing, damaged, or holds something else than arrays.
        """
        if not self.InputFileName:
            self.PrintError("Error: no InputFileName.")
        self.ArrayDict = self.Output = _read(self.InputFileName)


def _read(name: str) -> dict[str, Any]:
    try:
        content = Path(name).read_bytes()
    except FileNotFoundError:
        raise FileMissingError(f"no such file: {name}") from None
    except OSError as error:
        raise FileError(f"cannot read {name}: {error.strerror}") from None
    try:
        return _nested(content) if zipfile.is_zipfile(io.BytesIO(content)) else _unpickled(content)
    except Exception as error:
        raise FileError(f"cannot read {name}: not a dictionary of arrays ({error})") from None


def _nested(content: bytes) -> dict[str, Any]:
    arrays: dict[str, Any] = {}
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        for name in file.files:
            *parents, last = name.split(SEPARATOR)
            level = arrays
            for parent in parents:
                level = level.setdefault(parent, {})
            level[last] = file[name]
    return arrays


class _ArraysOnly(pickle.Unpickler):
    """Reads pickles that are made of nothing but NumPy arrays and plain values."""

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "numpy" and name in _ALLOWED:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


def _unpickled(content: bytes) -> dict[str, Any]:
    value = _ArraysOnly(io.BytesIO(content)).load()
    if not isinstance(value, dict):
        raise pickle.UnpicklingError(f"it holds a {type(value).__name__}")
    return value
