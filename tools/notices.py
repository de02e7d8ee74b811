"""Collect the notices of the crates that are linked into the wheel: THIRD_PARTY_NOTICES.txt.

    python tools/notices.py            write the file
    python tools/notices.py --check    exit with 1 if it is not up to date

Licences such as MIT and BSD ask that their text goes with binaries. The texts are those in the crates themselves.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "THIRD_PARTY_NOTICES.txt"
TARGETS = ("x86_64-unknown-linux-gnu", "aarch64-unknown-linux-gnu")
NAMES = ("license", "licence", "copying", "notice", "unlicense")
HEADER = """Notices of the Rust crates that are linked into mitk_rs. Made by tools/notices.py from Cargo.lock.
"""


def linked() -> dict[str, Any]:
    """The crates that end up in the library, by name and version: no build scripts, no macros' own crates, no tests."""
    crates: dict[str, Any] = {}
    for target in TARGETS:
        command = [
            "cargo",
            "metadata",
            "--locked",
            "--format-version=1",
            "--features=python",
            "--filter-platform",
            target,
        ]
        found = json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout)
        packages = {package["id"]: package for package in found["packages"]}
        nodes = {node["id"]: node for node in found["resolve"]["nodes"]}
        waiting, seen = [found["resolve"]["root"]], set()
        while waiting:
            node = nodes[waiting.pop()]
            for dependency in node["deps"]:
                normal = any(kind["kind"] is None for kind in dependency["dep_kinds"])
                if normal and dependency["pkg"] not in seen:
                    seen.add(dependency["pkg"])
                    waiting.append(dependency["pkg"])
        for name in seen:
            package = packages[name]
            crates[f"{package['name']} {package['version']}"] = package
    return crates


def notice(name: str, package: dict[str, Any]) -> str:
    """What one crate says about its licence."""
    folder = Path(package["manifest_path"]).parent
    files = sorted(path for path in folder.iterdir() if path.name.lower().startswith(NAMES) and path.is_file())
    if not files:
        authors = ", ".join(package["authors"]) or "the authors of the crate"
        texts = [f"No licence file in the crate. Copyright: {authors}. {package['repository'] or ''}".strip()]
    else:
        texts = [path.read_text(errors="replace").strip() for path in files]
    rule = "=" * 100
    return "\n\n".join([f"{rule}\n{name} ({package['license']})\n{rule}", *texts]) + "\n"


def main(words: list[str]) -> int:
    crates = linked()
    text = HEADER + "\n" + "\n\n".join(notice(name, crates[name]) for name in sorted(crates))
    if words == ["--check"]:
        current = FILE.exists() and FILE.read_text() == text
        print("up to date" if current else f"{FILE.name} is not up to date: run python tools/notices.py")
        return int(not current)
    FILE.write_text(text)
    print(f"{FILE.name}: {len(crates)} crates")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
