"""How a projection is turned for looking at it.

Radiological convention: axial pictures are seen from the feet, coronal ones from the front, sagittal ones from the
left; the patient's left is on the right of the picture, anterior is up in axial pictures, superior is up in coronal
and sagittal ones, anterior is on the left in sagittal ones. World is LPS: x grows to the left of the patient, y to
posterior, z to superior. Oblique images are turned by the nearest of these, and the letters say where each side
looks to.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["View", "letter", "view_along"]

Array = NDArray[Any]

# World axes that shall point to the right and down in the picture, for a projection along L, P or S.
_RIGHT_DOWN = {
    0: (np.array([0.0, 1.0, 0.0]), np.array([0.0, 0.0, -1.0])),
    1: (np.array([1.0, 0.0, 0.0]), np.array([0.0, 0.0, -1.0])),
    2: (np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])),
}
_LETTERS = ("LR", "PA", "SI")


def letter(direction: Array) -> str:
    """The side of the patient that a world direction points to most: L, R, P, A, S or I."""
    axis = int(np.argmax(np.abs(direction)))
    return _LETTERS[axis][0 if direction[axis] > 0 else 1]


@dataclass(frozen=True)
class View:
    """Turns a projection upright.

    ``swap`` exchanges rows and columns, then ``flip_rows`` and ``flip_columns`` turn them around. ``right`` and
    ``down`` are unit world directions of the turned picture, ``pixel`` the mm of its pixels (x, y).
    """

    swap: bool
    flip_rows: bool
    flip_columns: bool
    right: Array
    down: Array
    pixel: tuple[float, float]

    def apply(self, picture: Array) -> Array:
        """The picture ``(rows, columns[, c])`` as it is looked at."""
        turned = picture.swapaxes(0, 1) if self.swap else picture
        turned = turned[::-1] if self.flip_rows else turned
        turned = turned[:, ::-1] if self.flip_columns else turned
        return np.ascontiguousarray(turned)

    def point(self, column: float, row: float, shape: tuple[int, ...]) -> tuple[float, float]:
        """Where pixel ``(column, row)`` of a projection of ``shape`` comes to lie, as (x, y)."""
        height, width = shape[:2]
        if self.swap:
            column, row, height, width = row, column, width, height
        return (width - 1 - column if self.flip_columns else column, height - 1 - row if self.flip_rows else row)

    @property
    def letters(self) -> dict[str, str]:
        """Sides of the patient at the left, right, top and bottom of the picture."""
        return {
            "left": letter(-self.right),
            "right": letter(self.right),
            "top": letter(-self.down),
            "bottom": letter(self.down),
        }


def view_along(direction: Array, spacing: Any, axis: int) -> View:
    """How to look at the projection along an axis of a volume with this direction and spacing."""
    columns, rows = (a for a in range(3) if a != axis)
    through = int(np.argmax(np.abs(direction[:, axis])))
    right, down = _RIGHT_DOWN[through]
    x, y = direction[:, columns], direction[:, rows]
    swap = abs(x @ right) + abs(y @ down) < abs(y @ right) + abs(x @ down)
    pixel = (float(spacing[columns]), float(spacing[rows]))
    if swap:
        x, y, pixel = y, x, pixel[::-1]
    flip_columns, flip_rows = bool(x @ right < 0), bool(y @ down < 0)
    x, y = (-x if flip_columns else x), (-y if flip_rows else y)
    return View(bool(swap), flip_rows, flip_columns, x / np.linalg.norm(x), y / np.linalg.norm(y), pixel)
