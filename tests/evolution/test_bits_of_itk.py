"""Evolved level sets equal ITK's in every bit, for any threads and instructions."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from evolutions import Case, generated, has_surface
from numpy.typing import NDArray

from mitk_rs import _core

pytestmark = pytest.mark.usefixtures("many_threads")

SLOW = bool(os.environ.get("MITK_RS_SLOW_TESTS"))
#: Of 240 cases those with a surface are compared: more than 200. Without MITK_RS_SLOW_TESTS=1 every seventh.
NUMBERS = [number for number in range(240) if SLOW or number % 7 == 0]
INSTRUCTIONS = ("baseline", "avx2", "avx512")


def evolve(case: Case, **options: Any) -> tuple[NDArray[np.float32], _core.EvolutionRecord]:
    return _core.evolve_level_set(case.image, [(case.initial, False)], [], case.spacing, case.request(), **options)


def differing(ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> int:
    """Number of voxels with other bits; one NaN is like another."""
    same = (ours.view(np.uint32) == theirs.view(np.uint32)) | (np.isnan(ours) & np.isnan(theirs))
    return int((~same).sum())


@pytest.mark.parametrize("number", NUMBERS)
def test_generated_cases_equal_itk(oracle: Any, number: int) -> None:
    case = generated(number)
    if not has_surface(case):
        with pytest.raises(ValueError, match="initial"):
            evolve(case)
        return
    theirs = case.of_itk(oracle)
    assert isinstance(theirs, dict), theirs
    for instructions in INSTRUCTIONS:
        for threads in (1, 2, 3, 8):
            ours, record = evolve(case, threads=threads, instructions=instructions)
            assert differing(ours, theirs["level_set"]) == 0, (instructions, threads)
            assert len(record.rms) == theirs["iterations"]
            if record.rms:
                assert record.rms[-1] == theirs["rms"] or np.isnan([record.rms[-1], theirs["rms"]]).all()


def test_the_cases_hold_what_is_hard() -> None:
    """Otherwise they would prove little."""
    cases = [case for case in map(generated, NUMBERS) if has_surface(case)]
    assert len(cases) >= (200 if SLOW else 32)
    assert {case.kind for case in cases} == {"geodesic", "curves", "threshold", "laplacian"}
    records = [evolve(case)[1] for case in cases]
    assert sum(sum(record.blocked) > 0 for record in records) >= len(cases) // 5
    assert sum(record.touches_frame for record in records) >= len(cases) // 3
    assert sum(sum(record.moved) > 0 for record in records) >= len(cases) // 2
    assert any((case.initial > 1e38).any() for case in cases)
    assert any(case.spacing == (0.3, 1.0, 3.0) for case in cases)
    assert any(record.at_rest for record in records)
