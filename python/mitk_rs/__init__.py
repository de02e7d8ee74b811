"""Images with read and write accessors, level-set initialization and maximum intensity projection.

``import mitk_rs as mitk`` gives the image API of MITK's Python bindings. Names are imported when first
used: importing the package loads neither NumPy nor VTK nor SimpleITK. ``__init__.pyi`` has the one list of names, for
type checkers as for this module.
"""

import builtins
import sys
from importlib import import_module


def _homes() -> dict[str, str]:
    """The module that defines each public name; the package itself for a module."""
    with open(__file__[: __file__.rindex(".")] + ".pyi", encoding="utf-8") as stub:  # noqa: PTH123 - pathlib is slow
        lines = [line.split() for line in stub if line.startswith("from ")]
    return {words[3]: words[1] for words in lines}


_HOMES = _homes()

# Without modules, and without the names of Python's own exceptions: a star import must not replace those.
__all__ = sorted(name for name, home in _HOMES.items() if home != __name__ and not hasattr(builtins, name))

# This module has the handler of our loggers. Importing logging takes as long as all the rest here.
if "logging" in sys.modules:
    import_module("mitk_rs.errors")


def __getattr__(name: str) -> object:
    if name == "__version__":
        return import_module("mitk_rs._core").version()
    if name not in _HOMES:
        raise AttributeError(f"module 'mitk_rs' has no attribute {name!r}")
    home = _HOMES[name]
    if home != __name__:
        globals()[name] = value = getattr(import_module(home), name)
        return value
    try:
        return import_module(f"mitk_rs.{name}")
    except ModuleNotFoundError as error:
        # mitk_rs.testing needs a package that users need not have; nobody who only lists names wants an ImportError.
        raise AttributeError(f"mitk_rs.{name} needs the package {error.name}, which is not installed") from error


def __dir__() -> list[str]:
    return sorted({*_HOMES, *(name for name in globals() if name.startswith("__")), "__version__"})
