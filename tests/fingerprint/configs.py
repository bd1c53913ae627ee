"""Configurations for the tests: a small valid one, and a Hypothesis strategy for others."""

from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from momentum_opt.fingerprint import Fingerprint, load_fingerprint
from momentum_opt.vocabulary.metrics import METRICS, fewest_days

SMALL = """\
tokens: [BTC, ETH, USDC]
window:
  start: 2022-06-01
  end: 2023-06-01
  test_end: 2023-09-01
"""


def write(folder: Path, text: str = SMALL) -> Path:
    path = folder / "config.yaml"
    path.write_text(text)
    return path


def small(folder: Path, *overrides: str) -> Fingerprint:
    return load_fingerprint(write(folder), overrides)


BASE: dict[str, Any] = {
    "tokens": ["BTC", "ETH", "USDC"],
    "startDateString": "2022-06-01 00:00:00",
    "endDateString": "2023-06-01 00:00:00",
}


def optuna(**settings: Any) -> dict[str, Any]:
    return {"optimisation_settings": {"optuna_settings": settings}}


def _numbers(low: float, high: float) -> st.SearchStrategy[float | int]:
    return st.floats(low, high) | st.integers(int(low) + 1, max(int(low) + 1, int(high)))


@st.composite
def mappings(draw: st.DrawFn) -> dict[str, Any]:
    """Valid fingerprints in quantammsim's form."""
    tokens = draw(st.lists(st.from_regex(r"[A-Z]{2,5}", fullmatch=True), min_size=2, max_size=8, unique=True))
    chunk = draw(st.sampled_from([1, 60, 240, 1440, 2880]))
    several = draw(st.booleans())
    low = draw(st.floats(-6, 0))
    settings = {
        "n_trials": draw(st.integers(1, 10_000)),
        "seed": draw(st.integers(0, 2**32 - 1)),
        "timeout": draw(st.none() | st.floats(1, 1e5)),
        "sampler": draw(st.sampled_from(["tpe", "nsga2", "qmc", "random"])),
        "multi_objective": several,
        "early_stopping": draw(st.none() | st.fixed_dictionaries({"patience": st.integers(1, 500)})),
        "parameter_config": draw(
            st.sampled_from(
                [{}, {"log_k": {"low": low, "high": low + 1, "scalar": True}}, {"initial_weights_logits": {}}]
            )
        ),
    }
    return {
        "tokens": tokens,
        "startDateString": "2022-01-01 00:00:00",
        "endDateString": draw(st.sampled_from(["2022-06-01 00:00:00", "2023-01-01"])),
        "endTestDateString": draw(st.none() | st.just("2023-03-01 00:00:00")),
        "chunk_period": chunk,
        "weight_interpolation_period": draw(st.none() | st.integers(1, chunk)),
        "weight_interpolation_method": draw(st.sampled_from(["linear", "approx_optimal"])),
        "minimum_weight": draw(st.none() | st.floats(1e-6, 1 / len(tokens))),
        "max_memory_days": draw(_numbers(1, 365)),
        "fees": draw(st.sampled_from([0, 0.0, 0.003, "fees.csv"])),
        "gas_cost": draw(_numbers(0, 50)),
        "return_val": draw(
            st.sampled_from(sorted(name for name in METRICS if fewest_days(name) <= 3 and name != "fee_yield"))
        ),
        "initial_k_per_day": draw(st.just(20) | st.just(dict.fromkeys(tokens, 3.0))),
        "optimisation_settings": {"val_fraction": draw(st.floats(0.05, 0.5)), "optuna_settings": settings},
        "objective": {"windows": draw(st.integers(2 if several else 1, 5))},
        "walk_forward": draw(st.none() | st.just({"train_days": 60, "test_days": 20})),
    }
