"""Print every test that was skipped in the last `make test`, and why; or that none was.

Reads what the Makefile left in the folder given: pytest's JUnit report and the output of `cargo test`.
"""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

IGNORED_TEST = re.compile(r"^test (?P<name>\S+) .*\.\.\. ignored(?:, (?P<reason>.*))?$", re.MULTILINE)
SKIP_NOTE = re.compile(r"^skipped: (?P<reason>.*)$", re.MULTILINE)


def python_skips(report: Path) -> Counter[str]:
    """Reasons of pytest's skips with their counts."""
    skips = ElementTree.parse(report).iter("skipped")
    return Counter(f"Python: {skip.get('message', 'no reason given')}" for skip in skips)


def rust_skips(log: Path) -> Counter[str]:
    """Ignored Rust tests, and steps that said they were skipped."""
    text = log.read_text()
    ignored = Counter(f"Rust: {m['name']}: {m['reason'] or 'no reason given'}" for m in IGNORED_TEST.finditer(text))
    return ignored + Counter(f"Rust: {m['reason']}" for m in SKIP_NOTE.finditer(text))


def main(folder: Path) -> None:
    skips = python_skips(folder / "pytest.xml")
    for log in sorted(folder.glob("rust-*.log")):
        skips += rust_skips(log)
    lines = [f"  {count} x {reason}" for reason, count in sorted(skips.items())]
    print("\n".join(["skipped:", *lines]) if lines else "nothing skipped")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
