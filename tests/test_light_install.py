"""Without VTK: everything that does not need it works, and what needs it says so.

VTK is two thirds of an installation. A child process in which it cannot be imported has what
``pip install --no-deps mitk_rs`` and the other packages give.
"""

import subprocess
import sys

import pytest

BLOCK = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
sys.meta_path.insert(0, Missing())
"""


def without(code, *blocked, cwd=None, words=()):
    script = BLOCK.format(blocked=set(blocked)) + code
    return subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, cwd=cwd, timeout=250)


def test_every_module_is_imported_without_vtk():
    code = """
import importlib, pkgutil, mitk_rs
names = [m.name for m in pkgutil.walk_packages(mitk_rs.__path__, "mitk_rs.") if m.name != "mitk_rs.testing"]
for name in names:
    importlib.import_module(name)
for name in mitk_rs.__all__:
    getattr(mitk_rs, name)
print(len(names) > 80, "vtkmodules" in sys.modules)
"""
    done = without(code, "vtk", "vtkmodules")
    assert done.stdout == "True False\n", done.stderr


WORK = """
import numpy as np, mitk_rs as mitk
from mitk_rs.projection import write_picture
tube = mitk.datasets.tube()
for name in ("a.mha", "a.mhd", "a.nrrd", "a.nii.gz"):
    tube.save(name)
    mitk.Image(name)
sources, targets = [(10, 10, 2)], [(10, 10, 17)]
result = mitk.initialize_level_set(mitk.Image("a.mha"), sources=sources, targets=targets, lower_threshold=50)
result.mask.save("mask.mha")
found = mitk.segment_vessel(tube, sources, targets, 50, iterations=3)
print(found._repr_html_()[:7])
write_picture(mitk.montage(tube, overlay=result.level_set), "a.png")
mitk.render_mip(tube, size=32)
tube.resample(4.0)
batch = mitk.batch([{"input": "a.mha", "method": "threshold", "lower": 50}], "out", surface=None, jobs=1)
print(batch)
for call in (
    result.surface,
    lambda: mitk.extract_surface(tube, 50),
    lambda: tube.to_vtk(),
    lambda: tube.save("a.vti"),
    lambda: mitk.read_surface("a.stl"),
):
    try:
        call()
    except mitk.PackageMissingError as error:
        assert isinstance(error, ModuleNotFoundError)
        print(error)
"""


def test_what_needs_no_vtk_works_without_it(tmp_path):
    (tmp_path / "a.stl").write_bytes(bytes(84))
    done = without(f"if __name__ == '__main__':\n    exec({WORK!r})", "vtk", "vtkmodules", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    first, second, *errors = done.stdout.splitlines()
    assert first == "<table>"
    assert second.startswith("BatchResult(1 of 1 cases done")
    assert errors == ["surfaces, windows and files of VTK's formats need VTK: pip install vtk"] * 5
    assert not (tmp_path / "a.vti").exists()


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["init", "a.mha", "-o", "b.mha", "--method", "threshold", "--lower", "50"], 0, "wrote b.mha"),
        (["mip", "a.mha", "-o", "b.png"], 0, "wrote b.png"),
        (["info", "a.mha", "--statistics"], 0, ""),
        (["convert", "a.mha", "b.nii.gz"], 0, "wrote"),
        (["doctor"], 0, ""),
        (["surface", "a.mha", "-o", "b.stl", "--isosurface", "50"], 2, "need VTK: pip install vtk"),
        (["init", "a.mha", "--surface", "b.stl", "--method", "threshold", "--lower", "50"], 2, "need VTK"),
        (["convert", "a.mha", "b.vti"], 2, "need VTK"),
    ],
)
def test_commands_without_vtk(words, status, message, tmp_path):
    import mitk_rs as mitk

    mitk.datasets.tube().save(tmp_path / "a.mha")
    hide = "from importlib import metadata\nreal = metadata.version\ndef version(name):\n    if name == 'vtk':\n"
    hide += "        raise metadata.PackageNotFoundError\n    return real(name)\nmetadata.version = version\n"
    code = f"{hide}from mitk_rs.cli.main import main\nsys.exit(main())"
    done = without(code, "vtk", "vtkmodules", cwd=tmp_path, words=words)
    assert done.returncode == status, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert status == 0 or len(done.stderr.splitlines()) == 1


def test_a_missing_simpleitk_is_named():
    code = "import mitk_rs as mitk\nmitk.datasets.tube().save('a.mha')"
    done = without(code, "SimpleITK")
    assert done.stderr.splitlines()[-1].endswith("need SimpleITK: pip install simpleitk")


def test_a_package_broken_inside_is_not_called_missing():
    code = "from mitk_rs._platform import package\npackage('PIL.nothing_like_it', 'Pillow', 'pictures')"
    done = without(code)
    assert "PackageMissingError" in done.stderr or "ModuleNotFoundError" in done.stderr
    code = "import types\nfrom mitk_rs._platform import package\npackage('mitk_rs.testing', 'testing', 'tests')"
    done = without(code, "hypothesis")
    assert "No module named 'hypothesis'" in done.stderr
