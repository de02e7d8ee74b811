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
from mitk_rs.viewer.slices import ImagePlanes
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


def test_quick_changes_are_drawn_together_and_finely_once_they_end(monkeypatch: pytest.MonkeyPatch) -> None:
    window = ViewerWindow(size=(300, 200))
    rates: list[float] = []
    window.window.AddObserver("EndEvent", lambda *_: rates.append(window.window.GetDesiredUpdateRate()))
    window.render_soon()
    assert len(rates) == 1
    # As while the event loop runs: the timer draws.
    monkeypatch.setattr(window, "_running", True)
    for _ in range(60):
        window.render_soon()
    assert len(rates) == 1
    window._tick()
    window._tick()
    assert len(rates) == 2
    assert rates[-1] > 1
    monkeypatch.setattr(viewer_window, "_REST", 0.0)
    window._tick()
    window._tick()
    assert len(rates) == 3
    assert rates[-1] < 1e-3
    window.close()


@pytest.mark.parametrize("size", [(600, 450), (1600, 1200), (320, 240)])
def test_texts_fit_the_window(size: tuple[int, int], tmp_path: Path) -> None:
    """Wrapped to its width, without a word lost, and readable on a white picture."""
    window = ViewerWindow(size=size, background=(1.0, 1.0, 1.0), magnification=1)
    question = " ".join(f"word{number}" for number in range(40))
    window.show_prompt(question)
    window.show_keys([])
    with PillowImage.open(window.screenshot(tmp_path / "shot.png")) as shot:
        pixels = np.asarray(shot).astype(int)
    assert shot.size == size
    text = (pixels[..., 0] > 150) & (pixels[..., 2] < pixels[..., 0] - 40)
    columns = np.flatnonzero(text.any(axis=0))
    assert 3 < columns.min() < columns.max() < size[0] - 3
    lines = window._annotations._prompt.GetInput().split("\n")
    assert len(lines) > 1
    assert " ".join(" ".join(lines).split()) == question
    # Behind the letters it is dark.
    assert pixels[text.any(axis=1)][:, size[0] // 2 - 20 : size[0] // 2 + 20].min(axis=-1).mean() < 150
    window.close()


@pytest.mark.parametrize("direction", [np.eye(3), np.diag([-1.0, -1, 1]), np.eye(3)[[1, 2, 0]], np.diag([1.0, 1, -1])])
def test_letters_name_the_sides_of_the_patient(direction: np.ndarray, renderer: vmtkscripts.vmtkRenderer) -> None:
    """The slices open as radiologists look at them, whatever the axes of the image."""
    image = ball()
    image.direction = direction
    viewer = vmtkscripts.vmtkImageViewer()
    viewer.Image, viewer.Display, viewer.LogOn, viewer.vmtkRenderer = image, 0, 0, renderer
    viewer.Execute()
    planes = viewer.PlaneWidgetX, viewer.PlaneWidgetY, viewer.PlaneWidgetZ
    assert [plane.GetSliceIndex() for plane in planes] == [5, 5, 5]
    notes = renderer.Window._annotations
    shown = ImagePlanes(renderer.Window, viewer.working_image(), axes=direction)
    shown.look()
    renderer.Window.render()
    letters = {side: actor.GetInput() for side, actor in notes._letters.items()}
    assert letters == {"left": "R", "right": "L", "top": "A", "bottom": "P"}
    assert "azimuth 0" in notes._status.GetInput()
    camera = renderer.Renderer.GetActiveCamera()
    camera.Azimuth(180)
    renderer.Window.render()
    assert notes._letters["left"].GetInput() == "L"
    # The bar is as long as its text says.
    ends = notes._ends.GetPoints()
    pixels = ends.GetPoint(1)[0] - ends.GetPoint(0)[0]
    assert notes._length.GetInput() == f"{pixels * notes._millimetres():g} mm"
    shown.remove()


def test_the_first_window_leaves_out_what_is_rare(renderer: vmtkscripts.vmtkRenderer) -> None:
    voxels = np.random.default_rng(3).normal(100, 10, (30, 30, 30)).astype(np.float32)
    voxels[0, 0, :3] = 30000
    planes = ImagePlanes(renderer.Window, mitk.Image(voxels).to_vtk())
    assert 40 < planes.grey.window < 80
    assert 90 < planes.grey.level < 110
    planes.grey.set(400, 200)
    planes.grey._key("Home", "")
    assert 40 < planes.grey.window < 80
    planes.remove()


def test_a_screenshot_that_cannot_be_written_is_told(
    renderer: vmtkscripts.vmtkRenderer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    told: list[str] = []
    renderer.Window.on_notice = told.append
    renderer.Window.magnification = 1
    monkeypatch.chdir(tmp_path)
    renderer.Window.photograph()
    assert told == ["wrote vmtk-screenshot-0.png"]
    monkeypatch.setattr(viewer_window, "_free_name", lambda: Path("none/shot.png"))
    renderer.Window.photograph()
    assert told[1].startswith("cannot write none/shot.png")
    assert renderer.Window._annotations.notice == told[1]
