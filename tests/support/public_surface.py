"""Every public function and arguments it takes, found by walking the package: a new one cannot be forgotten.

Commands, scripts and windows (`cli`, `vmtk`, `viewer`) take text and events instead; their tests feed them those.
"""

from __future__ import annotations

import importlib
import inspect
import math
import pkgutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, is_typeddict

import numpy as np

import mitk_rs as mitk

ELSEWHERE = ("cli", "vmtk", "viewer", "testing")
OPERATORS = ("__getitem__", "__setitem__", "__delitem__", "__contains__", "__array__")


def module(name: str) -> Any:
    return importlib.import_module(f"mitk_rs.{name}")


# Times 16, 20, 24 voxels: larger where memory is to run short.
scale = 1


def image() -> mitk.Image:
    shape = (16 * scale, 20 * scale, 24 * scale)
    voxels = np.linspace(1, 2, math.prod(shape), dtype=np.float32).reshape(shape)
    return mitk.Image(voxels, spacing=(0.5, 0.75, 1.25))


def voxels() -> Any:
    return np.linspace(1, 2, 120, dtype=np.float32).reshape(4, 5, 6)


def saved() -> Path:
    path = Path("saved.nrrd")
    if not path.exists():
        image().save(path)
    return path


def owner() -> Any:
    made = image()
    made.set_property("a", 5)
    return made


def geometry() -> Any:
    return image().get_geometry()


def times() -> Any:
    return mitk.ArbitraryTimeGeometry.from_time_points([0.0, 1.0, 3.0], geometry())


def picture() -> Any:
    return module("projection").axis_picture(image())


def tree() -> Any:
    return module("datasets").vessel_tree(size=(32, 32, 32), generations=1)


def segmented() -> Any:
    return mitk.initialize_level_set(image(), method="threshold", lower_threshold=1.5)


def evolved() -> Any:
    return mitk.evolve_level_set(image(), segmented().level_set, iterations=2)


def ends() -> dict[str, Any]:
    """Two places of the bright part of the image."""
    return {"sources": [(20 * scale, 16 * scale, 14 * scale)], "targets": [(23 * scale, 19 * scale, 15 * scale)]}


def vessel() -> Any:
    return mitk.segment_vessel(image(), **ends(), lower=1.5, iterations=2)


def cases() -> Path:
    Path("cases.csv").write_text(f"name,input,method,lower\na,{saved()},threshold,1.5\n")
    return Path("cases.csv")


def seeds() -> Any:
    return module("seeds").Seeds([module("seeds").Seed((1, 2, 3), "source")])


def seed_file() -> Path:
    Path("seeds.csv").write_text("x,y,z\n1,2,3\n")
    return Path("seeds.csv")


def surface_file() -> Path:
    mitk.write_surface(mitk.extract_surface(image(), 1.5), "surface.stl")
    return Path("surface.stl")


def converted(library: str) -> Callable[[], Any]:
    return lambda: getattr(image(), f"to_{library}")()


# What to give for a parameter without a default: by function and parameter, or by parameter alone.
GOOD: dict[str, Callable[[], Any]] = {
    **dict.fromkeys(("image", "speed", "level_set", "scan", "data", "other"), image),
    **dict.fromkeys(("array", "values", "args"), voxels),
    **dict.fromkeys(("seeds", "targets", "seeds1", "points"), lambda: [(1, 1, 1)]),
    **dict.fromkeys(("world", "index", "vector", "lower", "point"), lambda: (1, 1, 1)),
    **dict.fromkeys(("upper", "spacing", "origin", "dimensions"), lambda: (3, 3, 3)),
    **dict.fromkeys(("axis", "time_step", "id", "step", "slice", "z_slice", "frame_of_reference_id"), lambda: 1),
    **dict.fromkeys(("n", "thickness", "frames", "count", "steps", "group", "element", "step_duration"), lambda: 2),
    **dict.fromkeys(("mm", "time_point", "seconds", "min_time_point", "first_time_point"), lambda: 5.0),
    **dict.fromkeys(("geometry", "image_geometry"), geometry),
    **dict.fromkeys(("name", "key", "property_name", "path_string"), lambda: "a"),
    **dict.fromkeys(("r", "g", "b", "x", "y", "z", "coordinates"), lambda: 0.5),
    "BaseGeometry.bounds=.bounds": lambda: (0, 1, 0, 1, 0, 1),
    "BaseGeometry.enforce_spacing.value": lambda: (1, 2, 3),
    "BaseGeometry.image_geometry=.image_geometry": lambda: True,
    "BaseGeometry.is_close.other": geometry,
    "Camera.place.indices": lambda: np.ones((3, 3)),
    "Color.__getitem__.index": lambda: 1,
    "Color.__setitem__.index": lambda: 1,
    "ColorProperty.from_value.value": lambda: (0, 0, 1),
    "DICOMTagPath.from_property_name.property_name": lambda: "DICOM.0008.0005",
    "IOUtil.save.path": lambda: "x.nrrd",
    "Image.__getitem__.key": lambda: 0,
    "Image.__setitem__.key": lambda: 0,
    "Image.from_itk.source": converted("itk"),
    "Image.from_nibabel.source": converted("nibabel"),
    "Image.from_pyvista.source": converted("vtk"),
    "Image.from_torch.source": converted("torch"),
    "Image.from_vtk.source": converted("vtk"),
    "Image.from_xarray.source": converted("xarray"),
    "Image.save.path": lambda: "x.nrrd",
    "Image.time_geometry=.time_geometry": lambda: image().time_geometry,
    "PropertyList.from_dict.d": lambda: {"a": {"type": "IntProperty", "value": 3}},
    "StringProperty.from_value.value": lambda: "a",
    "TemporoSpatialStringProperty.set_value.value": lambda: "a",
    "ArbitraryTimeGeometry.for_image.image_geometries": lambda: [geometry()] * 2,
    "ArbitraryTimeGeometry.is_close.other": times,
    "camera": lambda: module("projection").Camera(size=(16, 16)),
    "color": lambda: mitk.Color(0, 0, 1),
    "content": lambda: saved().read_bytes(),
    "d": lambda: {"type": "IntProperty", "value": 3},
    "direction": lambda: np.eye(3),
    "dtype": lambda: "uint8",
    "find_indexed_properties.path": lambda: mitk.PropertyKeyPath("a")["*"],
    "image_geometries": lambda: [geometry()],
    "item": lambda: 0,
    "json_text": lambda: "{}",
    "keys": lambda: module("time_geometry").time_geometry_keys(times()),
    "library": lambda: "simpleitk",
    "matrix": lambda: np.eye(4),
    "max_time_point": lambda: 7.0,
    "method": lambda: "threshold",
    "owner": owner,
    "path": saved,
    "pixels": lambda: picture().pixels,
    "provider": owner,
    "record": lambda: module("io").read_record(saved()),
    "seeds2": lambda: [(3, 3, 3)],
    "source": converted("simpleitk"),
    "surface": lambda: mitk.extract_surface(image(), 1.5),
    "tag_string": lambda: "(0008,0005)",
    "target": lambda: 0,
    "text": lambda: mitk.IntProperty(3).to_json(),
    "time_geometry": times,
    "time_points": lambda: [0.0, 1.0],
    "value": lambda: 5,
    "volume": lambda: module("projection.rays").Volume(image(), None),
    "write_animation.frames": lambda: [np.zeros((4, 4), np.uint8)] * 2,
    "write_animation.path": lambda: "x.gif",
    "write_image.path": lambda: "x.nrrd",
    "write_picture.path": lambda: "x.png",
    "write_picture.pixels": lambda: np.zeros((4, 4), np.uint8),
    "write_record.path": lambda: "x.nrrd",
    "write_surface.path": lambda: "x.stl",
}
GOOD |= {
    "Image.__getitem__.key": lambda: "a",
    "Image.like.array": lambda: image().array,
    "ImageRecord.of.array": lambda: image().array,
    "ImageRecord.with_array.array": lambda: image().array,
    "Seeds.indices.image": image,
    "batch.cases": lambda: cases(),
    "batch.output": lambda: "out",
    "evolve_level_set.initial": lambda: segmented().level_set,
    "Seeds.seeds": lambda: seeds().seeds,
    "Seeds.to_space.space": lambda: "index",
    "folder": lambda: ".",
    "iterations": lambda: 2,
    "write_seeds.seeds": lambda: seeds(),
    "header": lambda: module("io").read_info(saved()),
    "dimension": lambda: 3,
    "label": lambda: "source",
    "propose_lower_threshold.seeds": lambda: ends()["targets"],
    "segment_vessel.sources": lambda: ends()["sources"],
    "segment_vessel.targets": lambda: ends()["targets"],
    "read_cases.cases": lambda: cases(),
    "read_seeds.path": lambda: seed_file(),
    "read_surface.path": lambda: surface_file(),
    "sources": lambda: [(1, 1, 1)],
    "space": lambda: "LPS",
    "word": lambda: "a.csv",
    "write_seeds.path": lambda: "x.csv",
}


# How many values to give where a function takes any number.
MANY = {"Color": 3, "Point2D": 2, "Point3D": 3, "Vector2D": 2, "Vector3D": 3}
# Arguments beside those without a default, where a function refuses or takes long without.
BESIDE: dict[str, dict[str, Any]] = {
    "Image.resample": {"spacing": (1, 1, 1)},
    "Image.initialize": {"dtype": "uint8", "dimensions": (3, 3, 3)},
    "initialize_level_set": {"sources": [(1, 1, 1)], "targets": [(9, 9, 9)]},
    "montage": {"height": 40},
    "evolve_level_set": {"iterations": 2},
    "segment_vessel": {"lower": 1.5, "iterations": 2},
    "render_mip": {"size": (16, 16)},
    "render_spin": {"size": (16, 16)},
    "vessel_tree": {"size": (32, 32, 32), "generations": 1},
}
# How to make an instance whose methods are called; other classes are made with the arguments above.
INSTANCES: dict[str, Callable[[], Any]] = {
    "Arrival": lambda: mitk.fast_marching(image(), seeds=[(1, 1, 1)]),
    "ArbitraryTimeGeometry": times,
    "DICOMTagPath": lambda: mitk.DICOMTagPath(8, 5),
    "EvolutionReport": lambda: evolved().report,
    "LevelSetEvolution": lambda: evolved(),
    "ImageRecord": lambda: module("io").read_record(saved()),
    "BaseGeometry": geometry,
    "BaseProperty": lambda: mitk.IntProperty(3),
    "Camera": lambda: module("projection").Camera(size=(16, 16)),
    "Geometry3D": geometry,
    "Image": owner,
    "LevelSetReport": lambda: mitk.initialize_level_set(image(), method="threshold", lower_threshold=1.5).report,
    "LevelSetResult": lambda: mitk.initialize_level_set(image(), method="threshold", lower_threshold=1.5),
    "Picture": picture,
    "PixelType": lambda: mitk.make_pixel_type("uint8", 1),
    "PlaneGeometry": mitk.PlaneGeometry,
    "PropertyList": lambda: mitk.PropertyList.from_dict({"a": {"type": "IntProperty", "value": 3}}),
    "PropertyOwner": owner,
    "PropertyView": lambda: owner().properties,
    "ProportionalTimeGeometry": lambda: image().time_geometry,
    "SlicedGeometry3D": geometry,
    "SparseTimes": lambda: mitk.fast_marching(image(), seeds=[(1, 1, 1)], sparse=True).arrival_time,
    "TimeGeometry": times,
    "Seeds": seeds,
    "SegmentationReport": lambda: vessel().report,
    "VesselSegmentation": vessel,
    "VesselTree": tree,
}
# Classes that functions return, abstract ones, and what is tried elsewhere.
NOT_CALLED = {
    *("Arrival", "LevelSetReport", "LevelSetResult", "Picture", "PixelType", "SparseTimes", "VesselTree"),
    *("BatchResult", "Case", "EvolutionReport", "Histogram", "ImageHeader", "ImageRecord", "LevelSetEvolution"),
    *("ProposedThreshold", "Seed", "SegmentationReport", "VesselSegmentation"),
    # Pixels are made by NumPy.
    *("BaseGeometry", "BaseProperty", "TimeGeometry", "Pixels"),
    # It starts processes, whose limits are not ours; its tests try its arguments.
    "batch",
}


@dataclass(frozen=True)
class Call:
    """A public callable and the names of its parameters; `many` of them take any number of values."""

    name: str
    function: Callable[..., Any]
    parameters: tuple[str, ...]
    required: tuple[str, ...]
    many: tuple[str, ...] = ()
    # Makes what the function belongs to, anew for each call.
    instance: Callable[[], Any] | None = field(default=None, repr=False)

    def good(self) -> dict[str, Any]:
        """Arguments that it takes."""
        found: dict[str, Any] = {}
        for name in (*self.required, *self.many):
            key = f"{self.name}.{name}" if f"{self.name}.{name}" in GOOD else name
            if key not in GOOD:
                raise LookupError(f"say in GOOD what {self.name} takes for {name}")
            found[name] = (GOOD[key](),) * MANY.get(self.name, 1) if name in self.many else GOOD[key]()
        return found | BESIDE.get(self.name, {})

    def prepare(self, given: dict[str, Any]) -> Callable[[], Any]:
        """The call, with the instance made that it belongs to; what comes bit by bit is taken to its end."""
        own = () if self.instance is None else (self.instance(),)
        several = [value for name in self.many for value in given[name]]
        rest = {name: value for name, value in given.items() if name not in self.many}
        plain, named = (tuple(rest.values()), {}) if "=" in self.name else ((), rest)

        def run() -> Any:
            made = self.function(*own, *several, *plain, **named)
            return [*made] if inspect.isgenerator(made) else made

        return run


def modules() -> Iterator[Any]:
    """The package and its public modules."""
    yield mitk
    for found in pkgutil.iter_modules(mitk.__path__):
        if not found.name.startswith("_") and found.name not in ELSEWHERE:
            yield module(found.name)


def exported() -> dict[str, Any]:
    """Public functions and classes by name."""
    names: dict[str, Any] = {}
    for where in modules():
        for name in getattr(where, "__all__", ()):
            value = getattr(where, name)
            is_error = inspect.isclass(value) and issubclass(value, BaseException)
            if callable(value) and not is_error and not is_typeddict(value):
                names.setdefault(name, value)
    return names


def options_of(function: Any, keywords: inspect.Parameter) -> tuple[str, ...]:
    """Names of the options that a function takes as ``**options: Unpack[Options]``."""
    kind = str(keywords.annotation).removeprefix("Unpack[").removesuffix("]")
    return tuple(getattr(vars(sys.modules[function.__module__]).get(kind), "__annotations__", ()))


def described(name: str, function: Any, instance: Callable[[], Any] | None = None) -> Call:
    """A callable with the parameters that its signature names."""
    kinds = inspect.Parameter
    parameters = list(inspect.signature(function).parameters.values())[0 if instance is None else 1 :]
    named = [p for p in parameters if p.kind not in (kinds.VAR_KEYWORD, kinds.VAR_POSITIONAL)]
    several = tuple(p.name for p in parameters if p.kind == kinds.VAR_POSITIONAL)
    more = next((options_of(function, p) for p in parameters if p.kind == kinds.VAR_KEYWORD), ())
    required = tuple(p.name for p in named if p.default is p.empty)
    names = tuple(dict.fromkeys((*(p.name for p in named), *more)))
    return Call(name, function, names, required, several, instance)


def members(kind: type, made: Call) -> Iterator[Call]:
    """Methods, operators and settable properties of a class."""
    instance = INSTANCES.get(made.name, lambda: made.prepare(made.good())())
    for member in dir(kind):
        plain = inspect.getattr_static(kind, member)
        home = next(base for base in kind.__mro__ if member in vars(base)).__module__
        if not home.startswith("mitk_rs") or (member.startswith("_") and member not in OPERATORS):
            continue
        name = f"{made.name}.{member}"
        if isinstance(plain, property):
            if plain.fset is not None:
                yield Call(f"{name}=", plain.fset, (member,), (member,), (), instance)
        elif isinstance(plain, classmethod | staticmethod):
            yield described(name, getattr(kind, member))
        elif callable(plain):
            yield described(name, plain, instance)


def calls() -> list[Call]:
    """Everything that is public, each function once however many classes inherit it."""
    found: dict[Any, Call] = {}
    for name, value in exported().items():
        made = described(name, value)
        if name not in NOT_CALLED:
            found.setdefault(value, made)
        for call in members(value, made) if inspect.isclass(value) else ():
            found.setdefault(getattr(call.function, "__func__", call.function), call)
    return list(found.values())
