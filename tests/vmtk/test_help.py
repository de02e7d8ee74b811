"""Help of VMTK's names equals VMTK's published tables."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mitk_rs.vmtk import SCRIPTS, make_script

PUBLISHED = Path(__file__).with_name("published")
NAMES = sorted(path.stem for path in PUBLISHED.glob("*.html"))


def tables(page: str) -> list[list[tuple[str, ...]]]:
    """The rows of every table of a page, without the header rows."""
    found = re.findall(r"<table.*?</table>", page, re.DOTALL)
    return [
        [
            tuple(re.findall(r"<td>(.*?)</td>", row, re.DOTALL))
            for row in re.findall(r"<tr>(.*?)</tr>", table, re.DOTALL)
        ][1:]
        for table in found
    ]


def test_both_published_pages_are_here() -> None:
    assert NAMES == ["vmtkimageinitialization", "vmtkimagemipviewer"]


@pytest.mark.parametrize("name", NAMES)
def test_html_regenerates_the_published_tables(name: str) -> None:
    published = (PUBLISHED / f"{name}.html").read_text()
    made = make_script(name).GetHTMLUsageString()
    assert tables(made) == tables(published)
    assert [len(table) for table in tables(made)] == [len(table) for table in tables(published)]
    content = published.partition("---\n")[2].partition("---\n")[2]
    assert "".join(made.split()) == "".join(content.split())


@pytest.mark.parametrize("name", NAMES)
def test_the_text_shows_the_same_rows(name: str) -> None:
    text = " ".join(make_script(name).GetUsageString().split())
    inputs, outputs = tables((PUBLISHED / f"{name}.html").read_text())
    for option, attribute, kind, length, value_range, default, doc in inputs + outputs:
        row = f"-{option} {attribute} ({kind},{length})"
        if value_range.startswith("["):
            row += f" in {value_range[1:-1].split(',')}".replace('"', "").replace("''", "'")
        elif value_range:
            row += " >= 0.0"
        if default:
            row += f"; default={default}"
        row += f": {doc}" if doc else ""
        assert " ".join(row.split()) in text, row


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_defaults_in_the_help_do_not_follow_the_attributes(name: str) -> None:
    script = make_script(name)
    before = script.GetUsageString()
    for member in script.InputMembers + script.ExtensionMembers:
        if member.is_builtin:
            setattr(script, member.MemberName, "changed")
    assert script.GetUsageString() == before


@pytest.mark.parametrize("name", sorted(SCRIPTS))
def test_every_script_has_its_name_description_and_class(name: str) -> None:
    script = make_script(name)
    assert script.ScriptName == name
    assert type(script).__name__.lower() == name
    assert script.ScriptDoc or script.Summary
    assert type(script).__doc__
    text = script.GetUsageString()
    assert max(map(len, text.splitlines())) <= 70
    options = [member.OptionName for member in script.InputMembers + script.ExtensionMembers]
    assert len(options) == len(set(options))
