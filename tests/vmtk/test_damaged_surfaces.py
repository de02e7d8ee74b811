"""Damaged surfaces are an error in one line; VTK's reader of ``.ply`` would crash, and the process with it."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
from vtkmodules.vtkFiltersSources import vtkSphereSource

import mitk_rs as mitk
from mitk_rs.surface import write_surface
from mitk_rs.vmtk import vmtkscripts

HEADER = """ply
format {order} 1.0
comment by hand
element vertex 3
property float x
property float y
property float z
element face {faces}
property list uchar int vertex_indices
end_header
"""
POINTS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], "<f4")
LINES = "0 0 0\n1 0 0\n0 1 0\n"


def text(faces="3 0 1 2\n", count=1, points=LINES, **changes):
    head = HEADER.format(order="ascii", faces=count)
    for old, new in changes.items():
        assert old in head
        head = head.replace(old, new)
    return (head + points + faces).encode("latin-1")


def binary(faces=b"\x03\0\0\0\0\1\0\0\0\2\0\0\0", count=1, order="binary_little_endian", points=POINTS):
    return HEADER.format(order=order, faces=count).encode() + points.tobytes() + faces


def read(path):
    reader = vmtkscripts.vmtkSurfaceReader()
    reader.LogOn, reader.InputFileName = 0, str(path)
    reader.Execute()
    return reader.Surface


def face(*points, order="<"):
    return bytes([len(points)]) + np.array(points, order + "i4").tobytes()


GOOD = {
    "text": text(),
    "windows": text().replace(b"\n", b"\r\n"),
    "little": binary(),
    "big": binary(face(0, 1, 2, order=">"), order="binary_big_endian", points=POINTS.astype(">f4")),
    "mixed": binary(face(0, 1, 2) + face(0, 1, 2, 0), count=2),
}


@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD)
def test_whole_files_are_read(content, tmp_path):
    (tmp_path / "a.ply").write_bytes(content)
    surface = read(tmp_path / "a.ply")
    assert surface.GetNumberOfPoints() == 3
    assert surface.GetNumberOfPolys() in (1, 2)
    assert surface.GetBounds() == (0, 1, 0, 1, 0, 0)


BAD = {
    "no header": (b"not a surface\n", "no complete header"),
    "header only begun": (text()[:60], "no complete header"),
    "no format": (text(format="comment"), "names no format"),
    "unknown type": (text(float="quad"), "damaged"),
    "unknown word": (text(element="elephant"), "none of that format"),
    "odd blank": (text().replace(b"float z", b"float\x1dz"), "none of that format"),
    "no coordinate": (text().replace(b"float y", b"float u"), "no vertex that can be read"),
    "unknown list": (text(vertex_indices="vertices"), "no face that can be read"),
    "negative count": (text(count=-1), "none of that format"),
    "lines missing": (text(count=5, faces="3 0 1 2"), "lines end before"),
    "short line": (text(faces="3 0 1\n"), "too few for a face"),
    "empty point": (text(points="0 0 0\n\n0 1 0\n"), "damaged"),
    "letters": (text(points="0 0 0\n1 x 0\n0 1 0\n"), "damaged"),
    "point that is not there": (text(faces="3 0 1 3\n"), "point 3 of 3"),
    "point before the first": (text(faces="3 0 1 -1\n"), "a polygon has point"),
    "negative list": (text(faces="-3 0 1 2\n"), "too few for a face"),
    "bytes missing": (binary(face(0, 1, 2)[:-1]), "bytes end before"),
    "points missing": (binary(b"", count=0, points=POINTS[:2]), "bytes end before"),
    "faces missing": (binary(count=2), "damaged"),
    "terabytes": (binary(count=10**15), "damaged"),
    "long list": (binary(b"\xff" + bytes(20)), "bytes end before"),
    "binary point that is not there": (binary(face(0, 1, 7)), "point 7 of 3"),
    "second of another length": (binary(face(0, 1, 2) + face(0, 1, 2, 9), count=2), "point 9 of 3"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_a_damaged_ply_is_an_error(content, message, tmp_path):
    (tmp_path / "a.ply").write_bytes(content)
    with pytest.raises(mitk.FileError, match=message) as caught:
        read(tmp_path / "a.ply")
    assert "\n" not in str(caught.value)
    assert "a.ply" in str(caught.value)


def test_points_that_do_not_exist_are_refused_in_every_format(tmp_path):
    """VTK reads it; whoever draws it would crash."""
    table = "# vtk DataFile Version 3.0\nx\nASCII\nDATASET POLYDATA\nPOINTS 3 float\n0 0 0 1 0 0 0 1 0\nPOLYGONS 1 4\n"
    (tmp_path / "a.vtk").write_text(table + "3 0 1 7\n")
    with pytest.raises(mitk.FileError, match="uses point 7 of 3"):
        read(tmp_path / "a.vtk")


@pytest.mark.parametrize("mode", ["binary", "text"])
@pytest.mark.parametrize("suffix", [".ply", ".stl", ".vtp", ".vtk", ".obj"])
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
    if suffix == ".ply":
        assert set(answers) == {"refused"}
    assert Path(whole).read_bytes() == content
