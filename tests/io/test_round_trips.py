"""What is written comes back: voxels, geometry, times and properties.

The table of what each format can hold is in ``tests/support/file_formats.py``. What a format cannot hold is an error
before anything is written.
"""

import json
from itertools import product

import numpy as np
import pytest
from file_formats import (
    ALL,
    COUNTS,
    GEOMETRIES,
    HOLDS,
    PLACED,
    PLANE_30,
    REFUSED,
    SIZES,
    Row,
    fits,
    lies_in_plane,
    picture,
    placed,
    rotation,
    smooth,
    voxels,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mitk_rs as mitk
from mitk_rs.io import read_image, read_info, write_image

PAIRINGS = [
    (suffix, dimension, kind, components)
    for suffix in HOLDS
    for dimension in SIZES
    for kind, components in [*product(ALL, [1]), *product(["u1", "i2", "f4"], COUNTS[1:])]
]


def assert_same_voxels(back: mitk.Image, image: mitk.Image, *, lossy: bool = False) -> None:
    assert back.dtype == image.dtype
    assert back.shape == image.shape
    assert back.components == image.components
    if lossy:
        assert np.abs(back.array.astype(int) - image.array.astype(int)).max() <= 12
    else:
        assert np.array_equal(back.array, image.array)


@pytest.mark.parametrize(("suffix", "dimension", "kind", "components"), PAIRINGS)
def test_voxels_come_back_or_are_refused(suffix, dimension, kind, components, tmp_path):
    row, path = HOLDS[suffix], tmp_path / f"image{suffix}"
    image = picture(row, dimension, kind, components)
    if fits(row, dimension, kind, components):
        write_image(image, path)
        assert_same_voxels(read_image(path), image, lossy=row.lossy)
        info = read_info(path)
        assert (info.shape, info.dtype, info.components) == (image.shape, image.dtype, image.components)
        return
    path.write_bytes(b"what was there before")
    with pytest.raises(mitk.FileError, match=r"cannot hold .*; .*\.nrrd.* can"):
        write_image(image, path)
    assert path.read_bytes() == b"what was there before"
    assert list(tmp_path.iterdir()) == [path]


def is_refused(row: Row, dimension: int, name: str) -> bool:
    tilted = dimension == 2 and not lies_in_plane(GEOMETRIES[name][2])
    return name in REFUSED[row.geometry] or (tilted and not row.entries)


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize(("suffix", "dimension"), [(suffix, n) for suffix in PLACED for n in HOLDS[suffix].dimensions])
def test_geometry_comes_back_or_is_refused(suffix, dimension, name, tmp_path):
    row, path = HOLDS[suffix], tmp_path / f"image{suffix}"
    image = placed(dimension, name)
    if is_refused(row, dimension, name):
        with pytest.raises(mitk.FileError, match=r"cannot hold .*(direction|plane).*; .*\.nrrd.* can"):
            write_image(image, path)
        assert not any(tmp_path.iterdir())
        return
    write_image(image, path)
    back = read_image(path)
    assert_same_voxels(back, image)
    if row.entries:
        assert back.spacing == image.spacing
        assert back.origin == image.origin
        assert np.array_equal(back.direction, image.direction)
    else:
        # NIfTI's header holds single precision.
        assert np.allclose(back.affine(), image.affine(), rtol=1e-6, atol=1e-6 * np.abs(image.origin).max() + 1e-6)


@pytest.mark.parametrize("suffix", [suffix for suffix, row in HOLDS.items() if row.geometry == "none"])
def test_formats_without_geometry_say_what_they_lose(suffix, tmp_path, caplog):
    image = mitk.Image(smooth(1), spacing=(0.5, 0.5, 1), origin=(1, 2, 0))
    write_image(image, tmp_path / f"image{suffix}")
    assert "does not keep spacing, origin" in caplog.text
    oblique = mitk.Image(smooth(1), direction=PLANE_30)
    with pytest.raises(mitk.FileError, match="cannot hold an oblique direction"):
        write_image(oblique, tmp_path / f"oblique{suffix}")


TIMES = {
    "fresh": None,
    "proportional": mitk.ProportionalTimeGeometry(1234567.5, 1 / 3, 2),
    "arbitrary": mitk.ArbitraryTimeGeometry.from_time_points([0.1, 1234567.891, 1e7 / 3]),
}


@pytest.mark.parametrize("times", TIMES)
@pytest.mark.parametrize("suffix", [suffix for suffix in PLACED if 4 in HOLDS[suffix].dimensions])
def test_time_points_come_back_or_are_told_as_lost(suffix, times, tmp_path, caplog):
    image, path = placed(4, "rotated"), tmp_path / f"image{suffix}"
    if TIMES[times]:
        image.time_geometry = TIMES[times]
    write_image(image, path)
    back = read_image(path)
    kept = HOLDS[suffix].entries or not TIMES[times]
    assert ("does not keep time points" in caplog.text) is not kept
    expected = image.time_geometry.time_points if kept else (0.0, 1.0, 2.0)
    assert back.time_geometry.time_points == expected


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".mhd", ".nhdr", ".vti"])
def test_times_of_a_single_step_come_back(suffix, tmp_path):
    image, path = placed(3, "rotated"), tmp_path / f"image{suffix}"
    image.time_geometry = mitk.ProportionalTimeGeometry(5, 2.5, 1)
    write_image(image, path)
    assert read_image(path).time_geometry.time_points == (5.0, 7.5)
    fresh = placed(3, "rotated")
    write_image(fresh, path)
    assert read_image(path).time_geometry == fresh.time_geometry


@pytest.mark.parametrize("suffix", [suffix for suffix in PLACED if 4 in HOLDS[suffix].dimensions])
def test_a_geometry_for_each_time_step_comes_back_or_is_refused(suffix, tmp_path):
    image, path = placed(4, "rotated"), tmp_path / f"image{suffix}"
    image.set_origin((7.1, 8.2, 9.3), time_step=1)
    image.set_direction(rotation(5), time_step=1)
    if not HOLDS[suffix].entries:
        with pytest.raises(mitk.FileError, match="cannot hold a geometry of its own for each time step"):
            write_image(image, path)
        return
    write_image(image, path)
    assert read_image(path).time_geometry == image.time_geometry


VALUES = {"text.a": "CT head", "int.a": 42, "float.a": 0.1, "bool.a": True, "color": (1.0, 0.5, 0.0), "odd_name": "x"}


@pytest.mark.parametrize("suffix", PLACED)
def test_properties_come_back_with_their_type_or_are_told_as_lost(suffix, tmp_path, caplog):
    image, path = mitk.Image(voxels(3, "i2")), tmp_path / f"image{suffix}"
    for key, value in VALUES.items():
        image.set_property(key, value)
    slices = mitk.TemporoSpatialStringProperty("a")
    slices.set_value("b", time_step=0, z_slice=1)
    image.set_property("DICOM.0020.1041", slices)
    write_image(image, path)
    back = read_image(path)
    if not HOLDS[suffix].entries:
        assert "does not keep" in caplog.text
        assert "property int.a" in caplog.text
        assert back.get_property("int.a") is None
        return
    for key, value in VALUES.items():
        assert back.get_property(key) == value
        assert type(back.get_property(key)) is type(value)
    assert back.get_property("DICOM.0020.1041") == slices


@st.composite
def images(draw):
    dimension = draw(st.integers(2, 4))
    shape = tuple(draw(st.integers(1, 5)) for _ in range(dimension))
    components = draw(st.sampled_from([1, 1, 2, 3, 5]))
    kind = draw(st.sampled_from(ALL))
    seed = draw(st.integers(0, 2**32 - 1))
    array = np.random.default_rng(seed).integers(0, 100, shape + ((components,) if components > 1 else ()))
    image = mitk.Image(array.astype(kind), components=components > 1)
    numbers = st.floats(-1e6, 1e6)
    image.set_spacing([draw(st.floats(1e-4, 1e4)) for _ in range(3)], time_step=None)
    image.set_origin([draw(numbers) for _ in range(3)], time_step=None)
    image.set_direction(rotation(seed) * draw(st.sampled_from([1, -1])), time_step=None)
    return image


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nhdr", ".vti"])
@given(image=images(), compress=st.booleans())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_image_comes_back_exactly(suffix, tmp_path, image, compress):
    path = tmp_path / f"image{suffix}"
    if image.ndim not in HOLDS[suffix].dimensions:
        with pytest.raises(mitk.FileError, match="cannot hold 4 dimensions"):
            write_image(image, path)
        return
    write_image(image, path, compress=compress)
    back = read_image(path)
    assert_same_voxels(back, image)
    assert back.time_geometry == image.time_geometry


@pytest.mark.parametrize("suffix", [suffix for suffix, row in HOLDS.items() if row.entries])
def test_properties_come_back_with_their_types(tmp_path, suffix):
    image = placed(3, "awkward")
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


def test_the_default_time_grid_leaves_no_trace(tmp_path):
    path = tmp_path / "x.nhdr"
    mitk.Image(voxels(4, "u1")).save(path)
    assert "mitk" not in path.read_text()
    assert type(mitk.Image(path).time_geometry) is mitk.ProportionalTimeGeometry


def test_the_header_wins_where_another_program_moved_the_image(tmp_path):
    path = tmp_path / "x.nhdr"
    placed(3, "rotated").save(path)
    text = path.read_text()
    assert "mitk_rs_geometry:=" in text
    assert "space origin: (-1.1" in text
    path.write_text(text.replace("space origin: (-1.1", "space origin: (9.5"))
    assert mitk.Image(path).origin == (9.5, 2.2, -3.3)


def test_mitk_can_read_our_properties(tmp_path):
    path = tmp_path / "x.nhdr"
    image = mitk.Image(voxels(3, "u1"))
    image.set_property("org.example.site", "A 1")
    image.set_property("org.example.count", 3)
    image.save(path)
    entries = dict(line.split(":=", 1) for line in path.read_text().splitlines() if ":=" in line)
    assert entries["org_example_site"] == "A 1"
    assert entries["org_example_count"] == "3"
    assert json.loads(entries["mitk_rs_properties"].replace("\\\\", "\\")) == {
        "org.example.count": {"type": "IntProperty", "value": 3}
    }
