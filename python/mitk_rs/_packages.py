"""Packages that a call needs and that need not be installed."""

from __future__ import annotations

import importlib
from typing import Any

from mitk_rs.errors import PackageMissingError

__all__ = ["package"]


def package(module: str, distribution: str, purpose: str) -> Any:
    """Import a module of another package when it is first used.

    Raises
    ------
    PackageMissingError
        It is not installed; the message says what needs it and how to install it.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != module.partition(".")[0]:
            raise
        raise PackageMissingError(f"{purpose} need {distribution}: pip install {distribution.lower()}") from None
