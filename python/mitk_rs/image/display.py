"""How images present themselves: one line of text, a small table with pictures, a picture."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mitk_rs.errors import Exception as MitkException

if TYPE_CHECKING:
    from mitk_rs.image.image import Image

_BY = "×"  # noqa: RUF001 - the sign that radiologists write
# Letters of the world directions that an axis can point to, negative and positive.
_WORLD = (("R", "L"), ("A", "P"), ("I", "S"))
# An axis nearer to a world axis than this is not called oblique.
_OBLIQUE = 1e-4


def line_of_text(image: Image) -> str:
    """``Image(...)`` with what is worth knowing."""
    try:
        return f"{type(image).__name__}({', '.join(description(image).values())})"
    except MitkException:
        return f"{type(image).__name__}(empty)"


def table_with_slices(image: Image) -> str:
    """HTML for notebooks: a table, and the middle slices across z, y and x."""
    import html

    from mitk_rs.projection.drawing import mid_slices

    if image.ndim == 0:
        return f"<p>{html.escape(repr(image))}</p>"
    rows = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
        for name, text in description(image).items()
    )
    return f"<table>{rows}</table><div>{''.join(map(_html_picture, mid_slices(image)))}</div>"


def picture_of(image: Image) -> bytes | None:
    """A PNG for notebooks; nothing for an empty image."""
    from mitk_rs.projection.drawing import mid_slices, preview
    from mitk_rs.projection.picture import png

    if image.ndim == 0:
        return None
    return png(mid_slices(image)[0] if image.ndim == 2 else preview(image))


def description(image: Image) -> dict[str, str]:
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


def _html_picture(picture: NDArray[np.uint8]) -> str:
    from mitk_rs.projection.picture import png

    text = base64.b64encode(png(picture)).decode()
    return f"<img src='data:image/png;base64,{text}' alt='middle slice' style='margin:2px'>"
