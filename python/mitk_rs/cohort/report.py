"""The summaries of a batch: a table, JSON, and a contact sheet for a browser."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from mitk_rs.cohort.worker import as_json

__all__ = ["write_summaries"]

_FACTS = ("method", "inside", "volume_ml", "components", "level_time")
_COLUMNS = ("name", "status", "input", *_FACTS, "warnings", "error", "seconds")

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 system-ui, sans-serif; margin: 1.5rem; color: #222; background: #fafafa }}
main {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(22rem, 100%), 1fr)); gap: 1rem }}
article {{ background: #fff; border: 1px solid #ddd; border-radius: 6px; padding: .75rem; overflow-wrap: anywhere }}
article.failed {{ border-color: #b00020 }}
article img {{ width: 100%; background: #000 }}
h2 {{ font-size: 1rem; margin: 0 0 .5rem }}
.error {{ color: #b00020 }}
.warning {{ color: #7a5200 }}
</style>
</head>
<body>
<h1>{title}</h1>
<p>{counts}. Numbers: <a href="summary.csv">summary.csv</a>, <a href="summary.json">summary.json</a>.</p>
<main>
{cases}
</main>
</body>
</html>
"""


def write_summaries(folder: Path, records: list[dict[str, Any]]) -> None:
    """Write ``summary.csv``, ``summary.json`` and ``index.html``, all or none."""
    from mitk_rs.io.atomic import atomic_output, atomic_outputs

    with atomic_outputs():
        with atomic_output(folder / "summary.csv") as path, path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, _COLUMNS)
            table.writeheader()
            table.writerows(map(_row, records))
        with atomic_output(folder / "summary.json") as path:
            path.write_text(json.dumps(as_json(records), indent=1, allow_nan=False), encoding="utf-8")
        with atomic_output(folder / "index.html") as path:
            path.write_text(_page(records, folder.name), encoding="utf-8")


def _row(record: dict[str, Any]) -> dict[str, Any]:
    report = record["report"] or {}
    facts = {name: report.get(name) for name in _FACTS}
    warnings = "; ".join(report.get("warnings", ()))
    # A cell that begins like a formula would be run by spreadsheets.
    row = {**{name: record[name] for name in ("name", "status", "input", "error", "seconds")}, **facts}
    return {key: _cell(value) for key, value in {**row, "warnings": warnings}.items()}


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@") else value


def _page(records: list[dict[str, Any]], title: str) -> str:
    done = sum(record["status"] == "done" for record in records)
    counts = f"{len(records)} cases: {done} done, {len(records) - done} failed"
    return _PAGE.format(title=escape(title), counts=counts, cases="\n".join(_articles(records)))


def _articles(records: Iterable[dict[str, Any]]) -> Iterable[str]:
    for record in records:
        lines = [f'<article class="{record["status"]}">', f"<h2>{escape(record['name'])}</h2>"]
        picture = record["files"].get("picture")
        if picture:
            lines.append(
                f'<img loading="lazy" src="{quote(picture[0])}" alt="projections of {escape(record["name"])}">'
            )
        report = record["report"]
        if report:
            pieces = "1 piece" if report["components"] == 1 else f"{report['components']} pieces"
            lines.append(
                f"<p>{report['method']}: {report['volume_ml']:.4g} ml in {pieces}, {record['seconds']:.2f} s</p>"
            )
            lines += [f'<p class="warning">{escape(text)}</p>' for text in report["warnings"]]
        if record["error"]:
            lines.append(f'<p class="error">{escape(record["error"])}</p>')
        yield "\n".join([*lines, "</article>"])
