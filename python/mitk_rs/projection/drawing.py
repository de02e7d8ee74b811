"""Pictures of images: a projection along an axis, a view, a contact sheet of three projections, a small preview."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

import numpy as np

from mitk_rs._validation import check_kind, check_names, flag, numbers, whole_number, wrong_type
from mitk_rs.errors import GeometryError, RequestError
from mitk_rs.interop import as_image
from mitk_rs.projection.annotation import (
    SCALE_BAR_ROOM,
    Annotations,
    ColorBar,
    annotated,
    bordered,
    room_around,
    with_scale_bar,
)
from mitk_rs.projection.axis import AXES, Kind, VolumeAxis, axis_number, project, project_all
from mitk_rs.projection.camera import Array, View, view_along
from mitk_rs.projection.picture import (
    MAX_SIZE,
    OUTLINE_COLOURS,
    Picture,
    Pixels,
    Shades,
    check_size,
    drawn,
    edge_drawn,
    fitted,
    framed,
    outlined,
    resized,
    rings,
    with_seeds,
)
from mitk_rs.projection.rays import Camera, Volume

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["axis_picture", "mid_slices", "montage", "preview", "size_within", "view_picture"]

# Kinds whose values are places along the axis: they are explained by a colour bar and not mixed between pixels.
_PLACES = {"argmax": "axis = {:.0f}", "argmin": "axis = {:.0f}", "depth": "{:.4g} mm"}


class MontageOptions(TypedDict, total=False):
    """Options of :func:`montage` that most calls leave out."""

    size: Sequence[int] | int | None
    ticks: bool
    threads: int | None


def montage(
    image: Image,
    *,
    kind: Kind = "max",
    time_step: int | None = None,
    height: int = 400,
    window: float | None = None,
    level: float | None = None,
    percentiles: tuple[float, float] | None = None,
    colormap: str = "grey",
    overlay: Image | None = None,
    seeds: Iterable[Sequence[float]] = (),
    **options: Unpack[MontageOptions],
) -> Pixels:
    """Contact sheet of the projections along z, y and x, all in the same scale.

    The pictures are side by side, below each other or both, whatever leaves the least of the sheet empty. Letters at
    the sides of each picture are the sides of the patient (L R A P S I); the bar below is as long as it says.

    Parameters
    ----------
    image
        Scalar ``Image`` with one time step, or with ``time_step``.
    kind, time_step, threads
        As for :func:`mitk_rs.project`.
    height
        Pixels of the tallest picture, where no ``size`` is given.
    size
        Width and height of the whole sheet in pixels.
    ticks
        Whether voxel indices stand along the left and lower edge of each picture.
    window, level, percentiles, colormap
        As for :func:`mitk_rs.render_mip`; the three pictures share them.
    overlay
        Level set whose outline is drawn over each picture.
    seeds
        Voxel indices (x, y, z) to mark.

    Returns
    -------
    Pixels
        RGB picture ``(y, x, 3)``, uint8: an array that notebooks show.

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
    check_names("montage", options, MontageOptions)
    if not 16 <= whole_number(height, "height") <= MAX_SIZE // 8:
        raise RequestError(f"height is {height}: allowed are 16 to {MAX_SIZE // 8} pixels")
    image, overlay = as_image(image), as_image(overlay)
    size, threads = options.get("size"), options.get("threads")
    fixed = None if size is None else check_size(size)
    around = Annotations(letters=True, ticks=flag(options.get("ticks", False), "ticks"))
    step = 0 if time_step is None else whole_number(time_step, "time_step")
    shades = Shades(window, level, percentiles, colormap)
    shades.check()
    marks = _check_seeds(seeds, image)
    views = [view_along(image.get_direction(step), image.get_spacing(step), a) for a in range(3)]
    values = [_only_numbers(v, kind) for v in _projections(image, kind, time_step, threads)]
    shades = _shared(shades, values)
    extents = np.array([_extent(v, view) for v, view in zip(values, views, strict=True)])[::-1]
    mm = float(extents[:, 1].max()) / height
    if fixed is not None:
        border = np.subtract(room_around(around), (0, SCALE_BAR_ROOM))
        mm = _millimetres(extents, np.tile(border, (3, 1)), fixed)
    pictures = [_scaled(v, view, shades, mm) for v, view in zip(values, views, strict=True)]
    if overlay is not None:
        _check_grid(image, overlay, step)
        inside = _projections(overlay, "min", None, threads)
        pictures = [outlined(p, v.apply(f)) for p, v, f in zip(pictures, views, inside, strict=True)]
    if len(marks):
        pictures = [with_seeds(p, marks, axis, values[axis].shape) for axis, p in enumerate(pictures)]
    panels = [bordered(pictures[axis], around, shape=values[axis].shape, axis=axis) for axis in (2, 1, 0)]
    return _sheet(panels, mm, fixed)


def _projections(image: Image, kind: Kind, time_step: int | None, threads: int | None) -> list[Array]:
    return [_scalar_values(p) for p in project_all(image, kind=kind, time_step=time_step, threads=threads)]


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


# How three pictures can be laid out: rows of them, or columns.
_LAYOUTS = [
    (groups, down)
    for groups in (((0, 1, 2),), ((0,), (1,), (2,)), ((0, 1), (2,)), ((0,), (1, 2)))
    for down in (False, True)
]


def _laid_out(groups: tuple[tuple[int, ...], ...], boxes: Array, *, down: bool) -> tuple[Array, Array]:
    """Width and height of pictures laid out in rows (or columns, if ``down``), and the corner of each (x, y)."""
    along, across = (1, 0) if down else (0, 1)
    corners, size = np.zeros((3, 2)), np.zeros(2)
    for group in groups:
        breadth, position = boxes[list(group), across].max(), 0.0
        for number in group:
            corners[number, along] = position
            corners[number, across] = size[across] + (breadth - boxes[number, across]) / 2
            position += boxes[number, along]
        size[across] += breadth
        size[along] = max(size[along], position)
    return size, corners


def _millimetres(extents: Array, borders: Array, size: tuple[int, int]) -> float:
    """mm per pixel of the largest sheet that fits ``size``, whatever its layout."""
    # Rounding makes each picture half a pixel larger at most.
    room = np.subtract(size, (3, SCALE_BAR_ROOM + 3))
    least = np.inf
    for groups, down in _LAYOUTS:
        (width, height), _ = _laid_out(groups, extents, down=down)
        (left, top), _ = _laid_out(groups, borders, down=down)
        if left < room[0] and top < room[1]:
            least = min(least, max(width / (room[0] - left), height / (room[1] - top)))
    if not np.isfinite(least):
        raise RequestError(f"size is {size}: too small for the borders of three pictures")
    return float(least)


def _sheet(panels: list[Array], mm: float, size: tuple[int, int] | None) -> Pixels:
    """The pictures of a sheet, in the layout that leaves the least of it empty, or that fits ``size``."""
    boxes = np.array([panel.shape[1::-1] for panel in panels], np.float64)
    layouts = [_laid_out(groups, boxes, down=down) for groups, down in _LAYOUTS]
    fitting = [found for found in layouts if size is None or (found[0] <= np.array(size) - (0, SCALE_BAR_ROOM)).all()]
    (width, height), corners = min(fitting or layouts, key=lambda found: float(np.prod(found[0])))
    canvas = np.zeros((round(height), round(width), 3), np.uint8)
    for panel, (left, top) in zip(panels, corners.astype(int).tolist(), strict=True):
        canvas[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
    return framed(with_scale_bar(canvas, mm), size)[0].view(Pixels)


def view_picture(
    image: Image,
    camera: Camera,
    *,
    shades: Shades | None = None,
    depth: bool = False,
    time_step: int | None = None,
    overlay: Image | None = None,
    seeds: Iterable[Sequence[float]] = (),
    lower: float | None = None,
    annotations: Annotations | None = None,
) -> Picture:
    """The picture of a view, or of its depths.

    Where the greatest value along a ray is below ``lower``, a picture of depths is black. Letters, scale bar and colour
    bar come around the pixels of the camera (:class:`~mitk_rs.projection.annotation.Annotations`).

    Raises
    ------
    RequestError
        A camera, window or seed that is not allowed; several components; a 2-D image.
    GeometryError
        An overlay on another grid.
    """
    shades = _checked_shades(shades)
    check_kind(camera, Camera, "camera", "a Camera")
    image, overlay = as_image(image), as_image(overlay)
    volume = Volume(image, time_step)
    marks = _check_seeds(seeds, image)
    values, depths = camera.cast(volume, depth=depth)
    missed = np.isnan(values)
    if depths is not None:
        missed |= values < (-np.inf if lower is None else lower)
        values = np.where(missed, np.nan, depths)
    ends = shades.range(values)
    pixels = shades.apply(values, ends)
    pixels[missed] = 0
    picture = Picture(pixels, camera.pixel(volume), camera.gaze(), (1.0, 1.0))
    if overlay is not None:
        _check_grid(image, overlay, time_step or 0)
        picture = edge_drawn(picture, _silhouette(overlay, camera))
    picture = rings(picture, camera.place(volume, marks)) if len(marks) else picture
    around = _checked_annotations(annotations)
    if around.ticks:
        raise RequestError("ticks are voxel indices: only pictures along an axis have them")
    return annotated(picture, around, colors=ColorBar(shades.colormap, *ends, "{:.4g} mm" if depth else "{:.4g}"))


def _silhouette(level_set: Image, camera: Camera) -> Array:
    """Pixels whose rays pass through the inside of a level set."""
    inside = np.clip(-np.asarray(level_set.as_numpy(writeable=False), np.float32), -1, 1)
    same_place = level_set._like(inside, level_set.get_spacing(), level_set.get_origin(), level_set.get_direction())
    values, _ = camera.cast(Volume(same_place, None))
    return np.nan_to_num(values, nan=-1.0) > 0


def axis_picture(
    image: Image,
    *,
    axis: VolumeAxis = "z",
    kind: Kind = "max",
    slab: Sequence[int | None] | slice | None = None,
    time_step: int | None = None,
    shades: Shades | None = None,
    size: Sequence[int] | int | None = None,
    overlay: Image | Sequence[Image] | None = None,
    seeds: Iterable[Sequence[float]] = (),
    lower: float | None = None,
    annotations: Annotations | None = None,
    threads: int | None = None,
) -> Picture:
    """The picture of a projection along an axis, turned for radiologists (see :mod:`mitk_rs.projection.camera`).

    Parameters
    ----------
    image
        ``Image`` with one time step or with ``time_step``.
    axis, kind, slab, time_step, threads
        As for :func:`mitk_rs.project`.
    shades
        Window, level, colour map, bits. The default is a robust range of the projection in grey.
    size
        Width and height of the picture with all that is around it; the projection is scaled to fit, on black. By
        default one voxel is one pixel along the axis with the finer spacing, or as many whole pixels as make the longer
        side of the projection 512 or more.
    overlay
        Level set (``Image`` on the same grid, negative inside) whose outline is drawn over the picture in green; of a
        list the first is green and the others, which are drawn before it, are orange.
    seeds
        Voxel indices (x, y, z) to mark.
    lower
        For the kinds ``argmax`` and ``depth``: where the greatest value is below it, the picture is black.
    annotations
        Letters, ticks and colour bar around the picture; none by default.

    Raises
    ------
    RequestError, GeometryError
        As for :func:`mitk_rs.montage`.

    Examples
    --------
    >>> import numpy as np, mitk_rs as mitk
    >>> from mitk_rs.projection import axis_picture
    >>> scan = mitk.Image(np.zeros((10, 20, 30), np.int16), spacing=(1, 1, 2))
    >>> axis_picture(scan, axis="y").pixels.shape
    (360, 540)
    """
    shades, around = _checked_shades(shades), _checked_annotations(annotations)
    fixed = None if size is None else size_within(size, around)
    number = axis_number(axis, names=AXES[:3])
    image = as_image(image)
    marks = _check_seeds(seeds, image)
    along: dict[str, Any] = {"axis": number, "slab": slab, "time_step": time_step, "threads": threads}
    values = _only_numbers(_scalar_values(project(image, kind=kind, **along)), kind)
    hidden = None
    if lower is not None and kind in ("argmax", "depth"):
        hidden = ~(_scalar_values(project(image, kind="max", **along)) >= lower)
    view = view_along(image.get_direction(time_step or 0), image.get_spacing(time_step or 0), number)
    picture = drawn(values, view, shades, fixed, hidden=hidden, nearest=kind in _PLACES)
    given = list(overlay) if isinstance(overlay, list | tuple) else [] if overlay is None else [overlay]
    overlays = [as_image(level_set) for level_set in given]
    for place, level_set in reversed(list(enumerate(overlays))):
        _check_grid(image, level_set, time_step or 0)
        inside = _scalar_values(project(level_set, axis=number, kind="min", slab=slab, threads=threads))
        picture = outlined(picture, view.apply(inside), OUTLINE_COLOURS[min(place, 1)])
    picture = with_seeds(picture, marks, number, values.shape) if len(marks) else picture
    colors = None
    if around.color_bar:
        ends = shades.range(values if hidden is None else values[~hidden])
        colors = ColorBar(shades.colormap, *ends, _PLACES.get(kind, "{:.4g}").replace("axis", AXES[number]))
    return annotated(picture, around, shape=values.shape, axis=number, colors=colors)


def _checked_shades(shades: Shades | None) -> Shades:
    shades = Shades() if shades is None else shades
    check_kind(shades, Shades, "shades", "a Shades")
    shades.check()
    return shades


def _checked_annotations(annotations: Annotations | None) -> Annotations:
    annotations = Annotations() if annotations is None else annotations
    check_kind(annotations, Annotations, "annotations", "an Annotations")
    return annotations


def size_within(size: Sequence[int] | int, around: Annotations) -> tuple[int, int]:
    """What is left of the size of a picture for what is shown in it, 16 pixels at least."""
    checked = check_size(size)
    width, height = np.subtract(checked, room_around(around)).tolist()
    if around != Annotations() and min(width, height) < 16:
        raise RequestError(f"size is {checked}: with letters, ticks or a colour bar less than 16 pixels are left")
    return width, height


def _scalar_values(projected: Any) -> Array:
    """The values ``(y, x)`` of a projection, of a 4-D one that of its only step."""
    array = np.asarray(projected.as_numpy(writeable=False)) if hasattr(projected, "as_numpy") else projected
    if array.ndim == 2:
        return array
    if getattr(projected, "components", 1) > 1:
        raise RequestError(f"the image has {projected.components} components a voxel: a picture needs one")
    raise RequestError(f"the image has {array.shape[0]} time steps: choose one with time_step= or --time-step")


def _only_numbers(values: Array, kind: str) -> Array:
    """An extremum with NaN where there was nothing else, instead of the number that is left there: it would
    stretch the window over the whole range of the type."""
    if values.dtype.kind != "f" or kind not in ("max", "min"):
        return values
    info = np.finfo(values.dtype)
    return np.where(values == (info.min if kind == "max" else info.max), np.nan, values)


def _check_grid(image: Any, overlay: Any, time_step: int) -> None:
    """Refuse an overlay whose voxels are not those of the image."""
    if not hasattr(overlay, "get_geometry"):
        raise wrong_type("overlay", "an Image", overlay)
    shape = _volume_shape(image)
    if tuple(overlay.shape) != tuple(shape):
        raise GeometryError(f"the overlay has the shape {tuple(overlay.shape)}, the image {tuple(shape)} (z, y, x)")
    mine, other = image.get_geometry(time_step), overlay.get_geometry(0)
    # NIfTI keeps single precision: compare to a thousandth of a voxel.
    tolerance = 1e-3 * min(mine.spacing)
    corners = np.array([[0, 0, 0], [shape[2], 0, 0], [0, shape[1], 0], [0, 0, shape[0]]], np.float64)
    distance = np.abs(_world(mine, corners) - _world(other, corners)).max()
    if distance > tolerance:
        raise GeometryError(f"the overlay lies elsewhere: its corners are up to {distance:.3g} mm from the image's")


def _world(geometry: Any, indices: Array) -> Array:
    matrix = np.asarray(geometry.direction) * np.asarray(geometry.spacing)
    world: Array = indices @ matrix.T + np.asarray(geometry.origin)
    return world


def _check_seeds(seeds: Iterable[Sequence[float]], image: Any) -> Array:
    """Seeds as an array of triples, each within a voxel of the image."""
    check_kind(seeds, Iterable, "seeds", "a list of (x, y, z) triples")
    given = numbers(seeds if isinstance(seeds, np.ndarray) else list(seeds), "seeds")
    if given.size and (given.ndim != 2 or given.shape[1] != 3 or not np.isfinite(given).all()):
        raise RequestError("seeds must be (x, y, z) triples of finite numbers, such as [(71, 213, 16)]")
    given = given.reshape(-1, 3)
    size = _volume_shape(image)[::-1]
    for seed in given:
        if not ((seed >= -0.5) & (seed < np.array(size) - 0.5)).all():
            allowed = " x ".join(map(str, size))
            raise RequestError(f"the seed ({', '.join(f'{v:g}' for v in seed)}) lies outside the {allowed} voxels")
    return given


def _volume_shape(image: Any) -> tuple[int, ...]:
    """Voxels along z, y and x; of a 2-D image one slice."""
    if not hasattr(image, "get_geometry"):
        raise wrong_type("image", "an Image", image)
    shape: tuple[int, ...] = image.shape if image.components == 1 else image.shape[:-1]
    return (1, *shape) if len(shape) == 2 else shape[-3:]


# Longest side of the picture in pixels: one voxel each in between.
_SHORTEST, _LONGEST = 256, 512


def preview(image: Image) -> Array:
    """The maximum intensity projection along z of time step 0 of a volume, turned for radiologists, true to scale.

    It is uint8 ``(y, x)``, 256 to 512 pixels along the longer side, or ``(y, x, 3)`` for colours (three or four
    components of uint8); of other components the first is shown. What is nothing but NaN is black, and so is a constant
    image.
    """
    projected = np.asarray(project(image, axis="z", time_step=0).as_numpy(writeable=False))
    return _small(_only_numbers(_displayable(projected, image.components), "max"), image, 2, _SHORTEST, _LONGEST)


def mid_slices(image: Image) -> list[Array]:
    """The middle slices across z, y and x of time step 0, as :func:`preview`; of a 2-D image itself alone."""
    volume = _displayable(image.as_numpy(writeable=False, time_step=0), image.components)
    if image.ndim == 2:
        volume = volume[np.newaxis]
    depth, height, width = (length // 2 for length in volume.shape[:3])
    cuts = [volume[depth], volume[:, height], volume[:, :, width]]
    wanted = cuts[:1] if volume.shape[0] == 1 else cuts
    return [_small(cut, image, 2 - number, _SHORTEST, _SHORTEST) for number, cut in enumerate(wanted)]


def _displayable(voxels: Array, components: int) -> Array:
    """Red, green and blue where they are bytes, else the first component."""
    if components in (3, 4) and voxels.dtype == np.uint8:
        return voxels[..., :3]
    return voxels[..., 0] if components > 1 else voxels


def _small(values: Array, image: Image, axis: int, shortest: int, longest: int) -> Array:
    """Values on a plane across an axis as a picture whose longer side has so many pixels."""
    itself = image.ndim == 2
    view = view_along(image.get_direction(0), image.get_spacing(0), axis)
    turned = view.apply(values)
    side = min(max(*turned.shape[:2], shortest), longest)
    width, height, _ = fitted(turned.shape, view.pixel, (side, side))
    if turned.ndim == 3:
        channels = [resized(turned[..., c], width, height, nearest=itself) for c in range(3)]
        return np.clip(np.stack(channels, axis=-1) + 0.5, 0, 255).astype(np.uint8)
    shades = Shades()
    return shades.apply(resized(turned, width, height, nearest=itself), shades.range(values))
