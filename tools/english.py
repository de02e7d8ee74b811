"""Find sentences that CONTRIBUTING.md ("English") advises against.

    python tools/english.py [FILE ...]

Reads the pages (README.md, docs/, ...), and in Python files the docstrings, messages and help texts; without files,
all of the project's. The words are those of tools/styles, which Vale reads, too. Code blocks and inline code are
skipped. Prints `FILE:LINE: words: advice` and exits with 1 if it finds any.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent

WORDS = ROOT / "tools" / "styles" / "PlainEnglish" / "Words.yml"
RULES: dict[str, str] = yaml.safe_load(WORDS.read_text(encoding="utf-8"))["swap"]  # pattern: advice
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "RELEASE.md", "SECURITY.md", "docs", "benches")
SCRIPTS = ("python", "examples", "docs")


def findings(text: str) -> Iterator[tuple[int, str, str]]:
    """Line (from 1), words and advice for every rule that a text breaks; words may stand on two lines."""
    for pattern, advice in RULES.items():
        for found in re.finditer(pattern.replace(" ", "[ \n]+"), text):
            yield text.count("\n", 0, found.start()) + 1, " ".join(found.group().split()), f"write {advice}"


def prose_of_page(text: str) -> str:
    """A Markdown page with its code blanked out, line by line."""
    blank = lambda found: re.sub(r"[^\n]", " ", found.group())  # noqa: E731
    text = re.sub(r"(?ms)^( *)(```|~~~).*?^\1\2", blank, text)
    return re.sub(r"`[^`\n]*`", blank, text)


def prose_of_module(text: str) -> Iterator[tuple[int, str]]:
    """Line and text of every string of a Python module that has a space in it."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " in node.value:
            yield node.lineno, re.sub(r"`[^`\n]*`", lambda found: " " * len(found.group()), node.value)


def check(path: Path) -> list[str]:
    """What is wrong with a file, one line each."""
    text = path.read_text(encoding="utf-8")
    parts = prose_of_module(text) if path.suffix == ".py" else [(1, prose_of_page(text))]
    return [
        f"{path}:{start + line - 1}: {words}: {advice}"
        for start, part in parts
        for line, words, advice in findings(part)
    ]


def files() -> list[Path]:
    pages = [
        page for name in PAGES for page in ([ROOT / name] if name.endswith(".md") else (ROOT / name).rglob("*.md"))
    ]
    scripts = [script for name in SCRIPTS for script in (ROOT / name).rglob("*.py")]
    return sorted([*pages, *scripts])


def main() -> int:
    found = [line for path in (map(Path, sys.argv[1:]) if sys.argv[1:] else files()) for line in check(path)]
    print("\n".join(found), end="\n" if found else "")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
