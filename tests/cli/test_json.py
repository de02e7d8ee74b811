"""What every command prints with ``--json`` fits the schema in the package, also when the command fails."""

import importlib.resources
import json
import shlex

import jsonschema
import pytest
import SimpleITK

from mitk_rs.cli.main import COMMANDS, build_parsers, main
from mitk_rs.vmtk import SCRIPTS

SCHEMA = json.loads((importlib.resources.files("mitk_rs.cli") / "schema.json").read_text())
WITH_JSON = [name for name, parser in build_parsers()[1].items() if "--json" in parser._option_string_actions]
FRONTS = "--lower 50 --source 10 10 2 --target 10 10 17"

SUCCESSES = [
    f"init tube.mha {FRONTS} -o y.mha --surface y.stl",
    f"init tube.mha --method fastmarching {FRONTS}",
    "init tube.mha --method threshold --lower 500",
    f"init tube.mha --method fastmarching --auto-lower {FRONTS.removeprefix('--lower 50 ')}",
    "features tube.mha -o f.mha",
    "evolve tube.mha --initial level.mha -o y.mha --mask m.mha --iterations 2",
    f"segment tube.mha {FRONTS} -o y.mha --picture p.png --iterations 2",
    "mip tube.mha -o m.png --axis all",
    "mip tube.mha -o m.npy --azimuth 30 --size 20 20",
    "mip tube.mha -o m.mha",
    "mip tube.mha -o m.gif --spin 2 --size 20 20",
    "mip tube.mha -o m.png --montage",
    "surface tube.mha --level 50 -o s.stl",
    "info tube.mha --statistics --histogram",
    "convert tube.mha c.nrrd --pixel-type float32",
    "crop tube.mha c.mha --index 5 14 5 14 0 9",
    "pick tube.mha --html p.html",
    "seeds points.csv --image tube.mha",
    "seeds points.csv p.json",
    "sample s.mha --seeds s.mrk.json --truth t.nii.gz",
    "doctor",
    "batch cases.csv -o results --jobs 1 --no-pictures",
    'pype "vmtkimagereader -ifile tube.mha --pipe vmtkmarchingcubes -l 50 -ofile s.vtp"',
    "vmtkimageinitialization -ifile tube.mha -interactive 0 -method seeds -sourcepoints 1 2 3 -olevelsetsfile y.mha",
]
FAILURES = [
    ("init nosuch.mha -o y.mha", 3),
    ("init tube.mha --method threshold -o y.mha", 4),
    ("init tube.mha --sorce 1 2 3", 2),
    ("features nosuch.mha -o f.mha", 3),
    ("evolve tube.mha --initial nosuch.mha -o y.mha --iterations 2", 3),
    ("segment tube.mha -o y.mha", 2),
    ("mip tube.mha", 2),
    ("mip tube.mha -o nowhere/m.png", 5),
    ("surface tube.mha --level 5000 -o s.stl", 4),
    ("info nosuch.mha", 3),
    ("convert tube.mha c.xyz", 5),
    ("crop tube.mha c.mha --index 5 25 5 14 0 9", 4),
    ("pick nosuch.mha", 3),
    ("seeds nosuch.csv", 3),
    ("sample s.xyz", 5),
    ("batch failing.csv -o results --jobs 1 --no-pictures", 4),
    ("pype", 2),
    ("pype vmtkimagereader -ifile nosuch.mha", 3),
    ("vmtkimageinitialization -ifile tube.mha -interactive 0 -method threshold", 4),
    ("nonsense", 2),
]


@pytest.fixture
def printed(tube, tmp_path, monkeypatch, capsys):
    """Run a command within this process; its status and the one object on standard output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DISPLAY", raising=False)
    (tmp_path / "points.csv").write_text("label,i,j,k\na,10,10,2\n")
    (tmp_path / "cases.csv").write_text("input,method,lower\ntube.mha,threshold,50\n")
    SimpleITK.WriteImage(SimpleITK.SignedMaurerDistanceMap(SimpleITK.ReadImage("tube.mha") > 50), "level.mha")
    (tmp_path / "failing.csv").write_text("input,method,lower\ntube.mha,threshold,50\nnosuch.mha,threshold,50\n")

    def printed(line):
        status = main([*shlex.split(line), "--json"])
        return status, json.loads(capsys.readouterr().out)

    return printed


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    described = {entry["if"]["properties"]["command"]["const"] for entry in SCHEMA["else"]["allOf"]}
    assert described == {*WITH_JSON, "pype"}
    assert set(WITH_JSON) == set(COMMANDS) - {"completion"}


def test_every_command_is_tried():
    first = {line.split()[0] for line in SUCCESSES}
    assert set(WITH_JSON) <= first
    assert first & set(SCRIPTS)


@pytest.mark.parametrize("line", SUCCESSES)
def test_a_result_fits_the_schema(printed, line):
    status, value = printed(line)
    jsonschema.validate(value, SCHEMA)
    assert (status, value["status"]) == (0, 0)
    assert value["command"] == ("pype" if line.startswith("vmtk") else line.split()[0])


@pytest.mark.parametrize(("line", "wanted"), FAILURES)
def test_a_failure_is_an_object_with_error_and_status(printed, line, wanted):
    status, value = printed(line)
    jsonschema.validate(value, SCHEMA)
    assert (status, value["status"]) == (wanted, wanted)
    assert value["error"]
    assert "\n" not in value["error"]


def test_the_error_is_the_line_on_standard_error(tube, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["info", "nosuch.mha", "--json"]) == 3
    out, err = capsys.readouterr()
    assert err == f"mitk-rs info: error: {json.loads(out)['error']}\n"


def test_a_failed_check_of_doctor_prints_what_it_found(printed, monkeypatch):
    from mitk_rs.cli import tools

    monkeypatch.setitem(tools.CHECKS, "surface", lambda: 1 / 0)
    status, value = printed("doctor")
    jsonschema.validate(value, SCHEMA)
    assert (status, value["status"]) == (1, 1)
    assert value["error"] == "1 of 5 checks failed: surface"
    assert value["checks"]["surface"] == {"ok": False, "text": "ZeroDivisionError: division by zero"}


def test_a_batch_that_fails_in_part_prints_its_counts(printed):
    _, value = printed("batch failing.csv -o results --jobs 1 --no-pictures")
    assert (value["cases"], value["failed"]) == (2, 1)


def test_an_object_that_does_not_fit_is_noticed():
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"command": "surface", "version": "0", "status": 0, "input": "a", "outputs": []}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"command": "surface", "version": "0", "status": 0, "error": "no"}, SCHEMA)
