"""Type checkers see what users call: both of them, on programs as users write them."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MISTAKES = {
    number
    for number, line in enumerate((HERE / "mistakes.py").read_text().splitlines(), start=1)
    if "(" in line and "  # " in line
}


def mypy(name: str) -> set[int]:
    """Lines that mypy complains of."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--no-pretty",
        "--config-file=",
        "--cache-dir=../../.mypy_cache",
        name,
    ]
    done = subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", timeout=280)
    assert not done.stderr
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert all(line.startswith(name) for line in errors), done.stdout
    return {int(line.split(":")[1]) for line in errors}


def pyright(name: str) -> set[int]:
    """Lines that pyright complains of."""
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--level=error", name]
    done = subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", timeout=280)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"}


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_calls_of_users_have_the_types_that_are_documented(checker):
    assert checker("arrays_and_images.py") == set()


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_mistakes_of_users_are_seen_before_the_program_runs(checker):
    assert len(MISTAKES) == 9
    assert checker("mistakes.py") == MISTAKES
