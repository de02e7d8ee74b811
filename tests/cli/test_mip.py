"""``mitk-rs mip``: what it writes, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import SimpleITK
from PIL import Image as Pillow

import mitk_rs as mitk

NAME = "mitk-rs mip"


def pixels(path):
    with Pillow.open(path) as picture:
        return np.asarray(picture)


def test_an_array_holds_the_values_in_the_order_of_the_voxels(succeed, tube, tmp_path):
    assert succeed("mip tube.mha --axis z -o m.npy") == ""
    values = np.load(tmp_path / "m.npy")
    assert values.shape == (20, 20)
    assert (values == 100).sum() == 45
    assert (values == 0).sum() == 400 - 45


def test_an_image_holds_the_values_at_their_place(succeed, tube, tmp_path):
    succeed("mip tube.mha --axis y --slab 2:6 --kind mean -o m.mha")
    flat = SimpleITK.ReadImage(tmp_path / "m.mha")
    assert flat.GetSize()[:2] == (20, 20)
    assert flat.GetSpacing()[:2] == (0.5, 1.0)
    source = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(tmp_path / "tube.mha"))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(flat).reshape(20, 20), source[:, 2:6].mean(axis=1))


def test_a_picture_has_square_pixels_and_the_window(succeed, tube, tmp_path):
    succeed("mip tube.mha --axis y --window 200 --level 100 -o m.png")
    picture = pixels(tmp_path / "m.png")
    assert picture.shape == (13 * 40, 13 * 20)
    assert (picture.max(), picture.min()) == (128, 0)
    succeed("mip tube.mha --window 200 --level 100 --bits 16 -o m.tif")
    assert pixels(tmp_path / "m.tif").max() == 32768
    succeed("mip tube.mha --size 100 50 -o s.png")
    assert pixels(tmp_path / "s.png").shape == (50, 100)


def test_all_axes_are_three_files_and_json_names_them(succeed, tube, tmp_path):
    told = json.loads(succeed("mip tube.mha --axis all -o m.npy --json"))
    assert [entry["path"] for entry in told["outputs"]] == ["m_x.npy", "m_y.npy", "m_z.npy"]
    source = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(tmp_path / "tube.mha"))
    for axis, name in ((2, "x"), (1, "y"), (0, "z")):
        np.testing.assert_array_equal(np.load(tmp_path / f"m_{name}.npy"), source.max(axis=axis))


def test_an_outline_goes_around_the_vessel_and_seeds_are_marked(succeed, tube, tmp_path):
    succeed("init tube.mha --method threshold --lower 50 -o level.mha")
    succeed("mip tube.mha --overlay level.mha --seeds 10 10 5 --size 200 200 -o m.png")
    picture = pixels(tmp_path / "m.png").astype(int)
    green = np.argwhere((picture == (64, 255, 128)).all(axis=-1))
    assert len(green) > 100
    centre = (10.5 / 20) * 200 - 0.5
    distance = np.hypot(*(green - centre).T)
    assert distance.min() > 30
    assert distance.max() < 45
    red = np.argwhere((picture == (255, 80, 80)).all(axis=-1))
    np.testing.assert_allclose(red.mean(axis=0), centre, atol=1)
    succeed("mip tube.mha --azimuth 20 --overlay level.mha --seeds 10 10 5 -o v.png")
    assert (pixels(tmp_path / "v.png") == (64, 255, 128)).all(axis=-1).sum() > 50


def test_a_view_is_a_picture_values_or_an_image(succeed, tube, tmp_path):
    succeed("mip tube.mha --azimuth 30 --elevation 20 --perspective --size 64 48 -o m.png")
    assert pixels(tmp_path / "m.png").shape == (48, 64)
    succeed("mip tube.mha --direction 0 0 1 --up 0 -1 0 --size 64 64 -o m.npy")
    values = np.load(tmp_path / "m.npy")
    assert values.dtype == np.float32
    assert np.nanmax(values) == 100
    succeed("mip tube.mha --azimuth 10 --kind depth --size 32 32 -o depth.mha")
    assert SimpleITK.ReadImage(tmp_path / "depth.mha").GetSize()[:2] == (32, 32)


def test_a_turntable_is_an_animation_or_a_series(succeed, tube, tmp_path):
    for name in ("turn.gif", "turn.webp"):
        succeed(f"mip tube.mha --spin 6 --size 48 48 -o {name}")
        with Pillow.open(tmp_path / name) as animation:
            assert (animation.n_frames, animation.size) == (6, (48, 48))
    succeed("mip tube.mha --spin 3 --size 32 32 -o turn.png")
    assert sorted(path.name for path in tmp_path.glob("turn_*.png")) == [f"turn_00{i}.png" for i in range(3)]


def heights(pictures):
    return [int(np.ptp(np.nonzero(picture.any(axis=1))[0])) for picture in pictures]


def test_nothing_grows_or_shrinks_in_a_turn(succeed, tmp_path):
    long = mitk.Image(np.full((6, 10, 60), 50, np.uint8))
    long.save(tmp_path / "long.mha")
    succeed("mip long.mha --spin 4 --size 64 64 --window 100 --level 0 -o turn.png")
    written = heights(pixels(tmp_path / f"turn_00{i}.png") for i in range(4))
    rendered = heights(mitk.render_spin(long, frames=4, size=64, window=100, level=0))
    assert max(written) - min(written) <= 1
    assert max(rendered) - min(rendered) <= 1
    assert np.abs(np.subtract(written, 6 * 64 / 61)).max() < 2


def test_a_turntable_is_as_large_as_the_turning_volume(succeed, tmp_path):
    """A long thin one fills its frames but for half a voxel, from the border to the first voxel centre."""
    mitk.Image(np.full((6, 10, 60), 50, np.uint8)).save(tmp_path / "long.mha")
    succeed("mip long.mha --spin 8 --window 100 --level 0 -o turn.png")
    frames = [pixels(tmp_path / f"turn_00{number}.png") for number in range(8)]
    assert {frame.shape for frame in frames} == {(52, 512)}
    seen = np.max(frames, axis=0) > 0
    filled = np.argwhere(seen)
    assert (filled.max(axis=0) - filled.min(axis=0) > 0.75 * np.array(seen.shape)).all()
    succeed("mip long.mha --spin 2 --letters --window 100 --level 0 -o letters.png")
    assert pixels(tmp_path / "letters_000.png").shape == (52 + 2 * 26 + 18, 512 + 2 * 26, 3)
    rendered = next(mitk.render_spin(mitk.Image(tmp_path / "long.mha"), frames=8, window=100, level=0))
    np.testing.assert_array_equal(rendered, frames[0])


def test_depth_is_readable(succeed, run, tmp_path):
    """Without --lower, what is below Otsu's threshold is black; the colours are explained beside the picture."""
    voxels = np.random.default_rng(2).integers(0, 20, (30, 32, 32)).astype(np.int16)
    voxels[5, 4:28, 4:8], voxels[25, 4:28, 20:24] = 1000, 1000
    mitk.Image(voxels).save(tmp_path / "two.mha")
    done = run("mip two.mha --kind argmax -o m.png")
    assert "black where the maximum is below" in done.stderr
    succeed("mip two.mha --kind argmax --lower 0 -o all.png")
    masked, everything = pixels(tmp_path / "m.png"), pixels(tmp_path / "all.png")
    assert masked.shape == everything.shape == (512, 512 + 96, 3)
    inside = np.zeros((32, 32), bool)
    inside[4:28, 4:8] = inside[4:28, 20:24] = True
    np.testing.assert_array_equal(masked[8:512:16, 8:512:16].any(axis=-1), inside)
    assert everything[:, :512].any(axis=-1).all()
    near, far = masked[16 * 16 + 8, 16 * 6 + 8], masked[16 * 16 + 8, 16 * 22 + 8]
    bar = masked[:, 512 + 14]
    assert (bar == near).all(axis=-1).any()
    assert (bar == far).all(axis=-1).any()
    assert np.argmax((bar == far).all(axis=-1)) < np.argmax((bar == near).all(axis=-1))
    succeed("mip two.mha --kind depth --azimuth 20 --letters -o view.png")
    assert pixels(tmp_path / "view.png").shape == (512 + 2 * 26 + 18, 512 + 2 * 26 + 96, 3)
    succeed("mip two.mha --azimuth 20 --letters --size 300 200 -o sized.png")
    assert pixels(tmp_path / "sized.png").shape == (200, 300, 3)


def test_a_volume_between_nan_keeps_its_contrast(succeed, tmp_path):
    voxels = np.full((4, 16, 16), np.nan, np.float32)
    voxels[:, 4:12, 4:12] = np.linspace(10, 20, 8)
    mitk.Image(voxels).save(tmp_path / "hole.mha")
    succeed("mip hole.mha --size 16 16 -o m.png")
    picture = pixels(tmp_path / "m.png")
    assert not picture[:3].any()
    assert picture[8, 4] == 0
    assert 90 < picture[8, 7] < 140
    assert picture[8, 11] == 255
    succeed("mip hole.mha --montage -o sheet.png")
    grey = pixels(tmp_path / "sheet.png")[..., 0]
    assert len(np.unique(grey)) > 20


def test_a_montage_is_one_picture(succeed, tube, tmp_path):
    succeed("mip tube.mha --montage -o sheet.png")
    picture = pixels(tmp_path / "sheet.png")
    assert picture.ndim == 3
    assert picture.shape[0] > 400
    succeed("mip tube.mha --montage --ticks --size 640 480 -o sized.png")
    assert pixels(tmp_path / "sized.png").shape == (480, 640, 3)


@pytest.mark.parametrize(
    ("line", "status", "message"),
    [
        ("mip tube.mha --axis w -o m.png", 2, "--axis must be one of x, y, z, all; got w"),
        ("mip tube.mha", 2, "missing -o OUT, the file to write"),
        ("mip tube.mha --slab 5 -o m.png", 2, "--slab expects FIRST:END, two whole numbers from 0, got 5"),
        ("mip tube.mha --slab 5:5 -o m.png", 4, "slab is 5:5: allowed are 0 <= first < end <= 20, the voxels along"),
        ("mip tube.mha --slab 0:21 -o m.npy", 4, "slab is 0:21: allowed are 0 <= first < end <= 20"),
        ("mip tube.mha --size 0 10 -o m.png", 4, "size is [0, 10]: expected width and height in pixels, 1 to 16384"),
        ("mip tube.mha --size 1000000 10 -o m.png", 4, "size is [1000000, 10]"),
        ("mip tube.mha --azimuth nan -o m.png", 4, "azimuth is nan: expected a finite angle in degrees"),
        ("mip tube.mha --azimuth 0 --zoom 0 -o m.png", 4, "zoom is 0.0: expected a finite number > 0"),
        ("mip tube.mha --window 10 -o m.png", 4, "window and level go together: give both or none"),
        ("mip tube.mha --window 10 --level 3 -o m.npy", 2, "--window is for pictures (.png, .tif): m.npy gets"),
        ("mip tube.mha --axis x --azimuth 3 -o m.png", 2, "--axis is for projections along an axis"),
        ("mip tube.mha --montage --spin 3 -o m.png", 2, "--montage and --spin exclude each other"),
        (
            "mip tube.mha --montage --size 60 60 -o m.png",
            4,
            "size is (60, 60): too small for the borders of three pictures",
        ),
        (
            "mip tube.mha --size 40 200 --ticks -o m.png",
            4,
            "size is (40, 200): with letters, ticks or a colour bar less",
        ),
        ("mip tube.mha --azimuth 3 --ticks -o m.png", 2, "--ticks are voxel indices: they do not go with --azimuth"),
        ("mip tube.mha --show --letters", 2, "--letters does not go with --show: the window has letters anyway"),
        ("mip tube.mha --lower 3 -o m.png", 2, "--lower is for pictures of --kind argmax and depth"),
        ("mip tube.mha --ticks -o m.npy", 2, "--ticks is for pictures (.png, .tif): m.npy gets"),
        ("mip tube.mha --letters --bits 16 -o m.png", 2, "--bits 16 is for grey pictures without ticks, letters"),
        ("mip tube.mha --spin 3 --direction 0 1 0 -o m.png", 2, "--direction does not go with --spin"),
        ("mip tube.mha --seeds 20 0 0 -o m.png", 4, "the seed (20, 0, 0) lies outside the 20 x 20 x 20 voxels"),
        ("mip tube.mha --azimuth 3 --seeds 1 1 1 0 -1 0 -o m.png", 4, "the seed (0, -1, 0) lies outside"),
        ("mip tube.mha --montage --seeds 0 0 99 -o m.png", 4, "the seed (0, 0, 99) lies outside"),
        ("mip steps.mha -o m.png", 4, "the image has 3 time steps: choose one with time_step= or --time-step"),
        ("mip vectors.mha -o m.png", 4, "the image has 2 components a voxel: a picture needs one"),
        ("mip tube.mha --seeds 1 2 -o m.png", 2, "--seeds needs a multiple of 3 values, got 2"),
        ("mip tube.mha -o m.xyz", 5, "cannot write m.xyz: its ending must be one of"),
        ("mip tube.mha -o none/m.png", 5, "cannot write none/m.png: the folder none does not exist"),
        ("mip tube.mha -o tube.mha --force", 5, "cannot write tube.mha: it is the input"),
        ("mip none.mha -o m.png", 3, "cannot read none.mha: no such file"),
        ("mip flat.mha -o m.png", 4, "got a 2-D image of shape"),
        ("mip flat.mha --azimuth 3 -o m.png", 4, "got a 2-D image of shape"),
        ("mip tube.mha --overlay flat.mha -o m.png", 4, "the overlay has the shape"),
        ("mip tube.mha --show", 6, "mitk-rs mip --show needs a display and there is none"),
    ],
)
def test_bad_lines_write_nothing(run, tube, tmp_path, line, status, message):
    SimpleITK.WriteImage(SimpleITK.Image(8, 8, SimpleITK.sitkUInt8), tmp_path / "flat.mha")
    mitk.Image(np.zeros((3, 4, 4, 4), np.uint8)).save(tmp_path / "steps.mha")
    mitk.Image(np.zeros((4, 4, 4, 2), np.uint8), components=True).save(tmp_path / "vectors.mha")
    before = sorted(tmp_path.iterdir())
    done = run(line)
    assert done.returncode == status, done.stderr
    assert done.stderr.startswith(f"{NAME}: error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_a_constant_image_is_a_picture(succeed, tmp_path):
    SimpleITK.WriteImage(SimpleITK.Image(8, 8, 8, SimpleITK.sitkUInt8), tmp_path / "constant.mha")
    succeed("mip constant.mha -o m.png")
    assert np.unique(pixels(tmp_path / "m.png")).tolist() == [0]


def test_an_existing_file_is_replaced_only_by_force(fail, succeed, tube, tmp_path):
    (tmp_path / "m.png").write_text("precious")
    fail(5, f"{NAME}: error: cannot write m.png: it exists; --force replaces it", "mip tube.mha -o m.png")
    succeed("mip tube.mha -o m.png --force")
    assert pixels(tmp_path / "m.png").shape == (26 * 20, 26 * 20)
