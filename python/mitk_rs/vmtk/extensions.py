"""Options that mitk_rs adds under VMTK's names, declared once for all scripts that have them."""

from __future__ import annotations

from mitk_rs.vmtk.member import pypeMember

__all__ = ["geometry_member", "physical_points_member"]


def geometry_member() -> pypeMember:
    """Which frame files get; see :mod:`mitk_rs.vmtk.frames`."""
    return pypeMember(
        "Geometry",
        "geometry",
        "str",
        1,
        '["","physical","vmtk"]',
        "frame of the files written: physical keeps the world positions of the input, vmtk is what VMTK writes; "
        "without it image files of ITK's formats are physical, .vti, .vtk and surfaces are as VMTK writes them",
    )


def physical_points_member(attribute: str, option: str, kind: str) -> pypeMember:
    """Points in millimetres instead of voxels."""
    member = pypeMember(
        attribute, option, "float", -1, "", f"list of {kind} points in physical coordinates x y z (LPS, mm)"
    )
    member.Multiple = 3
    return member
