"""What is written comes back: voxels, geometry, time and properties, in every format that can hold them."""

import itertools
import json

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.io.formats import FORMATS, format_of

TURN = np.array([[np.cos(0.3), -np.sin(0.3), 0], [np.sin(0.3), np.cos(0.3), 0], [0, 0, 1]])
TILT = np.array([[1, 0, 0], [0, np.cos(0.2), -np.sin(0.2)], [0, np.sin(0.2), np.cos(0.2)]])
PLACES = {
    "standard": {},
    "aligned": {"spacing": (0.7, 0.3, 1 / 3), "origin": (1 / 7, -1234567.123456789, 3.3)},
    "flipped": {"spacing": (0.7, 0.3, 2.0), "origin": (1, 2, 3), "direction": np.diag([-1.0, -1.0, 1.0])},
    "left-handed": {"spacing": (1, 2, 3), "direction": np.diag([1.0, 1.0, -1.0])},
    "oblique": {"spacing": (0.7, 0.3, 1 / 3), "origin": (1 / 7, -10.1, 3.3), "direction": TURN @ TILT},
    "sheared": {"spacing": (1, 1, 1), "direction": [[1, 0.6, 0], [0, 0.8, 0], [0, 0, 1]]},
}
SUFFIXES = [suffix for kind in FORMATS for suffix in kind.suffixes]
SHAPE = (2, 3, 4, 5)


def make(dimension, components, place, dtype):
    shape = SHAPE[-dimension:] + ((components,) if components > 1 else ())
    voxels = np.random.default_rng(7).integers(0, 200, shape).astype(dtype)
    return mitk.Image(voxels, **PLACES[place], components=components > 1)


def tolerance(kind):
    """NIfTI stores geometry in single precision, everything else exactly."""
    return {"rtol": 1e-6, "atol": 1e-6} if kind.name.startswith("NIfTI") else {"rtol": 0, "atol": 0}


def assert_same_place(one, other, kind):
    for name in ("spacing", "origin", "direction"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), **tolerance(kind), err_msg=name)


def refused(image, path):
    """Whether the format says that it cannot hold the image; then nothing is written."""
    try:
        image.save(path)
    except mitk.FileWriteError as error:
        message = str(error)
    else:
        return False
    assert "cannot hold" in message
    assert not list(path.parent.glob(path.name + "*"))
    return True


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("dimension", [2, 3, 4])
def test_a_format_keeps_the_image_or_says_what_can(tmp_path, suffix, dimension):
    kind, kept = format_of("x" + suffix), 0
    for components, place, dtype in itertools.product((1, 3), PLACES, ("u1", "i8", "f4")):
        image = make(dimension, components, place, dtype)
        path = tmp_path / f"{components}{place}{dtype}{suffix}"
        if refused(image, path):
            continue
        kept += 1
        loaded = mitk.Image(path)
        assert loaded.dtype == image.dtype
        assert loaded.shape == image.shape
        if not kind.lossy:
            np.testing.assert_array_equal(loaded.array, image.array)
        if kind.geometry != "none":
            assert_same_place(loaded, image, kind)
        header = mitk.io.read_info(path)
        assert (header.shape, header.dtype, header.components) == (image.shape, image.dtype, components)
    assert (kept > 0) == (dimension in kind.dimensions)
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


WITH_METADATA = [suffix for kind in FORMATS if kind.metadata for suffix in kind.suffixes]


@pytest.mark.parametrize("suffix", WITH_METADATA)
def test_properties_come_back_with_their_types(tmp_path, suffix):
    image = make(3, 1, "aligned", "i2")
    values = {
        "patient.name": "Doe^Jane",
        "a_key": "with\nlines, \\ and ümlauts",
        "empty": "",
        "count": 5,
        "scale.factor": 0.1,
        "valid": True,
        "DimSize": "9 9 9",
    }
    for name, value in values.items():
        image.set_property(name, value)
    image.set_property("colour", mitk.Color(1.0, 0.5, 0.0))
    path = tmp_path / f"x{suffix}"
    image.save(path)
    loaded = mitk.Image(path)
    assert {name: loaded.get_property(name) for name in values} == values
    assert {name: type(loaded.get_property(name)) for name in values} == {n: type(v) for n, v in values.items()}
    assert type(loaded.get_property("colour", raw=True)) is mitk.ColorProperty
    assert loaded.shape == image.shape
    assert loaded.get_property("path") == str(path)
    again = tmp_path / f"again{suffix}"
    loaded.save(again)
    assert {name: mitk.Image(again).get_property(name) for name in values} == values


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nhdr", ".mhd"])
def test_time_geometry_comes_back_exactly(tmp_path, suffix):
    image = make(4, 1, "aligned", "i2")
    path = tmp_path / f"x{suffix}"
    for times in (
        mitk.ProportionalTimeGeometry(1 / 3, 2.7, 2),
        mitk.ArbitraryTimeGeometry.from_time_points([-5, 0.1, 1234567.5]),
    ):
        image.time_geometry = times
        image.save(path)
        assert mitk.Image(path).time_geometry.time_points == times.time_points


def test_the_default_time_grid_leaves_no_trace(tmp_path):
    path = tmp_path / "x.nhdr"
    make(4, 1, "standard", "u1").save(path)
    assert "mitk" not in path.read_text()
    assert type(mitk.Image(path).time_geometry) is mitk.ProportionalTimeGeometry


@pytest.mark.parametrize("suffix", [".mha", ".nrrd"])
def test_a_geometry_for_each_time_step_comes_back(tmp_path, suffix):
    image = make(4, 1, "oblique", "i2")
    image.set_origin((7.5, 8.5, 9.5), time_step=1)
    image.save(tmp_path / f"x{suffix}")
    loaded = mitk.Image(tmp_path / f"x{suffix}")
    assert loaded.get_origin(0) == image.get_origin(0)
    assert loaded.get_origin(1) == (7.5, 8.5, 9.5)


def test_a_moving_geometry_is_refused_by_nifti(tmp_path):
    image = make(4, 1, "aligned", "i2")
    image.set_origin((7.5, 8.5, 9.5), time_step=1)
    with pytest.raises(mitk.FileWriteError, match=r"for each time step; \.mha"):
        image.save(tmp_path / "x.nii")


def test_the_header_wins_where_another_program_moved_the_image(tmp_path):
    path = tmp_path / "x.nhdr"
    make(3, 1, "oblique", "i2").save(path)
    text = path.read_text()
    assert "mitk_rs_geometry:=" in text
    path.write_text(text.replace("space origin: (", "space origin: (9"))
    assert mitk.Image(path).origin[0] == pytest.approx(float("9" + repr(1 / 7)))


def test_mitk_can_read_our_properties(tmp_path):
    path = tmp_path / "x.nhdr"
    image = make(3, 1, "standard", "u1")
    image.set_property("org.example.site", "A 1")
    image.set_property("org.example.count", 3)
    image.save(path)
    entries = dict(line.split(":=", 1) for line in path.read_text().splitlines() if ":=" in line)
    assert entries["org_example_site"] == "A 1"
    assert entries["org_example_count"] == "3"
    assert json.loads(entries["mitk_rs_properties"].replace("\\\\", "\\")) == {
        "org.example.count": {"type": "IntProperty", "value": 3}
    }


def test_what_a_format_drops_is_logged(tmp_path, caplog):
    image = make(3, 1, "standard", "u1")
    image.set_property("org.example.site", "A 1")
    with caplog.at_level("WARNING", logger="mitk_rs"):
        image.save(tmp_path / "x.nii")
    assert "NIfTI does not keep property org.example.site" in caplog.text
