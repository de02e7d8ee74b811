"""Damaged surfaces are an error in one line."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from vtkmodules.vtkFiltersSources import vtkSphereSource

import mitk_rs as mitk
from mitk_rs.surface import write_surface
from mitk_rs.vmtk import vmtkscripts


def read(path):
    reader = vmtkscripts.vmtkSurfaceReader()
    reader.LogOn, reader.InputFileName = 0, str(path)
    reader.Execute()
    return reader.Surface


def test_points_that_do_not_exist_are_refused_in_every_format(tmp_path):
    """VTK reads it; whoever draws it would crash."""
    table = "# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\nPOINTS 3 float\n0 0 0 1 0 0 0 1 0\nPOLYGONS 1 4\n"
    (tmp_path / "a.vtk").write_text(table + "3 0 1 7\n")
    with pytest.raises(mitk.FileError, match="uses point 7 of 3"):
        read(tmp_path / "a.vtk")


@pytest.mark.parametrize("mode", ["binary", "text"])
@pytest.mark.parametrize("suffix", [".stl", ".vtp", ".vtk", ".obj"])
def test_no_truncated_surface_ends_the_process(suffix, mode, tmp_path):
    """In a process of its own, so that a crash fails this test and not the run."""
    ball = vtkSphereSource()
    ball.Update()
    whole = tmp_path / f"whole{suffix}"
    write_surface(ball.GetOutput(), whole, binary=mode == "binary")
    content = whole.read_bytes()
    cuts = sorted({len(content) * part // 40 for part in range(1, 40)} | {len(content) - 9, len(content) - 20})
    for cut in cuts:
        (tmp_path / f"cut{cut:06d}{suffix}").write_bytes(content[:cut])
    code = """
        import sys
        from pathlib import Path
        import mitk_rs
        from mitk_rs.vmtk import vmtkscripts

        for path in sorted(Path(sys.argv[1]).glob("cut*")):
            reader = vmtkscripts.vmtkSurfaceReader()
            reader.LogOn, reader.InputFileName = 0, str(path)
            try:
                reader.Execute()
                print("read")
            except mitk_rs.FileError:
                print("refused")
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    answers = done.stdout.split()
    assert len(answers) == len(cuts)
    assert Path(whole).read_bytes() == content
