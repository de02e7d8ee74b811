"""Plain phantoms with exact values."""

from __future__ import annotations

import numpy as np

from mitk_rs.image import Image

__all__ = ["tube"]


def tube() -> Image:
    """Return a bright straight tube along z: 900 voxels of 100 in a 20 x 20 x 20 image of zeros.

    The value is 100 where ``(i - 10)**2 + (j - 10)**2 < 16``, which are 45 voxels in each slice; int16, spacing
    (0.5, 0.5, 1.0) mm, origin (-3, 2, 7) mm, identity direction.

    Returns
    -------
    Image
        The tube; ``source=(10, 10, 2)`` and ``target=(10, 10, 17)`` lie on its axis.

    Examples
    --------
    >>> import mitk_rs as mitk
    >>> int((mitk.datasets.tube().as_numpy() == 100).sum())
    900
    """
    squares = (np.arange(20) - 10) ** 2
    disc = squares[:, None] + squares[None, :] < 16
    voxels = np.where(disc, 100, 0).astype(np.int16)
    return Image(np.repeat(voxels[None], 20, axis=0), spacing=(0.5, 0.5, 1.0), origin=(-3.0, 2.0, 7.0))
