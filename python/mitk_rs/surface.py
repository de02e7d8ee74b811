"""Surfaces of level sets, in world coordinates.

The surface of an image at a level is cut by VTK's flying edges (``vtkFlyingEdges3D``) on the voxel grid and then
carried to the world by the image's whole affine map, ``x = origin + direction * diag(spacing) * index``: VTK's own
filters know no oblique or left-handed axes. Triangles are turned so that their normals point from values below the
level to values above it, outwards for a level set that is negative inside, whatever the handedness of the axes.

The surface is open where the inside touches the border of the image, as VTK and VMTK leave it.
"""

from __future__ import annotations

import math
import os
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from mitk_rs._platform import vtk
from mitk_rs._sources import AnyImage, Source
from mitk_rs._validation import flag, path_name, real_number, text, whole_number, wrong_type
from mitk_rs.errors import FileWriteError, RequestError, brief
from mitk_rs.io import checks
from mitk_rs.io.atomic import atomic_output

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from vtkmodules.vtkCommonDataModel import vtkPolyData


__all__ = ["SURFACE_SUFFIXES", "extract_surface", "smooth_surface", "write_surface"]

# VTK's writer for each ending, and what makes it write bytes. ".vtp" goes to memory: writing text to a file, VTK would
# end the process where the file does not fit on the disk.
_WRITERS = {
    ".stl": ("vtkIOGeometry", "vtkSTLWriter", "SetFileTypeToBinary"),
    ".vtp": ("vtkIOXML", "vtkXMLPolyDataWriter", "WriteToOutputStringOn"),
    ".ply": ("vtkIOPLY", "vtkPLYWriter", ""),
    ".obj": ("vtkIOGeometry", "vtkOBJWriter", ""),
    ".vtk": ("vtkIOLegacy", "vtkPolyDataWriter", "SetFileTypeToBinary"),
}
#: Endings of the files that :func:`write_surface` writes.
SURFACE_SUFFIXES = tuple(_WRITERS)


def extract_surface(
    level_set: AnyImage, level: float = 0.0, *, time_step: int | None = None, closed: bool = False
) -> vtkPolyData:
    """Triangulate the surface where an image takes the value ``level``.

    Parameters
    ----------
    level_set
        Scalar 3-D image, or array ``(z, y, x)`` with a spacing of 1 mm, with at least two voxels along every axis;
        other than a level set, any image will do.
    level
        The value of the surface.
    time_step
        Which frame of an image with several time steps; it may be left out where there is only one.
    closed
        Close the surface with caps where values below the level touch the border of the image, half a voxel outside
        the outermost voxels. By default it is open there.

    Returns
    -------
    vtkPolyData
        Triangles in LPS world millimetres (points are float64), normals pointing towards larger values; without
        any triangle where the image does not cross the level.

    Raises
    ------
    RequestError
        The image is flat (2-D or one voxel thin), has several components, or ``level`` is not finite.

    Examples
    --------
    >>> import numpy, mitk_rs
    >>> z, y, x = numpy.mgrid[:9, :9, :9] - 4.0
    >>> ball = mitk_rs.Image((numpy.sqrt(x**2 + y**2 + z**2) - 3).astype("float32"), spacing=(1.0, 1.0, 2.0))
    >>> [round(value, 3) for value in extract_surface(ball).GetBounds()]
    [1.0, 7.0, 1.0, 7.0, 2.0, 14.0]
    """
    if not math.isfinite(real_number(level, "level")):
        raise RequestError(f"level is {level}: it must be a finite number")
    volume = Source(level_set, "the image", time_step=time_step)
    prepare = partial(_capped, level=float(level)) if flag(closed, "closed") else np.ascontiguousarray
    # A level beyond the type of the voxels is infinite in it.
    with np.errstate(over="ignore"):
        surface = volume.read(lambda frame: _cut(prepare(_checked(frame)), float(level)))
    matrix, origin = volume.matrix, np.asarray(volume.origin)
    _carry_to_world(surface, matrix, origin - matrix.sum(axis=1) if closed else origin)
    return surface


def _capped(frame: NDArray[Any], level: float) -> NDArray[Any]:
    """The frame with one more voxel on every side: as far above the level as the voxel beside it is below."""
    real = frame if frame.dtype.kind == "f" else frame.astype(np.float64)
    wide = np.pad(real, 1, mode="edge")
    inner = np.zeros(wide.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    return np.where(inner, wide, np.maximum(wide, 2 * level - wide).astype(wide.dtype))


def smooth_surface(surface: vtkPolyData, *, iterations: int = 30, pass_band: float = 0.1) -> vtkPolyData:
    """Smooth a surface without shrinking it: VTK's windowed sinc filter (``vtkWindowedSincPolyDataFilter``).

    Parameters
    ----------
    surface
        Triangles; they are not changed.
    iterations
        Degree of the filter, 6 to 1000: more follow the pass band better.
    pass_band
        0.001 to 2: the smaller, the smoother. 0.1 removes the steps of voxels and keeps vessels.

    Returns
    -------
    vtkPolyData
        The same triangles with moved points.

    Raises
    ------
    RequestError
        Iterations or pass band out of range.

    References
    ----------
    G. Taubin, T. Zhang and G. Golub, "Optimal surface smoothing as filter design", ECCV 1996.

    Examples
    --------
    >>> import mitk_rs
    >>> tube = mitk_rs.datasets.tube()
    >>> surface = mitk_rs.extract_surface(tube, 50)
    >>> mitk_rs.smooth_surface(surface).GetNumberOfCells() == surface.GetNumberOfCells()
    True
    """
    if not hasattr(surface, "GetNumberOfPoints"):
        raise wrong_type("surface", "a vtkPolyData", surface)
    # Outside of these VTK may find no filter; it would say so on standard output and shrink the surface.
    if not 6 <= whole_number(iterations, "iterations") <= 1000:
        raise RequestError(f"iterations is {iterations}: it must be at least 6 and at most 1000")
    if not 0.001 <= real_number(pass_band, "pass_band") <= 2:
        raise RequestError(f"pass_band is {pass_band}: it must be at least 0.001 and at most 2")
    checks.check_room(1024 * surface.GetNumberOfPoints(), "the smooth surface")
    if surface.GetNumberOfCells() == 0:
        twin: vtkPolyData = surface.NewInstance()
        twin.DeepCopy(surface)
        return twin
    smoother = vtk("vtkFiltersCore").vtkWindowedSincPolyDataFilter()
    smoother.SetInputData(surface)
    smoother.SetNumberOfIterations(iterations)
    smoother.SetPassBand(pass_band)
    smoother.FeatureEdgeSmoothingOff()
    smoother.BoundarySmoothingOff()
    smoother.NonManifoldSmoothingOn()
    smoother.NormalizeCoordinatesOn()
    smoother.Update()
    smooth: vtkPolyData = smoother.GetOutput()
    return smooth


def _checked(frame: NDArray[Any]) -> NDArray[Any]:
    if frame.ndim != 3 or min(frame.shape) < 2:
        size = " x ".join(str(n) for n in reversed(frame.shape))
        raise RequestError(f"the image has {size} voxels: a surface needs at least two along x, y and z")
    return frame.view(np.uint8) if frame.dtype == np.bool_ else frame


def _cut(frame: NDArray[Any], level: float) -> vtkPolyData:
    """The surface in index coordinates, its triangles turned as flying edges leaves them."""
    _check_room(frame, level)
    grid = vtk("vtkCommonDataModel").vtkImageData()
    grid.SetDimensions(*frame.shape[::-1])
    # `values` shares memory with `frame`, so both live until the filter has run.
    values = vtk("util.numpy_support").numpy_to_vtk(frame.ravel(), deep=False)
    grid.GetPointData().SetScalars(values)
    cutter = vtk("vtkFiltersCore").vtkFlyingEdges3D()
    cutter.SetInputData(grid)
    cutter.SetValue(0, level)
    cutter.ComputeNormalsOff()
    cutter.ComputeScalarsOff()
    cutter.Update()
    # Merge points that coincide (voxels exactly at the level make them) and drop triangles without area.
    cleaner = vtk("vtkFiltersCore").vtkCleanPolyData()
    cleaner.SetInputData(cutter.GetOutput())
    cleaner.ConvertPolysToLinesOff()
    cleaner.ConvertLinesToPointsOff()
    cleaner.Update()
    clean: vtkPolyData = cleaner.GetOutput()
    return clean


def _check_room(frame: NDArray[Any], level: float) -> None:
    """Refuse what VTK may have no memory for, where the system refuses memory at all: counting takes a moment."""
    if not checks.memory_is_limited():
        return
    edges = 0
    last = frame[0] >= level
    for plane in frame:
        inside = plane >= level
        crossings = (inside != last, inside[1:] != inside[:-1], inside[:, 1:] != inside[:, :-1])
        edges += sum(int(np.count_nonzero(crossing)) for crossing in crossings)
        last = inside
    # A byte for each voxel and six numbers for each row; then points, triangles and their copies without doubles.
    checks.check_room(frame.size + 48 * frame.shape[0] * frame.shape[1] + 512 * edges, "the surface")


def _carry_to_world(surface: vtkPolyData, affine: NDArray[np.float64], origin: NDArray[np.float64]) -> None:
    if surface.GetNumberOfPoints() == 0:
        return
    index = vtk("util.numpy_support").vtk_to_numpy(surface.GetPoints().GetData()).astype(np.float64)
    points = vtk("vtkCommonCore").vtkPoints()
    points.SetData(vtk("util.numpy_support").numpy_to_vtk(index @ affine.T + origin, deep=True))
    surface.SetPoints(points)
    # On right-handed axes flying edges turns triangles towards falling values.
    if np.linalg.det(affine) > 0:
        corners = vtk("util.numpy_support").vtk_to_numpy(surface.GetPolys().GetConnectivityArray()).reshape(-1, 3)
        corners[:, [1, 2]] = corners[:, [2, 1]]
        surface.GetPolys().Modified()


def write_surface(
    surface: vtkPolyData,
    path: str | os.PathLike[str],
    *,
    suffix: str = "",
    binary: bool = True,
    space: str = "LPS",
) -> None:
    """Write a surface to a file whose ending names the format: .stl, .vtp, .ply, .obj or .vtk.

    STL and PLY are binary, VTP is compressed, VTK is binary legacy. The file is whole or absent: an old one stays
    until the new one is complete. Coordinates are written as they are; STL says ``SPACE=LPS`` in its header.

    Parameters
    ----------
    surface
        A ``vtkPolyData`` with at least one point.
    path
        File to make or to replace.
    suffix
        Write in the format of this ending whatever ``path`` ends with.
    binary
        Numbers as bytes; as text otherwise (OBJ always is text).
    space
        Name of the coordinate system in the header of STL, empty for one without a name.

    Raises
    ------
    FileWriteError
        Unknown ending, an empty surface, a folder that is missing or not writable, a full disk.
    RequestError
        A ``space`` that the header of STL cannot hold.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> from vtkmodules.vtkFiltersSources import vtkSphereSource
    >>> ball = vtkSphereSource()
    >>> _ = ball.Update()
    >>> file = pathlib.Path(tempfile.mkdtemp(), "ball.stl")
    >>> write_surface(ball.GetOutput(), file)
    >>> file.stat().st_size
    4884
    """
    if not hasattr(surface, "GetNumberOfPoints"):
        raise wrong_type("surface", "a vtkPolyData", surface)
    path = path_name(path)
    suffix = (text(suffix, "suffix") or Path(path).suffix).lower()
    if suffix not in SURFACE_SUFFIXES:
        raise FileWriteError(f"cannot write {path}: its ending must be one of {' '.join(SURFACE_SUFFIXES)}")
    if surface.GetNumberOfPoints() == 0:
        raise FileWriteError(f"cannot write {path}: the surface is empty")
    if not re.fullmatch(r"[ -~]{0,60}", text(space, "space")):
        raise RequestError(f"space is {brief(space)}: it must be at most 60 printable characters of ASCII")
    from mitk_rs.io.vtk import run_writer

    # VTK counts in KiB; the packed and the plain bytes, and the text of VTP, exist side by side.
    checks.check_room(4096 * surface.GetActualMemorySize(), "writing the surface")
    with atomic_output(path) as temporary:
        module, name, prepare = _WRITERS[suffix]
        writer = getattr(vtk(module), name)()
        for method in (prepare, *(() if flag(binary, "binary") else ("SetFileTypeToASCII", "SetDataModeToAscii"))):
            if hasattr(writer, method):
                getattr(writer, method)()
        if suffix == ".stl":
            writer.SetHeader(f"mitk_rs SPACE={space}" if space else "mitk_rs")
            if not binary:
                _check_room_for_text(surface, temporary)
        run_writer(writer, surface, str(temporary), str(path))
        if suffix == ".vtp":
            content = writer.GetOutputString()
            temporary.write_bytes(content if isinstance(content, bytes) else content.encode())


def _check_room_for_text(surface: vtkPolyData, file: Path) -> None:
    """Fail here where STL as text does not fit on the disk: VTK's writer would end the process in the middle of it."""
    polygons, strips = surface.GetPolys(), surface.GetStrips()
    triangles = polygons.GetNumberOfConnectivityIds() - 2 * polygons.GetNumberOfCells()
    triangles += strips.GetNumberOfConnectivityIds()
    with file.open("wb") as opened:
        # Twelve numbers of at most 24 characters, and the words around them.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(opened.fileno(), 0, 400 * (triangles + 1))
