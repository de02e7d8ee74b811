"""ITK as the oracle of the bits, and generated vessels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from workers import PickleWorker


@pytest.fixture(scope="session")
def oracle() -> Iterator[PickleWorker]:
    """ITK's level-set and feature filters, in a process of their own; see ``itk_worker.py``."""
    made = PickleWorker(Path(__file__).with_name("itk_worker.py"))
    yield made
    made.close()
