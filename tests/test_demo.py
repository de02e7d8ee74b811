"""`make demo` does the main job, and its pictures show the vessel where it is."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image as Picture

import mitk_rs as mitk

DEMO = Path(__file__).resolve().parents[1] / "examples" / "demo.py"
ROOT = DEMO.parents[1]
RESULTS = ("colliding_fronts", "fast_marching", "vessel")
OUTPUTS = [f"{result}.{suffix}" for result in RESULTS for suffix in ("mha", "stl", "png")]


def run(*words, folder):
    command = [sys.executable, str(DEMO), "--output", str(folder), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=280)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return run(folder=folder), folder


@pytest.fixture(scope="module")
def scan(tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "my scan.mha"
    tree = mitk.datasets.vessel_tree(size=(64, 64, 48), spacing=(2.0, 2.0, 2.6), generations=2)
    tree.image.save(path)
    return path, tree


def test_lines_report_what_was_done_and_how_long_it_took(demo):
    done, _ = demo
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        "scan",
        "collidingfronts",
        "fastmarching",
        "segment",
        "pictures",
        "done",
    ]
    assert all(re.search(r" \(\d+\.\d\d s\)$", line) for line in lines)


def test_all_files_are_there(demo):
    _, folder = demo
    assert {path.name for path in folder.iterdir()} == {"scan.mha", *OUTPUTS}


def test_the_vessel_is_found(demo):
    done, _ = demo
    one_branch, tree, evolved = (float(value) for value in re.findall(r"Dice (\d\.\d+)", done.stdout))
    assert one_branch > 0.85
    assert tree > 0.97
    assert evolved > 0.95


def test_the_picture_of_the_readme_is_what_the_demo_draws(demo):
    _, folder = demo
    committed, drawn = (
        np.asarray(Picture.open(path).convert("RGB")).astype(int)
        for path in (ROOT / "docs" / "images" / "vessel.png", folder / "vessel.png")
    )
    assert committed.shape == drawn.shape == (640, 1280, 3)
    # Processors differ in the last bit of a sine, which moves single voxels by one Hounsfield unit.
    assert (np.abs(committed - drawn).max(axis=2) > 16).mean() < 0.002


def test_the_scan_is_that_of_the_sample_command(demo):
    _, folder = demo
    np.testing.assert_array_equal(mitk.Image(folder / "scan.mha").array, mitk.datasets.vessel_tree().image.array)


def near(mask, pixels):
    dilated = sitk.BinaryDilate(sitk.GetImageFromArray(mask.astype(np.uint8)), (pixels, pixels))
    return sitk.GetArrayFromImage(dilated) > 0


def test_the_outline_lies_on_the_vessel_right_way_up_and_to_scale(demo):
    _, folder = demo
    picture = np.asarray(Picture.open(folder / "fast_marching.png").convert("RGB")).astype(int)
    outline = (picture[..., 1] - picture[..., 0] > 60) & (picture[..., 1] - picture[..., 2] > 40)
    # Seen from the front: feet below, the patient's left on the right; 128 mm across and 128 mm high.
    silhouette = mitk.datasets.vessel_tree().mask.any(axis=1)[::-1]
    assert picture.shape == (640, 640, 3)
    expected = np.asarray(Picture.fromarray(silhouette).resize((640, 640))).astype(bool)
    edge = expected & near(~expected, 1)
    assert outline.sum() > 1000
    assert near(edge, 8)[outline].mean() > 0.97
    assert near(outline, 8)[edge].mean() > 0.9


def test_it_segments_a_given_scan(scan, tmp_path):
    path, tree = scan
    seeds = ["--source", *tree.source, "--target", *tree.targets[0]]
    done = run("--input", path, *seeds, "--lower=200", "--upper=3000", folder=tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert {file.name for file in (tmp_path / "out").iterdir()} == set(OUTPUTS)


def test_a_given_scan_needs_seeds_and_a_threshold(scan, tmp_path):
    done = run("--input", scan[0], "--lower=200", folder=tmp_path)
    assert done.returncode == 2
    assert "SOURCE" in done.stderr


def test_the_error_of_a_command_is_passed_on(scan, tmp_path):
    done = run("--input", scan[0], "--source", 1, 2, 99, "--target", 1, 2, 3, "--lower=200", folder=tmp_path)
    assert done.returncode == 4
    assert done.stderr.startswith("mitk-rs init: error: ")
    assert "Traceback" not in done.stderr


def test_a_missing_scan_is_named(tmp_path):
    seeds = ["--source", 1, 2, 3, "--target", 1, 2, 4]
    done = run("--input", tmp_path / "none.mha", *seeds, "--lower=200", folder=tmp_path)
    assert done.returncode == 1
    assert "none.mha" in done.stderr
    assert "Traceback" not in done.stderr
