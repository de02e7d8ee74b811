"""All script classes under VMTK's names: ``vmtkscripts.vmtkImageInitialization()``."""

from __future__ import annotations

from typing import Any

from mitk_rs.vmtk.registry import SCRIPTS, script_class

__all__ = sorted(SCRIPTS.values())

_NAMES = {attribute: name for name, attribute in SCRIPTS.items()}


def __getattr__(attribute: str) -> Any:
    if attribute in _NAMES:
        return script_class(_NAMES[attribute])
    raise AttributeError(f"module {__name__!r} has no attribute {attribute!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
