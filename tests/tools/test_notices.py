"""The wheel carries the notices of every crate that is linked into it."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTICES = (ROOT / "THIRD_PARTY_NOTICES.txt").read_text()


@pytest.mark.skipif(shutil.which("cargo") is None, reason="cargo is not installed: it knows which crates are linked")
def test_the_notices_are_those_of_the_locked_crates():
    done = subprocess.run([sys.executable, ROOT / "tools" / "notices.py", "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "up to date\n")


def test_the_direct_dependencies_are_among_them_and_the_wheel_takes_the_file():
    named = set(re.findall(r"^([\w-]+) \d\S* \(", NOTICES, re.MULTILINE))
    declared = tomllib.loads((ROOT / "Cargo.toml").read_text())["dependencies"]
    assert set(declared) <= named
    assert "THIRD_PARTY_NOTICES.txt" in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["license-files"]
