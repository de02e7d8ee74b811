"""The Snakefile of docs/howto/batch.md makes the files that it names. (joblib is tried with the code of the page.)"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

import mitk_rs as mitk

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "batch.md").read_text()
SNAKEFILE = re.search(r"^```text\n(CASES = .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]
ENVIRONMENT = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


@pytest.fixture
def scans(tmp_path):
    (tmp_path / "scans").mkdir()
    (tmp_path / "results").mkdir()
    for seed in range(2):
        tree = mitk.datasets.vessel_tree(size=(64, 64, 48), spacing=(2.0, 2.0, 2.6), seed=seed)
        tree.image.save(tmp_path / "scans" / f"p{seed}.mha")
    return tmp_path


def names_of(rule, field, case):
    """The file names of ``input`` or ``output`` of a rule for one case."""
    text = re.search(rf"^    {field}: (.+)$", rule, re.MULTILINE)[1]
    found = re.findall(r'(?:(\w+)=)?"([^"]+)"', text)
    return {name or field: path.format(case=case) for name, path in found}


def test_the_command_of_the_rule_makes_its_outputs(scans):
    rule = SNAKEFILE[SNAKEFILE.index("rule level_set") :]
    (source,) = names_of(rule, "input", "p0").values()
    outputs = names_of(rule, "output", "p0")
    command = re.search(r'^    shell: "(.+)"$', rule, re.MULTILINE)[1]
    words = shlex.split(command.format(input=source, output=SimpleNamespace(**outputs), threads=1))
    done = subprocess.run(words, cwd=scans, env=ENVIRONMENT, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in (scans / "results").iterdir()) == ["p0.mha", "p0.stl"]


@pytest.mark.skipif(not shutil.which("snakemake"), reason="snakemake is not installed; the command of its rule is run")
def test_snakemake_runs_the_rule_for_every_scan(scans):
    (scans / "Snakefile").write_text(SNAKEFILE)
    for _ in range(2):
        done = subprocess.run(
            ["snakemake", "--cores", "2"], cwd=scans, env=ENVIRONMENT, capture_output=True, text=True, timeout=250
        )
        assert done.returncode == 0, done.stderr
    assert "Nothing to be done" in done.stdout + done.stderr
    assert sorted(path.name for path in (scans / "results").iterdir()) == ["p0.mha", "p0.stl", "p1.mha", "p1.stl"]
