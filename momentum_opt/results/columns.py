"""Names of the columns of trials.parquet that more than one module needs."""

from typing import Final

MULTI_OBJECTIVE_COLUMNS: Final = ("objective_mean", "objective_worst", "objective_steadiness")
"""In place of `objective`, where there are several."""
