"""Code in README and docs/ runs, from top to bottom of each page, as a reader would type it.

The folder in which it runs holds `scan.mha`, a synthetic CT angiography, `tube.mha` and `ends.mrk.json`, points at both
ends of the tube. Blocks marked `python` are executed in one namespace a page; of blocks marked `console`, the lines
`$ mitk-rs ...` are.
"""

import doctest
import os
import re
import subprocess
import sys
from functools import reduce
from pathlib import Path

import pytest

import mitk_rs
import mitk_rs as mitk
from mitk_rs.seeds import Seed

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]
BLOCK = re.compile(r"^```(?P<language>python|console)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (?P<line>mitk-rs (?:.*\\\n)*.*)$", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)(?P<target>[^)#\s]+)")
SCRIPTS = Path(sys.executable).parent


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    tree = mitk.datasets.vessel_tree(size=(96, 96, 64), spacing=(1.3, 1.3, 2.0), generations=3)
    tree.image.save(folder / "scan.mha")
    mitk.datasets.tube().save(folder / "tube.mha")
    ends = mitk.Seeds([Seed((10, 10, 2), "inlet"), Seed((10, 10, 17), "outlet")])
    mitk.write_seeds(ends, folder / "ends.mrk.json", image=mitk.datasets.tube())
    return folder


@pytest.fixture
def workplace(scans, tmp_path, monkeypatch):
    for scan in scans.iterdir():
        (tmp_path / scan.name).write_bytes(scan.read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_python(code, names, page):
    if ">>>" not in code:
        exec(compile(code, str(page), "exec"), names)
        return
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report = []
    block = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), 0)
    runner.run(block, out=report.append, clear_globs=False)
    # The next block of the page goes on where this one ends.
    names.update(block.globs)
    assert not runner.failures, "".join(report)


def run_commands(code):
    environment = {**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    for command in COMMAND.finditer(code):
        line = command["line"]
        done = subprocess.run(
            ["bash", "-c", line], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"{line}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_code_of_a_page_runs(page, workplace):
    names = {"__name__": "__main__"}
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["language"] == "python":
            run_python(block["code"], names, page)
        else:
            run_commands(block["code"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_a_page_lead_somewhere(page):
    missing = [
        link["target"]
        for link in LINK.finditer(page.read_text(encoding="utf-8"))
        if not (page.parent / link["target"]).exists()
    ]
    assert not missing


def places_of_the_map():
    """The files and folders that the map in the architecture page names."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    house = re.search(r"^```\n(rust/src/.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
    base = ROOT
    for line in house.splitlines():
        indent = len(line) - len(line.lstrip())
        names = re.split(r"\s{2,}", line.strip())[0].split() if indent <= 2 else []
        for name in names:
            yield (base if indent else ROOT) / name
        if not indent:
            base = ROOT / names[0]


def test_the_map_of_the_house_is_true():
    places = list(places_of_the_map())
    assert len(places) > 30
    assert [str(place) for place in places if not place.exists()] == []


PAGE = Path(__file__).parents[2] / "docs" / "mitk_api.md"
ROWS = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("name", [row[0].strip("`") for row in ROWS])
def test_the_name_exists(name):
    assert reduce(getattr, name.split("."), mitk_rs) is not None


def test_rows_compare():
    assert {row[1] for row in ROWS} == {"same", "superset", "different"}
    assert len({row[0] for row in ROWS}) == len(ROWS) > 100


def test_a_difference_has_its_reason():
    assert all(len(row) > 2 and row[2] for row in ROWS if row[1] == "different")
