"""Every script of the gallery and every tutorial runs and draws something."""

from pathlib import Path

import pytest

import mitk_rs as mitk

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = sorted([*(ROOT / "examples").glob("plot_*.py"), *(ROOT / "docs" / "tutorials").glob("plot_*.py")])


@pytest.fixture
def pyplot(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib", reason="the scripts of the gallery draw with matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    monkeypatch.setattr(pyplot, "show", lambda: None)
    pyplot.close("all")
    yield pyplot
    pyplot.close("all")
    mitk.set_num_threads(None)


def test_there_are_a_gallery_and_five_tutorials():
    folders = [script.parent.name for script in SCRIPTS]
    assert folders.count("examples") >= 15
    assert folders.count("tutorials") == 5


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_script_runs_and_draws(script, pyplot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), {"__name__": "__main__"})
    assert pyplot.get_fignums()
    assert list(tmp_path.iterdir()) == []


def test_the_notebook_runs_and_prints_what_it_shows():
    import nbclient
    import nbformat

    kept = nbformat.read(ROOT / "examples" / "notebook.ipynb", as_version=4)
    again = nbformat.from_dict(kept)
    nbclient.NotebookClient(again, timeout=120, record_timing=False).execute()
    for before, after in zip(kept.cells, again.cells, strict=True):
        assert printed(before) == printed(after)
    pictures = [output for cell in again.cells for output in cell.get("outputs", []) if "image/png" in str(output)]
    assert len(pictures) >= 4


def printed(cell):
    """What a cell prints, which may come in several pieces."""
    return "".join(output.text for output in cell.get("outputs", []) if output.output_type == "stream")
