"""Say what a verdict could have found: the smallest Sharpe ratio that passes, and the record that this one needs."""

import math
from dataclasses import dataclass

from momentum_opt.evidence.sharpe import minimum_track_record, required_sharpe
from momentum_opt.units import DAYS_PER_YEAR, counted


@dataclass(frozen=True)
class Detectable:
    """The first rule of a verdict, solved for the Sharpe ratio and for the days.

    Skewness, kurtosis and the benchmark are taken as they are.

    Attributes:
        probability: PSR that the rule requires.
        n_observations: daily returns there are.
        annual_benchmark: Sharpe ratio to be exceeded, √365 times the daily one; 0 where nothing was selected.
        annual_sharpe: the present one.
        required_annual_sharpe: the smallest that passes over so many days; None where none does.
        required_observations: minimum track record length of the present one in days; None where none is long enough.
        words: both in one sentence.
    """

    probability: float
    n_observations: int
    annual_benchmark: float
    annual_sharpe: float
    required_annual_sharpe: float | None
    required_observations: float | None
    words: str


def detectable(
    sharpe: float | None,
    skewness: float | None,
    kurtosis: float | None,
    n_observations: int,
    benchmark: float | None,
    probability: float,
    exceeded: str,
) -> Detectable | None:
    """What could be found with these daily returns; None where they do not vary or the benchmark is not known.

    Args:
        sharpe: S per day.
        skewness: g3.
        kurtosis: g4, raw.
        n_observations: T.
        benchmark: b per day.
        probability: PSR that is required.
        exceeded: what the benchmark is, in words.
    """
    if sharpe is None or skewness is None or kurtosis is None or benchmark is None:
        return None
    year = math.sqrt(DAYS_PER_YEAR)
    least = required_sharpe(probability, skewness, kurtosis, n_observations, benchmark)
    days = minimum_track_record(sharpe, skewness, kurtosis, benchmark, probability)
    over = f"over these {counted(n_observations, 'day')}"
    smallest = (
        f"no annual excess Sharpe ratio passes {over}"
        if least is None
        else f"smallest annual excess Sharpe ratio that passes {over}: {year * least:.2f} (found: {year * sharpe:.2f})"
    )
    record = (
        f"no track record is long enough for {year * sharpe:.2f}, which is not above {exceeded}"
        if days is None
        else f"minimum track record length for {year * sharpe:.2f}: {counted(math.ceil(days), 'day')}"
    )
    return Detectable(
        probability=probability,
        n_observations=n_observations,
        annual_benchmark=year * benchmark,
        annual_sharpe=year * sharpe,
        required_annual_sharpe=None if least is None else year * least,
        required_observations=days,
        words=f"{smallest}; {record}",
    )
