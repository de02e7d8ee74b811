"""Contact sheets: the projections along x, y and z side by side, with sides of the patient and a scale bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mitk_rs._validation import whole_number
from mitk_rs.errors import RequestError
from mitk_rs.projection.axes import project_all
from mitk_rs.projection.layout import Array
from mitk_rs.projection.orientation import View, view_along
from mitk_rs.projection.pictures import (
    MAX_SIZE,
    Picture,
    Shades,
    check_grid,
    check_seeds,
    drawn,
    only_numbers,
    outlined,
    scalar_values,
    with_seeds,
)

__all__ = ["montage"]

_BORDER = 26
_TEXT_COLOUR = (230, 230, 230)
_BAR_LENGTHS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


def montage(
    image: Any,
    *,
    kind: str = "max",
    time_step: int | None = None,
    height: int = 400,
    window: float | None = None,
    level: float | None = None,
    percentiles: tuple[float, float] | None = None,
    colormap: str = "grey",
    overlay: Any = None,
    seeds: Iterable[Sequence[float]] = (),
    threads: int | None = None,
) -> Array:
    """Contact sheet of the projections along z, y and x, all in the same scale.

    Letters at the sides of each picture are the sides of the patient (L R A P S I); the bar below is as long as it
    says.

    Parameters
    ----------
    image
        Scalar ``Image`` with one time step, or with ``time_step``.
    kind, time_step, threads
        As for :func:`mitk_rs.project`.
    height
        Pixels of the tallest picture.
    window, level, percentiles, colormap
        As for :func:`mitk_rs.render_mip`; the three pictures share them.
    overlay
        Level set whose outline is drawn over each picture.
    seeds
        Voxel indices (x, y, z) to mark.

    Returns
    -------
    numpy.ndarray
        RGB picture ``(y, x, 3)``, uint8.

    Raises
    ------
    RequestError
        What cannot be projected or drawn.
    GeometryError
        An overlay on another grid.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> scan = mitk.Image(np.zeros((10, 20, 30), np.int16), spacing=(1, 1, 2))
    >>> mitk.montage(scan, height=100).shape[2]
    3
    """
    if not 16 <= whole_number(height, "height") <= MAX_SIZE // 8:
        raise RequestError(f"height is {height}: allowed are 16 to {MAX_SIZE // 8} pixels")
    step = 0 if time_step is None else whole_number(time_step, "time_step")
    shades = Shades(window, level, percentiles, colormap)
    shades.check()
    marks = check_seeds(seeds, image)
    views = [view_along(image.get_direction(step), image.get_spacing(step), a) for a in range(3)]
    values = [only_numbers(v, kind) for v in _projections(image, kind, time_step, threads)]
    shades = _shared(shades, values)
    mm = max(_extent(v, view)[1] for v, view in zip(values, views, strict=True)) / height
    pictures = [_scaled(v, view, shades, mm) for v, view in zip(values, views, strict=True)]
    if overlay is not None:
        check_grid(image, overlay, step)
        inside = _projections(overlay, "min", None, threads)
        pictures = [outlined(p, v.apply(f)) for p, v, f in zip(pictures, views, inside, strict=True)]
    if len(marks):
        pictures = [with_seeds(p, marks, axis, values[axis].shape) for axis, p in enumerate(pictures)]
    return _sheet([pictures[axis] for axis in (2, 1, 0)], mm)


def _projections(image: Any, kind: str, time_step: int | None, threads: int | None) -> list[Array]:
    return [scalar_values(p) for p in project_all(image, kind=kind, time_step=time_step, threads=threads)]


def _shared(shades: Shades, values: list[Array]) -> Shades:
    """Shades with one window for all pictures."""
    low, high = shades.range(np.concatenate([v.ravel() for v in values]))
    return replace(shades, window=max(high - low, np.finfo(np.float64).tiny), level=(low + high) / 2, percentiles=None)


def _extent(values: Array, view: View) -> tuple[float, float]:
    """Width and height in mm of a projection as it is looked at."""
    rows, columns = values.shape[::-1] if view.swap else values.shape
    return columns * view.pixel[0], rows * view.pixel[1]


def _scaled(values: Array, view: View, shades: Shades, mm: float) -> Picture:
    width, height = (max(1, round(e / mm)) for e in _extent(values, view))
    if width > MAX_SIZE // 2:
        raise RequestError(f"a picture would be {width} pixels wide: give a smaller height")
    return drawn(values, view, shades, (width, height))


def _sheet(pictures: list[Picture], mm: float) -> Array:
    """The pictures side by side, each within a border for its letters."""
    from PIL import Image, ImageDraw, ImageFont

    tallest = max(p.pixels.shape[0] for p in pictures)
    widths = [p.pixels.shape[1] + 2 * _BORDER for p in pictures]
    canvas = Image.new("RGB", (sum(widths), tallest + 2 * _BORDER + 18))
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(13)
    left = 0
    for picture, width in zip(pictures, widths, strict=True):
        height = picture.pixels.shape[0]
        top = _BORDER + (tallest - height) // 2
        canvas.paste(Image.fromarray(picture.coloured()), (left + _BORDER, top))
        middle, beside = left + width / 2, top + height / 2
        places = {
            "left": (left + _BORDER / 2, beside),
            "right": (left + width - _BORDER / 2, beside),
            "top": (middle, top - _BORDER / 2),
            "bottom": (middle, top + height + _BORDER / 2),
        }
        for side, text in picture.view.letters.items():
            draw.text(places[side], text, fill=_TEXT_COLOUR, font=font, anchor="mm")
        left += width
    _draw_bar(draw, font, mm, canvas.size)
    return np.asarray(canvas)


def _draw_bar(draw: Any, font: Any, mm: float, size: tuple[int, int]) -> None:
    """A bar of a round number of mm, at most a quarter of the sheet."""
    fitting = [length for length in _BAR_LENGTHS if length / mm <= size[0] / 4]
    length = fitting[-1] if fitting else 1
    y, x = size[1] - 12, _BORDER
    end = x + length / mm
    draw.line([(x, y), (end, y)], fill=_TEXT_COLOUR, width=2)
    for tick in (x, end):
        draw.line([(tick, y - 4), (tick, y + 4)], fill=_TEXT_COLOUR, width=1)
    draw.text((end + 8, y), f"{length} mm", fill=_TEXT_COLOUR, font=font, anchor="lm")
