"""NIfTI-1, NIfTI-2 and Analyze 7.5 through nibabel: ``.nii``, ``.nii.gz`` and pairs ``.hdr``/``.img``.

nibabel reads and writes the headers; a file is unpacked once, and its voxels go from there into the array. The place
of the image is ITK's choice: spacing from ``pixdim``, direction and origin from one of the two transforms (see
:func:`_transform`), turned from RAS to LPS.
"""

from __future__ import annotations

import io
import logging
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from mitk_rs.geometry import Frame
from mitk_rs.io import checks, formats
from mitk_rs.io.atomic import atomic_folder, atomic_output, full_suffix
from mitk_rs.io.checks import unreadable
from mitk_rs.io.formats import Format, ImageHeader, ImageRecord, ReadOptions
from mitk_rs.time_geometry import ProportionalTimeGeometry

_VECTOR, _SYMMETRIC, _MATRIX = 1007, 1005, 1004
_SCANNER = 1
_COLOURS = {128: 3, 2304: 4}
_MILLIMETRES, _SECONDS = {1: 1e3, 3: 1e-3}, {16: 1e-3, 24: 1e-6}
# NIfTI stores a symmetric 3x3 matrix by the rows of its lower half, ITK by those of its upper half.
_UPPER_ROWS = [0, 1, 3, 2, 4, 5]
# What says nothing of the image.
_HOUSEKEEPING = "sizeof_hdr data_type db_name extents session_error regular glmax glmin magic unused_str eol_check"
# The other file of a pair, the likelier one first.
_DATA = {".hdr": (".img", ".img.gz"), ".hdr.gz": (".img.gz", ".img")}
_HEADER = {".img": (".hdr", ".hdr.gz"), ".img.gz": (".hdr.gz", ".hdr")}
# The squares of larger numbers overflow.
_LARGEST = 1e30
_RAS = np.array([-1.0, -1.0, 1.0])


def library() -> Any:
    import nibabel

    return nibabel


def read_header(path: str, options: ReadOptions) -> ImageHeader:
    return _checked(path, options)[0]


def read(path: str, options: ReadOptions) -> ImageRecord:
    """Read an image; ``path`` may be either file of a pair."""
    header, fields, data = _checked(path, options)
    raw = checks.zeros_of(path, header.shape, _stored_type(fields))
    with checks.open_regular(data) as file:
        if checks.is_deflated(file):
            checks.read_deflated(path, file, raw, skipped=_offset(fields))
        else:
            file.seek(_offset(fields))
            checks.read_raw(path, file, raw)
    array = _scaled(path, checks.native(raw).reshape(-1), fields, header.dtype)
    return ImageRecord.of(header, _arranged(array, header, fields))


def _checked(path: str, options: ReadOptions) -> tuple[ImageHeader, Any, str]:
    """The checked header, its fields as nibabel has them, and the file with the voxels."""
    fields, data = _fields(path, anywhere=options.get("allow_other_folders", False))
    header = _described(path, fields, options)
    _check_data(path, fields, header, data)
    return header, fields, data


def _fields(path: str, *, anywhere: bool) -> tuple[Any, str]:
    """Return the header as nibabel has it, and the file with the voxels."""
    is_pair = full_suffix(path).lower().startswith((".hdr", ".img"))
    header = _sibling(path, _HEADER) if is_pair else path
    start = checks.unpacked_bytes(header, 540)
    kind = _kind(start, is_pair=is_pair)
    if kind is None or len(start) < kind.template_dtype.itemsize:
        raise unreadable(path, "it is not a NIfTI file, or its beginning is damaged")
    with _quiet():
        order = "<" if int.from_bytes(start[:4], "little") in (348, 540) else ">"
        # Without the extensions behind the header: nothing here needs them, and nibabel refuses damaged ones.
        fixed = io.BytesIO(start[: kind.template_dtype.itemsize])
        fields = kind.from_fileobj(fixed, endianness=order, check=False)
    data = _sibling(header, _DATA) if is_pair else path
    if is_pair and data == header:
        raise unreadable(path, f"its data file is missing: {' or '.join(_DATA[full_suffix(header).lower()])}")
    return fields, checks.data_file(header, os.path.basename(data), anywhere=anywhere) if is_pair else data  # noqa: PTH119


def _sibling(path: str, endings: Mapping[str, tuple[str, ...]]) -> str:
    """The other file of a pair, compressed or not; the file itself where it is alone or has no such ending."""
    suffix = full_suffix(path)
    stem = path[: len(path) - len(suffix)]
    candidates = [stem + other for other in endings.get(suffix.lower(), ())]
    return next((one for one in candidates if os.path.isfile(one)), path)  # noqa: PTH113


def _kind(start: bytes, *, is_pair: bool) -> Any:
    """The class of nibabel whose header begins so."""
    from nibabel import analyze, nifti1, nifti2

    kinds = {
        (540, b"n+2\0"): nifti2.Nifti2Header,
        (540, b"ni2\0"): nifti2.Nifti2PairHeader,
        (348, b"n+1\0"): nifti1.Nifti1Header,
        (348, b"ni1\0"): nifti1.Nifti1PairHeader,
    }
    sizes = {int.from_bytes(start[:4], "little"), int.from_bytes(start[:4], "big")}
    size = next((size for size in (540, 348) if size in sizes), 0)
    magic = start[4:8] if size == 540 else start[344:348]
    kind = kinds.get((size, magic), analyze.AnalyzeHeader if size == 348 and is_pair else None)
    return kind if (b"+" in magic) is not is_pair or kind is analyze.AnalyzeHeader else None


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep nibabel's log of what it mends to itself: what matters is checked here."""
    log = logging.getLogger("nibabel.global")
    before, log.disabled = log.disabled, True
    try:
        yield
    finally:
        log.disabled = before


def _described(path: str, fields: Any, options: ReadOptions) -> ImageHeader:
    lengths, components = _lengths(path, fields)
    dtype, frame = _dtype(path, fields), _frame(path, fields, len(lengths))
    provided = _properties(fields)
    header = formats.header(
        path, lengths, dtype, frame, components=components, provided=provided, reader="nibabel NIfTI"
    )
    if options.get("time_spacing") and len(lengths) == 4 and _is_nifti(fields):
        seconds = float(fields["pixdim"][4]) * _SECONDS.get(int(fields["xyzt_units"]) & 0x38, 1.0)
        if math.isfinite(seconds) and seconds > 0:
            times = ProportionalTimeGeometry(0.0, 1000.0 * seconds, header.time_steps)
            return replace(header, time_geometry=times.for_image(header.time_geometry.geometries))
    return header


def _lengths(path: str, fields: Any) -> tuple[tuple[int, ...], int]:
    """Lengths of the axes, slowest first, and the number of components."""
    dim = [int(length) for length in fields["dim"]]
    if not 1 <= dim[0] <= 7:
        raise unreadable(path, f"field dim[0] is {dim[0]}, it must be 1 to 7")
    for axis in range(1, dim[0] + 1):
        if dim[axis] < 1:
            raise unreadable(path, f"field dim[{axis}] is {dim[axis]}, every axis must have at least one voxel")
    count, components = dim[0], 1
    intent = _intent(fields)
    if intent in (_VECTOR, _SYMMETRIC) and count >= 5:
        components = dim[5]
        count = max((axis for axis in range(1, 5) if dim[axis] > 1), default=1)
        beyond = dim[6 : dim[0] + 1]
    else:
        beyond = dim[5 : dim[0] + 1]
        while count > 3 and dim[count] == 1:
            count -= 1
    components = _COLOURS.get(int(fields["datatype"]), components)
    if intent == _MATRIX or max(beyond, default=1) > 1 or not 2 <= count <= 4:
        sizes = " x ".join(map(str, dim[1 : dim[0] + 1]))
        raise unreadable(path, f"field dim is {sizes}, which has {count} dimensions; 2 to 4 are possible")
    return tuple(dim[count:0:-1]), components


def _intent(fields: Any) -> int:
    return int(fields["intent_code"]) if "intent_code" in fields.keys() else 0  # noqa: SIM118 (not a dictionary)


def _dtype(path: str, fields: Any) -> np.dtype[Any]:
    """The type of the voxels after rescaling."""
    stored, code = _stored_type(fields), int(fields["datatype"])
    if stored.kind not in "iuf" or stored.itemsize > 8:
        names = {1: "single bits", 32: "complex64", 1792: "complex128", 1536: "float128", 2048: "complex256"}
        kind = names.get(code, "unknown")
        raise unreadable(path, f"field datatype is {code} ({kind}), no image here has such voxels")
    bits = 8 * stored.itemsize * _COLOURS.get(code, 1)
    if int(fields["bitpix"]) != bits:
        raise unreadable(path, f"field bitpix is {int(fields['bitpix'])}, voxels of this datatype have {bits} bits")
    slope, intercept = _scale(path, fields)
    is_scaled = (slope, intercept) != (1.0, 0.0)
    return np.dtype("f4") if is_scaled and stored.kind in "iu" else stored.newbyteorder("=")


def _stored_type(fields: Any) -> np.dtype[Any]:
    """The type of one component in the file; a void type where no image has such voxels."""
    from nibabel.spatialimages import HeaderDataError

    if int(fields["datatype"]) in _COLOURS:
        return np.dtype("u1")
    try:
        stored: np.dtype[Any] = fields.get_data_dtype()
    except (HeaderDataError, KeyError):
        return np.dtype("V")
    return stored


def _scale(path: str, fields: Any) -> tuple[float, float]:
    """Slope and intercept; 1 and 0 where nothing is to be done."""
    if not _is_nifti(fields):
        return 1.0, 0.0
    slope, intercept = float(fields["scl_slope"]), float(fields["scl_inter"])
    for name, number in (("scl_slope", slope), ("scl_inter", intercept)):
        if not math.isfinite(number):
            raise unreadable(path, f"field {name} is {number:g}, it must be a finite number")
    tiny = np.finfo(np.float64).eps
    if abs(slope) < tiny:
        slope = 1.0
    is_none = abs(slope - 1.0) < tiny and abs(intercept) < tiny
    return (1.0, 0.0) if is_none else (slope, intercept)


def _is_nifti(fields: Any) -> bool:
    return "magic" in fields.keys()  # noqa: SIM118


def _offset(fields: Any) -> int:
    return int(fields["vox_offset"])


def _check_data(path: str, fields: Any, header: ImageHeader, data: str) -> None:
    """Refuse a place of the voxels, or a number of them, that the file cannot have."""
    offset = float(fields["vox_offset"])
    is_single = _is_nifti(fields) and bytes(fields["magic"].item())[:2] == b"n+"
    least = (544 if int(fields["sizeof_hdr"]) == 540 else 352) if is_single else 0
    size = os.stat(data).st_size  # noqa: PTH116
    if not (math.isfinite(offset) and offset == int(offset) and least <= offset):
        raise unreadable(path, f"field vox_offset is {offset:g}, it must be a whole number from {least} on")
    stored = _stored_type(fields)
    checks.check_bytes(path, header.shape, stored, size)
    with checks.open_regular(data) as file:
        is_packed = checks.is_deflated(file)
    needed = math.prod(header.shape) * stored.itemsize + int(offset)
    if needed > size * (checks.DEFLATE_LIMIT if is_packed else 1):
        raise unreadable(path, f"the file is truncated: the header needs {needed} bytes, there are {size}")


def _scaled(path: str, raw: NDArray[Any], fields: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Voxels times slope plus intercept, in the steps of ITK: rounded to ``dtype``, computed in double precision."""
    slope, intercept = _scale(path, fields)
    if (slope, intercept) == (1.0, 0.0):
        return raw
    scaled = checks.zeros_of(path, raw.shape, dtype)
    for begin in range(0, raw.size, 1 << 20):
        part = slice(begin, begin + (1 << 20))
        rounded = raw[part].astype(dtype, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            scaled[part] = rounded.astype(np.float64) * slope + intercept
        if (np.isfinite(rounded) & ~np.isfinite(scaled[part])).any():
            raise unreadable(path, f"fields scl_slope {slope:g} and scl_inter {intercept:g} lead beyond {dtype.name}")
    return scaled


def _arranged(array: NDArray[Any], header: ImageHeader, fields: Any) -> NDArray[Any]:
    """Voxels in the order of an image: components fastest. In the file they are slowest, except colours."""
    if header.components == 1 or int(fields["datatype"]) in _COLOURS:
        return array.reshape(header.shape)
    slowest = array.reshape(header.components, *header.shape[:-1])
    if _intent(fields) == _SYMMETRIC and header.components == 6:
        slowest = slowest[_UPPER_ROWS]
    return np.ascontiguousarray(np.moveaxis(slowest, 0, -1))


def _properties(fields: Any) -> dict[str, str]:
    """The header's fields as texts, under the names that they have in MITK."""
    told: dict[str, str] = {}
    for name in fields.keys():  # noqa: SIM118
        value = fields[name].tolist()
        if name in ("dim", "pixdim"):
            told |= {f"{name}[{number}]": f"{one:g}" for number, one in enumerate(value)}
        elif name not in _HOUSEKEEPING.split():
            numbers = value if isinstance(value, list) else [value]
            texts = [checks.decoded(one.split(b"\0")[0]) if isinstance(one, bytes) else f"{one:g}" for one in numbers]
            told[name.replace("_", ".")] = " ".join(texts)
    return told


# --- places ------------------------------------------------------------------------------------------------------


def _frame(path: str, fields: Any, dimension: int) -> Frame:
    axes = min(dimension, 3)
    steps = _steps(path, fields, axes)
    spacing, origin, direction = np.ones(3), np.zeros(3), np.eye(3)
    unit = _MILLIMETRES.get(int(fields["xyzt_units"]) & 7, 1.0) if _is_nifti(fields) else 1.0
    spacing[:axes] = steps[:axes] * unit
    transform = _transform(path, fields, steps) if _is_nifti(fields) else None
    if transform is not None:
        origin[:axes] = (_RAS * transform[:3, 3])[:axes] * unit
        columns = (_RAS[:, np.newaxis] * transform[:3, :3])[:axes, :axes]
        lengths = np.linalg.norm(columns, axis=0)
        if not lengths.all():
            raise unreadable(path, f"its transform has axes of length {lengths.tolist()}, which must be above 0")
        direction[:axes, :axes] = columns / lengths
    return checks.frame(path, spacing, origin, direction)


def _steps(path: str, fields: Any, axes: int) -> NDArray[np.float64]:
    """Sizes of a voxel along x, y, z; 1 along axes that the image does not have."""
    steps = np.ones(3)
    for axis in range(1, axes + 1):
        step, is_single = float(fields["pixdim"][axis]), int(fields["dim"][axis]) == 1
        if not 0 <= step <= _LARGEST or (step == 0 and not is_single):
            raise unreadable(path, f"field pixdim[{axis}] is {step:g}, it must be above 0 and at most {_LARGEST:g}")
        steps[axis - 1] = step or 1.0
    return steps


def _transform(path: str, fields: Any, steps: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """The transform to RAS millimetres that places the image, in single precision; None if there is none.

    Of two that differ, ITK takes the s-form where it has no shear and is that of the scanner (code 1) or the only
    one, else the q-form (``itkNiftiImageIO.cxx``).
    """
    q_code, s_code = int(fields["qform_code"]), int(fields["sform_code"])
    if q_code <= 0 and s_code <= 0:
        return None
    q_form = _q_form(path, fields, steps) if q_code > 0 else None
    s_form = _s_form(path, fields) if s_code > 0 else None
    s_form = s_form if s_form is not None and _is_orthogonal(s_form) else None
    if s_form is not None and (q_form is None or s_code == _SCANNER or _is_similar(s_form, q_form)):
        return s_form
    if q_form is None:
        raise unreadable(path, "field srow: its axes are not orthonormal but sheared, and there is no q-form")
    return q_form


def _q_form(path: str, fields: Any, steps: NDArray[np.float64]) -> NDArray[np.float64]:
    """The transform of quaternion, offsets and voxel sizes (``nifti_quatern_to_mat44``)."""
    names = ("quatern_b", "quatern_c", "quatern_d", "qoffset_x", "qoffset_y", "qoffset_z")
    numbers = [float(fields[name]) for name in names]
    for name, number in zip(names, numbers, strict=True):
        if not abs(number) <= _LARGEST:
            raise unreadable(path, f"field {name} is {number:g}, it must be a finite number up to {_LARGEST:g}")
    b, c, d = numbers[:3]
    length = b * b + c * c + d * d
    if length > 1.0 + 1e-4:
        raise unreadable(path, f"fields quatern_b, quatern_c, quatern_d are {b:g} {c:g} {d:g}, which is not a rotation")
    a = math.sqrt(max(1.0 - length, 0.0))
    if 1.0 - length < 1e-7:
        a, (b, c, d) = 0.0, (np.array([b, c, d]) / math.sqrt(length)).tolist()
    rotation = [
        [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
        [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
        [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - c * c - b * b],
    ]
    turned = -1.0 if float(fields["pixdim"][0]) < 0 else 1.0
    transform = np.eye(4)
    transform[:3, :3] = np.array(rotation) * steps * [1.0, 1.0, turned]
    transform[:3, 3] = numbers[3:]
    # ITK's transform has single precision, and so has the header of NIfTI-1.
    return transform if int(fields["sizeof_hdr"]) == 540 else transform.astype(np.float32).astype(np.float64)


def _s_form(path: str, fields: Any) -> NDArray[np.float64]:
    transform = np.eye(4)
    for row, name in enumerate(("srow_x", "srow_y", "srow_z")):
        transform[row] = fields[name]
        if not (np.abs(transform[row]) <= _LARGEST).all():
            allowed = f"finite numbers up to {_LARGEST:g}"
            raise unreadable(path, f"field {name} is {transform[row].tolist()}, which must be {allowed}")
    return transform


def _is_orthogonal(transform: NDArray[np.float64]) -> bool:
    """Whether the axes of a transform are orthogonal, within 1e-4."""
    lengths = np.linalg.norm(transform[:3, :3], axis=0)
    if not ((lengths > 0) & np.isfinite(lengths)).all():
        return False
    axes = transform[:3, :3] / lengths
    return bool(np.abs(axes @ axes.T - np.eye(3)).max() <= 1e-4)


def _is_similar(one: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    """Whether rotation, voxel sizes and offset of two transforms agree within 1e-4."""
    lengths, others = (np.linalg.norm(each[:3, :3], axis=0) for each in (one, other))
    return bool(
        np.abs(lengths - others).max() <= 1e-4
        and np.abs(one[:3, :3] / lengths - other[:3, :3] / others).max() <= 1e-4
        and np.abs(one[:3, 3] - other[:3, 3]).max() <= 1e-4
    )


# --- writing -----------------------------------------------------------------------------------------------------


def write(record: ImageRecord, path: str, format_: Format, *, compress: bool, time_spacing: bool, **_: Any) -> None:
    """Write an image that fits ``format_``. Only ``.gz`` files are packed."""
    header = _header_of(record, is_pair=format_.detached, time_spacing=time_spacing)
    start = io.BytesIO()
    with _quiet():
        header.write_to(start)
    is_packed = full_suffix(path).lower().endswith(".gz")
    if not format_.detached:
        with atomic_output(path) as temporary, _output(temporary, is_packed=is_packed) as file:
            file.write(start.getvalue().ljust(352, b"\0"))
            _write_voxels(record, file)
        return
    suffix, target = full_suffix(path), Path(path)
    stem = target.name[: len(target.name) - len(suffix)]
    with atomic_folder(target.with_name(stem + suffix.replace(".img", ".hdr"))) as temporary:
        with _output(temporary, is_packed=is_packed) as file:
            file.write(start.getvalue().ljust(352, b"\0"))
        with _output(temporary.with_name(stem + suffix.replace(".hdr", ".img")), is_packed=is_packed) as file:
            _write_voxels(record, file)


@contextmanager
def _output(path: Path, *, is_packed: bool) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        if not is_packed:
            yield file
            return
        from isal import igzip

        with igzip.IGzipFile(filename="", fileobj=file, mode="wb", compresslevel=3, mtime=0) as packed:
            yield packed


def _write_voxels(record: ImageRecord, file: BinaryIO) -> None:
    array = np.moveaxis(record.array, -1, 0) if record.components > 1 else record.array
    flat = checks.bytes_of(np.ascontiguousarray(array))
    for begin in range(0, len(flat), 1 << 20):
        file.write(flat[begin : begin + (1 << 20)])


def _header_of(record: ImageRecord, *, is_pair: bool, time_spacing: bool) -> Any:
    from nibabel import nifti1

    header = nifti1.Nifti1PairHeader() if is_pair else nifti1.Nifti1Header()
    sizes = record.shape[: record.dimension][::-1]
    spatial = (*sizes, 1, 1, 1)[:4]
    header.set_data_shape((*spatial, record.components) if record.components > 1 else sizes)
    header.set_data_dtype(record.dtype)
    if record.components > 1:
        header.set_intent("vector")
    frame = formats.header_frame(record)
    first, last = record.time_geometry.get_time_bounds()
    duration = (last - first) / record.time_steps / 1000.0 if time_spacing and record.dimension == 4 else 1.0
    header["pixdim"][1:5] = (*frame.spacing, duration)
    header.set_xyzt_units("mm", "sec")
    header.set_qform(frame.affine("RAS"), _SCANNER)
    header.set_sform(frame.affine("RAS"), _SCANNER)
    header["pixdim"][1:4] = frame.spacing
    header["scl_slope"], header["scl_inter"] = 1.0, 0.0
    header["vox_offset"] = 0 if is_pair else 352
    return header
