"""Resolve the newest packages that pyproject.toml allows and write them with their hashes to requirements/.

One resolution covers all groups, so that they agree; each group's file then lists its own closure, for every Python and
platform that the project supports, with the SHA-256 of every file that pip may install.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYTHON = "3.11"
HEADER = "# Made by `make lock`; edit pyproject.toml instead.\n"


def groups() -> dict[str, list[str]]:
    """The requirements of each file: what users get (and the build tool), and the extras."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = pyproject["project"]["dependencies"] + pyproject["build-system"]["requires"]
    extras = pyproject["project"]["optional-dependencies"]
    return {"run": runtime} | {
        name: [*runtime, *extras[name]] for name in ("cluster", "test", "docs", "bench", "audit", "wheel")
    }


def resolve(requirements: list[str], folder: Path, *options: str) -> str:
    """The pins of these requirements, as pip reads them."""
    wanted = folder / "wanted.in"
    wanted.write_text("\n".join(requirements))
    command = [sys.executable, "-m", "uv", "pip", "compile", str(wanted), "--universal", "--python-version", PYTHON]
    command += ["--no-header", "--no-annotate", "--quiet", *options]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def main() -> None:
    everything = sorted({requirement for group in groups().values() for requirement in group})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        constraint = folder / "all.txt"
        constraint.write_text(resolve(everything, folder))
        for group, requirements in groups().items():
            pins = resolve(requirements, folder, "--generate-hashes", "--constraint", str(constraint))
            (ROOT / "requirements" / f"{group}.txt").write_text(HEADER + pins)


if __name__ == "__main__":
    main()
