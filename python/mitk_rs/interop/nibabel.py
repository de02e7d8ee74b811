"""nibabel: axes ``(x, y, z, t)`` and millimetres in RAS, where images here have ``(t, z, y, x)`` and LPS."""

from __future__ import annotations

from typing import Any

import numpy as np

from mitk_rs._validation import type_error
from mitk_rs.image import Image
from mitk_rs.interop.frames import RAS_FROM_LPS, image_from

__all__ = ["from_image", "to_image"]


def from_image(image: Image) -> Any:
    """Show an image as ``nibabel.Nifti1Image``; see :meth:`mitk_rs.Image.to_nibabel`."""
    import nibabel

    voxels, many = image.array, image.components > 1
    spatial = voxels.ndim - many
    turned = voxels.transpose(*reversed(range(spatial)), *([spatial] if many else []))
    if many:
        turned = turned.reshape(*turned.shape[:spatial], *[1] * (4 - spatial), image.components)
    peer = nibabel.Nifti1Image(turned, image.affine("RAS"), dtype=image.dtype)
    peer.header.set_xyzt_units("mm", "msec")
    if many:
        peer.header.set_intent("vector")
    if image.ndim == 4:
        first, last = image.time_geometry.get_time_bounds()
        peer.header["pixdim"][4] = (last - first) / image.time_steps
    return peer


def to_image(peer: Any) -> Image:
    """Copy a nibabel image; a fifth axis counts components. Time steps last 1 ms, as in files read by MITK."""
    voxels = np.asanyarray(peer.dataobj)
    if not 2 <= voxels.ndim <= 5:
        raise type_error(f"an image has 2 to 4 dimensions, the nibabel image has {voxels.ndim}")
    many = voxels.ndim == 5
    spatial = voxels.ndim - many
    turned = voxels.transpose(*reversed(range(spatial)), *([spatial] if many else []))
    while many and turned.ndim > 3 and turned.shape[0] == 1:  # NIfTI fills up to the fifth axis; ITK drops them, too
        turned = turned[0]
    affine = RAS_FROM_LPS @ np.asarray(peer.affine, np.float64)
    return image_from(turned, affine, components=many, what="nibabel image")
