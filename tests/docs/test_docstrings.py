"""The examples in docstrings give what they say."""

import doctest
import importlib
import pkgutil

import pytest

import mitk_rs

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def module_names():
    found = pkgutil.walk_packages(mitk_rs.__path__, "mitk_rs.")
    return ["mitk_rs", *(module.name for module in found if not module.name.endswith("__main__"))]


def examples(name):
    tests = doctest.DocTestFinder().find(importlib.import_module(name))
    return [test for test in tests if test.examples]


@pytest.mark.parametrize("name", module_names())
def test_examples_in_docstrings_give_what_they_say(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    report = []
    for test in examples(name):
        runner.run(test, out=report.append)
    assert not runner.failures, "".join(report)


def test_docstrings_hold_examples():
    assert sum(len(test.examples) for name in module_names() for test in examples(name)) > 10
