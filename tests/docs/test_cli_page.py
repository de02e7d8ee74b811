"""The page about the command says what the command does."""

import re
import shlex
from pathlib import Path

import pytest

from mitk_rs.cli.console import ExitCode
from mitk_rs.cli.files import IMAGE_SUFFIXES, SURFACE_SUFFIXES
from mitk_rs.cli.main import COMMANDS, build_parsers
from mitk_rs.vmtk.tables import METHODS

PAGE = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()
LINES = re.findall(r"^(?:\$ )?mitk-rs (.+)$", PAGE, re.MULTILINE)
# Its options have a page of their own.
ELSEWHERE = {"mip"}


@pytest.mark.parametrize("line", LINES)
def test_lines_of_the_page_are_understood(line):
    words = shlex.split(line.partition(">")[0])
    _, commands = build_parsers()
    assert commands[words[0]].parse_args(words[1:])


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ELSEWHERE])
def test_the_page_names_every_option(name):
    assert f"## {name}\n" in PAGE
    _, commands = build_parsers()
    options = {option for action in commands[name]._actions for option in action.option_strings}
    missing = [option for option in options - {"-h"} if not re.search(rf"(?<![\w-]){option}(?![\w-])", PAGE)]
    assert missing == []


def test_the_page_names_methods_endings_and_statuses():
    for word in (*METHODS, *IMAGE_SUFFIXES, *SURFACE_SUFFIXES):
        assert word in PAGE
    for code in ExitCode:
        assert f"| {code.value} |" in PAGE
