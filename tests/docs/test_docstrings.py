"""The examples in docstrings give what they say."""

import doctest
import importlib
import inspect
import pkgutil

import pytest

import mitk_rs

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_names():
    found = pkgutil.walk_packages(mitk_rs.__path__, "mitk_rs.")
    return ["mitk_rs", *(module.name for module in found if not module.name.endswith("__main__"))]


class Finder(doctest.DocTestFinder):
    """Finds the classes of a module, those too that name the package as their module, as MITK's do."""

    def _from_module(self, module, object):  # noqa: A002 - the base class's name
        if isinstance(object, type) and object.__module__ == "mitk_rs":
            functions = [getattr(found, "__func__", found) for found in vars(object).values()]
            files = {found.__code__.co_filename for found in functions if hasattr(found, "__code__")}
            # A class without functions of its own belongs to the module that lists it.
            return module.__file__ in files if files else object.__name__ in getattr(module, "__all__", ())
        return super()._from_module(module, object)


def examples(name):
    tests = Finder().find(importlib.import_module(name))
    return [test for test in tests if test.examples]


@pytest.mark.parametrize("name", module_names())
def test_examples_in_docstrings_give_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    report = []
    for test in examples(name):
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


FUNCTIONS = [name for name in mitk_rs.__all__ if inspect.isfunction(getattr(mitk_rs, name))]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_public_function_has_an_example(name):
    home = getattr(mitk_rs, name).__module__
    assert f"{home}.{name}" in {test.name for test in examples(home)}


def test_examples_of_public_classes_are_found():
    found = {test.name for test in examples("mitk_rs.geometry")}
    assert {"mitk_rs.geometry.Geometry3D", "mitk_rs.geometry.SlicedGeometry3D.for_image"} <= found
    assert "mitk_rs.points.Vector3D" in {test.name for test in examples("mitk_rs.points")}
