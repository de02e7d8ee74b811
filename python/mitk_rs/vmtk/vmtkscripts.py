"""All script classes under VMTK's names: ``vmtkscripts.vmtkImageInitialization()``."""

from __future__ import annotations

from mitk_rs.vmtk.scripts.evolution import vmtkImageFeatures, vmtkLevelSetSegmentation
from mitk_rs.vmtk.scripts.image_files import vmtkImageReader, vmtkImageWriter
from mitk_rs.vmtk.scripts.images import vmtkImageCompare, vmtkImageToNumpy, vmtkImageVOISelector, vmtkNumpyToImage
from mitk_rs.vmtk.scripts.initialization import vmtkImageInitialization
from mitk_rs.vmtk.scripts.mip import vmtkImageMIPViewer
from mitk_rs.vmtk.scripts.surfaces import vmtkMarchingCubes, vmtkSurfaceReader, vmtkSurfaceWriter
from mitk_rs.vmtk.scripts.viewers import vmtkImageSeeder, vmtkImageViewer, vmtkRenderer, vmtkSurfaceViewer

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
