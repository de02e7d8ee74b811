"""Run the code of a Markdown page in the current folder, from top to bottom, as a reader would type it.

    python tools/run_page.py README.md

Blocks marked `python` are executed in one namespace (with `>>>` as doctests); of blocks marked `console`, the lines
that begin with `$` are run by bash, but for those that set something up (`make`, `pip`). Ends with 1 at the first that
fails.
It needs the standard library only, so that it runs in an environment that holds nothing but the wheel.
"""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"^```(?P<language>python|console)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^\$ (?P<line>(?!make |pip )(?:.*\\\n)*.*)$", re.MULTILINE)
SCRIPTS = Path(sys.executable).parent


class PageError(Exception):
    """Code of a page does not do what the page says."""


def run_page(page: Path) -> None:
    """Run every block.

    Raises
    ------
    PageError
        A command fails or a doctest prints something else; errors of other Python code come as they are.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in BLOCK.finditer(page.read_text(encoding="utf-8")):
        if block["language"] == "python":
            run_python(block["code"], names, page)
        else:
            run_commands(block["code"])


def run_python(code: str, names: dict[str, Any], page: Path) -> None:
    if ">>>" not in code:
        exec(compile(code, str(page), "exec"), names)
        return
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    report: list[str] = []
    block = doctest.DocTestParser().get_doctest(code, names, page.name, str(page), 0)
    runner.run(block, out=report.append, clear_globs=False)
    # The next block of the page goes on where this one ends.
    names.update(block.globs)
    if runner.failures:
        raise PageError("".join(report))


def run_commands(code: str) -> None:
    environment = {**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    for command in COMMAND.finditer(code):
        line = command["line"]
        done = subprocess.run(
            ["bash", "-c", line], env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120
        )
        if done.returncode:
            raise PageError(f"{line}\nstatus {done.returncode}: {done.stderr}")


if __name__ == "__main__":
    run_page(Path(sys.argv[1]))
