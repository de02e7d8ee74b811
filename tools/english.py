"""Find sentences that CONTRIBUTING.md ("English") advises against.

    python tools/english.py [FILE ...]

Reads the pages (README.md, docs/, ...), and in Python files the docstrings, messages and help texts; without files,
all of the project's. Code blocks and inline code are skipped. Prints `FILE:LINE: words: advice` and exits with 1 if it
finds any.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

# Words to avoid, and what to write instead.
RULES: tuple[tuple[str, str], ...] = (
    (r"(?<!there\s)(?<!There\s)\b(?:is|are|was) no (?!longer\b|more\b|less\b|other\b|such\b)", "write: is not a ..."),
    (
        r"\b(?:has|have) not (?!been\b|yet\b|\w+(?:ed|en)\b|(?:come|got|had|made|gone|run|read|set|begun|met)\b)",
        "write: does not have ...",
    ),
    (r"\b(?:is|are|was|were|be|been|not|as) told\b|\btold (?:as|of|by|with)\b", "write: reported, named, passed"),
    (r"\b(?:tell|tells) (?:how|what|of|that)\b", "write: say, report, describe"),
    (r"\bmanners?\b", "write: behaviour, way"),
    (r"\b[Tt]he line (?:cannot|says|is checked|to type)\b|\bon the line\b", "write: the command line, the command"),
    (r"\band (?:its|their) kin\b", "write: and related ..."),
    (r"\bthe house\b", "write: the package, the layout"),
    (r"\bdoorway\b", "write: entry point, call"),
    (r"\baddresses of the web\b", "write: URLs"),
    (r"\b(?:stand|stands) (?:above|below|for it|in it|there|behind|before|beside)\b", "write: is"),
    (r"\bwithout a word\b", "write: silently, without a warning"),
    (r"\bits right\b", "write: allowed"),
    (r"\bhangs? (?:on|together)\b", "write: depends on, is connected to"),
    (r"\bone such\b", "write: one, such a ..."),
    (r"\bthe sane\b", "write: the corrected"),
    (r"\bwhoever\b|\bWhoever\b", "write: if another thread ..., callers that ..."),
    (r"\bquite (?:another|other)\b", "write: different"),
)
PAGES = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "RELEASE.md", "SECURITY.md", "docs", "benches")
SCRIPTS = ("python", "examples", "docs")


def findings(text: str) -> Iterator[tuple[int, str, str]]:
    """Line (from 1), words and advice for every rule that a text breaks; words may stand on two lines."""
    for pattern, advice in RULES:
        for found in re.finditer(pattern.replace(" ", "[ \n]+"), text):
            yield text.count("\n", 0, found.start()) + 1, " ".join(found.group().split()), advice


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
