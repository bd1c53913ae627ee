"""What is found about a winner (SPEC §13): plain frozen records, as evidence.json holds them.

A number that could not be computed is None, and `reasons` says why. Sharpe ratios are per day unless the name says
annual.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from momentum_opt.evidence.bootstrap import Interval
from momentum_opt.evidence.detectable import Detectable

Numbers = tuple[float, ...]


@dataclass(frozen=True)
class Histogram:
    """Counts between edges; there is one edge more than there are counts."""

    edges: Numbers
    counts: tuple[int, ...]


@dataclass(frozen=True)
class OverfittingFindings:
    """PBO over the candidates.

    Attributes:
        probability: PBO.
        slope: least-squares slope of out-of-sample on in-sample Sharpe ratios.
        loss_probability: share of halves whose best candidate has a negative Sharpe ratio in the other half.
        n_candidates: candidates it was computed over.
        n_halves: ways to halve the blocks.
        logits: histogram of log(ω/(1 − ω)).
    """

    probability: float
    slope: float | None
    loss_probability: float
    n_candidates: int
    n_halves: int
    logits: Histogram


@dataclass(frozen=True)
class SharpeFindings:
    """What one kind of daily log returns of train says: absolute, or in excess of the constant-weight pool.

    Attributes:
        n_observations: T.
        sharpe: S of the winner.
        annual_sharpe: S·√365.
        skewness: g3.
        kurtosis: g4, raw.
        probabilistic_sharpe: PSR(0), as if the winner had been the only candidate.
        variance: V of the candidates not chosen by their results.
        expected_maximum: b0, the best Sharpe ratio that so many candidates reach by luck.
        deflated_sharpe: DSR.
        interval: bootstrap interval of S.
        overfitting: PBO and its kin.
        reasons: what could not be computed → why.
    """

    n_observations: int
    sharpe: float | None
    annual_sharpe: float | None
    skewness: float | None
    kurtosis: float | None
    probabilistic_sharpe: float | None
    variance: float | None
    expected_maximum: float | None
    deflated_sharpe: float | None
    interval: Interval | None
    overfitting: OverfittingFindings | None
    reasons: Mapping[str, str]


@dataclass(frozen=True)
class CandidateCounts:
    """Whom the winner was chosen among.

    Attributes:
        trials: finished trials.
        failed: of them, without an objective.
        screened: candidates scored before the study.
        distinct: N, scored candidates, copies once; those scored on the way to a trial too.
        others: of N, those of the other combinations of a sweep.
    """

    trials: int
    failed: int
    screened: int
    distinct: int
    others: int = 0

    @property
    def own(self) -> int:
        """Candidates of this search alone."""
        return self.distinct - self.others


@dataclass(frozen=True)
class Distribution:
    """One number of the randomly drawn candidates, and where the winner stands among them.

    Attributes:
        name: what was measured.
        quantiles: at 0, 5, 25, 50, 75, 95 and 100 %.
        histogram: of the sets.
        winner: the winner's number.
        percentile: share of the sets below the winner, in percent; ties count half.
    """

    name: str
    quantiles: Numbers
    histogram: Histogram
    winner: float | None
    percentile: float | None


@dataclass(frozen=True)
class NonAdaptiveFindings:
    """Randomly drawn candidates: the screened ones, or parameter sets drawn evenly from the search ranges.

    Attributes:
        source: `screened` or `random`.
        drawn: sets.
        scored: of them, with a finite objective.
        distributions: objective, and the objective's metric on validation where there is one.
    """

    source: str
    drawn: int
    scored: int
    distributions: tuple[Distribution, ...]


@dataclass(frozen=True)
class Cloud:
    """Candidates around the winner.

    Attributes:
        parameter: the number that was moved (`log_k_BTC`), or `joint` for all at once.
        radius: largest move, as a fraction of the search range.
        n: candidates.
        quantiles: of their objective at 5, 25, 50, 75 and 95 %; empty where none is finite.
        share_kept: share that keeps 90 % of the winner's gain over the constant-weight pool; None without a gain.
    """

    parameter: str
    radius: float
    n: int
    quantiles: Numbers
    share_kept: float | None


@dataclass(frozen=True)
class HeatMap:
    """The objective over k per day and memory of one token, everything else as the winner has it.

    Attributes:
        token: its name; `all` where one number serves all tokens.
        k_per_day: columns.
        memory_days: rows.
        objective: (row, column); None where a candidate failed.
        winner_k_per_day: where the winner is.
        winner_memory_days: where the winner is.
    """

    token: str
    k_per_day: Numbers
    memory_days: Numbers
    objective: tuple[tuple[float | None, ...], ...]
    winner_k_per_day: float
    winner_memory_days: float


@dataclass(frozen=True)
class PlateauFindings:
    """How the objective falls off around the winner.

    Attributes:
        winner: its objective (the mean of several).
        baseline: objective of the constant-weight pool.
        radius: the radius of the joint cloud that the verdict reads.
        share_kept: share of that cloud that keeps 90 % of the gain; None where there is no gain.
        reason: why `share_kept` is None.
        clouds: all clouds.
        heat_maps: one per token.
    """

    winner: float
    baseline: float | None
    radius: float
    share_kept: float | None
    reason: str | None
    clouds: tuple[Cloud, ...]
    heat_maps: tuple[HeatMap, ...]


@dataclass(frozen=True)
class Rule:
    """One rule of the verdict.

    Attributes:
        name: short name.
        met: None where it could not be computed.
        value: what was found.
        threshold: what it is compared with.
        words: what was found, in one line.
    """

    name: str
    met: bool | None
    value: float | None
    threshold: float
    words: str


@dataclass(frozen=True)
class Verdict:
    """The rules, and what they come to.

    Attributes:
        outcome: `all met`, `some met`, `nothing found` or `not decided`.
        words: the outcome in one sentence.
        rules: each rule.
    """

    outcome: str
    words: str
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Findings:
    """Everything that evidence.json says of one winner.

    Attributes:
        trial: the winner's number.
        settings: the `evidence` section it was computed with.
        candidates: whom it was chosen among.
        excess: returns in excess of the constant-weight pool; the verdict reads these.
        absolute: the pool's own returns.
        non_adaptive: randomly drawn candidates, and where the winner stands among them.
        plateau: around the winner; None where no cloud was asked for.
        verdict: the rules.
        seconds: what it took to compute.
        detectable: what could be found; None in the evidence of older versions, or where it cannot be computed.
    """

    trial: int
    settings: Mapping[str, bool | float | Mapping[str, float]]
    candidates: CandidateCounts
    excess: SharpeFindings
    absolute: SharpeFindings
    non_adaptive: NonAdaptiveFindings
    plateau: PlateauFindings | None
    verdict: Verdict
    seconds: float
    detectable: Detectable | None = None
