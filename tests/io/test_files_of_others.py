"""Files as other programs write them: orientations, encodings, scaled numbers, time points of MITK."""

import gzip
import struct

import nibabel
import numpy as np
import pytest
import SimpleITK
import tifffile
from PIL import Image as Picture

import mitk_rs as mitk
from mitk_rs.io import read_image

ARRAY = np.arange(60, dtype="i2").reshape(3, 4, 5)
PLACE = "space directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (10,20,30)\n"


def write_nrrd(path, *, space="space: left-posterior-superior", encoding="raw", order="little", more="", array=ARRAY):
    numbers = array.astype("<i2" if order == "little" else ">i2")
    data = {
        "raw": numbers.tobytes(),
        "hex": numbers.tobytes().hex().encode(),
        "ascii": " ".join(map(str, array.ravel())).encode() + b"\n",
    }[encoding]
    header = (
        f"NRRD0004\ntype: short\ndimension: 3\n{space}\nsizes: 5 4 3\n{PLACE}kinds: domain domain domain\n"
        f"endian: {order}\nencoding: {encoding}\n{more}\n"
    )
    path.write_bytes(header.encode() + data)


@pytest.mark.parametrize(
    ("space", "signs"),
    [
        ("space: left-posterior-superior", (1, 1, 1)),
        ("space: LPS", (1, 1, 1)),
        ("space: right-anterior-superior", (-1, -1, 1)),
        ("space: left-anterior-superior", (1, -1, 1)),
        ("space: LAS", (1, -1, 1)),
        ("space: scanner-xyz", (1, 1, 1)),
        ("space dimension: 3", (1, 1, 1)),
    ],
)
def test_named_spaces_of_nrrd_become_lps(space, signs, tmp_path):
    write_nrrd(tmp_path / "image.nrrd", space=space)
    image = read_image(tmp_path / "image.nrrd")
    assert image.spacing == (1, 2, 3)
    assert image.origin == tuple(np.multiply((10, 20, 30), signs))
    assert np.array_equal(image.direction, np.diag(signs))
    assert np.array_equal(image.array, ARRAY)


@pytest.mark.parametrize("order", ["little", "big"])
@pytest.mark.parametrize("encoding", ["raw", "hex", "ascii"])
def test_encodings_of_nrrd_give_the_same_numbers(encoding, order, tmp_path):
    write_nrrd(tmp_path / "image.nrrd", encoding=encoding, order=order)
    assert np.array_equal(read_image(tmp_path / "image.nrrd").array, ARRAY)


@pytest.mark.parametrize(
    ("axis", "kind"), [(0, "RGB-color"), (0, "3-color"), (0, "vector"), (0, "list"), (3, "list"), (3, "vector")]
)
def test_the_component_axis_of_nrrd_may_come_first_or_last(axis, kind, tmp_path):
    voxels = np.arange(180, dtype="<i2").reshape(3, 4, 5, 3)
    stored = np.moveaxis(voxels, -1, 0) if axis == 3 else voxels
    sizes, kinds = ["5", "4", "3"], ["domain"] * 3
    directions = ["(1,0,0)", "(0,2,0)", "(0,0,3)"]
    for names, one in ((sizes, "3"), (kinds, kind), (directions, "none")):
        names.insert(axis, one)
    header = (
        f"NRRD0004\ntype: short\ndimension: 4\nspace: LPS\nsizes: {' '.join(sizes)}\nkinds: {' '.join(kinds)}\n"
        f"space directions: {' '.join(directions)}\nendian: little\nencoding: raw\nspace origin: (0,0,0)\n\n"
    )
    (tmp_path / "image.nrrd").write_bytes(header.encode() + np.ascontiguousarray(stored).tobytes())
    image = read_image(tmp_path / "image.nrrd")
    assert image.components == 3
    assert image.spacing == (1, 2, 3)
    assert np.array_equal(image.array, voxels)


def entries(kind: str, points: str, name: str = "org_mitk_timegeometry_{}") -> str:
    return f"{name.format('type')}:={kind}\n{name.format('timepoints')}:={points}\n"


@pytest.mark.parametrize("name", ["org_mitk_timegeometry_{}", "org.mitk.timegeometry.{}"])
def test_time_points_of_mitk_are_read(name, tmp_path):
    write_nrrd(tmp_path / "image.nrrd", more=entries("ArbitraryTimeGeometry", "0.5 1.23457e+06", name))
    times = read_image(tmp_path / "image.nrrd").time_geometry
    assert type(times) is mitk.ArbitraryTimeGeometry
    assert times.time_points == (0.5, 1234570.0)


@pytest.mark.parametrize(("kind", "points"), [("ArbitraryTimeGeometry", "0 1 2"), ("StrangeTimeGeometry", "0 1")])
def test_time_points_that_do_not_fit_are_logged_and_ignored(kind, points, tmp_path, caplog):
    write_nrrd(tmp_path / "image.nrrd", more=entries(kind, points))
    assert read_image(tmp_path / "image.nrrd").time_geometry.is_static
    assert "time geometry in the header ignored" in caplog.text


def test_time_points_that_decrease_are_an_error_of_the_file(tmp_path):
    write_nrrd(tmp_path / "image.nrrd", more=entries("ArbitraryTimeGeometry", "2 1"))
    with pytest.raises(mitk.FileError, match=r"image\.nrrd.*time points must not decrease"):
        read_image(tmp_path / "image.nrrd")


Q_FORM = np.array([[0, -2, 0, 5], [3.0, 0, 0, -7], [0, 0, 4, 9], [0, 0, 0, 1]])
S_FORM = np.array([[-2, 0, 0, 1], [0, 2, 0, 2], [0, 0, 2.0, 3], [0, 0, 0, 1]])


@pytest.mark.parametrize("codes", [(1, 0), (0, 1), (0, 0), (1, 1), (1, 2), (2, 1), (4, 1)])
def test_the_transform_of_a_nifti_is_the_one_itk_takes(codes, tmp_path):
    image = nibabel.Nifti1Image(ARRAY.T, None)
    image.set_qform(Q_FORM, codes[0])
    image.set_sform(S_FORM, codes[1])
    nibabel.save(image, tmp_path / "image.nii")
    back, seen = read_image(tmp_path / "image.nii"), SimpleITK.ReadImage(str(tmp_path / "image.nii"))
    assert back.spacing == pytest.approx(seen.GetSpacing(), rel=1e-6)
    assert back.origin == pytest.approx(seen.GetOrigin(), rel=1e-6)
    assert np.allclose(back.direction.ravel(), seen.GetDirection(), atol=1e-6)


def test_of_a_scanners_q_form_and_an_aligned_s_form_the_q_form_counts(tmp_path):
    image = nibabel.Nifti1Image(ARRAY.T, None)
    image.set_qform(Q_FORM, 1)
    image.set_sform(S_FORM, 2)
    nibabel.save(image, tmp_path / "image.nii")
    assert np.allclose(read_image(tmp_path / "image.nii").affine("RAS"), Q_FORM, atol=1e-5)


def test_a_sheared_nifti_is_refused(tmp_path):
    shear = np.array([[1, 0.3, 0, 5], [0, 1, 0, -7], [0, 0, 4.0, 9], [0, 0, 0, 1]])
    image = nibabel.Nifti1Image(ARRAY.T, None)
    image.set_sform(shear, 1)
    nibabel.save(image, tmp_path / "image.nii")
    with pytest.raises(mitk.FileError, match="orthonormal"):
        read_image(tmp_path / "image.nii")


def test_scaled_numbers_of_a_nifti_are_rescaled(tmp_path):
    image = nibabel.Nifti1Image(ARRAY.T, np.diag([2.0, 3, 4, 1]))
    image.header.set_slope_inter(2.5, -10)
    nibabel.save(image, tmp_path / "image.nii")
    back = read_image(tmp_path / "image.nii")
    assert back.dtype.kind == "f"
    assert np.allclose(back.array, np.asarray(nibabel.load(tmp_path / "image.nii").dataobj).T)


def test_spacing_of_a_nifti_in_micrometres_is_in_millimetres(tmp_path):
    image = nibabel.Nifti1Image(ARRAY.T, np.diag([2000.0, 3000, 4000, 1]))
    image.header.set_xyzt_units("micron")
    nibabel.save(image, tmp_path / "image.nii")
    assert read_image(tmp_path / "image.nii").spacing == pytest.approx((2, 3, 4))


def test_colours_of_a_nifti_are_components(tmp_path):
    colours = np.zeros((5, 4, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["R"], colours["B"] = 7, 9
    nibabel.save(nibabel.Nifti1Image(colours, np.eye(4)), tmp_path / "image.nii")
    back = read_image(tmp_path / "image.nii")
    assert back.shape == (3, 4, 5, 3)
    assert back.array.reshape(-1, 3)[0].tolist() == [7, 0, 9]


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz", ".img"])
def test_numbers_that_are_not_finite_survive_in_files_of_nibabel(suffix, order, tmp_path):
    array = ARRAY.astype("f8")
    array.ravel()[[0, 5, 59]] = np.nan, np.inf, -np.inf
    kind = nibabel.Nifti1Pair if suffix == ".img" else nibabel.Nifti1Image
    header = kind.header_class(endianness=order)
    header.set_data_dtype(f"{order}f8")
    nibabel.save(kind(array.T, np.eye(4), header), tmp_path / f"image{suffix}")
    assert np.array_equal(read_image(tmp_path / f"image{suffix}").array, array, equal_nan=True)


# --- NIfTI against ITK -------------------------------------------------------------------------------------------


def random_nifti(random):
    """A header with q-form and s-form of any kind, as different programs leave them."""
    header = nibabel.Nifti1Header()
    header.set_data_shape((5, 4, 3))
    header.set_data_dtype("i2")
    rotation = Rotations(random)
    zooms = random.uniform(0.2, 3, 3)
    affine = np.eye(4)
    affine[:3, :3] = rotation * zooms * (-1 if random.random() < 0.3 else 1)
    affine[:3, 3] = random.uniform(-100, 100, 3)
    header.set_qform(affine, int(random.integers(0, 5)))
    kind = random.integers(4)
    if kind == 1:
        affine[:3, 3] += 5
    elif kind == 2:
        affine[:3, :3] = Rotations(random) * zooms
    elif kind == 3:
        affine[0, 1] += 0.5
    header.set_sform(affine, int(random.integers(0, 5)))
    header["pixdim"][1:4] = zooms
    header["xyzt_units"] = random.choice([0, 1, 2, 3, 10])
    header["scl_slope"], header["scl_inter"] = 1, 0
    header["vox_offset"] = 352
    return header


def Rotations(random):  # noqa: N802
    q, _ = np.linalg.qr(random.normal(size=(3, 3)))
    return q * np.sign(np.linalg.det(q))


@pytest.mark.parametrize("seed", range(80))
def test_a_nifti_is_where_itk_says(seed, tmp_path):
    """Within single precision: of two nearly equal transforms either may be taken. What ITK refuses is refused."""
    path = tmp_path / "image.nii"
    with path.open("wb") as file:
        random_nifti(np.random.default_rng(seed)).write_to(file)
        file.write(bytes(4) + ARRAY.tobytes())
    try:
        peer = SimpleITK.ReadImage(str(path), imageIO="NiftiImageIO")
    except RuntimeError:
        with pytest.raises(mitk.FileError, match=r"(sheared|spacing must be)"):
            read_image(path)
        return
    image = read_image(path)
    assert np.array_equal(image.array, SimpleITK.GetArrayViewFromImage(peer))
    assert np.allclose(image.spacing, peer.GetSpacing(), rtol=1e-15)
    assert np.allclose(image.origin, peer.GetOrigin(), rtol=1e-7)
    assert np.allclose(image.direction.ravel(), peer.GetDirection(), atol=2e-7)


@pytest.mark.parametrize("kind", ["u1", "i2", "u4", "f4", "f8"])
@pytest.mark.parametrize(("slope", "intercept"), [(2.5, -10.0), (0.0, 0.0), (1.0, 0.5), (1e-3, 0.0), (0.0, 7.0)])
def test_scaled_voxels_are_itks_in_every_bit(kind, slope, intercept, tmp_path):
    path = tmp_path / "image.nii.gz"
    array = (np.arange(60) * 997 % 251).astype(kind).reshape(5, 4, 3)
    image = nibabel.Nifti1Image(array, np.eye(4))
    nibabel.save(image, path)
    content = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<ff", content, 112, slope, intercept)
    path.write_bytes(gzip.compress(bytes(content)))
    peer = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    back = read_image(path)
    assert back.dtype == peer.dtype
    assert back.array.tobytes() == peer.tobytes()


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_nifti_2_is_read(suffix, order, tmp_path):
    header = nibabel.Nifti2Header(endianness=order)
    header.set_data_dtype(f"{order}i2")
    nibabel.save(nibabel.Nifti2Image(ARRAY.T, Q_FORM, header), tmp_path / f"image{suffix}")
    image = read_image(tmp_path / f"image{suffix}")
    assert np.array_equal(image.array, ARRAY)
    assert np.allclose(image.affine("RAS"), Q_FORM, atol=1e-6)
    assert mitk.IOUtil.readers(tmp_path / f"image{suffix}")[0] == "nibabel NIfTI"


def test_a_pair_of_nifti_2_and_one_of_analyze_are_read(tmp_path):
    nibabel.save(nibabel.Nifti2Pair(ARRAY.T, Q_FORM), tmp_path / "two.img")
    assert np.allclose(read_image(tmp_path / "two.hdr").affine("RAS"), Q_FORM, atol=1e-6)
    nibabel.save(nibabel.AnalyzeImage(ARRAY.T, np.diag([2, 3, 4, 1.0])), tmp_path / "old.img")
    image, peer = read_image(tmp_path / "old.hdr"), SimpleITK.ReadImage(str(tmp_path / "old.hdr"))
    assert np.array_equal(image.array, ARRAY)
    assert image.spacing == peer.GetSpacing() == (2, 3, 4)
    assert (image.origin, tuple(image.direction.ravel())) == (peer.GetOrigin(), peer.GetDirection())


def test_itk_can_be_asked_for_instead(tmp_path):
    path = tmp_path / "image.nii"
    nibabel.save(nibabel.Nifti1Image(ARRAY.T, Q_FORM), path)
    assert mitk.IOUtil.readers(path) == ["nibabel NIfTI", "ITK NiftiImageIO"]
    (image,) = mitk.IOUtil.load(path, reader_preferences=["ITK NiftiImageIO"])
    assert image.get_property("ITK.InputFilterName") == "NiftiImageIO"
    assert np.array_equal(image.array, ARRAY)


# --- TIFF ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("packing", ["none", "tiff_lzw", "packbits", "tiff_deflate", "jpeg", "group4"])
def test_tiff_files_of_pillow_are_read(packing, tmp_path):
    grey = np.add.outer(np.arange(20) * 9, np.arange(24) * 3).astype("u1")
    if packing == "group4":
        grey = np.where(grey > 100, 255, 0).astype("u1")
    picture = Picture.fromarray(grey)
    picture = picture.convert("1") if packing == "group4" else picture
    picture.save(tmp_path / "image.tif", compression=None if packing == "none" else packing, dpi=(254, 127))
    image = read_image(tmp_path / "image.tif")
    with Picture.open(tmp_path / "image.tif") as seen:
        assert np.array_equal(image.array, np.asarray(seen.convert("L")))
    assert image.spacing == pytest.approx((0.1, 0.2, 1))
    assert mitk.io.read_info(tmp_path / "image.tif").shape == (20, 24)


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("tile", [None, (16, 16)])
@pytest.mark.parametrize("predictor", [False, True])
def test_tiff_files_of_tifffile_are_read(planar, tile, predictor, tmp_path):
    voxels = np.random.default_rng(1).integers(0, 60000, (2, 20, 40, 3)).astype("u2")
    stored = voxels if planar == "contig" else np.moveaxis(voxels, -1, 1)
    tifffile.imwrite(
        tmp_path / "image.tif", stored, photometric="rgb", planarconfig=planar, tile=tile, byteorder=">",
        compression="zlib", predictor=predictor if not predictor or planar == "contig" else None,
    )  # fmt: skip
    assert np.array_equal(read_image(tmp_path / "image.tif").array, voxels)


def test_a_palette_becomes_colours(tmp_path):
    colours = np.random.default_rng(0).integers(0, 255, (20, 24, 3)).astype("u1")
    picture = Picture.fromarray(colours).quantize(16)
    picture.save(tmp_path / "image.tif")
    assert np.array_equal(read_image(tmp_path / "image.tif").array, np.asarray(picture.convert("RGB")))


def test_pages_of_different_sizes_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "image.tif") as file:
        file.write(np.zeros((20, 24), "u1"))
        file.write(np.zeros((10, 24), "u1"))
    with pytest.raises(mitk.FileError, match="its pages have different sizes, types or colours"):
        read_image(tmp_path / "image.tif")


# --- MetaImage ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("place", ["local", "detached", "list", "at the end", "text"])
def test_every_place_of_meta_images_voxels_is_read(place, order, tmp_path):
    """As SimpleITK reads them."""
    data = ARRAY.astype(f"{order}i2")
    lines = {
        "NDims": "3", "DimSize": "5 4 3", "ElementType": "MET_SHORT", "ElementSpacing": "1 2 3", "Offset": "4 5 6",
        "BinaryData": str(place != "text"), "BinaryDataByteOrderMSB": str(order == ">"), "HeaderSize": "0",
    }  # fmt: skip
    content = data.tobytes()
    if place == "text":
        content = " ".join(map(str, ARRAY.ravel())).encode() + b"\n"
    elif place == "at the end":
        content, lines["HeaderSize"] = b"something else" + content, "-1"
    elif place == "detached":
        content, lines["HeaderSize"] = b"head" + content, "4"
    header = "ObjectType = Image\n" + "".join(f"{name} = {value}\n" for name, value in lines.items())
    path = tmp_path / "image.mhd"
    if place == "list":
        header += "ElementDataFile = LIST\n" + "".join(f"{z}.raw\n" for z in range(3))
        for z in range(3):
            (tmp_path / f"{z}.raw").write_bytes(data[z].tobytes())
        path.write_text(header)
    elif place in ("detached", "at the end"):
        path.write_text(header + "ElementDataFile = data with blank.raw\n")
        (tmp_path / "data with blank.raw").write_bytes(content)
    else:
        path.write_bytes((header + "ElementDataFile = LOCAL\n").encode() + content)
    image, peer = read_image(path), SimpleITK.ReadImage(str(path))
    assert np.array_equal(image.array, ARRAY)
    # ITK also swaps the bytes of numbers that were written as text.
    assert place == "text" or np.array_equal(image.array, SimpleITK.GetArrayViewFromImage(peer))
    assert (image.spacing, image.origin) == (peer.GetSpacing(), peer.GetOrigin())


@pytest.mark.parametrize("name", ["TransformMatrix", "Rotation", "Orientation"])
@pytest.mark.parametrize("place", ["Offset", "Position", "Origin"])
def test_other_names_of_meta_fields_mean_what_they_mean_in_itk(name, place, tmp_path):
    path = tmp_path / "image.mha"
    path.write_bytes(
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\n{name} = 0 1 0 -1 0 0 0 0 1\n{place} = 4 5 6\n"
        "ElementSize = 1 2 3\nDimSize = 5 4 3\nElementType = MET_SHORT\nElementDataFile = LOCAL\n".encode()
        + ARRAY.tobytes()
    )
    image, peer = read_image(path), SimpleITK.ReadImage(str(path))
    assert (image.spacing, image.origin) == (peer.GetSpacing(), peer.GetOrigin())
    assert tuple(image.direction.ravel()) == peer.GetDirection()


def test_long_texts_survive_a_meta_image(tmp_path):
    """MetaIO cannot read a header in which a text is longer than 32767 letters."""
    image = mitk.Image(ARRAY)
    for name in ("a.long", "b.long", "c.long"):
        image.set_property(name, name[0] * 15_000)
    image.set_property("k" * 3000 + ".a", "x")
    image.save(tmp_path / "image.mha")
    back = read_image(tmp_path / "image.mha")
    assert {name: back.get_property(name) for name in image.property_keys} == {
        name: image.get_property(name) for name in image.property_keys
    }
    assert SimpleITK.ReadImage(str(tmp_path / "image.mha")).GetSize() == (5, 4, 3)


def test_what_a_meta_image_cannot_hold_is_refused_or_reported_as_lost(tmp_path, caplog):
    image = mitk.Image(np.zeros((5000, 1, 1, 1), "u1"))
    image.set_property("too.long", "x" * 40_000)
    image.save(tmp_path / "image.mha")
    assert "MetaImage does not keep property too.long" in caplog.text
    image.time_geometry = mitk.ProportionalTimeGeometry(0.1, 1 / 3, 5000)
    with pytest.raises(mitk.FileWriteError, match=r"cannot hold the time points of 5000 time steps.*\.nrrd can"):
        image.save(tmp_path / "image.mha")
    image.save(tmp_path / "image.nrrd")
    back = read_image(tmp_path / "image.nrrd")
    assert back.time_geometry.time_points == image.time_geometry.time_points
    assert len(back.get_property("too.long")) == 40_000
