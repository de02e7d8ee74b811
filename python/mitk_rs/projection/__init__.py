"""Projections: along an axis, over a sliding slab, from any direction, and pictures of them.

``project``, ``mip``, ``project_all`` and ``slide`` give values on the voxel grid; ``render_mip`` and ``render_spin``
look from any direction; ``axis_picture``, ``montage``, ``write_picture`` and ``write_animation`` make something to
look at.
"""

from mitk_rs.projection.axis import KINDS, mip, project, project_all, slide
from mitk_rs.projection.drawing import axis_picture, montage, view_picture
from mitk_rs.projection.picture import Picture, Pixels, Shades, write_animation, write_picture
from mitk_rs.projection.rays import Camera, render_mip, render_spin, view_image

__all__ = [
    "KINDS",
    "Camera",
    "Picture",
    "Pixels",
    "Shades",
    "axis_picture",
    "mip",
    "montage",
    "project",
    "project_all",
    "render_mip",
    "render_spin",
    "slide",
    "view_image",
    "view_picture",
    "write_animation",
    "write_picture",
]
