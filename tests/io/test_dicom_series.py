"""DICOM series: sorted by position, rescaled, gaps told, time series as 4-D; places as SimpleITK sees them."""

import random
import warnings

import numpy as np
import pytest
import SimpleITK as sitk

import mitk_rs as mitk

TURN = np.array([[0.96, -0.28, 0], [0.28, 0.96, 0], [0, 0, 1.0]])
UID = "1.2.826.0.1.3680043.2.1125.1"


def write_slice(path, voxels, position, **given):
    """One CT slice through GDCM; ``given`` are tags such as ``t0020_0013``."""
    direction = given.pop("direction", TURN)
    image = sitk.GetImageFromArray(voxels[None])
    image.SetSpacing((0.5, 0.7, given.pop("thickness", 2.0)))
    image.SetDirection(direction.ravel().tolist())
    image.SetOrigin([float(number) for number in position])
    number = given.pop("number", 1)
    tags = {
        "0008|0060": "CT",
        "0008|0016": "1.2.840.10008.5.1.4.1.1.2",
        "0008|0018": f"{UID}.9.{given.pop('instance', number)}",
        "0010|0010": "Doe^Jane",
        "0020|000d": UID + ".1",
        "0020|000e": f"{UID}.2.{given.pop('series', 1)}",
        "0020|0013": str(number),
        "0020|0032": "\\".join(f"{one:.10g}" for one in position),
        "0020|0037": "\\".join(f"{one:.10g}" for one in (*direction[:, 0], *direction[:, 1])),
        **{name[1:].replace("_", "|"): str(value) for name, value in given.items()},
    }
    for tag, value in tags.items():
        image.SetMetaData(tag, value)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    writer.SetFileName(str(path))
    writer.Execute(image)


def write_series(folder, volume, *, shuffled=True, skip=(), stride=None, **tags):
    """A stack along the normal, in files whose names are in no order."""
    step = TURN[:, 2] * 2.0 if stride is None else np.asarray(stride)
    names = random.Random(5).sample(range(100, 1000), len(volume)) if shuffled else range(100, 100 + len(volume))
    for z, (plane, name) in enumerate(zip(volume, names, strict=True)):
        if z not in skip:
            position = np.array([3.0, -7.5, 11.25]) + z * step
            write_slice(folder / f"{name}.dcm", plane, position, number=len(volume) - z, **tags)
    return folder


@pytest.fixture
def volume():
    return np.random.default_rng(2).integers(-1000, 2000, (6, 8, 10)).astype("i2")


@pytest.fixture
def folder(tmp_path, volume):
    return write_series(tmp_path, volume)


def test_slices_are_sorted_by_position_not_by_name_or_number(folder, volume):
    image = mitk.Image(folder)
    np.testing.assert_array_equal(image.array, volume)
    assert image.origin == pytest.approx((3.0, -7.5, 11.25))
    assert image.spacing == pytest.approx((0.5, 0.7, 2.0))
    np.testing.assert_allclose(image.direction, TURN, atol=1e-6)


def test_a_series_is_what_simpleitk_reads(folder):
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    peer, image = reader.Execute(), mitk.Image(folder)
    np.testing.assert_array_equal(image.array, sitk.GetArrayFromImage(peer))
    np.testing.assert_allclose(image.spacing, peer.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(image.origin, peer.GetOrigin(), rtol=1e-6)
    np.testing.assert_allclose(image.direction.ravel(), peer.GetDirection(), atol=1e-6)


def test_one_file_stands_for_its_series(folder, volume):
    for file in list(folder.iterdir())[:3]:
        np.testing.assert_array_equal(mitk.Image(file).array, volume)
    assert mitk.io.read_info(file).shape == volume.shape


def test_a_file_without_an_ending_is_known_by_its_content(folder, volume):
    file = next(folder.iterdir())
    bare = file.with_name("IM0001")
    file.rename(bare)
    np.testing.assert_array_equal(mitk.Image(bare).array, volume)


def test_other_files_in_the_folder_do_not_matter(folder, volume):
    (folder / "notes.txt").write_text("hello")
    (folder / "DICOMDIR").write_text("nothing")
    (folder / "sub").mkdir()
    np.testing.assert_array_equal(mitk.Image(folder).array, volume)


def test_slope_and_intercept_are_applied(tmp_path):
    meant = np.arange(-80, 80, 2, dtype="i2").reshape(8, 10)
    write_slice(tmp_path / "a.dcm", meant, (0, 0, 0), t0028_1052=-1024, t0028_1053=2)
    stored = ((meant + 1024) // 2).astype("u2")
    assert stored.tobytes() in (tmp_path / "a.dcm").read_bytes()
    np.testing.assert_array_equal(mitk.Image(tmp_path / "a.dcm").array[0], meant)


def test_slices_with_scales_of_their_own_share_one_type(tmp_path):
    for z, slope in enumerate((1, 1, 2)):
        scale = {"t0028_1052": 0, "t0028_1053": slope}
        plane = np.full((8, 10), 60000, "u2")
        write_slice(tmp_path / f"{z}.dcm", plane, (0, 0, 2 * z), direction=np.eye(3), number=z, **scale)
    loaded = mitk.Image(tmp_path)
    peers = [sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / f"{z}.dcm")))[0] for z in range(3)]
    assert len({peer.dtype for peer in peers}) == 2
    np.testing.assert_array_equal(loaded.array, np.stack(peers))


def test_a_missing_slice_is_told(tmp_path, volume):
    write_series(tmp_path, volume, skip={3})
    with pytest.warns(mitk.DicomSeriesWarning, match=r"1 slice is missing after slice 2 of 5"):
        image = mitk.Image(tmp_path)
    assert image.shape == (5, 8, 10)
    assert image.spacing[2] == pytest.approx(2.0)


def test_unequal_distances_are_told(tmp_path, volume):
    for z, height in enumerate((0, 2, 4, 6.6, 8.6, 10.6)):
        write_slice(tmp_path / f"{z}.dcm", volume[z], (0, 0, height), direction=np.eye(3), number=z)
    with pytest.warns(mitk.DicomSeriesWarning, match="the distance is 2.6 mm after slice 2 of 6"):
        mitk.Image(tmp_path)


def test_a_tilted_gantry_gives_a_sheared_volume(tmp_path, volume):
    write_series(tmp_path, volume, stride=(0, 0.5, 2.0))
    with pytest.warns(mitk.DicomSeriesWarning, match="tilted gantry"):
        image = mitk.Image(tmp_path)
    last = image.get_geometry().index_to_world((0, 0, 5))
    np.testing.assert_allclose(list(last), [3.0, -7.5 + 2.5, 11.25 + 10.0], atol=1e-6)


def test_a_copy_of_a_slice_is_left_out(folder, volume):
    file = next(folder.iterdir())
    file.with_name("copy.dcm").write_bytes(file.read_bytes())
    with pytest.warns(mitk.DicomSeriesWarning, match="1 files hold images that other files hold"):
        image = mitk.Image(folder)
    np.testing.assert_array_equal(image.array, volume)


def write_time_series(folder, volumes, **clock):
    for t, volume in enumerate(volumes):
        for z, plane in enumerate(volume):
            number = 1 + z * len(volumes) + t
            tags = {name: values[t] for name, values in clock.items()}
            write_slice(
                folder / f"{997 * number % 1009}.dcm",
                plane,
                (0, 0, 3 * z),
                direction=np.eye(3),
                number=number,
                **tags,
            )


@pytest.mark.parametrize(
    ("clock", "points"),
    [
        ({"t0018_1060": (0, 40, 95)}, (0, 40, 95, 150)),
        ({"t0008_0022": ("20260102",) * 3, "t0008_0032": ("235959", "235959.5", "235959.75")}, (0, 500, 750, 1000)),
        ({"t0020_0100": (1, 2, 3)}, (0, 1, 2, 3)),
    ],
)
def test_a_time_series_becomes_4d(tmp_path, clock, points):
    volumes = np.random.default_rng(4).integers(0, 2000, (3, 4, 8, 10)).astype("i2")
    write_time_series(tmp_path, volumes, **clock)
    image = mitk.Image(tmp_path)
    np.testing.assert_array_equal(image.array, volumes)
    assert image.time_geometry.time_points == pytest.approx(points)
    assert image.spacing == pytest.approx((0.5, 0.7, 3.0))


def test_an_incomplete_time_series_is_told(tmp_path):
    volumes = np.random.default_rng(4).integers(0, 2000, (3, 4, 8, 10)).astype("i2")
    write_time_series(tmp_path, volumes, t0018_1060=(0, 40, 95))
    next(iter(sorted(tmp_path.iterdir()))).unlink()
    with pytest.warns(mitk.DicomSeriesWarning, match="not every place has as many time steps"):
        assert mitk.Image(tmp_path).shape == (2, 4, 8, 10)


def test_every_series_of_a_folder_is_loaded_by_ioutil(tmp_path, volume, caplog):
    write_series(tmp_path, volume)
    for z in range(3):
        write_slice(tmp_path / f"other{z}.dcm", volume[z][:4], (0, 0, z), number=z, series=2, instance=100 + z)
    shapes = sorted(image.shape for image in mitk.IOUtil.load(tmp_path))
    assert shapes == [(3, 4, 10), (6, 8, 10)]
    with caplog.at_level("WARNING", logger="mitk_rs"):
        mitk.Image(tmp_path)
    assert "2 series, the first is read" in caplog.text


def test_common_tags_become_properties(folder):
    image = mitk.Image(folder)
    assert image.get_property("DICOM.0010.0010") == "Doe^Jane"
    assert image.get_property("DICOM.0020.0013") is None
    image.save(folder / "x.nrrd")
    assert mitk.Image(folder / "x.nrrd").get_property("DICOM.0010.0010") == "Doe^Jane"


def test_a_damaged_slice_is_named(folder):
    file = next(folder.iterdir())
    whole = file.read_bytes()
    file.write_bytes(whole[:-40])
    with pytest.raises(mitk.FileError, match=file.name):
        mitk.Image(file)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", mitk.DicomSeriesWarning)
        mitk.Image(folder)
    assert any(f"no image can be read from {file.name}" in str(one.message) for one in caught)


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with warnings.catch_warnings(), pytest.raises(mitk.FileError, match="without DICOM"):
        mitk.Image(tmp_path)
