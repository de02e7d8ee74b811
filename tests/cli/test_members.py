"""The option tables: what they derive and how values are read."""

import math

import pytest

from mitk_rs.vmtk import make_script
from mitk_rs.vmtk.options import parse_bool, parse_float, parse_int
from mitk_rs.vmtk.tables import METHODS, TABLES

INIT, MIP = TABLES["vmtkimageinitialization"], TABLES["vmtkimagemipviewer"]


def options(rows):
    return [row.option for row in rows]


def outputs(name):
    return [member.OptionName for member in make_script(name).OutputMembers]


def test_init_has_every_option_of_vmtks_table_in_its_order():
    assert options(INIT.all_inputs()) == [
        "id", "handle", "disabled", "i", "ifile", "negate", "interactive", "method", "sourcepoints", "targetpoints",
        "upperthreshold", "lowerthreshold", "isosurface", "renderer", "olevelsetsfile", "osurfacefile",
    ]  # fmt: skip
    assert outputs("vmtkimageinitialization") == ["id", "handle", "isosurfacevalue", "olevelsets", "osurface"]


def test_mip_has_every_option_of_vmtks_table_in_its_order():
    assert options(MIP.all_inputs()) == [
        "id", "handle", "disabled", "i", "ifile", "array", "renderer", "sampledistance", "autosampledistance",
        "windowlevel", "display", "ofile",
    ]  # fmt: skip
    assert outputs("vmtkimagemipviewer") == ["id", "handle", "o"]


def test_file_options_are_generated_from_members_with_a_reader_or_writer():
    init, mip = ({row.option: row for row in table.all_inputs()} for table in (INIT, MIP))
    assert init["ifile"].attribute == "ImageInputFileName"
    assert init["olevelsetsfile"].attribute == "InitialLevelSetsOutputFileName"
    assert init["osurfacefile"].doc == "filename for the default Surface writer"
    assert mip["ofile"].attribute == "ImageOutputFileName"
    assert "ofile" not in init


def test_gnu_spellings_are_unique():
    flags = [flag for row in INIT.all_inputs() for flag in row.flags]
    assert len(flags) == len(set(flags))
    assert {row.option: row for row in INIT.all_inputs()}["method"].choices == METHODS


@pytest.mark.parametrize(("word", "value"), [("3", 3), ("-4", -4), ("3.0", 3), ("1e2", 100), ("+7", 7)])
def test_whole_numbers(word, value):
    assert parse_int(word) == value


@pytest.mark.parametrize("word", ["1.5", "abc", "inf", "nan", "", "0x10"])
def test_what_is_no_whole_number(word):
    with pytest.raises(ValueError, match=f"expects whole numbers, got {word}"):
        parse_int(word)


@pytest.mark.parametrize(("word", "value"), [("-1e2", -100.0), ("-.5", -0.5), ("-inf", -math.inf)])
def test_numbers(word, value):
    assert parse_float(word) == value
    assert math.isnan(parse_float("-nan"))


@pytest.mark.parametrize("word", ["abc", "", "1,5", "__import__('os')"])
def test_what_is_no_number(word):
    with pytest.raises(ValueError, match="expects a number, got"):
        parse_float(word)


@pytest.mark.parametrize("word", ["1", "yes", "TRUE", "on"])
def test_yes(word):
    assert parse_bool(word) is True


@pytest.mark.parametrize("word", ["0", "no", "False", "OFF"])
def test_no(word):
    assert parse_bool(word) is False


def test_neither_yes_nor_no():
    with pytest.raises(ValueError, match="expects 0 or 1"):
        parse_bool("2")
