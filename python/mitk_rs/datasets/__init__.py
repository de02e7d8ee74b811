"""Synthetic images whose truth is known: for demonstrations, tests and measurements.

Every function is deterministic: the same arguments give the same voxels. Arrays are ``(z, y, x)``, voxel indices of
seeds ``(i, j, k)`` = ``(x, y, z)``, lengths millimetres, world coordinates LPS.
"""

from __future__ import annotations

from mitk_rs.datasets.phantoms import tube
from mitk_rs.datasets.vessels import VesselTree, vessel_tree

__all__ = ["VesselTree", "tube", "vessel_tree"]
