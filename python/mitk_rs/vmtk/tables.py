"""The options of every script: one table for each, in the order of VMTK's help.

Attribute, option, type, length, range, default and description are VMTK's interface. The columns ``flags``, ``metavar``
and ``help`` belong to ``mitk-rs init``, which has the same options: their GNU spelling and what its help says.
"""

# fmt: off
from __future__ import annotations

from mitk_rs.vmtk.options import Member, MemberTable

__all__ = [
    "COMPARE",
    "FEATURES",
    "FROM_NUMPY",
    "IMAGE_READER",
    "IMAGE_VIEWER",
    "IMAGE_WRITER",
    "INIT",
    "LEVEL_SETS",
    "MARCHING_CUBES",
    "METHODS",
    "MIP",
    "RENDERER",
    "SEEDER",
    "SURFACE_READER",
    "SURFACE_VIEWER",
    "SURFACE_WRITER",
    "TO_NUMPY",
    "VOI_SELECTOR",
]

METHODS = ("isosurface", "threshold", "collidingfronts", "fastmarching", "seeds", "multiplecollidingfronts")

_IDENTITY = [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
# Which frame files get; see mitk_rs.vmtk.conversion.
_GEOMETRY = Member(
    "Geometry", "geometry", "str", 1, '["","physical","vmtk"]',
    "frame of the files written: physical keeps the world positions of the input, vmtk is what VMTK writes; "
    "without it image files of ITK's formats are physical, .vti, .vtk and surfaces are as VMTK writes them",
    default="",
)

_IMAGE = Member("Image", "i", "vtkImageData", 1, "", "the input image", "vmtkimagereader")
_IMAGE_OUT = Member("Image", "o", "vtkImageData", 1, "", "the output image", "vmtkimagewriter")
_SURFACE = Member("Surface", "i", "vtkPolyData", 1, "", "the input surface", "vmtksurfacereader")
_SURFACE_OUT = Member("Surface", "o", "vtkPolyData", 1, "", "the output surface", "vmtksurfacewriter")
_ARRAY = Member("ArrayName", "array", "str", 1, "", "name of the array to show", default="")
_RENDERER = Member("vmtkRenderer", "renderer", "vmtkRenderer", 1, "", "external renderer")
_DISPLAY = Member("Display", "display", "bool", 1, "", "toggle rendering", default=1)
_INTERPOLATION = Member("TextureInterpolation", "textureinterpolation", "bool", 1, "",
                        "toggle interpolation on the slices", default=1)
_GUESS = Member("GuessFormat", "guessformat", "bool", 1, "", "tell the format by the ending", default=1)
_OUTPUT_FILE = Member("OutputFileName", "ofile", "str", 1, "", "output file name", default="")
_OLD_OUTPUT_FILE = Member("OutputFileName", "o", "str", 1, "", "output file name (old name of -ofile)", default="")

COMPARE = MemberTable(
    "vmtkimagecompare",
    "compare an image with a reference",
    inputs=(
        _IMAGE,
        Member("ReferenceImage", "r", "vtkImageData", 1, "", "the reference image", "vmtkimagereader"),
        Member("Method", "method", "str", 1, '["subtraction","range"]', "what is compared", default=""),
        Member("Tolerance", "tolerance", "float", 1, "", "differences below this do not count", default=1e-08),
    ),
    outputs=(
        Member("Result", "result", "bool", 1, "", "whether the images are equal", default=""),
        Member("ResultLog", "log", "str", 1, "", "what differs", default=""),
    ),
)

# VMTK's table gives both thresholds the same text; `help` explains each.
_THRESHOLD_DOC = "the value of the upper threshold to use for threshold, collidingfronts and fastmarching"

INIT = MemberTable(
    "vmtkimageinitialization",
    "",
    inputs=(
        Member("Image", "i", "vtkImageData", 1, "", "", "vmtkimagereader",
               metavar="IN", help="the image to start from"),
        Member("NegateImage", "negate", "bool", 1, "", "negate image values before initializing", default=0,
               flags=("--negate",),
               help="replace each value v by min + max - v first; thresholds apply to the result"),
        Member("Interactive", "interactive", "bool", default=1,
               flags=("--interactive",), help="ask for what is missing in a dialogue"),
        Member("Method", "method", "str", 1, '["isosurface","threshold","collidingfronts","fastmarching","seeds"]',
               default="collidingfronts", choices=METHODS, flags=("--method",), metavar="METHOD",
               help="isosurface, threshold, collidingfronts, fastmarching, seeds or multiplecollidingfronts"),
        Member("SourcePoints", "sourcepoints", "int", -1, "", "list of source point IJK coordinates",
               default=[], multiple=3, flags=("--source", "--sources"), metavar="I J K",
               help="where fronts start: voxel indices I J K counted from 0 along x, y, z, any number of triples, or "
               "a file of points, FILE or FILE:LABEL; may be repeated"),
        Member("TargetPoints", "targetpoints", "int", -1, "", "list of target point IJK coordinates",
               default=[], multiple=3, flags=("--target", "--targets"), metavar="I J K",
               help="where fronts have to arrive, written as --source"),
        Member("UpperThreshold", "upperthreshold", "float", 1, "", _THRESHOLD_DOC, flags=("--upper",), metavar="U",
               help="greatest value inside (method threshold) or that a front may enter (the front methods)"),
        Member("LowerThreshold", "lowerthreshold", "float", 1, "", _THRESHOLD_DOC, flags=("--lower",), metavar="L",
               help="least value inside (method threshold) or that a front may enter (the front methods)"),
        Member("IsoSurfaceValue", "isosurface", "float", 1, "",
               "the isosurface value to adopt as the level set surface", default=0.0,
               flags=("--isosurface",), metavar="V",
               help="value of the image that becomes the surface (method isosurface)"),
        Member("vmtkRenderer", "renderer", "vmtkRenderer",
               help="accepted and unused: there is no renderer outside of a pipe"),
    ),
    outputs=(
        Member("IsoSurfaceValue", "isosurfacevalue", "float", default=0.0),
        Member("InitialLevelSets", "olevelsets", "vtkImageData", 1, "", "", "vmtkimagewriter",
               flags=("-o", "--output"), metavar="LEVELSET",
               help="level set image to write: .mha .mhd .nrrd .nhdr .nii .nii.gz .vti .vtk"),
        Member("Surface", "osurface", "vtkPolyData", 1, "", "", "vmtksurfacewriter",
               flags=("--surface",), metavar="SURFACE",
               help="surface of the zero level to write: .stl .vtp .ply .obj .vtk"),
    ),
    extensions=(
        Member("SourcePointsPhysical", "sourcepointsphysical", "float", -1, "",
               "list of source points in physical coordinates x y z (LPS, mm)", default=[], multiple=3),
        Member("TargetPointsPhysical", "targetpointsphysical", "float", -1, "",
               "list of target points in physical coordinates x y z (LPS, mm)", default=[], multiple=3),
        Member("Combine", "combine", "str", 1, '["minimum","sum"]',
               "how pairs of fronts are merged; VMTK: sum", default="minimum"),
        Member("FarValue", "farvalue", "float", 1, "", "value where no front came, instead of VMTK's 1.7014117e38"),
        Member("FailEmpty", "failempty", "bool", 1, "", "treat an empty result as an error", default=0),
        Member("DialogueFileName", "script", "str", 1, "",
               "file with the answers of the interactive dialogue", default=""),
        _GEOMETRY,
    ),
)

_FEATURE_TYPE = Member("FeatureImageType", "featureimagetype", "str", 1, '["vtkgradient","gradient","upwind","fwhm"]',
                       "how edges are found in the image", default="gradient")
_SIGMOID = Member("SigmoidRemapping", "sigmoid", "bool", 1, "",
                  "map gradients by a sigmoid over their range instead of 1 / (1 + gradient): gradient and upwind",
                  default=0)
_UPWIND_FACTOR = Member("UpwindFactor", "upwindfactor", "float", 1, "(0.0,1.0)",
                        "weight of the steeper side of an edge: upwind", default=1.0)
_BACKGROUND = Member("FWHMBackgroundValue", "fwhmbackgroundvalue", "float", 1, "",
                     "value of what is around the vessel: fwhm", default=0.0)

FEATURES = MemberTable(
    "vmtkimagefeatures",
    "compute a feature image, small at the edges of an image, for level-set segmentation",
    inputs=(
        _IMAGE,
        Member("Dimensionality", "dimensionality", "int", 1, "(2,3,1)",
               "number of axes along which gradients are taken: vtkgradient", default=3),
        _FEATURE_TYPE,
        _SIGMOID,
        Member("DerivativeSigma", "derivativesigma", "float", 1, "(0.0,)",
               "standard deviation in mm of a Gaussian that smooths the image: gradient", default=0.0),
        _UPWIND_FACTOR,
        Member("FWHMRadius", "fwhmradius", "int", 3, "(0,)",
               "radius in voxels within which the maximum is taken: fwhm", default=[3, 3, 3]),
        _BACKGROUND,
    ),
    outputs=(Member("Image", "o", "vtkImageData", 1, "", "the feature image", "vmtkimagewriter"),),
    extensions=(_GEOMETRY,),
)

LEVEL_SETS = MemberTable(
    "vmtklevelsetsegmentation",
    "segment an image by a level set that evolves until its surface rests on edges",
    inputs=(
        _IMAGE,
        Member("FeatureImage", "featureimage", "vtkImageData", 1, "",
               "feature image, instead of computing it from the image: geodesic and curves", "vmtkimagereader"),
        Member("InitializationImage", "initializationimage", "vtkImageData", 1, "",
               "image in which the dialogue initializes, instead of the input image", "vmtkimagereader"),
        Member("InitialLevelSets", "initiallevelsets", "vtkImageData", 1, "",
               "level set to start from, negative inside", "vmtkimagereader"),
        Member("LevelSets", "levelsets", "vtkImageData", 1, "",
               "level set that the result is merged with: their minimum", "vmtkimagereader"),
        Member("LevelSetsType", "levelsetstype", "str", 1, '["geodesic","curves","threshold","laplacian"]',
               "what draws the surface", default="geodesic"),
        _FEATURE_TYPE,
        _SIGMOID,
        Member("IsoSurfaceValue", "isosurfacevalue", "float", 1, "",
               "value of the initial level set on its surface", default=0.0),
        Member("DerivativeSigma", "derivativesigma", "float", 1, "(0.0,)", "accepted; nothing uses it", default=0.0),
        Member("FeatureDerivativeSigma", "featurederivativesigma", "float", 1, "(0.0,)",
               "standard deviation in mm of the Gaussians of the feature image (gradient) and of its own gradient",
               default=0.0),
        _UPWIND_FACTOR,
        Member("FWHMRadius", "fwhmradius", "float", 3, "(0.0,)",
               "radius in voxels within which the maximum is taken: fwhm", default=[1.0, 1.0, 1.0]),
        _BACKGROUND,
        Member("NegateImage", "negate", "bool", 1, "", "negate the image in which the dialogue initializes", default=0),
        Member("NumberOfIterations", "iterations", "int", 1, "(0,)",
               "number of iterations; 0 asks in a dialogue", default=0),
        Member("PropagationScaling", "propagation", "float", 1, "(0.0,)", "weight of growth", default=0.0),
        Member("CurvatureScaling", "curvature", "float", 1, "(0.0,)", "weight of smoothing", default=0.0),
        Member("AdvectionScaling", "advection", "float", 1, "(0.0,)",
               "weight of the way to edges: geodesic and curves", default=1.0),
        Member("EdgeWeight", "edgeweight", "float", 1, "(0.0,)",
               "weight of the edges of the smoothed image: threshold", default=0.0),
        Member("SmoothingIterations", "smoothingiterations", "int", 1, "(0,)",
               "iterations of the smoothing for -edgeweight", default=5),
        Member("SmoothingTimeStep", "smoothingtimestep", "float", 1, "(0.0,)",
               "time step of the smoothing for -edgeweight", default=0.1),
        Member("SmoothingConductance", "smoothingconductance", "float", 1, "(0.0,)",
               "conductance of the smoothing for -edgeweight", default=0.8),
        _RENDERER,
    ),
    outputs=(
        Member("LevelSets", "o", "vtkImageData", 1, "", "the level set, negative inside", "vmtkimagewriter"),
        Member("FeatureImage", "ofeatureimage", "vtkImageData", 1, "", "the feature image", "vmtkimagewriter"),
    ),
    extensions=(
        Member("LowerThreshold", "lowerthreshold", "float", 1, "",
               "least value inside: threshold; VMTK asks for it on standard input"),
        Member("UpperThreshold", "upperthreshold", "float", 1, "",
               "greatest value inside: threshold; VMTK asks for it on standard input"),
        Member("MaximumRMSError", "maxrms", "float", 1, "(0.0,)",
               "stop once the RMS change of an iteration is below this, in mm", default=1e-20),
        Member("Compat", "compat", "str", 1, '["","vmtk"]',
               "vmtk keeps its defects: curves runs backwards, -smoothingtimestep is ignored", default=""),
        Member("DialogueFileName", "script", "str", 1, "",
               "file with the answers of the interactive dialogue", default=""),
        _GEOMETRY,
    ),
)

MIP = MemberTable(
    "vmtkimagemipviewer",
    "display a 3D image",
    inputs=(
        _IMAGE,
        Member("ArrayName", "array", "str", 1, "", "name of the array to display", default=""),
        _RENDERER,
        Member("SampleDistance", "sampledistance", "float", 1, "(0.0,)",
               "the distance at sample projections are generated", default=1.0),
        Member("AutoSampleDistance", "autosampledistance", "bool", 1, "",
               "toggle automatic sample distance", default=1),
        Member("WindowLevel", "windowlevel", "float", 2, "",
               "the window/level for generating the rendering", default=[0.0, 0.0]),
        _DISPLAY,
    ),
    outputs=(_IMAGE_OUT,),
    extensions=(
        Member("Opacity", "opacity", "float", 2, "(0.0,1.0)",
               "opacity at the lower and at the upper end of the window"),
        Member("MIPOutputFileName", "omipfile", "str", 1, "",
               "file for the projection itself; -ofile writes the input", default=""),
        _GEOMETRY,
    ),
)

IMAGE_READER = MemberTable(
    "vmtkimagereader",
    "read an image",
    inputs=(
        Member("Format", "f", "str", 1, '["vtkxml","vtk","dicom","raw","meta","tiff","png"]',
               "file format", default=""),
        _GUESS,
        Member("UseITKIO", "useitk", "bool", 1, "",
               "accepted; the library that reads a format right is always used", default=1),
        Member("ApplyTransform", "transform", "bool", 1, "",
               "accepted; the geometry is always kept in full", default=0),
        Member("Image", "i", "vtkImageData", 1, "", "the input image"),
        Member("InputFileName", "ifile", "str", 1, "", "input file name", default=""),
        Member("InputFilePrefix", "prefix", "str", 1, "", "prefix of the names of a series (e.g. foo_)", default=""),
        Member("InputFilePattern", "pattern", "str", 1, "", "names of a series (e.g. %s%04d.png)", default=""),
        Member("InputDirectoryName", "d", "str", 1, "", "folder with a DICOM series", default=""),
        Member("DataExtent", "extent", "int", 6, "",
               "extent of the image: raw files and series", default=[-1, -1, -1, -1, -1, -1]),
        Member("HeaderSize", "headersize", "int", 1, "(0,)", "bytes before the voxels: raw files", default=0),
        Member("DataSpacing", "spacing", "float", 3, "", "spacing: raw files and series", default=[1.0, 1.0, 1.0]),
        Member("DataOrigin", "origin", "float", 3, "", "origin: raw files and series", default=[0.0, 0.0, 0.0]),
        Member("DesiredOrientation", "orientation", "str", 1, '["native","axial","coronal","sagittal"]',
               "order and direction of the axes: files of ITK's formats", default="native"),
        Member("DataByteOrder", "byteorder", "str", 1, '["littleendian","bigendian"]',
               "byte order: raw files", default="littleendian"),
        Member("DataScalarType", "scalartype", "str", 1, '["float","double","int","short","ushort","uchar"]',
               "type of the voxels: raw files", default="float"),
        Member("FileDimensionality", "filedimensionality", "int", 1, "(2,3)",
               "dimensions of one file: raw files", default=3),
        Member("Flip", "flip", "bool", 3, "", "reverse the voxels along x, y, z", default=[0, 0, 0]),
        Member("AutoOrientDICOMImage", "autoorientdicom", "bool", 1, "",
               "accepted; slices are sorted by position", default=1),
    ),
    outputs=(
        _IMAGE_OUT,
        Member("RasToIjkMatrixCoefficients", "rastoijkmatrix", "float", 16, "",
               "from RAS to voxels, row by row", default=_IDENTITY),
        Member("XyzToRasMatrixCoefficients", "xyztorasmatrix", "float", 16, "",
               "from memory to RAS, row by row", default=_IDENTITY),
    ),
    extensions=(
        _GEOMETRY,
        Member("Series", "series", "str", 1, "", "which of several DICOM series: number, UID or description",
               default=""),
        Member("AllowGaps", "allowgaps", "bool", 1, "", "read a DICOM series with missing slices or tilt, and warn",
               default=0),
    ),
)

SEEDER = MemberTable(
    "vmtkimageseeder",
    "place seeds in a 3D image",
    inputs=(
        _IMAGE,
        _ARRAY,
        _RENDERER,
        _DISPLAY,
        Member("KeepSeeds", "keepseeds", "bool", 1, "", "leave the seeds in the renderer", default=0),
        Member("SeedRGBColor", "seedcolor", "float", 3, "(0.0,1.0)", "red, green and blue of the seeds",
               default=[1.0, 0.0, 0.0]),
        _INTERPOLATION,
    ),
    outputs=(
        _IMAGE_OUT,
        Member("Seeds", "seeds", "vtkPolyData", 1, "", "the placed seeds", "vmtksurfacewriter"),
    ),
    extensions=(_GEOMETRY,),
)

TO_NUMPY = MemberTable(
    "vmtkimagetonumpy",
    "make a dictionary of NumPy arrays of an image",
    inputs=(_IMAGE,),
    outputs=(Member("ArrayDict", "o", "dict", 1, "", "the output dictionary"),),
)

IMAGE_VIEWER = MemberTable(
    "vmtkimageviewer",
    "show a 3D image as three orthogonal slices",
    inputs=(
        _IMAGE,
        _ARRAY,
        _RENDERER,
        Member("WindowLevel", "windowlevel", "float", 2, "",
               "window and level; window 0 is the full range", default=[0.0, 0.0]),
        _DISPLAY,
        Member("Margins", "margins", "bool", 1, "", "toggle margins that tilt the slices", default=0),
        Member("DisplayPlaneWidgetX", "displayxplane", "bool", 1, "", "toggle the slice across x", default=1),
        Member("DisplayPlaneWidgetY", "displayyplane", "bool", 1, "", "toggle the slice across y", default=1),
        Member("DisplayPlaneWidgetZ", "displayzplane", "bool", 1, "", "toggle the slice across z", default=1),
        _INTERPOLATION,
        Member("ContinuousCursor", "continuouscursor", "bool", 1, "", "toggle a cursor between voxels", default=0),
    ),
    outputs=(
        _IMAGE_OUT,
        Member("PlaneWidgetX", "xplane", "vtkImagePlaneWidget", 1, "", "the slice across x"),
        Member("PlaneWidgetY", "yplane", "vtkImagePlaneWidget", 1, "", "the slice across y"),
        Member("PlaneWidgetZ", "zplane", "vtkImagePlaneWidget", 1, "", "the slice across z"),
    ),
    extensions=(_GEOMETRY,),
)

VOI_SELECTOR = MemberTable(
    "vmtkimagevoiselector",
    "keep the part of an image within a box",
    inputs=(
        _IMAGE,
        Member("Interactive", "interactive", "bool", 1, "", "choose the box in a window", default=1),
        Member("BoxBounds", "boxbounds", "float", 6, "",
               "bounds of the box: x0 x1 y0 y1 z0 z1", default=[0.0, 0.0, 0.0, 0.0, 0.0, 0.0]),
        _RENDERER,
    ),
    outputs=(_IMAGE_OUT,),
    extensions=(_GEOMETRY,),
)

IMAGE_WRITER = MemberTable(
    "vmtkimagewriter",
    "write an image",
    inputs=(
        _IMAGE,
        Member("Format", "f", "str", 1, '["vtkxml","vtk","meta","tiff","png","pointdata"]', "file format", default=""),
        _GUESS,
        Member("UseITKIO", "useitk", "bool", 1, "",
               "accepted; the library that writes a format right is used", default=1),
        Member("ApplyTransform", "transform", "bool", 1, "", "place the voxels by -matrix", default=0),
        _OUTPUT_FILE,
        _OLD_OUTPUT_FILE,
        Member("OutputRawFileName", "rawfile", "str", 1, "",
               "accepted; raw files are named after their header", default=""),
        Member("OutputDirectoryName", "d", "str", 1, "", "folder for a series of pictures", default=""),
        Member("PixelRepresentation", "r", "str", 1, '["double","float","short"]', "type of the voxels", default=""),
        Member("WindowLevel", "windowlevel", "float", 2, "",
               "window and level of pictures; window 0: full range", default=[1.0, 0.0]),
        Member("RasToIjkMatrixCoefficients", "matrix", "float", 16, "",
               "from RAS to voxels, row by row", default=_IDENTITY),
    ),
    extensions=(_GEOMETRY,),
)

MARCHING_CUBES = MemberTable(
    "vmtkmarchingcubes",
    "make the surface where a 3D image takes a value",
    inputs=(
        _IMAGE,
        Member("ArrayName", "array", "str", 1, "", "name of the array to work with", default=""),
        Member("Level", "l", "float", 1, "", "the value", default=0.0),
        Member("Connectivity", "connectivity", "bool", 1, "", "keep the largest piece only", default=0),
        Member("UseContourFilter", "contourfilter", "bool", 1, "",
               "cut with vtkContourFilter, in 2D images as well", default=0),
    ),
    outputs=(_SURFACE_OUT,),
    extensions=(_GEOMETRY,),
)

FROM_NUMPY = MemberTable(
    "vmtknumpytoimage",
    "make an image of a dictionary of NumPy arrays",
    inputs=(Member("ArrayDict", "i", "dict", 1, "", "the input dictionary"),),
    outputs=(_IMAGE_OUT,),
    extensions=(_GEOMETRY,),
)

RENDERER = MemberTable(
    "vmtkrenderer",
    "open a window that the viewers behind it share",
    inputs=(
        Member("WindowSize", "size", "int", 2, "", "width and height of the window", default=[1200, 900]),
        Member("WindowPosition", "position", "int", 2, "", "position of the window on the screen", default=[0, 0]),
        Member("Annotations", "annotations", "bool", 1, "", "toggle texts on image slices", default=1),
        Member("PointSmoothing", "pointsmoothing", "bool", 1, "", "toggle smooth points", default=1),
        Member("LineSmoothing", "linesmoothing", "bool", 1, "", "toggle smooth lines", default=1),
        Member("PolygonSmoothing", "polygonsmoothing", "bool", 1, "", "toggle smooth polygons", default=0),
        Member("Background", "background", "float", 3, "",
               "red, green and blue of the background, 0 to 1", default=[0.1, 0.1, 0.2]),
        Member("ScreenshotMagnification", "magnification", "int", 1, "(1,)", "enlargement of screenshots", default=4),
    ),
    outputs=(Member("vmtkRenderer", "o", "vmtkRenderer", 1, "", "the renderer"),),
)

SURFACE_READER = MemberTable(
    "vmtksurfacereader",
    "read a surface",
    inputs=(
        Member("Format", "f", "str", 1, '["vtkxml","vtk","stl","wavefront"]', "file format", default=""),
        _GUESS,
        Member("Surface", "i", "vtkPolyData", 1, "", "the input surface"),
        Member("InputFileName", "ifile", "str", 1, "", "input file name", default=""),
    ),
    outputs=(_SURFACE_OUT,),
)

SURFACE_VIEWER = MemberTable(
    "vmtksurfaceviewer",
    "show a surface",
    inputs=(
        _SURFACE,
        _RENDERER,
        _DISPLAY,
        Member("Representation", "representation", "str", 1, '["surface","wireframe","edges"]',
               "how to draw it", default="surface"),
        Member("Opacity", "opacity", "float", 1, "(0.0,1.0)", "opacity of the surface", default=1.0),
        Member("ArrayName", "array", "str", 1, "", "name of the array that colours the surface", default=""),
        Member("ScalarRange", "scalarrange", "float", 2, "", "range of the colours", default=[0.0, 0.0]),
        Member("ColorMap", "colormap", "str", 1, '["rainbow","blackbody","cooltowarm","grayscale"]',
               "the colours", default="cooltowarm"),
        Member("NumberOfColors", "numberofcolors", "int", 1, "(2,65536)", "number of colours", default=256),
        Member("Legend", "legend", "bool", 1, "", "toggle the bar of colours", default=0),
        Member("FlatInterpolation", "flat", "bool", 1, "", "toggle flat shading", default=0),
        Member("DisplayCellData", "celldata", "bool", 1, "", "take the array from the cells", default=0),
        Member("Color", "color", "float", 3, "", "red, green and blue of the surface", default=[-1.0, -1.0, -1.0]),
        Member("LineWidth", "linewidth", "int", 1, "(0.0,)", "width of lines", default=1),
        Member("LegendTitle", "legendtitle", "str", 1, "", "title of the bar of colours", default=""),
    ),
    outputs=(
        _SURFACE_OUT,
        Member("Actor", "oactor", "vtkActor", 1, "", "the output actor"),
    ),
    extensions=(_GEOMETRY,),
)

SURFACE_WRITER = MemberTable(
    "vmtksurfacewriter",
    "write a surface",
    inputs=(
        _SURFACE,
        Member("Format", "f", "str", 1, '["vtkxml","vtk","stl","ply","wavefront","tecplot","pointdata"]',
               "file format", default=""),
        _GUESS,
        Member("CellData", "celldata", "bool", 1, "", "pointdata: write the arrays of the cells", default=0),
        Member("Mode", "mode", "str", 1, '["ascii","binary"]', "text or bytes", default="binary"),
        _OUTPUT_FILE,
        _OLD_OUTPUT_FILE,
    ),
    extensions=(_GEOMETRY,),
)
