"""The one place that imports VTK."""

from __future__ import annotations

from typing import Any

from mitk_rs._interrupts import held_interrupts
from mitk_rs._packages import package

__all__ = ["vtk"]


def vtk(module: str) -> Any:
    """Import a module of VTK when it is first used: ``vtk("vtkIOXML").vtkXMLImageDataReader()``.

    An exception in the middle of such an import, which is where Ctrl-C raises one, ends the process or leaves VTK
    half loaded; so Ctrl-C waits until the module is there.

    Raises
    ------
    PackageMissingError
        VTK is not installed.
    """
    with held_interrupts():
        return package(f"vtkmodules.{module}", "VTK", "surfaces, windows and files of VTK's formats")
