"""What the contract accepts and what the simulation shares with it (SPEC §14): a pool in, every rule checked out."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Final

from momentum_opt.errors import ConfigError
from momentum_opt.fingerprint import Fingerprint
from momentum_opt.onchain.deployment import Deployment
from momentum_opt.onchain.fixed_point import ONE, to_float
from momentum_opt.onchain.motion import STORED_LIMIT, STORED_UNIT
from momentum_opt.onchain.rule import Row, are_valid_parameters
from momentum_opt.vocabulary.rules import DEFAULT_RULE

MOST_TOKENS: Final = 8
LOWEST_GUARD_RAIL: Final = ONE // 100
MOST_TRADE_SIZE: Final = 3 * ONE // 10
STATE_LIMIT: Final = 170_000_000_000_000_000_000 * ONE
"""1.7e20, what a 128-bit word holds."""

_TUNE_MOMENTUM: Final = f"tune with pool.rule: {DEFAULT_RULE}"
_REMEDIES: Final[Mapping[str, str]] = MappingProxyType(
    {"constant_weight": "weights that rest need no rule: create a weighted pool with the initial weights"}
)


@dataclass(frozen=True)
class RuleCheck:
    """One rule.

    Attributes:
        rule: its name.
        holds: whether the pool keeps it.
        found: the pool's value in words.
        reason: why the rule is there, or what breaks without it.
        remedy: what to do where it does not hold.
        reverts_with: what the contract's own check says; None where it does not check.
    """

    rule: str
    holds: bool
    found: str
    reason: str
    remedy: str
    reverts_with: str | None = None

    def problem(self) -> str:
        """The broken rule as one line."""
        contract = f" (the contract says {self.reverts_with})" if self.reverts_with else ""
        return f"not deployable: {self.rule}: {self.found}; {self.reason}{contract}; {self.remedy}"


def simulation_rules(fingerprint: Fingerprint) -> list[RuleCheck]:
    """What the simulation may do and the contract cannot."""
    pool = fingerprint.pool
    chunk, m = pool.chunk_period, pool.weight_interpolation_period
    return [
        RuleCheck(
            "use_alt_lamb is off",
            not pool.use_alt_lamb,
            f"pool.use_alt_lamb: {str(pool.use_alt_lamb).lower()}",
            "the contract keeps one average, with one decay",
            "tune with pool.use_alt_lamb: false",
        ),
        RuleCheck(
            "linear interpolation",
            pool.weight_interpolation_method == "linear",
            f"pool.weight_interpolation_method: {pool.weight_interpolation_method}",
            "the contract moves its weights along straight lines (approx_optimal is not deployed)",
            "tune with pool.weight_interpolation_method: linear",
        ),
        RuleCheck(
            "m = P",
            m == chunk,
            f"pool.weight_interpolation_period {m}, pool.chunk_period {chunk} minutes",
            "the contract's weights move all the way to the next update",
            "tune with both alike",
        ),
    ]


def check_rule(fingerprint: Fingerprint) -> None:
    """Refuse a pool whose rule is not the contract's, before anything is made of its parameters.

    Raises:
        ConfigError: which rule it is, and what to do.
    """
    rule = fingerprint.pool.rule
    check_deployable(
        [
            RuleCheck(
                "momentum",
                rule == DEFAULT_RULE,
                f"pool.rule: {rule}",
                "what is deployed and rehearsed is the contract's momentum rule, which takes only κ above 0",
                _REMEDIES.get(rule, _TUNE_MOMENTUM),
            )
        ]
    )


def deployment_rules(deployment: Deployment) -> list[RuleCheck]:
    """What the contract checks when a pool is created, and what it should."""
    return [rule(deployment) for rule in _RULES]


def check_deployable(checks: Sequence[RuleCheck]) -> None:
    """Refuse a pool that breaks a rule.

    Raises:
        ConfigError: all broken rules at once, each with its reason.
    """
    problems = [check.problem() for check in checks if not check.holds]
    if problems:
        raise ConfigError(problems)


def _token_count(deployment: Deployment) -> RuleCheck:
    n = len(deployment.tokens)
    return RuleCheck(
        "2 to 8 tokens", 2 <= n <= MOST_TOKENS, f"{n} tokens", "a pool holds no others", "tune a pool of 2 to 8 tokens"
    )


def _address_order(deployment: Deployment) -> RuleCheck:
    numbers = [int(address, 16) for address in deployment.addresses or ()]
    return RuleCheck(
        "addresses ascending",
        all(one < other for one, other in pairwise(numbers)),
        ", ".join(address[:8] + "…" for address in deployment.addresses or ()) or "none given",
        "the vault takes tokens in this order only",
        "give the file as export wrote it",
    )


def _lamb_length(deployment: Deployment) -> RuleCheck:
    n, found = len(deployment.tokens), len(deployment.lamb)
    return RuleCheck(
        "λ: one or one per token",
        found in (1, n),
        f"{found} values of λ for {n} tokens",
        "a λ is a scalar or a vector",
        f"give 1 or {n}",
        "Either scalar or vector",
    )


def _lamb_range(deployment: Deployment) -> RuleCheck:
    return RuleCheck(
        "0 < λ < 1",
        all(0 < lamb < ONE for lamb in deployment.lamb),
        f"λ = {_shown(deployment.lamb)}",
        "the decay of an average lies between the two",
        "tune with memories above 0 days",
        "INVLAM",
    )


def _kappa_length(deployment: Deployment) -> RuleCheck:
    n, found = len(deployment.tokens), len(deployment.kappa)
    return RuleCheck(
        "κ: one or one per token",
        found in (1, n),
        f"{found} values of κ for {n} tokens",
        "the contract does not check it, and would read beyond its list",
        f"give 1 or {n}",
    )


def _kappa_range(deployment: Deployment) -> RuleCheck:
    return RuleCheck(
        "κ > 0",
        are_valid_parameters([deployment.kappa]),
        f"κ = {_shown(deployment.kappa)}",
        "the rule refuses a κ that is 0 or below",
        "tune with a k per day above 0 for every token",
        "its rule's parameter check",
    )


def _epsilon(deployment: Deployment) -> RuleCheck:
    return RuleCheck(
        "0 < epsilonMax ≤ 1",
        0 < deployment.epsilon_max <= ONE,
        f"epsilonMax = maximum_change·m = {to_float(deployment.epsilon_max):.6g}",
        "no weight can change by more than 1",
        "tune with pool.maximum_change of at most 1/m",
        "INV_EPMX",
    )


def _guard_rail(deployment: Deployment) -> RuleCheck:
    n = len(deployment.tokens)
    return RuleCheck(
        "0.01 ≤ guard rail < 1/n",
        deployment.guard_rail >= LOWEST_GUARD_RAIL and deployment.guard_rail * n < ONE,
        f"absoluteWeightGuardRail = minimum_weight = {to_float(deployment.guard_rail):.6g}, {n} tokens",
        "weights lie between 1 % and what is left beside the others",
        f"tune with pool.minimum_weight from 0.01 to below {1 / n:.6g}",
        "INV_ABSWGT",
    )


def _interval(deployment: Deployment) -> RuleCheck:
    return RuleCheck(
        "updateInterval > 0",
        deployment.update_interval > 0,
        f"updateInterval = {deployment.update_interval} s",
        "updates need a time between them",
        "give a chunk_period above 0",
        "Update interval must be greater than 0",
    )


def _trade_size(deployment: Deployment) -> RuleCheck:
    return RuleCheck(
        "0 < maxTradeSizeRatio ≤ 0.3",
        0 < deployment.max_trade_size_ratio <= MOST_TRADE_SIZE,
        f"maxTradeSizeRatio = {to_float(deployment.max_trade_size_ratio):.6g}",
        "larger trades are refused by the pool's mathematics",
        "give another --max-trade-size-ratio",
        "INVMAXTRADE",
    )


def _weights_sum(deployment: Deployment) -> RuleCheck:
    total = sum(deployment.initial_weights)
    return RuleCheck(
        "initial weights sum to 1",
        total == ONE,
        f"their sum is {to_float(total):.18g}",
        "to the last unit of 1e-18",
        "give initial weights that sum to 1",
        "NormalizedWeightInvariant",
    )


def _weights_above_rail(deployment: Deployment) -> RuleCheck:
    lowest = min(deployment.initial_weights)
    token = deployment.tokens[deployment.initial_weights.index(lowest)]
    return RuleCheck(
        "initial weights ≥ guard rail",
        lowest >= deployment.guard_rail,
        f"the lowest, of {token}, is {to_float(lowest):.9f} with nine decimals; guard rail "
        f"{to_float(deployment.guard_rail):.12g}",
        "no weight may start below it",
        "give initial weights further from it",
    )


def _stored_weights(deployment: Deployment) -> RuleCheck:
    whole = all(weight % STORED_UNIT == 0 for weight in deployment.initial_weights)
    small = all(0 <= weight // STORED_UNIT < STORED_LIMIT for weight in deployment.initial_weights)
    return RuleCheck(
        "initial weights have nine decimals",
        whole and small,
        "cut off at the ninth decimal, the rest in the last one",
        "they are stored as 32-bit numbers",
        "give the file as export wrote it",
    )


def _state_size(deployment: Deployment) -> RuleCheck:
    n = len(deployment.tokens)
    rows = (deployment.moving_averages, deployment.intermediates)
    largest = max((abs(value) for row in rows for value in row), default=0)
    return RuleCheck(
        "|moving average|, |a| < 1.7e20",
        all(len(row) == n for row in rows) and largest < STATE_LIMIT,
        f"the largest is {to_float(largest):.6g}",
        "they are stored in 128 bits",
        "count the prices in a larger unit",
    )


def _shown(row: Row) -> str:
    return ", ".join(f"{to_float(value):.6g}" for value in row) or "none"


_RULES: Final[tuple[Callable[[Deployment], RuleCheck], ...]] = (
    _token_count, _address_order, _lamb_length, _lamb_range, _kappa_length, _kappa_range, _epsilon, _guard_rail,
    _interval, _trade_size, _weights_sum, _weights_above_rail, _stored_weights, _state_size,
)  # fmt: skip
