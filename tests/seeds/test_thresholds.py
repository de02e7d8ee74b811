"""Histograms count every voxel, and proposed thresholds part a vessel from what is around it."""

import json
from pathlib import Path

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.cli.main import main


@pytest.fixture(scope="module")
def tree():
    return mitk.datasets.vessel_tree(size=(96, 96, 64), spacing=(1.3, 1.3, 2.0), generations=3)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int64, np.float32, np.float64])
def test_a_histogram_counts_as_numpy_does(dtype):
    voxels = np.random.default_rng(0).normal(100, 20, (9, 10, 11)).clip(0, 255).astype(dtype)
    found = mitk.histogram(mitk.Image(voxels), bins=7)
    counts, edges = np.histogram(voxels.astype(np.float64), 7)
    np.testing.assert_array_equal(found.counts, counts)
    np.testing.assert_allclose(found.edges, edges)
    assert found.percentiles[50.0] == np.median(voxels)
    assert (found.percentiles[0.0], found.percentiles[100.0]) == (voxels.min(), voxels.max())


def test_values_that_are_not_finite_are_left_out():
    voxels = np.zeros((4, 4, 4), np.float32)
    voxels[0, 0, :3] = np.nan, np.inf, -np.inf
    voxels[1] = 8
    found = mitk.histogram(voxels, bins=2)
    assert found.counts.tolist() == [64 - 16 - 3, 16]
    with pytest.raises(mitk.RequestError, match="no finite value"):
        mitk.histogram(np.full((2, 2, 2), np.nan))
    with pytest.raises(mitk.RequestError, match="bins is 0"):
        mitk.histogram(voxels, bins=0)


def test_the_ends_of_a_type_do_not_overflow():
    voxels = np.array([[[np.iinfo(np.int64).min, 0, np.iinfo(np.int64).max]]])
    assert mitk.histogram(voxels, bins=2).counts.tolist() == [1, 2]
    assert mitk.histogram(np.full((2, 2, 2), 7, np.uint8)).otsu == ()


def test_otsu_parts_two_and_three_classes():
    rng = np.random.default_rng(1)
    dark, middle, bright = (rng.normal(mean, 8, 4000) for mean in (0, 100, 300))
    one, low, high = mitk.histogram(np.concatenate([dark, middle, bright]).reshape(20, 20, 30)).otsu
    assert dark.max() < low < middle.min()
    # Wherever the gap is parted, the classes are the same.
    assert middle.max() < high < bright.min()
    assert middle.max() < one < bright.min()


def test_the_proposal_parts_vessel_and_tissue(tree):
    proposed = mitk.propose_lower_threshold(tree.image, [tree.source, *tree.targets])
    voxels, labels = tree.image.array, tree.labels > 0
    # Air, at -1000, is in the scan, and does not count.
    assert voxels.min() < -900
    assert np.median(voxels[~labels & (voxels > -500)]) < proposed.value < np.median(voxels[labels])
    assert proposed.value == (proposed.seeds + proposed.background) / 2


def test_the_proposal_for_a_real_scan_is_near_the_published_threshold(test_data):
    proposed = mitk.propose_lower_threshold(mitk.Image(test_data / "aorta.mha"), [(71, 213, 16), (58, 78, 22)])
    assert 700 < proposed.value < 1100


def test_auto_is_the_proposal_and_the_report_names_it(tree):
    points = {"sources": [tree.source], "targets": [tree.targets[0]]}
    proposed = mitk.propose_lower_threshold(tree.image, [tree.source, tree.targets[0]])
    result = mitk.initialize_level_set(tree.image, lower_threshold="auto", **points)
    assert result.report.auto_lower == proposed
    assert result.report.parameters["lower"] == proposed.value
    expected = mitk.initialize_level_set(tree.image, lower_threshold=proposed.value, **points)
    assert result.level_set.equals(expected.level_set)
    assert expected.report.auto_lower is None


def test_auto_applies_to_negated_values(tree):
    dark = mitk.Image((-tree.image.array).copy(), spacing=tree.image.spacing)
    points = {"sources": [tree.source], "targets": [tree.targets[0]], "lower_threshold": "auto"}
    plain = mitk.initialize_level_set(tree.image, **points)
    negated = mitk.initialize_level_set(dark, negate=True, **points)
    shift = float(tree.image.array.min()) + float(tree.image.array.max())
    assert negated.report.auto_lower.value == pytest.approx(plain.report.auto_lower.value - shift)
    explicit = mitk.initialize_level_set(
        dark, negate=True, **{**points, "lower_threshold": negated.report.auto_lower.value}
    )
    assert negated.level_set.equals(explicit.level_set)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": [(0, 0, 0)], "targets": [(1, 0, 0)]}, "not brighter than what is around them"),
        ({"method": "threshold"}, "no seeds"),
        ({"method": "seeds", "sources": [(0, 0, 0)]}, "does not use thresholds"),
        ({"sources": [(10, 10, 2)], "targets": [(10, 10, 17)], "upper_threshold": 10}, "above the upper one, 10"),
    ],
)
def test_auto_without_a_bright_vessel_is_refused(options, message):
    with pytest.raises(mitk.RequestError, match=message):
        mitk.initialize_level_set(mitk.datasets.tube(), lower_threshold="auto", **options)


def test_fronts_without_a_threshold_are_warned_of():
    ends = {"sources": [(10, 10, 2)], "targets": [(10, 10, 17)]}
    text = "no threshold is given: fronts run through the whole image, not only through the vessel"
    report = mitk.initialize_level_set(mitk.datasets.tube(), **ends).report
    assert report.warnings == [text]
    assert mitk.initialize_level_set(mitk.datasets.tube(), lower_threshold=50, **ends).report.warnings == []
    assert text not in mitk.initialize_level_set(mitk.datasets.tube(), method="seeds", **ends).report.warnings


@pytest.fixture
def scan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mitk.datasets.tube().save("tube.mha")


def test_the_command_shows_the_histogram(scan, capsys):
    assert main(["info", "tube.mha", "--histogram", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)["histogram"]
    assert (sum(facts["counts"]), facts["edges"][0], facts["edges"][-1]) == (8000, 0.0, 100.0)
    assert dict(map(tuple, facts["percentiles"]))[100.0] == 100.0
    assert main(["info", "tube.mha", "--histogram"]) == 0
    lines = capsys.readouterr().out.splitlines()
    first = next(n for n, line in enumerate(lines) if "number of voxels" in line)
    bars = [line.split() for line in lines[first + 1 : first + 25]]
    assert (bars[0][:2], bars[-1][1]) == (["0", "7100"], "900")
    assert len(bars[0][2]) == 48 > len(bars[-1][2])
    assert [row[1:] for row in bars[1:-1]] == [["0"]] * 22


def test_the_command_names_the_threshold(scan, capsys):
    line = "init tube.mha -o {} {} --source 10 10 2 --target 10 10 17"
    assert main(line.format("a.mha", "--auto-lower").split()) == 0
    text = "--auto-lower: --lower 50, half way between the darkest seed (100) and the background (0)"
    assert text in capsys.readouterr().err
    assert main(line.format("b.mha", "--lower 50").split()) == 0
    assert Path("a.mha").read_bytes() == Path("b.mha").read_bytes()
    assert main(line.format("c.mha", "--lower 50 --auto-lower").split()) == 2
    assert "--auto-lower and --lower exclude each other" in capsys.readouterr().err
