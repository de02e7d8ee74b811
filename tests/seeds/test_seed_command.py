"""``mitk-rs seeds`` and the options that take files of points."""

import json

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.cli.main import main
from mitk_rs.seeds import Seed
from mitk_rs.vmtk import vmtkscripts


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tube = mitk.datasets.tube()
    tube.save("tube.mha")
    seeds = mitk.Seeds([Seed((10, 10, 2), "inlet"), Seed((10, 10, 17), "outlet")])
    mitk.write_seeds(seeds, "ends.mrk.json", image=tube)
    return tmp_path


def run(capsys, line):
    status = main(line.split())
    out, err = capsys.readouterr()
    return status, out, err


LINE = "init tube.mha --lower 50 -q -o"


@pytest.mark.parametrize("points", [
    "--source ends.mrk.json:inlet --target ends.mrk.json:outlet",
    "-sourcepoints ends.mrk.json:inlet --target 10 10 17",
    "--source=ends.mrk.json:inlet --target ends.csv:outlet",
])  # fmt: skip
def test_files_give_the_bytes_of_indices(folder, capsys, points):
    assert run(capsys, "seeds ends.mrk.json ends.csv --image tube.mha --coordinates index -q") == (0, "", "")
    assert run(capsys, f"{LINE} a.mha {points}")[0] == 0
    assert run(capsys, f"{LINE} b.mha --source 10 10 2 --target 10 10 17")[0] == 0
    assert (folder / "a.mha").read_bytes() == (folder / "b.mha").read_bytes()


def test_ras_numbers(folder, capsys):
    x, y, z = mitk.datasets.tube().index_to_world((10, 10, 2))
    line = f"{LINE} a.mha --points ras --source {-x} {-y} {z} --target ends.mrk.json:outlet"
    assert run(capsys, line)[0] == 0
    assert run(capsys, f"{LINE} b.mha --source 10 10 2 --target 10 10 17")[0] == 0
    assert (folder / "a.mha").read_bytes() == (folder / "b.mha").read_bytes()


def test_points_are_printed_with_their_voxels(folder, capsys):
    status, out, err = run(capsys, "seeds ends.mrk.json:outlet --image tube.mha")
    assert (status, err) == (0, "")
    assert [line.split() for line in out.splitlines()][1][-3:] == ["10", "10", "17"]
    facts = json.loads(run(capsys, "seeds ends.mrk.json --image tube.mha --json")[1])
    assert [(entry["label"], entry["voxel"]) for entry in facts["seeds"]] == [
        ("inlet", [10, 10, 2]), ("outlet", [10, 10, 17]),
    ]  # fmt: skip


@pytest.mark.parametrize("out", ["b.fcsv", "b.mps", "b.csv", "b.json", "b.mrk.json"])
def test_every_format_converts_to_every_other(folder, capsys, out):
    assert run(capsys, f"seeds ends.mrk.json {out}")[0] == 0
    assert mitk.read_seeds(out).indices(mitk.datasets.tube()) == [(10, 10, 2), (10, 10, 17)]


def test_marks_of_pictures_come_from_files(folder, capsys):
    assert run(capsys, "mip tube.mha -o a.png --seeds ends.mrk.json")[0] == 0
    assert run(capsys, "mip tube.mha -o b.png --seeds 10 10 2 10 10 17")[0] == 0
    assert (folder / "a.png").read_bytes() == (folder / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("line", "status", "text"),
    [
        ("seeds absent.fcsv", 3, "error: cannot read absent.fcsv: no such file"),
        ("seeds ends.mrk.json:x", 4, "error: ends.mrk.json:x: no seed has this label; the labels are inlet, outlet"),
        ("seeds ends.mrk.json a.txt", 5, "its ending must be one of .mrk.json .fcsv .mps .csv .json"),
        ("seeds ends.mrk.json ends.mrk.json --force", 5, "it is the input"),
        ("seeds ends.mrk.json a.csv --coordinates index", 4, "an image is needed to make voxel indices"),
        ("seeds ends.mrk.json a.mps --coordinates RAS", 5, "its coordinates are one of LPS; got RAS"),
        ("seeds ends.mrk.json --coordinates RAS", 2, "--coordinates is for OUT"),
        (f"{LINE} a.mha --source absent.csv --target 1 1 1", 3, "cannot read absent.csv: no such file"),
        (f"{LINE} a.mha --source seeds.txt --target 1 1 1", 2, "or a file of points"),
        (
            f"{LINE} a.mha --source far.csv:q --target 1 1 1",
            4,
            "source 'q' of far.csv (99, 1, 1) lies outside",
        ),
    ],
)
def test_mistakes_are_one_line(folder, capsys, line, status, text):
    (folder / "far.csv").write_text("i,j,k,label\n99,1,1,q\n")
    before = sorted(file.name for file in folder.iterdir())
    done = run(capsys, line)
    assert (done[0], done[1], done[2].count("\n")) == (status, "", 1)
    assert text in done[2]
    assert sorted(file.name for file in folder.iterdir()) == before


def oblique(tmp_path):
    """A left-handed oblique tube, and its ends as 3D Slicer writes them."""
    turned = np.array([[0.8, -0.6, 0], [0.6, 0.8, 0], [0, 0, -1.0]])
    voxels = mitk.datasets.tube().as_numpy(writeable=False)
    tube = mitk.Image(voxels.copy(), spacing=(0.5, 0.5, 1.25), origin=(-3, 20, 7), direction=turned)
    tube.save(tmp_path / "oblique.mha")
    seeds = mitk.Seeds([Seed((10, 10, 2), "inlet"), Seed((10, 10, 17), "outlet")])
    mitk.write_seeds(seeds, tmp_path / "oblique.mrk.json", image=tube)


@pytest.mark.parametrize("name", ["tube.mha", "oblique.mha"])
def test_vmtk_scripts_take_files_of_points(folder, capsys, name):
    oblique(folder)
    points = "ends.mrk.json" if name == "tube.mha" else "oblique.mrk.json"

    def level_set(sources, targets, image=name):
        script = vmtkscripts.vmtkImageInitialization()
        script.Image = mitk.Image(image)
        script.Interactive, script.LowerThreshold, script.LogOn = 0, 50, 0
        script.SourcePoints, script.TargetPoints = sources, targets
        script.Execute()
        return script.InitialLevelSets.as_numpy(writeable=False).tobytes()

    expected = level_set([10, 10, 2], [10, 10, 17])
    assert level_set(f"{points}:inlet", [10, 10, 17]) == expected
    assert level_set([f"{points}:inlet"], mitk.read_seeds(points).select("outlet")) == expected
    line = f"vmtkimageinitialization -ifile {name} -interactive 0 -lowerthreshold 50 -sourcepoints"
    assert run(capsys, f"{line} {points}:inlet -targetpoints {points}:outlet -olevelsetsfile a.mha")[0] == 0
    assert run(capsys, f"{line} 10 10 2 -targetpoints 10 10 17 -olevelsetsfile b.mha")[0] == 0
    assert (folder / "a.mha").read_bytes() == (folder / "b.mha").read_bytes()


def test_vmtk_names_say_what_is_wrong_with_a_file_of_points(folder, capsys):
    line = (
        "vmtkimageinitialization -ifile tube.mha -interactive 0 -lowerthreshold 50 -olevelsetsfile a.mha -sourcepoints"
    )
    status, _, err = run(capsys, f"{line} none.csv -targetpoints 10 10 17")
    assert (status, "cannot read none.csv" in err) == (3, True)
    status, _, err = run(capsys, f"{line} ends.mrk.json:middle -targetpoints 10 10 17")
    assert (status, "no seed has this label; the labels are inlet, outlet" in err) == (4, True)
    (folder / "far.csv").write_text("i,j,k,label\n10,10,99,far\n")
    status, _, err = run(capsys, f"{line} far.csv -targetpoints 10 10 17")
    assert (status, "source 'far' of far.csv (10, 10, 99) lies outside the image" in err) == (4, True)
    assert not (folder / "a.mha").exists()
