"""The MIP window: real keys on a screen without a monitor, and what it refuses without any."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pillow

import mitk_rs as mitk
from mitk_rs.viewer.mip_viewer import mip_volume, show


def scan(path: Path) -> None:
    voxels = np.zeros((30, 40, 50), np.int16)
    voxels[10:20, 10:14, 8:42] = 1000
    voxels[4:26, 28:30, 20:24] = 600
    mitk.Image(voxels, spacing=(1.0, 1.0, 1.5)).save(path)


def bright(picture: Any) -> int:
    return int((picture.min(axis=-1) > 200).sum())


def test_the_window_shows_the_projection_and_obeys_its_keys(screen: Any, tmp_path: Path, saves: Path) -> None:
    scan(tmp_path / "scan.mha")
    empty = screen.picture()
    words = ["mip", "scan.mha", "--show", "--window", "1000", "--level", "500"]
    with screen.running(*words, folder=tmp_path) as program:
        look_and_press(screen, empty, tmp_path, saves)
        screen.key("q")
        assert program.wait(60) == 0
    assert (tmp_path / "err.txt").read_text() == "mitk-rs mip: wrote vmtk-screenshot-0.png\n"


def names_keys(picture: Any) -> bool:
    return bool((picture[:200, :240].min(axis=-1) > 150).any())


def look_and_press(screen: Any, empty: Any, tmp_path: Path, saves: Path) -> None:
    shown = screen.wait_for_change(empty)
    Pillow.fromarray(shown).save(saves / "mip_window.png")
    assert bright(shown) > 1000
    screen.do("mousemove", 600, 450)
    screen.key("Down", "Down", "Down", "Down", "Down", "Down", "Down", "Down")
    darker = screen.wait_for_change(shown)
    assert bright(darker) < bright(shown) or darker.sum() < shown.sum()
    screen.key("Home")
    # While keys are pressed there is less detail; the finest picture comes afterwards.
    screen.wait_for(lambda picture: np.array_equal(picture, shown))
    screen.do("mousedown", 3, "mousemove", 700, 350, "mouseup", 3)
    dragged = screen.wait_for_change(shown)
    assert (dragged[:900, :1200] != shown[:900, :1200]).any(axis=-1).sum() > 5000
    darker = dragged
    screen.do("mousedown", 1, "mousemove", 700, 520, "mouseup", 1)
    screen.wait_for_change(darker)
    # Keys are taken in turn: when their names have gone and come back, all that was asked for before is drawn.
    screen.key("r", "F1")
    screen.wait_for(lambda picture: not names_keys(picture))
    screen.key("F1")
    screen.wait_for(names_keys)
    before = screen.settled()
    screen.key("x")
    for _ in range(600):
        if (tmp_path / "vmtk-screenshot-0.png").exists():
            break
        screen.settled()
    # The window is as it was, but for the name of the file.
    screen.wait_for(lambda picture: (picture == before).all(axis=-1).mean() > 0.95)
    with Pillow.open(tmp_path / "vmtk-screenshot-0.png") as shot:
        assert shot.size == (4800, 3600)
        drawn = np.asarray(shot).astype(int)
    # A picture put together from tiles has seams at their borders.
    for places in (
        drawn[[900, 1800, 2700]] - drawn[[902, 1802, 2702]],
        drawn[:, [1200, 2400, 3600]] - drawn[:, [1202, 2402, 3602]],
    ):
        assert (np.abs(places).max(axis=-1) > 60).mean() < 0.01


def test_without_display_nothing_is_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    image = mitk.Image(np.zeros((4, 5, 6), np.uint8))
    assert show(image, display=False) is None
    with pytest.raises(mitk.DisplayError, match="needs a display"):
        show(image)


def vtk_image(**arrays: np.ndarray[Any, Any]) -> Any:
    from vtkmodules.util.numpy_support import numpy_to_vtk
    from vtkmodules.vtkCommonDataModel import vtkImageData

    data = vtkImageData()
    data.SetDimensions(6, 5, 4)
    for name, values in arrays.items():
        made = numpy_to_vtk(values.reshape(120, -1), deep=True)
        made.SetName(name)
        data.GetPointData().AddArray(made)
    return data


def test_an_array_is_chosen_by_name_and_the_data_stay_as_they_are() -> None:
    data = vtk_image(dark=np.zeros((4, 5, 6)), light=np.full((4, 5, 6), 7.0))
    shown = mip_volume(data, array="light")
    assert shown.range == (7.0, 7.0)
    assert data.GetPointData().GetScalars() is None
    with pytest.raises(mitk.RequestError, match="array is 'nosuch': the image has 'dark', 'light'"):
        mip_volume(data, array="nosuch")


def test_the_ramp_is_the_window_or_the_range() -> None:
    voxels = np.zeros((4, 5, 6), np.int16)
    voxels[1, 1, 1] = 400
    shown = mip_volume(mitk.Image(voxels), window_level=(200, 100))
    assert (shown.window, shown.level) == (200, 100)
    shown.set_window(0, 0)
    assert (shown.window, shown.level) == (400, 200)


def test_a_chosen_sample_distance_is_kept_exactly() -> None:
    image = mitk.Image(np.zeros((4, 5, 6), np.uint8), spacing=(0.5, 0.5, 2))
    exact = mip_volume(image, auto_sample_distance=False, sample_distance=0.3)
    assert (exact.mapper.GetSampleDistance(), exact.mapper.GetAutoAdjustSampleDistances()) == (pytest.approx(0.3), 0)
    automatic = mip_volume(image)
    assert automatic.mapper.GetSampleDistance() == pytest.approx(0.25)
    assert automatic.mapper.GetAutoAdjustSampleDistances() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_distance": -1}, "must be >= 0"),
        ({"window_level": (np.nan, 1)}, "two finite numbers"),
        ({"window_level": (1,)}, "two finite numbers"),
        ({"opacity": (0, 2)}, "two numbers from 0 to 1"),
    ],
)
def test_bad_options_say_what_is_allowed(options: dict[str, Any], message: str) -> None:
    with pytest.raises(mitk.RequestError, match=message):
        mip_volume(mitk.Image(np.zeros((4, 5, 6), np.uint8)), **options)


def test_images_that_are_no_scalar_volume_are_refused() -> None:
    with pytest.raises(mitk.RequestError, match="3 components"):
        mip_volume(vtk_image(colours=np.zeros((4, 5, 6, 3), np.uint8)))
    with pytest.raises(mitk.RequestError, match="2-D image"):
        mip_volume(mitk.Image(np.zeros((5, 6), np.uint8)))
