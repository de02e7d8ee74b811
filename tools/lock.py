"""Resolve the newest packages that pyproject.toml allows and write them, pinned, to requirements/.

One resolution covers all groups, so that they agree; each group's file then lists its own closure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def resolve(requirements: list[str], *, constraint: Path | None = None) -> list[str]:
    """Return the pins pip would install for `requirements`, newest first come."""
    command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--quiet", "--report", "-"]
    command += ["--constraint", str(constraint)] if constraint else []
    report = json.loads(subprocess.run([*command, *requirements], check=True, stdout=subprocess.PIPE).stdout)
    packages = [entry["metadata"] for entry in report["install"]]
    return sorted((f"{package['name']}=={package['version']}" for package in packages), key=str.lower)


def groups() -> dict[str, list[str]]:
    """The requirements of each file: what users get (and the build tool), and the extras."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    runtime = pyproject["project"]["dependencies"] + pyproject["build-system"]["requires"]
    extras = pyproject["project"]["optional-dependencies"]
    return {"run": runtime} | {name: [*runtime, *extras[name]] for name in ("test", "docs", "bench")}


def main() -> None:
    everything = sorted({requirement for group in groups().values() for requirement in group})
    with tempfile.TemporaryDirectory() as folder:
        constraint = Path(folder) / "all.txt"
        constraint.write_text("\n".join(resolve(everything)))
        for name, requirements in groups().items():
            pins = resolve(requirements, constraint=constraint)
            text = "# Made by `make lock`; edit pyproject.toml instead.\n" + "\n".join(pins) + "\n"
            (ROOT / "requirements" / f"{name}.txt").write_text(text)


if __name__ == "__main__":
    main()
