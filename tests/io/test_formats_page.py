"""``docs/reference/formats.md`` shows the table that the round trips prove."""

from pathlib import Path

from file_formats import COUNTS, HOLDS, Row

from mitk_rs.cli.files import IMAGE_SUFFIXES
from mitk_rs.io.formats import VOLUME_SUFFIXES

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "formats.md"


def shown(cells: list[str]) -> Row:
    dimensions, types, components, geometry, entries, voxels = cells
    return Row(
        dimensions=tuple(map(int, dimensions.split())),
        types=tuple(types.split()),
        components=COUNTS if components == "any" else tuple(map(int, components.split())),
        geometry=geometry,
        entries=entries == "yes",
        lossy=voxels == "lossy",
    )


def test_the_page_shows_the_proven_table():
    rows = [line.strip("| \n").split(" | ") for line in PAGE.read_text().splitlines() if line.startswith("| `.")]
    assert {cells[0].strip("`"): shown(cells[1:]) for cells in rows} == HOLDS


def test_commands_name_the_endings_of_the_table():
    """They have a tuple of their own, because ``--help`` does not load NumPy."""
    assert IMAGE_SUFFIXES == VOLUME_SUFFIXES
