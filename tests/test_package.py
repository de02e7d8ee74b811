"""The package's front door: lazy names, quick and light import."""

import ast
import builtins
import importlib
import importlib.metadata
import inspect
import subprocess
import sys

import pytest

import mitk_rs


def run(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    ).stdout.strip()


def names_for_type_checkers() -> set[tuple[str, str]]:
    """The (module, name) pairs that the ``TYPE_CHECKING`` block imports."""
    tree = ast.parse(inspect.getsource(mitk_rs))
    guarded = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        (node.module, alias.name) for node in guarded.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def test_type_checkers_see_the_same_names():
    exports = {(f"mitk_rs.{module}", name) for name, module in mitk_rs._EXPORTS.items()}
    assert names_for_type_checkers() == {pair for pair in exports if not pair[1].startswith("__")}


@pytest.mark.parametrize("name", [name for name in mitk_rs._EXPORTS if not name.startswith("__")])
def test_every_public_name_is_there(name):
    value = getattr(mitk_rs, name)
    assert value is getattr(importlib.import_module(f"mitk_rs.{mitk_rs._EXPORTS[name]}"), name)
    assert name in dir(mitk_rs)
    assert (name in mitk_rs.__all__) is not hasattr(builtins, name)


def test_importing_loads_nothing_heavy():
    code = "import sys, mitk_rs; print([m for m in ('numpy', 'vtk', 'SimpleITK', 'itk') if m in sys.modules])"
    assert run(code) == "[]"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'mitk_rs' has no attribute 'Imgae'"):
        _ = mitk_rs.Imgae


def test_modules_are_attributes_without_importing_them():
    assert run("import mitk_rs; print(mitk_rs.errors.GeometryError is mitk_rs.GeometryError)") == "True"


def test_the_library_logs_and_stays_quiet_by_default():
    code = "import logging, mitk_rs; logging.getLogger('mitk_rs').error('unheard')"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_importing_takes_less_than_twice_the_time_of_numpy():
    code = "import time; a = time.perf_counter(); import {}; print(time.perf_counter() - a)"
    quickest = {module: min(float(run(code.format(module))) for _ in range(5)) for module in ("numpy", "mitk_rs")}
    assert quickest["mitk_rs"] < 2 * quickest["numpy"]


def test_the_version_is_that_of_the_installed_package():
    assert mitk_rs.__version__ == importlib.metadata.version("mitk_rs")


@pytest.mark.parametrize("name", [name for name in mitk_rs._EXPORTS if isinstance(getattr(mitk_rs, name), type)])
def test_every_class_is_a_member_of_the_package(name):
    assert getattr(mitk_rs, name).__module__ == "mitk_rs"
