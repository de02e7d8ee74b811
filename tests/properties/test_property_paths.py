"""Structured names: property key paths and DICOM tag paths."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import mitk_rs as mitk

Path = mitk.PropertyKeyPath
Tags = mitk.DICOMTagPath


def test_paths_grow_by_slashes_and_brackets():
    path = Path("series") / "image"
    assert str(path) == "series.image"
    assert str(path[5]) == "series.image.[5]"
    assert str(path["*"]) == "series.image.[*]"
    assert str(path / "*") == "series.image.*"
    assert str(path / "[5]") == str(path[5])
    assert str(path / "[*]" / "name") == "series.image.[*].name"
    assert str(path / Path("a") / Path.from_string("b.c")) == "series.image.a.b.c"
    assert str(path) == "series.image", "paths do not change"
    assert len(path[5] / "name") == 3


def test_explicit_and_empty():
    assert Path().is_empty
    assert Path().is_explicit
    assert len(Path()) == 0
    assert str(Path()) == ""
    assert Path("a")[3].is_explicit
    assert not Path("a")["*"].is_explicit
    assert not (Path("a") / "*").is_explicit


def test_nodes_tell_type_name_and_selection():
    path = Path("a") / "b" / "[5]" / "c" / "[*]" / "*"
    assert path.get_nodes() == [
        {"type": 1, "name": "a", "selection": 0},
        {"type": 2, "name": "b", "selection": 5},
        {"type": 3, "name": "c", "selection": 0},
        {"type": 4, "name": "", "selection": 0},
    ]


names = st.text("abcXYZ019- _", min_size=1, max_size=8)
items = st.one_of(st.just(""), st.just(".[*]"), st.integers(0, 99).map(".[{}]".format))
dotted = st.lists(st.one_of(st.just("*"), st.tuples(names, items).map("".join)), max_size=5).map(".".join)


@given(dotted)
def test_texts_and_paths_are_the_same(text):
    path = Path.from_string(text)
    assert str(path) == text
    assert Path.from_string(str(path)) == path
    assert hash(Path.from_string(text)) == hash(path)


@pytest.mark.parametrize("path", [Path("a") / "b", Tags(0x0010, 0x0010), Tags()])
def test_copies_are_equal(path):
    for twin in (copy.copy(path), copy.deepcopy(path)):
        assert twin == path
        assert twin is not path
    assert pickle.loads(pickle.dumps(path)) == path


def test_kinds_of_paths_differ():
    assert Path("a") != Tags(0x0010, 0x0010)
    assert Path() != Tags()
    assert Path.from_string("a.b.c") != Path.from_string("a.b.d")
    assert repr(Path("a")) == "<mitk.PropertyKeyPath: a>"


def test_indexed_properties_are_found_by_number():
    notes = mitk.PropertyList()
    for number in (10, 2, 0):
        notes.set_property(f"seq.[{number}].name", "x")
    for other in ("seq.[1].name.more", "seq.[x].name", "seqx[3].name", "other"):
        notes.set_property(other, "x")
    path = Path("seq") / "[*]" / "name"
    assert list(mitk.find_indexed_properties(notes, path).items()) == [
        (0, "seq.[0].name"),
        (2, "seq.[2].name"),
        (10, "seq.[10].name"),
    ]
    notes.set_property("a.[1].b.[7].c", "x")
    assert mitk.find_indexed_properties(notes, Path("a")["*"] / "b" / "[7]" / "*") == {1: "a.[1].b.[7].c"}
    assert mitk.find_indexed_properties(notes, Path("none")["*"]) == {}


def test_names_are_matched_literally():
    notes = mitk.PropertyList()
    notes.set_property("a+b.[1]", "x")
    notes.set_property("aab.[2]", "x")
    assert mitk.find_indexed_properties(notes, Path("a+b")["*"]) == {1: "a+b.[1]"}


@pytest.mark.parametrize("path", [Path("a"), Path("a")["*"] / "b" / "[*]"])
def test_exactly_one_wildcard_is_needed(path):
    with pytest.raises(ValueError, match=r"exactly one \[\*\] wildcard, got [02]"):
        mitk.find_indexed_properties(mitk.PropertyList(), path)


def test_tag_paths_from_numbers_tags_and_texts():
    path = Tags(0x0010, 0x0010)
    assert path == Tags(mitk.DICOMTag(0x0010, 0x0010)) == Tags.from_string("(0010,0010)")
    assert path == Tags.from_property_name("DICOM.0010.0010")
    assert str(path) == "(0010,0010)"
    assert path.to_property_name() == "DICOM.0010.0010"
    assert len(path) == 1
    assert Tags().is_empty
    assert mitk.DICOMTag(0x0010, 0x0020).group == 0x0010
    assert repr(mitk.DICOMTag(0x0020, 0x000E)) == "<mitk.DICOMTag: (0020,000E)>"
    assert mitk.DICOMTag.__module__ == Tags.__module__ == "mitk_rs"


def test_tag_paths_into_sequences():
    path = Tags(0x0008, 0x1115)[2] / Tags(0x0020, 0x000E)
    assert str(path) == "(0008,1115)[2].(0020,000E)"
    assert path.to_property_name() == "DICOM.0008.1115.[2].0020.000E"
    assert path.get_nodes() == [
        {"type": 2, "tag": (0x0008, 0x1115), "selection": 2},
        {"type": 1, "tag": (0x0020, 0x000E), "selection": 0},
    ]
    assert not Tags(0x0008, 0x1115)["*"].is_explicit


tags = st.tuples(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF))
brackets = st.one_of(st.just(""), st.just("[*]"), st.integers(0, 99).map("[{}]".format))
tag_texts = st.tuples(tags, brackets).map(lambda t: f"({t[0][0]:04X},{t[0][1]:04X}){t[1]}")


@given(st.lists(st.one_of(st.just("*"), tag_texts), max_size=4).map(".".join))
def test_tag_texts_and_property_names_read_back(text):
    path = Tags.from_string(text)
    assert str(path) == text
    assert Tags.from_property_name(path.to_property_name()) == path


def test_lower_case_numbers_are_understood():
    assert Tags.from_property_name("DICOM.0020.000e") == Tags.from_string("(0020,000E)")


def test_readable_names():
    assert Tags(0x0010, 0x0010).to_readable_name() == "Patient Name"
    assert Tags(0x0010, 0x0010).to_readable_name(include_tags=True) == "Patient Name (0010,0010)"
    path = Tags(0x0008, 0x1115)[0] / Tags(0x0020, 0x000E)
    assert path.to_readable_name() == "Referenced Series Sequence[0].Series Instance UID"
    assert Tags(0x0019, 0x1001).to_readable_name(include_tags=True) == "(0019,1001)"
    assert Tags.from_string("*").to_readable_name() == "*"


@pytest.mark.parametrize(
    ("act", "error", "message"),
    [
        (lambda: Path() / "[*]", mitk.RequestError, r"\[\*\] must follow an element"),
        (lambda: Path("a")[1] / "[2]", mitk.RequestError, r"\[2\] must follow an element, got 'a.\[1\]'"),
        (lambda: Path()[1], IndexError, "empty path"),
        (lambda: Path()["*"], IndexError, "empty path"),
        (lambda: Path("a")["x"], mitk.RequestError, "an item number or"),
        (lambda: Path("a")[-1], mitk.RequestError, "must not be negative"),
        (lambda: Path("a")[0.5], TypeError, "item must be a whole number"),
        (lambda: Path("a") / "", mitk.RequestError, "must be a name"),
        (lambda: Path("a") / "[x]", mitk.RequestError, "must be a name"),
        (lambda: Path("a") / 5, TypeError, "must be text, got 5"),
        (lambda: Path.from_string("a..b"), mitk.RequestError, "must be a name"),
        (lambda: Tags.from_string("(0010;0010)"), mitk.RequestError, r"must look like \(0010,0010\)"),
        (lambda: Tags.from_property_name("0010.0010"), mitk.RequestError, "must look like DICOM.0010.0010"),
        (lambda: Tags.from_property_name("DICOM.0010"), mitk.RequestError, "must look like"),
        (lambda: Tags.from_property_name("DICOM.0010.00101"), mitk.RequestError, "must look like"),
        (lambda: Tags(5), TypeError, "takes a DICOMTag or group and element"),
        (lambda: Tags(0x10000, 0), mitk.RequestError, "group of a DICOM tag must be 0 to 0xFFFF, got 0x10000"),
        (lambda: mitk.DICOMTag(0, -1), mitk.RequestError, "element of a DICOM tag"),
        (lambda: Tags() / "x", TypeError, "unsupported operand"),
    ],
)
def test_bad_input_is_refused(act, error, message):
    with pytest.raises(error, match=message):
        act()
