"""The anti-momentum pool: the momentum pool with its k negated (SPEC §7), so weight moves against the trend."""

from collections.abc import Mapping
from typing import ClassVar

from momentum_opt.arrays import PerAsset
from momentum_opt.pool.estimator import EstimatorState
from momentum_opt.pool.momentum import MomentumConstants, MomentumPool
from momentum_opt.vocabulary.rules import ANTI_MOMENTUM_PARAM_SCHEMA
from momentum_opt.vocabulary.schema import ParamSpec


class AntiMomentumPool(MomentumPool):
    """A pool that shifts weight towards the tokens whose price trends downward.

    Its parameters are the momentum pool's: `log_k`, `k` and `absolute_k` give the size of k, the class its sign.
    """

    PARAM_SCHEMA: ClassVar[Mapping[str, ParamSpec]] = ANTI_MOMENTUM_PARAM_SCHEMA

    def weight_change(self, state: EstimatorState, constants: MomentumConstants) -> PerAsset:
        """u_i = −k_i (g_i − Σ k_j g_j / Σ k_j): the mean is a ratio of k, so negating every k negates u."""
        return -super().weight_change(state, constants)
