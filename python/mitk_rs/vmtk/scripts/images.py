"""Work on images: a box of them, comparison, and NumPy arrays in and out."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mitk_rs._platform import has_display, vtk
from mitk_rs.errors import RequestError
from mitk_rs.vmtk import tables
from mitk_rs.vmtk.conversion import arrays_of, as_working, filtered, give_back, patient_axes, voxels_of, vtk_array
from mitk_rs.vmtk.script import pypeScript
from mitk_rs.vmtk.scripts.viewers import ViewingScript

__all__ = ["vmtkImageCompare", "vmtkImageToNumpy", "vmtkImageVOISelector", "vmtkNumpyToImage"]

# Bounds that come from a division may miss a voxel by rounding; a part of a voxel this small does not count.
_SLACK = 1e-6


class vmtkImageVOISelector(tables.ImageVOISelector, ViewingScript):
    """Crop an image (VMTK's ``vmtkImageVOISelector``).

    Attributes
    ----------
    BoxBounds
        x0 x1 y0 y1 z0 z1 in VMTK's frame; voxels whose centres are within are kept.
    CroppedImage
        The result; ``Image`` holds it, too, after ``Execute``. Its extent counts as in the whole image.
    """

    CroppedImage: Any = None
    BoxActive = 0
    BoxWidget: Any = None

    def Execute(self) -> None:
        """Crop the image.

        Raises ``RequestError`` (no image; no bounds; bounds that hold no voxel) or ``DisplayError`` (the box is to be
        chosen in a window and there is no display).
        """
        given, image = self.Image, self.working_image()
        bounded = any(self.BoxBounds)
        if self.Interactive and not self._runs_headless(bounded):
            cropped = self._converse(image)
        elif bounded:
            cropped = self.crop(image)
        else:
            raise RequestError("-boxbounds x0 x1 y0 y1 z0 z1 is needed to crop without a window")
        self.CroppedImage = self.Image = give_back(cropped, given)

    def _runs_headless(self, bounded: bool) -> bool:  # noqa: FBT001
        if not bounded or has_display():
            return False
        self.PrintNote("no display to choose the box in, running non-interactively")
        return True

    def crop(self, image: Any) -> Any:
        """The part of a ``vtkImageData`` within ``BoxBounds``."""
        return filtered(image, "vtkImagingCore", "vtkExtractVOI", SetVOI=tuple(self._voxels(image)))

    def _voxels(self, image: Any) -> list[int]:
        origin, spacing, extent = image.GetOrigin(), image.GetSpacing(), image.GetExtent()
        voxels: list[int] = []
        for axis, name in enumerate("xyz"):
            first, last = extent[2 * axis : 2 * axis + 2]
            bounds = self.BoxBounds[2 * axis : 2 * axis + 2]
            low, high = ((bound - origin[axis]) / spacing[axis] for bound in bounds)
            start = max(first, math.ceil(low - _SLACK))
            end = min(last, math.floor(high + _SLACK))
            if start > end:
                box = " ".join(f"{bound:g}" for bound in bounds)
                reach = sorted((origin[axis] + first * spacing[axis], origin[axis] + last * spacing[axis]))
                raise RequestError(
                    f"-boxbounds holds no voxel: {name} from {box}, the image from {reach[0]:g} {reach[1]:g}"
                )
            voxels += [start, end]
        return voxels

    def _converse(self, image: Any) -> Any:
        """Show the image with a box (key ``i``); every ``q`` with the box shown crops once more."""
        from mitk_rs.viewer.slices import choose_box

        window = self.open_window()
        bounds = list(self.BoxBounds) if any(self.BoxBounds) else None
        while True:
            chosen = choose_box(window, image, bounds, axes=patient_axes(image))
            if chosen is None:
                break
            self.BoxBounds, self.BoxActive, bounds = chosen, 1, None
            image = self.crop(image)
        self.release_window()
        return image


class vmtkImageCompare(tables.ImageCompare, pypeScript):
    """Compare an image with a reference (VMTK's ``vmtkImageCompare``).

    Attributes
    ----------
    Result
        Whether the largest difference (of voxels, or of the ends of the value ranges) is below ``Tolerance``.
    ResultLog
        What differs.
    """

    def Execute(self) -> None:
        """Compare. Raises ``RequestError`` (an image or the method is missing)."""
        self._needed("Image")
        if self.ReferenceImage is None:
            self.PrintError("Error: no reference image.")
        if not self.Method:
            self.PrintError("Error: no Method.")
        first, second = voxels_of(self.Image), voxels_of(self.ReferenceImage)
        difference = self._range_difference(first, second) if self.Method == "range" else self._largest(first, second)
        self.Result = bool(difference < self.Tolerance)
        if not self.Result and not self.ResultLog:
            self.ResultLog = f"Difference {difference:g} is not below {self.Tolerance:g}"

    def _range_difference(self, first: Any, second: Any) -> float:
        mine, theirs = ((float(array.min()), float(array.max())) for array in (first, second))
        self.PrintLog(f"Image Range: {mine}")
        self.PrintLog(f"Reference Image Range: {theirs}")
        return max(abs(mine[0] - theirs[0]), abs(mine[1] - theirs[1]))

    def _largest(self, first: Any, second: Any) -> float:
        self.PrintLog(f"Image Points: {first.size}")
        self.PrintLog(f"Reference Image Points: {second.size}")
        if first.shape != second.shape:
            self.ResultLog = "Uneven NumberOfPoints" if first.size != second.size else "Different dimensions"
            return float("inf")
        difference = first.astype(np.float64) - second.astype(np.float64)
        self.PrintLog(f"Difference Range: {(float(difference.min()), float(difference.max()))}")
        return float(np.abs(difference).max())


# NumPy arrays

_KEYS = ("Origin", "Dimensions", "Spacing", "PointData")


class vmtkImageToNumpy(tables.ImageToNumpy, pypeScript):
    """Take an image apart (VMTK's ``vmtkImageToNumpy``).

    Attributes
    ----------
    ArrayDict
        ``Origin``, ``Dimensions``, ``Spacing`` (x, y, z) and ``PointData``, a dictionary of arrays indexed
        ``[x, y, z]`` as in VMTK, with a last axis for components.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ArrayDict: dict[str, Any] = {}

    def Execute(self) -> None:
        """Fill ``ArrayDict``."""
        image = as_working(self._needed("Image"))
        self.PrintLog("Converting Image to Numpy Array")
        arrays = {}
        for name, array in arrays_of(image.GetPointData()):
            components = array.GetNumberOfComponents()
            shape = (*image.GetDimensions()[::-1], *([components] if components > 1 else []))
            values = vtk("util.numpy_support").vtk_to_numpy(array).reshape(shape)
            arrays[name or "ImageScalars"] = np.swapaxes(values, 0, 2).copy()
        geometry = (image.GetOrigin(), image.GetDimensions(), image.GetSpacing())
        self.ArrayDict = dict(zip(_KEYS, (*map(np.array, geometry), arrays), strict=True))


class vmtkNumpyToImage(tables.NumpyToImage, pypeScript):
    """Put an image together (VMTK's ``vmtkNumpyToImage``) from what :class:`vmtkImageToNumpy` makes."""

    def Execute(self) -> None:
        """Make the image.

        Raises ``RequestError`` (no dictionary, a missing key, or arrays of another size than ``Dimensions``).
        """
        given = self._needed("ArrayDict")
        missing = [key for key in _KEYS if key not in given]
        if missing:
            raise RequestError(f"the dictionary lacks {', '.join(missing)}; needed: {', '.join(_KEYS)}")
        self.PrintLog("Converting Numpy Array to vtkImageData")
        self.Image = vtk("vtkCommonDataModel").vtkImageData()
        self.Image.SetDimensions(*(int(value) for value in given["Dimensions"]))
        self.Image.SetOrigin(*(float(value) for value in given["Origin"]))
        self.Image.SetSpacing(*(float(value) for value in given["Spacing"]))
        for name, array in given["PointData"].items():
            self._add(name, np.asarray(array))

    def _add(self, name: str, array: Any) -> None:
        dimensions = self.Image.GetDimensions()
        if array.shape[:3] != dimensions or array.ndim not in (3, 4):
            raise RequestError(f"array {name} has the shape {array.shape}, Dimensions are {dimensions}")
        ordered = np.ascontiguousarray(np.swapaxes(array, 0, 2))
        data = self.Image.GetPointData()
        data.AddArray(vtk_array(ordered.reshape(-1, *array.shape[3:]), name))
        if data.GetScalars() is None:
            data.SetActiveScalars(name)
