"""``mitk-rs mip``: projections of an image, as pictures, turntables, values or in a window."""

from __future__ import annotations

import argparse
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.files import IMAGE_SUFFIXES, PICTURES, Session, check_inputs, check_outputs
from mitk_rs.cli.parser import CommandParser, Group, Namespace, Points, command, given, refuse, repeated
from mitk_rs.errors import UsageError

if TYPE_CHECKING:
    from mitk_rs.image import Image

_DESCRIPTION = """Project an image: along an axis of its voxel grid, exactly, or from any direction.

  mitk-rs mip scan.mha -o mip.png                      along z, as a picture
  mitk-rs mip scan.mha -o mip.png --axis y --overlay level.mha
  mitk-rs mip scan.mha -o mip.npy --axis all           the values: mip_x.npy, mip_y.npy, mip_z.npy
  mitk-rs mip scan.mha -o mip.png --azimuth 30 --elevation 10
  mitk-rs mip scan.mha -o turn.gif --spin 36           a turntable; turn.png gives turn_000.png, turn_001.png, ...
  mitk-rs mip scan.mha -o sheet.png --montage          x, y and z with scale bar and sides of the patient
  mitk-rs mip scan.mha --show                          a window

The ending of OUT says what is written: .png and .tif are pictures, turned for radiologists (patient's left on the
right, anterior or superior up), with square pixels; .npy and image formats such as .mha hold the values of the
projection, along an axis in the order of the voxels, with geometry where the format has one."""

_EPILOG = """Azimuth 0 and elevation 0 look from the front of the patient. Azimuth turns the camera towards the
patient's left (90: left side, 180: back), elevation lifts it towards the head (90: from above), roll turns the picture
clockwise.
All directions are those of the world (LPS), whatever the direction of the image."""

_ANIMATIONS = (".gif", ".webp")
_VALUES = (".npy", *IMAGE_SUFFIXES)
_KINDS = ("max", "min", "mean", "sum", "std", "argmax", "argmin", "depth")
_PLACES = ("argmax", "argmin", "depth")
_COLORMAPS = ("grey", "inverse", "hot", "bone", "ice", "depth")
_VIEW_OPTIONS = "azimuth elevation roll direction up perspective zoom sample_distance"
_PICTURE_OPTIONS = "window level percentiles overlay seeds lower colormap letters ticks"


# Options


def _add_options(parser: CommandParser) -> None:
    parser.add_argument("input", metavar="IN", help="image: a file, a folder with a DICOM series, or -")
    parser.option("-o --output OUT", "file to write: .png .tif .npy .mha ..., with --spin also .gif .webp")
    parser.option("--show", "open a window instead; needs a display")
    group = parser.group("projection along an axis")
    group.option("--axis AXIS", "x, y, z (default) or all: three files", ("x", "y", "z", "all"))
    kinds = f"{', '.join(_KINDS)}; default max; from a direction max or depth (mm)"
    group.option("--kind --mode KIND", kinds, _KINDS, default="max")
    slab = "only voxels FIRST <= index < END along the axis; either may be left out"
    group.option("--slab FIRST:END", slab, _slab)
    group.time_step()
    _add_view(parser.group("projection from any direction"))
    _add_picture(parser.group("picture"))
    parser.reading(threads=True)


def _add_view(group: Group) -> None:
    group.option("--azimuth DEGREES", "angle around the body axis", float)
    group.option("--elevation DEGREES", "angle towards the head", float)
    group.option("--roll DEGREES", "angle of the picture", float)
    world = float
    group.option("--direction X Y Z", "where the camera looks to, instead of angles", world)
    group.option("--up X Y Z", "what is up in the picture", world)
    angle = "rays from an eye with this view angle (VTK's is 30) instead of parallel ones"
    group.option("--perspective DEGREES", angle, float, nargs="?", const=30.0)
    group.option("--zoom Z", "magnification; 1 just shows everything", float)
    distance = "from sample to sample along a ray (default: half the smallest spacing)"
    group.option("--sample-distance MM", distance, float)
    group.option("--spin N", "a whole turn in N pictures", int, least=1)
    group.option("--seconds S", "duration of a turn (default: 4)", float, default=4.0)


def _add_picture(group: Group) -> None:
    group.option("--window W", "range of values from black to white", float)
    group.option("--level L", "value in the middle of the window", float)
    text = "window from percentiles of the projection (default: 0.5 99.8)"
    group.option("--percentiles LOW HIGH", text, float)
    text = f"{', '.join(_COLORMAPS)} (default: grey; depth for argmax, argmin and depth)"
    group.option("--colormap NAME", text, _COLORMAPS)
    group.option("--bits 8|16", "bits of grey", ("8", "16"), default="8")
    group.option("--size W H", "pixels; the projection is fitted in", int)
    group.option("--ticks", "voxel indices along the edges of a projection along an axis, or of a contact sheet")
    group.option("--letters", "letters of the sides of the patient (L R A P S I) around the picture, and a scale bar")
    text = "pictures of argmax and depth are black where the maximum is below V (default: Otsu's threshold)"
    group.option("--lower V", text, float)
    group.option("--overlay LEVELSET", "level set whose outline is drawn over the picture")
    text = "voxels to mark, the first in another colour; or a file of points"
    group.option("--seeds I J K", text, Points(), action="append")
    group.option("--montage", "contact sheet of x, y and z with scale bar")


def _slab(word: str) -> tuple[int | None, int | None]:
    found = re.fullmatch(r"(\d*):(\d*)", word.strip())
    if not found:
        raise argparse.ArgumentTypeError(f"expects FIRST:END, two whole numbers from 0, got {word}")
    first, end = (int(part) if part else None for part in found.groups())
    return first, end


@command("mip", _add_options, "project an image to a picture", _DESCRIPTION, _EPILOG)
def _run(args: Namespace, session: Session) -> None:
    for name in repeated(args.words):
        if name != "--seeds":
            session.warning(f"{name} is given more than once: the last one counts")
    args.mode = _mode(args)
    _check_combination(args)
    args.colormap = args.colormap or ("depth" if args.kind in _PLACES and args.mode != "montage" else "grey")
    inputs = [path for path in (args.input, args.overlay) if path]
    check_inputs(*inputs)
    if args.mode == "show":
        _show(args, session)
        return
    outputs = _output_names(args)
    allowed = {"spin": _ANIMATIONS + PICTURES, "montage": PICTURES}.get(args.mode, PICTURES + _VALUES)
    check_outputs([(path, allowed) for path in outputs], inputs=inputs, force=args.force)
    report = _make_outputs(args, outputs, session)
    for path in outputs:
        session.note(f"wrote {path}")
    session.facts({"input": args.input, "mode": args.mode, "kind": args.kind, "outputs": report})


def _used(args: Namespace, names: str) -> list[str]:
    # Not `in (None, False)`: that would take an angle of 0 for nothing.
    used = [name for name, value in given(args, names).items() if value is not None and value is not False]
    return [f"--{name.replace('_', '-')}" for name in used]


def _mode(args: Namespace) -> str:
    """What is asked for: axis, view, spin, montage or show."""
    view, modes = _used(args, _VIEW_OPTIONS), _used(args, "show montage spin")
    if len(modes) > 1:
        raise UsageError(f"{modes[0]} and {modes[1]} exclude each other")
    mode = modes[0].lstrip("-") if modes else "view" if view else "axis"
    along = _used(args, "axis slab")
    if along and mode != "axis":
        raise UsageError(f"{along[0]} is for projections along an axis: it does not go with {(modes + view)[0]}")
    if view and mode in ("montage", "show"):
        raise UsageError(f"{view[0]} does not go with --{mode}")
    if args.output is None and mode != "show":
        raise UsageError("missing -o OUT, the file to write")
    if args.output is not None and mode == "show":
        raise UsageError("-o does not go with --show: the window writes nothing but screenshots (key x)")
    return mode


def _check_combination(args: Namespace) -> None:
    mode, kind, deep = args.mode, args.kind, args.bits == "16"
    turned = " ".join(_used(args, f"{_VIEW_OPTIONS} spin show")[:1])
    around = "--direction does not go with --spin: a turn goes around the body axis, from --azimuth on"
    along = f"--kind {kind} is for projections along an axis: from a direction there are max and depth"
    mistakes = {
        "--percentiles and --window exclude each other": args.percentiles and args.window is not None,
        along: mode in ("view", "spin", "show") and kind not in ("max", "depth"),
        around: mode == "spin" and args.direction,
        f"--kind depth does not go with --{mode}": kind == "depth" and mode in ("spin", "show"),
        f"--bits 16 does not go with --{mode}": mode in ("montage", "spin") and deep,
        f"--ticks are voxel indices: they do not go with {turned}": args.ticks and mode not in ("axis", "montage"),
        "--letters does not go with --show: the window has letters anyway": args.letters and mode == "show",
        "--lower is for pictures of --kind argmax and depth": (
            args.lower is not None and (kind not in ("argmax", "depth") or mode == "montage")
        ),
        "--bits 16 is for grey pictures without ticks, letters and colour bar": (
            deep and (args.ticks or args.letters or kind in _PLACES)
        ),
    }
    refuse(mistakes)
    if mode in ("axis", "view") and args.output.lower().endswith(_VALUES):
        used = _used(args, _PICTURE_OPTIONS + (" size" if mode == "axis" else "")) + (["--bits"] if deep else [])
        if used:
            raise UsageError(f"{used[0]} is for pictures (.png, .tif): {args.output} gets the values of the projection")


def _show(args: Namespace, session: Session) -> None:
    from mitk_rs._platform import require_display

    require_display("mitk-rs mip --show")
    from mitk_rs.viewer.mip_viewer import show

    window = (args.window or 0.0, args.level or 0.0)
    image = session.read(args.input)
    show(image, window_level=window, time_step=args.time_step, title=Path(args.input).name, notify=session.note)


# Outputs


def _is_picture(path: str) -> bool:
    return path.lower().endswith(PICTURES)


def _output_names(args: Namespace) -> list[str]:
    """The files that will be written."""
    if args.mode == "axis" and args.axis == "all":
        return [_numbered(args.output, axis) for axis in "xyz"]
    if args.mode == "spin" and _is_picture(args.output):
        return [_numbered(args.output, f"{i:03d}") for i in range(args.spin)]
    return [args.output]


def _numbered(name: str, label: str) -> str:
    path = Path(name)
    suffix = "".join(path.suffixes[-2:]) if name.lower().endswith(".gz") else path.suffix
    return str(path.with_name(f"{path.name.removesuffix(suffix)}_{label}{suffix}"))


def _make_outputs(args: Namespace, outputs: list[str], session: Session) -> list[dict[str, Any]]:
    """Read, compute and write all files or none; a description of each."""
    from mitk_rs.io.atomic import atomic_outputs

    image = session.read(args.input)
    args.overlay_image = session.read(args.overlay) if args.overlay else None
    if args.mode == "spin":
        with atomic_outputs():
            return _spin(args, outputs, image, session)
    if args.mode == "montage":
        return _montage(args, outputs[0], image)
    _choose_mask(args, image, session)
    with session.progress("projecting"):
        results = _view(args, image) if args.mode == "view" else _axis(args, image)
    with atomic_outputs():
        return [_write(result, path) for result, path in zip(results, outputs, strict=True)]


def _choose_mask(args: Namespace, image: Image, session: Session) -> None:
    """Where the place of a maximum says something: above Otsu's threshold of the maxima, if nothing is given."""
    if args.kind not in ("argmax", "depth") or args.lower is not None or not _is_picture(args.output):
        return
    from mitk_rs.projection import project
    from mitk_rs.thresholds import histogram

    axis: Any = "z" if args.axis in (None, "all") else args.axis
    maxima = project(image, axis=axis, time_step=args.time_step or 0, threads=args.threads)
    args.lower = histogram(maxima).otsu[0]
    session.note(f"black where the maximum is below {args.lower:.6g}, Otsu's threshold; --lower V chooses another")


def _annotations(args: Namespace) -> Any:
    from mitk_rs.projection.annotation import Annotations

    return Annotations(args.letters, args.ticks, color_bar=args.kind in _PLACES)


def _axis(args: Namespace, image: Image) -> list[Any]:
    from mitk_rs.projection import axis_picture, project, project_all

    axes: Any = "xyz" if args.axis == "all" else args.axis or "z"
    common = given(args, "kind time_step threads")
    if _is_picture(args.output):
        drawn = {"slab": args.slab, "shades": _shades(args), "size": args.size, **_drawn_over(args, image)}
        return [axis_picture(image, axis=axis, **common, **drawn) for axis in axes]
    if args.axis == "all" and args.slab is None:
        return list(project_all(image, **common))
    return [project(image, axis=axis, slab=args.slab, **common) for axis in axes]


def _view(args: Namespace, image: Image) -> list[Any]:
    from mitk_rs.projection import view_image, view_picture

    camera, depth = _camera(args), args.kind == "depth"
    common = {"depth": depth, "time_step": args.time_step}
    if _is_picture(args.output):
        return [view_picture(image, camera, shades=_shades(args), **common, **_drawn_over(args, image))]
    if args.output.lower().endswith(".npy"):
        from mitk_rs.projection.rays import Volume

        values, depths = camera.cast(Volume(image, args.time_step), depth=depth)
        return [values if depths is None else depths]
    return [view_image(image, camera, **common)]


def _camera(args: Namespace, **changes: Any) -> Any:
    from mitk_rs.projection import Camera

    settings = {name: value for name, value in given(args, f"{_VIEW_OPTIONS} size").items() if value is not None}
    if args.size and args.output.lower().endswith(PICTURES + _ANIMATIONS):
        from mitk_rs.projection.drawing import size_within

        settings["size"] = size_within(args.size, _annotations(args))
    return Camera(**{**settings, **changes}, options={"threads": args.threads})


def _drawn_over(args: Namespace, image: Image) -> dict[str, Any]:
    """What :func:`view_picture` and :func:`axis_picture` add to the projection."""
    marks = {"overlay": args.overlay_image, "seeds": _marks(args, image)}
    return {**marks, "lower": args.lower, "annotations": _annotations(args)}


def _marks(args: Namespace, image: Image) -> list[Any]:
    from mitk_rs.seeds import read_seeds

    marks: list[Any] = []
    for group in args.seeds or []:
        if isinstance(group[0], str):
            marks += read_seeds(group[0]).indices(image, time_step=args.time_step)
        else:
            marks += [group[i : i + 3] for i in range(0, len(group), 3)]
    return marks


def _shades(args: Namespace, **changes: Any) -> Any:
    from mitk_rs.projection import Shades

    return Shades(**{**_window(args), **changes}, bits=int(args.bits))


def _window(args: Namespace) -> dict[str, Any]:
    percentiles = tuple(args.percentiles) if args.percentiles else None
    return {**given(args, "window level colormap"), "percentiles": percentiles}


def _spin(args: Namespace, outputs: list[str], image: Image, session: Session) -> list[dict[str, Any]]:
    from mitk_rs.projection import view_picture, write_animation, write_picture
    from mitk_rs.projection.rays import Volume, turn_window, turning

    angles = [(args.azimuth or 0.0) + 360.0 * i / args.spin for i in range(args.spin)]
    volume = Volume(image, args.time_step)
    cameras = turning([_camera(args, azimuth=angle) for angle in angles], volume, fit=args.size is None)
    window, level = args.window, args.level
    if window is None:
        window, level = turn_window(volume, cameras, args.percentiles)
    shades = _shades(args, window=window, level=level, percentiles=None)
    drawn = _drawn_over(args, image)
    pictures = []
    with session.progress("turning") as progress:
        for i, camera in enumerate(cameras):
            pictures.append(view_picture(image, camera, shades=shades, time_step=args.time_step, **drawn))
            if progress is not None:
                progress((i + 1) / len(cameras))
    if _is_picture(args.output):
        for picture, path in zip(pictures, outputs, strict=True):
            write_picture(picture.pixels, path, mm=picture.mm)
    else:
        write_animation([picture.pixels for picture in pictures], outputs[0], seconds=args.seconds)
    made = {"kind": "picture", "size": _size(pictures[0].pixels), "frames": len(pictures) // len(outputs)}
    return [{"path": path, **made} for path in outputs]


def _montage(args: Namespace, path: str, image: Image) -> list[dict[str, Any]]:
    from mitk_rs.projection import montage, write_picture

    settings = given(args, "kind time_step size ticks threads") | _window(args)
    sheet = montage(image, **settings, overlay=args.overlay_image, seeds=_marks(args, image))
    write_picture(sheet, path)
    return [{"path": path, "kind": "picture", "size": _size(sheet)}]


def _size(pixels: Any) -> list[int]:
    return [pixels.shape[1], pixels.shape[0]]


def _write(result: Any, path: str) -> dict[str, Any]:
    """Write a picture, an image or an array; what is worth telling about it."""
    if _is_picture(path):
        from mitk_rs.projection import write_picture

        write_picture(result.pixels, path, mm=result.mm)
        size = {"size": _size(result.pixels), "mm_per_pixel": result.mm}
        return {"path": path, "kind": "picture", **size, "sides": result.view.letters}
    kind = "image" if hasattr(result, "save") else "array"
    if kind == "array":
        from mitk_rs.projection.picture import write_array

        write_array(result, path)
    else:
        result.save(path)
    return {"path": path, "kind": kind, "size": list(result.shape[::-1]), "pixel_type": result.dtype.name}
