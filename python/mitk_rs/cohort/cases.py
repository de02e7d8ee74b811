"""The cases of a batch: rows of a table, each with a file and the arguments of ``initialize_level_set``."""

from __future__ import annotations

import csv
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from os import PathLike, fspath
from pathlib import Path
from typing import Any

from mitk_rs._validation import check_kind, flag
from mitk_rs.errors import FileError, FileMissingError, RequestError, UsageError, brief, reason

__all__ = ["COLUMNS", "READING", "SEGMENT_COLUMNS", "Case", "Rows", "read_cases"]

Rows = str | PathLike[str] | Iterable[Mapping[str, Any]]

# A table larger than this is a scan that was given by mistake.
_MAX_TABLE_BYTES = 64 << 20
_MAX_NAME = 200


@dataclass(frozen=True, kw_only=True)
class Case:
    """One row of the table."""

    name: str
    """Stem of the files that the case writes; different for every case."""

    input: str
    """Absolute path of the image: a file, or a folder with a DICOM series."""

    arguments: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of :func:`mitk_rs.initialize_level_set` or :func:`mitk_rs.segment_vessel`, and ``series``,
    ``allow_gaps`` and ``allow_other_folders`` of :func:`mitk_rs.read_image`."""

    error: str | None = None
    """What is wrong with the row itself; such a case is recorded as failed."""


def _points(text: str) -> str | list[tuple[float, float, float]]:
    from mitk_rs.seeds import is_seed_file

    if is_seed_file(text):
        return text
    numbers = [_number(word) for word in text.replace(";", " ").replace(",", " ").split()]
    if len(numbers) % 3:
        raise ValueError(f"needs three numbers for each point, got {len(numbers)}")
    return list(zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True))


def _lower(text: str) -> float | str:
    return "auto" if text.lower() == "auto" else _number(text)


def _number(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"expects a number, got {text}") from None
    if math.isnan(value):
        raise ValueError("expects a number, got nan")
    return value


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"expects a whole number, got {text}") from None


def _switch(text: str) -> bool:
    words = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    if text.lower() not in words:
        raise ValueError(f"expects 1 or 0, got {text}")
    return words[text.lower()]


Columns = dict[str, tuple[str, Callable[[str], Any]]]
# Columns about the file, which `read_image` takes; the others are arguments of the computation.
READING = ("series", "allow_gaps", "allow_other_folders")
# How the text of a column is read, where it is not a number.
_READERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("method", "combine", "compat", "points", "series"), str),
    **dict.fromkeys(("negate", "sigmoid", "allow_gaps", "allow_other_folders"), _switch),
    **dict.fromkeys(("iterations", "time_step"), _whole),
    **dict.fromkeys(("source", "target"), _points),
    "lower": _lower,
}


def _columns(names: str, **arguments: str) -> Columns:
    """Columns, and the arguments that have other names."""
    arguments |= {"source": "sources", "target": "targets"}
    columns = (*names.split(), "points", "time_step", *READING)
    return {name: (arguments.get(name, name), _READERS.get(name, _number)) for name in columns}


#: Column of the table: the argument it gives and how its text is read. Spellings are those of `mitk-rs init`.
COLUMNS = _columns(
    "method source target lower upper isosurface negate combine compat far_value stop_time target_offset",
    lower="lower_threshold",
    upper="upper_threshold",
)
#: The same for segment_vessel; spellings are those of `mitk-rs segment`.
SEGMENT_COLUMNS = _columns(
    "method source target lower upper iterations propagation curvature advection sigma sigmoid stop_rms",
    sigma="feature_sigma",
    stop_rms="max_rms",
)


def read_cases(cases: Rows, *, segment: bool = False) -> list[Case]:
    """The cases of a table.

    Parameters
    ----------
    cases
        A ``.csv`` file with a header line, or mappings with the same keys. ``input`` (or ``file``) names the image; a
        relative name counts from the folder of the table. ``name`` is the stem of the results (default: that of the
        input). The other columns are those of :data:`COLUMNS` and mean what the options of ``mitk-rs init`` mean;
        dashes may stand for underscores. Points are ``i j k``, several are separated by ``;``, or a file of points
        (``seeds.mrk.json:inlet``). An empty cell leaves the default.
    segment
        Whether the columns are those of :data:`SEGMENT_COLUMNS`, the options of ``mitk-rs segment``.

    Returns
    -------
    list of Case
        A row with a value that cannot be read gives a case with an ``error``.

    Raises
    ------
    FileError, FileMissingError
        The table cannot be read.
    UsageError
        A column is unknown, ``input`` is missing, or there is no row.
    RequestError
        Two rows have the same name, or a name cannot be that of a file.

    Examples
    --------
    >>> [case] = read_cases([{"input": "/data/scan.mha", "method": "threshold", "lower": 700}])
    >>> case.name, case.arguments
    ('scan', {'method': 'threshold', 'lower_threshold': 700.0})
    """
    if isinstance(cases, str | PathLike):
        table = Path(fspath(cases))
        rows, folder = _read_table(table), table.resolve().parent
    else:
        expected = "the path of a table or a list of dictionaries"
        check_kind(cases, Iterable, "cases", expected)
        rows = list(cases)
        for row in rows:
            check_kind(row, Mapping, "cases", expected)
        folder = Path.cwd()
    if not rows:
        raise UsageError("there are no cases: the table needs a header line and one line for each case")
    columns = SEGMENT_COLUMNS if flag(segment, "segment") else COLUMNS
    _check_columns({key for row in rows for key in row}, columns)
    found = [_case(number, row, folder, columns) for number, row in enumerate(rows, 1)]
    _check_unique(found)
    return found


def _read_table(path: Path) -> list[Mapping[str, Any]]:
    try:
        if path.stat().st_size > _MAX_TABLE_BYTES:
            raise FileError(f"cannot read {path}: a table of cases has at most {_MAX_TABLE_BYTES >> 20} MB")
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise FileMissingError(f"cannot read {path}: no such file") from error
    except UnicodeDecodeError as error:
        raise FileError(f"cannot read {path}: not text in UTF-8") from error
    except ValueError as error:
        raise FileError(f"cannot read {brief(str(path))}: not the name of a file") from error
    except OSError as error:
        raise FileError(f"cannot read {path}: {reason(error)}") from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    try:
        delimiter = ";" if lines and ";" in lines[0] and "," not in lines[0] else ","
        reader = csv.DictReader(lines, delimiter=delimiter, strict=True, restkey="")
        rows: list[Mapping[str, Any]] = list(reader)
    except csv.Error as error:
        raise FileError(f"cannot read {path}: {error}") from error
    for number, row in enumerate(rows, 1):
        if "" in row:
            raise FileError(f"cannot read {path}: case {number} has more cells than the header line has columns")
    return rows


def _column(key: Any, columns: Columns) -> str:
    name = str(key).strip().lower().lstrip("-").replace("-", "_").replace(" ", "_")
    aliases = {argument: column for column, (argument, _) in columns.items()} | {"file": "input"}
    return aliases.get(name, name)


def _check_columns(keys: set[Any], columns: Columns) -> None:
    names = {_column(key, columns) for key in keys}
    unknown = sorted(names - {"name", "input", *columns})
    if unknown:
        raise UsageError(f"unknown column {unknown[0]}: allowed are name, input, {', '.join(columns)}")
    if "input" not in names:
        raise UsageError("the column input is missing: it names the image of each case")


def _case(number: int, row: Mapping[str, Any], folder: Path, columns: Columns) -> Case:
    cells = {_column(key, columns): value for key, value in row.items() if value is not None and str(value).strip()}
    if "input" not in cells:
        raise UsageError(f"case {number} has no input")
    source = folder / str(cells.pop("input")).strip()
    name = _name(str(cells.pop("name", "")).strip() or _stem(source), number)
    arguments: dict[str, Any] = {}
    for column, value in cells.items():
        argument, read = columns[column]
        try:
            arguments[argument] = _value(read, value, folder)
        except ValueError as error:
            return Case(name=name, input=str(source), error=f"{column} {error}")
    return Case(name=name, input=str(source), arguments=arguments)


def _value(read: Callable[[str], Any], value: Any, folder: Path) -> Any:
    """What a cell holds. Points may also be triples of numbers; relative names of their files count from the folder."""
    if read is not _points:
        return read(str(value).strip())
    if not isinstance(value, str | PathLike):
        return [tuple(float(number) for number in point) for point in value]
    points = _points(fspath(value).strip())
    return str(folder / points) if isinstance(points, str) else points


def _stem(path: Path) -> str:
    name = path.name
    return name[: -len(".nii.gz")] if name.lower().endswith(".nii.gz") else path.stem


def _name(name: str, number: int) -> str:
    wrong = "/" in name or "\\" in name or name.startswith(".") or not name.isprintable() or len(name) > _MAX_NAME
    if wrong or name in ("", "index", "summary"):
        raise RequestError(
            f"case {number} is named {brief(name)}: a name is the stem of files, without slashes, not index or "
            f"summary, of at most {_MAX_NAME} characters"
        )
    return name


def _check_unique(cases: list[Case]) -> None:
    # File systems may ignore the case of letters.
    counts = Counter(case.name.casefold() for case in cases)
    for number, case in enumerate(cases, 1):
        if counts[case.name.casefold()] > 1:
            raise RequestError(
                f"case {number} is named {case.name} and so is another: give each its own in the column name"
            )
