"""All script classes under VMTK's names: ``vmtkscripts.vmtkImageInitialization()``."""

from __future__ import annotations

from mitk_rs.vmtk.scripts.files import vmtkImageReader, vmtkImageWriter, vmtkSurfaceReader, vmtkSurfaceWriter
from mitk_rs.vmtk.scripts.images import vmtkImageCompare, vmtkImageToNumpy, vmtkImageVOISelector, vmtkNumpyToImage
from mitk_rs.vmtk.scripts.levelsets import (
    vmtkImageFeatures,
    vmtkImageInitialization,
    vmtkLevelSetSegmentation,
    vmtkMarchingCubes,
)
from mitk_rs.vmtk.scripts.viewers import (
    vmtkImageMIPViewer,
    vmtkImageSeeder,
    vmtkImageViewer,
    vmtkRenderer,
    vmtkSurfaceViewer,
)

__all__ = [
    "vmtkImageCompare",
    "vmtkImageFeatures",
    "vmtkImageInitialization",
    "vmtkImageMIPViewer",
    "vmtkImageReader",
    "vmtkImageSeeder",
    "vmtkImageToNumpy",
    "vmtkImageVOISelector",
    "vmtkImageViewer",
    "vmtkImageWriter",
    "vmtkLevelSetSegmentation",
    "vmtkMarchingCubes",
    "vmtkNumpyToImage",
    "vmtkRenderer",
    "vmtkSurfaceReader",
    "vmtkSurfaceViewer",
    "vmtkSurfaceWriter",
]
