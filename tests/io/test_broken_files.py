"""A thousand broken files: never a crash, a hang, a foreign exception, a descriptor left open, or voxels made up.

``tests/support/broken_files.py`` makes them and judges; ``make fuzz`` runs a hundred thousand.
"""

import dataclasses
import os

import broken_files
import numpy as np
import pytest

import mitk_rs as mitk

# Other files than those of ``make fuzz``, which begins with case 0.
FIRST = 10_000_000


@pytest.mark.slow
@pytest.mark.parametrize("part", range(2))
def test_a_thousand_broken_files_are_read_or_refused(tmp_path, part):
    place = tmp_path / "whole"
    place.mkdir()
    found = list(broken_files.run(FIRST + 500 * part, 500, place))
    assert len(found) == 500
    assert not [one for one in found if one["class"] in broken_files.FATAL], broken_files.summary(found)
    assert {one["class"] for one in found} == {"read", "refused"}
    assert not [one for one in found if one.get("printed")], broken_files.summary(found)


def test_every_kind_of_file_and_every_damage_takes_part(tmp_path):
    cases = broken_files.prepare(tmp_path)
    chosen = [cases._choice(case)[:2] for case in range(FIRST, FIRST + 1000)]
    assert {kind for kind, _ in chosen} == set(range(len(cases.kinds)))
    assert {damage for _, damage in chosen} == set(broken_files.DAMAGES)


# --- the judge sees what it is there to see -----------------------------------------------------------------------


@pytest.fixture
def judged(tmp_path, monkeypatch):
    """What the judge says of a file of which some code makes something."""
    from mitk_rs.io import itk

    mitk.Image(np.zeros((2, 3, 4), "u1")).save(tmp_path / "x.mha")

    def judge(read):
        monkeypatch.setattr(itk, "read", read)
        return broken_files.judge(tmp_path / "x.mha")

    return judge


def test_the_judge_sees_a_foreign_exception(judged):
    assert judged(lambda path, options: [][0])["class"] == "foreign"


def test_the_judge_sees_a_descriptor_that_is_left_open(judged):
    handles = []

    def read(path, options):
        handles.append(os.open(path, os.O_RDONLY))
        raise mitk.FileError("cannot read it")

    assert judged(read)["class"] == "leak"
    os.close(handles.pop())


def test_the_judge_sees_a_header_that_says_something_else(judged, monkeypatch):
    from mitk_rs.io import itk

    real_header, real = itk.read_header, itk.read
    assert judged(real)["class"] == "read"
    monkeypatch.setattr(
        itk, "read_header", lambda path, options: dataclasses.replace(real_header(path, options), dtype=np.dtype("f4"))
    )
    assert judged(real)["class"] == "info"


def servers(monkeypatch, tmp_path, code):
    """The judges of a folder, in which reading runs some code first."""
    script = tmp_path / "judge.py"
    source = broken_files.__file__
    script.write_text(
        f"import runpy, sys\nsys.path.insert(0, {os.path.dirname(source)!r})\nfrom mitk_rs.io import itk\n"  # noqa: PTH120
        f"real = itk.read\ndef read(path, options):\n    if 'child-' in str(path):\n        {code}\n"
        f"    return real(path, options)\nitk.read = read\nrunpy.run_path({source!r}, run_name='__main__')\n"
    )
    monkeypatch.setattr(broken_files, "__file__", str(script))
    place = tmp_path / "whole"
    place.mkdir()
    return broken_files.prepare(place), place


UNWRITTEN = (
    "import numpy, ctypes; take = ctypes.CDLL(None).malloc; take.restype = ctypes.c_void_p; "
    "header = itk.read_header(path, options); "
    "memory = (ctypes.c_ubyte * header.byte_count).from_address(take(header.byte_count)); "
    "return itk.ImageRecord.of(header, numpy.frombuffer(memory, header.dtype).reshape(header.shape))"
)


@pytest.mark.parametrize(("code", "expected"), [("import os; os.abort()", "crash"), (UNWRITTEN, "differs")])
def test_the_judge_sees_a_crash_and_memory_that_nobody_wrote(tmp_path, monkeypatch, code, expected):
    cases, place = servers(monkeypatch, tmp_path, code)
    judges = [broken_files._Server(place, perturb) for perturb in broken_files.PERTURB]
    numbers = [case for case in range(400) if cases.name(case).split(": ")[1].startswith("mha, ")][:8]
    try:
        found = list(broken_files.verdicts(cases, numbers, {}, judges))
    finally:
        for judge in judges:
            judge.close()
    assert {one["class"] for one in found} - {"refused"} == {expected}


def test_the_judge_sees_a_hang(tmp_path, monkeypatch):
    monkeypatch.setenv("BROKEN_FILES_SECONDS", "0.2")
    cases, place = servers(monkeypatch, tmp_path, "import time; time.sleep(600)")
    judge = broken_files._Server(place, 85)
    try:
        number = next(case for case in range(400) if cases.name(case).split(": ")[1].startswith("png"))
        assert judge.judge([number])[number]["class"] == "hang"
    finally:
        judge.close()
