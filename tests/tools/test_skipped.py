"""`make test` ends by telling what was skipped."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SKIPPED = """<testsuites><testsuite name="pytest"><testcase name="a">
<skipped type="pytest.skip" message="needs test data">here</skipped></testcase><testcase name="b">
<skipped type="pytest.skip" message="needs test data">there</skipped></testcase></testsuite></testsuites>"""
COMPLETE = """<testsuites><testsuite name="pytest"><testcase name="a"/></testsuite></testsuites>"""
CARGO = "test error::tests::names ... ok\ntest pixel::tests::slow ... ignored, takes an hour\n"


def report(folder: Path) -> str:
    command = [sys.executable, str(ROOT / "tools" / "skipped.py"), str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_every_skip_is_told_with_its_reason(tmp_path):
    (tmp_path / "pytest.xml").write_text(SKIPPED)
    (tmp_path / "rust-core.log").write_text(CARGO)
    (tmp_path / "rust-python.log").write_text("skipped: no shared libpython\n")
    assert report(tmp_path).splitlines() == [
        "skipped:",
        "  2 x Python: needs test data",
        "  1 x Rust: no shared libpython",
        "  1 x Rust: pixel::tests::slow: takes an hour",
    ]


def test_nothing_skipped_is_told_too(tmp_path):
    (tmp_path / "pytest.xml").write_text(COMPLETE)
    (tmp_path / "rust-core.log").write_text("test error::tests::names ... ok\n")
    assert report(tmp_path) == "nothing skipped\n"


def test_no_report_is_an_error(tmp_path):
    with pytest.raises(subprocess.CalledProcessError):
        report(tmp_path)
