"""``docs/errors.md``: every row is run, and raises what it says."""

import builtins
import re
from pathlib import Path

import numpy as np
import pytest

import mitk_rs as mitk

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"
ROWS = re.findall(r"^\| `(.+?)` \| `(\w+)` \| (.+?) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def class_of(name):
    return getattr(mitk, name, None) or getattr(builtins, name)


def test_the_tables_are_seen():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    assert len(ROWS) == sum(line.startswith("| `") for line in lines) > 40


@pytest.mark.parametrize(("code", "name", "message"), ROWS, ids=[row[0] for row in ROWS])
def test_row(code, name, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("empty.nrrd").write_bytes(b"")
    Path("text.nrrd").write_text("not an image")
    array = np.arange(9.0).reshape(3, 3)
    image, series = mitk.Image(array), mitk.Image(np.zeros((3, 4, 5, 6)))
    with pytest.raises(class_of(name), match=re.escape(message)) as caught:
        eval(code, {"mitk": mitk, "np": np, "array": array, "image": image, "series": series})
    assert "\n" not in str(caught.value)
    assert image.equals(mitk.Image(array))
    assert {path.name for path in tmp_path.iterdir()} == {"empty.nrrd", "text.nrrd"}
