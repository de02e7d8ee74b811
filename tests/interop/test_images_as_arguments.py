"""Images of other libraries are accepted wherever an image is, and give what the same image gives."""

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.projection import Camera, axis_picture, view_image, view_picture
from mitk_rs.seeds import Seed, Seeds
from mitk_rs.viewer.mip_viewer import mip_volume
from mitk_rs.viewer.picking import PickSession

SEED, TARGET = (10, 10, 2), (10, 10, 17)
FRONTS = {"sources": [SEED], "targets": [TARGET], "lower_threshold": 50}


@pytest.fixture(scope="module")
def scan():
    # float32, so that every library keeps the voxels; nibabel and VTK keep this place.
    tube = mitk.datasets.tube()
    return mitk.Image(tube.array.astype("float32"), tube.spacing, tube.origin)


LIBRARIES = ["to_simpleitk", "to_vtk", "to_pyvista", "to_nibabel", "to_xarray"]
CALLS = {
    "fast_marching": lambda image: mitk.fast_marching(image, seeds=[SEED]).arrival_time,
    "colliding_fronts": lambda image: mitk.colliding_fronts(image, seeds1=[SEED], seeds2=[TARGET]),
    "initialize_level_set": lambda image: mitk.initialize_level_set(image, **FRONTS).level_set,
    "feature_image": mitk.feature_image,
    "evolve_level_set": lambda image: mitk.evolve_level_set(image, image, isosurface=50, iterations=3).level_set,
    "merge": lambda image: mitk.evolve_level_set(image, image, isosurface=50, iterations=3, merge=[image]).level_set,
    "segment_vessel": lambda image: mitk.segment_vessel(image, [SEED], [TARGET], 50, iterations=3).level_set,
    "histogram": lambda image: mitk.histogram(image).counts,
    "propose_lower_threshold": lambda image: mitk.propose_lower_threshold(image, [SEED]).value,
    "extract_surface": lambda image: mitk.extract_surface(image, 50).GetBounds(),
    "project": lambda image: mitk.project(image, axis="y", kind="mean"),
    "mip": mitk.mip,
    "project_all": lambda image: mitk.project_all(image)[2],
    "slide": lambda image: mitk.slide(image, thickness=3),
    "render_mip": lambda image: mitk.render_mip(image, size=(30, 30)),
    "render_spin": lambda image: next(mitk.render_spin(image, frames=2, size=30)),
    "montage": lambda image: mitk.montage(image, overlay=image, seeds=[SEED], height=60),
    "axis_picture": lambda image: axis_picture(image, overlay=[image, image]).pixels,
    "view_picture": lambda image: view_picture(image, Camera(size=20), overlay=image).pixels,
    "view_image": lambda image: view_image(image, Camera(size=20)),
    "resample": lambda image: mitk.datasets.tube().resample(like=image),
    "mip_volume": lambda image: mip_volume(image).range,
    "PickSession": lambda image: np.array(PickSession(image, name="scan").size),
    "seeds": lambda image: Seeds([Seed((0.0, 7.0, 12.0))], "LPS").indices(image),
    "space of seeds": lambda image: Seeds([Seed((0.0, 7.0, 12.0))], "LPS").to_space("index", image).seeds[0].position,
}


def plain(value):
    return np.asarray(value.array if isinstance(value, mitk.Image) else value)


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("name", CALLS)
def test_a_function_takes_images_of_other_libraries(name, library, scan):
    pytest.importorskip({"to_simpleitk": "SimpleITK"}.get(library, library.removeprefix("to_")))
    expected, found = CALLS[name](scan), CALLS[name](getattr(scan, library)())
    np.testing.assert_array_equal(plain(found), plain(expected))
    if isinstance(expected, mitk.Image):
        assert isinstance(found, mitk.Image)
        np.testing.assert_allclose(found.affine(), expected.affine(), atol=1e-5)


ITK = """
import itk
itk.imread  # ITK's own modules are loaded before those of other libraries
import runpy, sys
tests = runpy.run_path(sys.argv[1])
scan = tests["scan"].__wrapped__()
peer = scan.to_itk()
for name, call in tests["CALLS"].items():
    tests["np"].testing.assert_array_equal(tests["plain"](call(peer)), tests["plain"](call(scan)), err_msg=name)
print(len(tests["CALLS"]))
"""


def test_functions_take_images_of_itk():
    """In a process of its own: ITK and VTK do not bear each other in every order of loading."""
    pytest.importorskip("itk")
    done = subprocess.run([sys.executable, "-c", ITK, Path(__file__)], capture_output=True, text=True, timeout=280)
    assert done.stdout == f"{len(CALLS)}\n", done.stderr[-2000:]


def test_every_public_function_of_images_is_among_them():
    """What is not: functions of files, surfaces, seeds and properties."""
    others = {
        "batch", "find_indexed_properties", "get_loaded_modules", "get_num_threads", "make_pixel_type",
        "property_from_dict", "read_image", "read_info", "read_seeds", "read_surface", "set_num_threads",
        "smooth_surface", "write_image", "write_seeds", "write_surface",
    }  # fmt: skip
    functions = {name for name in mitk.__all__ if inspect.isroutine(getattr(mitk, name))}
    assert functions - others <= set(CALLS)


@pytest.mark.parametrize("library", LIBRARIES)
def test_files_are_written_from_them(library, scan, tmp_path):
    mitk.write_image(getattr(scan, library)(), tmp_path / "a.mha")
    mitk.IOUtil.save(getattr(scan, library)(), tmp_path / "b.mha")
    for name in "ab":
        assert mitk.Image(tmp_path / f"{name}.mha").equals(scan)
