"""``mitk-rs init`` does what the acceptance examples say, in both spellings."""

import json

import numpy as np
import pytest
import SimpleITK

SOURCE = ["71", "213", "16"]
TARGETS = ["58", "78", "22", "96", "78", "21"]


def same_geometry(one, other):
    images = [SimpleITK.ReadImage(str(file)) for file in (one, other)]
    one, other = ((i.GetSpacing(), i.GetOrigin(), i.GetDirection(), i.GetSize()) for i in images)
    return one == other


@pytest.mark.parametrize(
    "line",
    [
        "init tube.mha --method threshold --lower 50 -o y.nii.gz",
        "init --method=threshold --lower=50 --output=y.nii.gz tube.mha",
        "init -ifile tube.mha -interactive 0 -method threshold -lowerthreshold 50 -olevelsetsfile y.nii.gz",
    ],
)
def test_threshold_in_both_spellings(run, tube, voxels, line):
    done = run(line)
    assert (done.returncode, done.stdout) == (0, "")
    level_set = voxels("y.nii.gz")
    assert level_set.dtype == np.float32
    assert np.unique(level_set, return_counts=True)[1].tolist() == [900, 7100]
    assert set(level_set.flat) == {-1.0, 1.0}
    assert same_geometry(tube.parent / "y.nii.gz", tube)


def test_the_note_says_what_was_written(run, tube):
    done = run("init tube.mha --method threshold --lower 50 -o y.mha")
    text, _, seconds = done.stderr.rstrip("\n").rpartition(", ")
    assert text == "mitk-rs init: wrote y.mha: 900 of 8000 voxels inside, 0.225 ml, 1 piece"
    assert seconds.endswith(" s")
    assert run("init tube.mha --method threshold --lower 50 -o q.mha -q").stderr == ""


def test_isosurface_with_its_surface(succeed, tube, voxels):
    succeed("init tube.mha --method isosurface --isosurface 50 -o y.mha --surface s.stl")
    assert set(voxels("y.mha").flat) == {-50.0, 50.0}
    assert same_geometry(tube.parent / "y.mha", tube)
    assert (tube.parent / "s.stl").read_bytes().startswith(b"mitk_rs SPACE=LPS")


@pytest.mark.parametrize(
    ("points", "inside"),
    [
        ("--source 10 10 10 --target 11 10 10", 28),
        ("--source 10 10 10", 19),
        ("--source 0 0 0", 7),
        ("--source 10,10,10 --source '11 10 10'", 28),
        ("-sourcepoints 10 10 10 -targetpoints 11 10 10", 28),
    ],
)
def test_seeds_mark_their_neighbourhood(succeed, tube, voxels, points, inside):
    succeed(f"init --method seeds {points} tube.mha -o y.mha")
    level_set = voxels("y.mha")
    assert np.count_nonzero(level_set == -1) == inside
    assert np.count_nonzero(level_set == 1) == 8000 - inside


MARCH = "init tube.mha --method fastmarching --lower 50 --source 10 10 2 --target 10 10 17 -o y.mha"


def test_fast_marching_is_zero_at_the_target(succeed, tube, voxels):
    succeed(MARCH)
    level_set = voxels("y.mha")
    assert level_set[17, 10, 10] == 0.0
    assert level_set[2, 10, 10] == -15.0
    inside = voxels("tube.mha") == 100
    # Voxels that the front never reached hold the largest value that it left.
    assert (level_set[~inside] == level_set[inside].max()).all()
    assert level_set[19, 10, 10] == 2.0


def test_fast_marching_as_vmtk(succeed, tube, voxels):
    succeed(f"{MARCH} --compat vmtk")
    level_set = voxels("y.mha")
    assert (level_set[17, 10, 10], level_set[2, 10, 10]) == (0.0, -15.0)
    assert (level_set[voxels("tube.mha") == 0] == np.float32(1.7014117e38)).all()


def test_far_value_is_what_was_asked_for(succeed, tube, voxels):
    succeed(f"{MARCH} --far-value 7.5")
    assert (voxels("y.mha")[voxels("tube.mha") == 0] == 7.5).all()


def test_stop_time_instead_of_a_target(succeed, tube, voxels):
    succeed("init tube.mha --method fastmarching --lower 50 --source 10 10 2 --stop-time 5.5 -o y.mha")
    level_set = voxels("y.mha")
    assert level_set[2, 10, 10] == -5.5
    assert level_set[7, 10, 10] < 0 < level_set[8, 10, 10]


def test_negate_swaps_inside_and_outside(succeed, tube, voxels):
    succeed("init tube.mha --method threshold --negate --lower 50 -o y.mha")
    succeed("init -ifile tube.mha -method threshold -negate 1 -lowerthreshold 50 -olevelsetsfile v.mha")
    assert np.count_nonzero(voxels("y.mha") == -1) == np.count_nonzero(voxels("v.mha") == -1) == 7100


def test_negative_numbers_are_values_and_emptiness_is_told(run, tube, voxels):
    done = run("init tube.mha --method threshold --lower -1e2 --upper -.5 -o y.mha")
    assert (done.returncode, set(voxels("y.mha").flat)) == (0, {1.0})
    assert done.stderr.splitlines()[0] == "mitk-rs init: warning: the level set is empty: no voxel is inside"


def test_fail_empty(fail, tube):
    line = "init tube.mha --method threshold --lower -inf --upper -1 -o y.mha --fail-empty --quiet"
    fail(4, "mitk-rs init: error: tube.mha: the level set is empty: no voxel is inside", line)


def test_physical_points_mean_the_nearest_voxel(succeed, tube, voxels):
    # Voxel (10, 10, 10) lies at (-3 + 5, 2 + 5, 7 + 10) mm.
    succeed("init tube.mha --method seeds --points physical --source 2.2 6.9 17.3 -o y.mha")
    centre = np.argwhere(voxels("y.mha") < 0).mean(axis=0)
    assert centre.tolist() == [10, 10, 10]


def test_json_tells_all(succeed, tube):
    report = json.loads(succeed(f"{MARCH} --json --threads 1"))
    assert report["command"] == "init"
    assert report["input"] == "tube.mha"
    assert report["outputs"] == [{"path": "y.mha", "kind": "image"}]
    assert report["threads"] == 1
    assert report["parameters"]["targets"] == [[10, 10, 17]]
    assert report["geometry"]["spacing"] == [0.5, 0.5, 1.0]
    assert report["geometry"]["size"] == [20, 20, 20]
    assert report["deciding_target"] == [10, 10, 17]
    assert report["level_time"] == 15.0
    assert report["inside"] == pytest.approx(report["volume_ml"] / 0.00025)
    assert report["components"] == 1
    # The target itself lies on the surface, not inside.
    assert report["bounding_box"][2] == [0, 16]
    assert set(report["seconds"]) == {"read", "initialize", "measure", "surface", "write"}
    assert report["warnings"] == []


def test_json_without_output_only_measures(succeed, tube):
    report = json.loads(succeed("init tube.mha --method threshold --lower 50 --json"))
    assert report["inside"] == 900
    assert sorted(file.name for file in tube.parent.iterdir()) == ["tube.mha"]


def test_force_replaces_and_its_absence_does_not(run, fail, tube, voxels):
    line = "init tube.mha --method threshold --lower 50 -o y.mha"
    (tube.parent / "y.mha").write_text("precious")
    fail(5, "mitk-rs init: error: cannot write y.mha: it exists; --force replaces it", line)
    assert run(f"{line} --force").returncode == 0
    assert voxels("y.mha").shape == (20, 20, 20)


def test_names_with_quotes_and_spaces(succeed, tube, voxels):
    (tube.parent / "out dir").mkdir()
    tube.rename(tube.parent / "it's tube.mha")
    output = 'out dir/y\'s "$(x)".mha'
    succeed("init", "it's tube.mha", "--method", "threshold", "--lower", "50", "-o", output)
    assert np.count_nonzero(voxels(output) == -1) == 900


def test_a_repeated_vmtk_option_is_told(run, tube):
    done = run("init -ifile tube.mha -method seeds -method threshold -lowerthreshold 50 -olevelsetsfile y.mha")
    assert done.returncode == 0
    assert done.stderr.startswith("mitk-rs init: warning: -method is given more than once: the last one counts\n")


def test_disabled_does_nothing(run, tube):
    done = run("init -ifile tube.mha -disabled 1 -olevelsetsfile y.mha")
    assert (done.returncode, done.stderr) == (0, "mitk-rs init: -disabled 1: nothing done\n")
    assert not (tube.parent / "y.mha").exists()


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("threshold", ["--lower", "100", "--upper", "1000"]),
        ("isosurface", ["--isosurface", "500"]),
        ("fastmarching", ["--lower", "700", "--source", *SOURCE, "--target", *TARGETS]),
    ],
)
def test_vmtks_results_in_every_bit(succeed, test_data, voxels, method, words):
    succeed("init", test_data / "aorta.mha", "--method", method, *words, "--compat", "vmtk", "-o", "y.mha")
    reference = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(test_data / f"vmtk_reference_{method}.mha")))
    assert voxels("y.mha").tobytes() == reference.tobytes()


def test_colliding_fronts_on_a_real_ct(succeed, test_data, voxels):
    colliding = ["init", test_data / "aorta.mha", "--lower", "700", "--source", *SOURCE, "--target", *TARGETS[:3]]
    succeed(*colliding, "-o", "native.mha")
    succeed(*colliding, "--compat", "vmtk", "-o", "vmtk.mha")
    native, vmtk = voxels("native.mha"), voxels("vmtk.mha")
    assert np.count_nonzero(vmtk < 0) == 16471
    assert np.unique(vmtk[vmtk >= 0]).tolist() == np.float32([9e-6 - 5e-13, 1e-5]).tolist()
    # The same but for the two seeds, which are holes in VMTK's.
    assert np.argwhere((native < 0) != (vmtk < 0)).tolist() == [[16, 213, 71], [22, 78, 58]]
    assert set(native[native >= 0]) == {1.0}


def test_several_fronts_are_the_union_of_single_ones(succeed, test_data, voxels):
    common = ["init", test_data / "aorta.mha", "--lower", "700"]
    for name, target in (("a.mha", TARGETS[:3]), ("b.mha", TARGETS[3:])):
        succeed(*common, "--source", *SOURCE, "--target", *target, "-o", name)
    words = ["--method", "multiplecollidingfronts", "--source", *SOURCE, *SOURCE, "--target", *TARGETS]
    for how in ("minimum", "sum"):
        succeed(*common, *words, "--combine", how, "-o", f"{how}.mha")
        assert ((voxels(f"{how}.mha") < 0) == ((voxels("a.mha") < 0) | (voxels("b.mha") < 0))).all()
    succeed(*common, *words, "--combine", "sum", "--compat", "vmtk", "-o", "vmtk.mha")
    assert voxels("vmtk.mha").max() == np.float32(1e-5) + np.float32(1e-5)
