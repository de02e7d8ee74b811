"""The pins in requirements/ are what pyproject.toml allows, and every one has hashes."""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = PYPROJECT["project"]["optional-dependencies"]


def entries(name):
    """Each pin with its hashes: a requirement, and what follows it."""
    text = (ROOT / "requirements" / f"{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(Requirement(line.partition(" --hash=")[0]), re.findall(r"--hash=(\S+)", line)) for line in lines]


def pins(name):
    """The versions for this interpreter."""
    here = [pin for pin, _ in entries(name) if pin.marker is None or pin.marker.evaluate()]
    return {canonicalize_name(pin.name): next(iter(pin.specifier)).version for pin in here}


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


@pytest.mark.parametrize("group", ["run", *EXTRAS])
def test_every_pin_is_exact_and_has_hashes(group):
    for pin, hashes in entries(group):
        assert [specifier.operator for specifier in pin.specifier] == ["=="], pin
        assert hashes, pin
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", found) for found in hashes)


def test_the_makefile_installs_nothing_without_a_hash():
    recipe = (ROOT / "Makefile").read_text()
    assert "--require-hashes --requirement requirements/$*.txt" in recipe


def test_the_audit_looks_up_every_pin_and_fails_where_it_cannot():
    """Without --strict packages that the index does not know are reported as skipped, with status 0."""
    recipe = (ROOT / "Makefile").read_text().partition("\naudit:")[2].partition("\n\n")[0]
    files, options = re.search(r"for file in (\S+); do \$\(PY\) -m pip_audit (.*)\$\$file", recipe).groups()
    assert set(ROOT.glob(files)) >= {ROOT / "requirements" / f"{group}.txt" for group in ["run", *EXTRAS]}
    assert "--strict" in options.split()
