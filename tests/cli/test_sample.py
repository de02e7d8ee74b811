"""``mitk-rs sample`` writes the scan that the README and the tutorials use."""

import json

import numpy as np

import mitk_rs as mitk


def test_the_sample_is_the_vessel_tree(succeed, tmp_path):
    tree = mitk.datasets.vessel_tree()
    facts = json.loads(succeed("sample s.nrrd --seeds s.mrk.json --truth t.mha --json"))
    scan = mitk.Image(tmp_path / "s.nrrd")
    assert scan.equals(tree.image)
    np.testing.assert_array_equal(mitk.Image(tmp_path / "t.mha").array, tree.mask)
    assert facts["source"] == list(tree.source)
    assert facts["targets"] == [list(target) for target in tree.targets]
    assert [(written["path"], written["kind"]) for written in facts["outputs"]] == [
        ("s.nrrd", "image"),
        ("t.mha", "mask"),
        ("s.mrk.json", "points"),
    ]
    seeds = mitk.read_seeds(tmp_path / "s.mrk.json")
    assert seeds.select("source").indices(scan) == [tree.source]
    assert seeds.select("target").indices(scan) == list(tree.targets)


def test_points_and_threshold_are_printed(run):
    done = run("sample s.mha")
    tree = mitk.datasets.vessel_tree()
    assert (done.returncode, done.stdout) == (0, "")
    assert "wrote s.mha: 160 x 160 x 128 voxels\n" in done.stderr
    assert f"source {' '.join(map(str, tree.source))}; targets " in done.stderr
    assert done.stderr.endswith("; lower threshold 200\n")


def test_the_vessel_is_found_with_what_is_printed(succeed, tmp_path):
    succeed("sample s.mha --seeds s.csv --truth t.mha -q")
    succeed("init s.mha -o l.mha --method fastmarching --lower 200 --source s.csv:source --target s.csv:target")
    found, truth = mitk.Image(tmp_path / "l.mha").array < 0, mitk.Image(tmp_path / "t.mha").array > 0
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.97


def test_all_files_are_written_or_none(fail):
    line = "mitk-rs sample: error: cannot write no/s.csv: the folder no does not exist"
    fail(5, line, "sample s.mha --seeds no/s.csv")


def test_an_existing_scan_is_kept_without_force(succeed, fail):
    succeed("sample s.mha -q")
    fail(5, "mitk-rs sample: error: cannot write s.mha: it exists; --force replaces it", "sample s.mha")
    succeed("sample s.mha -q --force")
