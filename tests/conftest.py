"""What all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Folder with the real CT ``aorta.mha`` and the results VMTK published for it."""
    folder = os.environ.get("MITK_RS_TEST_DATA")
    if not folder:
        pytest.skip("MITK_RS_TEST_DATA is not set: no real CT and no published results to compare with")
    return Path(folder)
