"""VMTK's command grammar and script classes.

Programs written for VMTK change one word: ``from mitk_rs.vmtk import vmtkscripts, pypes``. Options, attributes,
methods and the log are VMTK's; errors are exceptions (or one line on stderr and an exit code) where VMTK goes on
with wrong data. ``docs/howto/vmtk.md`` lists every difference.

The scripts are in :mod:`mitk_rs.vmtk.scripts`, by subject. VMTK has one module a script, named after it, so these
names can be imported as well: ``mitk_rs.vmtk.vmtkimagereader.vmtkImageReader``. :data:`SCRIPTS` is the table of both.
"""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitk_rs.vmtk.script import pypeScript

__all__ = ["COMMANDS", "SCRIPTS", "make_script", "script_class"]

#: Name of a script: its module in mitk_rs.vmtk.scripts, and its class.
SCRIPTS: dict[str, tuple[str, str]] = {
    "vmtkimagecompare": ("images", "vmtkImageCompare"),
    "vmtkimagefeatures": ("levelsets", "vmtkImageFeatures"),
    "vmtkimageinitialization": ("levelsets", "vmtkImageInitialization"),
    "vmtkimagemipviewer": ("viewers", "vmtkImageMIPViewer"),
    "vmtkimagereader": ("files", "vmtkImageReader"),
    "vmtkimageseeder": ("viewers", "vmtkImageSeeder"),
    "vmtkimagetonumpy": ("images", "vmtkImageToNumpy"),
    "vmtkimageviewer": ("viewers", "vmtkImageViewer"),
    "vmtkimagevoiselector": ("images", "vmtkImageVOISelector"),
    "vmtkimagewriter": ("files", "vmtkImageWriter"),
    "vmtklevelsetsegmentation": ("levelsets", "vmtkLevelSetSegmentation"),
    "vmtkmarchingcubes": ("levelsets", "vmtkMarchingCubes"),
    "vmtknumpytoimage": ("images", "vmtkNumpyToImage"),
    "vmtkrenderer": ("viewers", "vmtkRenderer"),
    "vmtksurfacereader": ("files", "vmtkSurfaceReader"),
    "vmtksurfaceviewer": ("viewers", "vmtkSurfaceViewer"),
    "vmtksurfacewriter": ("files", "vmtkSurfaceWriter"),
}

#: Commands of ``mitk-rs`` with VMTK's grammar.
COMMANDS = (*SCRIPTS, "pype", "install-vmtk-names")


def script_class(name: str) -> Any:
    """The class of a script; a ``UsageError`` names the nearest where there is none of this name."""
    if name not in SCRIPTS:
        import difflib

        from mitk_rs.errors import UsageError

        near = difflib.get_close_matches(name, SCRIPTS, n=1)
        hint = f"did you mean {near[0]}?" if near else "the scripts are " + ", ".join(SCRIPTS)
        raise UsageError(f"unknown script {name}; {hint}")
    module, attribute = SCRIPTS[name]
    return getattr(importlib.import_module(f"mitk_rs.vmtk.scripts.{module}"), attribute)


def make_script(name: str) -> pypeScript:
    """A new script object."""
    script: pypeScript = script_class(name)()
    return script


class _ScriptModules:
    """Imports modules under VMTK's names: each holds the class of one script."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        package, _, script = name.rpartition(".")
        return ModuleSpec(name, _ScriptModules) if package == __name__ and script in SCRIPTS else None  # type: ignore[arg-type]

    @staticmethod
    def create_module(spec: ModuleSpec) -> None:
        """The module is an ordinary one."""

    @staticmethod
    def exec_module(module: ModuleType) -> None:
        script = module.__name__.rpartition(".")[2]
        made = script_class(script)
        module.__doc__ = f"VMTK's module ``{script}``; the class is defined in :mod:`{made.__module__}`."
        module.__dict__.update({"__all__": [made.__name__], made.__name__: made})


sys.meta_path.append(_ScriptModules)
