"""Without a display windows are off screen: renderers can be made, filled and photographed, but not shown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from ctypes.util import find_library
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PillowImage

import mitk_rs as mitk
from mitk_rs.viewer import window as viewer_window
from mitk_rs.viewer.window import ViewerWindow
from mitk_rs.vmtk import vmtkscripts

pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not (find_library("EGL") or find_library("OSMesa")),
    reason="neither libEGL nor libOSMesa is installed: nothing draws without a display",
)


@pytest.fixture(autouse=True)
def no_display(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)


@pytest.fixture
def renderer() -> Iterator[vmtkscripts.vmtkRenderer]:
    made = vmtkscripts.vmtkRenderer()
    made.LogOn = 0
    made.Initialize()
    yield made
    made.Deallocate()


def ball() -> mitk.Image:
    z, y, x = np.mgrid[:12, :12, :12] - 5.5
    return mitk.Image((100 - 20 * np.sqrt(x**2 + y**2 + z**2)).astype(np.float32))


def test_a_renderer_without_a_display_draws(renderer: vmtkscripts.vmtkRenderer, tmp_path: Path) -> None:
    viewer = vmtkscripts.vmtkSurfaceViewer()
    viewer.Surface, viewer.Color, viewer.Display, viewer.LogOn = mitk.extract_surface(ball(), 20.0), [1, 0, 0], 0, 0
    viewer.vmtkRenderer = renderer
    viewer.Execute()
    renderer.Window.reset_camera()
    renderer.Render(interactive=0)
    with PillowImage.open(renderer.Window.screenshot(tmp_path / "shot.png")) as shot:
        pixels = np.asarray(shot)
    assert shot.size == (4800, 3600)
    red = (pixels[..., 0] > 2 * pixels[..., 1].astype(int)) & (pixels[..., 0] > 100)
    assert 0.1 < red.mean() < 0.8


def test_waiting_for_keys_needs_a_display(renderer: vmtkscripts.vmtkRenderer) -> None:
    with pytest.raises(mitk.DisplayError, match="the window needs a display"):
        renderer.Render()


@pytest.mark.parametrize("name", ["vmtkImageViewer", "vmtkImageMIPViewer", "vmtkImageSeeder"])
def test_display_0_builds_the_view_and_does_not_wait(renderer: vmtkscripts.vmtkRenderer, name: str) -> None:
    script = getattr(vmtkscripts, name)()
    script.Image, script.Display, script.LogOn, script.vmtkRenderer = ball().to_vtk(), 0, 0, renderer
    script.Execute()
    script.BuildView()
    assert renderer.Renderer.GetViewProps().GetNumberOfItems() >= 2


def test_a_seeder_that_shows_nothing_does_not_wait_for_seeds() -> None:
    """As in VMTK's own vmtklevelsetsegmentation: Display = 0, Execute, BuildView, then the initialization."""
    seeder = vmtkscripts.vmtkImageSeeder()
    seeder.Image, seeder.Display, seeder.LogOn = ball().to_vtk(), 0, 0
    seeder.Execute()
    seeder.BuildView()
    assert seeder.Seeds.GetNumberOfPoints() == 0


def test_a_pype_with_a_renderer_runs_without_a_display(tmp_path: Path) -> None:
    ball().save(tmp_path / "ball.mha")
    line = (
        "vmtkrenderer --pipe vmtkimageinitialization -ifile ball.mha -interactive 0 -method isosurface "
        "-isosurface 20 -olevelsetsfile y.mha"
    )
    done = subprocess.run(
        [sys.executable, "-m", "mitk_rs.cli.main", "pype", "--nolog", line],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "y.mha").exists()


def test_a_machine_that_cannot_draw_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """VTK would take its window for OSMesa without looking for the library, and crash at the first picture."""
    monkeypatch.setenv("VTK_DEFAULT_OPENGL_WINDOW", "vtkOSOpenGLRenderWindow")
    monkeypatch.setattr(viewer_window, "find_library", lambda _: None)
    with pytest.raises(mitk.DisplayError, match="install libEGL with a driver, or libOSMesa"):
        ViewerWindow()


def test_a_plane_can_be_left_out_of_the_image_viewer(renderer: vmtkscripts.vmtkRenderer) -> None:
    viewer = vmtkscripts.vmtkImageViewer()
    viewer.Image, viewer.Display, viewer.LogOn, viewer.vmtkRenderer = ball().to_vtk(), 0, 0, renderer
    viewer.DisplayPlaneWidgetY = 0
    viewer.Execute()
    planes = viewer.PlaneWidgetX, viewer.PlaneWidgetY, viewer.PlaneWidgetZ
    assert [plane.GetEnabled() for plane in planes] == [1, 0, 1]


def test_seeds_have_the_colour_that_was_asked_for(renderer: vmtkscripts.vmtkRenderer) -> None:
    seeder = vmtkscripts.vmtkImageSeeder()
    seeder.Image, seeder.Display, seeder.LogOn, seeder.vmtkRenderer = ball().to_vtk(), 0, 0, renderer
    seeder.SeedRGBColor, seeder.KeepSeeds = [0.25, 0.5, 1.0], 1
    seeder.BuildView()
    actors = renderer.Renderer.GetActors()
    colours = [actors.GetItemAsObject(number).GetProperty().GetColor() for number in range(actors.GetNumberOfItems())]
    assert (0.25, 0.5, 1.0) in colours


def test_text_is_typed_in_the_window(renderer: vmtkscripts.vmtkRenderer) -> None:
    answers: list[str] = []
    pressed: list[str] = []
    renderer.Window.on_key = lambda symbol, _: not pressed.append(symbol)
    renderer.PromptAsync("How wide? ", answers.append)
    for symbol, character in (("1", "1"), ("KP_5", "5"), ("x", "x"), ("BackSpace", "\b"), ("Shift_L", "")):
        renderer.Window.on_key(symbol, character)
    assert (renderer.TextInputMode, renderer.CurrentTextInput, answers, pressed) == (1, "15", [], [])
    renderer.Window.on_key("Escape", "\x1b")
    renderer.Window.on_key("w", "w")
    renderer.Window.on_key("Escape", "\x1b")
    assert pressed == ["w"]
    renderer.Window.on_key("Return", "\r")
    assert (renderer.TextInputMode, answers) == (0, ["15"])
    renderer.Window.on_key("u", "u")
    assert pressed == ["w", "u"]


def test_without_a_display_a_script_keeps_its_input(renderer: vmtkscripts.vmtkRenderer) -> None:
    script = vmtkscripts.vmtkImageInitialization()
    before = script.InputStream
    renderer.RegisterScript(script)
    assert script.InputStream is before
    with pytest.raises(mitk.DisplayError, match="needs a display"):
        renderer.EnterTextInputMode()
