"""The picture of an image in a notebook: its projection along z."""

from __future__ import annotations

from typing import Any

import numpy as np

from mitk_rs.projection.axes import project
from mitk_rs.projection.layout import Array
from mitk_rs.projection.orientation import view_along
from mitk_rs.projection.pictures import Shades, fitted, only_numbers, resized

__all__ = ["preview"]

# Longest side of the picture in pixels: one voxel each in between.
_SHORTEST, _LONGEST = 256, 512


def preview(image: Any) -> Array:
    """The maximum intensity projection along z of time step 0 of a volume, turned for radiologists, true to scale.

    Colours (three or four components of uint8) are kept, of other components the first is shown.

    Parameters
    ----------
    image
        ``Image`` with three dimensions or more.

    Returns
    -------
    numpy.ndarray
        uint8 ``(y, x)``, or ``(y, x, 3)`` for colours; 256 to 512 pixels along the longer side. What is nothing but
        NaN is black, and so is a constant image.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> from mitk_rs.projection.preview import preview
    >>> preview(mitk.Image(np.zeros((5, 30, 40), np.int16))).shape
    (192, 256)
    """
    values = _values(image)
    view = view_along(image.get_direction(0), image.get_spacing(0), 2)
    turned = view.apply(values)
    side = min(max(*turned.shape[:2], _SHORTEST), _LONGEST)
    width, height, _ = fitted(turned.shape, view.pixel, (side, side))
    if turned.ndim == 3:
        channels = [resized(turned[..., c], width, height) for c in range(3)]
        return np.clip(np.stack(channels, axis=-1) + 0.5, 0, 255).astype(np.uint8)
    shades = Shades()
    return shades.apply(resized(turned, width, height), shades.range(values))


def _values(image: Any) -> Array:
    projected = np.asarray(project(image, axis="z", time_step=0).as_numpy(writeable=False))
    if image.components == 1:
        return only_numbers(projected, "max")
    if image.components in (3, 4) and projected.dtype == np.uint8:
        return projected[..., :3]
    return only_numbers(projected[..., 0], "max")
