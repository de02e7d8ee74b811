"""Which front end leads the dialogue of ``vmtkimageinitialization``, and what it computes with.

A script file replays; else a renderer that was passed in, or a display, gives a window; else a terminal asks in
lines; else the run is headless if the line has what its method needs, and ends with the line to type if it has not.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.errors import DisplayError, RequestError
from mitk_rs.viewer.dialogue import Branch, Dialogue
from mitk_rs.viewer.display import has_display
from mitk_rs.viewer.lines import replay, run_terminal
from mitk_rs.vmtk import points
from mitk_rs.vmtk.flavours import as_image, give_back
from mitk_rs.vmtk.previews import write_preview

if TYPE_CHECKING:
    from mitk_rs.vmtk.vmtkimageinitialization import vmtkImageInitialization

__all__ = ["ask_seeds", "converse", "display_surface"]


def converse(script: vmtkImageInitialization, image: Any) -> bool:
    """Lead the dialogue and set the outputs; ``False`` when the run has to be headless instead.

    Raises
    ------
    DisplayError
        Nobody can be asked, and the line does not have what its method needs.
    RequestError
        The dialogue was cancelled, or nothing was accepted.
    """
    lead = _front_end(script)
    if lead is None:
        _require_complete(script)
        script.PrintNote("no display and no terminal to ask at, running non-interactively")
        return False
    dialogue = _dialogue(script, image)
    lead(script, image, dialogue)
    _take_over(script, dialogue)
    return True


def _front_end(script: vmtkImageInitialization) -> Any:
    if script.DialogueFileName:
        return _replay
    if script.vmtkRenderer is not None and has_display():
        return _window
    terminal = _is_terminal(script.InputStream)
    asked = any(member.OptionName == "interactive" and member.Given for member in script.InputMembers)
    from_line = script._words is not None
    if from_line and not terminal and not asked and not missing(script):
        return None
    if has_display():
        return _window
    return _terminal if terminal else None


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream is not None and stream.isatty())
    except (AttributeError, ValueError):
        return False


def missing(script: vmtkImageInitialization) -> str:
    """The options that the method of a script lacks, as they would be typed; empty where nothing is missing."""
    sources, targets = bool(script.SourcePoints), bool(script.TargetPoints)
    bounded = script.LowerThreshold is not None or script.UpperThreshold is not None
    level = script.IsoSurfaceValue != 0 or any(
        member.OptionName == "isosurface" and member.Given for member in script.InputMembers
    )
    pair = [] if sources and targets else ["-sourcepoints I J K", "-targetpoints I J K"]
    lacking = {
        "isosurface": [] if level else ["-isosurface V"],
        "threshold": [] if bounded else ["-lowerthreshold L"],
        "seeds": [] if sources or targets else ["-sourcepoints I J K"],
        "fastmarching": [] if sources else ["-sourcepoints I J K", "-targetpoints I J K"],
    }
    return " ".join(lacking.get(script.Method, pair))


def _require_complete(script: vmtkImageInitialization) -> None:
    lacking = missing(script)
    if not lacking:
        return
    words = [shlex.quote(str(word)) for word in script.Arguments]
    method = "" if "-method" in words else f"-method {script.Method} "
    line = " ".join(["mitk-rs", script.ScriptName, *words, f"-interactive 0 {method}{lacking}"])
    raise DisplayError(f"there is no display and no terminal to ask at; without them type: {line}")


# The dialogue


def _dialogue(script: vmtkImageInitialization, image: Any) -> Dialogue:
    def compute(branch: Branch) -> Any:
        _use(script, branch)
        script.PrintLog(f"{branch.method} initialization")
        return script.compute(image, str(branch.method))

    return Dialogue(image.GetExtent(), compute, script.merge, _defaults(script))


def _defaults(script: vmtkImageInitialization) -> Branch:
    """What the line says already; the method only where it is not just VMTK's default."""
    known = any(member.OptionName == "method" and member.Given for member in script.InputMembers)
    return Branch(
        method=script.Method if known or script.Method != "collidingfronts" else None,
        lower=script.LowerThreshold,
        upper=script.UpperThreshold,
        isovalue=script.IsoSurfaceValue or None,
        sources=tuple(points.triples(script.SourcePoints)),
        targets=tuple(points.triples(script.TargetPoints)),
    )


def _use(script: vmtkImageInitialization, branch: Branch) -> None:
    script.Method = branch.method or script.Method
    script.LowerThreshold, script.UpperThreshold = branch.lower, branch.upper
    script.IsoSurfaceValue = branch.isovalue or 0.0
    script.SourcePoints = [value for point in branch.sources for value in point]
    script.TargetPoints = [value for point in branch.targets for value in point]


def _take_over(script: vmtkImageInitialization, dialogue: Dialogue) -> None:
    if dialogue.merged is None:
        reason = "the dialogue was cancelled" if dialogue.message == "cancelled" else "no result was accepted"
        raise RequestError(f"{reason}, nothing is written")
    script.InitialLevelSets = give_back(dialogue.merged, script.Image)
    script.MergedInitialLevelSets = script.InitialLevelSets
    script.NumSeedsSelected = sum(len(branch.sources) + len(branch.targets) for branch in dialogue.branches)
    script.IsoSurfaceValue = 0.0
    script.Surface = script.surface_of(script.InitialLevelSets)


# Front ends


def _replay(script: vmtkImageInitialization, image: Any, dialogue: Dialogue) -> None:
    replay(dialogue, _picture_of(image), Path(script.DialogueFileName), script.OutputText)


def _terminal(script: vmtkImageInitialization, image: Any, dialogue: Dialogue) -> None:
    run_terminal(dialogue, _picture_of(image), script.InputStream, _on_terminal)


def _on_terminal(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _picture_of(image: Any) -> Any:
    return lambda dialogue, path: write_preview(image, dialogue, path)


def _window(script: vmtkImageInitialization, image: Any, dialogue: Dialogue) -> None:
    from mitk_rs.viewer.dialogue_window import DialogueWindow

    own = _ensure_renderer(script)
    shown = _upright(image)
    try:
        DialogueWindow(script.vmtkRenderer.Window, shown, dialogue, _surface_in, lambda text: _say(script, text)).run()
    finally:
        if own:
            _release_renderer(script)


def _ensure_renderer(script: Any) -> bool:
    """Open a window unless one was passed in; whether it is the script's own."""
    if script.vmtkRenderer is None:
        from mitk_rs.vmtk.vmtkrenderer import vmtkRenderer

        script.vmtkRenderer = vmtkRenderer()
        script.vmtkRenderer.WindowSize = [1200, 900]
        script.OwnRenderer = 1
    script.vmtkRenderer.Initialize()
    return bool(script.OwnRenderer)


def _release_renderer(script: Any) -> None:
    script.vmtkRenderer.Deallocate()
    script.vmtkRenderer = None
    script.OwnRenderer = 0


def _upright(image: Any) -> Any:
    """The image with its axes along the window's, because VTK's slice widgets know no direction."""
    copy = image.NewInstance()
    copy.ShallowCopy(image)
    copy.SetDirectionMatrix(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return copy


def _say(script: vmtkImageInitialization, text: str) -> None:
    """Echo to the log at once: what is typed in the window is followed there."""
    script.OutputText(text)
    script.OutputStream.flush()


def _surface_in(level_set: Any) -> Any:
    from mitk_rs.surface import extract_surface

    return extract_surface(as_image(_upright(level_set)), level=0.0)


# VMTK's methods of the script that need a window


def display_surface(script: vmtkImageInitialization, level_set: Any, value: float) -> None:
    """Show the surface of a level set, half transparent, until ``q``."""
    from mitk_rs.surface import extract_surface
    from mitk_rs.vmtk.vmtksurfaceviewer import vmtkSurfaceViewer

    viewer = vmtkSurfaceViewer()
    viewer.Surface = extract_surface(as_image(_upright(level_set)), level=value)
    viewer.Opacity = 0.5
    viewer.vmtkRenderer = script.vmtkRenderer
    script.SurfaceViewer = viewer
    viewer.Execute()


def ask_seeds(script: vmtkImageInitialization, question: str, count: int) -> Any:
    """Let the user place ``count`` seeds (0: any number) and give their positions as ``vtkPolyData``."""
    from mitk_rs.vmtk.vmtkimageseeder import vmtkImageSeeder

    while True:
        seeder = vmtkImageSeeder()
        seeder.Image, seeder.vmtkRenderer = script.Image, script.vmtkRenderer
        script.ImageSeeder = seeder
        script.InputInfo(f"{question} (Ctrl+click on the image).\n")
        seeder.Execute()
        script.NumSeedsSelected = seeder.Seeds.GetNumberOfPoints()
        if count in (0, script.NumSeedsSelected):
            return seeder.Seeds
        script.InputInfo(f"Exactly {count} seeds are needed.\n")
