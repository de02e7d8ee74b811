"""The tool that records what every command does, and compares two records."""

import importlib.util
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mitk_rs.cli.main import COMMANDS
from mitk_rs.vmtk import COMMANDS as VMTK_COMMANDS

TOOL = Path(__file__).resolve().parents[2] / "tools" / "record_commands.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("record_commands", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_command_and_script_is_recorded_more_than_once_in_all(tool):
    lines = [shlex.split(line) for table in (tool.NATIVE, tool.VMTK, tool.SCAN) for line in tool._lines(table)]
    words = {word for line in lines for part in line for word in part.split()}
    assert set(COMMANDS) | set(VMTK_COMMANDS) <= words
    assert len(lines) > 60
    assert len({tuple(line) for line in lines}) == len(lines)


def test_a_line_is_described_by_what_it_prints_returns_and_writes(tool, tmp_path):
    (tmp_path / "old").write_text("same")
    (tmp_path / "gone").write_text("")
    code = (
        "import os, sys; open('new', 'w').write('x'); os.remove('gone'); print('in 0.25 s', os.getcwd()); sys.exit(4)"
    )
    done = tool.run([sys.executable, "-c", code], tmp_path)
    assert (done["status"], done["stdout"], done["stderr"]) == (4, "in <seconds> s <folder>\n", "")
    assert (list(done["files"]), done["removed"]) == (["new"], ["gone"])


RUN = {"status": 0, "stdout": "a\nb\n", "stderr": "", "files": {"x": "1" * 64}, "removed": []}


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"status": 3}, "status 0 -> 3"),
        ({"stdout": "a\nc\n"}, "stdout: -b"),
        ({"stderr": "oops\n"}, "stderr: +oops"),
        ({"files": {"x": "2" * 64}}, "file x: 111111111111 -> 222222222222"),
        ({"files": {}}, "file x: 111111111111 -> not written"),
        ({"removed": ["y"]}, "removed [] -> ['y']"),
    ],
)
def test_every_difference_is_printed_and_is_a_failure(tmp_path, change, told):
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps({"line": RUN}))
    after.write_text(json.dumps({"line": RUN | change}))
    done = subprocess.run([sys.executable, TOOL, "compare", before, after], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert told in done.stdout


def test_equal_records_are_a_success_and_missing_lines_are_not(tool, tmp_path):
    same = tmp_path / "same.json"
    same.write_text(json.dumps({"line": RUN}))
    assert subprocess.run([sys.executable, TOOL, "compare", same, same], check=True, capture_output=True)
    assert tool.differences({"a": RUN}, {"b": RUN}) == ["only in the first record: a", "only in the second record: b"]
