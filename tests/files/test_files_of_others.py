"""Files as other programs write them: orientations, encodings, scaled numbers, time points of MITK."""

import nibabel
import numpy as np
import pytest
import SimpleITK

import mitk_rs as mitk
from mitk_rs.io import read_image

ARRAY = np.arange(60, dtype="i2").reshape(3, 4, 5)
PLACE = "space directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (10,20,30)\n"


def write_nrrd(path, *, space="space: left-posterior-superior", encoding="raw", order="little", more="", array=ARRAY):
    numbers = array.astype("<i2" if order == "little" else ">i2")
    data = {
        "raw": numbers.tobytes(),
        "hex": numbers.tobytes().hex().encode(),
        "ascii": " ".join(map(str, array.ravel())).encode(),
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
