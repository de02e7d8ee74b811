"""``vmtknumpywriter``: a dictionary of arrays to a file."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mitk_rs.io.atomic import atomic_output, check_writable
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkNumpyWriter"]

SEPARATOR = "/"


class vmtkNumpyWriter(pypeScript):
    """Write a dictionary of arrays (VMTK's ``vmtkNumpyWriter``): ``.npz``, or a pickle for any other ending."""

    def __init__(self) -> None:
        super().__init__()
        self.ArrayDict: Any = None
        self.Input: Any = None
        self.OutputFileName = ""
        self.SetScriptName("vmtknumpywriter")
        self.SetScriptDoc("write a dictionary of NumPy arrays")
        self.SetInputMembers(
            [
                ["ArrayDict", "i", "dict", 1, "", "the input dictionary"],
                ["OutputFileName", "ofile", "str", 1, "", "output file name"],
            ]
        )

    def CheckOutputs(self) -> None:
        """Refuse a file that could not be written, before anything is computed."""
        if self.OutputFileName:
            check_writable(self.OutputFileName)

    def Execute(self) -> None:
        """Write the file.

        Raises
        ------
        FileWriteError
            It cannot be written.
        """
        arrays = self.ArrayDict if self.ArrayDict is not None else self.Input
        if arrays is None:
            self.PrintError("Error: no ArrayDict.")
        if not self.OutputFileName:
            self.PrintError("Error: no OutputFileName.")
        with atomic_output(self.OutputFileName) as temporary:
            if Path(self.OutputFileName).suffix.lower() == ".npz":
                with temporary.open("wb") as file:
                    np.savez_compressed(file, **flattened(arrays))
            else:
                temporary.write_bytes(pickle.dumps(_plain(arrays)))


def flattened(arrays: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """``{"a": {"b": x}}`` as ``{"a/b": x}``."""
    flat: dict[str, Any] = {}
    for name, value in arrays.items():
        if isinstance(value, Mapping):
            flat.update(flattened(value, f"{prefix}{name}{SEPARATOR}"))
        else:
            flat[f"{prefix}{name}"] = np.asarray(value)
    return flat


def _plain(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Nested plain dictionaries of arrays, so that reading needs no class but NumPy's."""
    return {name: _plain(value) if isinstance(value, Mapping) else np.asarray(value) for name, value in arrays.items()}
