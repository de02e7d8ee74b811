"""How a script talks: log and prompts on its output stream, answers from its input stream, notes to the logger."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from mitk_rs.errors import DisplayError, RequestError

__all__ = ["Talking"]

_logger = logging.getLogger("mitk_rs.vmtk")


class Talking:
    """The part of a script that reads and writes text."""

    def __init__(self) -> None:
        self.ScriptName = ""
        self.InputStream: Any = sys.stdin
        self.OutputStream: Any = sys.stdout
        self.LogOn = 1
        self.Progress = 0.0

    def PrintLog(self, logMessage: str, indent: int = 0) -> None:
        """Write a line to the log (standard output), unless ``LogOn`` is 0."""
        if self.LogOn:
            self.OutputStream.write("    " * indent + logMessage + "\n")

    def PrintWarning(self, message: str) -> None:
        """Send a warning to the logger ``mitk_rs.vmtk``; commands show it on standard error."""
        _logger.warning("%s: warning: %s", self.ScriptName, message)

    def PrintNote(self, message: str) -> None:
        """Send a note to the logger ``mitk_rs.vmtk``; commands show it on standard error."""
        _logger.info("%s: note: %s", self.ScriptName, message)

    def PrintError(self, errorMessage: str) -> None:
        """Raise :class:`mitk_rs.errors.RequestError`, which is a ``RuntimeError`` as VMTK's callers expect."""
        raise RequestError(errorMessage.removeprefix("Error: "))

    def OutputText(self, text: str) -> None:
        """Write text without an end of line to standard output."""
        self.OutputStream.write(text)

    def InputInfo(self, prompt: str = "") -> None:
        """Show a message where the user is asked, too."""
        self.OutputText(prompt)
        show = getattr(self.InputStream, "prompt", None)
        if show is not None:
            show(prompt, info=True)

    def InputText(self, prompt: str = "", validator: Callable[[str], Any] | None = None) -> str:
        """Ask until ``validator`` accepts the answer.

        Raises
        ------
        DisplayError
            The input ended; VMTK would ask for ever.
        """
        while True:
            self.InputInfo(prompt)
            line = self.InputStream.readline()
            if not line:
                raise DisplayError(f"no answer to {prompt.strip()!r}: the input has ended")
            text = str(line).rstrip("\n")
            if validator is None or validator(text):
                return text

    def OutputProgress(self, progress: float, percentStep: int) -> None:
        """Show progress in steps of ``percentStep`` percent."""
        if int(100 * progress) // percentStep == int(100 * self.Progress) // percentStep:
            return
        self.Progress = progress
        self.InputInfo(f"\rProgress: {int(100 * progress)}%")

    def EndProgress(self) -> None:
        """End the line of the progress display."""
        self.OutputText("\n")
