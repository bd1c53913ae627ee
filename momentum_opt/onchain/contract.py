"""The deployed pool as the contract keeps it (SPEC §14): an update's time and prices in, its state after it out."""

from dataclasses import dataclass, field

from momentum_opt.onchain.guard import guarded_weights
from momentum_opt.onchain.motion import STORED_UNIT, Motion, set_off
from momentum_opt.onchain.rule import Row, RuleParameters, RuleState, next_state, wanted_weights


@dataclass(frozen=True)
class ContractSettings:
    """What a pool is deployed with, and what a rehearsal may leave out of the arithmetic to see what it costs.

    Attributes:
        rule: λ, κ and the denominator.
        epsilon_max: largest change of a weight per update.
        guard_rail: smallest weight.
        update_interval: seconds.
        stored_unit: see `set_off`.
        stops: see `set_off`.
    """

    rule: RuleParameters
    epsilon_max: int
    guard_rail: int
    update_interval: int
    stored_unit: int = field(default=STORED_UNIT, kw_only=True)
    stops: bool = field(default=True, kw_only=True)


@dataclass(frozen=True)
class ContractPool:
    """A pool at one moment.

    Attributes:
        state: the estimator's.
        motion: how the weights move.
    """

    state: RuleState
    motion: Motion


@dataclass(frozen=True)
class Update:
    """One update.

    Attributes:
        pool: after it.
        current: weights when it came.
        target: where the rule and its guards want them to be one interval later.
    """

    pool: ContractPool
    current: Row
    target: Row


def update(pool: ContractPool, prices: Row, now: int, settings: ContractSettings) -> Update:
    """Let the pool read `prices` and set off towards its next weights.

    The weights of the update are those that the line before it shows at `now`.
    """
    current = pool.motion.at(now)
    state = next_state(pool.state, prices, settings.rule.lamb)
    wanted = wanted_weights(current, state, prices, settings.rule)
    target = guarded_weights(current, wanted, settings.guard_rail, settings.epsilon_max)
    motion = set_off(
        current,
        target,
        settings.update_interval,
        settings.guard_rail,
        now,
        stored_unit=settings.stored_unit,
        stops=settings.stops,
    )
    return Update(ContractPool(state, motion), current, target)
