"""How images and results present themselves: one line of text, a small table with pictures, a picture."""

from __future__ import annotations

import base64
import html
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

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
    from mitk_rs.projection.drawing import mid_slices
    from mitk_rs.projection.picture import png

    if image.ndim == 0:
        return f"<p>{html.escape(repr(image))}</p>"
    return table(description(image), map(png, mid_slices(image)), "middle slice")


def table(rows: Mapping[str, str], pictures: Iterable[bytes], alt: str) -> str:
    """HTML for notebooks: names with texts, and pictures below, which are PNG."""
    cells = "".join(
        f"<tr><th style='text-align:left'>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
        for name, text in rows.items()
    )
    shown = "".join(
        f"<img src='data:image/png;base64,{base64.b64encode(png).decode()}' alt='{alt}' style='margin:2px'>"
        for png in pictures
    )
    return f"<table>{cells}</table><div>{shown}</div>"


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


class ShownResult(ABC):
    """Part of the results of computations: how they present themselves."""

    @abstractmethod
    def _facts(self) -> dict[str, str]:
        """What is worth knowing, by name."""

    @abstractmethod
    def _shown(self) -> Image | None:
        """An image whose projections are the picture of the result."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(filter(None, self._facts().values()))})"

    def _repr_html_(self) -> str:
        """A table with what came out, and its picture."""
        png = self._repr_png_()
        rows = {name: text for name, text in self._facts().items() if text}
        return table(rows, [] if png is None else [png], type(self).__name__)

    def _repr_png_(self) -> bytes | None:
        """Projections along z, y and x, turned for radiologists; nothing where there is nothing to see."""
        from mitk_rs.projection.drawing import mid_slices, montage
        from mitk_rs.projection.picture import png

        shown = self._shown()
        if shown is None:
            return None
        if shown.ndim == 2:
            return png(mid_slices(shown)[0])
        return montage(shown, kind="max" if shown.dtype.kind == "f" else "sum", percentiles=(0, 100))._repr_png_()


def inside_of(level_set: Image, box: list[list[int]] | None) -> Image | None:
    """The inside of a level set around its bounding box, first and last index along x, y and z, as an image of 0, 1."""
    if box is None:
        return None
    axes = range(level_set.ndim)
    margins = [max(2, (last - first) // 8) for first, last in box]
    low = [max(0, box[axis][0] - margins[axis]) for axis in axes]
    high = [min(level_set.get_dimension(axis), box[axis][1] + 1 + margins[axis]) for axis in axes]
    part = level_set.crop(low, high)
    return part.like(np.asarray(part.as_numpy(writeable=False)) < 0)


def facts_of_inside(report: Any) -> dict[str, str]:
    """What reports of level sets say of the inside, by name."""
    pieces = "1 piece" if report.components == 1 else f"{report.components} pieces"
    return {
        "inside": f"{report.volume_ml:.4g} ml in {pieces}",
        "voxels": f"{report.inside} of {report.voxels} voxels",
    }


def fact_of_warnings(warnings: list[str]) -> dict[str, str]:
    """The warnings as one entry, which is empty where there are none."""
    return {"warnings": "; ".join(warnings) and f"warnings: {'; '.join(warnings)}"}
