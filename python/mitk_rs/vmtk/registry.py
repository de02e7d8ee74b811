"""Which scripts there are, and where: VMTK's script name, module and class are found by each other here."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from mitk_rs.errors import UsageError

if TYPE_CHECKING:
    from mitk_rs.vmtk.script import pypeScript

__all__ = ["COMMANDS", "SCRIPTS", "make_script", "script_class"]

SCRIPTS: dict[str, str] = {
    "vmtkimagecompare": "vmtkImageCompare",
    "vmtkimageinitialization": "vmtkImageInitialization",
    "vmtkimagemipviewer": "vmtkImageMIPViewer",
    "vmtkimagereader": "vmtkImageReader",
    "vmtkimageseeder": "vmtkImageSeeder",
    "vmtkimagetonumpy": "vmtkImageToNumpy",
    "vmtkimageviewer": "vmtkImageViewer",
    "vmtkimagevoiselector": "vmtkImageVOISelector",
    "vmtkimagewriter": "vmtkImageWriter",
    "vmtkmarchingcubes": "vmtkMarchingCubes",
    "vmtknumpytoimage": "vmtkNumpyToImage",
    "vmtkrenderer": "vmtkRenderer",
    "vmtksurfacereader": "vmtkSurfaceReader",
    "vmtksurfaceviewer": "vmtkSurfaceViewer",
    "vmtksurfacewriter": "vmtkSurfaceWriter",
}

# Commands of `mitk-rs` with VMTK's grammar.
COMMANDS = (*SCRIPTS, "pype", "install-vmtk-names")


def script_class(name: str) -> Any:
    """The class of a script.

    Raises
    ------
    UsageError
        There is no such script; the message names the nearest.
    """
    if name not in SCRIPTS:
        near = difflib.get_close_matches(name, SCRIPTS, n=1)
        hint = f"did you mean {near[0]}?" if near else "the scripts are " + ", ".join(SCRIPTS)
        raise UsageError(f"unknown script {name}; {hint}")
    return getattr(importlib.import_module(f"mitk_rs.vmtk.{name}"), SCRIPTS[name])


def make_script(name: str) -> pypeScript:
    """A new script object."""
    script: pypeScript = script_class(name)()
    return script
