"""No argument and no shortage of memory ends the process, hangs it, or raises what is not ours.

Every public function is found by walking the package (`public_surface`) and tried in children with limits of memory and
time (`sweep`). The ordinary suite takes a part of the values for each argument, and a part of the functions with a few
of the 50 amounts of memory; `make sweep` (`MITK_RS_SWEEP=full`) takes all.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from children import needs_limits
from public_surface import Call, calls

FULL = os.environ.get("MITK_RS_SWEEP") == "full"
STEP = "1" if FULL else "70"
SUPPORT = Path(__file__).parents[1] / "support"
CALLS = calls()
GROUPS = 8 if FULL else 1
# A crash ends its part only.
PARTS = 31 if FULL else 1
# What refuses whatever it gets here: it asks for a folder of DICOM files, or for an object of its own class.
REFUSED = ("list_series", "TemporoSpatialStringProperty.from_value", "Image.__getitem__")
pytestmark = [needs_limits, pytest.mark.timeout(3600)]


def sweep(how: str, names: list[str], folder: Path) -> tuple[Counter[str], list[dict[str, Any]]]:
    """What a child counted, and what must not have happened."""
    command = [sys.executable, "-X", "faulthandler", str(SUPPORT / "sweep.py"), how, *names]
    environment = {**os.environ, "MITK_RS_SWEEP_STEP": STEP, "MITK_RS_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "1"}
    # Larger pieces come from the system and go back to it, so that every amount of memory counts from the same state.
    environment["MALLOC_MMAP_THRESHOLD_"] = str(1 << 17)
    with (folder / "log").open("w") as log:
        done = subprocess.run(
            command,
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=log,
            env=environment,
            text=True,
            timeout=3000,
            check=False,
        )
    last = (folder / "log").read_text(errors="replace")[-2000:]
    assert done.returncode == 0, f"the child ended with {done.returncode} in {last}"
    # VTK prints between the lines of JSON.
    *wrong, counts = (json.loads(line) for line in done.stdout.splitlines() if line.startswith("{"))
    return Counter(counts["counts"]), wrong


# ITK crashes where a warning of its own import is an error.
@pytest.mark.filterwarnings("ignore")
def test_everything_public_can_be_called(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused = []
    for call in CALLS:
        if call.name in REFUSED:
            continue
        try:
            call.prepare(call.good())()
        except ModuleNotFoundError:
            assert "torch" in call.name
        except Exception as error:
            refused.append(f"{call.name}: {type(error).__name__}: {error}")
    assert not refused
    assert len(CALLS) > 200


@pytest.mark.parametrize("part", range(PARTS))
def test_extreme_arguments_are_refused_or_served(part, tmp_path):
    counts, wrong = sweep("arguments", [call.name for call in CALLS[part::PARTS]], tmp_path)
    print(f"\nreliability: extreme arguments: {dict(counts)}")
    assert not wrong
    assert counts.total() > 500


@pytest.mark.parametrize("part", range(GROUPS))
def test_a_shortage_of_memory_is_a_memory_error(part, tmp_path):
    names = [call.name for call in CALLS[part :: GROUPS if FULL else 12] if takes_memory(call)]
    counts, wrong = sweep("memory", names, tmp_path)
    print(f"\nreliability: memory short: {dict(counts)}")
    assert not wrong
    assert counts["short of memory"] > 0


def takes_memory(call: Call) -> bool:
    """What reads or makes voxels, pictures, files; points and geometries fit wherever Python does."""
    return call.name not in REFUSED and not call.name.split(".")[0].endswith(
        ("Geometry", "Geometry3D", "Property", "Point2D", "Point3D", "Path")
    )
