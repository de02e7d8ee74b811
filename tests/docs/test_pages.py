"""Code in README and docs/ runs, from top to bottom of each page, as a reader would type it: see tools/run_page.py.

The README runs in an empty folder. The folder of the other pages holds what `mitk-rs sample scan.mha --seeds
seeds.mrk.json --truth truth.mha` writes, `tube.mha`, `ends.mrk.json` (points at both ends of the tube), and DICOM
series in `dicom/`, `two_series/` and `gap/`.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from functools import reduce
from pathlib import Path

import dicom_files
import numpy as np
import pytest

import mitk_rs
import mitk_rs as mitk
from mitk_rs.seeds import Seed

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
PAGES = sorted((ROOT / "docs").glob("**/*.md"))
FENCE = re.compile(r"^```(?P<language>[^\n]*)\n.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?://|#|mailto:)(?P<target>[^)#\s]+)")
# Pages that `make docs` writes; it checks every link of the site.
MADE = [ROOT / "docs" / name for name in ("api/index.rst", "gallery/index.rst", "tutorials/index.rst")]
MADE.append(ROOT / "docs" / "reference" / "commands.md")
MITK_RS = Path(sys.executable).with_name("mitk-rs")

specification = importlib.util.spec_from_file_location("run_page", ROOT / "tools" / "run_page.py")
run_page = importlib.util.module_from_spec(specification)
specification.loader.exec_module(run_page)


@pytest.fixture(scope="module")
def scans(tmp_path_factory):
    folder = tmp_path_factory.mktemp("scans")
    sample = ["sample", "scan.mha", "--seeds", "seeds.mrk.json", "--truth", "truth.mha"]
    subprocess.run([MITK_RS, *sample], cwd=folder, check=True, timeout=120)
    mitk.datasets.tube().save(folder / "tube.mha")
    ends = mitk.Seeds([Seed((10, 10, 2), "inlet"), Seed((10, 10, 17), "outlet")])
    mitk.write_seeds(ends, folder / "ends.mrk.json", image=mitk.datasets.tube())
    for name, heights in (("dicom", (0, 2, 4, 6)), ("two_series", (0, 2, 4)), ("gap", (0, 2, 6, 8))):
        (folder / name).mkdir()
        for number, height in enumerate(heights):
            dicom_files.write_slice(
                folder / name / f"{number}.dcm", np.ones((4, 5), "i2"), (0, 0, height), number=number
            )
    dicom_files.write_slice(folder / "two_series" / "other.dcm", np.zeros((4, 5), "i2"), (0, 0, 0), series=2)
    return folder


@pytest.fixture
def workplace(scans, tmp_path, monkeypatch):
    shutil.copytree(scans, tmp_path, copy_function=os.link, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_readme_works_as_pasted_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_page.run_page(README)
    written = {path.name for path in tmp_path.iterdir()}
    assert {"scan.mha", "seeds.mrk.json", "vessel.mha", "vessel.stl", "vessel.png", "branch.png", "fast.mha"} <= written


def test_the_readme_leaves_nothing_out_but_setting_up():
    lines = re.findall(r"^\$ (\S+ \S+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert {line for line in lines if not line.startswith("mitk-rs ")} == {"make demo", "make test", "pip install"}
    assert {block["language"] for block in FENCE.finditer(README.read_text(encoding="utf-8"))} == {"console", "python"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_code_of_a_page_runs(page, workplace):
    run_page.run_page(page)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_block_says_whether_it_is_run(page):
    languages = {block["language"] for block in FENCE.finditer(page.read_text(encoding="utf-8"))}
    assert languages <= {"python", "console", "sh", "text", "{toctree}"}


@pytest.mark.parametrize("page", [README, *PAGES], ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_of_a_page_lead_somewhere(page):
    targets = [page.parent / link["target"] for link in LINK.finditer(page.read_text(encoding="utf-8"))]
    assert [str(target) for target in targets if not target.exists() and target.resolve() not in MADE] == []


def places_of_the_map():
    """The files and folders that the map in the architecture page names."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    house = re.search(r"^```text\n(rust/src/.*?)^```$", page, re.MULTILINE | re.DOTALL)[1]
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


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "mitk_api.md"
ROWS = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("name", [row[0].strip("`") for row in ROWS])
def test_the_name_exists(name):
    assert reduce(getattr, name.split("."), mitk_rs) is not None


def test_rows_compare():
    assert {row[1] for row in ROWS} == {"same", "superset", "different"}
    assert len({row[0] for row in ROWS}) == len(ROWS) > 100


def test_a_difference_has_its_reason():
    assert all(len(row) > 2 and row[2] for row in ROWS if row[1] == "different")
