"""Pictures from any direction: where things appear, what values they have, and that nothing else matters."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mitk_rs as mitk
from mitk_rs.projection.camera import aim
from mitk_rs.projection.rays import Camera, Volume, _kept, turning

pytestmark = pytest.mark.usefixtures("many_threads")

ANGLES = [(0, 0), (90, 0), (180, 0), (-90, 0), (0, 90), (0, -90)]


def turned(degrees_x: float, degrees_z: float) -> np.ndarray:
    a, b = np.deg2rad([degrees_z, degrees_x])
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    return about_z @ about_x


def phantom() -> tuple[mitk.Image, list[tuple[np.ndarray, float]]]:
    """Balls of known brightness and place (world, mm), left/right asymmetric, on an oblique anisotropic grid."""
    shape, spacing, origin = (40, 60, 50), np.array([1.0, 0.8, 1.5]), np.array([-30.0, 12.0, 5.0])
    direction = turned(20, -35)
    k, j, i = np.indices(shape)
    index = np.stack([i, j, k], axis=-1)
    world = index * spacing @ direction.T + origin
    balls = []
    voxels = np.zeros(shape, np.int16)
    for place, value in (((39, 13, 6), 900), ((24, 45, 19), 500), ((19, 13, 29), 700)):
        centre = np.array(place) * spacing @ direction.T + origin
        near = np.linalg.norm(world - centre, axis=-1)
        voxels = np.maximum(voxels, (value * np.clip(1 - near / 6, 0, 1)).astype(np.int16))
        balls.append((centre, float(value)))
    return mitk.Image(voxels, spacing=spacing, origin=origin, direction=direction), balls


@pytest.mark.parametrize(("azimuth", "elevation"), [*ANGLES, (33, 17)])
@pytest.mark.parametrize("perspective", [False, 30.0])
def test_a_phantom_appears_where_geometry_says(azimuth, elevation, perspective):
    image, balls = phantom()
    size = (300, 260)
    shot = mitk.render_mip(
        image, azimuth=azimuth, elevation=elevation, size=size, dtype="float32", perspective=perspective
    )
    camera = Camera(azimuth=azimuth, elevation=elevation, size=size, perspective=perspective)
    view, mm = aim(azimuth, elevation), camera.pixel(Volume(image, None))
    corners = Volume(image, None).scene.corners()
    middle = corners.mean(axis=0)
    distance = mm * size[1] / 2 / np.tan(np.deg2rad(15))
    for centre, value in balls:
        right, down, away = ((centre - middle) @ axis for axis in (view.right, view.down, view.forward))
        scale = distance / (distance + away) if perspective else 1.0
        x, y = right * scale / mm + (size[0] - 1) / 2, down * scale / mm + (size[1] - 1) / 2
        rows, columns = np.indices(shot.shape)
        near = np.hypot(columns - x, rows - y) * mm < 4
        brightest = np.where(near, np.nan_to_num(shot), 0)
        row, column = np.unravel_index(brightest.argmax(), shot.shape)
        assert np.hypot(column - x, row - y) * mm < 0.5
        assert 0.9 * value < brightest.max() <= value


def test_left_is_on_the_right_from_the_front_and_azimuth_turns_to_the_left_side():
    front, side, above = aim(0, 0), aim(90, 0), aim(0, 90)
    np.testing.assert_allclose([front.right, front.down, front.forward], [[1, 0, 0], [0, 0, -1], [0, 1, 0]], atol=1e-15)
    np.testing.assert_allclose(side.forward, [-1, 0, 0], atol=1e-15)
    np.testing.assert_allclose(above.forward, [0, 0, -1], atol=1e-15)
    assert front.letters == {"left": "R", "right": "L", "top": "S", "bottom": "I"}
    assert side.letters == {"left": "A", "right": "P", "top": "S", "bottom": "I"}
    rolled = aim(0, 0, 90)
    np.testing.assert_allclose([rolled.right, rolled.down], [[0, 0, 1], [1, 0, 0]], atol=1e-15)


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_looking_along_an_axis_gives_the_projection_along_it(axis):
    voxels = np.random.default_rng(1).integers(-500, 3000, (12, 14, 16), dtype=np.int16)
    direction, up = {"x": ((-1, 0, 0), (0, 0, 1)), "y": ((0, 1, 0), (0, 0, 1)), "z": ((0, 0, 1), (0, -1, 0))}[axis]
    flat = mitk.mip(voxels, axis=axis)
    flat = flat[::-1] if axis != "z" else flat
    size = flat.shape[::-1]
    shot = mitk.render_mip(voxels, direction=direction, up=up, size=size, mm=1.0, dtype="float32")
    np.testing.assert_array_equal(shot, flat)


@settings(max_examples=25, deadline=None)
@given(
    st.sampled_from(["uint8", "int16", "uint16", "int32", "float32", "float64"]),
    st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(1, 40)),
    st.floats(-180, 180),
    st.floats(-90, 90),
    st.sampled_from([False, 20.0, 90.0]),
    st.sampled_from([0.25, 0.5, 1.3]),
)
def test_skipping_and_threads_change_no_bit(dtype, shape, azimuth, elevation, perspective, distance):
    rng = np.random.default_rng(3)
    voxels = (rng.random(shape) * 60).astype(dtype)
    voxels[rng.random(shape) > 0.98] = 120
    image = mitk.Image(voxels, spacing=(0.7, 1.0, 1.6), direction=turned(10, 25))
    volume = Volume(image, None)
    camera = Camera(azimuth, elevation, size=(37, 29), perspective=perspective, sample_distance=distance)
    values, depths = camera.cast(volume, depth=True, skip=False, plain=True)
    for threads in (1, 2, 3, 7):
        for skip in (True, False):
            got = replace(camera, options={"threads": threads}).cast(volume, depth=True, skip=skip)
            assert got[0].tobytes() == values.tobytes()
            assert got[1].tobytes() == depths.tobytes()


def test_the_depth_is_that_of_the_maximum():
    image, balls = phantom()
    camera = Camera(azimuth=40, size=(200, 200))
    shot, depth = mitk.render_mip(image, azimuth=40, size=(200, 200), dtype="float32", depth=True)
    view, volume = aim(40, 0), Volume(image, None)
    for centre, _ in balls:
        index = np.linalg.inv(image.affine()) @ (*centre, 1.0)
        x, y = camera.place(volume, index[np.newaxis, :3])[0]
        expected = (centre - volume.scene.centre()) @ view.forward
        assert depth[round(y), round(x)] == pytest.approx(expected, abs=0.8)
    np.testing.assert_array_equal(np.isnan(depth), np.isnan(shot))


def test_a_shot_is_shaded_by_window_and_level():
    voxels = np.zeros((10, 10, 10), np.int16)
    voxels[4:7, 4:7, 4:7] = 100
    shade = {"size": 40, "window": 200, "level": 100}
    assert mitk.render_mip(voxels, **shade).max() == 128
    assert mitk.render_mip(voxels, **shade, dtype=np.uint16).max() == 32768
    assert mitk.render_mip(voxels, size=40, window=50, level=25).max() == 255
    marked = mitk.render_mip(voxels, azimuth=45, **shade, background=7)
    assert marked[0, 0] == 7


def test_constant_images_are_pictures_too():
    for value in (0, 5):
        shot = mitk.render_mip(np.full((6, 6, 6), value, np.uint8), size=16)
        assert shot.shape == (16, 16)
        assert np.unique(shot).tolist() == [0]


def test_nan_is_nothing():
    voxels = np.zeros((8, 8, 8), np.float32)
    voxels[3] = np.nan
    shot = mitk.render_mip(voxels, direction=(0, 0, 1), up=(0, -1, 0), size=(8, 8), mm=1.0, dtype="float32")
    np.testing.assert_array_equal(shot, np.zeros((8, 8)))


def test_bricks_are_kept_until_the_voxels_may_change():
    image, _ = phantom()
    options = {"size": 24, "window": 1000, "level": 500}
    before = mitk.render_mip(image, **options)
    kept = _kept[image][0]
    mitk.render_mip(image, azimuth=50, **options)
    assert _kept[image][0] is kept
    with image.write() as voxels:
        voxels[:] = 800
        del voxels
    after = mitk.render_mip(image, **options)
    assert _kept[image][0] is not kept
    assert after.max() > before.max() * 0.8
    assert (after > 0).sum() > (before > 0).sum()
    view = image.as_numpy()
    for value in (100, 900):
        view[:] = value
        expected = mitk.render_mip(np.full(image.shape, value, np.int16), spacing=image.spacing, **options).max()
        assert mitk.render_mip(image, **options).max() == expected


def test_a_turn_comes_round():
    image, _ = phantom()
    frames = list(mitk.render_spin(image, frames=4, size=48))
    mm = turning([Camera(azimuth=angle, size=48) for angle in (0, 90, 180, 270)], Volume(image))[0].mm
    front = mitk.render_mip(image, size=48, dtype="float32", mm=mm)
    assert len(frames) == 4
    assert np.corrcoef(frames[0].ravel(), np.nan_to_num(front).ravel())[0, 1] > 0.99
    back = frames[2][:, ::-1]
    assert np.corrcoef(frames[0].ravel(), back.ravel())[0, 1] > 0.9
    assert np.corrcoef(frames[0].ravel(), frames[1].ravel())[0, 1] < 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"azimuth": np.nan}, "azimuth is nan"),
        ({"roll": np.inf}, "roll is inf"),
        ({"direction": (0, 0, 0)}, "direction is"),
        ({"direction": (0, 0, np.nan)}, "direction is"),
        ({"direction": (0, 0, 1), "up": (0, 0, 2)}, "must not be parallel"),
        ({"size": 0}, "size is 0"),
        ({"size": (10, 10**6)}, "1 to 16384"),
        ({"size": (1.5, 3)}, "size is"),
        ({"zoom": 0}, "zoom is 0"),
        ({"mm": -1}, "mm is -1"),
        ({"zoom": 1e300}, r"zoom is 1e\+300: allowed are 1e-100 to 1e\+100"),
        ({"zoom": 1e-300}, "zoom is 1e-300: allowed"),
        ({"mm": 1e300}, r"mm is 1e\+300: allowed"),
        ({"mm": 1e-300, "perspective": True}, "mm is 1e-300: allowed"),
        ({"sample_distance": 0}, "sample_distance is 0"),
        ({"sample_distance": 1e-9}, "sample_distance"),
        ({"sample_distance": 1e-300}, "sample_distance"),
        ({"sample_distance": 1e-300, "perspective": True}, "sample_distance"),
        ({"perspective": 180}, "perspective is 180"),
        ({"window": 10}, "window and level go together"),
        ({"window": np.nan, "level": 3}, "window and level must be finite|go together"),
        ({"dtype": "int8"}, "dtype is int8: allowed are uint8, uint16, float32"),
        ({"dtype": "\ud800"}, r"dtype is '\\ud800': allowed are uint8, uint16, float32"),
        ({"dtype": ("f4", -1)}, r"dtype is \('f4', -1\): allowed are uint8, uint16, float32"),
        ({"percentiles": (60, 40)}, "percentiles are 60 and 40"),
    ],
)
def test_bad_views_say_what_is_allowed(options, message):
    with pytest.raises((mitk.RequestError, ValueError), match=message):
        mitk.render_mip(np.zeros((4, 5, 6), np.uint8), **options)


# In a process of its own: what is refused here used to run for ever, and nothing inside could have ended it.
@pytest.mark.parametrize("distance", [1e9, 1e12, 1e300])
@pytest.mark.parametrize("azimuth", [0, 37, 180])
def test_steps_beyond_any_volume_are_refused_in_perspective(distance, azimuth):
    script = f"""
import numpy as np, mitk_rs as mitk
try:
    mitk.render_mip(np.zeros((8, 8, 8), np.uint8), azimuth={azimuth}, perspective=True, sample_distance={distance!r},
                    size=(16, 16), timeout=5)
except mitk.RequestError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("sample_distance is")
    assert "less than 134 million voxels" in done.stdout


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((5, 6)), mitk.RequestError, "got a 2-D image"),
        (mitk.Image(np.zeros((5, 6))), mitk.RequestError, "got a 2-D image"),
        (mitk.Image(), mitk.RequestError, "the image is empty"),
        (mitk.Image(np.zeros((4, 5, 6, 3)), components=True), mitk.RequestError, "3 components"),
        (mitk.Image(np.zeros((2, 4, 5, 6))), mitk.RequestError, "choose one with time_step="),
        ([1, 2], TypeError, "got list"),
    ],
)
def test_what_no_ray_can_pass_is_refused(image, error, message):
    with pytest.raises(error, match=message):
        mitk.render_mip(image)


def test_vtk_sees_the_same_within_its_rounding():
    pytest.importorskip("vtkmodules.vtkRenderingVolume")
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkRenderingCore import vtkRenderer, vtkRenderWindow, vtkWindowToImageFilter

    from mitk_rs.viewer.mip_viewer import mip_volume

    rng = np.random.default_rng(8)
    voxels = rng.integers(0, 200, (50, 50, 50)).astype(np.uint16)
    voxels[20:26, 12:38, 30:34] = 1000
    image = mitk.Image(voxels)
    options = {"azimuth": 30, "elevation": 20, "size": (200, 200), "sample_distance": 0.5}
    ours = mitk.render_mip(image, **options, window=1000, level=500).astype(float)
    shown = mip_volume(image, auto_sample_distance=False, sample_distance=0.5, window_level=(1000, 500))
    window, renderer = vtkRenderWindow(), vtkRenderer()
    window.SetOffScreenRendering(1)
    window.SetMultiSamples(0)
    window.SetSize(200, 200)
    window.AddRenderer(renderer)
    renderer.AddVolume(shown.volume)
    view, middle = aim(30, 20), Volume(image, None).scene.centre()
    camera = renderer.GetActiveCamera()
    camera.ParallelProjectionOn()
    camera.SetFocalPoint(*middle)
    camera.SetPosition(*(middle - 300 * view.forward))
    camera.SetViewUp(*(-view.down))
    camera.SetParallelScale(100 * Camera(azimuth=30, elevation=20, size=(200, 200)).pixel(Volume(image, None)))
    renderer.ResetCameraClippingRange()
    grab = vtkWindowToImageFilter()
    grab.SetInput(window)
    grab.ReadFrontBufferOff()
    grab.Update()
    theirs = vtk_to_numpy(grab.GetOutput().GetPointData().GetScalars())[:, 0].reshape(200, 200)[::-1].astype(float)
    both = (ours > 0) & (theirs > 0)
    assert both.mean() > 0.3
    assert np.abs(ours - theirs)[both].mean() < 2.0
    np.testing.assert_allclose((ours > 200).sum(), (theirs > 200).sum(), rtol=0.03)


@pytest.mark.parametrize("length", [1e300, 1e-300, 5e-324])
def test_the_length_of_a_direction_does_not_matter(length):
    volume = np.random.default_rng(3).random((6, 7, 8), np.float32)
    expected = mitk.render_mip(volume, direction=(1, 0, 0), up=(0, 0, 1), size=(9, 9))
    seen = mitk.render_mip(volume, direction=(length, 0, 0), up=(0, 0, length), size=(9, 9))
    assert seen.tobytes() == expected.tobytes()
