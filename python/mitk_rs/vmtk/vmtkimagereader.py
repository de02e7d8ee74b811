"""``vmtkimagereader``: an image from a file, a folder of DICOM slices, or a series of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mitk_rs._vtk import vtk
from mitk_rs.errors import FileError, RequestError
from mitk_rs.io.atomic import full_suffix
from mitk_rs.vmtk.extensions import geometry_member
from mitk_rs.vmtk.files import read_image
from mitk_rs.vmtk.frames import frame_of
from mitk_rs.vmtk.rawfiles import SCALAR_TYPES, read_raw, read_series
from mitk_rs.vmtk.script import pypeScript

__all__ = ["vmtkImageReader"]

_FORMATS = {
    ".vti": "vtkxml",
    ".vtkxml": "vtkxml",
    ".vtk": "vtk",
    ".dcm": "dicom",
    ".raw": "raw",
    ".mhd": "meta",
    ".mha": "meta",
    ".tif": "tiff",
    ".png": "png",
}
_TITLES = {"vtkxml": "VTK XML image", "vtk": "VTK image", "raw": "RAW image"}
_IDENTITY = [float(value) for value in np.eye(4).ravel()]


class vmtkImageReader(pypeScript):
    """Read an image (VMTK's ``vmtkImageReader``).

    Attributes
    ----------
    Image
        ``vtkImageData`` in VMTK's frame: files of ITK's formats have x and y of the origin negated.
    RasToIjkMatrixCoefficients, XyzToRasMatrixCoefficients
        4 x 4, row by row: from RAS millimetres to voxels, and from VMTK's frame to RAS millimetres.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Format = ""
        self.GuessFormat = 1
        self.UseITKIO = 1
        self.ApplyTransform = 0
        self.InputFileName = ""
        self.InputFilePrefix = ""
        self.InputFilePattern = ""
        self.InputDirectoryName = ""
        self.Image: Any = None
        self.Output: Any = None
        self.DataExtent = [-1] * 6
        self.DataSpacing = [1.0] * 3
        self.DataOrigin = [0.0] * 3
        self.DataByteOrder = "littleendian"
        self.DataScalarType = "float"
        self.HeaderSize = 0
        self.FileDimensionality = 3
        self.Flip = [0, 0, 0]
        self.AutoOrientDICOMImage = 1
        self.RasToIjkMatrixCoefficients = list(_IDENTITY)
        self.XyzToRasMatrixCoefficients = list(_IDENTITY)
        self.Geometry = ""
        self.SetScriptName("vmtkimagereader")
        self.SetScriptDoc("read an image")
        self._declare_members()

    def _declare_members(self) -> None:
        types = "[" + ",".join(f'"{name}"' for name in SCALAR_TYPES) + "]"
        formats = '["vtkxml","vtk","dicom","raw","meta","tiff","png"]'
        self.SetInputMembers(
            [
                ["Format", "f", "str", 1, formats, "file format"],
                ["GuessFormat", "guessformat", "bool", 1, "", "tell the format by the ending"],
                ["UseITKIO", "useitk", "bool", 1, "", "accepted; the library that reads a format right is always used"],
                ["ApplyTransform", "transform", "bool", 1, "", "accepted; the geometry is always kept in full"],
                ["Image", "i", "vtkImageData", 1, "", "the input image"],
                ["InputFileName", "ifile", "str", 1, "", "input file name"],
                ["InputFilePrefix", "prefix", "str", 1, "", "prefix of the names of a series (e.g. foo_)"],
                ["InputFilePattern", "pattern", "str", 1, "", "names of a series (e.g. %s%04d.png)"],
                ["InputDirectoryName", "d", "str", 1, "", "folder with a DICOM series"],
                ["DataExtent", "extent", "int", 6, "", "extent of the image: raw files and series"],
                ["HeaderSize", "headersize", "int", 1, "(0,)", "bytes before the voxels: raw files"],
                ["DataSpacing", "spacing", "float", 3, "", "spacing: raw files and series"],
                ["DataOrigin", "origin", "float", 3, "", "origin: raw files and series"],
                ["DataByteOrder", "byteorder", "str", 1, '["littleendian","bigendian"]', "byte order: raw files"],
                ["DataScalarType", "scalartype", "str", 1, types, "type of the voxels: raw files"],
                ["FileDimensionality", "filedimensionality", "int", 1, "(2,3)", "dimensions of one file: raw files"],
                ["Flip", "flip", "bool", 3, "", "reverse the voxels along x, y, z"],
                ["AutoOrientDICOMImage", "autoorientdicom", "bool", 1, "", "accepted; slices are sorted by position"],
            ]
        )
        self.SetOutputMembers(
            [
                ["Image", "o", "vtkImageData", 1, "", "the output image", "vmtkimagewriter"],
                ["RasToIjkMatrixCoefficients", "rastoijkmatrix", "float", 16, "", "from RAS to voxels, row by row"],
                ["XyzToRasMatrixCoefficients", "xyztorasmatrix", "float", 16, "", "from memory to RAS, row by row"],
            ]
        )
        self.SetExtensionMembers([geometry_member()])

    def Execute(self) -> None:
        """Read the image and log its spacing, origin and dimensions.

        Raises
        ------
        RequestError
            Nothing to read is named.
        FileMissingError, FileError
            A file is missing, damaged, or of no known format.
        """
        image = self._read()
        if any(self.Flip):
            image = _flipped(image, self.Flip)
        self.Image = self.Output = image
        self._set_matrices(image)
        self.PrintLog("Spacing {:f} {:f} {:f}".format(*image.GetSpacing()))
        self.PrintLog("Origin {:f} {:f} {:f}".format(*image.GetOrigin()))
        self.PrintLog("Dimensions {:d} {:d} {:d}".format(*image.GetDimensions()))

    def _read(self) -> Any:
        if self.InputDirectoryName:
            return self._read_folder()
        if self.InputFilePrefix or self.InputFilePattern:
            pattern = self.InputFilePattern or "%s%04d.png"
            return read_series(self.InputFilePrefix, pattern, self.DataExtent, self.DataSpacing, self.DataOrigin)
        if not self.InputFileName:
            self.PrintError("Error: no InputFileName.")
        return self._read_file()

    def _read_folder(self) -> Any:
        if not Path(self.InputDirectoryName).is_dir():
            raise FileError(f"-d {self.InputDirectoryName}: no such folder")
        self.PrintLog("Reading DICOM directory.")
        return read_image(self.InputDirectoryName)

    def _read_file(self) -> Any:
        guessed = _FORMATS.get(full_suffix(self.InputFileName).lower(), "") if self.GuessFormat else ""
        chosen = self.Format or guessed
        if chosen in _TITLES:
            self.PrintLog(f"Reading {_TITLES[chosen]} file.")
        if chosen == "raw":
            return self._read_raw()
        if self.Format and guessed and self.Format != guessed:
            raise RequestError(f"-f {self.Format} does not fit {self.InputFileName}, whose ending says {guessed}")
        return read_image(self.InputFileName)

    def _read_raw(self) -> Any:
        return read_raw(
            self.InputFileName,
            extent=self.DataExtent,
            spacing=self.DataSpacing,
            origin=self.DataOrigin,
            scalar_type=self.DataScalarType,
            big_endian=self.DataByteOrder == "bigendian",
            header_size=self.HeaderSize,
        )

    def _set_matrices(self, image: Any) -> None:
        frame, ras = frame_of(image), np.diag([-1.0, -1.0, 1.0])
        to_ras, to_xyz = np.eye(4), np.eye(4)
        if frame is not None:
            to_ras[:3, :3] = ras @ frame.direction
            to_ras[:3, 3] = ras @ (frame.anchor - frame.direction @ frame.memory)
        to_xyz[:3, :3] = np.diag(image.GetSpacing())
        to_xyz[:3, 3] = image.GetOrigin()
        self.XyzToRasMatrixCoefficients = [float(value) for value in to_ras.ravel()]
        self.RasToIjkMatrixCoefficients = [float(value) for value in np.linalg.inv(to_ras @ to_xyz).ravel()]


def _flipped(image: Any, axes: list[int]) -> Any:
    for axis, wanted in enumerate(axes):
        if wanted:
            flip = vtk("vtkImagingCore").vtkImageFlip()
            flip.SetInputData(image)
            flip.SetFilteredAxis(axis)
            flip.Update()
            flipped = flip.GetOutput()
            flipped.GetFieldData().ShallowCopy(image.GetFieldData())
            image = flipped
    return image
