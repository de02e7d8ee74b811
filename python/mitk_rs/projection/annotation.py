"""What is drawn around pictures: sides of the patient, voxel indices along the edges, a scale bar, a colour bar.

Around a picture, not over it: no pixel of the picture changes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitk_rs.projection.camera import Array, View, plane_axes
from mitk_rs.projection.picture import COLORMAPS, Picture, bar_length

__all__ = ["SCALE_BAR_ROOM", "Annotations", "ColorBar", "annotated", "bordered", "room_around", "with_scale_bar"]

_BORDER = 26
_TICK_ROOM = (40, 22)
SCALE_BAR_ROOM = 18
_COLOR_ROOM = 96
_TEXT = (230, 230, 230)
# Pixels from one tick to the next, at least, along x and y.
_APART = (44, 24)


@dataclass(frozen=True)
class ColorBar:
    """The values of the first and the last colour, and how they are written."""

    colormap: str
    low: float
    high: float
    label: str = "{:.4g}"


@dataclass(frozen=True)
class Annotations:
    """What is drawn around a picture.

    ``letters`` are sides of the patient (L R A P S I) with a scale bar, ``ticks`` voxel indices along the left and the
    lower edge, of projections along an axis; ``color_bar`` tells which value has which colour.
    """

    letters: bool = False
    ticks: bool = False
    color_bar: bool = False


def room_around(wanted: Annotations) -> tuple[int, int]:
    """How much wider and higher a picture becomes, in pixels."""
    width = 2 * _BORDER * wanted.letters + _TICK_ROOM[0] * wanted.ticks + _COLOR_ROOM * wanted.color_bar
    height = (2 * _BORDER + SCALE_BAR_ROOM) * wanted.letters + _TICK_ROOM[1] * wanted.ticks
    return width, height


def annotated(
    picture: Picture, wanted: Annotations, *, shape: tuple[int, ...] = (), axis: int = 2, colors: ColorBar | None = None
) -> Picture:
    """The picture of a projection of ``shape`` along ``axis``, or of a view, with what is wanted around it."""
    if wanted == Annotations():
        return picture
    pixels = bordered(picture, wanted, shape=shape, axis=axis)
    if wanted.color_bar and colors is not None:
        pixels = _with_color_bar(pixels, colors)
    if wanted.letters:
        pixels = with_scale_bar(pixels, picture.mm)
    left, top = _corner(wanted)
    return replace(picture, pixels=pixels, origin=(picture.origin[0] + left, picture.origin[1] + top))


def _corner(wanted: Annotations) -> tuple[int, int]:
    return _BORDER * wanted.letters + _TICK_ROOM[0] * wanted.ticks, _BORDER * wanted.letters


def bordered(picture: Picture, wanted: Annotations, *, shape: tuple[int, ...], axis: int) -> NDArray[np.uint8]:
    """The picture within a border for its letters and ticks, as RGB."""
    height, width = picture.pixels.shape[:2]
    left, top = _corner(wanted)
    ticks, edge = _TICK_ROOM[1] * wanted.ticks, _BORDER * wanted.letters
    canvas, *_ = _canvas(picture.coloured(), (left, top), (edge, ticks + edge))
    if wanted.letters:
        _draw_letters(canvas, picture, (left, top, width, height), ticks)
    if wanted.ticks:
        _draw_ticks(canvas, picture, (left, top, width, height), (shape, axis))
    return np.asarray(canvas)


def _draw_letters(canvas: Any, picture: Picture, box: tuple[int, int, int, int], below: int) -> None:
    draw, font = _pen(canvas)
    left, top, width, height = box
    half = _BORDER / 2
    places = {
        "left": (half, top + height / 2),
        "right": (left + width + half, top + height / 2),
        "top": (left + width / 2, half),
        "bottom": (left + width / 2, top + height + below + half),
    }
    for side, text in picture.view.letters.items():
        draw.text(places[side], text, fill=_TEXT, font=font, anchor="mm")


def _draw_ticks(canvas: Any, picture: Picture, box: tuple[int, int, int, int], of: tuple[tuple[int, ...], int]) -> None:
    """Indices of columns and rows of the projection below and left of the picture, where their voxels are."""
    assert isinstance(picture.view, View)
    draw, font = _pen(canvas)
    turned_shape = np.array(of[0][:2] if picture.view.swap else of[0][1::-1])
    # Where the projection is in the picture, which may be a frame around it.
    first = np.array(box[:2]) + picture.origin
    left, bottom = float(first[0]), float(first[1] + turned_shape[1] * picture.scale[1])
    (rows, columns), names = of[0][:2], ["xyz"[number] for number in plane_axes(of[1])]
    for part, (count, name) in enumerate(zip((columns, rows), names, strict=True)):
        # Columns of the projection run down the picture where it was turned on its side.
        across = (part == 0) != picture.view.swap
        step = _step(_APART[0 if across else 1] / picture.scale[0 if across else 1])
        for index in range(0, count, step):
            turned = picture.view.point(*((index, 0) if part == 0 else (0, index)), of[0])
            x, y = ((np.array(turned) + 0.5) * picture.scale - 0.5 + first).tolist()
            text = f"{name} 0" if index == 0 else str(index)
            if across:
                draw.line([(x, bottom), (x, bottom + 4)], fill=_TEXT)
                half = draw.textlength(text, font=font) / 2 + 1
                middle = min(max(x, half), canvas.size[0] - half)
                draw.text((middle, bottom + 13), text, fill=_TEXT, font=font, anchor="mm")
            else:
                draw.line([(left - 5, y), (left - 1, y)], fill=_TEXT)
                draw.text((left - 8, y), text, fill=_TEXT, font=font, anchor="rm")


def _step(most: float) -> int:
    """1, 2 or 5 times a power of ten, at least ``most``."""
    steps = [factor * power for power in (1, 10, 100, 1000, 10000) for factor in (1, 2, 5)]
    return next(step for step in steps if step >= most)


def with_scale_bar(pixels: Array, mm: float) -> NDArray[np.uint8]:
    """A picture with a bar of a round number of mm below it, at most a quarter as long as it is wide."""
    canvas, draw, font = _canvas(pixels, (0, 0), (0, SCALE_BAR_ROOM))
    length = bar_length(mm * pixels.shape[1] / 4)
    y, x = canvas.size[1] - 12, _BORDER
    end = x + length / mm
    draw.line([(x, y), (end, y)], fill=_TEXT, width=2)
    for tick in (x, end):
        draw.line([(tick, y - 4), (tick, y + 4)], fill=_TEXT, width=1)
    draw.text((end + 8, y), f"{length:g} mm", fill=_TEXT, font=font, anchor="lm")
    return np.asarray(canvas)


def _with_color_bar(pixels: NDArray[np.uint8], colors: ColorBar) -> NDArray[np.uint8]:
    """A picture with its colours beside it, the greatest value at the top."""
    from PIL import Image

    height, width = pixels.shape[:2]
    canvas, draw, font = _canvas(pixels, (0, 0), (_COLOR_ROOM, 0))
    top, bottom = min(20, height // 4), height - 1 - min(20, height // 4)
    shades = np.linspace(255, 0, max(1, bottom - top)).round().astype(np.uint8)
    bar = np.repeat(COLORMAPS[colors.colormap][shades][:, np.newaxis], 14, axis=1)
    canvas.paste(Image.fromarray(bar), (width + 10, top))
    for share in (0.0, 0.5, 1.0):
        value = colors.high + share * (colors.low - colors.high)
        place = (width + 30, top + share * (bottom - top))
        draw.text(place, colors.label.format(value), fill=_TEXT, font=font, anchor="lm")
    return np.asarray(canvas)


def _canvas(pixels: Array, before: tuple[int, int], behind: tuple[int, int]) -> tuple[Any, Any, Any]:
    """A picture with so many black pixels (x, y) around it, and what draws and writes there."""
    from PIL import Image

    height, width = pixels.shape[:2]
    canvas = Image.new("RGB", (before[0] + width + behind[0], before[1] + height + behind[1]))
    canvas.paste(Image.fromarray(pixels), before)
    return canvas, *_pen(canvas)


def _pen(canvas: Any) -> tuple[Any, Any]:
    from PIL import ImageDraw, ImageFont

    return ImageDraw.Draw(canvas), ImageFont.load_default(13)
