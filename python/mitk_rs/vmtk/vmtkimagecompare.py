"""``vmtkimagecompare``: whether two images are equal."""

from __future__ import annotations

from typing import Any

import numpy as np

from mitk_rs.vmtk.flavours import as_image, as_working
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkImageCompare"]


class vmtkImageCompare(pypeScript):
    """Compare an image with a reference (VMTK's ``vmtkImageCompare``).

    Attributes
    ----------
    Result
        Whether the largest difference (of voxels, or of the ends of the value ranges) is below ``Tolerance``.
    ResultLog
        What differs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Image: Any = None
        self.ReferenceImage: Any = None
        self.Method = ""
        self.Tolerance = 1e-8
        self.Result: Any = ""
        self.ResultLog = ""
        self.SetScriptName("vmtkimagecompare")
        self.SetScriptDoc("compare an image with a reference")
        self.SetInputMembers(
            [
                ["Image", "i", "vtkImageData", 1, "", "the input image", "vmtkimagereader"],
                ["ReferenceImage", "r", "vtkImageData", 1, "", "the reference image", "vmtkimagereader"],
                ["Method", "method", "str", 1, '["subtraction","range"]', "what is compared"],
                ["Tolerance", "tolerance", "float", 1, "", "differences below this do not count"],
            ]
        )
        self.SetOutputMembers(
            [
                ["Result", "result", "bool", 1, "", "whether the images are equal"],
                ["ResultLog", "log", "str", 1, "", "what differs"],
            ]
        )

    def Execute(self) -> None:
        """Compare.

        Raises
        ------
        RequestError
            An image or the method is missing.
        """
        for value, name in (
            (self.Image, "Image"),
            (self.ReferenceImage, "reference image"),
            (self.Method or None, "Method"),
        ):
            if value is None:
                self.PrintError(f"Error: no {name}.")
        first, second = _voxels(self.Image), _voxels(self.ReferenceImage)
        difference = self._range_difference(first, second) if self.Method == "range" else self._largest(first, second)
        self.Result = bool(difference < self.Tolerance)
        if not self.Result and not self.ResultLog:
            self.ResultLog = f"Difference {difference:g} is not below {self.Tolerance:g}"

    def _range_difference(self, first: Any, second: Any) -> float:
        ranges = [(float(array.min()), float(array.max())) for array in (first, second)]
        self.PrintLog(f"Image Range: {ranges[0]}")
        self.PrintLog(f"Reference Image Range: {ranges[1]}")
        return float(max(abs(mine - theirs) for mine, theirs in zip(*ranges, strict=True)))

    def _largest(self, first: Any, second: Any) -> float:
        self.PrintLog(f"Image Points: {first.size}")
        self.PrintLog(f"Reference Image Points: {second.size}")
        if first.shape != second.shape:
            self.ResultLog = "Uneven NumberOfPoints" if first.size != second.size else "Different dimensions"
            return float("inf")
        difference = first.astype(np.float64) - second.astype(np.float64)
        self.PrintLog(f"Difference Range: {(float(difference.min()), float(difference.max()))}")
        return float(np.abs(difference).max())


def _voxels(image: Any) -> Any:
    return as_image(as_working(image)).as_numpy(time_step=0)
