"""What export and rehearsal take where the user gives nothing; light enough for the command line's help."""

from typing import Final

MAX_TRADE_SIZE_RATIO: Final = 0.1
"""Largest trade as a share of the reserves (SPEC §14)."""

WEIGHT_TOLERANCE: Final = 2e-3
"""Largest difference between a weight of the contract and of the simulation that a rehearsal accepts."""
