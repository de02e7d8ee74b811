"""``mitk-rs convert``, ``crop`` and ``surface``: an image in another format or pixel type, a box or a surface of it."""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.files import IMAGE_SUFFIXES, SURFACE_SUFFIXES, Session, descriptions
from mitk_rs.cli.parser import CommandParser, Namespace, Numbers, command
from mitk_rs.errors import RequestError, UsageError
from mitk_rs.vmtk.options import parse_float

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mitk_rs.image import Image

_PIXEL_TYPES = ["uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float32", "float64"]
_INTERPOLATIONS = ("linear", "nearest", "bspline", "lanczos")


# mitk-rs convert


def _add_convert(parser: CommandParser) -> None:
    parser.add_argument("input", metavar="IN", help="image: a file, a folder with a DICOM series, or -")
    parser.add_argument("output", metavar="OUT", help="image to write; its ending names the format")
    parser.option("--pixel-type TYPE", f"one of {', '.join(_PIXEL_TYPES)}", _PIXEL_TYPES)
    parser.option("--round", "let --pixel-type round and clip values")
    parser.time_step("write this frame only")
    group = parser.group("resampling")
    group.option("--spacing MM", "distances of voxels along x, y and z, or one for all", Numbers(parse_float, -1))
    group.option("--like IMAGE", "take the grid of this image")
    group.option("--orthogonal", "make the axes orthogonal, which those of a tilted gantry are not")
    kinds = f"{', '.join(_INTERPOLATIONS)} (default: linear); nearest is for labels"
    group.option("--interpolation KIND", kinds, _INTERPOLATIONS, default="linear")
    group.option("--fill V", "value outside of the image (default: its least value)", float)
    parser.reading()


_CONVERT = """Write an image in the format that the ending of OUT names; voxels, geometry and time steps are kept.

  mitk-rs convert dicom-folder scan.mha
  mitk-rs convert scan.nii.gz scan.nrrd --pixel-type float32
  mitk-rs convert dicom-folder scan.mha --allow-gaps --orthogonal     a scan with a tilted gantry
  mitk-rs convert scan.mha fine.mha --spacing 0.5 0.5 0.5

What a format cannot hold is refused, and so is a pixel type that would change a value."""


@command("convert", _add_convert, "write an image in another format", _CONVERT)
def _convert(args: Namespace, session: Session) -> None:
    from mitk_rs.io import formats, write_image

    resampling = _resampling(args)
    suffixes = [suffix for format_ in formats.FORMATS for suffix in format_.suffixes]
    session.check_files([args.input, *([args.like] if args.like else [])], [(args.output, suffixes)])
    start = time.perf_counter()
    image = session.read(args.input)
    if args.time_step is not None:
        session.check_time_step(image, args.input)
        image = _frame(image, args.time_step)
    if resampling:
        like = session.read(args.like) if args.like else None
        image = image.resample(**resampling, like=like)
    if args.pixel_type is not None:
        image = cast(image, args.pixel_type, rounded=args.round)
    write_image(image, args.output)
    seconds = time.perf_counter() - start
    size = [image.get_dimension(axis) for axis in range(image.ndim)]
    session.note(f"wrote {args.output}: {' x '.join(map(str, size))} {image.dtype.name}, {seconds:.2f} s")
    written = {"path": args.output, "kind": "image", "size": size, "pixel_type": image.dtype.name}
    session.facts({"input": args.input, "outputs": [written], "seconds": seconds})


def _resampling(args: Namespace) -> dict[str, Any]:
    """The keyword arguments of :meth:`mitk_rs.Image.resample` but ``like``; none where nothing is resampled."""
    grids = [name for name in ("spacing", "orthogonal", "like") if getattr(args, name)]
    if not grids:
        if args.fill is not None or args.interpolation != "linear":
            raise UsageError("--interpolation and --fill go with --spacing, --like or --orthogonal")
        return {}
    if args.like and len(grids) > 1:
        raise UsageError(f"--like does not go with --{grids[0]}: it has a grid of its own")
    if args.spacing and len(args.spacing) not in (1, 2, 3):
        raise UsageError(f"--spacing needs one, two or three values, got {len(args.spacing)}")
    spacing = args.spacing[0] if args.spacing and len(args.spacing) == 1 else args.spacing
    chosen = {"spacing": spacing, "orthogonal": args.orthogonal}
    return {**chosen, "interpolation": args.interpolation, "fill": args.fill}


def _frame(image: Image, time_step: int) -> Image:
    """One time step as an image of its own, with the properties of the whole."""
    place = image.get_spacing(time_step), image.get_origin(time_step), image.get_direction(time_step)
    voxels = image.as_numpy(writeable=False, time_step=time_step)
    return image._like(voxels.copy(), *place, components=image.components > 1, properties=True)


def cast(image: Image, pixel_type: str, *, rounded: bool) -> Image:
    """The image with another pixel type; every value must survive unless ``rounded``."""
    import numpy as np

    kind = np.dtype(pixel_type)
    voxels = image.as_numpy(writeable=False)
    if rounded and voxels.dtype.kind == "f" and kind.kind in "iu":
        voxels = np.rint(np.nan_to_num(voxels, nan=0.0, posinf=np.inf, neginf=-np.inf))
    below, above = _beyond(voxels, kind)
    with np.errstate(invalid="ignore", over="ignore"):
        made = voxels.astype(kind)
        if not rounded and (below.any() or above.any() or not _come_back(made, voxels)):
            raise RequestError(f"{pixel_type} cannot hold every value of the image; --round rounds and clips them")
    if kind.kind in "iu":
        made[below], made[above] = np.iinfo(kind).min, np.iinfo(kind).max
    converted = image._like(made, components=image.components > 1, properties=True)
    converted.time_geometry = image.time_geometry
    return converted


def _beyond(voxels: NDArray[Any], kind: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Which voxels are below and above all numbers of a type of whole numbers; casts would wrap or saturate."""
    import numpy as np

    if kind.kind == "f":
        nowhere = np.zeros((), bool)
        return nowhere, nowhere
    ends = np.iinfo(kind)
    # One more than the greatest is a power of two, which single precision holds, too.
    return voxels < ends.min, voxels >= ends.max + 1


def _come_back(made: NDArray[Any], voxels: NDArray[Any]) -> bool:
    """Whether a cast back gives the voxels again."""
    import numpy as np

    beyond = any(part.any() for part in _beyond(made, voxels.dtype))
    return not beyond and np.array_equal(made.astype(voxels.dtype), voxels, equal_nan=voxels.dtype.kind == "f")


# mitk-rs crop


def _add_crop(parser: CommandParser) -> None:
    parser.add_argument("input", metavar="IN", help="image to cut from, or -")
    parser.add_argument("output", metavar="OUT", help=f"image to write: {' '.join(IMAGE_SUFFIXES)}")
    how = parser.either()
    how.option("--start I J K", "first voxel along x, y and z, counted from 0: `lower` of Image.crop", int)
    text = "voxel behind the last one along x, y and z: `upper` of Image.crop; goes with --start"
    parser.option("--stop I J K", text, int)
    text = "the same as first and last voxel along each axis, both included"
    how.option("--index I0 I1 J0 J1 K0 K1", text, int)
    text = "bounds in LPS mm: the voxels whose centres lie inside, and on oblique axes the smallest box around them"
    how.option("--box X0 X1 Y0 Y1 Z0 Z1", text, float)
    parser.reading()


_CROP = """Cut a box out of an image; every voxel stays where it is in the world.

  mitk-rs crop scan.mha part.mha --start 10 20 0 --stop 100 150 34
  mitk-rs crop scan.mha part.mha --box -80 20 -40.5 60 0 50"""


@command("crop", _add_crop, "cut a box out of an image", _CROP)
def _crop(args: Namespace, session: Session) -> None:
    if (args.start is None) != (args.stop is None):
        raise UsageError("--start and --stop go together: the first voxel, and the one behind the last")
    session.check_files([args.input], [(args.output, IMAGE_SUFFIXES)])
    from mitk_rs.io import write_image

    image = session.read(args.input)
    bounds = args.index or _bounds_between(args) or _bounds_of_box(image, args.box)
    part = _cropped(image, bounds)
    write_image(part, args.output)
    size = [bounds[2 * axis + 1] - bounds[2 * axis] + 1 for axis in range(3)]
    session.note(f"wrote {args.output}: {' x '.join(map(str, size))} voxels from {tuple(bounds[::2])}")
    written = {"path": args.output, "kind": "image", "size": size, "origin": part.origin}
    session.facts({"input": args.input, "outputs": [written], "index": bounds})


def _size(image: Image) -> list[int]:
    """Voxels along x, y, z; 1 along z for a picture."""
    return [image.get_dimension(axis) if axis < image.ndim else 1 for axis in range(3)]


def _bounds_between(args: Namespace) -> list[int]:
    """First and last index along each axis from ``--start`` and ``--stop``; empty without them."""
    pairs = zip(args.start or (), args.stop or (), strict=True)
    return [bound for first, end in pairs for bound in (first, end - 1)]


def _bounds_of_box(image: Image, box: list[float]) -> list[int]:
    """First and last index of the smallest index box with every voxel centre inside the box, cut to the image."""
    listed = " ".join(f"{value:g}" for value in box)
    if not all(math.isfinite(value) for value in box):
        raise RequestError(f"--box {listed} must be finite")
    for name, low, high in zip("xyz", box[::2], box[1::2], strict=True):
        if low > high:
            raise RequestError(f"--box: the lower bound {low:g} is above the upper bound {high:g} along {name}")
    indices = [image.world_to_index([x, y, z]) for x in box[:2] for y in box[2:4] for z in box[4:]]
    bounds: list[int] = []
    for axis, count in enumerate(_size(image)):
        along = [float(index[axis]) for index in indices]
        # Bounds that were computed from voxel centres must not lose them to rounding.
        bounds += [max(0, math.ceil(min(along) - 1e-6)), min(count - 1, math.floor(max(along) + 1e-6))]
    if any(first > last for first, last in zip(bounds[::2], bounds[1::2], strict=True)):
        raise RequestError(f"--box {listed} holds no voxel of the image, which spans {_span(image)}")
    return bounds


def _span(image: Image) -> str:
    """First and last voxel centre along each axis of the world."""
    last = [count - 1 for count in _size(image)]
    corners = [image.index_to_world([i, j, k]) for i in (0, last[0]) for j in (0, last[1]) for k in (0, last[2])]
    axes = [[float(corner[axis]) for corner in corners] for axis in range(3)]
    return ", ".join(f"{name} {min(a):g}..{max(a):g}" for name, a in zip("xyz", axes, strict=True))


def _cropped(image: Image, bounds: list[int]) -> Image:
    """The voxels from first to last index along x, y and z (both included), as :meth:`mitk_rs.Image.crop` cuts them."""
    for axis, count in enumerate(_size(image)):
        first, last = bounds[2 * axis], bounds[2 * axis + 1]
        if first > last:
            raise RequestError(f"{'xyz'[axis]} range {first}..{last} is crossed: the first index is above the last")
        if first < 0 or last >= count:
            raise RequestError(f"{'xyz'[axis]} range {first}..{last} is outside the image (0..{count - 1})")
    dimension = min(3, image.ndim)
    return image.crop(bounds[: 2 * dimension : 2], [last + 1 for last in bounds[1 : 2 * dimension : 2]])


# mitk-rs surface


def _add_surface(parser: CommandParser) -> None:
    parser.add_argument("input", metavar="IN", help="level set or any scalar image, or -")
    parser.option("-o --output SURFACE", f"file to write: {' '.join(SURFACE_SUFFIXES)}", required=True)
    text = "value of the image on the surface (default: 0)"
    parser.option("--isosurface --level V", text, float, default=0.0, dest="level")
    parser.time_step()
    parser.reading()


_SURFACE = """Triangulate the surface where an image takes a value, in world coordinates (LPS mm).

  mitk-rs surface level.mha -o vessel.stl

Triangles face larger values: outwards for a level set. The surface is open where it meets the border."""


@command("surface", _add_surface, "cut the surface of a level set", _SURFACE)
def _surface(args: Namespace, session: Session) -> None:
    session.check_files([args.input], [(args.output, SURFACE_SUFFIXES)])
    from mitk_rs.surface import extract_surface, write_surface

    start = time.perf_counter()
    image = session.read_frame(args.input)
    surface = extract_surface(image, args.level, time_step=args.time_step)
    triangles, points = surface.GetNumberOfCells(), surface.GetNumberOfPoints()
    if triangles == 0:
        raise RequestError(f"{args.input} does not cross the level {args.level:g}: there is no surface to write")
    write_surface(surface, args.output)
    seconds = time.perf_counter() - start
    session.note(f"wrote {args.output}: {triangles} triangles, {points} points, {seconds:.2f} s")
    found = {"level": args.level, "triangles": triangles, "points": points, "bounds": surface.GetBounds()}
    session.facts({"input": args.input, "outputs": descriptions({"surface": args.output}), **found, "seconds": seconds})
