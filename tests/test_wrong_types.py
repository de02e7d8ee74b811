"""Arguments of a wrong type are a TypeError that names the function; every other refusal is one of our exceptions."""

import builtins
import importlib
import inspect
import io
import itertools
import json
import math

import numpy as np
import pytest
import SimpleITK
from public_surface import calls

import mitk_rs as mitk
from mitk_rs import errors
from mitk_rs.cohort import read_cases
from mitk_rs.datasets import vessel_tree


def image():
    return mitk.Image(np.linspace(1, 2, 120, dtype=np.float32).reshape(4, 5, 6))


SURFACE = mitk.extract_surface(image(), 1.5)
CALLS = {
    "BaseGeometry.is_close": lambda wrong: image().get_geometry().is_close(wrong),
    "BaseGeometry.initialize_geometry": lambda wrong: image().get_geometry().initialize_geometry(wrong),
    "SlicedGeometry3D.for_image": lambda wrong: mitk.SlicedGeometry3D.for_image([4, 5, wrong]),
    "TimeGeometry.is_close": lambda wrong: image().time_geometry.is_close(wrong),
    "PropertyList.from_dict": mitk.PropertyList.from_dict,
    "DICOMTagPath.from_string": mitk.DICOMTagPath.from_string,
    "DICOMTagPath.from_property_name": mitk.DICOMTagPath.from_property_name,
    "PropertyKeyPath.from_string": mitk.PropertyKeyPath.from_string,
    "find_indexed_properties": lambda wrong: mitk.find_indexed_properties(wrong, mitk.PropertyKeyPath("a")["*"]),
    "make_pixel_type": lambda wrong: mitk.make_pixel_type("uint8", wrong),
    "extract_surface": mitk.extract_surface,
    "write_surface": lambda wrong: mitk.write_surface(wrong, "x.stl"),
    "fast_marching": lambda wrong: mitk.fast_marching(wrong, seeds=[(0, 0, 0)]),
    "colliding_fronts": lambda wrong: mitk.colliding_fronts(wrong, seeds1=[(0, 0, 0)], seeds2=[(1, 1, 1)]),
    "initialize_level_set": lambda wrong: mitk.initialize_level_set(wrong, method="threshold", lower_threshold=1),
    "montage": mitk.montage,
    "feature_image": mitk.feature_image,
    "evolve_level_set": lambda wrong: mitk.evolve_level_set(wrong, image(), iterations=1),
}


@pytest.mark.parametrize("wrong", [None, 5.5, object(), SimpleITK.Euler3DTransform()], ids=lambda v: type(v).__name__)
@pytest.mark.parametrize("name", CALLS)
def test_the_message_names_the_function_and_what_came(name, wrong):
    with pytest.raises(TypeError) as caught:
        CALLS[name](wrong)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 200
    expected = name.partition(".")[2] or name
    assert expected in message.partition(":")[0].rpartition(".")[2]
    assert "SimpleITK.Euler3DTransform" in message or not isinstance(wrong, SimpleITK.Transform)


def vessel():
    ends = {"sources": [(20, 16, 14)], "targets": [(23, 19, 15)]}
    bright = mitk.Image(np.linspace(1, 2, 7680, dtype=np.float32).reshape(16, 20, 24))
    return mitk.segment_vessel(bright, **ends, lower=1.5, iterations=2)


class Scan(mitk.Image):
    """An image of a user's own class."""


NAMED = {
    "Color": lambda: mitk.Color(b"x", 0, 0),
    "ColorProperty.from_value": lambda: mitk.ColorProperty.from_value(np.array(1.0)),
    "FloatProperty": lambda: mitk.FloatProperty(None),
    "Geometry3D": lambda: mitk.Geometry3D(bounds=2.5),
    "Image.from_vtk": lambda: mitk.Image.from_vtk(5),
    "Image.get_geometry": lambda: Scan().get_geometry("0"),
    "ArbitraryTimeGeometry.from_time_points": lambda: mitk.ArbitraryTimeGeometry.from_time_points(np.array(1.0)),
    "Image.as_numpy": lambda: image().as_numpy("x"),
    "Image.equals": lambda: image().equals(image(), atol=None),
    "Image.read": lambda: image().read(timeout=b"x"),
    "Image.write": lambda: image().write({}),
    "Point3D": lambda: mitk.Point3D(1, 2, None),
    "Seeds": lambda: mitk.Seeds(np.array(1.0)),
    "VesselSegmentation.surface": lambda: vessel().surface(smooth=np.ones(3)),
    "evolve_level_set": lambda: mitk.evolve_level_set(image(), image(), iterations=1, curvature=None),
    "extract_surface": lambda: mitk.extract_surface(np.zeros((4, 5, 6), np.float16)),
    "feature_image": lambda: mitk.feature_image(image(), sigma=None),
    "render_spin": lambda: mitk.render_spin(image(), frames=2, background=b"x"),
    "read_cases": lambda: read_cases(np.array(1.0)),
    "render_mip": lambda: mitk.render_mip(image(), size=(5, 5), window=()),
    "set_num_threads": lambda: mitk.set_num_threads("2"),
    "slide": lambda: mitk.slide(np.zeros((4, 5, 6), ">i2"), axis="z", thickness=2),
    "vessel_tree": lambda: vessel_tree(direction={}),
    "write_animation": lambda: mitk.projection.write_animation([np.zeros((4, 4), np.uint8)], "x.gif", seconds=None),
}


@pytest.mark.parametrize("name", NAMED)
def test_the_message_begins_with_what_was_called(name):
    with pytest.raises(TypeError, match=rf"^{name}: "):
        NAMED[name]()


BLACK, WHITE = np.zeros((3, 4), bool), np.ones((3, 4), bool)
REFUSED = {
    "a path that is not text": (lambda: read_cases("\ud800"), mitk.FileError, "not the name of a file"),
    "a path with a zero": (lambda: read_cases("\0"), mitk.FileError, "not the name of a file"),
    "an array for an axis": (lambda: mitk.mip(image(), axis=np.array(1.0)), mitk.RequestError, "axis is array"),
    "a negative number of targets": (
        lambda: mitk.fast_marching(image(), seeds=[(1, 1, 1)], targets=[(2, 2, 2)], target_mode=-1),
        mitk.RequestError,
        "target_mode is -1: a number of targets is needed",
    ),
    "ends that are NaN": (
        lambda: mitk.projection.Shades().apply(WHITE, (math.nan, 1)),
        mitk.RequestError,
        "both numbers must be finite",
    ),
    "bins that no memory holds": (lambda: mitk.histogram(image(), bins=2**63), mitk.RequestError, "bins is"),
    "a value that level sets do not hold": (
        lambda: mitk.initialize_level_set(
            image(), method="threshold", sources=[(0, 0, 0)], targets=[(5, 4, 3)], far_value=1e300
        ),
        mitk.RequestError,
        "far_value is 1e\\+300",
    ),
    "a radius that is infinite": (
        lambda: mitk.feature_image(image(), type="fwhm", radius=(math.inf,) * 3),
        mitk.RequestError,
        "radius is",
    ),
    "a size that is infinite": (lambda: vessel_tree(size=(math.inf,) * 3), mitk.RequestError, "size must be"),
    "more noise than voxels hold": (lambda: vessel_tree(noise=1e300), mitk.RequestError, "at most 100000 HU"),
    "a direction of complex numbers": (lambda: vessel_tree(direction=np.eye(3) * 1j), TypeError, "real numbers"),
    "a space of two lines": (
        lambda: mitk.write_surface(SURFACE, "x.stl", space="a\nfacet"),
        mitk.RequestError,
        "at most 60 printable characters",
    ),
    "a space that is not text": (
        lambda: mitk.write_surface(SURFACE, "x.stl", space="\ud800"),
        mitk.RequestError,
        "at most 60 printable characters",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_values_that_python_numpy_and_vtk_would_refuse_are_refused_here(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    attempt, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        attempt()
    assert not list(tmp_path.iterdir())


def test_places_at_infinity_are_nowhere_in_a_picture():
    volume = mitk.projection.rays.Volume(image(), None)
    assert np.isnan(mitk.projection.Camera(size=(16, 16)).place(volume, np.full((2, 3), math.inf))).all()


@pytest.mark.parametrize("value", [0, 7, 1e300, -1e300, 2**63 - 1])
def test_equal_values_of_any_size_are_in_one_bin(value):
    found = mitk.histogram(np.full((4, 5, 6), value))
    assert sorted(found.counts)[-2:] == [0, 120]
    assert (np.diff(found.edges) > 0).all()


def test_bits_are_counted_as_numbers_are():
    bits = np.array([[True, False, True]])
    assert mitk.histogram(bits, bins=2).counts.tolist() == [1, 2]


def test_bits_are_drawn_and_cut_as_numbers_are():
    shades = mitk.projection.Shades()
    assert shades.range(np.concatenate([BLACK, WHITE])) == (0, 1)
    assert shades.apply(np.concatenate([BLACK, WHITE])).tolist() == [[0] * 4] * 3 + [[255] * 4] * 3
    ball = np.zeros((5, 5, 5), bool)
    ball[2, 2, 2] = True
    found, wanted = (mitk.extract_surface(one, 0.5).GetNumberOfPoints() for one in (ball, ball.view(np.uint8)))
    assert found == wanted == 6


def test_no_voxel_takes_a_level_beyond_its_type():
    assert mitk.extract_surface(image(), 1e300).GetNumberOfPoints() == 0
    assert mitk.extract_surface(image(), -1e300, closed=True).GetNumberOfPoints() == 0
    bounds = mitk.extract_surface(image(), 1e300, closed=True).GetBounds()
    assert np.allclose(bounds, (-1, 6, -1, 5, -1, 4), atol=1)


def test_the_message_of_a_picture_of_a_spin_begins_with_the_spin():
    pictures = mitk.render_spin(image(), frames=2, size=(5, 5), window=(), level=1)
    with pytest.raises(TypeError, match=r"^render_spin: window must be a number"):
        next(pictures)


def test_the_message_of_a_coordinate_begins_with_its_class():
    with pytest.raises(TypeError, match=r"^Point3D\.x must be a number, got NoneType$"):
        mitk.Point3D().x = None


GOOD = {
    "image": image, "speed": image, "level_set": image, "seeds": lambda: [(1, 1, 1)], "targets": lambda: [(2, 2, 2)],
    "seeds1": lambda: [(1, 1, 1)], "seeds2": lambda: [(3, 3, 3)], "lower": lambda: (0, 0, 0),
    "method": lambda: "threshold", "axis": lambda: "z", "thickness": lambda: 2, "surface": lambda: SURFACE,
    "array": lambda: np.zeros((3, 3)), "dtype": lambda: "uint8", "frames": lambda: 2, "path": lambda: "missing/x.mha",
    "scan": image, "initial": lambda: image().array - 1.5, "iterations": lambda: 1,
}  # fmt: skip
WRONG = [None, 5, -1.5, "text", b"x", object(), [], {}, np.zeros(3), np.array(["a"]), io.StringIO()]
FUNCTIONS = [
    name
    for name in mitk.__all__
    if inspect.isroutine(getattr(mitk, name)) and name not in ("property_from_dict", "get_loaded_modules")
]


def options_of(function):
    """Names of the keyword arguments that a function takes as ``**options: Unpack[...]``."""
    for annotation in getattr(function, "__annotations__", {}).values():
        if str(annotation).startswith("Unpack["):
            options = getattr(importlib.import_module(function.__module__), str(annotation)[7:-1])
            return list(options.__annotations__)
    return []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_options_that_do_not_exist_are_refused(name):
    function = getattr(mitk, name)
    parameters = inspect.signature(function).parameters.values()
    given = {p.name: GOOD.get(p.name, int)() for p in parameters if p.default is p.empty and p.kind != p.VAR_KEYWORD}
    with pytest.raises(TypeError, match=r"unexpected keyword argument '?colour'?|takes no keyword"):
        function(**given, colour=3)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FUNCTIONS)
def test_no_argument_of_a_public_function_raises_anything_else(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    function = getattr(mitk, name)
    parameters = [p for p in inspect.signature(function).parameters.values() if p.kind != p.VAR_KEYWORD]
    for parameter in [*(p.name for p in parameters), *options_of(function)]:
        for wrong in WRONG:
            given = {p.name: GOOD.get(p.name, int)() for p in parameters if p.default is p.empty}
            given[parameter] = wrong
            try:
                function(**given)
            except (TypeError, mitk.Exception):
                assert not list(tmp_path.iterdir())
            except Exception as error:
                pytest.fail(f"{name}({parameter}={wrong!r}): {type(error).__name__}: {error}")
            else:
                # The value was allowed after all, and so was what the call wrote.
                for written in tmp_path.iterdir():
                    written.unlink()


LONG = ["a" * 10**6, ["a" * 1000] * 1000, list(range(10**4)), b"x" * 10**6, 10**4000, {str(i): i for i in range(10**4)}]
# There the message is NumPy's, or the key itself.
OTHERS = ("Color.__array__.dtype", "Image.__array__.dtype", "Image.__setitem__.value", "PropertyView.__")


# ITK crashes where a warning of its own import is an error.
@pytest.mark.filterwarnings("ignore")
def test_messages_show_little_of_long_values_and_stay_on_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    messages = {}
    for call in calls():
        if "torch" in call.name:
            continue
        for name, long in itertools.product({*call.parameters, *call.many}, LONG):
            given = call.good() | {name: (long,) if name in call.many else long}
            try:
                call.prepare(given)()
            except Exception as error:
                messages[f"{call.name}.{name}", type(long).__name__] = str(error)
    assert len(messages) > 2500
    ours = {key: message for key, message in messages.items() if not key[0].startswith(OTHERS)}
    wrong = {key: message[:100] for key, message in ours.items() if len(message) > 2000 or "\n" in message}
    assert not wrong, "\n".join(map(str, wrong.items()))


RUNS = {
    "fast_marching": lambda **run: mitk.fast_marching(image(), seeds=[(1, 1, 1)], **run),
    "initialize_level_set": lambda **run: mitk.initialize_level_set(
        image(), method="threshold", lower_threshold=1, **run
    ),
    "mip": lambda **run: mitk.mip(image(), axis="z", **run),
    "render_mip": lambda **run: mitk.render_mip(image(), size=(5, 5), **run),
}


@pytest.mark.parametrize("option", ["threads", "timeout", "cancel", "progress"])
@pytest.mark.parametrize("name", RUNS)
def test_options_of_a_run_are_looked_at_before_it(name, option):
    for wrong in ("text", [], object()):
        with pytest.raises(TypeError, match=rf"^{name}: {option} must be "):
            RUNS[name](**{option: wrong})


@pytest.mark.parametrize("name", errors.__all__)
def test_every_class_is_caught_by_one_clause(name):
    kind = getattr(errors, name)
    assert issubclass(kind, mitk.Exception) or issubclass(kind, Warning)
    assert kind.__module__ == "mitk_rs"


def test_an_output_that_does_not_fit_is_an_error_of_ours():
    speed = np.ones((4, 5, 6), "float32")
    locked = np.zeros((4, 5, 6), "float32")
    locked.flags.writeable = False
    for out in (np.zeros((4, 5, 7), "float32"), locked, speed, np.zeros((4, 5, 12), "float32")[:, :, ::2]):
        with pytest.raises(mitk.RequestError, match="out "):
            mitk.fast_marching(speed, seeds=[(0, 0, 0)], out=out)


def test_a_timeout_is_both_a_builtin_timeout_and_ours():
    with pytest.raises(mitk.TimeoutError, match="timeout") as caught:
        mitk.fast_marching(np.ones((200, 200, 200)), seeds=[(100, 100, 100)], threads=1, timeout=0.01)
    assert isinstance(caught.value, builtins.TimeoutError)
    assert isinstance(caught.value, mitk.Exception)


def test_a_star_import_leaves_the_names_of_python_alone():
    names = {}
    exec("from mitk_rs import *", names)
    assert not {name for name in names if hasattr(builtins, name) and not name.startswith("__")}
    assert names["Image"] is mitk.Image


def test_messages_are_json_safe():
    with pytest.raises(TypeError) as caught:
        mitk.montage(np.zeros((500, 500)).astype(object))
    assert len(json.dumps(str(caught.value))) < 200
