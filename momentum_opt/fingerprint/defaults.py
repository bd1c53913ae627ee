"""Defaults that follow from other values of a configuration."""

from typing import Any, Final

from momentum_opt.fingerprint.mistakes import Path
from momentum_opt.fingerprint.sections import Objective, Pool
from momentum_opt.vocabulary.metrics import METRICS, Cadence
from momentum_opt.vocabulary.names import Sampler

DEFAULT_SAMPLER: Final[Sampler] = "memetic"
"""The sampler of a search where it serves; `make bench-search` compares it with the others."""

OTHER_SAMPLER: Final[Sampler] = "nsga2"
"""The sampler of the other searches: several objectives, and metrics that read every minute."""

CLOSED_FORM_LIMIT: Final = 0.05
"""Largest change of a weight between two arbitrages, as a share of minimum_weight, for the closed form (SPEC §8)."""

DEFAULT_BATCH: Final = 64
IMPROVED_BATCH: Final = 128
"""Trials of a batch, and the wider one of memetic, which keeps its compiled evolution busy."""

CHEAP_GENERATIONS: Final = 220
"""Generations of memetic where the closed form scores a candidate in a tenth of the time."""

DEFAULT_SCREEN: Final = 4096
"""Candidates that are screened before memetic begins, and where metrics have limits.

A sampler may ask a thousand trials and meet none that keeps a limit; among so many, what is not rare is found.
"""

DEFAULT_KEPT: Final = 256
KEPT_WITH_COSTS: Final = 64
"""Screened candidates that enter the study; fewer for memetic where each is scored again with its costs."""

_CHARGES: Final = ("fees", "gas_cost", "arb_fees", "trades", "lp_supply")
_ANY_SIZE: Final = 1e18  # beyond what any of them may be, and within what a float can hold


def fill_defaults(tree: dict[str, Any]) -> set[Path]:
    """Add the sections that must be there and the defaults that follow from other values; return what was added.

    Reads values before they are validated, so a wrong one gives some default: its own mistake is reported anyway.
    """
    added: set[Path] = set()

    def put(section: str, name: str, value: Any) -> None:
        branch = tree.setdefault(section, {})
        if isinstance(branch, dict) and name not in branch:
            branch[name] = value
            added.add((section, name))

    tokens = tree.get("tokens")
    n = max(2, len(tokens)) if isinstance(tokens, list | tuple) else 2
    tree.setdefault("window", {})
    put("pool", "minimum_weight", 0.1 / n)
    period = Pool.model_fields["chunk_period"].default
    put("pool", "weight_interpolation_period", _get(tree, "pool", "chunk_period", period))
    costly = any(_get(tree, "costs", name, 0) not in (0, None) for name in _CHARGES)
    put("evidence", "plateau_draws", 8 if costly else 32)
    put("evidence", "heat_map", 9 if costly else 25)
    metrics = _get(tree, "objective", "metrics", None)
    if isinstance(metrics, list | tuple) and metrics:
        put("objective", "metric", metrics[0])
    put("search", "sampler", DEFAULT_SAMPLER if _memetic_serves(tree) else OTHER_SAMPLER)
    improves = _get(tree, "search", "sampler", None) == "memetic"
    put("search", "batch_size", IMPROVED_BATCH if improves else DEFAULT_BATCH)
    put("search", "screen", DEFAULT_SCREEN if improves or _get(tree, "objective", "limits", None) else 0)
    if improves and _closed_form(tree):
        put("search", "generations", CHEAP_GENERATIONS)
    put("search", "screen_keep", KEPT_WITH_COSTS if improves and costly else DEFAULT_KEPT)
    if "walk_forward" in tree:
        put("walk_forward", "step_days", _get(tree, "walk_forward", "test_days", 1))
    return added


def _memetic_serves(tree: dict[str, Any]) -> bool:
    """Whether memetic breaks none of the rules that it has (`rules.py`), as far as unchecked values say."""
    metric = METRICS.get(str(_get(tree, "objective", "metric", Objective.model_fields["metric"].default)))
    several = any(_get(tree, "objective", name, None) for name in ("multi_objective", "metrics"))
    if metric is None or metric.cadence == Cadence.MINUTE or several:
        return False
    limits = _get(tree, "objective", "limits", None)
    limited = [METRICS.get(str(name)) for name in limits] if isinstance(limits, dict) else []
    if any(one is not None and one.cadence == Cadence.MINUTE for one in limited):
        return False
    held = _get(tree, "costs", "arb_frequency", 1) != 1
    return not (held and _get(tree, "objective", "turnover_penalty", 0))


def _closed_form(tree: dict[str, Any]) -> bool:
    """Whether weights move in steps that the closed form serves (`engine.py`), as far as unchecked values say."""
    pool = Pool.model_fields
    sizes = (
        _get(tree, "pool", "maximum_change", pool["maximum_change"].default),
        _get(tree, "costs", "arb_frequency", 1),
        _get(tree, "pool", "minimum_weight", 0),
    )
    linear = _get(tree, "pool", "weight_interpolation_method", "linear") == "linear"
    if not linear or not all(isinstance(size, int | float) and abs(size) < _ANY_SIZE for size in sizes):
        return False
    change, every, floor = sizes
    return change * every <= CLOSED_FORM_LIMIT * floor


def _get(tree: dict[str, Any], section: str, name: str, default: Any) -> Any:
    branch = tree.get(section)
    return branch.get(name, default) if isinstance(branch, dict) else default
