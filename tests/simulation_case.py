"""Golden cases and reference pools as fingerprints, for the tests of the engines."""

from datetime import date
from typing import Any

import numpy as np

from momentum_opt.api.prices import market_of
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.fingerprint.periods import validation_days
from momentum_opt.fingerprint.sections import Objective
from momentum_opt.market import Market
from momentum_opt.vocabulary.metrics import fewest_days
from tests.reference.golden_cases import CASES, load
from tests.reference.minute_loop import Pool
from tests.shared_data import minute_prices


def pool_fingerprint(pool: Pool, tokens: tuple[str, ...], start: date, end: date, **keys: Any) -> Fingerprint:
    """The reference's `Pool` as a fingerprint; `keys` go on top under quantammsim's names."""
    period = pool.chunk_period
    short = {"return_val": "returns"} if _shortest((end - start).days, keys) < fewest_days(Objective().metric) else {}
    return Fingerprint.from_dict(
        {
            "tokens": list(tokens),
            "startDateString": f"{start} 00:00:00",
            "endDateString": f"{end} 00:00:00",
            "rule": pool.rule,
            "chunk_period": period,
            "weight_interpolation_period": pool.weight_interpolation_period or period,
            "weight_interpolation_method": pool.weight_interpolation_method,
            "maximum_change": pool.maximum_change,
            "minimum_weight": 0.1 / len(tokens) if pool.minimum_weight is None else pool.minimum_weight,
            "max_memory_days": pool.max_memory_days,
            "use_alt_lamb": pool.use_alt_lamb,
            "initial_pool_value": pool.initial_pool_value,
            "fees": pool.fees,
            "gas_cost": pool.gas_cost,
            "arb_fees": pool.arb_fees,
            "noise_trader_ratio": pool.noise_trader_ratio,
            "protocol_fee_split": pool.protocol_fee_split,
            "arb_frequency": pool.arb_frequency,
            **short,
            **keys,
        }
    )


def _shortest(days: int, keys: dict[str, Any]) -> int:
    """Days of the shortest period: few for most of these pools, so that the default metric has no number there."""
    validation = validation_days(days, keys.get("optimisation_settings", {}).get("val_fraction", 0.2))
    shortest = (days - validation) // keys.get("objective", {}).get("windows", 1)
    return min(shortest, validation) if validation else shortest


def with_initial_weights(params: dict[str, np.ndarray], n_assets: int) -> dict[str, np.ndarray]:
    """Parameters as the engine wants them: initial weights named (equal where a case names none)."""
    if "initial_weights" in params or "initial_weights_logits" in params:
        return params
    return {**params, "initial_weights_logits": np.ones(n_assets)}


def golden_run(name: str) -> tuple[Fingerprint, Market, dict[str, np.ndarray]]:
    """A golden case as the command line would run it, on the shared prices."""
    case, loaded, tokens = CASES[name]["case"], load(name), tuple(CASES[name]["expected"]["order"])
    start, end = date.fromisoformat(case["start"]), date.fromisoformat(case["end"])
    fingerprint = pool_fingerprint(loaded.pool, tokens, start, end, optimisation_settings={"val_fraction": 0.0})
    market = market_of(fingerprint, root=minute_prices(), burn_in_days=case["burn_in_days"])
    return fingerprint, market, with_initial_weights(loaded.params, len(tokens))
