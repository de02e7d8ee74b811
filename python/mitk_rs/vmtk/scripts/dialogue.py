"""The dialogues of two scripts, in a window, on a terminal, or from a file of answers.

They are ``vmtkimageinitialization`` and ``vmtklevelsetsegmentation``.

A file of answers is replayed; else a renderer that was passed in, or a display, gives a window; else a terminal asks in
lines; else the run is headless if the options have what the method needs, and ends with the command to type if not.
Those without a window get pictures: projections of the image with seeds and result.
"""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mitk_rs.errors import DisplayError, RequestError
from mitk_rs.viewer.dialogue import Branch, Dialogue
from mitk_rs.viewer.display import has_display
from mitk_rs.viewer.evolution_dialogue import EvolutionDialogue, EvolutionStep, Parameters
from mitk_rs.viewer.lines import replay, run_terminal
from mitk_rs.vmtk import make_script
from mitk_rs.vmtk.conversion import as_image, as_working, direction_of, give_back, patient_axes, triples

if TYPE_CHECKING:
    from mitk_rs.vmtk.scripts.evolution import vmtkLevelSetSegmentation
    from mitk_rs.vmtk.scripts.initialization import vmtkImageInitialization

__all__ = ["ask_seeds", "converse", "converse_about_evolution", "display_surface", "write_preview"]


def converse(script: vmtkImageInitialization, image: Any) -> bool:
    """Lead the dialogue and set the outputs; ``False`` when the run has to be headless instead.

    Raises
    ------
    DisplayError
        Nobody can be asked, and the options do not have what the method needs.
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
    return _somebody(script)


def _somebody(script: Any) -> Any:
    """Who can be asked; ``None`` for nobody."""
    if has_display():
        return _window
    return _terminal if _is_terminal(script.InputStream) else None


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

    return Dialogue(image.GetExtent(), compute, script.merge, _defaults(script), image.GetScalarRange())


def _defaults(script: vmtkImageInitialization) -> Branch:
    """What the options say already; the method only where it is not just VMTK's default."""
    known = any(member.OptionName == "method" and member.Given for member in script.InputMembers)
    return Branch(
        method=script.Method if known or script.Method != "collidingfronts" else None,
        lower=script.LowerThreshold,
        upper=script.UpperThreshold,
        isovalue=script.IsoSurfaceValue or None,
        sources=tuple(triples(script.SourcePoints)),
        targets=tuple(triples(script.TargetPoints)),
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


# The dialogue about evolution

_PARAMETERS = (EvolutionStep.ITERATIONS, EvolutionStep.PROPAGATION, EvolutionStep.CURVATURE)
_QUESTIONS = {
    "geodesic": (*_PARAMETERS, EvolutionStep.ADVECTION),
    "curves": (*_PARAMETERS, EvolutionStep.ADVECTION),
    "threshold": (EvolutionStep.LOWER, EvolutionStep.UPPER, *_PARAMETERS),
    "laplacian": _PARAMETERS,
}


def converse_about_evolution(script: vmtkLevelSetSegmentation, image: Any) -> None:
    """Lead the dialogue of ``vmtklevelsetsegmentation`` and set the outputs.

    Raises
    ------
    DisplayError
        Nobody can be asked.
    RequestError
        The dialogue was cancelled, or nothing was accepted.
    """
    lead = _replay if script.DialogueFileName else _somebody(script)
    if lead is None:
        words = " ".join(["mitk-rs", script.ScriptName, *(shlex.quote(str(word)) for word in script.Arguments)])
        raise DisplayError(f"there is no display and no terminal to ask at; without them type: {words} -iterations N")
    first = None if script.InitialLevelSets is None else as_working(script.InitialLevelSets)
    dialogue = EvolutionDialogue(
        _QUESTIONS[script.LevelSetsType],
        lambda start, used: _evolved(script, image, start, used, script.IsoSurfaceValue if start is first else 0.0),
        script.merge,
        lambda: _dialogue(*_initialization(script, image)),
        _given_parameters(script),
        first,
        None if script.LevelSets is None else as_working(script.LevelSets),
        image.GetScalarRange(),
    )
    lead(script, image, dialogue)
    if not dialogue.branches:
        reason = "the dialogue was cancelled" if dialogue.message == "cancelled" else "no result was accepted"
        raise RequestError(f"{reason}, nothing is written")
    script.finish(dialogue.merged)


def _given_parameters(script: vmtkLevelSetSegmentation) -> Parameters:
    return Parameters(
        lower=script.LowerThreshold,
        upper=script.UpperThreshold,
        iterations=script.NumberOfIterations or Parameters.iterations,
        propagation=script.PropagationScaling,
        curvature=script.CurvatureScaling,
        advection=script.AdvectionScaling,
    )


def _evolved(script: vmtkLevelSetSegmentation, image: Any, start: Any, parameters: Parameters, level: float) -> Any:
    """What becomes of a level set; the parameters stay in the script."""
    script.LowerThreshold, script.UpperThreshold = parameters.lower, parameters.upper
    script.NumberOfIterations, script.PropagationScaling = parameters.iterations, parameters.propagation
    script.CurvatureScaling, script.AdvectionScaling = parameters.curvature, parameters.advection
    return script.evolve(image, start, level)


def _initialization(script: vmtkLevelSetSegmentation, image: Any) -> tuple[vmtkImageInitialization, Any]:
    """A script that makes the level set from which a branch starts, and its image."""
    given = image if script.InitializationImage is None else as_working(script.InitializationImage)
    script.check_sizes(image, given)
    start: Any = make_script("vmtkimageinitialization")
    start.Image, start.NegateImage, start.Threads = given, script.NegateImage, script.Threads
    start.LogOn, start.InputStream, start.OutputStream = script.LogOn, script.InputStream, script.OutputStream
    return start, given


# Front ends


def _replay(script: Any, image: Any, dialogue: Any) -> None:
    replay(dialogue, _picture_of(image), Path(script.DialogueFileName), script.OutputText)


def _terminal(script: Any, image: Any, dialogue: Any) -> None:
    run_terminal(dialogue, _picture_of(image), script.InputStream, _on_terminal)


def _on_terminal(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


def _picture_of(image: Any) -> Any:
    return lambda dialogue, path: write_preview(image, dialogue, path)


def _window(script: Any, image: Any, dialogue: Any) -> None:
    from mitk_rs.viewer.dialogue_window import DialogueWindow
    from mitk_rs.vmtk.scripts.viewers import entitle

    own = _ensure_renderer(script)
    window = script.vmtkRenderer.Window
    entitle(window, script)
    shown, axes = _upright(image), patient_axes(image) @ direction_of(image)
    try:
        DialogueWindow(window, shown, dialogue, _surface_in, lambda text: _say(script, text), axes=axes).run()
    finally:
        if own:
            _release_renderer(script)


def _ensure_renderer(script: Any) -> bool:
    """Open a window unless one was passed in; whether it is the script's own."""
    if script.vmtkRenderer is None:
        from mitk_rs.vmtk.scripts.viewers import vmtkRenderer

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


def _say(script: Any, text: str) -> None:
    """Echo to the log at once: what is typed in the window is followed there."""
    script.OutputText(text)
    script.OutputStream.flush()


def _surface_in(level_set: Any) -> Any:
    from mitk_rs.surface import extract_surface

    return extract_surface(as_image(_upright(level_set)), level=0.0)


# VMTK's methods of the script that need a window


def display_surface(script: Any, level_set: Any, value: float) -> None:
    """Show the surface of a level set, half transparent, until ``q``."""
    from mitk_rs.surface import extract_surface
    from mitk_rs.vmtk.scripts.viewers import vmtkSurfaceViewer

    viewer = vmtkSurfaceViewer()
    viewer.Surface = extract_surface(as_image(_upright(level_set)), level=value)
    viewer.Opacity = 0.5
    viewer.vmtkRenderer = script.vmtkRenderer
    script.SurfaceViewer = viewer
    viewer.Execute()


def ask_seeds(script: vmtkImageInitialization, question: str, count: int) -> Any:
    """Let the user place ``count`` seeds (0: any number) and give their positions as ``vtkPolyData``."""
    from mitk_rs.vmtk.scripts.viewers import vmtkImageSeeder

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


# Pictures of the state of a dialogue


def write_preview(image: Any, dialogue: Dialogue, path: Path) -> None:
    """Write a PNG: the maximum of the image along z, y and x side by side, with seeds and the outline of the result.

    Raises
    ------
    FileWriteError
        It cannot be written.
    """
    from mitk_rs.projection import montage, write_picture

    result = dialogue.result if dialogue.result is not None else dialogue.merged
    start = np.array(image.GetExtent()[::2])
    seeds = np.array(dialogue.seeds, dtype=int).reshape(-1, 3) - start
    overlay = None if result is None else as_image(result)
    write_picture(montage(as_image(image), overlay=overlay, seeds=seeds.tolist()), path)
