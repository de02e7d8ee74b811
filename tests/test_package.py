"""The package's front door: lazy names, quick and light import."""

import ast
import builtins
import importlib
import importlib.metadata
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import mitk_rs


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


PUBLIC = [name for name, home in mitk_rs._HOMES.items() if home != "mitk_rs"]
MODULES = [name for name, home in mitk_rs._HOMES.items() if home == "mitk_rs"]


def test_the_list_is_whole():
    """Every line of the stub that imports a name is understood."""
    tree = ast.parse((Path(mitk_rs.__file__).parent / "__init__.pyi").read_text())
    imports = [node for node in tree.body if isinstance(node, ast.ImportFrom)]
    assert {(node.module, alias.name) for node in imports for alias in node.names} == {
        (home, name) for name, home in mitk_rs._HOMES.items()
    }
    assert len(imports) == len(mitk_rs._HOMES) > 90
    assert all(alias.asname == alias.name for node in imports for alias in node.names)


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there(name):
    value = getattr(mitk_rs, name)
    assert value is getattr(importlib.import_module(mitk_rs._HOMES[name]), name)
    assert name in dir(mitk_rs)
    assert (name in mitk_rs.__all__) is not hasattr(builtins, name)


def test_every_module_is_listed():
    found = {one.name for one in pkgutil.iter_modules(mitk_rs.__path__) if not one.name.startswith("_")}
    assert found == set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_every_module_is_a_member_of_a_freshly_imported_package(name):
    assert run(f"import mitk_rs; print(mitk_rs.{name}.__name__)") == f"mitk_rs.{name}"


def test_the_list_of_names_shows_nothing_else():
    assert {name for name in dir(mitk_rs) if not name.startswith("__")} == {*PUBLIC, *MODULES}


def test_importing_loads_nothing_heavy():
    code = "import sys, mitk_rs; print([m for m in ('numpy', 'vtk', 'SimpleITK', 'itk') if m in sys.modules])"
    assert run(code) == "[]"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'mitk_rs' has no attribute 'Imgae'"):
        _ = mitk_rs.Imgae


def test_modules_are_attributes_without_importing_them():
    assert run("import mitk_rs; print(mitk_rs.errors.GeometryError is mitk_rs.GeometryError)") == "True"


@pytest.mark.parametrize("order", ["logging, mitk_rs", "mitk_rs, logging, mitk_rs.io", "mitk_rs.points, logging"])
@pytest.mark.parametrize(
    ("configured", "heard"), [("", ""), ("logging.basicConfig(format='%(message)s'); ", "heard\n")]
)
def test_the_library_logs_and_stays_quiet_by_default(order, configured, heard):
    code = f"import {order}; {configured}logging.getLogger('mitk_rs').error('heard')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", heard)


def test_importing_the_package_alone_does_not_load_logging():
    assert run("import sys, mitk_rs; print('logging' in sys.modules)") == "False"


def test_images_and_projections_load_neither_files_nor_windows():
    """Importing the package imports nothing at all, so this asks for what every program asks for."""
    code = """
import sys, mitk_rs
mitk_rs.Image, mitk_rs.mip, mitk_rs.initialize_level_set
heavy = ("mitk_rs.io", "mitk_rs.viewer", "vtkmodules", "SimpleITK", "itk", "nibabel", "pydicom", "PIL", "rich", "scipy")
print([name for name in heavy if name in sys.modules])"""
    assert run(code) == "[]"


def test_an_image_is_there_in_less_than_twice_the_time_of_numpy():
    """Processor time of both in turns, the least of seven each."""
    code = "import time; a = time.process_time(); {}; print(time.process_time() - a)"
    statements = {"numpy": "import numpy", "mitk_rs": "import mitk_rs; mitk_rs.Image"}
    seconds = {name: [] for name in statements}
    for _ in range(7):
        for name, statement in statements.items():
            seconds[name].append(float(run(code.format(statement))))
    assert min(seconds["mitk_rs"]) < 2 * min(seconds["numpy"])


def test_the_version_is_that_of_the_installed_package():
    assert mitk_rs.__version__ == importlib.metadata.version("mitk_rs")


@pytest.mark.parametrize("name", [name for name in PUBLIC if isinstance(getattr(mitk_rs, name), type)])
def test_every_class_is_a_member_of_the_package(name):
    assert getattr(mitk_rs, name).__module__ == "mitk_rs"
