"""Vector instructions change how fast results come, never their bits."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pytest

import mitk_rs as mitk
from mitk_rs import _core
from mitk_rs.testing import speed_volume

Name = Literal["baseline", "avx2", "avx512", "neon"]
NAMES: tuple[Name, ...] = ("baseline", "avx2", "avx512", "neon")


@pytest.fixture(autouse=True)
def the_best_again() -> Iterator[None]:
    yield
    _core.force_instructions(None)


def results(speed: Any, counts: Any) -> dict[str, bytes]:
    ends: dict[str, Any] = {"seeds1": [(2, 3, 4)], "seeds2": [(30, 20, 10)]}
    arrays = {
        "march": mitk.fast_marching(speed, seeds=[(2, 3, 4)]).arrival_time,
        "march, float64": mitk.fast_marching(speed, seeds=[(2, 3, 4)], dtype=float).arrival_time,
        "fronts": mitk.colliding_fronts(speed, **ends),
        "slide": mitk.slide(speed, axis="y", thickness=5),
    }
    for volume in (speed, counts):
        arrays[f"rays, {volume.dtype}"] = mitk.render_mip(volume, azimuth=31, size=(40, 30), dtype="float32")
    for axis in "xyz":
        for kind in ("max", "min", "mean", "sum", "std", "argmax", "argmin"):
            for volume in (speed, counts):
                arrays[f"{kind} of {volume.dtype} along {axis}"] = mitk.project(volume, axis=axis, kind=kind)
    for axis, picture in zip("xyz", mitk.project_all(counts), strict=True):
        arrays[f"all axes, {axis}"] = picture
    return {name: np.ascontiguousarray(array).tobytes() for name, array in arrays.items()}


def test_every_set_of_instructions_gives_the_same_bytes() -> None:
    speed = speed_volume("smooth", (21, 35, 43), seed=8)
    counts = np.random.default_rng(5).integers(-900, 900, speed.shape).astype(np.int16)
    best = results(speed, counts)
    tried = []
    for name in NAMES:
        try:
            _core.force_instructions(name)
        except mitk.RequestError:
            continue
        tried.append(name)
        got = results(speed, counts)
        assert [key for key in best if got[key] != best[key]] == []
    assert "baseline" in tried


def test_features_are_those_in_use() -> None:
    widest = _core.cpu_features()
    _core.force_instructions("baseline")
    assert set(_core.cpu_features()) <= {"sse2"}
    _core.force_instructions(None)
    assert _core.cpu_features() == widest


def test_unknown_instructions_are_refused() -> None:
    with pytest.raises(mitk.RequestError, match="allowed are baseline, avx2, avx512 and neon"):
        _core.force_instructions("sse9")  # type: ignore[arg-type]
