"""How far `device.precision: float32` is from float64 on the golden cases; docs/benchmarks.md has the figures.

`python -m tests.study.test_single_precision` prints them for all cases; here the quick ones and the worst are held.
"""

import sys

import pytest

from momentum_opt import device
from momentum_opt.study.evaluation import BatchScores, Evaluator
from tests.reference.golden_cases import CASES
from tests.shared_data import needs_shared
from tests.simulation_case import golden_run

pytestmark = pytest.mark.golden

SHARPE, GROWTH = 2e-3, 1e-4
"""What docs/benchmarks.md promises: daily Sharpe ratios (absolute), and value at the end of train (relative)."""


CHECKED = [name for name in CASES if name.startswith("zero_fee_") or name == "fee_noise_protocol"]


def errors(name: str) -> tuple[float, float]:
    """Of daily_log_sharpe and of the value at the end of train, on one case."""
    fingerprint, market, params = golden_run(name)

    def scored(precision: str) -> BatchScores:
        return Evaluator(fingerprint, market, batch_size=2, precision=precision).score([params, params])

    exact, single = (scored(precision).train for precision in ("float64", "float32"))
    sharpe = abs(single["daily_log_sharpe"][0] - exact["daily_log_sharpe"][0])
    growth = abs((1.0 + single["returns"][0]) / (1.0 + exact["returns"][0]) - 1.0)
    return float(sharpe), float(growth)


@needs_shared
@pytest.mark.parametrize("name", CHECKED)
def test_the_error_is_what_the_page_says(name: str):
    sharpe, growth = errors(name)
    assert 0.0 < sharpe < SHARPE
    assert growth < GROWTH


if __name__ == "__main__":
    device.configure()
    for case in CASES:
        sys.stdout.write(f"{case} {' '.join(f'{error:.1e}' for error in errors(case))}\n")
