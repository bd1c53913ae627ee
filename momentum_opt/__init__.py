"""Tune a QuantAMM momentum pool on real prices, replay the winner, trust the number.

The names are imported when they are first used, so that `import momentum_opt` is cheap.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from momentum_opt.api.backtesting import backtest
    from momentum_opt.api.exporting import export
    from momentum_opt.api.next_weights import next_weights
    from momentum_opt.api.prices import market_of
    from momentum_opt.api.rehearsing import rehearse
    from momentum_opt.api.reporting import report
    from momentum_opt.api.scoring import score
    from momentum_opt.api.simulating import simulate
    from momentum_opt.api.tuning import tune
    from momentum_opt.api.walk_forward import walk_forward
    from momentum_opt.fingerprint import Fingerprint, load_fingerprint
    from momentum_opt.market import Market, load_market
    from momentum_opt.pool import AntiMomentumPool, ConstantWeightPool, MomentumPool
    from momentum_opt.vocabulary.schema import (
        COMMON_PARAM_SCHEMA,
        OptunaRange,
        ParamSpec,
        get_optuna_range,
        get_param_value,
        sample_in_range,
    )

_HOMES = {
    "AntiMomentumPool": "momentum_opt.pool",
    "COMMON_PARAM_SCHEMA": "momentum_opt.vocabulary.schema",
    "ConstantWeightPool": "momentum_opt.pool",
    "Fingerprint": "momentum_opt.fingerprint",
    "Market": "momentum_opt.market",
    "MomentumPool": "momentum_opt.pool",
    "OptunaRange": "momentum_opt.vocabulary.schema",
    "ParamSpec": "momentum_opt.vocabulary.schema",
    "backtest": "momentum_opt.api.backtesting",
    "export": "momentum_opt.api.exporting",
    "get_optuna_range": "momentum_opt.vocabulary.schema",
    "get_param_value": "momentum_opt.vocabulary.schema",
    "load_fingerprint": "momentum_opt.fingerprint",
    "load_market": "momentum_opt.market",
    "market_of": "momentum_opt.api.prices",
    "next_weights": "momentum_opt.api.next_weights",
    "rehearse": "momentum_opt.api.rehearsing",
    "report": "momentum_opt.api.reporting",
    "sample_in_range": "momentum_opt.vocabulary.schema",
    "score": "momentum_opt.api.scoring",
    "simulate": "momentum_opt.api.simulating",
    "tune": "momentum_opt.api.tuning",
    "walk_forward": "momentum_opt.api.walk_forward",
}

__all__ = [
    "COMMON_PARAM_SCHEMA",
    "AntiMomentumPool",
    "ConstantWeightPool",
    "Fingerprint",
    "Market",
    "MomentumPool",
    "OptunaRange",
    "ParamSpec",
    "backtest",
    "export",
    "get_optuna_range",
    "get_param_value",
    "load_fingerprint",
    "load_market",
    "market_of",
    "next_weights",
    "rehearse",
    "report",
    "sample_in_range",
    "score",
    "simulate",
    "tune",
    "walk_forward",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'momentum_opt' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
