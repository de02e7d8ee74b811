"""``vmtkimagetonumpy``: an image as a dictionary of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from mitk_rs._vtk import vtk
from mitk_rs.vmtk.flavours import as_working
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkImageToNumpy"]


class vmtkImageToNumpy(pypeScript):
    """Take an image apart (VMTK's ``vmtkImageToNumpy``).

    Attributes
    ----------
    ArrayDict
        ``Origin``, ``Dimensions``, ``Spacing`` (x, y, z) and ``PointData``, a dictionary of arrays indexed
        ``[x, y, z]`` as in VMTK, with a last axis for components.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Image: Any = None
        self.ArrayDict: dict[str, Any] = {}
        self.SetScriptName("vmtkimagetonumpy")
        self.SetScriptDoc("make a dictionary of NumPy arrays of an image")
        self.SetInputMembers([["Image", "i", "vtkImageData", 1, "", "the input image", "vmtkimagereader"]])
        self.SetOutputMembers([["ArrayDict", "o", "dict", 1, "", "the output dictionary"]])

    def Execute(self) -> None:
        """Fill ``ArrayDict``."""
        if self.Image is None:
            self.PrintError("Error: no Image.")
        image = as_working(self.Image)
        self.PrintLog("Converting Image to Numpy Array")
        self.ArrayDict = {
            "Origin": np.array(image.GetOrigin()),
            "Dimensions": np.array(image.GetDimensions()),
            "Spacing": np.array(image.GetSpacing()),
            "PointData": _arrays(image),
        }


def _arrays(image: Any) -> dict[str, Any]:
    data, shape = image.GetPointData(), image.GetDimensions()[::-1]
    arrays: dict[str, Any] = {}
    for position in range(data.GetNumberOfArrays()):
        array = data.GetArray(position)
        values = vtk("util.numpy_support").vtk_to_numpy(array)
        components = array.GetNumberOfComponents()
        values = values.reshape((*shape, components) if components > 1 else shape)
        axes = (2, 1, 0, 3) if components > 1 else (2, 1, 0)
        arrays[array.GetName() or "ImageScalars"] = values.transpose(axes).copy()
    return arrays
