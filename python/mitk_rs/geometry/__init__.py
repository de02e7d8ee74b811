"""Where an image lies in the world.

World = D · diag(spacing) · index + origin, with the *direction* matrix D (its columns are the image's
axes), the *spacing* in mm and the *origin* in mm: the world position of index (0, 0, 0), a voxel's centre
for images. World coordinates are millimetres, LPS as in DICOM and ITK; indices are (x, y, z), continuous,
never rounded. Classes and behaviour are those of MITK's ``BaseGeometry`` and its descendants.

MITK keeps only the product D · diag(spacing) and derives the spacing as its columns' lengths. We keep the
three apart, so that what is set reads back exactly; columns of D that are not of unit length change the
spacing as in MITK."""

from mitk_rs.geometry.base import BaseGeometry
from mitk_rs.geometry.kinds import Geometry3D, PlaneGeometry, SlicedGeometry3D

__all__ = ["BaseGeometry", "Geometry3D", "PlaneGeometry", "SlicedGeometry3D"]
