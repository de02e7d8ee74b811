"""What programs import from VMTK's ``pypes``: scripts, members, and the runner of pypes."""

from __future__ import annotations

from mitk_rs.vmtk.options import pypeMember
from mitk_rs.vmtk.pype import Pype, PypeRun, pypeMain
from mitk_rs.vmtk.script import pypeScript

__all__ = ["Pype", "PypeRun", "pypeMain", "pypeMember", "pypeScript"]
