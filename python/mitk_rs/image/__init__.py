"""Images: voxels behind read and write accessors, their geometry, their files."""

from mitk_rs.image.image import Image

__all__ = ["Image"]
