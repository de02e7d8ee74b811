"""A generator of broken files, and the oracle that judges what becomes of them.

Case ``n`` is always the same file: a small whole file of one of the kinds in :func:`whole_files`, damaged in one of the
ways of :data:`DAMAGES`. Two children read it whose fresh memory holds different bytes (``MALLOC_PERTURB_``); both are
under a limit of memory, and watched. What must never be seen: a crash, a hang, an exception that is not ours, a file
descriptor left open, images that differ between the two children, or an image from a file that was cut short and that
is not the whole image.

    python tests/support/broken_files.py 100000 --jobs 2 --results .make/fuzz
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import gzip
import hashlib
import json
import os
import re
import resource
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import warnings
import zlib
from pathlib import Path

import numpy as np

MEMORY = 3 << 30
# A case that computes this long hangs; so does one that takes so much longer because it waits.
SECONDS = float(os.environ.get("BROKEN_FILES_SECONDS", "20"))
WAITS = 9
PERTURB = (85, 170)
FATAL = ("crash", "hang", "foreign", "differs", "cut", "leak", "info")


# --- whole files -------------------------------------------------------------------------------------------------


def voxels(shape, dtype="i2"):
    """Numbers that differ and that pack to something."""
    count = int(np.prod(shape))
    return (np.arange(count) * 37 % 251).astype(dtype).reshape(shape)


def whole_files(folder: Path) -> dict[str, Path]:
    """Write one file of each kind; the name says the kind, the path what to load (a file or a folder)."""
    made: dict[str, Path] = {}
    for write in (_meta_files, _nrrd_files, _nifti_files, _vtk_files, _pictures, _dicom_files, _surfaces):
        for name, path in write(folder):
            made[name] = path
    return made


def _own(folder, name):
    place = folder / name
    place.mkdir()
    return place


def _meta_files(folder):
    import mitk_rs as mitk

    def text(lines, size="5 4 3", data="LOCAL", kind="MET_SHORT"):
        rows = ["ObjectType = Image", "NDims = 3", *lines, f"DimSize = {size}", "Offset = 1 2 3"]
        rows += ["ElementSpacing = 0.5 0.75 2", f"ElementType = {kind}", f"ElementDataFile = {data}", ""]
        return "\n".join(rows).encode()

    array = voxels((3, 4, 5))
    image = mitk.Image(voxels((12, 14, 10)), (0.5, 0.7, 2), (1, 2, 3))
    image.set_property("Patient.Name", "Doe")
    mitk.io.write_image(image, _own(folder, "mha") / "x.mha")
    mitk.io.write_image(image, _own(folder, "mha raw") / "x.mha", compress=False)
    mitk.io.write_image(image, _own(folder, "mhd") / "x.mhd")
    (_own(folder, "mha msb") / "x.mha").write_bytes(
        text(["BinaryData = True", "BinaryDataByteOrderMSB = True"]) + array.astype(">i2").tobytes()
    )
    (_own(folder, "mha text") / "x.mha").write_bytes(
        text(["BinaryData = False"]) + " ".join(map(str, array.ravel())).encode() + b"\n"
    )
    place = _own(folder, "mhd list")
    (place / "x.mhd").write_bytes(text(["BinaryData = True", "HeaderSize = 2"], data="LIST 2\na.raw\nb.raw\nc.raw"))
    for name, plane in zip("abc", array, strict=True):
        (place / f"{name}.raw").write_bytes(b"xx" + plane.tobytes())
    for name, ending in (("mha", "mha"), ("mha raw", "mha"), ("mhd", "mhd"), ("mha msb", "mha"), ("mha text", "mha")):
        yield name, folder / name / f"x.{ending}"
    yield "mhd list", place / "x.mhd"


def _nrrd_files(folder):
    import mitk_rs as mitk

    image = mitk.Image(voxels((12, 14, 10)), (0.5, 0.7, 2), (1, 2, 3))
    image.set_property("Patient.Name", "Doe")
    for name, file, compress in (("nrrd", "x.nrrd", True), ("nrrd raw", "x.nrrd", False), ("nhdr", "x.nhdr", True)):
        path = _own(folder, name) / file
        mitk.io.write_image(image, path, compress=compress)
        yield name, path
    series = mitk.Image(voxels((2, 3, 4, 5)))
    series.time_geometry = mitk.ArbitraryTimeGeometry.from_time_points([0, 10, 25])
    path = _own(folder, "nrrd time") / "x.nrrd"
    series.save(path)
    yield "nrrd time", path
    array = voxels((3, 4, 5))
    for encoding, data in (
        ("hex", array.astype(">i2").tobytes().hex().encode()),
        ("ascii", " ".join(map(str, array.ravel())).encode() + b"\n"),
    ):
        path = _own(folder, f"nrrd {encoding}") / "x.nrrd"
        header = "NRRD0004\ntype: short\ndimension: 3\nspace: RAS\nsizes: 5 4 3\nendian: big\n"
        header += f"space directions: (1,0,0) (0,2,0) (0,0,3)\nencoding: {encoding}\nspace origin: (1,2,3)\n\n"
        path.write_bytes(header.encode() + data)
        yield f"nrrd {encoding}", path


def _nifti_files(folder):
    import nibabel

    import mitk_rs as mitk

    image = mitk.Image(voxels((12, 14, 10)), (0.5, 0.7, 2), (1, 2, 3))
    vectors = mitk.Image(voxels((5, 6, 7, 3), "f4"), components=True)
    for name, file, one in (
        ("nii", "x.nii", image),
        ("nii.gz", "x.nii.gz", image),
        ("nii vectors", "x.nii.gz", vectors),
        ("hdr", "x.hdr", image),
        ("hdr.gz", "x.hdr.gz", image),
    ):
        path = _own(folder, name) / file
        one.save(path)
        yield name, path
    array = voxels((12, 14, 10)).T
    path = _own(folder, "nii scaled") / "x.nii"
    scaled = nibabel.Nifti1Image(array, np.diag([0.5, 0.7, 2, 1]))
    scaled.header.set_slope_inter(2.5, -10)
    nibabel.save(scaled, path)
    yield "nii scaled", path
    for name, kind, file in (
        ("nii 2", nibabel.Nifti2Image, "x.nii"),
        ("analyze", nibabel.AnalyzeImage, "x.img"),
        ("nii 2 gz", nibabel.Nifti2Image, "x.nii.gz"),
    ):
        path = _own(folder, name) / file
        nibabel.save(kind(array, np.diag([0.5, 0.7, 2, 1])), path)
        yield name, path


def _vtk_files(folder):
    from vtkmodules.vtkIOLegacy import vtkStructuredPointsWriter
    from vtkmodules.vtkIOXML import vtkXMLImageDataWriter

    import mitk_rs as mitk

    image = mitk.Image(voxels((6, 7, 8)), (0.5, 0.7, 2), (1, 2, 3))
    image.set_property("Patient.Name", "Doe")
    for name, file, compress in (("vti", "x.vti", True), ("vti raw", "x.vti", False), ("vtk", "x.vtk", True)):
        path = _own(folder, name) / file
        mitk.io.write_image(image, path, compress=compress)
        yield name, path
    for name, mode in (("vti text", 0), ("vti base64", 1)):
        path = _own(folder, name) / "x.vti"
        writer = vtkXMLImageDataWriter()
        writer.SetDataMode(mode)
        writer.SetInputData(image.to_vtk())
        writer.SetFileName(str(path))
        writer.Write()
        yield name, path
    path = _own(folder, "vtk text") / "x.vtk"
    writer = vtkStructuredPointsWriter()
    writer.SetInputData(image.to_vtk())
    writer.SetFileName(str(path))
    writer.Write()
    yield "vtk text", path


def _pictures(folder):
    from PIL import Image

    import mitk_rs as mitk

    flat = voxels((20, 24), "u1")
    colours = np.stack([flat, flat.T[:20, :20].repeat(2, 1)[:, :24], flat], axis=-1)
    for name, file, image in (
        ("png", "x.png", mitk.Image(flat)),
        ("png 16 bit", "x.png", mitk.Image(voxels((20, 24), "u2"))),
        ("png colours", "x.png", mitk.Image(colours, components=True)),
        ("jpg", "x.jpg", mitk.Image(colours, components=True)),
        ("bmp", "x.bmp", mitk.Image(colours, components=True)),
        ("tif", "x.tif", mitk.Image(voxels((3, 20, 24)))),
        ("npy", "x.npy", mitk.Image(voxels((3, 4, 5), "f4"))),
    ):
        path = _own(folder, name) / file
        image.save(path)
        yield name, path
    path = _own(folder, "tif raw") / "x.tif"
    mitk.io.write_image(mitk.Image(voxels((3, 20, 24), "f4")), path, compress=False)
    yield "tif raw", path
    for name, picture, options in (
        ("tif lzw", Image.fromarray(flat), {"compression": "tiff_lzw"}),
        ("tif packbits", Image.fromarray(flat), {"compression": "packbits"}),
        ("tif jpeg", Image.fromarray(colours), {"compression": "jpeg"}),
        ("tif palette", Image.fromarray(colours).quantize(16), {}),
        ("tif fax", Image.fromarray(flat).convert("1"), {"compression": "group4"}),
    ):
        path = _own(folder, name) / "x.tif"
        picture.save(path, **options)
        yield name, path


def _dicom_files(folder):
    from dicom_files import write_slice

    for name, options in (
        ("dcm", {}),
        ("dcm implicit", {"syntax": "1.2.840.10008.1.2"}),
        ("dcm big endian", {"syntax": "1.2.840.10008.1.2.2"}),
        ("dcm deflated", {"syntax": "1.2.840.10008.1.2.1.99"}),
        ("dcm rle", {"syntax": "1.2.840.10008.1.2.5"}),
        ("dcm jpeg", {"syntax": "1.2.840.10008.1.2.4.50"}),
        ("dcm jpeg2000", {"syntax": "1.2.840.10008.1.2.4.90"}),
        ("dcm frames", {"frames": 3}),
        ("dcm cine", {"frames": 3, "FrameTime": "40"}),
        ("dcm enhanced", {"frames": 3, "enhanced": True}),
    ):
        path = _own(folder, name) / "x.dcm"
        kind = "u1" if "jpeg" in name else "i2"
        frames = options.get("frames", 1)
        write_slice(path, voxels((frames, 8, 10), kind)[0 if frames == 1 else slice(None)], (0, 0, 0), **options)
        yield name, path
    place = _own(folder, "dcm folder")
    for z in range(4):
        write_slice(place / f"{z}.dcm", voxels((8, 10)) + z, (0, 0, 2 * z), number=z)
    yield "dcm folder", place


def _surfaces(folder):
    from vtkmodules.vtkFiltersSources import vtkSphereSource

    from mitk_rs.surface import write_surface

    ball = vtkSphereSource()
    ball.SetThetaResolution(5)
    ball.SetPhiResolution(5)
    ball.Update()
    for suffix in ("vtp", "vtk", "stl", "obj"):
        for binary in (True, False):
            name = f"surface {suffix}{'' if binary else ' text'}"
            path = _own(folder, name) / f"x.{suffix}"
            write_surface(ball.GetOutput(), path, binary=binary)
            yield name, path


# --- damages -----------------------------------------------------------------------------------------------------

INTEGERS = [
    0,
    1,
    2,
    3,
    5,
    7,
    8,
    100,
    255,
    256,
    4095,
    32767,
    32768,
    65535,
    65536,
    2**31 - 1,
    2**31,
    2**32 - 1,
    2**63 - 1,
]
NUMBERS = ["0", "-1", "1", "2", "3", "4", "5", "9", "16", "100", "1000", "65536", "2147483647", "2147483648"]
NUMBERS += ["4294967296", "9223372036854775807", "18446744073709551616", "1e10", "1e300", "1e-310", "-0", "0.5", "4.7"]
NUMBERS += ["nan", "inf", "-inf", "x", "", "1e999", "%s%s%s%n", "0x10", "1,5", "1 2", "None"]
FLOATS = [0.0, -1.0, 1e-310, 1e300, 3e38, float("nan"), float("inf"), -float("inf"), 352.0, -1000.0, 1e20, 0.5]
WORDS = [b"LOCAL", b"LIST", b"../x", b"/etc/passwd", b"/dev/zero", b"raw", b"gzip", b"hex", b"ascii", b"bzip2", b"True"]
WORDS += [b"False", b"MET_DOUBLE", b"MET_CHAR", b"MET_OTHER", b"double", b"uchar", b"block", b"String", b"Int8"]
WORDS += [b"UInt64", b"Float64", b"vtkIdType", b"bit", b"string", b"char", b"x%03d.raw 0 3 1", b"none", b"vector"]


def flip(random, content):
    """A few bits, mostly near the beginning."""
    made = bytearray(content)
    for _ in range(int(random.integers(1, 6))):
        most = len(made) if random.random() < 0.5 else min(len(made), 400)
        made[int(random.integers(most))] ^= 1 << int(random.integers(8))
    return bytes(made)


def cut(random, content):
    """The end is missing."""
    return content[: int(random.integers(len(content)))]


def insert(random, content):
    """Bytes that do not belong there."""
    at = int(random.integers(min(len(content), 600) + 1))
    more = random.bytes(int(random.integers(1, 40)))
    return content[:at] + (more if random.random() < 0.7 else bytes(len(more))) + content[at:]


def zero(random, content):
    """A part becomes zeros, or ones."""
    begin = int(random.integers(len(content)))
    count = min(int(random.integers(1, 64)), len(content) - begin)
    return content[:begin] + (b"\0" if random.random() < 0.7 else b"\xff") * count + content[begin + count :]


def double(random, content):
    """A part is there twice, or missing, or two parts have changed places."""
    a, b = sorted(int(one) for one in random.integers(0, len(content), 2))
    a, b = (a, min(b, a + 200))
    kind = random.integers(3)
    if kind == 0:
        return content[:b] + content[a:]
    return (
        content[:a] + content[b:] if kind == 1 else content[:a] + content[b : b + 20] + content[a:b] + content[b + 20 :]
    )


def number(random, content):
    """A number of a binary header becomes another one."""
    made = bytearray(content)
    size = int(random.choice([1, 2, 4, 8]))
    at = int(random.integers(max(min(len(made), 600) - size, 1)))
    order = "<" if random.random() < 0.8 else ">"
    if size >= 4 and random.random() < 0.4:
        value = FLOATS[int(random.integers(len(FLOATS)))]
        with np.errstate(over="ignore"):
            packed = np.array(value).astype(f"{order}f{size}").tobytes()
    else:
        value = INTEGERS[int(random.integers(len(INTEGERS)))] * (-1 if random.random() < 0.2 else 1)
        packed = (value % (1 << 8 * size)).to_bytes(size, "little" if order == "<" else "big")
    made[at : at + size] = packed
    return bytes(made)


def text_number(random, content):
    """A number of a text header becomes another one."""
    found = list(re.finditer(rb"[-+]?\d+(\.\d+)?(e[-+]?\d+)?", content[:2000]))
    if not found:
        return flip(random, content)
    one = found[int(random.integers(len(found)))]
    other = NUMBERS[int(random.integers(len(NUMBERS)))].encode()
    return content[: one.start()] + other + content[one.end() :]


def text_word(random, content):
    """A word of a text header becomes another one."""
    found = list(re.finditer(rb"[A-Za-z_][\w.-]*", content[:2000]))
    if not found:
        return insert(random, content)
    one, others = found[int(random.integers(len(found)))], found
    if random.random() < 0.5:
        other = WORDS[int(random.integers(len(WORDS)))]
    else:
        other = others[int(random.integers(len(others)))][0]
    return content[: one.start()] + other + content[one.end() :]


def line(random, content):
    """A line of a text header is doubled, dropped, moved, very long, or in Latin-1."""
    lines = content[:2000].split(b"\n")
    at, to = (int(one) for one in random.integers(0, len(lines), 2))
    kind = random.integers(7)
    if kind == 0:
        lines.insert(to, lines[at])
    elif kind == 1:
        del lines[at]
    elif kind == 2:
        lines[at], lines[to] = lines[to], lines[at]
    elif kind == 3:
        lines[at] = lines[at] + bytes([int(random.integers(33, 127))]) * int(random.choice([300, 5000, 40000, 70000]))
    elif kind == 4:
        lines.insert(at, "Pati\xe4nt = M\xfcller".encode("latin-1") if random.random() < 0.5 else b"K\xe4y:=M\xfcller")
    elif kind == 5:
        lines[at:at] = [b"key%d:=value" % n for n in range(int(random.choice([10, 3000, 12000])))]
    else:
        lines[at] = lines[at][: len(lines[at]) // 2] + b"\0" + lines[at][len(lines[at]) // 2 :]
    return b"\n".join(lines) + content[2000:]


def forge(random, content):
    """The checksum or the length at the end of packed data lies; or more follows."""
    kind = random.integers(4)
    if kind == 0:
        return content[:-4] + struct.pack("<I", INTEGERS[int(random.integers(len(INTEGERS)))] % 2**32)
    if kind == 1:
        return content[:-8] + random.bytes(4) + content[-4:]
    if kind == 2:
        return content + random.bytes(int(random.integers(1, 100)))
    return content + content


def repack(random, content):
    """Packed data are damaged before they are packed, so that their checksum is right."""
    inner = list(DAMAGES.values())[int(random.integers(9))]
    if content[:2] == b"\x1f\x8b":
        try:
            return gzip.compress(inner(random, gzip.decompress(content)), mtime=0)
        except (OSError, EOFError, zlib.error):
            return flip(random, content)
    for magic, pack, unpack in (
        (b"\x78", zlib.compress, zlib.decompress),
        (b"\x1f\x8b", gzip.compress, gzip.decompress),
    ):
        at = content.find(b"\n" + magic)
        if at > 0:
            try:
                data = unpack(content[at + 1 :])
            except (zlib.error, OSError, EOFError):
                continue
            return content[: at + 1] + pack(cut(random, data) if random.random() < 0.5 else inner(random, data))
    return inner(random, content)


DAMAGES = {
    "flip": flip,
    "cut": cut,
    "insert": insert,
    "zero": zero,
    "double": double,
    "number": number,
    "text number": text_number,
    "text word": text_word,
    "line": line,
    "forge": forge,
    "repack": repack,
}


class Cases:
    """The broken files: case ``n`` of them is written by ``write(n, folder)``."""

    def __init__(self, folder: Path) -> None:
        self.kinds = list(whole_files(folder).items())
        self.folder = folder

    def name(self, case: int) -> str:
        kind, damage = self._choice(case)[:2]
        return f"{case}: {self.kinds[kind][0]}, {damage}"

    def _choice(self, case: int):
        random = np.random.default_rng(case)
        kind = int(random.integers(len(self.kinds)))
        damage = list(DAMAGES)[int(random.integers(len(DAMAGES)))]
        return kind, damage, random

    def write(self, case: int, folder: Path) -> tuple[Path, str]:
        """Write the file (and those beside it) and return what to load, and the damage."""
        kind, damage, random = self._choice(case)
        _, whole = self.kinds[kind]
        source = whole if whole.is_dir() else whole.parent
        for file in source.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
        files = sorted(folder.iterdir())
        broken = files[int(random.integers(len(files)))] if len(files) > 1 else files[0]
        content = broken.read_bytes()
        for _ in range(1 if damage == "cut" or random.random() < 0.75 else 2):
            content = DAMAGES[damage](random, content) if content else content
        broken.write_bytes(content)
        return (folder if whole.is_dir() else folder / whole.name), damage


# --- the children ------------------------------------------------------------------------------------------------


def digest_of(path: Path) -> str:
    """Load a file and describe what was loaded: everything that the two children must agree on."""
    import mitk_rs as mitk
    from mitk_rs.io import read_info, read_record
    from mitk_rs.io.vtk import read_surface

    if "surface" in path.parent.name or path.suffix in (".vtp", ".stl", ".obj"):
        return _surface_digest(read_surface(path))
    try:
        record = read_record(path)
    except mitk.FileError:
        if path.suffix == ".vtk" and b"POLYDATA" in path.read_bytes()[:2000]:
            return _surface_digest(read_surface(path))
        raise
    info = read_info(path)
    if (info.shape, info.dtype, info.components) != (record.shape, record.dtype, record.components):
        raise AssertionError(f"read_info says {info.shape} {info.dtype}, read_record {record.shape} {record.dtype}")
    if not np.isfinite([*record.frame.spacing, *record.frame.origin, *record.frame.cosines]).all():
        raise AssertionError("a geometry that is not finite")
    mitk.Image(path) if record.byte_count < 1 << 20 else None
    text = repr((record.shape, record.dtype.str, record.components, record.frame, sorted(record.properties.items())))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass") + record.array.tobytes()).hexdigest()[:16]


def _surface_digest(surface) -> str:
    from vtkmodules.util.numpy_support import vtk_to_numpy

    parts = [vtk_to_numpy(surface.GetPoints().GetData())]
    parts += [vtk_to_numpy(cells.GetConnectivityArray()) for cells in (surface.GetPolys(), surface.GetLines())]
    for data in (surface.GetPointData(), surface.GetCellData()):
        parts += [vtk_to_numpy(data.GetArray(n)) for n in range(data.GetNumberOfArrays()) if data.GetArray(n)]
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()[:16]


def _handles() -> int:
    """Open descriptors, without those of reader processes that wait for the next file."""
    from mitk_rs.io import isolation

    return sum(1 for _ in Path("/proc/self/fd").iterdir()) - 2 * len(isolation._idle)


def judge(path: Path) -> dict[str, str]:
    """Load a file in this process; say what came of it."""
    import mitk_rs as mitk

    before = _handles()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.simplefilter("ignore", mitk.DicomSeriesWarning)
            result = {"class": "read", "digest": digest_of(path)}
    except (mitk.FileError, MemoryError) as error:
        text = str(error)
        ours = isinstance(error, mitk.Exception) and "\n" not in text and len(text) < 1000
        result = {"class": "refused" if ours else "foreign", "text": f"{type(error).__name__}: {text[:300]}"}
    except BaseException as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        kind = "info" if isinstance(error, AssertionError) else "foreign"
        text = f"{type(error).__name__}: {str(error)[:200]} at {Path(place.filename).name}:{place.lineno}"
        result = {"class": kind, "text": text}
    if result["class"] != "foreign" and _handles() > before:
        import gc

        gc.collect()
        if _handles() > before:
            result |= {"class": "leak", "text": f"{_handles() - before} descriptors more; {result.get('text', '')}"}
    return result


def _child(cases: Cases, numbers: list[int], out: int) -> None:
    """Judge cases one after the other; each gets a line before and after."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    base = Path(tempfile.mkdtemp(dir=cases.folder.parent, prefix="child-"))
    try:
        for case in numbers:
            folder = base / "surface" if cases.kinds[cases._choice(case)[0]][0].startswith("surface") else base / "case"
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            path, _ = cases.write(case, folder)
            os.write(out, f"{case}\n".encode())
            result = judge(path)
            result["printed"] = _printed()
            os.write(out, (json.dumps(result) + "\n").encode())
    finally:
        shutil.rmtree(base, ignore_errors=True)
    os._exit(0)


def _printed() -> str:
    """What libraries wrote on standard output and error, which are one file."""
    sys.stdout.flush()
    size = os.fstat(2).st_size
    if not size:
        return ""
    text = os.pread(2, 300, 0).decode(errors="replace")
    os.ftruncate(2, 0)
    return text


def serve(folder: str) -> None:
    """Read lists of cases on standard input, and write a line about each case."""
    import mitk_rs as mitk
    from mitk_rs.io import dicom, dicom_files, itk, nifti, pictures, vtk  # noqa: F401

    out = os.dup(1)
    sink = os.open(tempfile.mkstemp()[1], os.O_RDWR | os.O_APPEND)
    for number in (1, 2):
        os.dup2(sink, number)
    cases = Cases.__new__(Cases)
    cases.folder = Path(folder)
    cases.kinds = [(name, Path(path)) for name, path in json.loads((Path(folder) / "kinds.json").read_text())]
    warm = [path for name, path in cases.kinds if not name.startswith("surface")]
    for path in warm:
        with contextlib.suppress(mitk.FileError), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            mitk.Image(path)
    for request in sys.stdin:
        numbers = json.loads(request)
        while numbers:
            numbers = _watched(cases, numbers, out)


def _watched(cases: Cases, numbers: list[int], out: int) -> list[int]:
    """Fork a child for the cases; return those that it did not come to."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            _child(cases, numbers, writing)
        finally:
            traceback.print_exc()
            os._exit(99)
    os.close(writing)
    lines, buffer, case, hung = [], b"", None, False
    spent, waited = _spent(child), 0
    while True:
        ready, _, _ = select.select([reading], [], [], SECONDS)
        waited = 0 if ready else waited + 1
        if not ready and waited < WAITS and _spent(child) - spent < SECONDS / 2:
            # On a busy machine a case may not have come to its turn.
            continue
        if not ready:
            hung = True
            os.kill(child, signal.SIGKILL)
        data = os.read(reading, 1 << 16)
        if not data:
            break
        spent = _spent(child)
        buffer += data
        *lines, buffer = buffer.split(b"\n")
        for text in lines:
            if text.isdigit():
                case = int(text)
            else:
                _report(out, case, json.loads(text))
                case = None
    os.close(reading)
    _, status = os.waitpid(child, 0)
    if case is None:
        return []
    how = f"signal {status & 127}" if status & 127 else f"status {status >> 8}"
    _report(out, case, {"class": "hang" if hung else "crash", "text": f"{how}; {_printed()}"})
    return numbers[numbers.index(case) + 1 :]


def _spent(process: int) -> float:
    """Seconds that a process and its children that have ended have computed."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _report(out: int, case: int, result: dict[str, str]) -> None:
    os.write(out, (json.dumps({"case": case, **result}) + "\n").encode())


# --- the runner --------------------------------------------------------------------------------------------------


class _Server:
    """A process that judges cases, with memory that holds ``perturb`` where it is fresh."""

    def __init__(self, folder: Path, perturb: int) -> None:
        environment = {**os.environ, "MALLOC_PERTURB_": str(perturb), "MALLOC_ARENA_MAX": "2"}
        command = [sys.executable, __file__, "--serve", str(folder)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
        )

    def judge(self, numbers: list[int]) -> dict[int, dict[str, str]]:
        self.process.stdin.write(json.dumps(numbers) + "\n")
        self.process.stdin.flush()
        found: dict[int, dict[str, str]] = {}
        while len(found) < len(numbers):
            text = self.process.stdout.readline()
            if not text:
                raise RuntimeError(f"the judge ended with status {self.process.wait()}")
            result = json.loads(text)
            found[result.pop("case")] = result
        return found

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(60)
        self.process.stdout.close()


def verdicts(cases: Cases, numbers: list[int], whole: dict[str, str], servers: list[_Server]):
    """What the two children say together about each case."""
    answers: list[dict[int, dict[str, str]]] = [{}, {}]

    def ask(number: int) -> None:
        answers[number] = servers[number].judge(numbers)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for case in numbers:
        one, other = answers[0][case], answers[1][case]
        name, damage = cases.name(case).split(": ", 1)[1].rsplit(", ", 1)
        result = {"case": case, "kind": name, "damage": damage, **one}
        if other["class"] in FATAL:
            result |= other
        elif one["class"] == "read" and other["class"] == "read" and one["digest"] != other["digest"]:
            result |= {"class": "differs", "text": "the two children read different images"}
        elif (
            damage == "cut"
            and one["class"] == "read"
            and not name.startswith("surface obj")
            and one["digest"] != whole.get(name)
        ):
            result |= {"class": "cut", "text": "cut short, read, and not the whole image"}
        yield result


def prepare(folder: Path) -> Cases:
    """Write the whole files, once for all processes."""
    cases = Cases(folder)
    (folder / "kinds.json").write_text(json.dumps([(name, str(path)) for name, path in cases.kinds]))
    return cases


def whole_digests(cases: Cases) -> dict[str, str]:
    """What the files say before they are damaged, read from a folder named as for broken ones."""
    found = {}
    for name, path in cases.kinds:
        found[name] = digest_of_whole(cases.folder, name, path)
    return found


def digest_of_whole(base: Path, name: str, path: Path) -> str:
    """Read a whole file; its own path must not be part of what is compared."""
    return digest_of(path)


def run(first: int, count: int, folder: Path, *, results: Path | None = None, batch: int = 100):
    """Judge ``count`` cases from ``first`` on; yield a result for each."""
    cases = prepare(folder)
    whole = whole_digests(cases)
    servers = [_Server(folder, perturb) for perturb in PERTURB]
    try:
        for begin in range(first, first + count, batch):
            numbers = list(range(begin, min(begin + batch, first + count)))
            found = list(verdicts(cases, numbers, whole, servers))
            if results is not None:
                with results.open("a") as file:
                    file.writelines(json.dumps(one) + "\n" for one in found)
            yield from found
    finally:
        for server in servers:
            server.close()


def summary(found) -> str:
    """A table: classes by kind of file, and one line for each fatal case."""
    counts = collections.Counter(one["class"] for one in found)
    printed = [one for one in found if one.get("printed")]
    lines = [f"{len(found)} broken files: " + ", ".join(f"{count} {name}" for name, count in counts.most_common())]
    lines += [f"{len(printed)} made a library print"]
    lines += [f"  {one['case']}: {one['kind']}, {one['damage']}: {one['printed'][:200]!r}" for one in printed[:20]]
    lines += [
        f"  {one['case']}: {one['kind']}, {one['damage']}: {one['class']}: {one.get('text', '')[:300]}"
        for one in found
        if one["class"] in FATAL
    ]
    return "\n".join(lines)


def _shard(number: int, jobs: int, count: int, results: Path) -> None:
    """Judge every ``jobs``-th block; go on where an earlier run ended."""
    file = results / f"{number}.jsonl"
    done = sum(1 for _ in file.open()) if file.exists() else 0
    share = count // jobs
    first = number * share + done
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        place = Path(folder, "whole")
        place.mkdir()
        begun = time.monotonic()
        for position, _ in enumerate(run(first, share - done, place, results=file, batch=500)):
            if position % 1000 == 999:
                print(f"shard {number}: {done + position + 1} of {share}, {time.monotonic() - begun:.0f} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("count", type=int, nargs="?", default=100_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--results", type=Path, default=Path(".make/fuzz"))
    parser.add_argument("--serve", metavar="FOLDER", help=argparse.SUPPRESS)
    parser.add_argument("--shard", type=int, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.serve:
        serve(args.serve)
        return 0
    args.results.mkdir(parents=True, exist_ok=True)
    if args.shard is not None:
        _shard(args.shard, args.jobs, args.count, args.results)
        return 0
    command = [sys.executable, __file__, str(args.count), "--jobs", str(args.jobs), "--results", str(args.results)]
    shards = [subprocess.Popen([*command, "--shard", str(number)]) for number in range(args.jobs)]
    statuses = [shard.wait() for shard in shards]
    found = [json.loads(text) for file in sorted(args.results.glob("*.jsonl")) for text in file.open()]
    text = summary(found)
    (args.results / "summary.txt").write_text(text + "\n")
    print(text)
    return int(any(statuses) or any(one["class"] in FATAL for one in found))


if __name__ == "__main__":
    sys.exit(main())
