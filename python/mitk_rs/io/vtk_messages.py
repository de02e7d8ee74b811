"""VTK reports failures as text in a window of its own, shared by the whole process. Here they become exceptions."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mitk_rs._vtk import vtk
from mitk_rs.errors import FileWriteError
from mitk_rs.io.atomic import disk_is_full

__all__ = ["Messages", "run_writer", "vtk_messages"]

# One file at a time, so that a message belongs to the file at hand. (VTK lets other Python threads run meanwhile.)
_one_at_a_time = threading.Lock()


class Messages:
    """What VTK complained about so far."""

    def __init__(self, window: Any) -> None:
        self._window = window

    @property
    def text(self) -> str:
        """All of it."""
        return str(self._window.GetOutput())

    def first(self) -> str:
        """Return the first complaint without VTK's source lines and addresses."""
        blocks = [block for block in self.text.split("\n\n") if block.strip()]
        told = re.sub(r"\s+", " ", blocks[0] if blocks else "VTK gives no reason")
        told = re.sub(r"^\s*(ERROR|Warning|Generic Warning): In \S+, line \d+ ?", "", told)
        return re.sub(r"vtk\w+ \((0x)?[0-9a-f]+\): ", "", told).strip()[:200]


@contextmanager
def vtk_messages() -> Iterator[Messages]:
    """Collect VTK's errors and warnings of the block instead of printing them."""
    core = vtk("vtkCommonCore")
    with _one_at_a_time:
        window, before = core.vtkStringOutputWindow(), core.vtkOutputWindow.GetInstance()
        verbosity = core.vtkLogger.GetCurrentVerbosityCutoff()
        core.vtkOutputWindow.SetInstance(window)
        core.vtkLogger.SetStderrVerbosity(core.vtkLogger.VERBOSITY_OFF)
        try:
            yield Messages(window)
        finally:
            core.vtkLogger.SetStderrVerbosity(verbosity)
            core.vtkOutputWindow.SetInstance(before)


def run_writer(writer: Any, data: Any, temporary: str, target: str) -> None:
    """Write ``data`` to ``temporary`` and raise what VTK would only report.

    Raises
    ------
    FileWriteError
        The writer failed, for instance on a full disk.
    """
    writer.SetFileName(temporary)
    writer.SetInputData(data)
    with vtk_messages() as messages:
        done = writer.Write()
    if done and not messages.text:
        return
    full = "disk space" in messages.text or disk_is_full(Path(temporary).parent)
    raise FileWriteError(f"cannot write {target}: {'the disk is full' if full else messages.first()}")
