"""What the contract's digits cannot resolve (SPEC §14): decays and a rehearsed path in, figures and warnings out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from momentum_opt.onchain.contract import Update
from momentum_opt.onchain.deployment import Deployment
from momentum_opt.onchain.fixed_point import ONE, to_float
from momentum_opt.onchain.motion import STORED_UNIT
from momentum_opt.onchain.rule import gradient_factor

LEAST_DIGITS = 6.0
"""Correct digits of (1−λ)³/λ below which a warning is due."""

MOST_LOST = 0.1
"""Share of a token's wanted changes that may be lost without a warning."""


@dataclass(frozen=True)
class Resolution:
    """What the digits carry.

    Attributes:
        smallest_step: the change of a weight per update below which nothing moves: 1e-9 per second.
        factor_error: per token, relative error of (1−λ)³/λ.
        vanished: per token, at how many updates it was to move and did not, because the step was too small.
        lost: per token, the share of all wanted changes that the cut at the ninth decimal took away.
    """

    smallest_step: float
    factor_error: Mapping[str, float]
    vanished: Mapping[str, int]
    lost: Mapping[str, float]

    def warnings(self) -> Iterator[str]:
        """One line for each token that loses too much."""
        for token, error in self.factor_error.items():
            if error > 10.0**-LEAST_DIGITS:
                yield (
                    f"λ of {token} is so near 1 that (1−λ)³/λ is off by {error:.1e} in the contract's 18 decimals, and "
                    "all its gradients with it; tune with a shorter memory or a longer chunk_period"
                )
        for token, share in self.lost.items():
            if share > MOST_LOST:
                yield (
                    f"{share:.0%} of what {token} was to move is lost, {self.vanished[token]} steps as a whole: less "
                    f"than 1e-9 per second, which is {self.smallest_step:.3g} per update, does not move; tune with a "
                    "larger k or a shorter chunk_period"
                )


def resolution(deployment: Deployment, updates: Sequence[Update]) -> Resolution:
    """Measure a rehearsed deployment."""
    tokens, interval = deployment.tokens, deployment.update_interval
    lamb = deployment.lamb * len(tokens) if len(deployment.lamb) == 1 else deployment.lamb
    moves = {token: [_move(done, place, interval) for done in updates] for place, token in enumerate(tokens)}
    return Resolution(
        smallest_step=to_float(STORED_UNIT * interval),
        factor_error={token: factor_error(decay) for token, decay in zip(tokens, lamb, strict=True)},
        vanished={token: sum(not stored for wanted, stored in each if wanted) for token, each in moves.items()},
        lost={token: _lost_share(each) for token, each in moves.items()},
    )


def _move(done: Update, place: int, interval: int) -> tuple[int, int]:
    """The change that was wanted, and the one that is stored."""
    return done.target[place] - done.current[place], done.pool.motion.multipliers[place] * interval


def _lost_share(moves: Sequence[tuple[int, int]]) -> float:
    wanted = sum(abs(change) for change, _ in moves)
    return sum(abs(change - stored) for change, stored in moves) / wanted if wanted else 0.0


def factor_error(lamb: int) -> float:
    """Relative error of the contract's (1−λ)³/λ against the exact one."""
    exact = Fraction(ONE - lamb) ** 3 / (lamb * ONE)  # scaled by 1e18, as the contract's
    return float(abs(gradient_factor(lamb) - exact) / exact)
