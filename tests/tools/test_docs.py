"""The tool that puts the documentation site together."""

import importlib.util
from pathlib import Path

import pytest

from mitk_rs.cli.main import build_parsers
from mitk_rs.vmtk import SCRIPTS
from mitk_rs.vmtk.tables import TABLES

TOOL = Path(__file__).resolve().parents[2] / "tools" / "docs.py"
specification = importlib.util.spec_from_file_location("docs_tool", TOOL)
docs = importlib.util.module_from_spec(specification)
specification.loader.exec_module(docs)

PLACES = {"docs/howto/a.md": "howto/a.md", "docs/b.md": "b.md", "CHANGELOG.md": "project/changelog.md"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("[b](../b.md#part)", "[b](../b.md#part)"),
        ("[c](../../CHANGELOG.md)", "[c](../project/changelog.md)"),
        ("![p](../images/p.png)", "![p](../images/p.png)"),
        ("see [`x.py`](../../python/x.py)", "see `x.py`"),
        ("[w](https://example.org/a.md) [s](#s)", "[w](https://example.org/a.md) [s](#s)"),
        ("```\n[c](../../CHANGELOG.md)\n```\n", "```\n[c](../../CHANGELOG.md)\n```\n"),
    ],
)
def test_links_lead_to_pages_of_the_site(before, after):
    assert docs.with_links_of_the_site(before, "docs/howto/a.md", PLACES) == after


def test_the_page_of_commands_has_every_option():
    page = docs.commands_page()
    for name, parser in build_parsers()[1].items():
        assert f"\n## mitk-rs {name}\n" in page
        for action in parser._actions:
            assert all(f"`{option}`" in page for option in action.option_strings)
    for name in SCRIPTS:
        assert f"\n### {name}\n" in page
        assert all(f"`-{member.option}`" in page for member in TABLES[name].all_inputs())


def test_every_public_name_has_a_place_in_the_api():
    import mitk_rs

    modules = [name for name, home in mitk_rs._HOMES.items() if home == "mitk_rs"]
    found = {full for name in modules for _, full in docs.public_names(name)}
    names = {f"mitk_rs.{name}" for name, home in mitk_rs._HOMES.items() if home not in ("mitk_rs", "mitk_rs._core")}
    assert names <= found


def test_broken_links_and_the_internet_are_reported(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html#here">b</a><a href="b.html#gone">b</a><a href="c.html">c</a>')
    (tmp_path / "b.html").write_text('<p id="here"><script src="https://example.org/x.js"></script>')
    assert sorted(docs.broken_links(tmp_path)) == [
        "a.html: b.html#gone: the page does not have this anchor",
        "a.html: c.html does not exist",
        "b.html: loads https://example.org/x.js",
    ]


def test_every_page_of_the_site_exists():
    places = docs.site_places()
    assert [page for page in places if not (docs.ROOT / page).is_file()] == []
    assert len(set(places.values())) == len(places)


@pytest.mark.parametrize(
    ("name", "left_out"),
    [("mitk_rs.Image", "object"), ("mitk_rs.Geometry3D", "BaseGeometry, object")],
)
def test_what_parts_without_an_entry_give_a_class_is_documented_with_it(name, left_out):
    assert f"   :inherited-members: {left_out}" in docs.documented(name)
