"""The hosted workflow is YAML, and calls what exists."""

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
STEPS = [(job, step) for job, content in WORKFLOW["jobs"].items() for step in content["steps"]]
COMMANDS = [step["run"] for _, step in STEPS if "run" in step]


def test_commands_name_files_and_verbs_that_exist():
    files = re.findall(r"(?:bash|python) ((?:tools|tests|\.ci)/\S+)", "\n".join(COMMANDS))
    files += re.findall(r"tests/\w+", "\n".join(COMMANDS))
    verbs = {
        verb
        for command in COMMANDS
        for found in re.findall(r"^make ([\w ]+?)(?= \w+=|$)", command, re.M)
        for verb in found.split()
    }
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert len(files) > 3
    assert {"loom", "valgrind", "lint"} <= verbs <= targets
    assert all((ROOT / file).exists() for file in files)


def test_actions_are_pinned_by_commit():
    used = [step["uses"] for _, step in STEPS if "uses" in step]
    assert used
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action) for action in used)
