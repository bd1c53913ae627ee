"""How large and how small numbers may be: beyond these a simulation overflows, or rounding is all that is left."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

LONGEST_MEMORY: Final = 36_500.0
"""Days."""
SHORTEST_MEMORY: Final = 1e-6
"""Days; a decay that is 0 to all digits has no gradient."""
LARGEST_K_PER_DAY: Final = 1e9
"""Far beyond where every trend sends the weights to the rails; changes that sum to zero still keep digits."""
SMALLEST_K_PER_DAY: Final = 1e-30
"""Of a k that is given as such; far below where no price moves a weight by a digit."""
LARGEST_VALUE: Final = 1e18
"""Of a pool, in the numeraire."""
SMALLEST_STD: Final = 1e-11
"""Returns that vary less differ from a constant by rounding alone, and a ratio to their deviation is undefined."""
LARGEST_GAS: Final = 1e12
"""Price of one arbitrage, in the numeraire."""

PARAMETER_LIMITS: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "log_k": (-100.0, 30.0),
        "k": (0.0, LARGEST_K_PER_DAY),
        "k_per_day": (0.0, LARGEST_K_PER_DAY),
        "absolute_k": (0.0, 1e12),
        "memory_days": (SHORTEST_MEMORY, LONGEST_MEMORY),
        **dict.fromkeys(("logit_lamb", "logit_delta_lamb", "initial_weights_logits"), (-100.0, 100.0)),
    }
)
"""Parameter, internal or readable → smallest and largest value; a rule's own parameters that are not here have none."""


def outside(name: str, values: Iterable[float]) -> str | None:
    """What the values of a parameter must be, where one of them is not."""
    low, high = PARAMETER_LIMITS.get(name, (-float("inf"), float("inf")))
    return None if all(low <= value <= high for value in values) else f"from {low:g} to {high:g}"
