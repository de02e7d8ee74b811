"""Images own properties, empty ones too."""

import numpy as np

import mitk_rs as mitk


def test_an_image_has_properties():
    for image in (mitk.Image(), mitk.Image(np.zeros((2, 3), np.uint8))):
        image.properties["DICOM.0010.0010"] = "Doe^John"
        image.set_property("level", 300)
        assert image.property_keys == ["DICOM.0010.0010", "level"]
        assert image.get_property("level") == 300
        assert type(image.get_property("level", raw=True)) is mitk.IntProperty
        assert image.property_is_owned("level")
        image.remove_property("level")
        assert dict(image.properties.items()) == {"DICOM.0010.0010": "Doe^John"}


def test_indexed_properties_of_an_image_are_found():
    image = mitk.Image()
    image.set_property("annotation.[1].text", "slice 1")
    path = mitk.PropertyKeyPath("annotation") / "[*]" / "text"
    assert mitk.find_indexed_properties(image, path) == {1: "annotation.[1].text"}


def test_images_do_not_share_properties():
    one, other = mitk.Image(), mitk.Image()
    one.set_property("name", "one")
    assert other.get_property("name") is None
