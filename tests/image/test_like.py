"""``image.like(array)``: other voxels at the same place."""

import numpy as np
import pytest

import mitk_rs as mitk

TURN = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]


def scan(shape=(2, 3, 4)):
    image = mitk.Image(np.zeros(shape, "int16"), spacing=(0.5, 0.6, 2), origin=(1, 2, 3), direction=TURN)
    image.set_property("patient", "anonymous")
    return image


def test_a_mask_has_the_place_and_the_properties_of_the_image():
    made = scan().like(np.ones((2, 3, 4), bool))
    assert made.dtype == np.uint8
    assert made.get_spacing() == (0.5, 0.6, 2)
    assert made.get_origin() == (1, 2, 3)
    assert np.array_equal(made.get_direction(), TURN)
    assert made.get_property("patient") == "anonymous"


def test_components_are_one_axis_more():
    made = scan().like(np.zeros((2, 3, 4, 3), "float32"))
    assert made.components == 3


def test_memory_is_taken_over():
    voxels = np.zeros((2, 3, 4), "float32")
    made = scan().like(voxels)
    assert np.shares_memory(made.as_numpy(), voxels)


def test_subclasses_stay():
    class Scan(mitk.Image):
        def __init__(self, name):
            super().__init__(np.zeros((2, 3, 4)))
            self.name = name

    made = Scan("a").like(np.ones((2, 3, 4)))
    assert (type(made), made.name) == (Scan, "a")


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (2, 3, 4, 1, 1), (4, 3, 2), ()])
def test_another_size_is_refused(shape):
    with pytest.raises(mitk.RequestError, match=r"it must have that of a time step, \(2, 3, 4\)"):
        scan().like(np.zeros(shape))
