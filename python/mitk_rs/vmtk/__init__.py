"""VMTK's command grammar and script classes.

Programs written for VMTK change one word: ``from mitk_rs.vmtk import vmtkscripts, pypes``. Options, attributes,
methods and the log are VMTK's; errors are exceptions (or one line on stderr and an exit code) where VMTK goes on
with wrong data. ``docs/migration.md`` lists every difference.
"""

from __future__ import annotations
