"""Type checkers see what users call: both of them, on programs as users write them."""

import inspect
import json
import subprocess
import sys
import typing
from pathlib import Path

import pytest
from public_surface import exported

HERE = Path(__file__).parent
MISTAKES = {
    number
    for number, line in enumerate((HERE / "mistakes.py").read_text().splitlines(), start=1)
    if "(" in line and "  # " in line
}


def mypy(name: str) -> set[int]:
    """Lines that mypy complains of."""
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--no-error-summary",
        "--no-pretty",
        "--config-file=",
        "--cache-dir=../../.mypy_cache",
        name,
    ]
    done = subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", timeout=280)
    assert not done.stderr
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert all(line.startswith(name) for line in errors), done.stdout
    return {int(line.split(":")[1]) for line in errors}


def pyright(name: str) -> set[int]:
    """Lines that pyright complains of."""
    command = [sys.executable, "-m", "basedpyright", "--outputjson", "--level=error", name]
    done = subprocess.run(command, cwd=HERE, capture_output=True, encoding="utf-8", timeout=280)
    found = json.loads(done.stdout)["generalDiagnostics"]
    return {one["range"]["start"]["line"] + 1 for one in found if one["severity"] == "error"}


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_calls_of_users_have_the_types_that_are_documented(checker):
    assert checker("arrays_and_images.py") == set()


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_mistakes_of_users_are_seen_before_the_program_runs(checker):
    assert len(MISTAKES) == 11
    assert checker("mistakes.py") == MISTAKES


# ITK's classes are made from templates, which type checkers do not see; properties hold anything.
DYNAMIC = {
    "Conversions.to_itk",
    "PropertyOwner.get_property",
    "BaseProperty.value",
    "BaseProperty.as_python",
    "as_image",
}


def functions(value: object) -> typing.Iterator[typing.Any]:
    """A public function, or the public methods and properties of a class."""
    if not inspect.isclass(value):
        yield value
        return
    for member in dir(value):
        plain = inspect.getattr_static(value, member)
        function = getattr(plain, "fget", None) or getattr(plain, "__func__", plain)
        if not member.startswith("_") and inspect.isfunction(function) and function.__module__.startswith("mitk_rs"):
            yield function


def returned(function: typing.Any) -> typing.Iterator[str]:
    """Types that a function returns, of each of its overloads."""
    function = inspect.unwrap(function)
    for form in typing.get_overloads(function) or [function]:
        yield str(getattr(form, "__annotations__", {}).get("return", ""))


def test_what_public_functions_return_has_a_type():
    every = {one.__qualname__: one for value in exported().values() for one in functions(value)}
    assert len(every) > 250
    assert {name for name, function in every.items() if "Any" in returned(function)} == DYNAMIC
