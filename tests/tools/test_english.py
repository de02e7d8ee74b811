"""The tool that finds sentences which CONTRIBUTING.md advises against."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("english", ROOT / "tools" / "english.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


AVOID = [
    "x is no image",
    "the parts are\nno numbers",
    "an axis that the image has not at all",
    "the gap is told",
    "the page tells how",
    "general manners",
    "this method and its kin",
    "the house",
    "the line cannot be understood",
    "whoever changes a voxel",
    "what hangs together with a seed",
    "it is dropped without a word",
    "the doorway to the core",
    "addresses of the web",
    "the package that stands above",
    "which is its right",
    "they have not got one such",
    "the sane result",
    "quite another way",
]
PLAIN = [
    "x is not an image",
    "there is no image",
    "it is no longer there",
    "the image has not been read",
    "the image has not changed",
    "an axis that the image does not have",
    "the gap is reported",
    "the line is in the file",
]


@pytest.mark.parametrize("sentence", AVOID)
def test_an_unclear_sentence_is_found(tool, sentence):
    assert list(tool.findings(sentence))


@pytest.mark.parametrize("sentence", PLAIN)
def test_a_plain_sentence_is_not(tool, sentence):
    assert list(tool.findings(sentence)) == []


def test_a_finding_names_file_and_line_and_fails(tool, tmp_path, monkeypatch, capsys):
    page = tmp_path / "page.md"
    page.write_text("# Title\n\nx is no image, but `x is no image` is code.\n\n```\nx is no image\n```\n")
    module = tmp_path / "module.py"
    module.write_text('def f():\n    """A docstring.\n\n    x is no image.\n    """\n    x = "is_no_sentence"\n')
    monkeypatch.setattr("sys.argv", ["english.py", str(page), str(module)])
    assert tool.main() == 1
    found = capsys.readouterr().out.splitlines()
    assert [line.split(": ")[0] for line in found] == [f"{page}:3", f"{module}:4"]


def test_every_rule_is_tried(tool):
    unused = [pattern for pattern in tool.RULES if not any(re.search(pattern, text) for text in AVOID)]
    assert unused == []


def test_all_pages_and_modules_are_read(tool):
    files = {path.relative_to(ROOT).as_posix() for path in tool.files()}
    assert {"README.md", "docs/reference/cli.md", "CHANGELOG.md", "python/mitk_rs/cli/main.py"} <= files
