"""``docs/mitk_api.md`` names what exists, and says of each name how it compares."""

from functools import reduce
from pathlib import Path

import pytest

import mitk_rs

PAGE = Path(__file__).parents[2] / "docs" / "mitk_api.md"
ROWS = [line.strip("| ").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("name", [row[0].strip("`") for row in ROWS])
def test_the_name_exists(name):
    assert reduce(getattr, name.split("."), mitk_rs) is not None


def test_rows_compare():
    assert {row[1] for row in ROWS} == {"same", "superset", "different"}
    assert len({row[0] for row in ROWS}) == len(ROWS) > 100


def test_a_difference_has_its_reason():
    assert all(len(row) > 2 and row[2] for row in ROWS if row[1] == "different")
