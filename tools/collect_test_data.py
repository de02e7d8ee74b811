"""Copy the test data out of a clone of vmtk/vmtk-test-data into the folder that MITK_RS_TEST_DATA names.

    python tools/collect_test_data.py CLONE FOLDER

The files are found by their SHA-256 sums, under whatever names the clone has them; one that is missing is an error.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path

SUMS = {
    "435c368b6ce04011b94bceb9f9a62110d49934417a96b73aafec57aba41cfca0": "aorta.mha",
    "24f813a08188845f9b5f49c7fa3b7e604ceec0a464747c0d8f43741e12f8a8a8": "vmtk_reference_fastmarching.mha",
    "d3dbf11ffa96bc74ead76c43ad8dd422fef333694787d2d67c6bf5672ee70651": "vmtk_reference_isosurface.mha",
    "1a8a8f91a7a039c0a18c16c06bc27f1c6305c27a860d8064226ece26084eb20d": "vmtk_reference_threshold.mha",
}


def main(clone: Path, folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = dict(SUMS)
    for path in sorted(clone.rglob("*.mha")):
        name = wanted.pop(hashlib.sha256(path.read_bytes()).hexdigest(), None)
        if name is not None:
            shutil.copyfile(path, folder / name)
    if wanted:
        print(f"{clone} does not hold: {', '.join(wanted.values())}", file=sys.stderr)
    return 1 if wanted else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
