"""How images present themselves: one line of text, a small table with pictures, a picture."""

from __future__ import annotations

import base64
import html
import io
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import Exception as MitkException
from mitk_rs.image.arguments import Array
from mitk_rs.image.spatial import Spatial
from mitk_rs.image.voxels import Voxels

if TYPE_CHECKING:
    from mitk_rs.image import Image

_BY = "×"  # noqa: RUF001 - the sign that radiologists write
# Letters of the world directions that an axis can point to, negative and positive.
_WORLD = (("R", "L"), ("A", "P"), ("I", "S"))
# Longest side of a picture in pixels.
_LONGEST = 256
# An axis nearer to a world axis than this is not called oblique.
_OBLIQUE = 1e-4


class Display(Spatial, Voxels):
    """Part of ``Image``: representations."""

    def __repr__(self) -> str:
        try:
            return f"{type(self).__name__}({', '.join(description(self).values())})"
        except MitkException:
            return f"{type(self).__name__}(empty)"

    def _repr_html_(self) -> str:
        """A table, and the middle slices across z, y and x of time step 0."""
        if self.ndim == 0:
            return f"<p>{html.escape(repr(self))}</p>"
        rows = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
            for name, text in description(self).items()
        )
        return f"<table>{rows}</table><div>{''.join(map(_html_picture, mid_slices(self)))}</div>"

    def _repr_png_(self) -> bytes | None:
        """The maximum intensity projection along z of time step 0, of a 2-D image itself; nothing for an empty one."""
        if self.ndim == 0:
            return None
        if len(self._known_layout()[1]) == 2:
            return png(mid_slices(self)[0])
        from mitk_rs.projection.drawing import preview

        return png(preview(cast("Image", self)))


def description(image: Display) -> dict[str, str]:
    """What is worth knowing about an image, without reading voxels."""
    name, sizes, components = image._known_layout()
    steps = image.time_steps
    return {
        "type": name if components == 1 else f"{components} {_BY} {name}",
        "size": _BY.join(map(str, sizes[:3])) + " voxels",
        "time": "1 step" if steps == 1 else f"{steps} steps",
        "spacing": f"spacing {_numbers(image.spacing, _BY)} mm",
        "origin": f"origin ({_numbers(image.origin, ', ')}) mm",
        "direction": f"direction {orientation(image.direction)}",
        "memory": memory_text(image.nbytes),
        "state": "snapshot" if image.is_snapshot else "loaded",
    }


def _numbers(values: tuple[float, ...], separator: str) -> str:
    return separator.join(f"{value:.6g}" for value in values)


def memory_text(count: int) -> str:
    """A number of bytes in the unit that suits it.

    Examples
    --------
    >>> memory_text(120), memory_text(4_195_668)
    ('120 B', '4.2 MB')
    """
    amount, unit = float(count), "B"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000:
            break
        amount, unit = amount / 1000, larger
    return f"{amount:.3g} {unit}"


def orientation(direction: NDArray[np.float64]) -> str:
    """Where x, y and z point: three letters of left/right, posterior/anterior, superior/inferior.

    Examples
    --------
    >>> import numpy as np
    >>> orientation(np.diag([-1.0, -1.0, 1.0]))
    'RAS'
    """
    axes = np.abs(direction).argmax(axis=0)
    letters = "".join(_WORLD[axis][int(column[axis] > 0)] for axis, column in zip(axes, direction.T, strict=True))
    largest = np.abs(direction).max(axis=0) / np.linalg.norm(direction, axis=0)
    return letters if (largest > 1 - _OBLIQUE).all() else f"{letters} oblique"


def mid_slices(image: Display) -> list[NDArray[np.uint8]]:
    """The middle slices across z, y and x of time step 0 as pictures of at most 256 pixels, true to scale."""
    volume = image.as_numpy(writeable=False, time_step=0)
    volume = _displayable(volume, image.components)
    if len(image._known_layout()[1]) == 2:
        volume = volume[np.newaxis]
    x, y, z = image.spacing
    depth, height, width = (length // 2 for length in volume.shape[:3])
    cuts = [(volume[depth], y, x), (volume[:, height], z, x), (volume[:, :, width], z, y)]
    wanted = cuts[:1] if volume.shape[0] == 1 else cuts
    return [_as_bytes(_to_scale(cut, down, across)) for cut, down, across in wanted]


def _displayable(volume: Array, components: int) -> Array:
    """Red, green and blue where they are bytes, else the first component."""
    if components in (3, 4) and volume.dtype == np.uint8:
        return volume[..., :3]
    return volume[..., 0] if components > 1 else volume


def _to_scale(cut: Array, down: float, across: float) -> Array:
    """Nearest voxels on a grid of square pixels."""
    height, width = cut.shape[0] * down, cut.shape[1] * across
    pixel = max(height, width) / _LONGEST
    rows = np.arange(max(1, round(height / pixel))) * pixel / down
    columns = np.arange(max(1, round(width / pixel))) * pixel / across
    return cut[np.ix_(_inside(rows, cut.shape[0]), _inside(columns, cut.shape[1]))]


def _inside(positions: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    nearest: NDArray[np.intp] = np.minimum(positions.astype(np.intp), count - 1)
    return nearest


def _as_bytes(picture: Array) -> NDArray[np.uint8]:
    """Grey values between the 1st and 99th percentile; colours as they are; NaN and infinity black."""
    if picture.ndim == 3:
        return np.asarray(picture, np.uint8)
    values = picture.astype(np.float64)
    finite = np.isfinite(values)
    if not finite.any():
        return np.zeros(picture.shape, np.uint8)
    low, high = np.percentile(values[finite], (1, 99))
    scaled = (np.where(finite, values, low) - low) * (255 / (high - low) if high > low else 0.0)
    grey: NDArray[np.uint8] = np.clip(scaled, 0, 255).astype(np.uint8)
    return grey


def png(picture: NDArray[np.uint8]) -> bytes:
    """A grey ``(y, x)`` or colour ``(y, x, 3)`` picture as PNG."""
    from PIL import Image as Pillow

    stream = io.BytesIO()
    Pillow.fromarray(picture).save(stream, "PNG")
    return stream.getvalue()


def _html_picture(picture: NDArray[np.uint8]) -> Any:
    text = base64.b64encode(png(picture)).decode()
    return f"<img src='data:image/png;base64,{text}' alt='middle slice' style='margin:2px'>"
