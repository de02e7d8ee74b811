"""Seeds in files: the points of 3D Slicer, MITK, napari and tables as voxels of an image.

A *seed* is a position with a label. Its coordinates are either voxel indices (x, y, z), counted from 0, or world
coordinates in millimetres: LPS (x to the left, y to the back, z to the head), as in DICOM and ITK, or RAS (x to the
right, y to the front), whose first two coordinates have the opposite sign. Files in RAS are turned into LPS when they
are read, so that there are two kinds in memory: ``"index"`` and ``"LPS"``.

==============  ===========================================  ==================================================
ending          written by                                   coordinates
==============  ===========================================  ==================================================
``.mrk.json``   3D Slicer, Markups                           LPS or RAS, as ``coordinateSystem`` says
``.fcsv``       3D Slicer, Markups before 5.0                LPS or RAS, as the header says; 0 and none are RAS
``.mps``        MITK, point sets                             LPS, through the geometry in the file
``.csv``        napari (``index,axis-0,axis-1,axis-2``)      indices z, y, x (before them the time step)
``.csv``        tables with or without a header              columns i,j,k are indices; x,y,z or l,p,s are LPS;
                                                             r,a,s are RAS; three columns without header indices
``.json``       this package                                 index, LPS or RAS, as ``coordinate_system`` says
==============  ===========================================  ==================================================

References
----------
3D Slicer's developer guide, "Markups"; ``mitk::PointSetReaderService``; ``napari.layers.Points``.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from xml.etree import ElementTree

from mitk_rs._validation import Triple, check_kind, one_of, path_name, text, triple, whole_number, wrong_type
from mitk_rs.errors import FileError, FileMissingError, FileWriteError, RequestError

if TYPE_CHECKING:
    from mitk_rs._sources import AnyImage
    from mitk_rs.image import Image

__all__ = ["COORDINATES", "SEED_SUFFIXES", "Seed", "Seeds", "is_seed_file", "read_seeds", "write_seeds"]

Index = tuple[int, int, int]

# A file of points is small; what is larger is something else.
_MOST_BYTES = 16 * 2**20
_MOST_SEEDS = 100_000

#: What the numbers of a seed can be: voxel indices, millimetres in LPS or RAS, or those of napari.
COORDINATES = ("index", "LPS", "RAS", "napari")


class Seed(NamedTuple):
    """A position with its label and, where the file tells it, its time step."""

    position: Triple
    label: str = ""
    time_step: int | None = None


#: What is read from a file: seeds, and whether they are in ``"index"`` or ``"LPS"``.
Read = tuple[list[Seed], str]


@dataclass(frozen=True)
class Seeds:
    """Seeds of one file, in its order.

    Parameters
    ----------
    seeds
        Positions with labels.
    space
        ``"index"``: positions are voxel indices (x, y, z), counted from 0; ``"LPS"``: millimetres.
    name
        What messages call them: the name of the file.

    See Also
    --------
    read_seeds, write_seeds

    Examples
    --------
    >>> from mitk_rs.seeds import Seed, Seeds
    >>> ends = Seeds([Seed((10, 10, 2), "inlet"), Seed((10, 10, 17), "outlet")])
    >>> ends.select("outlet")
    Seeds(seeds=(Seed(position=(10, 10, 17), label='outlet', time_step=None),), space='index', name='seeds')
    """

    __module__ = "mitk_rs"
    seeds: Sequence[Seed]
    space: str = "index"
    name: str = "seeds"

    def __post_init__(self) -> None:
        check_kind(self.seeds, Iterable, "seeds", "an iterable of Seed")
        object.__setattr__(self, "seeds", tuple(self.seeds))
        for number, seed in enumerate(self.seeds):
            check_kind(seed, Seed, f"seeds[{number}]", "a Seed")
            triple(seed.position, f"seeds[{number}].position")
            text(seed.label, f"seeds[{number}].label")
            if seed.time_step is not None:
                whole_number(seed.time_step, f"seeds[{number}].time_step")
        one_of(self.space, "space", tuple(_KINDS))
        text(self.name, "name")

    def __len__(self) -> int:
        return len(self.seeds)

    def select(self, label: str) -> Seeds:
        """The seeds with this label, or with one of several labels separated by commas.

        Raises
        ------
        RequestError
            No seed has it; the message lists the labels that there are.
        """
        text(label, "label")
        for wanted in ({label}, {part.strip() for part in label.split(",")}):
            found = [seed for seed in self.seeds if seed.label in wanted]
            if wanted <= {seed.label for seed in found}:
                return replace(self, seeds=found)
        known = list(dict.fromkeys(seed.label for seed in self.seeds))
        listed = ", ".join(known[:20]) + (", ..." if len(known) > 20 else "")
        raise RequestError(f"{self.name}:{label}: no seed has this label; the labels are {listed or 'none'}")

    def indices(self, image: AnyImage, *, role: str = "seed", time_step: int | None = None) -> list[Index]:
        """The voxels nearest to the seeds.

        Parameters
        ----------
        image
            The :class:`~mitk_rs.Image` whose geometry maps millimetres to voxels, or an array ``(z, y, x)``, on
            which seeds in voxel indices have a place only.
        role
            What messages call a seed.
        time_step
            Which step of the image. Seeds of other steps are left out.

        Returns
        -------
        list of tuple
            Voxel indices (x, y, z).

        Raises
        ------
        RequestError
            A seed lies outside the image; the message names it by its label. No seed belongs to the time step.
        """
        from mitk_rs.interop import as_image

        target: Any = as_image(image)
        step = 0 if time_step is None else whole_number(time_step, "time_step")
        chosen = [seed for seed in self.seeds if seed.time_step in (None, step)]
        if self.seeds and not chosen:
            steps = ", ".join(str(step) for step in sorted({seed.time_step or 0 for seed in self.seeds}))
            raise RequestError(f"{self.name} has no seeds of time step {step}: it has some of {steps}")
        size = _size(target)
        if chosen and self.space != "index" and not hasattr(target, "world_to_index"):
            raise RequestError(
                f"{self.name} holds millimetres: an array has no geometry to find their voxels with; pass an Image"
            )
        found = []
        for seed in chosen:
            place = seed.position if self.space == "index" else target.world_to_index(seed.position, step)
            i, j, k = (round(value) if abs(value) < 2**53 else -1 for value in place)
            if not all(0 <= index < n for index, n in zip((i, j, k), size, strict=True)):
                raise RequestError(self._outside(seed, place, size, role))
            found.append((i, j, k))
        return found

    def _outside(self, seed: Seed, place: Iterable[float], size: Index, role: str) -> str:
        voxel = f"({', '.join(f'{value:.6g}' for value in place)})"
        whose = f"{role} {seed.label!r} of {self.name}" if seed.label else role
        if self.space == "index":
            allowed = ", ".join(f"{axis} 0..{n - 1}" for axis, n in zip("xyz", size, strict=True))
            return f"{whose} {voxel} lies outside the image: allowed {allowed}"
        where = " ".join(f"{value:g}" for value in seed.position)
        return f"{whose} at {where} mm lies outside the image: it is voxel {voxel} of {size}"

    def to_space(self, space: str, image: Image | None = None) -> Seeds:
        """The same seeds in voxel indices (``"index"``, with fractions) or in millimetres (``"LPS"``).

        Raises
        ------
        RequestError
            The seeds are in the other space and there is no image to map them with.
        """
        from mitk_rs.interop import as_image

        if one_of(space, "space", tuple(_KINDS)) == self.space:
            return self
        if image is None:
            raise RequestError(f"{self.name} holds {_KINDS[self.space]}: an image is needed to make {_KINDS[space]}")
        image = as_image(image)
        if not hasattr(image, "world_to_index"):
            raise wrong_type("image", "an Image", image)
        convert = image.world_to_index if space == "index" else image.index_to_world
        moved = []
        for seed in self.seeds:
            x, y, z = (float(value) for value in convert(seed.position, seed.time_step or 0))
            moved.append(seed._replace(position=(x, y, z)))
        return Seeds(moved, space, self.name)


_KINDS = {"index": "voxel indices", "LPS": "millimetres"}


def _size(image: Any) -> Index:
    shape = getattr(image, "shape", None)
    if not isinstance(shape, tuple):
        raise wrong_type("image", "an Image or a numpy array", image)
    if len(shape) < 2:
        raise RequestError(f"image has the shape {shape}: it must be (z, y, x) or (y, x)")
    if hasattr(image, "get_geometry"):
        shape = shape[: image.ndim]
    x, y, z = (*shape[::-1], 1)[:3]
    return x, y, z


# --- reading -----------------------------------------------------------------------------------------------------


class _FormatError(ValueError):
    """What is wrong with the content of a file."""


def read_seeds(path: str | os.PathLike[str]) -> Seeds:
    """Read a file of points.

    Parameters
    ----------
    path
        File that ends with ``.mrk.json``, ``.fcsv``, ``.mps``, ``.csv`` or ``.json``. ``"FILE:LABEL"`` gives the
        points with that label only, ``"FILE:A,B"`` those with one of two.

    Returns
    -------
    Seeds
        In LPS millimetres or voxel indices, as the file holds them.

    Raises
    ------
    FileError
        There is no such file, it is larger than 16 MB, or it is not what its ending says.
    RequestError
        No point has the label.

    See Also
    --------
    write_seeds, initialize_level_set

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import mitk_rs as mitk
    >>> file = pathlib.Path(tempfile.mkdtemp(), "ends.csv")
    >>> _ = file.write_text("label,i,j,k\\ninlet,10,10,2\\noutlet,10,10,17\\n")
    >>> mitk.read_seeds(f"{file}:outlet").indices(mitk.datasets.tube())
    [(10, 10, 17)]
    """
    file = path_name(path)
    named = _NAMED.fullmatch(file)
    if named is None:
        raise FileError(f"cannot read {file}: a file of seeds ends with {' '.join(SEED_SUFFIXES)}")
    label = None if named["label"] is None or Path(file).exists() else named["label"]
    file = file if label is None else named["file"]
    content = _content(file)
    try:
        found, space = _format(file).read(content)
        if len(found) > _MOST_SEEDS:
            raise _FormatError(f"it has {len(found)} points, more than {_MOST_SEEDS}")
        for number, seed in enumerate(found, 1):
            if not all(map(math.isfinite, seed.position)):
                raise _FormatError(f"point {number} is not finite: {seed.position}")
    except (_FormatError, csv.Error, RecursionError) as error:
        raise FileError(f"cannot read {file}: {error}") from error
    seeds = Seeds(found, space, file)
    return seeds if label is None else seeds.select(label)


def is_seed_file(word: str) -> bool:
    """Whether a word names a file of seeds, by its ending, perhaps with a label."""
    return _NAMED.fullmatch(text(word, "word")) is not None


def _content(file: str) -> str:
    try:
        with open(file, "rb") as stream:  # noqa: PTH123 - Path would turn "a/" into "a"
            data = stream.read(_MOST_BYTES + 1)
    except FileNotFoundError as error:
        raise FileMissingError(f"cannot read {file}: no such file") from error
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise FileError(f"cannot read {file}: {reason}") from error
    if len(data) > _MOST_BYTES:
        raise FileError(f"cannot read {file}: it is larger than {_MOST_BYTES >> 20} MB, too large for a file of points")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FileError(f"cannot read {file}: it is not text in UTF-8 (byte {error.start})") from error


def _triple(values: Any, what: str) -> Triple:
    if isinstance(values, list | tuple) and not any(isinstance(value, bool | None) for value in values):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            x, y, z = map(float, values)
            return x, y, z
    raise _FormatError(f"{what} must be three numbers, got {_short(values)}")


def _short(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) < 60 else f"{shown[:56]}..."


def _in_lps(seeds: Iterable[Seed], system: str) -> list[Seed]:
    """RAS as LPS, or back; others as they are."""
    if system != "RAS":
        return list(seeds)
    return [seed._replace(position=(-x, -y, z)) for seed in seeds for x, y, z in [seed.position]]


def _json(content: str) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _FormatError(f"it is not JSON: {_short(str(error))}") from error
    if not isinstance(value, dict):
        raise _FormatError("it is not a JSON object")
    return value


def _entries(parent: dict[str, Any], key: str) -> list[dict[str, Any]]:
    entries = parent.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _FormatError(f"{key!r} must be a list of objects")
    return entries


def _markups(content: dict[str, Any]) -> Read:
    """Control points of 3D Slicer. Its schema makes LPS the default; only defined points have a place."""
    found: list[Seed] = []
    for markup in _entries(content, "markups"):
        system = markup.get("coordinateSystem", "LPS")
        if system not in ("LPS", "RAS"):
            raise _FormatError(f"coordinateSystem must be LPS or RAS, got {_short(system)}")
        unit = markup.get("coordinateUnits", "mm")
        if (unit[0] if isinstance(unit, list) and unit else unit) != "mm":
            raise _FormatError(f"coordinateUnits must be mm, got {_short(unit)}")
        points = [
            Seed(_triple(point.get("position"), "position"), str(point.get("label", "")))
            for point in _entries(markup, "controlPoints")
            if point.get("positionStatus", "defined") == "defined"
        ]
        found += _in_lps(points, system)
    return found, "LPS"


def _read_json(content: str) -> Read:
    table = _json(content)
    if "markups" in table:
        return _markups(table)
    if table.get("format") != "mitk_rs seeds" or table.get("version") != 1:
        raise _FormatError("it is neither a file of 3D Slicer ('markups') nor of mitk_rs ('format': 'mitk_rs seeds')")
    system = table.get("coordinate_system")
    if system not in ("index", "LPS", "RAS"):
        raise _FormatError(f"coordinate_system must be index, LPS or RAS, got {_short(system)}")
    points = []
    for entry in _entries(table, "seeds"):
        step = entry.get("time_step")
        if step is not None and (not isinstance(step, int) or step < 0):
            raise _FormatError(f"time_step must be a whole number >= 0, got {_short(step)}")
        points.append(Seed(_triple(entry.get("position"), "position"), str(entry.get("label", "")), step))
    return _in_lps(points, system), "index" if system == "index" else "LPS"


_FCSV_SYSTEM = re.compile(r"#\s*CoordinateSystem\s*=\s*(\S+)", re.IGNORECASE)
# Columns of 3D Slicer 4 and of 3D Slicer 3, where x, y, z and the label are.
_FCSV_COLUMNS = {True: (1, 11), False: (1, 0)}
_FCSV_SYSTEMS = {"LPS": "LPS", "1": "LPS", "RAS": "RAS", "0": "RAS"}


def _read_fcsv(content: str) -> Read:
    """Fiducials of 3D Slicer: fixed columns; without a header line they are in RAS."""
    lines = content.splitlines()
    comments = [line for line in lines if line.startswith("#")]
    named = [match[1] for line in comments if (match := _FCSV_SYSTEM.match(line))]
    system = _FCSV_SYSTEMS.get(named[-1].upper() if named else "RAS")
    if system is None:
        raise _FormatError(f"CoordinateSystem must be LPS, RAS, 0 or 1, got {_short(named[-1])}")
    first, label = _FCSV_COLUMNS[any("Markups fiducial file version" in line for line in comments)]
    rows = csv.reader(line for line in lines if line.strip() and not line.startswith("#"))
    points = []
    for number, row in enumerate(rows, 1):
        position = _triple(row[first : first + 3], f"x, y, z of point {number}")
        points.append(Seed(position, row[label] if len(row) > label else ""))
    return _in_lps(points, system), "LPS"


def _read_mps(content: str) -> Read:
    """Point sets of MITK. Without a document type there are no entities that could grow."""
    if "<!DOCTYPE" in content or "<!ENTITY" in content:
        raise _FormatError("its XML declares a document type, which point sets do not have")
    try:
        root = ElementTree.fromstring(content)
    except (ElementTree.ParseError, ValueError) as error:
        raise _FormatError(f"it is not XML: {error}") from error
    if root.tag != "point_set_file":
        raise _FormatError(f"it is not a point set of MITK: its root is <{_short(root.tag)}>")
    found: list[Seed] = []
    several = len(root.findall("point_set/time_series")) > 1
    for point_set in root.findall("point_set"):
        for series in point_set.findall("time_series") or [point_set]:
            step = int(_xml_number(series, "time_series_id")) if several else None
            move = _mps_geometry(series.find("Geometry3D"))
            for point in series.findall("point"):
                position = (_xml_number(point, "x"), _xml_number(point, "y"), _xml_number(point, "z"))
                found.append(Seed(move(position), (point.findtext("id") or "").strip(), step))
    return found, "LPS"


def _xml_number(parent: ElementTree.Element, tag: str) -> float:
    number = parent.findtext(tag)
    try:
        return float(number or "")
    except ValueError:
        raise _FormatError(f"<{tag}> must be a number, got {_short(number)}") from None


def _mps_geometry(geometry: ElementTree.Element | None) -> Callable[[Triple], Triple]:
    """The map from coordinates in the file to the world."""
    matrix = None if geometry is None else geometry.find("IndexToWorld")
    offset = None if geometry is None else geometry.find("Offset")
    if matrix is None or offset is None:
        return lambda position: position
    try:
        rows = [[float(matrix.attrib[f"m_{row}_{column}"]) for column in range(3)] for row in range(3)]
        shift = [float(offset.attrib[axis]) for axis in "xyz"]
    except (KeyError, ValueError) as error:
        raise _FormatError(f"its Geometry3D is damaged: {error}") from error

    def move(position: Triple) -> Triple:
        x, y, z = (
            sum(a * b for a, b in zip(row, position, strict=True)) + step for row, step in zip(rows, shift, strict=True)
        )
        return x, y, z

    return move


_AXES = {"ijk": "index", "xyz": "LPS", "lps": "LPS", "ras": "RAS"}


def _read_csv(content: str) -> Read:
    """Tables; names of columns say what the numbers are."""
    separator = next((mark for mark in (",", ";", "\t") if mark in content[:4096]), ",")
    rows = [row for row in csv.reader(io.StringIO(content), delimiter=separator) if any(cell.strip() for cell in row)]
    if not rows:
        raise _FormatError("it has no rows")
    header = [cell.strip().lower() for cell in rows[0]]
    try:
        list(map(float, header[:3]))
    except ValueError:
        pass
    else:
        return [_table_seed(row, [0, 1, 2], 3, number) for number, row in enumerate(rows, 1)], "index"
    label = next((header.index(name) for name in ("label", "name", "index") if name in header), len(header))
    if "axis-0" in header:
        return _napari(rows[1:], header, label), "index"
    for names, system in _AXES.items():
        if all(name in header for name in names):
            columns = [header.index(name) for name in names]
            seeds = [_table_seed(row, columns, label, number) for number, row in enumerate(rows[1:], 2)]
            return _in_lps(seeds, system), "index" if system == "index" else "LPS"
    raise _FormatError(
        f"its columns are {_short(header)}: they must be i,j,k (voxels), x,y,z or l,p,s (LPS mm), r,a,s (RAS mm) or "
        "axis-0,axis-1,axis-2 (napari)"
    )


def _table_seed(row: list[str], columns: list[int], label: int, number: int) -> Seed:
    values = [row[column] if column < len(row) else "" for column in columns]
    return Seed(_triple(values, f"row {number}"), row[label].strip() if label < len(row) else "")


def _napari(rows: list[list[str]], header: list[str], label: int) -> list[Seed]:
    """Points of napari: indices in the order of the array, so t, z, y, x; two axes are those of a picture."""
    axes = [header.index(f"axis-{n}") for n in range(len(header)) if f"axis-{n}" in header]
    if not 2 <= len(axes) <= 4:
        raise _FormatError(f"it has {len(axes)} axes: 2 to 4 (t, z, y, x) are possible")
    found = []
    for number, row in enumerate(rows, 2):
        padded = [*row, *[""] * (len(header) - len(row))] if len(axes) > 2 else [*row, "0"]
        columns = axes[::-1][:3] if len(axes) > 2 else [*axes[::-1], len(row)]
        seed = _table_seed(padded, columns, label, number)
        if len(axes) == 4:
            step = _triple([padded[axes[0]], 0, 0], f"row {number}")[0]
            seed = seed._replace(time_step=round(step) if abs(step) < 2**31 else -1)
        found.append(seed)
    return found


# --- writing -----------------------------------------------------------------------------------------------------


def write_seeds(
    seeds: Seeds, path: str | os.PathLike[str], *, coordinates: str | None = None, image: Image | None = None
) -> None:
    """Write seeds to a file whose ending names the format.

    Parameters
    ----------
    seeds
        What to write.
    path
        File that ends with ``.mrk.json``, ``.fcsv``, ``.mps``, ``.csv`` or ``.json``. The labels go with the points,
        but for ``.mps`` and napari's table, which have none.
    coordinates
        ``"index"`` (``.csv``, ``.json``), ``"LPS"`` (all), ``"RAS"`` (all but ``.mps``) or ``"napari"`` (``.csv``). By
        default those of ``seeds`` where the format has them, otherwise LPS.
    image
        The image that maps indices to millimetres or back, where that is needed.

    Raises
    ------
    FileWriteError
        The file cannot be written, or its format does not have these coordinates or time steps.
    RequestError
        ``image`` is missing.

    See Also
    --------
    read_seeds

    Examples
    --------
    >>> import pathlib, tempfile
    >>> import mitk_rs as mitk
    >>> file = pathlib.Path(tempfile.mkdtemp(), "ends.csv")
    >>> _ = file.write_text("label,i,j,k\\ninlet,10,10,2\\n")
    >>> mitk.write_seeds(mitk.read_seeds(file), file.with_suffix(".mrk.json"), image=mitk.datasets.tube())
    >>> mitk.read_seeds(file.with_suffix(".mrk.json")).indices(mitk.datasets.tube())
    [(10, 10, 2)]
    """
    from mitk_rs.io.atomic import atomic_output

    file = path_name(path)
    check_kind(seeds, Seeds, "seeds", "Seeds")
    format_ = _format(file, FileWriteError)
    if coordinates is not None:
        text(coordinates, "coordinates")
    system = coordinates or (seeds.space if seeds.space in format_.systems else "LPS")
    if system not in format_.systems:
        raise FileWriteError(
            f"cannot write {file}: its coordinates are one of {', '.join(format_.systems)}; got {system}"
        )
    if any(seed.time_step for seed in seeds.seeds) and not (system == "napari" or file.lower().endswith(".json")):
        raise FileWriteError(f"cannot write {file}: seeds of several time steps go into .json or napari's .csv")
    placed = seeds.to_space("index" if system in ("index", "napari") else "LPS", image)
    content = format_.write(_in_lps(placed.seeds, system), system)
    with atomic_output(file) as name:
        name.write_text(content, encoding="utf-8", newline="\n")


def _write_markups(seeds: list[Seed], system: str) -> str:
    state = {"selected": True, "locked": False, "visibility": True, "positionStatus": "defined"}
    points = [
        {"id": str(number), "label": seed.label or f"F-{number}", "position": list(seed.position), **state}
        for number, seed in enumerate(seeds, 1)
    ]
    markup = {"type": "Fiducial", "coordinateSystem": system, "coordinateUnits": "mm", "controlPoints": points}
    return json.dumps({"@schema": _SCHEMA, "markups": [markup]}, indent=2, ensure_ascii=False) + "\n"


_SCHEMA = (
    "https://raw.githubusercontent.com/Slicer/Slicer/main/Modules/Loadable/Markups/Resources/Schema/"
    "markups-schema-v1.0.3.json#"
)


def _write_fcsv(seeds: list[Seed], system: str) -> str:
    head = "# Markups fiducial file version = 4.13\n"
    head += f"# CoordinateSystem = {system}\n"
    head += "# columns = id,x,y,z,ow,ox,oy,oz,vis,sel,lock,label,desc,associatedNodeID\n"
    return head + _table(
        [number, *seed.position, 0, 0, 0, 1, 1, 1, 0, " ".join(seed.label.split()) or f"F-{number}", "", ""]
        for number, seed in enumerate(seeds, 1)
    )


def _write_mps(seeds: list[Seed], _system: str) -> str:
    root = ElementTree.Element("point_set_file")
    ElementTree.SubElement(root, "file_version").text = "0.1"
    series = ElementTree.SubElement(ElementTree.SubElement(root, "point_set"), "time_series")
    ElementTree.SubElement(series, "time_series_id").text = "0"
    for number, seed in enumerate(seeds):
        point = ElementTree.SubElement(series, "point")
        values = {"id": number, "specification": 0, **dict(zip("xyz", seed.position, strict=True))}
        for tag, value in values.items():
            ElementTree.SubElement(point, tag).text = repr(value)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _write_csv(seeds: list[Seed], system: str) -> str:
    if system == "napari":
        steps = any(seed.time_step is not None for seed in seeds)
        rows: list[list[Any]] = [["index", *(f"axis-{axis}" for axis in range(4 if steps else 3))]]
        for number, seed in enumerate(seeds):
            time = [float(seed.time_step or 0)] if steps else []
            rows.append([number, *time, *seed.position[::-1]])
        return _table(rows)
    names = {"index": "ijk", "LPS": "xyz", "RAS": "ras"}[system]
    return _table([["label", *names], *([seed.label, *_whole(seed.position, system)] for seed in seeds)])


def _whole(position: Triple, system: str) -> list[float]:
    """Indices of voxels without a fraction of .0."""
    whole = system == "index" and all(float(value).is_integer() for value in position)
    return [int(value) for value in position] if whole else [float(value) for value in position]


def _table(rows: Iterable[Sequence[Any]]) -> str:
    table = io.StringIO()
    csv.writer(table, lineterminator="\n").writerows(rows)
    return table.getvalue()


def _write_json(seeds: list[Seed], system: str) -> str:
    entries: list[dict[str, Any]] = [
        {"label": seed.label, "position": _whole(seed.position, system)}
        | ({} if seed.time_step is None else {"time_step": seed.time_step})
        for seed in seeds
    ]
    content = {"format": "mitk_rs seeds", "version": 1, "coordinate_system": system, "seeds": entries}
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


class _Format(NamedTuple):
    read: Callable[[str], Read]
    write: Callable[[list[Seed], str], str]
    systems: tuple[str, ...]


# The longer ending comes first.
_FORMATS = {
    ".mrk.json": _Format(lambda content: _markups(_json(content)), _write_markups, ("LPS", "RAS")),
    ".fcsv": _Format(_read_fcsv, _write_fcsv, ("LPS", "RAS")),
    ".mps": _Format(_read_mps, _write_mps, ("LPS",)),
    ".csv": _Format(_read_csv, _write_csv, COORDINATES),
    ".json": _Format(_read_json, _write_json, ("index", "LPS", "RAS")),
}
#: Endings of files of seeds.
SEED_SUFFIXES = tuple(_FORMATS)
_NAMED = re.compile(rf"(?P<file>.+?({'|'.join(map(re.escape, _FORMATS))}))(:(?P<label>.*))?", re.IGNORECASE | re.DOTALL)


def _format(file: str, error: type[FileError] = FileError) -> _Format:
    for suffix, format_ in _FORMATS.items():
        if file.lower().endswith(suffix):
            return format_
    verb = "write" if error is FileWriteError else "read"
    raise error(f"cannot {verb} {file}: a file of seeds ends with {' '.join(SEED_SUFFIXES)}")
