"""info, convert, crop and surface; and the geometry of level sets in every format."""

import json
from fractions import Fraction

import numpy as np
import pytest
import SimpleITK
from vtkmodules.util.numpy_support import vtk_to_numpy
from vtkmodules.vtkIOXML import vtkXMLImageDataReader

import mitk_rs
import mitk_rs as mitk
from mitk_rs.cli.convert import cast

# Oblique, anisotropic, off the origin.
SPACING, ORIGIN = (0.7, 0.9, 1.3), (-81.5, 42.25, 730.125)
ANGLES = (0.3, -0.2, 0.5)


def direction():
    turn = SimpleITK.Euler3DTransform((0, 0, 0), *ANGLES)
    return turn.GetMatrix()


@pytest.fixture
def oblique(tmp_path):
    """``oblique.mha``: a bright rod in a dark box."""
    voxels = np.zeros((8, 9, 12), np.int16)
    voxels[2:6, 3:6, 1:11] = 100
    image = SimpleITK.GetImageFromArray(voxels)
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    image.SetDirection(direction())
    SimpleITK.WriteImage(image, str(tmp_path / "oblique.mha"))
    return tmp_path / "oblique.mha"


def geometry(path):
    """Spacing, origin and direction as the format's own library sees them."""
    if path.suffix == ".vti":
        reader = vtkXMLImageDataReader()
        reader.SetFileName(str(path))
        reader.Update()
        image = reader.GetOutput()
        matrix = [image.GetDirectionMatrix().GetElement(i, j) for i in range(3) for j in range(3)]
        return (*image.GetSpacing(), *image.GetOrigin(), *matrix)
    image = SimpleITK.ReadImage(str(path))
    return (*image.GetSpacing(), *image.GetOrigin(), *image.GetDirection())


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz", ".vti"])
def test_level_sets_lie_where_their_image_lies(succeed, oblique, suffix):
    """From each format to each: the input is converted first, the level set is written in its format and in .mha."""
    here = oblique.parent
    scan = "oblique.mha" if suffix == ".mha" else f"scan{suffix}"
    if suffix != ".mha":
        succeed(f"convert oblique.mha {scan}")
    words = f"init {scan} --lower 50 --source 1 4 4 --target 10 4 4"
    succeed(f"{words} -o level{suffix} --surface level.vtp")
    # NIfTI keeps its transform in float32: 1e-6 of the numbers at hand.
    tolerance = 1e-6 * 1000 if ".nii" in suffix else 1e-6
    expected = (*SPACING, *ORIGIN, *direction())
    assert np.abs(np.subtract(geometry(here / f"level{suffix}"), expected)).max() < tolerance
    level_set = mitk.Image(here / f"level{suffix}")
    assert np.count_nonzero(level_set.array < 0) > 50
    assert points_on_the_surface(here / "level.vtp", level_set) > 100


def points_on_the_surface(path, level_set):
    """Map the surface back into the image: every point lies on an edge between voxels of different sign."""
    from vtkmodules.vtkIOXML import vtkXMLPolyDataReader

    reader = vtkXMLPolyDataReader()
    reader.SetFileName(str(path))
    reader.Update()
    points = vtk_to_numpy(reader.GetOutput().GetPoints().GetData()).astype(float)
    index = np.asarray(level_set.world_to_index(points))
    values = level_set.array.astype(float)
    for point in index:
        low = np.floor(point + 1e-3).astype(int)
        axis = int(np.argmax(np.abs(point - np.rint(point))))
        high = low.copy()
        high[axis] += 1
        on_axes = np.delete(np.abs(point - np.rint(point)), axis)
        assert on_axes.max() < 1e-3
        one, other = values[tuple(low[::-1])], values[tuple(np.minimum(high, np.array(values.shape[::-1]) - 1)[::-1])]
        if one != other:
            assert abs((point[axis] - low[axis]) - one / (one - other)) < 1e-3
    return len(points)


def test_info_as_text(succeed, oblique):
    assert succeed("info oblique.mha") == (
        "file:        oblique.mha\n"
        "reader:      ITK MetaImageIO\n"
        "size:        12 x 9 x 8\n"
        "spacing:     0.7 0.9 1.3 mm\n"
        "origin:      -81.5 42.25 730.125 mm (LPS)\n"
        f"direction:   {rows(direction())}\n"
        "pixel type:  int16\n"
        "components:  1\n"
        "time steps:  1\n"
        "memory:      1.73 kB\n"
    )


def rows(matrix):
    return "; ".join(" ".join(f"{value:.10g}" for value in matrix[i : i + 3]) for i in (0, 3, 6))


def test_info_as_json(succeed, oblique):
    facts = json.loads(succeed("info oblique.mha --json --statistics"))
    assert facts["size"] == [12, 9, 8]
    assert facts["spacing"] == list(SPACING)
    assert facts["origin"] == list(ORIGIN)
    assert np.ravel(facts["direction"]) == pytest.approx(direction(), abs=1e-12)
    assert facts["statistics"] == {"minimum": 0, "maximum": 100, "mean": 100 * 120 / 864, "not_finite": 0}
    assert facts["memory_bytes"] == 864 * 2


def test_convert_keeps_voxels_and_geometry(succeed, oblique, voxels):
    succeed("convert oblique.mha y.nrrd --pixel-type float32")
    assert voxels("y.nrrd").dtype == np.float32
    assert (voxels("y.nrrd") == voxels("oblique.mha")).all()
    assert geometry(oblique.parent / "y.nrrd") == pytest.approx(geometry(oblique), abs=1e-9)


LINES = [
    "convert study.nrrd y.nrrd",
    "convert study.nrrd y.nrrd --pixel-type float32",
    "convert study.nrrd y.nrrd --time-step 1",
    "convert study.nrrd y.mha --time-step 1 --pixel-type uint8 --round",
    "crop study.nrrd y.nrrd --index 1 2 0 2 0 1",
    "crop study.nrrd y.mha --box 0 2 0 2 0 1",
]


@pytest.mark.parametrize("line", LINES)
def test_patient_and_study_survive(succeed, tmp_path, line):
    study = mitk.Image(np.arange(240, dtype=np.int16).reshape(2, 4, 5, 6))
    study.set_property("DICOM.0010.0010", "Doe^Jane")
    study.set_property("modality", "CT")
    study.set_property("weight", 1.5)
    study.save(tmp_path / "study.nrrd")
    succeed(line)
    converted = mitk.Image(tmp_path / line.split()[2])
    kept = {name: converted.get_property(name) for name in ("DICOM.0010.0010", "modality", "weight")}
    assert kept == {name: study.get_property(name) for name in kept}


def test_convert_rounds_only_when_asked(succeed, tmp_path, voxels):
    values = np.array([[[-3.0, 0.5, 1.5, 2.4, 300.0]]], np.float32)
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values), str(tmp_path / "x.mha"))
    succeed("convert x.mha y.mha --pixel-type uint8 --round")
    assert voxels("y.mha").ravel().tolist() == [0, 0, 2, 2, 255]


KINDS = ("i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8")
INTEGERS = [np.iinfo(kind) for kind in KINDS[:-2]]
LANDMARKS = sorted({edge + step for one in INTEGERS for edge in (one.min, one.max) for step in (-1, 0, 1)} | {7, 255})


def values_of(kind):
    """Numbers of a pixel type at the ends of all pixel types, and beyond."""
    kind = np.dtype(kind)
    if kind.kind == "f":
        return np.array([*map(float, LANDMARKS), -0.5, 0.5, 1.5, 254.75, 1e30, -1e30], kind)
    return np.array([value for value in LANDMARKS if np.iinfo(kind).min <= value <= np.iinfo(kind).max], kind)


@pytest.mark.parametrize("wanted", KINDS)
@pytest.mark.parametrize("stored", KINDS)
def test_no_voxel_takes_a_value_that_its_new_type_does_not_hold(stored, wanted):
    """Against the arithmetic of Python, whose numbers have no ends; casts of NumPy wrap or saturate."""
    for value in values_of(stored):
        image, exact = mitk.Image(np.full((1, 1, 1), value)), Fraction(value.item())
        if wanted[0] == "f":
            nearest = np.array([value.item()], float).astype(wanted)[0]
            fits, rounded = Fraction(float(nearest)) == exact, None
        else:
            ends = np.iinfo(wanted)
            fits = exact.denominator == 1 and ends.min <= exact <= ends.max
            rounded = max(ends.min, min(ends.max, round(exact)))
        if fits:
            assert Fraction(cast(image, wanted, rounded=False).array.item()) == exact
        else:
            with pytest.raises(mitk.RequestError, match="cannot hold every value"):
                cast(image, wanted, rounded=False)
        if rounded is not None:
            assert cast(image, wanted, rounded=True).array.item() == rounded


def test_what_is_not_finite_is_refused_or_rounded():
    image = mitk.Image(np.array([[[np.nan, np.inf, -np.inf]]], np.float32))
    assert cast(image, "int32", rounded=True).array.ravel().tolist() == [0, 2**31 - 1, -(2**31)]
    assert np.array_equal(cast(image, "float64", rounded=False).array, image.array, equal_nan=True)
    with pytest.raises(mitk.RequestError, match="cannot hold every value"):
        cast(image, "int64", rounded=False)


def test_negative_values_are_refused_for_unsigned_types(fail, tmp_path):
    mitk.Image(np.array([[[-1024, 7]]], np.int16)).save(tmp_path / "x.mha")
    message = (
        "mitk-rs convert: error: x.mha: uint16 cannot hold every value of the image; --round rounds and clips them"
    )
    fail(4, message, "convert x.mha y.mha --pixel-type uint16")


def test_convert_takes_one_frame(succeed, oblique, voxels):
    image = SimpleITK.ReadImage(str(oblique))
    SimpleITK.WriteImage(SimpleITK.JoinSeries([image, image + 7]), str(oblique.parent / "series.nrrd"))
    succeed("convert series.nrrd y.mha --time-step 1")
    assert (voxels("y.mha") == voxels("oblique.mha") + 7).all()


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".vti", ".nii.gz"])
def test_crop_by_index_leaves_voxels_in_place(succeed, oblique, suffix):
    succeed(f"crop oblique.mha y{suffix} --index 2 9 1 5 3 7")
    whole, part = mitk.Image(oblique), mitk.Image(oblique.parent / f"y{suffix}")
    assert (part.array == whole.array[3:8, 1:6, 2:10]).all()
    assert np.asarray(part.index_to_world((0, 0, 0))) == pytest.approx(
        np.asarray(whole.index_to_world((2, 1, 3))), abs=1e-4
    )


def test_crop_bounds_are_those_of_the_image(succeed, oblique, tmp_path):
    succeed("crop oblique.mha a.mha --start 2 1 3 --stop 10 6 8")
    succeed("crop oblique.mha b.mha --index 2 9 1 5 3 7")
    wanted = mitk_rs.Image(tmp_path / "oblique.mha").crop((2, 1, 3), (10, 6, 8))
    for name in ("a.mha", "b.mha"):
        part = mitk_rs.Image(tmp_path / name)
        assert np.array_equal(part.array, wanted.array)
        assert (part.origin, part.spacing) == (wanted.origin, wanted.spacing)


def test_crop_by_millimetres_keeps_the_voxels_within(succeed, tube, voxels):
    # Voxel (i, j, k) lies at (-3 + i / 2, 2 + j / 2, 7 + k) mm.
    report = json.loads(succeed("crop tube.mha y.mha --box -2 1.2 3.9 6 8 10 --json"))
    assert report["index"] == [2, 8, 4, 8, 1, 3]
    assert report["outputs"] == [{"path": "y.mha", "kind": "image", "size": [7, 5, 3], "origin": [-2.0, 4.0, 8.0]}]
    assert (voxels("y.mha") == voxels("tube.mha")[1:4, 4:9, 2:9]).all()


def test_crop_of_an_oblique_image_holds_the_box(succeed, oblique):
    whole = mitk.Image(oblique)
    corners = [whole.index_to_world(index) for index in ((4, 3, 2), (6, 5, 4))]
    bounds = [value for pair in zip(*np.sort(np.asarray(corners), axis=0), strict=True) for value in pair]
    report = json.loads(succeed("crop", "oblique.mha", "y.mha", "--box", *map(repr, map(float, bounds)), "--json"))
    centres = np.asarray(whole.index_to_world(np.argwhere(np.ones((12, 9, 8)))))
    within = np.all((centres >= np.array(bounds[::2]) - 1e-9) & (centres <= np.array(bounds[1::2]) + 1e-9), axis=1)
    index = np.argwhere(np.ones((12, 9, 8)))[within]
    low, high = report["index"][::2], report["index"][1::2]
    assert ((index >= low) & (index <= high)).all()
    assert len(index) > 0


def test_crop_of_a_series_keeps_every_frame(succeed, oblique):
    image = SimpleITK.ReadImage(str(oblique))
    SimpleITK.WriteImage(SimpleITK.JoinSeries([image, image + 7, image]), str(oblique.parent / "series.nrrd"))
    succeed("crop series.nrrd y.nrrd --index 2 9 1 5 3 7")
    part, whole = (mitk.Image(oblique.parent / name) for name in ("y.nrrd", "series.nrrd"))
    assert (part.array == whole.array[:, 3:8, 1:6, 2:10]).all()
    assert part.get_origin(2) == pytest.approx(tuple(whole.index_to_world((2, 1, 3), 2)))


def test_surface_of_a_level_set(succeed, tube):
    report = json.loads(succeed("surface tube.mha --level 50 -o y.stl --json"))
    assert report["triangles"] > 1000
    # The tube ends at the image's border: it spans all voxel centres along z.
    assert report["bounds"][4:] == [7.0, 26.0]
    assert (tube.parent / "y.stl").stat().st_size == 84 + 50 * report["triangles"]
    assert sorted(file.name for file in tube.parent.iterdir()) == ["tube.mha", "y.stl"]
