"""Pixel types: names as ITK has them, equality by content."""

import copy
import pickle

import numpy as np
import pytest

import mitk_rs as mitk

NAMES = {
    "uint8": "unsigned_char",
    "int8": "char",
    "uint16": "unsigned_short",
    "int16": "short",
    "uint32": "unsigned_int",
    "int32": "int",
    "uint64": "unsigned_long",
    "int64": "long",
    "float32": "float",
    "float64": "double",
}


@pytest.mark.parametrize("name", NAMES)
def test_representation_and_sizes(name):
    scalar, vector = mitk.make_pixel_type(name), mitk.make_pixel_type(np.dtype(name), components=4)
    assert repr(scalar) == f"<PixelType: {NAMES[name]}>"
    assert repr(vector) == f"<PixelType: 4 * {NAMES[name]}>"
    assert (vector.dtype, vector.components) == (np.dtype(name), 4)
    assert vector.bits_per_component == np.dtype(name).itemsize * 8
    assert vector.size == 4 * np.dtype(name).itemsize


def test_equality_hash_and_copies():
    one = mitk.make_pixel_type("int16", 3)
    assert one == mitk.make_pixel_type(np.int16, 3)
    assert one != mitk.make_pixel_type("int16")
    assert one != "int16"
    assert len({one, mitk.make_pixel_type("int16", 3)}) == 1
    assert pickle.loads(pickle.dumps(one)) == copy.copy(one) == one
    assert mitk.make_pixel_type(bool) == mitk.make_pixel_type("uint8")
    assert mitk.make_pixel_type(one) == mitk.make_pixel_type("int16")


def test_an_image_is_initialized_from_a_pixel_type_in_either_place():
    rgb = mitk.make_pixel_type("uint8", components=3)
    for arguments in ({"dtype": rgb}, {"type": rgb}, {"type": "uint8", "channels": 3}):
        image = mitk.Image()
        image.initialize(dimensions=[5, 4], **arguments)
        assert (image.shape, image.pixel_type) == ((4, 5, 3), rgb)
    image.initialize(rgb, [5, 4])
    assert image.components == 3


def test_attributes_are_read_only():
    with pytest.raises(AttributeError):
        mitk.make_pixel_type("uint8").components = 3
