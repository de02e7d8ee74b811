"""A vessel in one call: better than its initialization, in one piece, with a closed surface; errors of one line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.cli.main import main


@pytest.fixture(scope="module")
def tree() -> Any:
    return mitk.datasets.vessel_tree(size=(96, 96, 80), spacing=(1, 1, 1.2), generations=2)


@pytest.fixture(scope="module")
def found(tree: Any) -> Any:
    return mitk.segment_vessel(tree.image, [tree.source], tree.targets, tree.lower_threshold)


def dice(level_set: Any, truth: Any) -> float:
    inside = level_set.array < 0
    return float(2 * (inside & truth).sum() / (inside.sum() + truth.sum()))


def test_evolution_improves_the_initialization(tree: Any, found: Any) -> None:
    before, after = dice(found.initial, tree.mask), dice(found.level_set, tree.mask)
    assert after > 0.88
    assert after > before
    assert found.report.evolution.components == 1
    assert 0 < found.report.moved_ml < found.report.evolution.volume_ml


def test_it_is_its_three_steps(tree: Any, found: Any) -> None:
    start = mitk.initialize_level_set(
        tree.image, method="multiplecollidingfronts", sources=[tree.source] * 2, targets=tree.targets,
        lower_threshold=tree.lower_threshold,
    )  # fmt: skip
    np.testing.assert_array_equal(start.level_set.array, found.initial.array)
    used = found.report.evolution.parameters
    feature = mitk.feature_image(tree.image, sigma=used["feature_sigma"])
    evolved = mitk.evolve_level_set(
        tree.image, start.level_set, iterations=300, curvature=used["curvature"], feature=feature
    )
    np.testing.assert_array_equal(evolved.level_set.array, found.level_set.array)


def test_the_surface_is_closed_and_smooth_unless_told_otherwise(found: Any) -> None:
    from vtkmodules.vtkFiltersCore import vtkFeatureEdges

    def open_edges(**options: Any) -> int:
        edges = vtkFeatureEdges()
        edges.SetInputData(found.surface(**options))
        edges.FeatureEdgesOff()
        edges.ManifoldEdgesOff()
        edges.Update()
        return int(edges.GetOutput().GetNumberOfCells())

    assert open_edges() == 0
    assert found.surface(smooth=False).GetNumberOfCells() == found.surface().GetNumberOfCells()
    assert found.surface(smooth=False).GetBounds() != found.surface().GetBounds()


def test_pairs_of_points_and_fast_marching(tree: Any, found: Any) -> None:
    twice = mitk.segment_vessel(tree.image, [tree.source] * 2, tree.targets, tree.lower_threshold)
    np.testing.assert_array_equal(twice.level_set.array, found.level_set.array)
    marched = mitk.segment_vessel(tree.image, [tree.source], tree.targets, 200, method="fastmarching", iterations=20)
    assert dice(marched.level_set, tree.mask) > 0.8


def test_the_report_is_plain_and_json(found: Any) -> None:
    plain = json.loads(json.dumps(found.report.as_dict()))
    assert plain["evolution"]["iterations"] == 300
    assert set(plain["seconds"]) == {"initialize", "feature", "evolve", "whole"}
    assert plain["warnings"] == found.report.warnings


def test_a_picture_shows_both_outlines(tree: Any, found: Any) -> None:
    picture = found.picture(tree.image, size=200)
    lettered = found.picture(tree.image, size=200, letters=True)
    assert lettered.shape == picture.shape
    # Around each part there is room for letters.
    assert not lettered[:5].any()
    assert (lettered[:26] == 230).all(axis=-1).any()
    assert picture.shape == (200, 800, 3)
    for colour in ((64, 255, 128), (255, 150, 60)):
        assert (picture == colour).all(axis=-1).sum() > 50


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sources": [(1, 1, 1)] * 3}, "3 sources and 2 targets: give one source, or as many sources as targets"),
        ({"sources": []}, "sources is empty"),
        ({"sources": [(999, 1, 1)]}, "lies outside"),
        ({"lower": 5000}, "5000|reach"),
        ({"iterations": 0}, "iterations is 0"),
        ({"method": "seeds"}, "method is 'seeds': it must be one of 'collidingfronts', 'fastmarching'"),
        ({"feature_sigma": 1000}, "sigma is 1000"),
        ({"curvature": -1}, "curvature is -1"),
    ],
)
def test_bad_input_is_an_error_of_one_line(tree: Any, change: dict[str, Any], message: str) -> None:
    given = {"sources": [tree.source], "targets": tree.targets, "lower": 200, **change}
    with pytest.raises(mitk.RequestError, match=message) as caught:
        mitk.segment_vessel(tree.image, given.pop("sources"), given.pop("targets"), given.pop("lower"), **given)
    assert "\n" not in str(caught.value)


def test_cancel_timeout_and_progress_span_all_steps(tree: Any) -> None:
    heard: list[float] = []
    arguments = (tree.image, [tree.source], tree.targets, 200)
    mitk.segment_vessel(*arguments, iterations=30, progress=heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1)
    with pytest.raises(mitk.TimeoutError):
        mitk.segment_vessel(*arguments, iterations=10**6, max_rms=0.0, timeout=2.0)


# The commands


@pytest.fixture
def folder(tree: Any, tmp_path: Path, monkeypatch: Any) -> Path:
    monkeypatch.chdir(tmp_path)
    tree.image.save("scan.mha")
    return tmp_path


def seeds(tree: Any) -> list[str]:
    words = ["--source", *map(str, tree.source)]
    return words + [word for target in tree.targets for word in ("--target", *map(str, target))]


def test_segment_writes_everything_at_once(tree: Any, found: Any, folder: Path, capsys: Any) -> None:
    files = ["-o", "v.mha", "--mask", "m.nii.gz", "--surface", "v.stl", "--picture", "v.png"]
    assert main(["segment", "scan.mha", *files, "--lower", "200", *seeds(tree), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["evolution"]["inside"] == found.report.evolution.inside
    np.testing.assert_array_equal(mitk.Image("v.mha").array, found.level_set.array)
    np.testing.assert_array_equal(mitk.Image("m.nii.gz").array, found.mask.array)
    assert Path("v.stl").stat().st_size > 10_000
    assert Path("v.png").stat().st_size > 1000
    assert main(["segment", "scan.mha", "-o", "v.mha", "--lower", "200", *seeds(tree)]) == 5


def test_init_features_and_evolve_give_the_same(tree: Any, found: Any, folder: Path) -> None:
    method = ["--method", "multiplecollidingfronts", "--source", *map(str, tree.source)]
    assert main(["init", "scan.mha", "-o", "i.mha", "--lower", "200", *method, *seeds(tree), "-q"]) == 0
    assert main(["features", "scan.mha", "-o", "f.mha", "--sigma", "0.5", "-q"]) == 0
    words = ["--initial", "i.mha", "--iterations", "300", "--curvature", "0.2", "-q"]
    assert main(["evolve", "scan.mha", "-o", "e.mha", "--feature", "f.mha", *words]) == 0
    np.testing.assert_array_equal(mitk.Image("e.mha").array, found.level_set.array)
    assert main(["evolve", "scan.mha", "--mask", "m.mha", "--feature-sigma", "0.5", *words]) == 0
    np.testing.assert_array_equal(mitk.Image("m.mha").array, found.mask.array)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ("evolve scan.mha --initial scan.mha -o o.mha --iterations 0", 2, "--iterations must be >= 1, got 0"),
        ("evolve scan.mha --initial no.mha -o o.mha --iterations 1", 3, "cannot read no.mha: no such file"),
        ("evolve scan.mha --initial tiny.mha -o o.mha --iterations 1", 4, "initial has 5 x 4 x 3 voxels"),
        ("evolve scan.mha --initial ones.mha -o o.mha --iterations 1", 4, "initial is nowhere above the isosurface"),
        ("evolve scan.mha --initial ones.mha --iterations 1", 2, "missing -o LEVELSET"),
        ("evolve scan.mha --initial ones.mha -o o.mha --iterations 1 --propagation -1", 4, "propagation is -1"),
        ("evolve scan.mha --initial ones.mha -o o.mha --iterations 1 --type threshold --lower 9 --upper 5", 4,
         "the lower threshold 9 is above the upper threshold 5"),
        ("evolve nan.mha --initial ones.mha -o o.mha --iterations 1", 4, "is NaN: the image must be finite"),
        ("evolve scan.mha --initial nan.mha -o o.mha --iterations 1", 4, "is NaN: initial must be finite"),
        ("evolve scan.mha --initial ones.mha --feature nan.mha -o o.mha --iterations 1", 4,
         "is NaN: the feature image must be finite"),
        ("evolve scan.mha --initial ones.mha --feature tiny.mha -o o.mha --iterations 1", 4, "feature has 5 x 4 x 3"),
        ("evolve scan.mha --initial ones.mha --merge tiny.mha -o o.mha --iterations 1", 4, "merge has 5 x 4 x 3"),
        ("evolve scan.mha --initial ones.mha -o o.mha --iterations 1 --type threshold", 4, "_threshold is missing"),
        ("features nan.mha -o o.mha", 4, "is NaN: the image must be finite"),
        ("features scan.mha -o o.mha --sigma 1e4", 4, "sigma is 10000 mm: it must not exceed the extent"),
        ("segment nan.mha -o o.mha --lower 200 --source 48 48 40 --target 48 48 50", 4, "is NaN"),
        ("evolve scan.mha --initial ones.mha -o o.mha --iterations 1 --feature-sigma 1e4", 4, "sigma is 10000"),
        ("features scan.mha -o o.mha --sigma -1", 4, "sigma is -1"),
        ("features scan.mha -o o.mha --sigmoid-range 1 2", 2, "--sigmoid-range goes with --sigmoid"),
        ("features scan.mha -o o.unknown", 5, "its ending must be one of"),
        ("segment scan.mha -o o.mha --source 1 1 1 --target 2 2 2", 2, "missing --lower L"),
        ("segment scan.mha -o o.mha --lower 5000 --source 1 1 1 --target 2 2 2", 4, "scan.mha"),
    ],
)  # fmt: skip
def test_commands_fail_in_one_line_and_write_nothing(
    tree: Any, folder: Path, capsys: Any, words: str, status: int, message: str
) -> None:
    mitk.Image(np.ones((3, 4, 5), np.float32)).save("tiny.mha")
    place = {"spacing": tree.image.spacing, "origin": tree.image.origin, "direction": tree.image.direction}
    mitk.Image(-np.ones(tree.image.shape, np.float32), **place).save("ones.mha")
    mitk.Image(np.where(tree.mask, np.nan, 1).astype(np.float32), **place).save("nan.mha")
    before = set(folder.iterdir())
    assert main(words.split()) == status
    lines = capsys.readouterr().err.splitlines()
    assert message in lines[-1]
    assert sum("error:" in line for line in lines) == 1
    assert set(folder.iterdir()) == before
