"""Bad input: for each the exception's class and its message; and nothing is lost by asking for the impossible."""

import numpy as np
import pytest

import mitk_rs as mitk

SQUARE = np.zeros((3, 3), np.uint8)


def initialized(*args, **options):
    mitk.Image().initialize(*args, **options)


# What is done, the class, what the message must say.
TABLE = [
    (lambda: mitk.Image(5), TypeError, "expected a numpy array, got int"),
    (lambda: mitk.Image([[1, 2], [3, 4]]), TypeError, "got list; Image.from_any"),
    (
        lambda: mitk.Image.from_any(object()),
        TypeError,
        "no image can be made of builtins.object; known are arrays, paths",
    ),
    (lambda: mitk.Image.from_any(None), TypeError, "no image can be made of builtins.NoneType"),
    (lambda: mitk.Image.from_any([[1, 2], [3, 4]]), TypeError, "no image can be made of builtins.list"),
    (lambda: mitk.Image.from_vtk(object()), TypeError, "expected vtkmodules.vtkImageData, got builtins.object"),
    (lambda: mitk.Image.from_any("no such file.mha"), FileNotFoundError, "no such file.mha"),
    (lambda: mitk.Image.from_numpy("scan.mha"), TypeError, "expected a numpy array, got str"),
    (lambda: mitk.Image(np.ma.array(SQUARE)), TypeError, "would lose its mask"),
    (lambda: mitk.Image(SQUARE, bogus=1), TypeError, "bogus"),
    (lambda: mitk.Image(np.zeros(3)), ValueError, r"2 to 4 dimensions, got shape \(3,\)"),
    (lambda: mitk.Image(np.zeros((1,) * 5)), ValueError, r"2 to 4 dimensions, got shape \(1, 1, 1, 1, 1\)"),
    (lambda: mitk.Image(np.zeros((3, 3)), components=True), ValueError, "axis of components"),
    (lambda: mitk.Image(SQUARE, copy=False), ValueError, "copy=None"),
    (lambda: mitk.Image(np.zeros((3, 0, 2))), mitk.Exception, r"axis of length 0: shape \(3, 0, 2\)"),
    (lambda: mitk.Image(np.zeros((3, 3), np.float16)), mitk.Exception, "float16 is not supported: use uint8"),
    (lambda: mitk.Image(np.zeros((3, 3), complex)), mitk.Exception, "complex128 is not supported"),
    (lambda: mitk.Image(np.zeros((3, 3), object)), mitk.Exception, "object is not supported"),
    (lambda: mitk.Image(np.zeros((3, 3), "U3")), mitk.Exception, "is not supported"),
    (lambda: mitk.Image(np.zeros((3, 3), ">i2")), mitk.Exception, "byte order: convert with"),
    (lambda: mitk.Image(SQUARE, spacing=(1, 1)), TypeError, "spacing must be three numbers"),
    (lambda: mitk.Image(SQUARE, spacing=1.0), TypeError, "spacing must be three numbers"),
    (lambda: mitk.Image(SQUARE, spacing="abc"), TypeError, "spacing must be three numbers"),
    (lambda: mitk.Image(SQUARE, spacing=(1, 0, 1)), mitk.GeometryError, "greater than 0 mm"),
    (lambda: mitk.Image(SQUARE, spacing=(1, float("nan"), 1)), mitk.GeometryError, "greater than 0 mm"),
    (lambda: mitk.Image(SQUARE, origin=(1, 2)), TypeError, "origin must be three numbers"),
    (lambda: mitk.Image(SQUARE, origin=(1, 2, float("inf"))), mitk.GeometryError, "origin must be finite"),
    (lambda: mitk.Image(SQUARE, direction=np.eye(2)), ValueError, "direction must be a 3x3 matrix"),
    (lambda: mitk.Image(SQUARE, direction=np.zeros((3, 3))), ValueError, "direction must be invertible"),
    (lambda: mitk.Image("no such file.mha"), FileNotFoundError, "no such file.mha"),
    (lambda: mitk.Image("no such file.mha"), mitk.FileError, "no such file.mha"),
    (lambda: mitk.Image("x.mha", spacing=(1, 1, 1)), TypeError, "go with an array"),
    (lambda: mitk.Image(spacing=(1, 1, 1)), TypeError, "go with an array"),
    (lambda: initialized(), TypeError, "pixel type once"),
    (lambda: initialized("uint8", [2, 2], type="uint8"), TypeError, "pixel type once"),
    (lambda: initialized("uint8"), TypeError, "dimensions must be 2 to 4 whole numbers"),
    (lambda: initialized("uint8", 5), TypeError, "dimensions must be 2 to 4 whole numbers"),
    (lambda: initialized("uint8", "44"), TypeError, "dimensions must be 2 to 4 whole numbers"),
    (lambda: initialized("uint8", [2.5, 2]), TypeError, "dimensions must be 2 to 4 whole numbers"),
    (lambda: initialized("uint8", [2]), RuntimeError, "dimensions must be 2 to 4 whole numbers"),
    (lambda: initialized("uint8", [2, 0]), RuntimeError, "at least 1 on every axis, got 0 along y"),
    (lambda: initialized("uint8", [2, 2, -4]), RuntimeError, "at least 1 on every axis, got -4 along z"),
    (lambda: initialized("uint8", [2, 2], channels=0), RuntimeError, "channels must be at least 1, got 0"),
    (lambda: initialized("uint8", [2, 2], channels=1.5), TypeError, "channels must be an int"),
    (lambda: initialized("float16", [2, 2]), mitk.Exception, "float16 is not supported"),
    (lambda: initialized("nonsense", [2, 2]), TypeError, "nonsense"),
    (lambda: initialized("uint8", [2**62, 2**62]), mitk.Exception, "image too large"),
    (lambda: initialized("uint8", [2**63, 1]), mitk.Exception, "dimensions"),
    (lambda: initialized("uint8", [2**20, 2**20, 2**8]), MemoryError, "could not allocate 281474976710656 bytes"),
    (lambda: initialized(mitk.make_pixel_type("uint8", 3), [2, 2], channels=4), mitk.Exception, "has 3 components"),
    (lambda: mitk.Image().array, mitk.Exception, "the image is empty"),
    (lambda: np.asarray(mitk.Image()), mitk.Exception, "the image is empty"),
    (lambda: memoryview(mitk.Image()), mitk.Exception, "the image is empty"),
    (lambda: mitk.Image().dtype, mitk.Exception, "the image is empty"),
    (lambda: mitk.Image().spacing, mitk.Exception, "the image is empty"),
    (lambda: mitk.Image().get_geometry(), mitk.Exception, "the image is empty"),
    (lambda: mitk.Image().time_geometry, mitk.Exception, "the image is empty"),
    (lambda: mitk.Image().snapshot().array, mitk.Exception, "the image is empty"),
    (lambda: mitk.Image(SQUARE).get_spacing(1), mitk.TimeStepError, "time step 1 does not exist"),
    (lambda: mitk.Image(SQUARE).get_spacing(-1), TypeError, "time_step must not be negative, got -1"),
    (lambda: mitk.Image(SQUARE).get_spacing("0"), TypeError, "time_step must be a whole number, got str"),
    (lambda: mitk.Image(SQUARE).set_origin((0, 0, 0), 7), mitk.TimeStepError, "time step 7 does not exist"),
    (lambda: setattr(mitk.Image(SQUARE), "time_geometry", 5), TypeError, "must be a TimeGeometry, got int"),
    (
        lambda: setattr(mitk.Image(SQUARE), "time_geometry", mitk.ProportionalTimeGeometry(0, 1, 3)),
        mitk.TimeStepError,
        "has 3 time steps, the image 1",
    ),
    (lambda: mitk.Image(SQUARE).get_dimension("x"), TypeError, "get_dimension: axis must be a whole number"),
    (lambda: mitk.Image(SQUARE).to_vtk(time_step="0"), TypeError, "whole number"),
    (lambda: mitk.PixelType(), TypeError, "make_pixel_type"),
    (lambda: mitk.make_pixel_type("float16"), RuntimeError, "float16 is not supported"),
    (lambda: mitk.make_pixel_type("nonsense"), TypeError, "nonsense"),
    (lambda: mitk.make_pixel_type("uint8", 0), mitk.Exception, "components must be at least 1"),
]


@pytest.mark.parametrize(("attempt", "error", "message"), TABLE)
def test_bad_input_is_refused_with_a_line_one_can_act_on(attempt, error, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message) as caught:
        attempt()
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "attempt",
    [
        lambda image: image.initialize("float16", [2, 2]),
        lambda image: image.initialize("uint8", [0, 2]),
        lambda image: image.initialize("uint8", [2**20, 2**20, 2**8]),
        lambda image: setattr(image, "spacing", (0, 1, 1)),
        lambda image: setattr(image, "direction", np.zeros((3, 3))),
        lambda image: image.set_origin((1, 2)),
        lambda image: image.save("picture.unknown"),
        lambda image: image.save("no/such/folder.mha"),
        lambda image: image.crop((0, 0), (9, 9)),
    ],
)
def test_a_refused_request_changes_nothing(attempt, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    image = mitk.Image(np.arange(9.0).reshape(3, 3), spacing=(1, 2, 3), origin=(4, 5, 6))
    before = image.copy()
    with pytest.raises(Exception):  # noqa: B017, PT011 - the classes are in the table above
        attempt(image)
    assert image.equals(before)
    assert (image.spacing, image.origin) == ((1, 2, 3), (4, 5, 6))
    assert not list(tmp_path.iterdir())


def test_the_documented_and_the_real_exception_classes_both_work():
    for error in (RuntimeError, mitk.Exception):
        with pytest.raises(error):
            mitk.make_pixel_type("float16")
    for error in (ValueError, mitk.Exception, OSError):
        with pytest.raises(error):
            mitk.Image("no such file.nrrd")
