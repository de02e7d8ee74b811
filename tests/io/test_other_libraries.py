"""Other libraries see the images that we write, and we see those that they write.

Each library is asked in its own terms: SimpleITK maps indices to points itself, nibabel has its affine, VTK its
``TransformIndexToPhysicalPoint``.
"""

from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK
from file_formats import ALL, GEOMETRIES, HOLDS, REFUSED, lies_in_plane, placed, smooth, voxels
from PIL import Image as Picture

import mitk_rs as mitk
from mitk_rs.io import read_image, write_image


def itk_affine(image: SimpleITK.Image) -> np.ndarray:
    """Index to world of the spatial axes, LPS, by SimpleITK's own arithmetic."""
    axes = min(image.GetDimension(), 3)
    rest = [0] * (image.GetDimension() - axes)
    affine = np.eye(4)
    affine[:axes, 3] = image.TransformIndexToPhysicalPoint([0] * axes + rest)[:axes]
    for axis in range(axes):
        step = [int(n == axis) for n in range(axes)]
        affine[:axes, axis] = np.subtract(image.TransformIndexToPhysicalPoint(step + rest)[:axes], affine[:axes, 3])
    return affine


ITK_SUFFIXES = [".mha", ".mhd", ".nrrd", ".nhdr", ".nii", ".nii.gz", ".hdr", ".hdr.gz"]
SHOWN = [name for name in GEOMETRIES if name != "sheared"]


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("dimension", [2, 3, 4])
@pytest.mark.parametrize("suffix", ITK_SUFFIXES)
def test_simpleitk_sees_the_same_image(suffix, dimension, name, tmp_path):
    if dimension == 2 and not lies_in_plane(GEOMETRIES[name][2]):
        name = "turned in the plane"
    image, path = placed(dimension, name), tmp_path / f"image{suffix}"
    write_image(image, path)
    seen = SimpleITK.ReadImage(str(path))
    assert np.array_equal(SimpleITK.GetArrayViewFromImage(seen), image.array)
    scale = max(np.abs(image.origin).max(), 1)
    assert np.allclose(
        itk_affine(seen), image.affine(), rtol=0, atol=(1e-13 if HOLDS[suffix].entries else 1e-6) * scale
    )


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("dimension", [2, 3, 4])
@pytest.mark.parametrize("suffix", ITK_SUFFIXES)
def test_files_of_simpleitk_are_read_as_it_reads_them(suffix, dimension, name, tmp_path):
    if dimension == 2 and not lies_in_plane(GEOMETRIES[name][2]):
        name = "turned in the plane"
    spacing, origin, direction = GEOMETRIES[name]
    axes, path = min(dimension, 3), str(tmp_path / f"image{suffix}")
    written = SimpleITK.GetImageFromArray(voxels(dimension, "i2"), isVector=False)
    whole = np.eye(dimension)
    whole[:axes, :axes] = np.asarray(direction)[:axes, :axes]
    written.SetSpacing((*spacing[:axes], 1.0)[:dimension])
    written.SetOrigin((*origin[:axes], 0.0)[:dimension])
    written.SetDirection(whole.ravel().tolist())
    SimpleITK.WriteImage(written, path)
    seen, back = SimpleITK.ReadImage(path), read_image(path)
    assert np.array_equal(back.array, SimpleITK.GetArrayViewFromImage(seen))
    assert np.allclose(back.affine(), itk_affine(seen), rtol=0, atol=1e-12 * max(np.abs(origin).max(), 1))


@pytest.mark.parametrize("components", [2, 3, 4, 6])
@pytest.mark.parametrize("dimension", [2, 3, 4])
@pytest.mark.parametrize("suffix", ITK_SUFFIXES)
def test_simpleitk_sees_the_same_components(suffix, dimension, components, tmp_path):
    image = mitk.Image(voxels(dimension, "f4", components), components=True)
    write_image(image, tmp_path / f"image{suffix}")
    seen = SimpleITK.ReadImage(str(tmp_path / f"image{suffix}"))
    assert seen.GetNumberOfComponentsPerPixel() == components
    assert np.array_equal(SimpleITK.GetArrayViewFromImage(seen), image.array)


NIFTI = [".nii", ".nii.gz", ".hdr", ".hdr.gz"]


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("dimension", [3, 4])
@pytest.mark.parametrize("suffix", NIFTI)
def test_nibabel_sees_the_same_image(suffix, dimension, name, tmp_path):
    image, path = placed(dimension, name), tmp_path / f"image{suffix}"
    write_image(image, path)
    seen = nibabel.load(path)
    assert np.array_equal(np.asarray(seen.dataobj).T, image.array)
    assert seen.get_data_dtype() == image.dtype
    assert np.allclose(seen.affine, image.affine("RAS"), rtol=0, atol=1e-6 * max(np.abs(image.origin).max(), 1))
    assert np.allclose(seen.header.get_zooms()[:3], image.spacing, rtol=1e-6)


@pytest.mark.parametrize("name", SHOWN)
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_files_of_nibabel_are_read_as_it_reads_them(suffix, name, tmp_path):
    spacing, origin, direction = GEOMETRIES[name]
    affine = mitk.Geometry3D(spacing=spacing, origin=origin, direction=direction).affine("RAS")
    array = voxels(3, "i2")
    nibabel.save(nibabel.Nifti1Image(array.T, affine), tmp_path / f"image{suffix}")
    back, seen = read_image(tmp_path / f"image{suffix}"), nibabel.load(tmp_path / f"image{suffix}")
    assert np.array_equal(back.array, array)
    assert np.allclose(back.affine("RAS"), seen.affine, rtol=0, atol=2e-6 * max(np.abs(origin).max(), 1))


@pytest.mark.parametrize("kind", ALL)
def test_nibabel_sees_the_same_types(kind, tmp_path):
    image = mitk.Image(voxels(4, kind))
    write_image(image, tmp_path / "image.nii.gz")
    seen = nibabel.load(tmp_path / "image.nii.gz")
    assert seen.get_data_dtype() == kind
    assert np.array_equal(np.asarray(seen.dataobj).T, image.array)


def vtk_read(path: Path):
    """VTK's own reader for its own formats, and the numbers it gives: voxels and index to world."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOLegacy import vtkStructuredPointsReader
    from vtkmodules.vtkIOXML import vtkXMLImageDataReader

    reader = vtkXMLImageDataReader() if path.suffix == ".vti" else vtkStructuredPointsReader()
    reader.SetFileName(str(path))
    reader.Update()
    data = reader.GetOutput()
    affine, x = np.eye(4), [0.0] * 3
    for column, index in ((3, (0, 0, 0)), (0, (1, 0, 0)), (1, (0, 1, 0)), (2, (0, 0, 1))):
        data.TransformIndexToPhysicalPoint(index, x)
        affine[:3, column] = x
    affine[:3, :3] -= affine[:3, 3:]
    return vtk_to_numpy(data.GetPointData().GetScalars()), affine


@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("suffix", [".vti", ".vtk"])
def test_vtk_sees_the_same_image(suffix, name, tmp_path):
    if name in REFUSED[HOLDS[suffix].geometry]:
        name = "awkward"
    image, path = placed(3, name), tmp_path / f"image{suffix}"
    write_image(image, path)
    array, affine = vtk_read(path)
    assert np.array_equal(array.reshape(image.shape), image.array)
    tolerance = 1e-12 if suffix == ".vti" else 1e-5
    assert np.allclose(affine, image.affine(), rtol=tolerance, atol=tolerance * max(np.abs(image.origin).max(), 1))


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("suffix", [".vti", ".vtk"])
def test_vtk_sees_the_same_types_and_components(suffix, kind, tmp_path):
    image = mitk.Image(voxels(3, kind, 4), components=True)
    write_image(image, tmp_path / f"image{suffix}")
    array, _ = vtk_read(tmp_path / f"image{suffix}")
    assert array.dtype == image.dtype
    assert np.array_equal(array.reshape(image.shape), image.array)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii"])
def test_vtk_sees_the_same_voxels_in_formats_of_itk(suffix, tmp_path):
    """Only the voxels: VTK's readers of these formats transpose or drop the direction."""
    from vtkmodules.util.numpy_support import vtk_to_numpy
    from vtkmodules.vtkIOImage import vtkMetaImageReader, vtkNIFTIImageReader, vtkNrrdReader

    reader = {".mha": vtkMetaImageReader, ".nrrd": vtkNrrdReader, ".nii": vtkNIFTIImageReader}[suffix]()
    image, path = placed(3, "aligned"), tmp_path / f"image{suffix}"
    write_image(image, path, compress=False)
    reader.SetFileName(str(path))
    reader.Update()
    data = reader.GetOutput()
    array = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(image.shape)
    # The NIfTI reader turns LPS to RAS by turning the rows of voxels around where the affine is flipped.
    flips = [axis for axis in (0, 1) if suffix == ".nii" and image.affine("RAS")[axis, axis] < 0]
    candidates = [image.array, np.flip(image.array, [2 - axis for axis in flips])]
    assert any(np.array_equal(array, candidate) for candidate in candidates)
    # VTK's NRRD reader gives the spacing of the wrong axes.
    assert suffix == ".nrrd" or np.allclose(data.GetSpacing(), image.spacing)


@pytest.mark.parametrize("components", [1, 3, 4])
@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg", ".bmp"])
def test_pillow_sees_the_same_picture(suffix, components, tmp_path):
    # Pillow divides the colours of a TIFF by its fourth component, which ITK declares as premultiplied alpha.
    if components not in HOLDS[suffix].components or (suffix, components) == (".tif", 4):
        components = 3
    image = mitk.Image(smooth(components), components=components > 1)
    write_image(image, tmp_path / f"image{suffix}")
    with Picture.open(tmp_path / f"image{suffix}") as seen:
        array = np.asarray(seen)
    assert np.abs(array.astype(int) - image.array.astype(int)).max() <= (12 if HOLDS[suffix].lossy else 0)


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("dimension", [2, 3, 4])
def test_numpy_sees_the_same_array(dimension, kind, tmp_path):
    image = mitk.Image(voxels(dimension, kind))
    write_image(image, tmp_path / "image.npy")
    assert np.array_equal(np.load(tmp_path / "image.npy"), image.array)
