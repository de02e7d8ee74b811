"""How the words behind an option become its value, and what is refused."""

from __future__ import annotations

import pytest

from mitk_rs.errors import UsageError
from mitk_rs.vmtk.options import from_row, pypeMember


def member(kind: str, length: int = 1, value_range: str = "") -> pypeMember:
    return pypeMember("Attribute", "opt", kind, length, value_range)


@pytest.mark.parametrize(
    ("kind", "word", "value"),
    [
        ("int", "3", 3),
        ("int", "-3", -3),
        ("int", "3.0", 3),
        ("float", "-.5", -0.5),
        ("float", "-1e2", -100.0),
        ("float", "inf", float("inf")),
        ("bool", "1", 1),
        ("bool", "no", 0),
        ("bool", "True", 1),
        ("bool", "off", 0),
        ("str", "it's \\n", "it's \\n"),
        ("str", "", ""),
    ],
)
def test_words_become_values(kind: str, word: str, value: object) -> None:
    got = member(kind).value_of([word])
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("kind", "word", "text"),
    [
        ("int", "1.5", "-opt expects whole numbers, got 1.5"),
        ("float", "abc", "-opt expects a number, got abc"),
        ("bool", "2", "-opt expects 0 or 1"),
        ("bool", "maybe", "got maybe"),
        ("int", "__import__('os')", "got __import__"),
    ],
)
def test_other_words_are_refused_by_name(kind: str, word: str, text: str) -> None:
    with pytest.raises(UsageError) as caught:
        member(kind).value_of([word])
    assert text in str(caught.value)


def test_the_count_is_checked() -> None:
    with pytest.raises(UsageError, match="-opt needs 2 values, got 1"):
        member("float", 2).value_of(["1"])
    with pytest.raises(UsageError, match="-opt needs 1 value, got 0"):
        member("str").value_of([])


def test_any_number_may_be_none() -> None:
    assert member("int", -1).value_of([]) == []


def test_points_come_in_triples() -> None:
    points = member("int", -1)
    points.Multiple = 3
    with pytest.raises(UsageError, match="2 values, need a multiple of 3"):
        points.value_of(["1", "2"])


@pytest.mark.parametrize(
    ("value_range", "text"),
    [("(0.0,)", ">= 0.0"), ("(,1.0)", "<= 1.0"), ("(0.0,1.0)", ">= 0.0 and <= 1.0"), ("(0,9,1)", ">= 0.0 and <= 9.0")],
)
def test_a_closed_interval_is_written_in_words(value_range: str, text: str) -> None:
    assert member("float", 1, value_range).GetRangeRepresentation() == text


def test_the_ends_of_an_interval_are_inside() -> None:
    inside = member("float", 1, "(0.0,1.0)")
    assert [inside.IsInRange(value) for value in (0.0, 1.0, -1e-9, 1.1, float("nan"))] == [
        True,
        True,
        False,
        False,
        False,
    ]
    with pytest.raises(UsageError, match=r"-opt must be >= 0.0 and <= 1.0, got -1.0"):
        inside.value_of(["-1"])


def test_an_enumeration_is_exact() -> None:
    chosen = member("str", 1, '["a","b"]')
    assert chosen.value_of(["a"]) == "a"
    with pytest.raises(UsageError, match="-opt must be one of a, b, got A"):
        chosen.value_of(["A"])


def test_an_object_option_does_not_take_text() -> None:
    image = pypeMember("Image", "i", "vtkImageData", 1, "", "", "vmtkimagereader")
    with pytest.raises(UsageError, match=r"-ifile x\.vti"):
        image.value_of(["x.vti"])
    value = object()
    assert image.value_of([value]) is value


def test_a_list_object_stands_for_its_values() -> None:
    assert member("float", 2).value_of([[1.0, 2.0]]) == [1.0, 2.0]


def test_rows_of_vmtk_become_members() -> None:
    row = from_row(["Image", "i", "vtkImageData", 1])
    assert (row.MemberName, row.MemberDoc, row.MemberIO) == ("Image", "", "")
    with pytest.raises(UsageError, match="4 to 7"):
        from_row(["Image"])
