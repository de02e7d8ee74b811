"""Projections: along an axis, over a sliding slab, from any direction, and pictures of them.

``project``, ``mip``, ``project_all`` and ``slide`` give values on the voxel grid; ``axis_picture`` and
:func:`write_picture` make something to look at.
"""

from mitk_rs.projection.axes import KINDS, mip, project, project_all, slide
from mitk_rs.projection.files import write_animation, write_picture
from mitk_rs.projection.pictures import Picture, Shades, axis_picture

__all__ = [
    "KINDS",
    "Picture",
    "Shades",
    "axis_picture",
    "mip",
    "project",
    "project_all",
    "slide",
    "write_animation",
    "write_picture",
]
