"""The momentum pool (SPEC §5 to §7): weight moves towards tokens whose price trends upward."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from momentum_opt.arrays import Array, Float, PerAsset
from momentum_opt.pool.estimator import (
    EstimatorConstants,
    EstimatorState,
    Readout,
    estimator_constants,
    estimator_step,
    gradient,
    initial_state,
    readout,
)
from momentum_opt.pool.memory import calc_k, capped_lamb, lamb_to_memory_days_clipped
from momentum_opt.pool.pool import Params, Pool, RuleSettings, RunFingerprint, StartIndex, rows_of
from momentum_opt.pool.rule import momentum_weight_update
from momentum_opt.vocabulary.schema import MOMENTUM_PARAM_SCHEMA, ParamSpec


class MomentumConstants(NamedTuple):
    """What candidates and settings fix before the first price."""

    k: Float[Array, "..."]
    estimator: EstimatorConstants


class MomentumPool(Pool):
    """A pool that shifts weight towards the tokens whose price trends upward.

    Of its parameters `log_k`, `k` and `absolute_k` are alternatives; `logit_delta_lamb` acts under use_alt_lamb.
    """

    PARAM_SCHEMA: ClassVar[Mapping[str, ParamSpec]] = MOMENTUM_PARAM_SCHEMA
    STATE_PARAMS: ClassVar[tuple[str, ...] | None] = ("logit_lamb", "logit_delta_lamb")

    def rule_constants(self, params: Params, settings: RuleSettings) -> MomentumConstants:
        """k and what follows from the capped decay λ."""
        logit, period = jnp.asarray(params["logit_lamb"]), settings.chunk_period
        lamb = capped_lamb(logit, settings.max_memory_days, period)
        memory_days = lamb_to_memory_days_clipped(lamb, period, settings.max_memory_days)
        lamb_alt = None
        if settings.use_alt_lamb:
            logit_alt = logit + jnp.asarray(params["logit_delta_lamb"])
            lamb_alt = capped_lamb(logit_alt, settings.max_memory_days, period)
        return MomentumConstants(calc_k(params, memory_days), estimator_constants(lamb, lamb_alt))

    def rule_state(self, first_price: PerAsset, settings: RuleSettings) -> EstimatorState:
        """`ewma` is the price, `running_a` zero (and `ewma_alt` the price)."""
        return initial_state(first_price, settings.use_alt_lamb)

    def read_price(self, state: EstimatorState, price: PerAsset, constants: MomentumConstants) -> EstimatorState:
        """One step of the gradient estimator."""
        return estimator_step(state, price, constants.estimator)

    def weight_change(self, state: EstimatorState, constants: MomentumConstants) -> PerAsset:
        """u_i = k_i (g_i − Σ k_j g_j / Σ k_j)."""
        return momentum_weight_update(gradient(state, constants.estimator), constants.k)

    def resting_params(self, params: Params) -> dict[str, Any]:
        """With k = 0."""
        others = {name: values for name, values in params.items() if name not in ("k", "absolute_k")}
        return {**others, "log_k": np.full(np.shape(params["logit_lamb"]), -np.inf)}

    def calculate_readouts(
        self,
        params: Params,
        run_fingerprint: RunFingerprint,
        prices: Float[Array, "time asset"],
        start_index: StartIndex,
        additional_oracle_input: Array | None = None,
    ) -> dict[str, Float[Array, "update asset"]]:
        """`gradients`, `running_a` and `ewma` after minute uP; row u−1 drives the update at uP.

        There are ⌈bout_length/P⌉ rows, as in the seed. Rows past the end of the prices are NaN (the seed shifts the
        whole table instead).
        """
        del additional_oracle_input
        period, length = run_fingerprint["chunk_period"], run_fingerprint["bout_length"]
        states, constants = self._rule_states(params, run_fingerprint, prices)
        rows = start_index[0] // period + jnp.arange(-(-length // period))
        table: Readout = jax.tree.map(lambda values: rows_of(values, rows), readout(states, constants.estimator))
        return table._asdict()

    def _get_estimator_constants(self, lamb: Array) -> tuple[Array, Array]:
        """G = 1/(1−λ) and b = λ/(1−λ)³."""
        constants = estimator_constants(jnp.asarray(lamb))
        return constants.G, constants.b
