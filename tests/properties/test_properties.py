"""Property classes, owners and views."""

import copy
import json
import pickle
import threading

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs.properties import PropertyOwner
from mitk_rs.property_view import PropertyView

SAMPLES = [
    (mitk.StringProperty("CT"), "CT", "CT"),
    (mitk.StringProperty(), "", ""),
    (mitk.BoolProperty(True), True, "1"),
    (mitk.BoolProperty(), False, "0"),
    (mitk.IntProperty(5), 5, "5"),
    (mitk.IntProperty(), 0, "0"),
    (mitk.FloatProperty(0.1), float(np.float32(0.1)), "0.1"),
    (mitk.DoubleProperty(0.1), 0.1, "0.1"),
    (mitk.DoubleProperty(), 0.0, "0.0"),
    (mitk.ColorProperty(mitk.Color(1, 0.5, 0)), mitk.Color(1, 0.5, 0), "1 0.5 0"),
    (mitk.TemporoSpatialStringProperty("a"), "a", "a"),
]
IDS = [type(sample[0]).__name__ for sample in SAMPLES]


def test_true_is_the_whole_number_1():
    assert str(mitk.IntProperty(True)) == "1"


@pytest.mark.parametrize(("found", "value", "text"), SAMPLES, ids=IDS)
def test_values_read_back(found, value, text):
    assert found.value == value
    assert type(found.value) is type(value)
    assert str(found) == text
    assert repr(found) == f"<mitk.{type(found).__name__}: {text}>"
    assert isinstance(found, mitk.BaseProperty)
    assert type(found).__module__ == "mitk_rs"


@pytest.mark.parametrize(("found", "value", "text"), SAMPLES, ids=IDS)
def test_copies_and_texts_build_an_equal_property(found, value, text):
    for twin in (
        found.clone(),
        copy.copy(found),
        copy.deepcopy(found),
        pickle.loads(pickle.dumps(found)),
        mitk.BaseProperty.from_json(found.to_json()),
        mitk.property_from_dict(found.to_dict()),
        mitk.property_from_dict(json.loads(json.dumps(found.to_dict()))),
    ):
        assert twin == found
        assert twin is not found
        assert type(twin) is type(found)


def test_equality_is_of_class_and_value():
    assert mitk.IntProperty(1) == mitk.IntProperty(1)
    assert mitk.IntProperty(1) != mitk.IntProperty(2)
    assert mitk.IntProperty(1) != mitk.BoolProperty(True)
    assert mitk.IntProperty(1) != 1
    with pytest.raises(TypeError, match="unhashable"):
        hash(mitk.IntProperty(1))


def test_values_are_read_only():
    with pytest.raises(AttributeError):
        mitk.IntProperty(1).value = 2
    color = mitk.ColorProperty.from_rgb(1, 0, 0)
    color.value.r = 0
    assert color.value.r == 1


@pytest.mark.parametrize(
    ("value", "cls", "read"),
    [
        (True, mitk.BoolProperty, True),
        (np.bool_(True), mitk.BoolProperty, True),
        (42, mitk.IntProperty, 42),
        (np.int16(42), mitk.IntProperty, 42),
        (0.1, mitk.DoubleProperty, 0.1),
        (np.float32(0.5), mitk.DoubleProperty, 0.5),
        ("text", mitk.StringProperty, "text"),
        (mitk.Color(1, 0, 0), mitk.ColorProperty, (1.0, 0.0, 0.0)),
        ((1, 0.5, 0), mitk.ColorProperty, (1.0, 0.5, 0.0)),
        (mitk.FloatProperty(2), mitk.FloatProperty, 2.0),
    ],
)
def test_owners_wrap_values_and_give_them_back(value, cls, read):
    notes = mitk.PropertyList()
    notes.set_property("key", value)
    assert type(notes.get_property("key", raw=True)) is cls
    assert notes.get_property("key") == read
    assert type(notes.get_property("key")) is type(read)


@pytest.mark.parametrize("value", [[1, 0.5, 0], (1, 2), None, b"x", {}, 1j])
def test_values_without_a_class_are_refused(value):
    notes = mitk.PropertyList()
    with pytest.raises(TypeError, match=r"a property must be bool, int, float, str, Color"):
        notes.set_property("key", value)
    assert notes.property_keys == []


@pytest.mark.parametrize(
    ("present", "value", "stored"),
    [
        (0.5, 2, mitk.DoubleProperty(2)),
        (mitk.FloatProperty(1), 0.1, mitk.FloatProperty(0.1)),
        (7, True, mitk.IntProperty(1)),
        (True, 0, mitk.BoolProperty(False)),
        ((1, 0, 0), [0, 1, 0], mitk.ColorProperty.from_rgb(0, 1, 0)),
        ((1, 0, 0), np.array([0, 1, 0.0]), mitk.ColorProperty.from_rgb(0, 1, 0)),
        ("text", mitk.IntProperty(3), mitk.IntProperty(3)),
    ],
)
def test_an_existing_class_is_kept(present, value, stored):
    notes = mitk.PropertyList()
    notes.set_property("key", present)
    notes.set_property("key", value)
    assert notes.get_property("key", raw=True) == stored


@pytest.mark.parametrize(
    ("present", "value", "message"),
    [
        ("text", 3, "StringProperty holds text, got 3"),
        (3, 0.5, "IntProperty holds a whole number, got 0.5"),
        (3, 2**31, "IntProperty holds -2147483648 to 2147483647, got 2147483648"),
        (0.5, "1", "DoubleProperty holds a number, got '1'"),
        (True, "yes", "BoolProperty holds a truth value, got 'yes'"),
        ((1, 0, 0), (1, 0), "ColorProperty holds a Color or three numbers"),
        ((1, 0, 0), "red", "ColorProperty holds a Color or three numbers, got 'red'"),
        (mitk.TemporoSpatialStringProperty("a"), "b", "TemporoSpatialStringProperty is set as an object"),
    ],
)
def test_what_does_not_convert_is_refused_and_changes_nothing(present, value, message):
    notes = mitk.PropertyList()
    notes.set_property("key", present)
    before = notes.clone()
    with pytest.raises(TypeError, match=message):
        notes.set_property("key", value)
    assert notes == before


def test_owner_methods():
    notes = mitk.PropertyList()
    assert notes.get_property("key") is None
    assert notes.get_property("key", raw=True) is None
    assert not notes.property_is_owned("key")
    notes.remove_property("key")
    notes.set_property("b", 1)
    notes.set_property("a", 2)
    assert notes.property_keys == ["a", "b"]
    assert notes.property_is_owned("a")
    notes.remove_property("a")
    assert notes.property_keys == ["b"]
    with pytest.raises(TypeError, match="a property's name must be text, got 5"):
        notes.get_property(5)


class Label(PropertyOwner):
    def __init__(self):
        super().__init__()
        self._provide("uid", "1.2.3")


def test_provided_properties_are_read_only():
    label = Label()
    assert label.get_property("uid") == "1.2.3"
    assert label.property_keys == ["uid"]
    assert not label.property_is_owned("uid")
    assert "uid" in label.properties
    writes = [
        lambda: label.set_property("uid", "4"),
        lambda: label.remove_property("uid"),
        lambda: label.properties.__setitem__("uid", "4"),
        lambda: label.properties.__delitem__("uid"),
    ]
    for write in writes:
        with pytest.raises(mitk.PropertyNotOwnedError, match="'uid' is provided read-only by this Label"):
            write()
    assert issubclass(mitk.PropertyNotOwnedError, AttributeError)
    assert label.get_property("uid") == "1.2.3"


def test_a_view_is_a_live_mapping():
    notes = mitk.PropertyList()
    view = notes.properties
    assert type(view) is PropertyView
    assert notes.properties is not view
    view["name"], view["level"] = "scan", 300
    assert notes.get_property("level") == 300
    notes.set_property("late", True)
    assert list(view) == ["late", "level", "name"]
    assert dict(view.items()) == {"late": True, "level": 300, "name": "scan"}
    assert len(view) == 3
    assert "name" in view
    assert 5 not in view
    del view["name"]
    assert "name" not in view
    assert view.get("name", "none") == "none"
    view.update(name="again")
    assert view.pop("name") == "again"


@pytest.mark.parametrize("key", ["absent", 5])
def test_a_view_raises_key_errors(key):
    view = mitk.PropertyList().properties
    with pytest.raises(KeyError, match=str(key)):
        view[key]
    with pytest.raises(KeyError, match=str(key)):
        del view[key]


def test_a_view_shows_up_to_five_names():
    notes = mitk.PropertyList()
    for name in "abcde":
        notes.set_property(name, 1)
    assert repr(notes.properties) == "PropertyView(['a', 'b', 'c', 'd', 'e'])"
    notes.set_property("f", 1)
    assert repr(notes.properties) == "PropertyView(6 properties)"


def test_lists_survive_dictionaries_json_copies_and_pickles():
    notes = mitk.PropertyList()
    for found, _, _ in SAMPLES:
        notes.set_property(f"key.{len(notes.property_keys)}", found)
    assert notes.to_dict()["key.0"] == {"type": "StringProperty", "value": "CT"}
    for twin in (
        mitk.PropertyList.from_dict(notes.to_dict()),
        mitk.PropertyList.from_json(notes.to_json()),
        notes.clone(),
        copy.copy(notes),
        copy.deepcopy(notes),
        pickle.loads(pickle.dumps(notes)),
    ):
        assert twin == notes
        twin.set_property("new", 1)
        assert twin != notes
    assert repr(notes) == "<mitk.PropertyList: 11 properties>"


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (
            lambda: mitk.property_from_dict({"type": "VoidProperty"}),
            mitk.RequestError,
            "must be one of BoolProperty, ColorProperty, DoubleProperty, FloatProperty, IntProperty, StringProperty,",
        ),
        (lambda: mitk.property_from_dict({"value": 5}), mitk.RequestError, "must have the key 'type'"),
        (lambda: mitk.property_from_dict({"type": "IntProperty"}), mitk.RequestError, "must have the key 'value'"),
        (lambda: mitk.property_from_dict({"type": "IntProperty", "value": "5"}), TypeError, "whole number, got '5'"),
        (lambda: mitk.property_from_dict("IntProperty"), TypeError, "described by a dictionary"),
        (lambda: mitk.BaseProperty.from_json("{"), mitk.RequestError, "a property must be JSON"),
        (lambda: mitk.PropertyList.from_json("["), mitk.RequestError, "a property list must be JSON"),
        (lambda: mitk.PropertyList.from_json("[]"), mitk.RequestError, "must be a JSON object, got list"),
        (lambda: mitk.IntProperty(0.5), TypeError, "whole number"),
        (lambda: mitk.StringProperty(b"x"), TypeError, "holds text"),
        (lambda: mitk.ColorProperty((1, 0, 0)), TypeError, "holds a Color"),
        (lambda: mitk.TemporoSpatialStringProperty(5), TypeError, "holds texts, got 5"),
        (mitk.BaseProperty, TypeError, "abstract"),
    ],
)
def test_bad_input_is_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()


def test_no_write_of_many_threads_is_lost():
    notes = mitk.PropertyList()

    def write(number):
        for i in range(200):
            notes.set_property(f"{number}.{i}", i)
            notes.property_keys  # noqa: B018 - reading while others write

    threads = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(notes.property_keys) == 800


def position():
    return mitk.TemporoSpatialStringProperty("initial")


def test_texts_by_step_and_slice():
    found = position()
    assert found.is_uniform
    assert found.has_value()
    found.set_value("a", time_step=0, z_slice=0)
    found.set_value("b", time_step=1, z_slice=0)
    found.set_value("c", time_step=0, z_slice=1)
    assert found.get_value() == found.value == "a"
    assert found.get_value(1, 0) == "b"
    assert found.get_value(time_step=0, z_slice=1) == "c"
    assert found.get_value(time_step=1) == "b"
    assert found.get_value(z_slice=1) == "c"
    assert found.get_value(time_step=1, z_slice=1) == ""
    assert not found.has_value(time_step=1, z_slice=1)
    assert not found.has_value(time_step=7)
    assert not found.has_value(z_slice=7)
    assert not found.is_uniform
    assert found.get_available_time_steps() == [0, 1]
    assert found.get_available_time_steps(1) == [0]
    assert found.get_available_slices() == [0, 1]
    assert found.get_available_slices(time_step=1) == [0]
    assert found.get_available_slices(9) == []


def test_setting_a_whole_step_slice_or_everything():
    found = position()
    found.set_value("step 5", time_step=5)
    assert found.get_value(time_step=5, z_slice=0) == "step 5"
    found.set_value("slice 10", z_slice=10)
    assert [found.get_value(step, 10) for step in (0, 5)] == ["slice 10"] * 2
    found.set_value("all of step 5", time_step=5)
    assert [found.get_value(5, slice_) for slice_ in (0, 10)] == ["all of step 5"] * 2
    assert found.get_value(0, 0) == "initial"
    found.set_value("one")
    assert found.to_dict() == {"type": "TemporoSpatialStringProperty", "entries": [(0, 0, "one")]}


def test_owners_give_the_object_for_texts_by_slice():
    notes, found = mitk.PropertyList(), position()
    notes.set_property("DICOM.0020.1041", found)
    assert notes.get_property("DICOM.0020.1041") is found


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: position().get_value(time_step=-1), TypeError, "must not be negative"),
        (lambda: position().get_value(z_slice=0.5), TypeError, "slice must be a whole number"),
        (lambda: position().set_value(5), TypeError, "holds texts, got 5"),
        (
            lambda: mitk.property_from_dict({"type": "TemporoSpatialStringProperty", "entries": [(1, 2)]}),
            mitk.RequestError,
            r"entries must be \(time step, slice, text\)",
        ),
    ],
)
def test_bad_positions_are_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()


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
