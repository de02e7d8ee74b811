"""Many cases at once: :func:`batch` runs ``initialize_level_set`` or ``segment_vessel`` for every row of a table.

Each case runs in a worker process, on this machine or on the workers of a ``dask`` scheduler. A case that fails is
recorded with its error and the others go on. What is finished is not computed again.
"""

from __future__ import annotations

from mitk_rs.cohort.cases import COLUMNS, SEGMENT_COLUMNS, Case, read_cases
from mitk_rs.cohort.run import BatchResult, batch

__all__ = ["COLUMNS", "SEGMENT_COLUMNS", "BatchResult", "Case", "batch", "read_cases"]
