"""Images of a class of the user's own, with a constructor of its own, go through every algorithm."""

import copy
import inspect
import pickle

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.projection import Camera, view_image

SPACING, ORIGIN = (0.5, 0.75, 1.25), (1.0, 2.0, 3.0)


class Scan(mitk.Image):
    """Its constructor takes something else than voxels and has no defaults."""

    def __init__(self, patient, /, *, steps):
        shape = (9, 10, 11) if steps == 1 else (steps, 9, 10, 11)
        super().__init__(np.linspace(1, 2, np.prod(shape), dtype=np.float32).reshape(shape), SPACING, ORIGIN)
        self.patient = patient


SEEDS = {"seeds": [(5, 5, 1)], "targets": [(5, 5, 7)]}
MAKERS = {
    "initialize_level_set": lambda scan: (
        mitk.initialize_level_set(
            scan, method="fastmarching", sources=[(5, 5, 1)], targets=[(5, 5, 7)], lower_threshold=0.5
        ).level_set
    ),
    "fast_marching": lambda scan: mitk.fast_marching(scan, **SEEDS).arrival_time,
    "colliding_fronts": lambda scan: mitk.colliding_fronts(scan, seeds1=[(5, 5, 1)], seeds2=[(5, 5, 7)]),
    "mip": mitk.mip,
    "project": lambda scan: mitk.project(scan, kind="mean"),
    "project_all": lambda scan: mitk.project_all(scan)[0],
    "slide": lambda scan: mitk.slide(scan, thickness=3),
    "view_image": lambda scan: view_image(scan, Camera(azimuth=30, size=(20, 20))),
    "crop": lambda scan: scan.crop((1, 1, 1), (5, 5, 5)),
    "snapshot": Scan.snapshot,
    "copy": Scan.copy,
    "copy.copy": copy.copy,
    "pickle": lambda scan: pickle.loads(pickle.dumps(scan)),
}


@pytest.mark.parametrize("name", MAKERS)
def test_results_are_of_the_class_and_keep_what_it_stores(name):
    made = MAKERS[name](Scan("A", steps=1))
    assert type(made) is Scan
    assert made.patient == "A"
    assert made.array.size


@pytest.mark.parametrize("make", [mitk.mip, lambda scan: mitk.slide(scan, thickness=3)])
def test_time_series_of_the_class_stay_time_series(make):
    made = make(Scan("A", steps=2))
    assert (type(made), made.patient, made.time_steps) == (Scan, "A", 2)


def test_arrays_come_of_functions_that_draw():
    scan = Scan("A", steps=1)
    assert mitk.render_mip(scan, size=(8, 8)).shape == (8, 8)
    assert mitk.montage(scan, overlay=scan).dtype == np.uint8
    assert mitk.extract_surface(scan, 0.5).GetNumberOfPoints() == 0


def test_files_are_read_as_the_class_that_is_asked_to(tmp_path):
    Scan("A", steps=1).save(tmp_path / "scan.mha")
    for kind in (mitk.Image, Scan):
        loaded = kind.load(tmp_path / "scan.mha")
        assert type(loaded) is kind
        assert (loaded.spacing, loaded.origin) == (SPACING, ORIGIN)
        assert loaded.get_property("path") == str(tmp_path / "scan.mha")
        assert loaded.equals(Scan("A", steps=1))


class SlottedScan(mitk.Image):
    """Its objects have another layout in memory."""

    __slots__ = ("patient",)


def test_classes_with_slots_are_made_too(tmp_path):
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    made = SlottedScan.from_numpy(voxels, SPACING, ORIGIN)
    made.patient = "A"
    made.set_property("note", "kept")
    made.save(tmp_path / "scan.nrrd")
    loaded = SlottedScan.load(tmp_path / "scan.nrrd")
    assert type(made) is type(loaded) is SlottedScan
    assert loaded.equals(made)
    assert loaded.get_property("note") == "kept"
    assert type(SlottedScan.from_any(mitk.Image())) is SlottedScan


def test_objects_of_other_libraries_become_the_class_that_is_asked_to():
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    assert type(Scan.from_numpy(voxels)) is type(Scan.from_any(voxels)) is Scan
    peer = mitk.Image(voxels, SPACING, ORIGIN).to_simpleitk()
    made = Scan.from_simpleitk(peer)
    assert (type(made), made.spacing) == (Scan, SPACING)
    data = mitk.Image(voxels).to_vtk()
    shared = Scan.from_vtk(data)
    shared.as_numpy()[0, 0, 0] = 77
    assert type(shared) is Scan
    assert data.GetScalarComponentAsDouble(0, 0, 0, 0) == 77


def test_help_shows_the_parameters_of_the_constructor():
    assert list(inspect.signature(mitk.Image).parameters)[:4] == ["source", "spacing", "origin", "direction"]
    assert list(inspect.signature(Scan).parameters) == list(inspect.signature(Scan.__init__).parameters)[1:]
