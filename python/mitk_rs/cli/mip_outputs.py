"""What ``mitk-rs mip`` computes and writes, once the options are checked."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitk_rs.cli.console import Console
from mitk_rs.cli.files import IMAGE_SUFFIXES, read_input

if TYPE_CHECKING:
    from mitk_rs.image import Image

__all__ = ["ANIMATIONS", "PICTURES", "VALUES", "is_picture", "make_outputs", "output_names"]

PICTURES = (".png", ".tif", ".tiff")
ANIMATIONS = (".gif", ".webp")
VALUES = (".npy", *IMAGE_SUFFIXES)


def is_picture(path: str) -> bool:
    """Whether the ending names a format of pictures."""
    return path.lower().endswith(PICTURES)


def is_picture_or_animation(path: str) -> bool:
    """Whether the ending names a format of pictures or of animations."""
    return path.lower().endswith(PICTURES + ANIMATIONS)


def output_names(args: Namespace) -> list[str]:
    """The files that will be written."""
    if args.mode == "axis" and args.axis == "all":
        return [_numbered(args.output, axis) for axis in "xyz"]
    if args.mode == "spin" and is_picture(args.output):
        return [_numbered(args.output, f"{i:03d}") for i in range(args.spin)]
    return [args.output]


def _numbered(name: str, label: str) -> str:
    path = Path(name)
    suffix = "".join(path.suffixes[-2:]) if name.lower().endswith(".gz") else path.suffix
    return str(path.with_name(f"{path.name.removesuffix(suffix)}_{label}{suffix}"))


def make_outputs(args: Namespace, outputs: list[str], console: Console) -> list[dict[str, Any]]:
    """Read, compute and write all files or none; a description of each."""
    from mitk_rs.io.atomic import atomic_outputs

    image = read_input(args, args.input, console)
    args.overlay_image = read_input(args, args.overlay, console) if args.overlay else None
    if args.mode == "spin":
        with atomic_outputs():
            return _spin(args, outputs, image, console)
    if args.mode == "montage":
        return _montage(args, outputs[0], image)
    _choose_mask(args, image, console)
    make = _view if args.mode == "view" else _axis
    with console.progress("projecting"):
        results = make(args, image)
    with atomic_outputs():
        return [_write(result, path) for result, path in zip(results, outputs, strict=True)]


def _choose_mask(args: Namespace, image: Image, console: Console) -> None:
    """Where the place of a maximum says something: above Otsu's threshold of the maxima, if nothing is given."""
    if args.kind not in ("argmax", "depth") or args.lower is not None or not is_picture(args.output):
        return
    from mitk_rs.projection import project
    from mitk_rs.thresholds import histogram

    time_step = args.time_step or 0
    axis: Any = "z" if args.axis in (None, "all") else args.axis
    args.lower = histogram(project(image, axis=axis, time_step=time_step, threads=args.threads)).otsu[0]
    console.note(f"black where the maximum is below {args.lower:.6g}, Otsu's threshold; --lower V chooses another")


def _annotations(args: Namespace) -> dict[str, Any]:
    from mitk_rs.projection.annotation import Annotations

    places = args.kind in ("argmax", "argmin", "depth")
    return {"lower": args.lower, "annotations": Annotations(args.letters, args.ticks, color_bar=places)}


def _axis(args: Namespace, image: Image) -> list[Any]:
    axes: Any = "xyz" if args.axis == "all" else args.axis or "z"
    common = {"kind": args.kind, "time_step": args.time_step, "threads": args.threads}
    if is_picture(args.output):
        from mitk_rs.projection import axis_picture

        drawn = {"slab": args.slab, "shades": _shades(args), "size": args.size, **_drawn_over(args, image)}
        drawn |= _annotations(args)
        return [axis_picture(image, axis=axis, **common, **drawn) for axis in axes]
    from mitk_rs.projection import project, project_all

    if args.axis == "all" and args.slab is None:
        return list(project_all(image, **common))
    return [project(image, axis=axis, slab=args.slab, **common) for axis in axes]


def _view(args: Namespace, image: Image) -> list[Any]:
    from mitk_rs.projection import view_image, view_picture

    camera, depth = _camera(args), args.kind == "depth"
    if is_picture(args.output):
        shades = _shades(args)
        drawn = _drawn_over(args, image) | _annotations(args)
        return [view_picture(image, camera, shades=shades, depth=depth, time_step=args.time_step, **drawn)]
    if args.output.lower().endswith(".npy"):
        from mitk_rs.projection.rays import Volume

        values, depths = camera.cast(Volume(image, args.time_step), depth=depth)
        return [values if depths is None else depths]
    return [view_image(image, camera, depth=depth, time_step=args.time_step)]


def _camera(args: Namespace, **changes: Any) -> Any:
    from mitk_rs.projection import Camera

    names = ("azimuth", "elevation", "roll", "direction", "up", "size", "perspective", "zoom", "sample_distance")
    given = {name: getattr(args, name) for name in names if getattr(args, name) is not None}
    if args.size and is_picture_or_animation(args.output):
        from mitk_rs.projection.drawing import size_within

        given["size"] = size_within(args.size, _annotations(args)["annotations"])
    return Camera(**{**given, **changes}, options={"threads": args.threads})


def _drawn_over(args: Namespace, image: Image) -> dict[str, Any]:
    from mitk_rs.seeds import read_seeds

    marks: list[Any] = []
    for group in args.seeds or []:
        if isinstance(group[0], str):
            marks += read_seeds(group[0]).indices(image, time_step=args.time_step)
        else:
            marks += [group[i : i + 3] for i in range(0, len(group), 3)]
    return {"overlay": args.overlay_image, "seeds": marks}


def _shades(args: Namespace, **changes: Any) -> Any:
    from mitk_rs.projection import Shades

    percentiles = tuple(args.percentiles) if args.percentiles else None
    settings = {"window": args.window, "level": args.level, "percentiles": percentiles}
    return Shades(colormap=args.colormap, bits=int(args.bits), **{**settings, **changes})


def _spin(args: Namespace, outputs: list[str], image: Image, console: Console) -> list[dict[str, Any]]:
    from mitk_rs.projection import view_picture, write_animation, write_picture
    from mitk_rs.projection.rays import Volume, turn_window, turning

    angles = [(args.azimuth or 0.0) + 360.0 * i / args.spin for i in range(args.spin)]
    volume = Volume(image, args.time_step)
    cameras = turning([_camera(args, azimuth=angle) for angle in angles], volume, fit=args.size is None)
    window, level = args.window, args.level
    if window is None:
        window, level = turn_window(volume, cameras, args.percentiles)
    shades = _shades(args, window=window, level=level, percentiles=None)
    drawn = _drawn_over(args, image) | _annotations(args)
    pictures = []
    with console.progress("turning") as progress:
        for i, camera in enumerate(cameras):
            pictures.append(view_picture(image, camera, shades=shades, time_step=args.time_step, **drawn))
            if progress is not None:
                progress((i + 1) / len(cameras))
    if is_picture(args.output):
        for picture, path in zip(pictures, outputs, strict=True):
            write_picture(picture.pixels, path, mm=picture.mm)
    else:
        write_animation([picture.pixels for picture in pictures], outputs[0], seconds=args.seconds)
    height, width = pictures[0].pixels.shape[:2]
    made = {"kind": "picture", "size": [width, height], "frames": len(pictures) // len(outputs)}
    return [{"path": path, **made} for path in outputs]


def _montage(args: Namespace, path: str, image: Image) -> list[dict[str, Any]]:
    from mitk_rs.projection import montage, write_picture

    sheet = montage(
        image,
        kind=args.kind,
        time_step=args.time_step,
        window=args.window,
        level=args.level,
        percentiles=tuple(args.percentiles) if args.percentiles else None,
        colormap=args.colormap,
        size=args.size,
        ticks=args.ticks,
        threads=args.threads,
        **_drawn_over(args, image),
    )
    write_picture(sheet, path)
    return [{"path": path, "kind": "picture", "size": [sheet.shape[1], sheet.shape[0]]}]


def _write(result: Any, path: str) -> dict[str, Any]:
    """Write a picture, an image or an array; what is worth telling about it."""
    if is_picture(path):
        from mitk_rs.projection import write_picture

        write_picture(result.pixels, path, mm=result.mm)
        height, width = result.pixels.shape[:2]
        size = {"size": [width, height], "mm_per_pixel": result.mm}
        return {"path": path, "kind": "picture", **size, "sides": result.view.letters}
    kind = "image" if hasattr(result, "save") else "array"
    if kind == "array":
        from mitk_rs.projection.picture import write_array

        write_array(result, path)
    else:
        result.save(path)
    return {"path": path, "kind": kind, "size": list(result.shape[::-1]), "pixel_type": result.dtype.name}
