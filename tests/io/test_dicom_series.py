"""DICOM series: sorted by position, rescaled, irregular ones refused, time series as 4-D; SimpleITK sees the same."""

import contextlib
import os
import random
import warnings

import dicom_files
import numpy as np
import pydicom
import pytest
import SimpleITK as sitk

import mitk_rs as mitk
from mitk_rs.io import isolation

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


def read_with_gaps(path, message):
    """Refused, and read with a warning where gaps are allowed."""
    with pytest.raises(mitk.FileError, match=message) as caught:
        mitk.Image(path)
    assert "allow_gaps=True (--allow-gaps)" in str(caught.value)
    with pytest.warns(mitk.DicomSeriesWarning, match=message):
        return mitk.io.read_image(path, allow_gaps=True)


def test_a_missing_slice_is_refused_unless_gaps_are_allowed(tmp_path, volume):
    write_series(tmp_path, volume, skip={3})
    image = read_with_gaps(tmp_path, r"1 slice is missing after slice 2 of 5")
    assert image.shape == (5, 8, 10)
    assert image.spacing[2] == pytest.approx(2.0)
    with pytest.warns(mitk.DicomSeriesWarning, match="1 slice is missing"):
        assert mitk.io.read_info(tmp_path).shape == (5, 8, 10)


def test_unequal_distances_are_refused_unless_gaps_are_allowed(tmp_path, volume):
    for z, height in enumerate((0, 2, 4, 6.6, 8.6, 10.6)):
        write_slice(tmp_path / f"{z}.dcm", volume[z], (0, 0, height), direction=np.eye(3), number=z)
    read_with_gaps(tmp_path, "the distance is 2.6 mm after slice 2 of 6")


def test_a_tilted_gantry_gives_a_sheared_volume(tmp_path, volume):
    write_series(tmp_path, volume, stride=(0, 0.5, 2.0))
    image = read_with_gaps(tmp_path, "tilted gantry")
    last = image.get_geometry().index_to_world((0, 0, 5))
    np.testing.assert_allclose(list(last), [3.0, -7.5 + 2.5, 11.25 + 10.0], atol=1e-6)


def test_a_copy_of_a_slice_is_left_out(folder, volume):
    file = next(folder.iterdir())
    file.with_name("copy.dcm").write_bytes(file.read_bytes())
    with pytest.warns(mitk.DicomSeriesWarning, match="1 files hold images that other files also hold"):
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


def test_an_incomplete_time_series_is_refused_unless_gaps_are_allowed(tmp_path):
    volumes = np.random.default_rng(4).integers(0, 2000, (3, 4, 8, 10)).astype("i2")
    write_time_series(tmp_path, volumes, t0018_1060=(0, 40, 95))
    next(iter(sorted(tmp_path.iterdir()))).unlink()
    assert read_with_gaps(tmp_path, "not every place has as many time steps").shape == (2, 4, 8, 10)


@pytest.fixture
def two_series(tmp_path, volume):
    write_series(tmp_path, volume, t0020_0011=7, t0008_103e="Angio arterial")
    for z in range(3):
        tags = {"t0020_0011": 3, "t0008_103e": "Scout"}
        write_slice(tmp_path / f"a{z}.dcm", volume[z][:4], (0, 0, z), number=z, series=2, instance=100 + z, **tags)
    return tmp_path


def test_a_folder_with_several_series_is_refused_with_their_list(two_series):
    for read in (mitk.Image, mitk.io.read_info):
        with pytest.raises(mitk.FileError, match="has 2 series, choose one with series=N") as caught:
            read(two_series)
        listed = "1: 'Scout' CT 3 images, 10 x 4 x 3; 2: 'Angio arterial' CT 6 images, 10 x 8 x 6"
        assert str(caught.value).endswith(listed)


def test_a_series_is_chosen_by_number_identifier_or_description(two_series, volume):
    scout, angio = mitk.io.list_series(two_series)
    assert (scout.series_number, scout.slices, scout.size, scout.modality) == (3, 3, (10, 4, 3), "CT")
    assert (angio.series_number, angio.slices, angio.number) == (7, 6, 2)
    for wanted in (2, "2", angio.uid, "Angio arterial"):
        np.testing.assert_array_equal(mitk.io.read_image(two_series, series=wanted).array, volume)
    assert mitk.io.read_info(two_series, series=1).shape == (3, 4, 10)
    for wanted in (0, 3, "Angio", ""):
        with pytest.raises(mitk.FileError, match=r"is not one of the 2 series there: 1: 'Scout'"):
            mitk.io.read_image(two_series, series=wanted)


def test_every_series_of_a_folder_is_loaded_by_ioutil(two_series):
    assert sorted(image.shape for image in mitk.IOUtil.load(two_series)) == [(3, 4, 10), (6, 8, 10)]


def test_slices_of_two_directions_in_one_series_are_two_volumes(tmp_path, volume):
    write_series(tmp_path, volume)
    write_slice(tmp_path / "scout.dcm", volume[0], (0, 0, 0), direction=np.eye(3)[[1, 2, 0]], instance=99)
    with pytest.raises(mitk.FileError, match=r"2 series, choose one.*1: CT 6 images.*2: CT 1 image, "):
        mitk.Image(tmp_path)
    np.testing.assert_array_equal(mitk.io.read_image(tmp_path, series=1).array, volume)
    assert mitk.Image(tmp_path / "scout.dcm").shape == (1, 8, 10)


def test_common_tags_become_properties(folder):
    image = mitk.Image(folder)
    assert image.get_property("DICOM.0010.0010") == "Doe^Jane"
    assert image.get_property("DICOM.0020.0013") is None
    image.save(folder / "x.nrrd")
    assert mitk.Image(folder / "x.nrrd").get_property("DICOM.0010.0010") == "Doe^Jane"


def test_a_damaged_slice_is_named_and_its_folder_refused(folder):
    file = max(folder.iterdir(), key=lambda one: mitk.io.read_info(folder) and one.stat().st_size)
    whole = file.read_bytes()
    file.write_bytes(whole[:-40])
    with pytest.raises(mitk.FileError, match=rf"{file.name}: the file is truncated: its pixels need 160 bytes"):
        mitk.Image(file)
    with pytest.raises(mitk.FileError, match=f"no image can be read from {file.name}"):
        mitk.Image(folder)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", mitk.DicomSeriesWarning)
        assert mitk.io.read_image(folder, allow_gaps=True).shape == (5, 8, 10)
    assert any(f"no image can be read from {file.name}" in str(one.message) for one in caught)


def test_the_last_slice_damaged_is_not_a_shorter_volume(tmp_path, volume):
    """Without its last slice the stack is as regular as before."""
    write_series(tmp_path, volume, shuffled=False)
    last = tmp_path / "105.dcm"
    last.write_bytes(last.read_bytes()[:300])
    with pytest.raises(mitk.FileError, match=r"no image can be read from 105.dcm; allow_gaps=True"):
        mitk.Image(tmp_path)


def test_the_last_slice_cut_anywhere_is_not_a_shorter_volume(tmp_path, volume):
    """Also within an identifier, which then looks like that of another series, or of a report."""
    write_series(tmp_path, volume, shuffled=False)
    last = tmp_path / "105.dcm"
    whole = last.read_bytes()
    for kept in range(1, len(whole), 11):
        last.write_bytes(whole[:kept])
        with pytest.raises(mitk.FileError, match=r"no image can be read from 105.dcm; allow_gaps=True"):
            mitk.Image(tmp_path)


def test_run_lengths_that_lie_are_refused_in_this_process(tmp_path, monkeypatch):
    monkeypatch.setattr(isolation, "read_pixels", None)
    path = tmp_path / "a.dcm"
    dicom_files.write_slice(path, np.arange(80, dtype="i2").reshape(8, 10), (0, 0, 0), syntax="1.2.840.10008.1.2.5")
    assert mitk.Image(path).array.sum() == 3160
    whole = path.read_bytes()
    begin = whole.index(b"\x02\0\0\0\x40\0\0\0")
    for segments in (b"\x02\0\0\0\x40\0\0\0\x48\0\0\0", b"\x02\0\0\0\xff\xff\xff\x7f", b"\xff\0\0\0"):
        path.write_bytes(whole[:begin] + segments + whole[begin + len(segments) :])
        with pytest.raises(mitk.FileError, match="cannot read"):
            mitk.Image(path)


def test_a_file_that_is_removed_while_its_folder_is_read_does_not_matter(folder, volume, monkeypatch):
    file = next(folder.iterdir())
    real = os.path.samefile

    def samefile(one, other):
        (folder / "gone.tmp").unlink(missing_ok=True)
        return real(one, other)

    (folder / "gone.tmp").write_bytes(b"x")
    monkeypatch.setattr(os.path, "samefile", samefile)
    np.testing.assert_array_equal(mitk.Image(file).array, volume)


@pytest.mark.parametrize("kept", [200, 700, -40])
def test_a_whole_slice_is_read_beside_a_damaged_one(tmp_path, volume, kept):
    write_slice(tmp_path / "good.dcm", volume[0], (0, 0, 0))
    write_slice(tmp_path / "bad.dcm", volume[1], (0, 0, 2), number=2)
    (tmp_path / "bad.dcm").write_bytes((tmp_path / "bad.dcm").read_bytes()[:kept])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mitk.DicomSeriesWarning)
        np.testing.assert_array_equal(mitk.Image(tmp_path / "good.dcm").array[0], volume[0])


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("hello")
    with warnings.catch_warnings(), pytest.raises(mitk.FileError, match="without DICOM"):
        mitk.Image(tmp_path)


def test_reports_beside_the_images_do_not_matter(folder, volume):
    dicom_files.write_slice(folder / "report.dcm", volume[0], None, sop_class="1.2.840.10008.5.1.4.1.1.88.11")
    data = pydicom.dcmread(folder / "report.dcm")
    for keyword in ("Rows", "Columns", "PixelData"):
        delattr(data, keyword)
    data.save_as(folder / "report.dcm")
    np.testing.assert_array_equal(mitk.Image(folder).array, volume)
    with pytest.raises(mitk.FileError, match="DICOM document without an image"):
        mitk.Image(folder / "report.dcm")


# --- files with several frames ------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [2, 0, 3, 1]])
def test_the_frames_of_an_enhanced_file_are_sorted_by_their_positions(tmp_path, order):
    frames = np.random.default_rng(1).integers(-1000, 1000, (4, 8, 10)).astype("i2")
    positions = [(1, 2, 3 + 2.5 * z) for z in order]
    dicom_files.write_slice(tmp_path / "a.dcm", frames, None, frames=4, enhanced=True, positions=positions)
    for path in (tmp_path, tmp_path / "a.dcm"):
        image = mitk.Image(path)
        np.testing.assert_array_equal(image.array, frames[np.argsort(order)])
        assert (image.spacing, image.origin) == ((0.5, 0.7, 2.5), (1.0, 2.0, 3.0))
        assert mitk.io.read_info(path).shape == (4, 8, 10)


def test_frames_of_an_enhanced_file_at_the_same_places_are_time_steps(tmp_path):
    frames = np.arange(6 * 80, dtype="i2").reshape(6, 8, 10)
    positions = [(0, 0, 2.0 * (number % 3)) for number in range(6)]
    dicom_files.write_slice(tmp_path / "a.dcm", frames, None, frames=6, enhanced=True, positions=positions)
    np.testing.assert_array_equal(mitk.Image(tmp_path).array, frames.reshape(2, 3, 8, 10))


def test_a_frame_missing_in_an_enhanced_file_is_refused(tmp_path):
    frames = np.zeros((3, 8, 10), "i2")
    positions = [(0, 0, 0), (0, 0, 2), (0, 0, 6)]
    dicom_files.write_slice(tmp_path / "a.dcm", frames, None, frames=3, enhanced=True, positions=positions)
    read_with_gaps(tmp_path, "the distance is 2 mm after slice 0|1 slice is missing|the distance is 4 mm")


@pytest.mark.parametrize(
    ("elements", "points"),
    [
        ({"FrameTime": "69.47"}, [0, 69.47, 138.94, 208.41]),
        ({"CineRate": "25"}, [0, 40, 80, 120]),
        ({"FrameTimeVector": ["0", "30", "50"]}, [0, 30, 80, 130]),
    ],
)
def test_the_frame_time_of_a_cine_is_a_duration_and_not_a_distance(tmp_path, elements, points):
    frames = np.arange(240, dtype="i2").reshape(3, 8, 10)
    dicom_files.write_slice(tmp_path / "a.dcm", frames, (1, 2, 3), frames=3, SliceThickness="8", **elements)
    for path in (tmp_path, tmp_path / "a.dcm"):
        image = mitk.Image(path)
        np.testing.assert_array_equal(image.array, frames[:, np.newaxis])
        assert image.spacing == (0.5, 0.7, 8.0)
        assert image.time_geometry.time_points == pytest.approx(points)


def test_frames_without_places_are_slices(tmp_path):
    frames = np.arange(240, dtype="i2").reshape(3, 8, 10)
    dicom_files.write_slice(tmp_path / "a.dcm", frames, (1, 2, 3), frames=3, SpacingBetweenSlices="2.5")
    image = mitk.Image(tmp_path)
    np.testing.assert_array_equal(image.array, frames)
    assert (image.spacing, image.origin) == ((0.5, 0.7, 2.5), (1.0, 2.0, 3.0))


def test_a_dose_grid_is_placed_by_its_offsets(tmp_path):
    frames = np.arange(240, dtype="u2").reshape(3, 8, 10)
    dicom_files.write_slice(
        tmp_path / "dose.dcm", frames, (1, 2, 3), frames=3, GridFrameOffsetVector=["0", "3", "6"],
        sop_class="1.2.840.10008.5.1.4.1.1.481.2",
    )  # fmt: skip
    assert mitk.Image(tmp_path).spacing == (0.5, 0.7, 3.0)


# --- pixels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(40))
def test_values_and_types_are_those_of_gdcm(tmp_path, seed):
    random = np.random.default_rng(seed)
    bits = int(random.choice([8, 16]))
    stored = int(random.integers(4, bits + 1))
    sign = "i" if random.random() < 0.5 else "u"
    # Bits beyond the stored ones may hold anything.
    voxels = random.integers(0, 1 << bits, (8, 10)).astype(f"u{bits // 8}")
    slope, intercept = random.choice(["1", "2", "-3", "0.5", "1.0", "0", "1000"]), random.choice(["0", "-1024", "0.25"])
    path = tmp_path / "a.dcm"
    syntax = str(random.choice(["1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"]))
    dicom_files.write_slice(
        path, voxels.view(f"{sign}{bits // 8}"), (0, 0, 0), syntax=syntax, BitsStored=stored, HighBit=stored - 1,
        RescaleSlope=slope, RescaleIntercept=intercept,
    )  # fmt: skip
    numbers = voxels.astype("i8") & ((1 << stored) - 1)
    numbers -= ((numbers >> (stored - 1)) << stored) if sign == "i" else 0
    image = mitk.Image(path)
    np.testing.assert_array_equal(image.array[0], numbers * (float(slope) or 1.0) + float(intercept))
    assert mitk.io.read_info(path).dtype == image.dtype
    # GDCM refuses 8 bits that are not all stored, and some of these types.
    with contextlib.suppress(RuntimeError):
        peer = sitk.GetArrayFromImage(sitk.ReadImage(str(path)))
        np.testing.assert_array_equal(image.array, peer)
        assert image.dtype == peer.dtype


@pytest.mark.parametrize(
    "syntax", ["1.2.840.10008.1.2.2", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90"]
)
def test_other_syntaxes_are_read_as_simpleitk_reads_them(tmp_path, syntax):
    voxels = np.add.outer(np.arange(8) * 9, np.arange(10) * 7).astype("u1" if ".4." in syntax else "i2")
    dicom_files.write_slice(tmp_path / "a.dcm", voxels, (0, 0, 0), syntax=syntax)
    dicom_files.write_slice(tmp_path / "b.dcm", voxels + 1, (0, 0, 2), syntax=syntax, number=2)
    peers = [sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / name)))[0] for name in ("a.dcm", "b.dcm")]
    np.testing.assert_array_equal(mitk.Image(tmp_path).array, np.stack(peers))


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.5"])
def test_colours_are_components(tmp_path, syntax):
    voxels = np.random.default_rng(0).integers(0, 255, (8, 10, 3)).astype("u1")
    dicom_files.write_slice(tmp_path / "a.dcm", voxels, (0, 0, 0), syntax=syntax)
    image = mitk.Image(tmp_path)
    assert image.components == 3
    np.testing.assert_array_equal(image.array[0], voxels)


# --- texts --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("ISO_IR 100", "Müller^Jürgen"),
        ("ISO_IR 192", "山田^太郎"),
        ("ISO_IR 144", "Иван"),
        (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎"),
        ("no such", "Doe^Jane"),
    ],
)
def test_texts_are_decoded_by_their_character_set(tmp_path, charset, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dicom_files.write_slice(
            tmp_path / "a.dcm", np.zeros((8, 10), "i2"), (0, 0, 0), SpecificCharacterSet=charset, PatientName=name
        )
    image = mitk.Image(tmp_path / "a.dcm")
    assert image.get_property("DICOM.0010.0010") == name
    image.save(tmp_path / "x.nrrd")
    assert mitk.Image(tmp_path / "x.nrrd").get_property("DICOM.0010.0010") == name


def test_elements_of_every_kind_become_texts(folder):
    """As SimpleITK shows them, numbers in decimals."""
    path = next(folder.iterdir()).rename(folder / "alone")
    for other in folder.glob("*.dcm"):
        other.unlink()
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.ReadImageInformation()
    image = mitk.Image(path)
    shown = {key for key in reader.GetMetaDataKeys() if key[4] == "|" and key[:4] != "0020" and key != "0008|0018"}
    for key in shown:
        name = f"DICOM.{key[:4].upper()}.{key[5:].upper()}"
        assert image.get_property(name) == reader.GetMetaData(key).strip(), name
    assert {"0010|0010", "0028|0010", "0028|0030"} <= shown


# --- work ---------------------------------------------------------------------------------------------------------


def counted_headers(monkeypatch):
    read, real = [], pydicom.dcmread
    monkeypatch.setattr(pydicom, "dcmread", lambda file, **options: read.append(file.name) or real(file, **options))
    return read


def test_one_slice_of_a_large_folder_is_found_without_reading_the_others(tmp_path, volume, monkeypatch):
    write_series(tmp_path, volume[:2], shuffled=False)
    for number in range(300):
        dicom_files.write_slice(
            tmp_path / f"other{number}.dcm", volume[0], (0, 0, number), number=number, series=1000 + number
        )
    read = counted_headers(monkeypatch)
    assert mitk.io.read_info(tmp_path / "100.dcm").shape == (2, 8, 10)
    assert sorted(read) == [str(tmp_path / "100.dcm"), str(tmp_path / "101.dcm")]


def test_each_header_of_a_folder_is_read_once(folder, monkeypatch):
    read = counted_headers(monkeypatch)
    mitk.io.read_info(folder)
    assert sorted(read) == sorted(str(file) for file in folder.iterdir())
