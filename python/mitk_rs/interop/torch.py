"""torch tensors through DLPack: the same voxels, writeable on both sides."""

from __future__ import annotations

from typing import Any

from mitk_rs.image import Image
from mitk_rs.interop import arrays

__all__ = ["from_image", "to_image"]


def from_image(image: Image) -> Any:
    """Show an image as ``torch.Tensor``; see :meth:`mitk_rs.Image.to_torch`."""
    import torch

    return torch.from_dlpack(image.as_numpy(writeable=True))


def to_image(tensor: Any) -> Image:
    """Copy a tensor, detached from its gradient and brought to the CPU."""
    return arrays.to_image(tensor.detach().cpu())
