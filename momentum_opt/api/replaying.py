"""Whether a replay gives the number that it was tuned to (SPEC §12)."""

import math
from collections.abc import Sequence

from momentum_opt.errors import ReplayMismatchError

REPLAY_TOLERANCE = 1e-9
"""Largest relative difference between a tuned value and its replay (SPEC §12)."""


def check_replay(tuned: Sequence[float], replayed: Sequence[float], what: str) -> None:
    """Refuse a replay that differs from the tuned value by more than 1e-9 relative.

    Raises:
        ReplayMismatchError: it does.
    """
    for one, other in zip(tuned, replayed, strict=True):
        if not math.isclose(one, other, rel_tol=REPLAY_TOLERANCE, abs_tol=1e-12):
            raise ReplayMismatchError(
                f"{what}: tuned value {one!r}, replayed {other!r}; the result cannot be trusted, please report it "
                "with the run folder"
            )
