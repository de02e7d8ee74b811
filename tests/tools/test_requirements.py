"""The pins in requirements/ are what pyproject.toml allows."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PYPROJECT["project"]["optional-dependencies"]


def pins(name):
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    pairs = [re.fullmatch(r"(\S+)==(\S+)", line).groups() for line in lines if line and not line.startswith("#")]
    return {canonicalize_name(package): version for package, version in pairs}


@pytest.mark.parametrize("group", ["run", *EXTRAS])
def test_pins_satisfy_what_is_declared(group):
    declared = PYPROJECT["project"]["dependencies"] + EXTRAS.get(group, [])
    pinned = pins(group)
    for requirement in map(Requirement, declared):
        assert requirement.specifier.contains(pinned[canonicalize_name(requirement.name)]), requirement


@pytest.mark.parametrize("group", list(EXTRAS))
def test_all_groups_agree(group):
    run = pins("run")
    assert {package: version for package, version in pins(group).items() if package in run} == run
