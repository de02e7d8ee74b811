"""The dialogues of ``vmtkimageinitialization`` and ``vmtklevelsetsegmentation``.

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

from mitk_rs._platform import has_display
from mitk_rs.errors import DisplayError, RequestError
from mitk_rs.viewer.dialogue import AnyDialogue, Branch, Dialogue, EvolutionDialogue, EvolutionStep, Parameters
from mitk_rs.viewer.front_ends import DialogueWindow, replay, run_terminal
from mitk_rs.vmtk import make_script
from mitk_rs.vmtk.conversion import as_image, as_working, direction_of, give_back, patient_axes, triples, twin
from mitk_rs.vmtk.scripts.viewers import ViewingScript, entitle, vmtkImageSeeder, vmtkRenderer, vmtkSurfaceViewer

if TYPE_CHECKING:
    from mitk_rs.vmtk.scripts.levelsets import vmtkImageInitialization, vmtkLevelSetSegmentation

__all__ = ["ask_seeds", "converse", "converse_about_evolution", "display_surface", "write_preview"]


def converse(script: vmtkImageInitialization, image: Any) -> bool:
    """Lead the dialogue and set the outputs; ``False`` when the run has to be headless instead."""
    lead = _front_end(script)
    if lead is None:
        lacking = missing(script)
        if lacking:
            method = "" if "-method" in map(str, script.Arguments) else f"-method {script.Method} "
            raise _nobody(script, f"-interactive 0 {method}{lacking}")
        script.PrintNote("no display and no terminal to ask at, running non-interactively")
        return False
    dialogue = _dialogue(script, image)
    lead(script, image, dialogue)
    if dialogue.merged is None:
        raise _nothing(cancelled=dialogue.message == "cancelled")
    script.InitialLevelSets = script.MergedInitialLevelSets = give_back(dialogue.merged, script.Image)
    script.NumSeedsSelected = sum(len(branch.sources) + len(branch.targets) for branch in dialogue.branches)
    script.IsoSurfaceValue = 0.0
    script.Surface = script.surface_of(script.InitialLevelSets)
    return True


def _nobody(script: Any, options: str) -> DisplayError:
    words = " ".join(["mitk-rs", script.ScriptName, *(shlex.quote(str(word)) for word in script.Arguments), options])
    return DisplayError(f"there is no display and no terminal to ask at; without them type: {words}")


def _nothing(*, cancelled: bool) -> RequestError:
    reason = "the dialogue was cancelled" if cancelled else "no result was accepted"
    return RequestError(f"{reason}, nothing is written")


def _front_end(script: vmtkImageInitialization) -> Any:
    if not script.DialogueFileName and script.vmtkRenderer is not None and has_display():
        return _window
    given = script._words is not None and not script._was_given("interactive") and not missing(script)
    if not script.DialogueFileName and given and not _is_terminal(script.InputStream):
        return None
    return _somebody(script)


def _somebody(script: Any) -> Any:
    """Who answers; ``None`` for nobody."""
    if script.DialogueFileName:
        return _replay
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
    level = script.IsoSurfaceValue != 0 or script._was_given("isosurface")
    pair = "-sourcepoints I J K -targetpoints I J K"
    known, lacking = {
        "isosurface": (level, "-isosurface V"),
        "threshold": (bounded, "-lowerthreshold L"),
        "seeds": (sources or targets, "-sourcepoints I J K"),
        "fastmarching": (sources, pair),
    }.get(script.Method, (sources and targets, pair))
    return "" if known else lacking


def _dialogue(script: vmtkImageInitialization, image: Any) -> Dialogue:
    def compute(branch: Branch) -> Any:
        script.Method = branch.method or script.Method
        script.LowerThreshold, script.UpperThreshold = branch.lower, branch.upper
        script.IsoSurfaceValue = branch.isovalue or 0.0
        script.SourcePoints = [value for point in branch.sources for value in point]
        script.TargetPoints = [value for point in branch.targets for value in point]
        script.PrintLog(f"{branch.method} initialization")
        return script.compute(image, str(branch.method))

    # The method only where it is not just VMTK's default.
    known = script._was_given("method") or script.Method != "collidingfronts"
    defaults = Branch(
        method=script.Method if known else None,
        lower=script.LowerThreshold,
        upper=script.UpperThreshold,
        isovalue=script.IsoSurfaceValue or None,
        sources=tuple(triples(script.SourcePoints)),
        targets=tuple(triples(script.TargetPoints)),
    )
    return Dialogue(image.GetExtent(), compute, script.merge, defaults, image.GetScalarRange())


# The dialogue about evolution

_PARAMETERS = (EvolutionStep.ITERATIONS, EvolutionStep.PROPAGATION, EvolutionStep.CURVATURE)
_QUESTIONS = {
    "geodesic": (*_PARAMETERS, EvolutionStep.ADVECTION),
    "curves": (*_PARAMETERS, EvolutionStep.ADVECTION),
    "threshold": (EvolutionStep.LOWER, EvolutionStep.UPPER, *_PARAMETERS),
    "laplacian": _PARAMETERS,
}


def converse_about_evolution(script: vmtkLevelSetSegmentation, image: Any) -> None:
    """Lead the dialogue of ``vmtklevelsetsegmentation`` and set the outputs."""
    lead = _somebody(script)
    if lead is None:
        raise _nobody(script, "-iterations N")
    first = None if script.InitialLevelSets is None else as_working(script.InitialLevelSets)

    def evolve(start: Any, used: Parameters) -> Any:
        script.LowerThreshold, script.UpperThreshold = used.lower, used.upper
        script.NumberOfIterations, script.PropagationScaling = used.iterations, used.propagation
        script.CurvatureScaling, script.AdvectionScaling = used.curvature, used.advection
        return script.evolve(image, start, script.IsoSurfaceValue if start is first else 0.0)

    given = Parameters(
        lower=script.LowerThreshold,
        upper=script.UpperThreshold,
        iterations=script.NumberOfIterations or Parameters.iterations,
        propagation=script.PropagationScaling,
        curvature=script.CurvatureScaling,
        advection=script.AdvectionScaling,
    )
    dialogue = EvolutionDialogue(
        _QUESTIONS[script.LevelSetsType],
        evolve,
        script.merge,
        lambda: _dialogue(*_initialization(script, image)),
        given,
        first,
        None if script.LevelSets is None else as_working(script.LevelSets),
        image.GetScalarRange(),
    )
    lead(script, image, dialogue)
    if not dialogue.branches:
        raise _nothing(cancelled=dialogue.message == "cancelled")
    script.finish(dialogue.merged)


def _initialization(script: vmtkLevelSetSegmentation, image: Any) -> tuple[vmtkImageInitialization, Any]:
    """A script that makes the level set from which a branch starts, and its image."""
    given = image if script.InitializationImage is None else as_working(script.InitializationImage)
    script.check_sizes(image, given)
    start: Any = make_script("vmtkimageinitialization")
    start.Image, start.NegateImage, start.Threads = given, script.NegateImage, script.Threads
    start.LogOn, start.InputStream, start.OutputStream = script.LogOn, script.InputStream, script.OutputStream
    return start, given


# Front ends


def _replay(script: Any, image: Any, dialogue: AnyDialogue) -> None:
    replay(dialogue, _picture_of(image), Path(script.DialogueFileName), script.OutputText)


def _terminal(script: Any, image: Any, dialogue: AnyDialogue) -> None:
    def write(text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()

    run_terminal(dialogue, _picture_of(image), script.InputStream, write)


def _picture_of(image: Any) -> Any:
    return lambda dialogue, path: write_preview(image, dialogue, path)


def _window(script: Any, image: Any, dialogue: AnyDialogue) -> None:
    def say(text: str) -> None:
        # At once: what is typed in the window is followed in the log.
        script.OutputText(text)
        script.OutputStream.flush()

    if script.vmtkRenderer is None:
        script.vmtkRenderer = vmtkRenderer()
        script.OwnRenderer = 1
    script.vmtkRenderer.Initialize()
    window = script.vmtkRenderer.Window
    entitle(window, script)
    axes = patient_axes(image) @ direction_of(image)
    try:
        DialogueWindow(window, _upright(image), dialogue, _surface_in, say, axes=axes).run()
    finally:
        ViewingScript.release_window(script)


def _upright(image: Any) -> Any:
    """The image with its axes along the window's, because VTK's slice widgets know no direction."""
    copy = twin(image)
    copy.SetDirectionMatrix(1, 0, 0, 0, 1, 0, 0, 0, 1)
    return copy


def _surface_in(level_set: Any, level: float = 0.0) -> Any:
    from mitk_rs.surface import extract_surface

    return extract_surface(as_image(_upright(level_set)), level=level)


# VMTK's methods of the script that need a window


def display_surface(script: Any, level_set: Any, value: float) -> None:
    """Show the surface of a level set, half transparent, until ``q``."""
    viewer = script.SurfaceViewer = vmtkSurfaceViewer()
    viewer.Surface = _surface_in(level_set, value)
    viewer.Opacity = 0.5
    viewer.vmtkRenderer = script.vmtkRenderer
    viewer.Execute()


def ask_seeds(script: vmtkImageInitialization, question: str, count: int) -> Any:
    """Let the user place ``count`` seeds (0: any number) and give their positions as ``vtkPolyData``."""
    while True:
        seeder = script.ImageSeeder = vmtkImageSeeder()
        seeder.Image, seeder.vmtkRenderer = script.Image, script.vmtkRenderer
        script.InputInfo(f"{question} (Ctrl+click on the image).\n")
        seeder.Execute()
        script.NumSeedsSelected = seeder.Seeds.GetNumberOfPoints()
        if count in (0, script.NumSeedsSelected):
            return seeder.Seeds
        script.InputInfo(f"Exactly {count} seeds are needed.\n")


def write_preview(image: Any, dialogue: AnyDialogue, path: Path) -> None:
    """Write a PNG: the maximum of the image along z, y and x side by side, with seeds and the outline of the result."""
    from mitk_rs.projection import montage, write_picture

    result = dialogue.result if dialogue.result is not None else dialogue.merged
    seeds = np.array(dialogue.seeds, dtype=int).reshape(-1, 3) - np.array(image.GetExtent()[::2])
    overlay = None if result is None else as_image(result)
    write_picture(montage(as_image(image), overlay=overlay, seeds=seeds.tolist()), path)
