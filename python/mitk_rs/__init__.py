"""Images with read and write accessors, level-set initialization and maximum intensity projection.

``import mitk_rs as mitk`` gives the image API of MITK's Python bindings. Names are imported when first
used: importing the package loads neither NumPy nor VTK nor SimpleITK.
"""

from __future__ import annotations

import builtins
import importlib
import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitk_rs._core import get_num_threads as get_num_threads
    from mitk_rs._core import set_num_threads as set_num_threads
    from mitk_rs.cohort import BatchResult as BatchResult
    from mitk_rs.cohort import batch as batch
    from mitk_rs.errors import Cancelled as Cancelled
    from mitk_rs.errors import DicomSeriesWarning as DicomSeriesWarning
    from mitk_rs.errors import DisplayError as DisplayError
    from mitk_rs.errors import Exception as Exception  # noqa: A004
    from mitk_rs.errors import FileError as FileError
    from mitk_rs.errors import FileMissingError as FileMissingError
    from mitk_rs.errors import FileWriteError as FileWriteError
    from mitk_rs.errors import GeometryError as GeometryError
    from mitk_rs.errors import InternalError as InternalError
    from mitk_rs.errors import MemoryIsLockedError as MemoryIsLockedError
    from mitk_rs.errors import MemoryLimitError as MemoryLimitError
    from mitk_rs.errors import PropertyNotOwnedError as PropertyNotOwnedError
    from mitk_rs.errors import RequestError as RequestError
    from mitk_rs.errors import TimeoutError as TimeoutError  # noqa: A004
    from mitk_rs.errors import TimeStepError as TimeStepError
    from mitk_rs.errors import UsageError as UsageError
    from mitk_rs.evolution import EvolutionReport as EvolutionReport
    from mitk_rs.evolution import LevelSetEvolution as LevelSetEvolution
    from mitk_rs.evolution import evolve_level_set as evolve_level_set
    from mitk_rs.features import feature_image as feature_image
    from mitk_rs.geometry import BaseGeometry as BaseGeometry
    from mitk_rs.geometry import Geometry3D as Geometry3D
    from mitk_rs.geometry import PlaneGeometry as PlaneGeometry
    from mitk_rs.geometry import SlicedGeometry3D as SlicedGeometry3D
    from mitk_rs.image import Image as Image
    from mitk_rs.io.images import IOUtil as IOUtil
    from mitk_rs.io.images import get_loaded_modules as get_loaded_modules
    from mitk_rs.levelset import LevelSetReport as LevelSetReport
    from mitk_rs.levelset import LevelSetResult as LevelSetResult
    from mitk_rs.levelset import initialize_level_set as initialize_level_set
    from mitk_rs.marching import Arrival as Arrival
    from mitk_rs.marching import SparseTimes as SparseTimes
    from mitk_rs.marching import colliding_fronts as colliding_fronts
    from mitk_rs.marching import fast_marching as fast_marching
    from mitk_rs.pixel_type import PixelType as PixelType
    from mitk_rs.pixel_type import make_pixel_type as make_pixel_type
    from mitk_rs.points import Color as Color
    from mitk_rs.points import Point2D as Point2D
    from mitk_rs.points import Point3D as Point3D
    from mitk_rs.points import Vector2D as Vector2D
    from mitk_rs.points import Vector3D as Vector3D
    from mitk_rs.projection import mip as mip
    from mitk_rs.projection import montage as montage
    from mitk_rs.projection import project as project
    from mitk_rs.projection import project_all as project_all
    from mitk_rs.projection import render_mip as render_mip
    from mitk_rs.projection import render_spin as render_spin
    from mitk_rs.projection import slide as slide
    from mitk_rs.properties import BaseProperty as BaseProperty
    from mitk_rs.properties import BoolProperty as BoolProperty
    from mitk_rs.properties import ColorProperty as ColorProperty
    from mitk_rs.properties import DICOMTag as DICOMTag
    from mitk_rs.properties import DICOMTagPath as DICOMTagPath
    from mitk_rs.properties import DoubleProperty as DoubleProperty
    from mitk_rs.properties import FloatProperty as FloatProperty
    from mitk_rs.properties import IntProperty as IntProperty
    from mitk_rs.properties import PropertyKeyPath as PropertyKeyPath
    from mitk_rs.properties import PropertyList as PropertyList
    from mitk_rs.properties import StringProperty as StringProperty
    from mitk_rs.properties import TemporoSpatialStringProperty as TemporoSpatialStringProperty
    from mitk_rs.properties import find_indexed_properties as find_indexed_properties
    from mitk_rs.properties import property_from_dict as property_from_dict
    from mitk_rs.seeds import Seeds as Seeds
    from mitk_rs.seeds import read_seeds as read_seeds
    from mitk_rs.seeds import write_seeds as write_seeds
    from mitk_rs.segmentation import SegmentationReport as SegmentationReport
    from mitk_rs.segmentation import VesselSegmentation as VesselSegmentation
    from mitk_rs.segmentation import segment_vessel as segment_vessel
    from mitk_rs.surface import extract_surface as extract_surface
    from mitk_rs.surface import smooth_surface as smooth_surface
    from mitk_rs.surface import write_surface as write_surface
    from mitk_rs.thresholds import Histogram as Histogram
    from mitk_rs.thresholds import ProposedThreshold as ProposedThreshold
    from mitk_rs.thresholds import histogram as histogram
    from mitk_rs.thresholds import propose_lower_threshold as propose_lower_threshold
    from mitk_rs.time_geometry import ArbitraryTimeGeometry as ArbitraryTimeGeometry
    from mitk_rs.time_geometry import ProportionalTimeGeometry as ProportionalTimeGeometry
    from mitk_rs.time_geometry import TimeGeometry as TimeGeometry

    __version__: str

# Where each public name lives. A test compares it with the imports above.
_EXPORTS = {
    "ArbitraryTimeGeometry": "time_geometry",
    "Arrival": "marching",
    "BaseGeometry": "geometry",
    "BaseProperty": "properties",
    "BatchResult": "cohort",
    "BoolProperty": "properties",
    "Cancelled": "errors",
    "Color": "points",
    "ColorProperty": "properties",
    "DICOMTag": "properties",
    "DICOMTagPath": "properties",
    "DicomSeriesWarning": "errors",
    "DisplayError": "errors",
    "DoubleProperty": "properties",
    "EvolutionReport": "evolution",
    "Exception": "errors",
    "FileError": "errors",
    "FileMissingError": "errors",
    "FileWriteError": "errors",
    "FloatProperty": "properties",
    "Geometry3D": "geometry",
    "GeometryError": "errors",
    "Histogram": "thresholds",
    "IOUtil": "io.images",
    "Image": "image",
    "IntProperty": "properties",
    "InternalError": "errors",
    "LevelSetEvolution": "evolution",
    "LevelSetReport": "levelset",
    "LevelSetResult": "levelset",
    "MemoryIsLockedError": "errors",
    "MemoryLimitError": "errors",
    "PixelType": "pixel_type",
    "PlaneGeometry": "geometry",
    "Point2D": "points",
    "Point3D": "points",
    "PropertyKeyPath": "properties",
    "PropertyList": "properties",
    "PropertyNotOwnedError": "errors",
    "ProposedThreshold": "thresholds",
    "ProportionalTimeGeometry": "time_geometry",
    "RequestError": "errors",
    "Seeds": "seeds",
    "SegmentationReport": "segmentation",
    "SlicedGeometry3D": "geometry",
    "SparseTimes": "marching",
    "StringProperty": "properties",
    "TemporoSpatialStringProperty": "properties",
    "TimeGeometry": "time_geometry",
    "TimeStepError": "errors",
    "TimeoutError": "errors",
    "UsageError": "errors",
    "Vector2D": "points",
    "Vector3D": "points",
    "VesselSegmentation": "segmentation",
    "__version__": "_version",
    "batch": "cohort",
    "colliding_fronts": "marching",
    "evolve_level_set": "evolution",
    "extract_surface": "surface",
    "fast_marching": "marching",
    "feature_image": "features",
    "find_indexed_properties": "properties",
    "get_loaded_modules": "io.images",
    "get_num_threads": "_core",
    "histogram": "thresholds",
    "initialize_level_set": "levelset",
    "make_pixel_type": "pixel_type",
    "mip": "projection",
    "montage": "projection",
    "project": "projection",
    "project_all": "projection",
    "property_from_dict": "properties",
    "propose_lower_threshold": "thresholds",
    "read_seeds": "seeds",
    "render_mip": "projection",
    "render_spin": "projection",
    "segment_vessel": "segmentation",
    "set_num_threads": "_core",
    "slide": "projection",
    "smooth_surface": "surface",
    "write_seeds": "seeds",
    "write_surface": "surface",
}

# Modules that users reach as attributes of the package.
_MODULES = frozenset(
    {
        "aio",
        "cohort",
        "datasets",
        "errors",
        "geometry",
        "image",
        "io",
        "levelset",
        "marching",
        "pixel_type",
        "points",
        "projection",
        "properties",
        "property_view",
        "seeds",
        "segmentation",
        "surface",
        "thresholds",
        "time_geometry",
    }
)

# Without the names of Python's own exceptions: a star import must not replace those.
__all__ = [name for name in _EXPORTS if not hasattr(builtins, name)]

logging.getLogger("mitk_rs").addHandler(logging.NullHandler())


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"mitk_rs.{name}")
    if name not in _EXPORTS:
        raise AttributeError(f"module 'mitk_rs' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"mitk_rs.{_EXPORTS[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS, *_MODULES})
