"""The options of every script: one class for each, in the order of VMTK's help; the script classes inherit from them.

Attribute, option, type, length, range, default and description are VMTK's interface. The columns ``flags``, ``metavar``
and ``help`` belong to ``mitk-rs init``, which has the same options: their GNU spelling and what its help says.
"""

# fmt: off
from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from mitk_rs.vmtk.options import Member, MemberTable

__all__ = ["METHODS", "TABLES", "Options"]

METHODS = ("isosurface", "threshold", "collidingfronts", "fastmarching", "seeds", "multiplecollidingfronts")
#: The options of each script, under its name.
TABLES: dict[str, MemberTable] = {}


class Options:
    """Base of the tables: each attribute whose value is a row becomes a member of the scripts that inherit it.

    ``_Image`` is a second row of the attribute ``Image``.
    """

    Table: MemberTable | None = None

    def __init_subclass__(cls, doc: str | None = None) -> None:
        if doc is None:
            return
        declared = {name: row for name, row in vars(cls).items() if isinstance(row, Member)}
        rows: dict[str, list[Member]] = {"input": [], "output": [], "extension": []}
        for name, row in declared.items():
            delattr(cls, name)
            rows[row.role].append(replace(row, attribute=name.removeprefix("_")))
        script = f"vmtk{cls.__name__.lower()}"
        cls.Table = TABLES[script] = MemberTable(script, doc, *map(tuple, rows.values()))


def row(type: str, empty: object, option: str, doc: str = "", default: object = None, range: str = "",  # noqa: A002
        length: int = 1, **columns: Any) -> Any:
    """A row; a list of defaults says how many values there are, an empty list any number."""
    default = empty if default is None else default
    count = (len(default) or -1) if isinstance(default, list) else length
    return Member(option, type, doc, default, range, count, **columns)


text, switch, whole = partial(row, "str", ""), partial(row, "bool", 0), partial(row, "int", 0)
number = partial(row, "float", None)
image_in = partial(row, "vtkImageData", None, io="vmtkimagereader")
image_out = partial(row, "vtkImageData", None, io="vmtkimagewriter", role="output")
surface_in = partial(row, "vtkPolyData", None, io="vmtksurfacereader")
surface_out = partial(row, "vtkPolyData", None, io="vmtksurfacewriter", role="output")

_IDENTITY = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
# Which frame files get; see mitk_rs.vmtk.conversion.
_GEOMETRY = text("geometry", "frame of the files written: physical keeps the world positions of the input, vmtk is "
    "what VMTK writes; without it image files of ITK's formats are physical, .vti, .vtk and surfaces are as VMTK "
    "writes them", range='["","physical","vmtk"]', role="extension")
_IMAGE, _IMAGE_OUT = image_in("i", "the input image"), image_out("o", "the output image")
_SURFACE, _SURFACE_OUT = surface_in("i", "the input surface"), surface_out("o", "the output surface")
_ARRAY = text("array", "name of the array to show")
_RENDERER = row("vmtkRenderer", None, "renderer", "external renderer")
_DISPLAY = switch("display", "toggle rendering", 1)
_INTERPOLATION = switch("textureinterpolation", "toggle interpolation on the slices", 1)
_GUESS = switch("guessformat", "tell the format by the ending", 1)
_OUTPUT_FILE = text("ofile", "output file name")
_OLD_OUTPUT_FILE = text("o", "output file name (old name of -ofile)")
_ANSWERS = text("script", "file with the answers of the interactive dialogue", role="extension")
_FEATURE_TYPE = text("featureimagetype", "how edges are found in the image", "gradient",
    '["vtkgradient","gradient","upwind","fwhm"]')
_SIGMOID = switch("sigmoid",
    "map gradients by a sigmoid over their range instead of 1 / (1 + gradient): gradient and upwind")
_UPWIND_FACTOR = number("upwindfactor", "weight of the steeper side of an edge: upwind", 1.0, "(0.0,1.0)")
_BACKGROUND = number("fwhmbackgroundvalue", "value of what is around the vessel: fwhm", 0.0)
# VMTK's table gives both thresholds the same text; `help` explains each.
_THRESHOLD_DOC = "the value of the upper threshold to use for threshold, collidingfronts and fastmarching"


class ImageCompare(Options, doc="compare an image with a reference"):
    Image: Any = _IMAGE
    ReferenceImage: Any = image_in("r", "the reference image")
    Method: str = text("method", "what is compared", range='["subtraction","range"]')
    Tolerance: float = number("tolerance", "differences below this do not count", 1e-08)
    Result: Any = switch("result", "whether the images are equal", "", role="output")
    ResultLog: str = text("log", "what differs", role="output")


class ImageInitialization(Options, doc=""):
    Image: Any = image_in("i", metavar="IN", help="the image to start from")
    NegateImage: int = switch("negate", "negate image values before initializing", flags=("--negate",),
        help="replace each value v by min + max - v first; thresholds apply to the result")
    Interactive: int = switch("interactive", default=1, flags=("--interactive",),
        help="ask for what is missing in a dialogue")
    Method: str = text("method", default="collidingfronts",
        range='["isosurface","threshold","collidingfronts","fastmarching","seeds"]', choices=METHODS,
        flags=("--method",), metavar="METHOD",
        help="isosurface, threshold, collidingfronts, fastmarching, seeds or multiplecollidingfronts")
    SourcePoints: Any = whole("sourcepoints", "list of source point IJK coordinates", [], multiple=3,
        flags=("--source", "--sources"), metavar="I J K",
        help="where fronts start: voxel indices I J K counted from 0 along x, y, z, any number of triples, or a "
        "file of points, FILE or FILE:LABEL; may be repeated")
    TargetPoints: Any = whole("targetpoints", "list of target point IJK coordinates", [], multiple=3,
        flags=("--target", "--targets"), metavar="I J K", help="where fronts have to arrive, written as --source")
    UpperThreshold: float | None = number("upperthreshold", _THRESHOLD_DOC, flags=("--upper",), metavar="U",
        help="greatest value inside (method threshold) or that a front may enter (the front methods)")
    LowerThreshold: float | None = number("lowerthreshold", _THRESHOLD_DOC, flags=("--lower",), metavar="L",
        help="least value inside (method threshold) or that a front may enter (the front methods)")
    IsoSurfaceValue: float = number("isosurface", "the isosurface value to adopt as the level set surface", 0.0,
        flags=("--isosurface",), metavar="V", help="value of the image that becomes the surface (method isosurface)")
    vmtkRenderer: Any = row("vmtkRenderer", None, "renderer",
        help="accepted and unused: there is no renderer outside of a pipe")
    SourcePointsPhysical: list[float] = number("sourcepointsphysical",
        "list of source points in physical coordinates x y z (LPS, mm)", [], multiple=3, role="extension")
    TargetPointsPhysical: list[float] = number("targetpointsphysical",
        "list of target points in physical coordinates x y z (LPS, mm)", [], multiple=3, role="extension")
    Combine: str = text("combine", "how pairs of fronts are merged; VMTK: sum", "minimum", '["minimum","sum"]',
        role="extension")
    FarValue: float | None = number("farvalue", "value where no front came, instead of VMTK's 1.7014117e38",
        role="extension")
    FailEmpty: int = switch("failempty", "treat an empty result as an error", role="extension")
    DialogueFileName: str = _ANSWERS
    Geometry: str = _GEOMETRY
    _IsoSurfaceValue = number("isosurfacevalue", default=0.0, role="output")
    InitialLevelSets: Any = image_out("olevelsets", flags=("-o", "--output"), metavar="LEVELSET",
        help="level set image to write: .mha .mhd .nrrd .nhdr .nii .nii.gz .vti .vtk")
    Surface: Any = surface_out("osurface", flags=("--surface",), metavar="SURFACE",
        help="surface of the zero level to write: .stl .vtp .ply .obj .vtk")


class ImageFeatures(Options, doc="compute a feature image, small at the edges of an image, for level-set segmentation"):
    Image: Any = _IMAGE
    Dimensionality: int = whole("dimensionality", "number of axes along which gradients are taken: vtkgradient", 3,
        "(2,3,1)")
    FeatureImageType: str = _FEATURE_TYPE
    SigmoidRemapping: int = _SIGMOID
    DerivativeSigma: float = number("derivativesigma",
        "standard deviation in mm of a Gaussian that smooths the image: gradient", 0.0, "(0.0,)")
    UpwindFactor: float = _UPWIND_FACTOR
    FWHMRadius: list[float] = whole("fwhmradius", "radius in voxels within which the maximum is taken: fwhm", [3, 3, 3],
        "(0,)")
    FWHMBackgroundValue: float = _BACKGROUND
    Geometry: str = _GEOMETRY
    _Image = image_out("o", "the feature image")


class LevelSetSegmentation(
    Options, doc="segment an image by a level set that evolves until its surface rests on edges"
):
    Image: Any = _IMAGE
    FeatureImage: Any = image_in("featureimage",
        "feature image, instead of computing it from the image: geodesic and curves")
    InitializationImage: Any = image_in("initializationimage",
        "image in which the dialogue initializes, instead of the input image")
    InitialLevelSets: Any = image_in("initiallevelsets", "level set to start from, negative inside")
    LevelSets: Any = image_in("levelsets", "level set that the result is merged with: their minimum")
    LevelSetsType: str = text("levelsetstype", "what draws the surface", "geodesic",
        '["geodesic","curves","threshold","laplacian"]')
    FeatureImageType: str = _FEATURE_TYPE
    SigmoidRemapping: int = _SIGMOID
    IsoSurfaceValue: float = number("isosurfacevalue", "value of the initial level set on its surface", 0.0)
    DerivativeSigma: float = number("derivativesigma", "accepted; nothing uses it", 0.0, "(0.0,)")
    FeatureDerivativeSigma: float = number("featurederivativesigma",
        "standard deviation in mm of the Gaussians of the feature image (gradient) and of its own gradient", 0.0,
        "(0.0,)")
    UpwindFactor: float = _UPWIND_FACTOR
    FWHMRadius: list[float] = number("fwhmradius", "radius in voxels within which the maximum is taken: fwhm",
        [1.0, 1.0, 1.0], "(0.0,)")
    FWHMBackgroundValue: float = _BACKGROUND
    NegateImage: int = switch("negate", "negate the image in which the dialogue initializes")
    NumberOfIterations: int = whole("iterations", "number of iterations; 0 asks in a dialogue", range="(0,)")
    PropagationScaling: float = number("propagation", "weight of growth", 0.0, "(0.0,)")
    CurvatureScaling: float = number("curvature", "weight of smoothing", 0.0, "(0.0,)")
    AdvectionScaling: float = number("advection", "weight of the way to edges: geodesic and curves", 1.0, "(0.0,)")
    EdgeWeight: float = number("edgeweight", "weight of the edges of the smoothed image: threshold", 0.0, "(0.0,)")
    SmoothingIterations: int = whole("smoothingiterations", "iterations of the smoothing for -edgeweight", 5, "(0,)")
    SmoothingTimeStep: float = number("smoothingtimestep", "time step of the smoothing for -edgeweight", 0.1, "(0.0,)")
    SmoothingConductance: float = number("smoothingconductance", "conductance of the smoothing for -edgeweight", 0.8,
        "(0.0,)")
    vmtkRenderer: Any = _RENDERER
    LowerThreshold: float | None = number("lowerthreshold",
        "least value inside: threshold; VMTK asks for it on standard input", role="extension")
    UpperThreshold: float | None = number("upperthreshold",
        "greatest value inside: threshold; VMTK asks for it on standard input", role="extension")
    MaximumRMSError: float = number("maxrms", "stop once the RMS change of an iteration is below this, in mm", 1e-20,
        "(0.0,)", role="extension")
    Compat: str = text("compat", "vmtk keeps its defects: curves runs backwards, -smoothingtimestep is ignored",
        range='["","vmtk"]', role="extension")
    DialogueFileName: str = _ANSWERS
    Geometry: str = _GEOMETRY
    _LevelSets = image_out("o", "the level set, negative inside")
    _FeatureImage = image_out("ofeatureimage", "the feature image")


class ImageMIPViewer(Options, doc="display a 3D image"):
    Image: Any = _IMAGE
    ArrayName: str = text("array", "name of the array to display")
    vmtkRenderer: Any = _RENDERER
    SampleDistance: float = number("sampledistance", "the distance at sample projections are generated", 1.0, "(0.0,)")
    AutoSampleDistance: int = switch("autosampledistance", "toggle automatic sample distance", 1)
    WindowLevel: list[float] = number("windowlevel", "the window/level for generating the rendering", [0.0, 0.0])
    Display: int = _DISPLAY
    Opacity: list[float] | None = number("opacity", "opacity at the lower and at the upper end of the window",
        range="(0.0,1.0)", length=2, role="extension")
    MIPOutputFileName: str = text("omipfile", "file for the projection itself; -ofile writes the input",
        role="extension")
    Geometry: str = _GEOMETRY
    _Image = _IMAGE_OUT


class ImageReader(Options, doc="read an image"):
    Format: str = text("f", "file format", range='["vtkxml","vtk","dicom","raw","meta","tiff","png"]')
    GuessFormat: int = _GUESS
    UseITKIO: int = switch("useitk", "accepted; the library that reads a format right is always used", 1)
    ApplyTransform: int = switch("transform", "accepted; the geometry is always kept in full")
    Image: Any = row("vtkImageData", None, "i", "the input image")
    InputFileName: str = text("ifile", "input file name")
    InputFilePrefix: str = text("prefix", "prefix of the names of a series (e.g. foo_)")
    InputFilePattern: str = text("pattern", "names of a series (e.g. %s%04d.png)")
    InputDirectoryName: str = text("d", "folder with a DICOM series")
    DataExtent: list[int] = whole("extent", "extent of the image: raw files and series", [-1, -1, -1, -1, -1, -1])
    HeaderSize: int = whole("headersize", "bytes before the voxels: raw files", range="(0,)")
    DataSpacing: list[float] = number("spacing", "spacing: raw files and series", [1.0, 1.0, 1.0])
    DataOrigin: list[float] = number("origin", "origin: raw files and series", [0.0, 0.0, 0.0])
    DesiredOrientation: str = text("orientation", "order and direction of the axes: files of ITK's formats", "native",
        '["native","axial","coronal","sagittal"]')
    DataByteOrder: str = text("byteorder", "byte order: raw files", "littleendian", '["littleendian","bigendian"]')
    DataScalarType: str = text("scalartype", "type of the voxels: raw files", "float",
        '["float","double","int","short","ushort","uchar"]')
    FileDimensionality: int = whole("filedimensionality", "dimensions of one file: raw files", 3, "(2,3)")
    Flip: list[int] = switch("flip", "reverse the voxels along x, y, z", [0, 0, 0])
    AutoOrientDICOMImage: int = switch("autoorientdicom", "accepted; slices are sorted by position", 1)
    Geometry: str = _GEOMETRY
    Series: str = text("series", "which of several DICOM series: number, UID or description", role="extension")
    AllowGaps: int = switch("allowgaps", "read a DICOM series with missing slices or tilt, and warn", role="extension")
    _Image = _IMAGE_OUT
    RasToIjkMatrixCoefficients: list[float] = number("rastoijkmatrix", "from RAS to voxels, row by row", _IDENTITY,
        role="output")
    XyzToRasMatrixCoefficients: list[float] = number("xyztorasmatrix", "from memory to RAS, row by row", _IDENTITY,
        role="output")


class ImageSeeder(Options, doc="place seeds in a 3D image"):
    Image: Any = _IMAGE
    ArrayName: str = _ARRAY
    vmtkRenderer: Any = _RENDERER
    Display: int = _DISPLAY
    KeepSeeds: int = switch("keepseeds", "leave the seeds in the renderer")
    SeedRGBColor: list[float] = number("seedcolor", "red, green and blue of the seeds", [1.0, 0.0, 0.0], "(0.0,1.0)")
    TextureInterpolation: int = _INTERPOLATION
    Geometry: str = _GEOMETRY
    _Image = _IMAGE_OUT
    Seeds: Any = surface_out("seeds", "the placed seeds")


class ImageToNumpy(Options, doc="make a dictionary of NumPy arrays of an image"):
    Image: Any = _IMAGE
    ArrayDict: Any = row("dict", None, "o", "the output dictionary", role="output")


class ImageViewer(Options, doc="show a 3D image as three orthogonal slices"):
    Image: Any = _IMAGE
    ArrayName: str = _ARRAY
    vmtkRenderer: Any = _RENDERER
    WindowLevel: list[float] = number("windowlevel", "window and level; window 0 is the full range", [0.0, 0.0])
    Display: int = _DISPLAY
    Margins: int = switch("margins", "toggle margins that tilt the slices")
    DisplayPlaneWidgetX: int = switch("displayxplane", "toggle the slice across x", 1)
    DisplayPlaneWidgetY: int = switch("displayyplane", "toggle the slice across y", 1)
    DisplayPlaneWidgetZ: int = switch("displayzplane", "toggle the slice across z", 1)
    TextureInterpolation: int = _INTERPOLATION
    ContinuousCursor: int = switch("continuouscursor", "toggle a cursor between voxels")
    Geometry: str = _GEOMETRY
    _Image = _IMAGE_OUT
    PlaneWidgetX: Any = row("vtkImagePlaneWidget", None, "xplane", "the slice across x", role="output")
    PlaneWidgetY: Any = row("vtkImagePlaneWidget", None, "yplane", "the slice across y", role="output")
    PlaneWidgetZ: Any = row("vtkImagePlaneWidget", None, "zplane", "the slice across z", role="output")


class ImageVOISelector(Options, doc="keep the part of an image within a box"):
    Image: Any = _IMAGE
    Interactive: int = switch("interactive", "choose the box in a window", 1)
    BoxBounds: list[float] = number("boxbounds", "bounds of the box: x0 x1 y0 y1 z0 z1", [0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    vmtkRenderer: Any = _RENDERER
    Geometry: str = _GEOMETRY
    _Image = _IMAGE_OUT


class ImageWriter(Options, doc="write an image"):
    Image: Any = _IMAGE
    Format: str = text("f", "file format", range='["vtkxml","vtk","meta","tiff","png","pointdata"]')
    GuessFormat: int = _GUESS
    UseITKIO: int = switch("useitk", "accepted; the library that writes a format right is used", 1)
    ApplyTransform: int = switch("transform", "place the voxels by -matrix")
    OutputFileName: str = _OUTPUT_FILE
    _OutputFileName = _OLD_OUTPUT_FILE
    OutputRawFileName: str = text("rawfile", "accepted; raw files are named after their header")
    OutputDirectoryName: str = text("d", "folder for a series of pictures")
    PixelRepresentation: str = text("r", "type of the voxels", range='["double","float","short"]')
    WindowLevel: list[float] = number("windowlevel", "window and level of pictures; window 0: full range", [1.0, 0.0])
    RasToIjkMatrixCoefficients: list[float] = number("matrix", "from RAS to voxels, row by row", _IDENTITY)
    Geometry: str = _GEOMETRY


class MarchingCubes(Options, doc="make the surface where a 3D image takes a value"):
    Image: Any = _IMAGE
    ArrayName: str = text("array", "name of the array to work with")
    Level: float = number("l", "the value", 0.0)
    Connectivity: int = switch("connectivity", "keep the largest piece only")
    UseContourFilter: int = switch("contourfilter", "cut with vtkContourFilter, in 2D images as well")
    Geometry: str = _GEOMETRY
    Surface: Any = _SURFACE_OUT


class NumpyToImage(Options, doc="make an image of a dictionary of NumPy arrays"):
    ArrayDict: Any = row("dict", None, "i", "the input dictionary")
    Geometry: str = _GEOMETRY
    Image: Any = _IMAGE_OUT


class Renderer(Options, doc="open a window that the viewers behind it share"):
    WindowSize: list[int] = whole("size", "width and height of the window", [1200, 900])
    WindowPosition: list[int] = whole("position", "position of the window on the screen", [0, 0])
    Annotations: int = switch("annotations", "toggle texts on image slices", 1)
    PointSmoothing: int = switch("pointsmoothing", "toggle smooth points", 1)
    LineSmoothing: int = switch("linesmoothing", "toggle smooth lines", 1)
    PolygonSmoothing: int = switch("polygonsmoothing", "toggle smooth polygons")
    Background: list[float] = number("background", "red, green and blue of the background, 0 to 1", [0.1, 0.1, 0.2])
    ScreenshotMagnification: int = whole("magnification", "enlargement of screenshots", 4, "(1,)")
    vmtkRenderer: Any = row("vmtkRenderer", None, "o", "the renderer", role="output")


class SurfaceReader(Options, doc="read a surface"):
    Format: str = text("f", "file format", range='["vtkxml","vtk","stl","wavefront"]')
    GuessFormat: int = _GUESS
    Surface: Any = row("vtkPolyData", None, "i", "the input surface")
    InputFileName: str = text("ifile", "input file name")
    _Surface = _SURFACE_OUT


class SurfaceViewer(Options, doc="show a surface"):
    Surface: Any = _SURFACE
    vmtkRenderer: Any = _RENDERER
    Display: int = _DISPLAY
    Representation: str = text("representation", "how to draw it", "surface", '["surface","wireframe","edges"]')
    Opacity: float = number("opacity", "opacity of the surface", 1.0, "(0.0,1.0)")
    ArrayName: str = text("array", "name of the array that colours the surface")
    ScalarRange: list[float] = number("scalarrange", "range of the colours", [0.0, 0.0])
    ColorMap: str = text("colormap", "the colours", "cooltowarm", '["rainbow","blackbody","cooltowarm","grayscale"]')
    NumberOfColors: int = whole("numberofcolors", "number of colours", 256, "(2,65536)")
    Legend: int = switch("legend", "toggle the bar of colours")
    FlatInterpolation: int = switch("flat", "toggle flat shading")
    DisplayCellData: int = switch("celldata", "take the array from the cells")
    Color: list[float] = number("color", "red, green and blue of the surface", [-1.0, -1.0, -1.0])
    LineWidth: int = whole("linewidth", "width of lines", 1, "(0.0,)")
    LegendTitle: str = text("legendtitle", "title of the bar of colours")
    Geometry: str = _GEOMETRY
    _Surface = _SURFACE_OUT
    Actor: Any = row("vtkActor", None, "oactor", "the output actor", role="output")


class SurfaceWriter(Options, doc="write a surface"):
    Surface: Any = _SURFACE
    Format: str = text("f", "file format", range='["vtkxml","vtk","stl","ply","wavefront","tecplot","pointdata"]')
    GuessFormat: int = _GUESS
    CellData: int = switch("celldata", "pointdata: write the arrays of the cells")
    Mode: str = text("mode", "text or bytes", "binary", '["ascii","binary"]')
    OutputFileName: str = _OUTPUT_FILE
    _OutputFileName = _OLD_OUTPUT_FILE
    Geometry: str = _GEOMETRY
