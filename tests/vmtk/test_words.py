"""How text becomes words, segments and options."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitk_rs.errors import UsageError
from mitk_rs.vmtk.options import Option, read_options, split_segments, split_text


def options(*words: object, numbers: tuple[str, ...] = (), long_options: tuple[str, ...] = ()) -> dict[str, Option]:
    return read_options(words, is_number=numbers.__contains__, long_options=long_options).options


def test_white_space_separates_and_double_quotes_group() -> None:
    assert split_text('a  -b "two words"\t"" c') == ["a", "-b", "two words", "", "c"]


def test_apostrophes_backslashes_and_dollars_are_ordinary() -> None:
    assert split_text(r"-ifile it's C:\new\table.vti $HOME `x`") == [
        "-ifile",
        "it's",
        r"C:\new\table.vti",
        "$HOME",
        "`x`",
    ]


def test_a_stray_quote_is_an_error() -> None:
    with pytest.raises(UsageError, match="quote"):
        split_text('-ifile "a.vti')


def test_objects_replace_names_in_braces() -> None:
    image = object()
    assert split_text("vmtkimagewriter -i {image}", {"image": image}) == ["vmtkimagewriter", "-i", image]
    with pytest.raises(UsageError, match=r"\{other\}"):
        split_text("vmtkimagewriter -i {other}", {"image": image})


def test_pipe_cuts_and_may_end_the_line() -> None:
    segments = split_segments(["a/b/vmtkimagereader.py", "-ifile", "x", "--pipe", "vmtkimagewriter", "--pipe"])
    assert [(segment.name, segment.words) for segment in segments] == [
        ("vmtkimagereader", ("-ifile", "x")),
        ("vmtkimagewriter", ()),
    ]


@pytest.mark.parametrize("words", [[], ["--pipe"], ["a", "--pipe", "--pipe", "b"]])
def test_an_empty_part_is_an_error(words: list[str]) -> None:
    with pytest.raises(UsageError, match="no script name"):
        split_segments(words)


def test_an_empty_part_is_named_by_its_number() -> None:
    with pytest.raises(UsageError, match="in part 2 of the pype"):
        split_segments(["a", "--pipe", "--pipe", "b"])


def test_segments_and_options_never_change() -> None:
    """They are shared by every script that refers to them."""
    with pytest.raises(FrozenInstanceError):
        split_segments(["a"])[0].name = "b"
    with pytest.raises(FrozenInstanceError):
        options("-l", "1")["l"].pushed = True


def test_a_letter_starts_an_option_whatever_follows() -> None:
    assert list(options("-x1", "5", "-l2norm")) == ["x1", "l2norm"]


def test_an_option_with_two_dashes_is_not_pushed() -> None:
    assert options("--lower", "5", long_options=("lower",)) == {"lower": Option("lower", ("5",), pushed=False)}


@pytest.mark.parametrize("word", ["FILE", "BROWSER"])
def test_placeholders_for_dialogs_are_refused(word: str) -> None:
    with pytest.raises(UsageError, match=word):
        split_segments(["vmtkimagereader", "-ifile", word])


def test_negative_numbers_are_values() -> None:
    assert options("-l", "-5", "-1e2", "-.5")["l"].values == ("-5", "-1e2", "-.5")


def test_signed_infinity_is_a_value_of_numeric_options_only() -> None:
    assert options("-l", "-inf", "-NaN", numbers=("l",))["l"].values == ("-inf", "-NaN")
    assert list(options("-l", "-inf")) == ["l", "inf"]


def test_a_flag_ends_the_values_of_an_option() -> None:
    words = read_options(("-l", "1", "--odd", "2"), is_number=lambda _: False)
    assert (words.options["l"].values, words.flags, words.strays) == (("1",), ["--odd"], ["2"])


def test_the_last_of_a_repeated_option_wins_and_is_told() -> None:
    words = read_options(("-l", "1", "-m", "2", "-l", "3"), is_number=lambda _: False)
    assert (words.options["l"].values, words.repeated) == (("3",), ["l"])


def test_a_trailing_at_sign_pushes() -> None:
    assert options("-l@", "20")["l"] == Option("l", ("20",), pushed=True)


def test_empty_words_are_values() -> None:
    assert options("-ifile", "")["ifile"].values == ("",)


def test_long_spelling_is_understood_where_the_script_says_so() -> None:
    assert options("--script", "f", long_options=("script",))["script"].values == ("f",)


@given(st.lists(st.text(alphabet=st.characters(exclude_characters='"', exclude_categories=("Cs",))), max_size=8))
def test_quoted_words_come_back_whole(words: list[str]) -> None:
    assert split_text(" ".join(f'"{word}"' for word in words)) == words


@given(st.lists(st.text(max_size=6), max_size=12))
def test_no_word_is_lost(words: list[str]) -> None:
    found = read_options(words, is_number=lambda _: False)
    kept = sum(1 + len(option.values) for option in found.options.values()) + len(found.flags) + len(found.strays)
    assert kept == len(words) or found.repeated


@pytest.mark.parametrize("word", ["{a", "a}"])
def test_half_a_brace_is_an_ordinary_word(word: str) -> None:
    assert split_text(word, {"a": 1}) == [word]


def test_a_name_without_a_substitution_is_told_with_those_there_are() -> None:
    with pytest.raises(UsageError, match=r"\{b\} is not among the keyword arguments \(none\)"):
        split_text("{b}", {})
    with pytest.raises(UsageError, match=r"\(a, c\)"):
        split_text("{b}", {"a": 1, "c": 2})


def test_a_script_name_is_text() -> None:
    with pytest.raises(UsageError, match="a script name is text, got int"):
        split_segments([5])


@pytest.mark.parametrize(("word", "starts"), [("-a", True), ("-a5", True), ("-5a", False), ("-é", False), ("-", True)])
def test_a_dash_and_a_letter_start_an_option(word: str, starts: bool) -> None:
    found = read_options(["-i", word], is_number=lambda _: False)
    assert (word[1:] in found.options) is starts
