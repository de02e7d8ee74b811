"""What files say of an image: what travels between adapters and :class:`mitk_rs.Image`, formats, and texts of headers.

The one table of formats says what each can hold; what it cannot is refused before anything is written. Time points,
properties and exact geometry are text entries of a header. Their names and layouts are MITK's where MITK has them
(``mitkItkImageIO.cpp``): ``org_mitk_timegeometry_type``, ``org_mitk_timegeometry_timepoints``, ``org_mitk_uid``, and
properties under their names with ``.`` as ``_``. What these cannot say, types of properties and a geometry that the
header would round, is in two JSON entries.
"""

from __future__ import annotations

import json
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypedDict

import numpy as np
from numpy.typing import NDArray

from mitk_rs._validation import check_kind, whole_number
from mitk_rs.errors import DicomSeriesWarning, FileWriteError, RequestError
from mitk_rs.geometry import Frame, SlicedGeometry3D
from mitk_rs.io.atomic import full_suffix
from mitk_rs.io.checks import unreadable
from mitk_rs.time_geometry import POINTS_KEY, TYPE_KEY, TimeGeometry, time_geometry_from_keys, time_geometry_keys

if TYPE_CHECKING:
    from mitk_rs.io.isolation import Limits

_log = logging.getLogger(__name__)

# --- descriptions of images --------------------------------------------------------------------------------------

PropertyDict = Mapping[str, Mapping[str, Any]]
"""Property name to ``{"type": class name, "value": ...}``, the layout of ``PropertyList.to_dict``."""


class ReadOptions(TypedDict, total=False):
    """How a file is read; see :func:`mitk_rs.io.read_image`."""

    time_spacing: bool
    series: int | str | None
    allow_gaps: bool
    allow_other_folders: bool
    isolate: bool | Limits | None


@contextmanager
def series_warnings(tell: Callable[[str], object]) -> Iterator[None]:
    """Call ``tell`` with the text of each warning about a DICOM series, in place of the warning."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DicomSeriesWarning)
        yield
    for one in caught:
        if issubclass(one.category, DicomSeriesWarning):
            tell(str(one.message))
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)


@dataclass(frozen=True)
class ImageHeader:
    """The description of an image, without its voxels.

    Attributes
    ----------
    shape
        ``([[t,] z,] y, x[, c])``.
    dtype
        Type of one component.
    components
        Numbers a voxel has; above one, ``shape`` ends with it.
    time_geometry
        Time steps, and where the voxels of each lie.
    properties
        What the file says beside that.
    uid
        MITK's identifier of the object, where the file has one.
    reader
        Description of the reader, such as ``"ITK NrrdImageIO"``.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    time_geometry: TimeGeometry
    components: int = 1
    properties: PropertyDict = field(default_factory=dict)
    uid: str | None = None
    reader: str = ""

    @property
    def frame(self) -> Frame:
        """The frame of the first time step."""
        return self.time_geometry._steps.geometries.peek(0)._frame

    @property
    def frames(self) -> tuple[Frame, ...]:
        """Spacing, origin and direction: one for all time steps, or that of each where they differ."""
        if not self.has_moving_frame:
            return (self.frame,)
        return tuple(geometry._frame for geometry in self.time_geometry.geometries)

    @property
    def has_moving_frame(self) -> bool:
        """True where time steps lie at different places."""
        frames = [geometry._frame for geometry in self.time_geometry._steps.geometries.distinct()]
        return any(frame != frames[0] for frame in frames)

    @property
    def dimension(self) -> int:
        """Axes of space and time: 2, 3 or 4."""
        return len(self.shape) - (self.components > 1)

    @property
    def time_steps(self) -> int:
        """Number of time steps."""
        return self.shape[0] if self.dimension == 4 else 1

    @property
    def byte_count(self) -> int:
        """Bytes the voxels take in memory, exact for any header."""
        count = self.dtype.itemsize
        for length in self.shape:
            count *= int(length)
        return count


@dataclass(frozen=True)
class ImageRecord(ImageHeader):
    """An :class:`ImageHeader` together with its voxels, a C-contiguous array of that shape and type."""

    array: NDArray[Any] = field(default_factory=lambda: np.zeros((1, 1), np.uint8))

    @classmethod
    def of(cls, header: ImageHeader, array: NDArray[Any]) -> ImageRecord:
        check_kind(header, ImageHeader, "header", "an ImageHeader")
        return cls(**vars(header), array=array)

    def of_dimension(self, dimension: int) -> ImageRecord:
        """Return the record with the first axes, of length 1, left out until ``dimension`` remain."""
        first = self.dimension - whole_number(dimension, "dimension")
        if first < 0 or any(length != 1 for length in self.shape[:first]):
            raise RequestError(f"dimension is {dimension}: the image has the shape {self.shape}")
        shape = self.shape[first:]
        return replace(self, shape=shape, array=self.array.reshape(shape))

    def with_array(self, array: NDArray[Any]) -> ImageRecord:
        """Return the record with other voxels of the same shape and type."""
        return replace(self, array=array)

    @property
    def header(self) -> ImageHeader:
        """The record without its voxels."""
        return ImageHeader(**{name: value for name, value in vars(self).items() if name != "array"})


def geometries_of(lengths: Sequence[int], frames: Sequence[Frame]) -> list[SlicedGeometry3D]:
    """Return the geometry of an image of ``[[t,] z,] y, x`` voxels at each of the frames."""
    sizes = tuple(reversed(lengths))[:3]
    return [
        SlicedGeometry3D.for_image(sizes, spacing=one.spacing, origin=one.origin, direction=one.direction)
        for one in frames
    ]


def placed(times: TimeGeometry, geometries: Sequence[SlicedGeometry3D]) -> TimeGeometry:
    """Return ``times``, made with the first of the geometries, with the others at the steps that follow."""
    for step, geometry in enumerate(geometries[1:], start=1):
        times.set_geometry_for_time_step(geometry, step)
    return times


def lies_flat(direction: NDArray[np.float64]) -> bool:
    """Return True where x and y of the image are turned within the world's x and y only."""
    third = [0.0, 0.0, 1.0]
    return np.array_equal(direction[2], third) and np.array_equal(direction[:, 2], third)


def lies_in_plane(image: ImageHeader) -> bool:
    """Return True where a 2-D header says all: the plane z = 0 with unit thickness (MITK's rule for 2-D files)."""
    frame = image.frame
    return lies_flat(frame.direction) and frame.spacing[2] == 1.0 and frame.origin[2] == 0.0


def _is_axis_aligned(direction: NDArray[np.float64]) -> bool:
    """Whether every axis of the image is, up to its sign, an axis of the world."""
    rounded = np.rint(direction)
    return bool(np.array_equal(direction, rounded) and np.abs(rounded).sum() == 3)


# --- the table of formats ----------------------------------------------------------------------------------------

ALL_TYPES = frozenset(["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8"])


@dataclass(frozen=True)
class Format:
    """One format and its limits.

    Attributes
    ----------
    suffixes
        Endings in lower case, the usual one first.
    reader, other_readers
        Name of the reader as ``IOUtil.load`` knows it, and of those that can be preferred to it.
    adapter
        Module of :mod:`mitk_rs.io` that reads and writes it.
    marks
        What files of the format begin with: the place, and the bytes there.
    geometry
        ``any``: every direction matrix. ``orthonormal``: no shear. ``aligned``: spacing and origin only.
        ``none``: a picture, which knows no millimetres.
    metadata, detached, lossy, drops_ones
        Whether it can hold time points and properties; has the voxels in a file of their own; gives them back
        changed; is read without last axes of length 1.
    longest_axis, longest_entry
        What a length can be at most, and how many letters a text entry can have.
    """

    name: str
    suffixes: tuple[str, ...]
    reader: str
    adapter: str
    marks: tuple[tuple[int, bytes], ...] = ()
    other_readers: tuple[str, ...] = ()
    dimensions: frozenset[int] = frozenset({2, 3, 4})
    types: frozenset[str] = ALL_TYPES
    components: frozenset[int] | None = None
    geometry: Literal["any", "orthonormal", "aligned", "none"] = "any"
    metadata: bool = False
    detached: bool = False
    lossy: bool = False
    drops_ones: bool = False
    longest_axis: int = 1 << 31
    longest_entry: int | None = None


_SOLID = frozenset({2, 3})
_meta = partial(Format, "MetaImage", reader="ITK MetaImageIO", adapter="itk", metadata=True, longest_entry=32767)
_nrrd = partial(Format, "NRRD", reader="ITK NrrdImageIO", adapter="itk", metadata=True, longest_entry=1 << 25)
_nifti = partial(Format, reader="nibabel NIfTI", adapter="nifti", other_readers=("ITK NiftiImageIO",))
_nifti = partial(_nifti, geometry="orthonormal", drops_ones=True, longest_axis=32767)
_vtk = partial(Format, adapter="vtk", dimensions=_SOLID, metadata=True)
_picture = partial(Format, adapter="pictures", geometry="none", dimensions=frozenset({2}), types=frozenset({"u1"}))
_grey_or_rgb = partial(_picture, components=frozenset({1, 3}))
_npy = partial(Format, adapter="pictures", geometry="none", components=frozenset({1}))

FORMATS: tuple[Format, ...] = (
    _meta((".mha",), marks=((0, b"ObjectType"), (0, b"NDims"), (0, b"Comment ="))),
    _meta((".mhd",), detached=True),
    _nrrd((".nrrd",), marks=((0, b"NRRD000"),)),
    _nrrd((".nhdr",), detached=True),
    _nifti("NIfTI", (".nii", ".nii.gz"), marks=((344, b"n+1\0"), (4, b"n+2\0"), (0, b"\x1f\x8b"))),
    _nifti("NIfTI pair", (".hdr", ".img", ".hdr.gz", ".img.gz"), detached=True),
    _vtk("VTK XML", (".vti", ".vtkxml"), "VTK XMLImageDataReader", marks=((0, b"<?xml"), (0, b"<VTKFile"))),
    _vtk(
        "VTK legacy",
        (".vtk",),
        "VTK StructuredPointsReader",
        geometry="aligned",
        other_readers=("ITK VTKImageIO",),
        marks=((0, b"# vtk DataFile"),),
    ),
    _picture(
        "TIFF",
        (".tif", ".tiff"),
        "tifffile TIFF",
        dimensions=_SOLID,
        types=ALL_TYPES - {"u8", "i8", "f8"},
        drops_ones=True,
        other_readers=("ITK TIFFImageIO",),
        marks=((0, b"II*\0"), (0, b"MM\0*"), (0, b"II+\0"), (0, b"MM\0+")),
    ),
    _picture(
        "PNG",
        (".png",),
        "ITK PNGImageIO",
        adapter="itk",
        types=frozenset({"u1", "u2"}),
        components=frozenset({1, 3, 4}),
        marks=((0, b"\x89PNG\r\n"),),
    ),
    _grey_or_rgb(
        "JPEG",
        (".jpg", ".jpeg"),
        "Pillow JPEG",
        lossy=True,
        other_readers=("ITK JPEGImageIO",),
        marks=((0, b"\xff\xd8\xff"),),
    ),
    _grey_or_rgb("BMP", (".bmp",), "Pillow BMP", other_readers=("ITK BMPImageIO",), marks=((0, b"BM"),)),
    _npy("NumPy", (".npy",), "NumPy npy", marks=((0, b"\x93NUMPY"),)),
)
BY_SUFFIX = {suffix: format_ for format_ in FORMATS for suffix in format_.suffixes}
# What keeps the place of a volume, without a second name and a second header for the same.
VOLUME_SUFFIXES = tuple(
    suffix
    for suffix, format_ in BY_SUFFIX.items()
    if format_.geometry != "none" and format_.name != "NIfTI pair" and suffix != ".vtkxml"
)
# A header names its data file in a line of text, and readers take % for the template of a series.
_UNNAMEABLE = re.compile("[\\x00-\\x1f\\x7f%\ud800-\udfff]|^\\s")


def name_of(path: str) -> str:
    chosen = format_of(path)
    return chosen.name if chosen else ""


def format_of(path: str | os.PathLike[str]) -> Format | None:
    """Return the format that the ending of ``path`` names, in small or capital letters; None if there is none."""
    suffix = full_suffix(path).lower()
    return BY_SUFFIX.get(suffix) or BY_SUFFIX.get(os.path.splitext(suffix)[1])  # noqa: PTH122


def writable_format(path: str | os.PathLike[str]) -> Format:
    """Return the format to write ``path`` in; a ``FileWriteError`` if its name cannot be that of such a file."""
    chosen = format_of(path)
    if chosen is None:
        suffix = full_suffix(path)
        what = f"unknown format {suffix!r}" if suffix else "a name without an ending that would name the format"
        raise FileWriteError(f"cannot write {os.fspath(path)}: {what}; known are {', '.join(sorted(BY_SUFFIX))}")
    refusal, name = "", os.path.basename(os.fspath(path))  # noqa: PTH119
    if chosen.detached and chosen.metadata and _UNNAMEABLE.search(name):
        marks = "control characters, a % or bytes that are not UTF-8 in it"
        refusal = f"a {chosen.name} header cannot name a data file with a blank before it, {marks}"
    elif chosen.name == "NIfTI pair" and full_suffix(name) != full_suffix(name).lower():
        refusal = "the endings of a NIfTI pair must be in small letters"
    if refusal:
        raise FileWriteError(f"cannot write {os.fspath(path)!r}: {refusal}")
    return chosen


def check_fits(image: ImageHeader, path: str | os.PathLike[str]) -> Format:
    """Return the format of ``path`` if it can hold ``image``.

    Raises
    ------
    FileWriteError
        It cannot; the message says what does not fit and which endings would do.
    """
    chosen = writable_format(path)
    misfit = _misfit(image, chosen)
    if misfit is None:
        return chosen
    fitting = [one.suffixes[0] for one in FORMATS if one.geometry != "none" and _misfit(image, one) is None]
    others = ", ".join(fitting) or "no format here"
    raise FileWriteError(f"cannot write {os.fspath(path)}: {chosen.name} cannot hold {misfit}; {others} can")


def _misfit(image: ImageHeader, format_: Format) -> str | None:
    if stored_dimension(image, format_) not in format_.dimensions:
        return f"{image.dimension} dimensions"
    if image.dtype.str[1:] not in format_.types:
        return f"{image.dtype.name} voxels"
    longest = max(image.shape[: image.dimension])
    if longest > format_.longest_axis:
        return f"an axis of {longest} voxels"
    if format_.components is not None and image.components not in format_.components:
        return f"{image.components} components per voxel"
    if format_.name.startswith("NIfTI") and image.components > 1 and set(image.shape[:-2]) == {1}:
        return "several components in a single row of voxels"
    return _geometry_misfit(image, format_)


def _geometry_misfit(image: ImageHeader, format_: Format) -> str | None:
    direction = image.frame.direction
    if format_.geometry == "none" and not _is_axis_aligned(direction):
        return "an oblique direction"
    if format_.geometry == "aligned" and not np.array_equal(direction, np.eye(3)):
        return "a direction matrix"
    if format_.geometry == "orthonormal":
        if np.abs(direction.T @ direction - np.eye(3)).max() > 1e-5:
            return "a sheared direction matrix"
        if image.dimension == 2 and not lies_in_plane(image):
            return "a 2-D image whose plane is tilted or away from z = 0"
    if image.has_moving_frame and not format_.metadata:
        return "a geometry of its own for each time step"
    return None


def stored_dimension(image: ImageHeader, format_: Format) -> int:
    """Return how many axes the file has: a single slice goes into a format for pictures, as in MITK."""
    is_slice = image.dimension == 3 and image.shape[0] == 1
    return 2 if is_slice and max(format_.dimensions) == 2 else image.dimension


def losses(image: ImageHeader, format_: Format) -> list[str]:
    """Return what ``format_`` silently leaves out of an image that otherwise fits."""
    lost = []
    if format_.geometry == "none":
        names = {"spacing": "spacing", "origin": "origin", "cosines": "direction"}
        lost += [name for field, name in names.items() if getattr(image.frame, field) != getattr(Frame, field)]
    if _loses_axes(image, format_):
        lost.append("axes of length 1")
    if not format_.metadata:
        lost += ["time points"] if time_geometry_keys(image.time_geometry) else []
        lost += [f"property {name}" for name in image.properties if _is_persistent(name)]
    elif format_.longest_entry is not None:
        lost += [f"property {name}" for name in _sorted_properties(image, format_.longest_entry)[2]]
    return lost + ["exact voxels"] * format_.lossy


def _loses_axes(image: ImageHeader, format_: Format) -> bool:
    """Whether the image comes back with fewer axes; those it loses have length 1."""
    if stored_dimension(image, format_) < image.dimension:
        return True
    # NIfTI knows the axes of a scalar image up to the third.
    is_known = format_.name.startswith("NIfTI") and image.components == 1 and image.dimension < 4
    return format_.drops_ones and image.dimension > 2 and image.shape[0] == 1 and not is_known


# --- texts of headers --------------------------------------------------------------------------------------------

_UID, _GEOMETRY, _PROPERTIES = "org_mitk_uid", "mitk_rs_geometry", "mitk_rs_properties"
_OWN = {TYPE_KEY, POINTS_KEY, _UID, _GEOMETRY, _PROPERTIES}
# A name that survives the change of "." to "_" and back, and that is not a field of a MetaImage header.
_PLAIN_NAME = re.compile(r"(?=.{1,200}$)[A-Za-z0-9\-\[\]]+(\.[A-Za-z0-9\-\[\]]+)+")
_PLAIN_VALUE = re.compile(r"[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?")
# What describes the file that was read and would be wrong in the next one.
_OF_THE_FILE = re.compile(
    r"path|ITK[._].*|NRRD[._].*|Modality|aux.file|bitpix|cal.(max|min)|datatype|descrip|dim(\[\d\]|.info)|"
    r"intent.(code|name|p\d)|nifti.type|pixdim\[\d\]|qfac|[qs]form.code(.name)?|qoffset.[xyz]|[qs]to.xyz|"
    r"quatern.[bcd]|scl.(inter|slope)|slice.(code|duration|end|start)|srow.[xyz]|toffset|vox.offset|xyzt.units"
)
_Typed = dict[str, Mapping[str, Any]]


def header(
    path: str,
    lengths: Sequence[int],
    dtype: np.dtype[Any],
    frame: Frame,
    *,
    components: int = 1,
    entries: Mapping[str, str] | None = None,
    provided: Mapping[str, str] | None = None,
    reader: str = "",
    tolerance: float = 1e-6,
) -> ImageHeader:
    """Describe the image of ``[[t,] z,] y, x`` voxels that the file ``path`` holds.

    ``frame`` is what the fields of its header say of its place, exact to ``tolerance``, ``entries`` its free texts
    (times, properties), and ``provided`` are properties that the reader adds.
    """
    found, steps = entries or {}, lengths[0] if len(lengths) == 4 else 1
    frames = _stored_frames(found, frame, len(lengths), tolerance)
    try:
        geometries = geometries_of(lengths, frames if len(frames) == steps else frames[:1])
        times = placed(time_geometry_from_keys(found, geometries[0], steps), geometries)
    except RequestError as error:
        raise unreadable(path, str(error)) from error
    shape = tuple(lengths) + ((components,) if components > 1 else ())
    properties = _properties(found, provided or {})
    return ImageHeader(shape, dtype, times, components, properties, found.get(_UID), reader)


def entries_of(image: ImageHeader, *, exact_header: bool = True, longest: int | None = None) -> dict[str, str]:
    """Return the header entries that keep what the format's own fields do not.

    ``exact_header`` says that the format writes its numbers with all their digits; properties that need entries of
    more than ``longest`` letters are left out.
    """
    longest = longest or 1 << 62
    entries, typed, _ = _sorted_properties(image, longest)
    for number, part in enumerate(_parts(typed, longest)):
        entries[f"{_PROPERTIES}_{number}" if number else _PROPERTIES] = json.dumps(part)
    entries.update(time_geometry_keys(image.time_geometry))
    if image.uid:
        entries[_UID] = image.uid
    # A header that multiplies spacing into direction rounds both.
    is_exact = exact_header and len(image.frames) == 1 and _is_axis_aligned(image.frame.direction)
    if not (is_exact and (image.dimension > 2 or lies_in_plane(image))):
        frames = [
            {"spacing": one.spacing, "origin": one.origin, "direction": one.direction.tolist()} for one in image.frames
        ]
        entries[_GEOMETRY] = json.dumps(frames)
    return entries


def check_entries(image: ImageHeader, format_: Format, path: str) -> None:
    """Refuse times and geometries that need longer texts than the format can hold."""
    if format_.longest_entry is None:
        return
    for name, text in entries_of(replace(image, properties={})).items():
        if len(text) > format_.longest_entry:
            what = "geometries" if name == _GEOMETRY else "time points"
            what = f"the {what} of {image.time_steps} time steps, {len(text)} letters; .nrrd can hold more"
            raise FileWriteError(f"cannot write {path}: {format_.name} cannot hold {what}")


def _sorted_properties(image: ImageHeader, longest: int) -> tuple[dict[str, str], _Typed, list[str]]:
    """MITK's text for every property it could read, those that need more than it, names of those too long for both."""
    plain: dict[str, str] = {}
    typed: _Typed = {}
    lost: list[str] = []
    for name, content in image.properties.items():
        if not _is_persistent(name):
            continue
        value = content.get("value")
        is_text = content.get("type") == "StringProperty"
        text = str(value if is_text else json.dumps(value))
        readable = len(text) <= longest and bool(_PLAIN_NAME.fullmatch(name) and _PLAIN_VALUE.fullmatch(text))
        if readable:
            plain[name.replace(".", "_")] = text
        if not (readable and is_text):
            fits = len(json.dumps({name: content})) <= longest
            typed |= {name: content} if fits else {}
            lost += [] if fits else [name]
    return plain, typed, lost


def _parts(typed: _Typed, longest: int) -> Iterator[_Typed]:
    """Divide properties so that the text of each part is not too long."""
    part: _Typed = {}
    length = 0
    for name, content in typed.items():
        own = len(json.dumps({name: content}))
        if part and length + own > longest:
            yield part
            part, length = {}, 0
        part[name] = content
        length += own
    if part:
        yield part


def _is_persistent(name: str) -> bool:
    """False for properties that describe the file an image came from, not the image."""
    return not (_OF_THE_FILE.fullmatch(name) or name.replace(".", "_") in _OWN)


def header_frame(image: ImageHeader) -> Frame:
    """Return the frame that the header's own fields can show: for a tilted 2-D image only what lies in the plane."""
    return image.frame if image.dimension > 2 else _in_plane(image.frame)


def _in_plane(frame: Frame) -> Frame:
    direction = np.eye(3)
    if lies_flat(frame.direction):
        direction[:2, :2] = frame.direction[:2, :2]
    flat = Frame(spacing=(*frame.spacing[:2], 1.0), origin=(*frame.origin[:2], 0.0))
    return flat.with_direction(direction)


def _stored_frames(entries: Mapping[str, str], header: Frame, dimension: int, tolerance: float) -> list[Frame]:
    """The exact frames if they describe the same place as the header's fields, else the header's frame.

    Another program may have moved the image and kept entries it does not know; then the header is right.
    """
    try:
        frames = [_frame(stored) for stored in json.loads(entries[_GEOMETRY])]
        shown = [frames[0]] if dimension > 2 else [frames[0], _in_plane(frames[0])]
    except (KeyError, TypeError, ValueError, IndexError, RequestError):
        return [header]

    def is_same(one: Frame) -> bool:
        pairs = ((one.spacing, header.spacing), (one.origin, header.origin), (one.cosines, header.cosines))
        return all(np.allclose(mine, theirs, rtol=tolerance, atol=tolerance) for mine, theirs in pairs)

    return frames if any(map(is_same, shown)) else [header]


def _frame(stored: Mapping[str, Any]) -> Frame:
    spacing, origin = tuple(map(float, stored["spacing"])), tuple(map(float, stored["origin"]))
    if len(spacing) != 3 or len(origin) != 3:
        raise ValueError("three numbers are needed")
    return Frame(spacing=spacing, origin=origin).with_direction(stored["direction"])


def _properties(entries: Mapping[str, str], provided: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """The properties that the entries tell, and those that the reader adds (``provided``)."""
    typed = {name: text for name, text in entries.items() if name.startswith(_PROPERTIES)}
    texts = {name: text for name, text in entries.items() if name not in typed and name.replace(".", "_") not in _OWN}
    found = {name.replace("_", "."): {"type": "StringProperty", "value": value} for name, value in texts.items()}
    for text in typed.values():
        found.update(_typed_properties(text))
    return found | {name: {"type": "StringProperty", "value": value} for name, value in provided.items()}


def _typed_properties(text: str) -> dict[str, dict[str, Any]]:
    try:
        stored = json.loads(text)
    except ValueError:
        _log.error("header entry %s is not JSON: ignored", _PROPERTIES)
        return {}
    if not isinstance(stored, dict):
        return {}
    return {name: one for name, one in stored.items() if isinstance(one, dict) and "type" in one}
