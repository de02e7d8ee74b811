"""``vmtknumpytoimage``: an image from a dictionary of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from mitk_rs._vtk import vtk
from mitk_rs.errors import RequestError
from mitk_rs.vmtk.extensions import geometry_member
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkNumpyToImage"]

_KEYS = ("Origin", "Dimensions", "Spacing", "PointData")


class vmtkNumpyToImage(pypeScript):
    """Put an image together (VMTK's ``vmtkNumpyToImage``) from what :class:`vmtkImageToNumpy` makes."""

    def __init__(self) -> None:
        super().__init__()
        self.ArrayDict: Any = None
        self.Image: Any = None
        self.Geometry = ""
        self.SetScriptName("vmtknumpytoimage")
        self.SetScriptDoc("make an image of a dictionary of NumPy arrays")
        self.SetInputMembers([["ArrayDict", "i", "dict", 1, "", "the input dictionary"]])
        self.SetOutputMembers([["Image", "o", "vtkImageData", 1, "", "the output image", "vmtkimagewriter"]])
        self.SetExtensionMembers([geometry_member()])

    def Execute(self) -> None:
        """Make the image.

        Raises
        ------
        RequestError
            No dictionary, a missing key, or arrays of another size than ``Dimensions``.
        """
        if self.ArrayDict is None:
            self.PrintError("Error: no ArrayDict.")
        missing = [key for key in _KEYS if key not in self.ArrayDict]
        if missing:
            raise RequestError(f"the dictionary lacks {', '.join(missing)}; needed: {', '.join(_KEYS)}")
        self.PrintLog("Converting Numpy Array to vtkImageData")
        self.Image = self._empty_image()
        for name, array in self.ArrayDict["PointData"].items():
            self._add(name, np.asarray(array))

    def _empty_image(self) -> Any:
        image = vtk("vtkCommonDataModel").vtkImageData()
        image.SetDimensions(*(int(value) for value in self.ArrayDict["Dimensions"]))
        image.SetOrigin(*(float(value) for value in self.ArrayDict["Origin"]))
        image.SetSpacing(*(float(value) for value in self.ArrayDict["Spacing"]))
        return image

    def _add(self, name: str, array: Any) -> None:
        dimensions = self.Image.GetDimensions()
        if array.shape[:3] != dimensions or array.ndim not in (3, 4):
            raise RequestError(f"array {name} has the shape {array.shape}, Dimensions are {dimensions}")
        ordered = np.ascontiguousarray(array.transpose((2, 1, 0, 3) if array.ndim == 4 else (2, 1, 0)))
        flat = ordered.reshape(-1, ordered.shape[3]) if array.ndim == 4 else ordered.reshape(-1)
        values = vtk("util.numpy_support").numpy_to_vtk(flat, deep=True)
        values.SetName(name)
        data = self.Image.GetPointData()
        data.AddArray(values)
        if data.GetScalars() is None:
            data.SetActiveScalars(name)
