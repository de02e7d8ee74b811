"""Record what every command prints, returns and writes, and compare two records.

    python tools/record_commands.py record before.json
    python tools/record_commands.py compare before.json after.json

`record` makes its inputs in a temporary folder, runs each line of the table below there, one after the other, without
a display and with standard input closed, and stores the exit status, standard output, standard error, and the SHA-256
of every file that the line made or changed. The real scan takes part where `MITK_RS_TEST_DATA` names its folder. What
differs from run to run (seconds, versions, the folder) is replaced by a sign. `compare` prints every difference and
exits with 1 if there is one. So a change of structure can show that it changes no byte.
"""

from __future__ import annotations

import argparse
import difflib
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = [sys.executable, "-m", "mitk_rs.cli.main"]
SECONDS = 300

_FRONTS = "--lower 50 --source 10 10 2 --target 10 10 17"
_AORTA = "--lower 700 --source 71 213 16 --target 58 78 22"
_VMTK_AORTA = "-lowerthreshold 700 -sourcepoints 71 213 16 -targetpoints 58 78 22 -interactive 0"

# Lines of mitk-rs. A later line may use what an earlier one wrote.
NATIVE = f"""
--version
--help
init --help
mip --help
surface --help
info --help
convert --help
crop --help
doctor --help
completion --help
features --help
evolve --help
segment --help
pick --help
batch --help
seeds --help
sample --help
completion bash
completion zsh
completion fish
doctor
nonsense
inti tube.mha
init
init tube.mha
init missing.mha -o y.mha
init empty.mha -o y.mha
init text.nrrd -o y.mha --method threshold --lower 1
init cut.mha -o y.mha --method threshold --lower 1
init tube.mha --method bogus -o y.mha
init tube.mha --sorce 1 2 3 -o y.mha
init tube.mha --lower abc -o y.mha
init tube.mha -o nowhere/y.mha
init tube.mha -o y.xyz --lower 50
init tube.mha -o tube.mha --force --method threshold --lower 50
init tube.mha --method threshold -o y.mha
init tube.mha --method seeds --source 100 2 3 -o y.mha
init tube.mha --method seeds -o y.mha
init tube.mha --method fastmarching --lower 50 --source 10 10 2 --target 0 0 0 -o y.mha
init tube.mha --method fastmarching --lower 50 --source 10 10 2 -o y.mha
init tube.mha --method threshold --lower nan -o y.mha
init tube.mha --method threshold --lower 500 -o none.mha
init tube.mha --method threshold --lower 500 -o y.mha --fail-empty
init tube.mha --interactive -o y.mha
init series.mha --method threshold --lower 50 -o y.mha
init color.png --method threshold --lower 50 -o y.mha
init tube.mha --method threshold --lower 50 -o threshold.mha --surface threshold.stl
init tube.mha --method threshold --lower 50 -o threshold.mha
init tube.mha --method threshold --lower 50 --upper 200 -o threshold.nii.gz --json
init tube.mha --method isosurface --isosurface 50 -o iso.vti --surface iso.vtp
init tube.mha --method isosurface --isosurface 50 --negate -o iso.nrrd -q
init tube.mha --method seeds --source 10 10 2 --target 10 10 17 -o seeds.mhd
init tube.mha {_FRONTS} -o fronts.mha --surface fronts.obj
init tube.mha {_FRONTS} --compat vmtk -o fronts_vmtk.mha
init tube.mha {_FRONTS} --far-value 7 --threads 1 -o fronts_far.vtk --surface fronts.ply
init tube.mha --method multiplecollidingfronts {_FRONTS} --source 12 10 2 --target 12 10 17 --combine sum -o many.nhdr
init tube.mha --method fastmarching {_FRONTS} -o march.mha --json
init tube.mha --method fastmarching {_FRONTS} --compat vmtk -o march_vmtk.mha
init tube.mha --method fastmarching --lower 50 --source 10 10 2 --stop-time 3 -o stop.mha
init tube.mha --method fastmarching --lower 50 --points physical --source 2 7 9 --target 2 7 24 -o physical.mha
init -ifile tube.mha -method threshold -lowerthreshold 50 -olevelsetsfile one_dash.mha -osurfacefile one_dash.stl
init -ifile tube.mha -sourcepoints 10 10 2 -targetpoints 10 10 17 -lowerthreshold 50 -olevelsetsfile fronts2.mha
init -ifile tube.mha -method isosurface -isosurface 50 -isosurface 60 -olevelsetsfile twice.mha
init tube.mha -disabled 1 -o y.mha
init series.mha --time-step 1 --method threshold --lower 11 -o step.mha
init series.mha --time-step 9 --method threshold --lower 50 -o y.mha
init slices --method threshold --lower 50 -o slices.mha --surface slices.stl
init oblique.nii.gz --method isosurface --isosurface 50 -o oblique.nrrd --surface oblique.stl --json
features tube.mha -o feature.mha
features tube.mha -o feature_sigma.nrrd --sigma 1 --json
evolve tube.mha --initial threshold.mha -o evolved.mha --surface evolved.stl --iterations 3
evolve tube.mha --initial missing.mha -o y.mha --iterations 3
segment tube.mha {_FRONTS} -o segmented.mha --mask mask.nii.gz --iterations 3 --json
segment tube.mha --lower 50 -o y.mha
batch missing.csv -o cases
seeds points.csv --image tube.mha
seeds points.csv points.mrk.json --image tube.mha --json
seeds missing.csv
sample sample.mha --seeds sample.csv --truth sample_truth.nrrd --json
sample nowhere/sample.mha
surface threshold.mha -o s.stl
surface threshold.mha -o s.vtp --json
surface threshold.mha -o s.ply
surface threshold.mha -o s.obj
surface threshold.mha -o s.vtk
surface tube.mha -o s50.stl --level 50
surface tube.mha -o y.stl --level 5000
surface tube.mha -o y.gif
surface color.png -o y.stl
info tube.mha
info tube.mha --json
info tube.mha --statistics
info tube.mha --histogram
info series.mha --statistics --json
info oblique.nii.gz
info color.png
info slices
info missing.mha
info cut.mha --statistics
info text.nrrd
convert tube.mha c.mha
convert tube.mha c.mhd
convert tube.mha c.nrrd
convert tube.mha c.nhdr
convert tube.mha c.nii
convert tube.mha c.nii.gz
convert tube.mha c.vti
convert tube.mha c.vtk
convert tube.mha c.npy --json
convert series.mha c4.nrrd
convert series.mha c4.vti
convert series.mha c1.mha --time-step 1
convert series.mha y.mha --time-step 7
convert oblique.nii.gz c.hdr
convert oblique.nii.gz half.mha --pixel-type uint8
convert oblique.nii.gz half.mha --pixel-type uint8 --round
convert tube.mha c.png
convert color.png c.tif
convert color.png c.jpg
convert slices c_slices.nrrd
convert tube.mha c.xyz
convert tube.mha ./c.mha
convert tube.mha c.mha --force
crop tube.mha p.mha --index 5 14 5 14 0 9
crop tube.mha p_start.mha --start 5 5 0 --stop 15 15 10
crop tube.mha p.nrrd --box -1 4 3 10 8 20 --json
crop oblique.nii.gz p.vti --index 1 3 1 3 1 3
crop series.mha p4.nrrd --index 1 3 1 3 1 2
crop tube.mha y.mha --index 5 25 5 14 0 9
crop tube.mha y.mha --box 900 901 900 901 900 901
crop tube.mha y.mha
mip tube.mha -o m.png
mip tube.mha -o m_y.png --axis y --overlay threshold.mha --seeds 10 10 2 10 10 17 --size 200 200
mip tube.mha -o m.tif --bits 16
mip tube.mha -o m.npy --axis all
mip tube.mha -o m.mha --axis x --kind mean
mip tube.mha -o m_min.nrrd --kind min --slab 3:9
mip tube.mha -o m_depth.npy --kind argmax
mip tube.mha -o v.png --azimuth 30 --elevation 10 --size 120 90
mip tube.mha -o v.npy --azimuth 30 --size 60 45 --perspective
mip tube.mha -o v_depth.npy --azimuth 30 --kind depth --size 60 45
mip tube.mha -o turn.gif --spin 4 --size 60 45
mip tube.mha -o turn.png --spin 3 --size 60 45
mip tube.mha -o sheet.png --montage --window 100 --level 50 --colormap hot
mip oblique.nii.gz -o sheet_oblique.png --montage
mip tube.mha -o y.png --percentiles 1 99 --window 3
mip tube.mha --show
mip tube.mha
mip color.png -o y.png
mip tube.mha -o json.png --json
"""

VMTK = """
pype --help
pype
pype "vmtkimagereader -ifile tube.mha --pipe vmtkimagewriter -ofile w.vti"
pype --nolog "vmtkimagereader -ifile tube.mha --pipe vmtkimagewriter -ofile w.mha"
pype --json vmtkimagereader -ifile tube.mha --pipe vmtkmarchingcubes -l 50 --pipe vmtksurfacewriter -ofile w.vtp
pype --file lines.txt
pype "vmtkimagereader -ifile tube.mha --pipe vmtkimagewritr -ofile w.vti"
pype "vmtkimagereader -ifile missing.mha --pipe vmtkimagewriter -ofile w2.vti"
pype "vmtkimagereader -ifile tube.mha --pipe vmtkimagewriter -i @nobody.o -ofile w2.vti"
pype "vmtkimagereader -ifile tube.mha --pipe vmtkimagewriter -ofile \\"w2.vti"
vmtkimagereader -ifile tube.mha -ofile r.vti
vmtkimagereader -d slices -ofile r.mha
vmtkimagereader -ifile raw.raw -extent 0 3 0 2 0 1 -scalartype short -spacing 1 2 3 -ofile r_raw.mha
vmtkimagereader -ifile tube.mha -flip 1 0 0 -ofile flipped.vti
vmtkimagereader -ifile oblique.nii.gz -ofile r_oblique.vti -geometry physical
vmtkimagereader -ifile text.nrrd
vmtkimagereader
vmtkimagewriter -ifile tube.mha -ofile w.png
vmtkimagewriter -ifile tube.mha -ofile w.tif -windowlevel 100 50
vmtkimagewriter -ifile tube.mha -ofile w.dat
vmtkimagewriter -ifile tube.mha -ofile w.vtk -r double
vmtkimagewriter -ifile tube.mha -ofile w.meta -f meta
vmtkimagewriter -ifile tube.mha -ofile nowhere/w.vti
vmtkimagewriter -ifile tube.mha
vmtkimagevoiselector -ifile tube.mha -interactive 0 -boxbounds 0 3 -8 -2 8 20 -ofile voi.vti
vmtkimagevoiselector -ifile tube.mha -interactive 0 -boxbounds 900 901 900 901 900 901 -ofile voi2.vti
vmtkimageviewer -ifile tube.mha -display 0 -ofile viewed.vti
vmtkimageviewer -ifile tube.mha
vmtkimagemipviewer -ifile tube.mha -display 0 -ofile mipviewed.vti
vmtkimagemipviewer -ifile tube.mha -display 0 -array nonsense -ofile mipviewed2.vti
vmtkimagemipviewer -ifile tube.mha
vmtkimagemipviewer -ifile tube.mha -display 0 -omipfile mip.png -windowlevel 100 50
vmtkimageseeder -ifile tube.mha -display 0 -ofile seeded.vti
vmtkimageseeder -ifile tube.mha
vmtkimagefeatures -ifile tube.mha -ofile features.vti
vmtklevelsetsegmentation -ifile tube.mha -levelsetsfile threshold.mha -iterations 3 -ofile segmented.vti
vmtkmarchingcubes -ifile tube.mha -l 50 -ofile mc.vtp
vmtkmarchingcubes -ifile tube.mha -l 50 -contourfilter 1 -ofile mc_contour.vtp
vmtkimagereader -ifile oblique.nii.gz -orientation coronal -ofile r_coronal.vti
vmtkmarchingcubes -ifile tube.mha -l 50 -connectivity 1 -ofile mc.stl
vmtkmarchingcubes -ifile tube.mha -l 5000 -ofile mc2.vtp
vmtksurfacewriter -ifile mc.vtp -ofile sw.stl
vmtksurfacewriter -ifile mc.vtp -ofile sw.ply -mode ascii
vmtksurfacewriter -ifile mc.vtp -ofile sw.vtk -mode binary
vmtksurfacewriter -ifile mc.vtp -ofile sw.obj
vmtksurfacewriter -ifile mc.vtp -ofile sw.tec
vmtksurfacewriter -ifile mc.vtp -ofile sw.dat
vmtksurfacewriter -ifile mc.vtp -ofile sw.xyz
vmtksurfacereader -ifile mc.vtp -ofile sr.vtk
vmtksurfacereader -ifile mc.stl -ofile sr.vtp
vmtksurfacereader -ifile text.nrrd
vmtksurfaceviewer -ifile mc.vtp -display 0 -ofile sv.vtp
vmtksurfaceviewer -ifile mc.vtp
vmtkimagetonumpy -ifile tube.mha
pype "vmtkimagetonumpy -ifile tube.mha --pipe vmtknumpytoimage -ofile from_numbers.vti"
vmtkimagecompare -ifile tube.mha -rfile tube.mha -method subtraction
vmtkimagecompare -ifile tube.mha -rfile threshold.mha -method subtraction
vmtkrenderer
vmtkrenderer --pipe vmtkimageinitialization -interactive 0 -ifile tube.mha -method threshold -lowerthreshold 50
vmtkimageinitialization --help
vmtkimagemipviewer --help
vmtkimageinitialization --html
vmtkimageinitialization
vmtkimageinitialization -ifile tube.mha
vmtkimageinitialization -ifile tube.mha -interactive 0 -method nonsense -olevelsetsfile y.mha
vmtkimageinitialization -ifile tube.mha -interactive 0 -sourcepoints 10 10 -olevelsetsfile y.mha
vmtkimageinitialization -ifile tube.mha -interactive 0 -method threshold -lowerthreshold 50 -olevelsetsfile i_t.mha
vmtkimageinitialization -ifile tube.mha -interactive 0 -method threshold -lowerthreshold 50 -olevelsetsfile i_t.vti \
-osurfacefile i_t.vtp
vmtkimageinitialization -ifile tube.mha -interactive 0 -method threshold -lowerthreshold -1 -osurfacefile i_e.stl \
-olevelsetsfile i_e.vti
vmtkimageinitialization -ifile tube.mha -interactive 0 -method isosurface -isosurface 50 -negate 1 \
-olevelsetsfile i_i.mha
vmtkimageinitialization -ifile tube.mha -interactive 0 -method seeds -sourcepoints 3 4 5 -olevelsetsfile i_s.mha
vmtkimageinitialization -ifile tube.mha -interactive 0 -method fastmarching -lowerthreshold 50 -sourcepoints 10 10 2 \
-targetpoints 10 10 17 -olevelsetsfile i_f.mha
vmtkimageinitialization -ifile tube.mha -interactive 0 -lowerthreshold 50 -sourcepoints 10 10 2 -targetpoints 10 10 17 \
-olevelsetsfile i_c.mha -osurfacefile i_c.stl
vmtkimageinitialization -ifile tube.mha -script answers.txt -olevelsetsfile i_d.mha
vmtkimageinitialization -disabled 1 -ifile tube.mha -olevelsetsfile y.mha
install-vmtk-names --help
install-vmtk-names missing-folder
install-vmtk-names names
"""

SCAN = f"""
info aorta.mha --statistics
init aorta.mha {_AORTA} -o a_fronts.mha --surface a_fronts.stl --json
init aorta.mha {_AORTA} --compat vmtk -o a_fronts_vmtk.mha
init aorta.mha --method fastmarching {_AORTA} -o a_march.mha --surface a_march.vtp
init aorta.mha --method fastmarching {_AORTA} --compat vmtk -o a_march_vmtk.mha
init aorta.mha --method isosurface --isosurface 1000 -o a_iso.mha
init aorta.mha --method threshold --lower 700 -o a_threshold.nii.gz
init aorta.mha --method seeds --source 71 213 16 -o a_seeds.nrrd
vmtkimageinitialization -ifile aorta.mha {_VMTK_AORTA} -olevelsetsfile a_v.vti -osurfacefile a_v.vtp
vmtkimageinitialization -ifile aorta.mha -method fastmarching {_VMTK_AORTA} -olevelsetsfile a_vf.mha
mip aorta.mha -o a_m.png --overlay a_march.mha --seeds 71 213 16 58 78 22
mip aorta.mha -o a_v.png --azimuth 30 --elevation 10 --size 200 200
mip aorta.mha -o a_sheet.png --montage
crop aorta.mha a_part.mha --index 40 99 60 219 5 30
surface aorta.mha -o a_700.stl --level 700
"""

# The lines of `make demo`: another program than mitk-rs.
DEMO = "--output demo"
DEMO_SCAN = "--output demo_scan --input aorta.mha --source 71 213 16 --target 58 78 22 --lower 700"


# --- inputs ------------------------------------------------------------------------------------------------------


def make_inputs(folder: Path) -> None:
    """Small images whose bytes never change, and files that are none."""
    import SimpleITK as sitk

    z, y, x = np.mgrid[:20, :20, :20]
    tube = np.where((x - 10) ** 2 + (y - 10) ** 2 < 16, 100 - (x - 10) ** 2, z % 3).astype(np.int16)
    _write(sitk, tube, folder / "tube.mha", (0.5, 0.5, 1.0), (-3.0, 2.0, 7.0))
    turned = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, -1.0]])
    smooth = (100 * np.exp(-((x - 9) ** 2 + (y - 8) ** 2 + (z - 7) ** 2) / 30.0)).astype(np.float32)
    _write(sitk, smooth[:9, :10, :11], folder / "oblique.nii.gz", (0.5, 0.75, 1.25), (10.0, -20.0, 30.0), turned)
    _write_steps(sitk, tube[:4, :5, :6], folder / "series.mha")
    _write_slices(sitk, tube[:5], folder / "slices")
    colour = np.stack([tube[5], tube[6], tube[7]], axis=-1).clip(0, 255).astype(np.uint8)
    sitk.WriteImage(sitk.GetImageFromArray(colour, isVector=True), str(folder / "color.png"))
    (folder / "empty.mha").touch()
    (folder / "text.nrrd").write_text("this is a text\n")
    whole = (folder / "tube.mha").read_bytes()
    (folder / "cut.mha").write_bytes(whole[: len(whole) - 1000])
    (folder / "raw.raw").write_bytes(np.arange(24, dtype=np.int16).tobytes())
    (folder / "names").mkdir()
    lines = "# two pypes\nvmtkimagereader -ifile tube.mha --pipe \\\n  vmtkimagewriter -ofile f1.vti\n"
    (folder / "lines.txt").write_text(lines + "vmtkmarchingcubes -ifile tube.mha -l 50 -ofile f2.vtp\n")
    (folder / "points.csv").write_text("label,i,j,k\nstart,10,10,2\nend,10,10,17\n")
    (folder / "answers.txt").write_text("3\n50\nn\ny\nn\n")


def _write(sitk: Any, voxels: Any, path: Path, spacing: Any, origin: Any, direction: Any = None) -> None:
    image = sitk.GetImageFromArray(voxels)
    image.SetSpacing(spacing)
    image.SetOrigin(origin)
    if direction is not None:
        image.SetDirection(direction.ravel().tolist())
    image.SetMetaData("Modality", "CT")
    sitk.WriteImage(image, str(path))


def _write_steps(sitk: Any, voxels: Any, path: Path) -> None:
    steps = [sitk.GetImageFromArray(voxels + 10 * step) for step in range(3)]
    series = sitk.JoinSeries(steps, 0.0, 40.0)
    sitk.WriteImage(series, str(path))


def _write_slices(sitk: Any, voxels: Any, folder: Path) -> None:
    folder.mkdir()
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    for number, pixels in enumerate(voxels):
        image = sitk.GetImageFromArray(pixels)
        image.SetSpacing((0.5, 0.5))
        tags = {
            "0008|0008": "DERIVED\\SECONDARY",
            "0008|0012": "20260102",
            "0008|0013": "030405",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.9.{number + 1}",
            "0008|0060": "CT",
            "0010|0010": "TEST^TUBE",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.7",
            "0020|000e": "1.2.826.0.1.3680043.2.1125.8",
            "0020|0013": str(number + 1),
            "0020|0032": f"1\\2\\{3 + 1.5 * number}",
            "0020|0037": "1\\0\\0\\0\\1\\0",
        }
        for tag, value in tags.items():
            image.SetMetaData(tag, value)
        writer.SetFileName(str(folder / f"{chr(ord('e') - number)}.dcm"))
        writer.Execute(image)


# --- running -----------------------------------------------------------------------------------------------------


def record(scan: Path | None) -> dict[str, Any]:
    """Run every line; the record is a dictionary from the line to what came of it."""
    with tempfile.TemporaryDirectory(prefix="commands-") as name:
        folder = Path(name).resolve()
        make_inputs(folder)
        runs = [(f"mitk-rs {line}", [*PROGRAM, *shlex.split(line)]) for line in _lines(NATIVE) + _lines(VMTK)]
        demo = [sys.executable, str(ROOT / "examples" / "demo.py")]
        runs.append((f"demo.py {DEMO}", [*demo, *DEMO.split()]))
        if scan is not None:
            shutil.copy(scan, folder / "aorta.mha")
            runs += [(f"mitk-rs {line}", [*PROGRAM, *shlex.split(line)]) for line in _lines(SCAN)]
            runs.append((f"demo.py {DEMO_SCAN}", [*demo, *DEMO_SCAN.split()]))
        results = {}
        for number, (line, command) in enumerate(runs, start=1):
            print(f"\r{number} of {len(runs)}", end="", file=sys.stderr, flush=True)
            results[line] = run(command, folder)
        print(file=sys.stderr)
    return results


def _lines(table: str) -> list[str]:
    return [line for line in table.strip().splitlines() if line]


def run(command: list[str], folder: Path) -> dict[str, Any]:
    """Run one line and describe what it did."""
    before = hashes(folder)
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "MITK_RS_TRACEBACK", "MITK_RS_TEST_DATA")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    environment |= {"COLUMNS": "120", "LC_ALL": "C.UTF-8", "NO_COLOR": "1", "PYTHONHASHSEED": "0"}
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    after = hashes(folder)
    return {
        "status": done.returncode,
        "stdout": steady(done.stdout.decode(errors="replace"), folder),
        "stderr": steady(done.stderr.decode(errors="replace"), folder),
        "files": {name: value for name, value in after.items() if before.get(name) != value},
        "removed": sorted(set(before) - set(after)),
    }


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file below a folder."""
    return {
        str(file.relative_to(folder)): hashlib.sha256(_content(file)).hexdigest()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def _content(file: Path) -> bytes:
    """The bytes of a file; launchers hold the path of the interpreter, which differs from machine to machine."""
    content = file.read_bytes()
    return content.replace(sys.executable.encode(), b"<python>") if file.parent.name == "names" else content


_UNSTEADY: list[tuple[str, str]] = [
    (r"\b\d+\.\d\d s\b", "<seconds> s"),
    (
        r'("(?:[a-z_]*seconds|read|initialize|feature|evolve|measure|surface|write|whole|command)": )[0-9.e-]+',
        r"\1<seconds>",
    ),
    (r'("threads": )\d+', r"\1<threads>"),
    (r"\bPython \d[^\s,]*", "Python <version>"),
    (r"(?m)^Linux-.*$", "<machine>"),
    (r"(?m)^(ok   packages:|optional packages:).*$", r"\1 <packages>"),
    (r"0x[0-9a-f]{6,}", "<address>"),
]


def steady(text: str, folder: Path) -> str:
    """The text without what differs from run to run."""
    for path, sign in ((str(folder), "<folder>"), (sys.executable, "<python>"), (str(ROOT), "<project>")):
        text = text.replace(path, sign)
    text = text.replace(tempfile.gettempdir() + " is", "<temporary> is")
    for pattern, sign in _UNSTEADY:
        text = re.sub(pattern, sign, text)
    return text


# --- comparing ---------------------------------------------------------------------------------------------------


def differences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """One text for every line that is in one record only, or did something else."""
    found = [f"only in the first record: {line}" for line in before if line not in after]
    found += [f"only in the second record: {line}" for line in after if line not in before]
    for line in before:
        if line in after and before[line] != after[line]:
            found.append("\n".join([line, *_details(before[line], after[line])]))
    return found


def _details(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    details = []
    if one["status"] != other["status"]:
        details.append(f"    status {one['status']} -> {other['status']}")
    for stream in ("stdout", "stderr"):
        if one[stream] != other[stream]:
            texts = one[stream].splitlines(), other[stream].splitlines()
            changes = list(difflib.unified_diff(*texts, lineterm="", n=0))[2:]
            details += [f"    {stream}: {change}" for change in changes if not change.startswith("@@")]
    for name in sorted({*one["files"], *other["files"]}):
        if one["files"].get(name) != other["files"].get(name):
            details.append(f"    file {name}: {_state(one, name)} -> {_state(other, name)}")
    if one["removed"] != other["removed"]:
        details.append(f"    removed {one['removed']} -> {other['removed']}")
    return details


def _state(result: dict[str, Any], name: str) -> str:
    digest = result["files"].get(name)
    return "not written" if digest is None else digest[:12]


# --- the program -------------------------------------------------------------------------------------------------


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True, metavar="record | compare")
    recorder = commands.add_parser("record", help="run every line and write the record")
    recorder.add_argument("output", type=Path, metavar="RECORD.json", help="file to write")
    recorder.set_defaults(work=_record)
    comparer = commands.add_parser("compare", help="print the differences of two records; status 1 if there are any")
    comparer.add_argument("before", type=Path, metavar="BEFORE.json")
    comparer.add_argument("after", type=Path, metavar="AFTER.json")
    comparer.set_defaults(work=_compare)
    args = parser.parse_args(argv)
    work: Callable[[argparse.Namespace], int] = args.work
    return work(args)


def _record(args: argparse.Namespace) -> int:
    data = os.environ.get("MITK_RS_TEST_DATA")
    if not data:
        print("MITK_RS_TEST_DATA is not set: the lines on the real scan are left out", file=sys.stderr)
    results = record(Path(data) / "aorta.mha" if data else None)
    args.output.write_text(json.dumps(results, indent=1) + "\n")
    print(f"{len(results)} lines, {sum(len(result['files']) for result in results.values())} files")
    return 0


def _compare(args: argparse.Namespace) -> int:
    before, after = (json.loads(path.read_text()) for path in (args.before, args.after))
    found = differences(before, after)
    print("\n".join(found) if found else f"no difference in {len(before)} lines")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
