"""MomentumPool: the seed's class interface as a thin face over the pure functions of this package (SPEC §4 to §8).

Arrays are time first and tokens last here, one parameter set at a time; `jax.vmap` over the parameters gives many.
Every method works under `jit`, `vmap` and `grad`; the run fingerprint is host data and never traced.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float
from momentum_opt.errors import ParamsError
from momentum_opt.pool.arbitrage import perfect_arbitrage_reserves
from momentum_opt.pool.costs import Costs
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
from momentum_opt.pool.guard_rails import step_per_minute, target_weights
from momentum_opt.pool.interpolation import weight_path
from momentum_opt.pool.memory import calc_k, capped_lamb, lamb_to_memory_days_clipped
from momentum_opt.pool.parameters import add_noise, initial_parameters
from momentum_opt.pool.reserves import Flow, reserves_with_costs
from momentum_opt.pool.rule import momentum_weight_update
from momentum_opt.vocabulary.schema import COMMON_PARAM_SCHEMA, MOMENTUM_PARAM_SCHEMA, ParamSpec

Params = Mapping[str, Any]
RunFingerprint = Mapping[str, Any]
StartIndex = Any
"""Row of minute 0 in the prices, as a pair (row, 0); may be traced."""


class MomentumPool:
    """A pool that shifts weight towards the tokens whose price trends upward.

    `params` holds one value per token (or one for all): `logit_lamb` with `log_k`, `k` or `absolute_k`;
    `logit_delta_lamb` under use_alt_lamb; `initial_weights_logits` or `initial_weights`. `run_fingerprint` is a
    `Fingerprint` or any mapping with its keys. `prices` (time, asset) are one row per minute, the first row on the
    chunk grid through minute 0 (row `start_index[0]`).
    """

    PARAM_SCHEMA: ClassVar[Mapping[str, ParamSpec]] = MOMENTUM_PARAM_SCHEMA

    @classmethod
    def get_param_schema(cls) -> dict[str, ParamSpec]:
        """All parameters of this pool: the common ones and its own."""
        return {**COMMON_PARAM_SCHEMA, **cls.PARAM_SCHEMA}

    def calculate_rule_outputs(
        self,
        params: Params,
        run_fingerprint: RunFingerprint,
        prices: Float[Array, "time asset"],
        additional_oracle_input: Array | None = None,
    ) -> Float[Array, "update asset"]:
        """Zero-sum weight changes, one row per chunk price after the first: row j is decided at minute (j+1)P."""
        del additional_oracle_input  # this rule reads prices only
        states, constants = _estimator_states(params, run_fingerprint, prices)
        k = _broadcast(_k(params, run_fingerprint), prices)
        return jax.vmap(momentum_weight_update, in_axes=(0, None))(gradient(states, constants), k)

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
        states, constants = _estimator_states(params, run_fingerprint, prices)
        rows = start_index[0] // period + jnp.arange(-(-length // period))
        table: Readout = jax.tree.map(lambda values: _rows(values, rows), readout(states, constants))
        return table._asdict()

    def _get_estimator_constants(self, lamb: Array) -> tuple[Array, Array]:
        """G = 1/(1−λ) and b = λ/(1−λ)³."""
        constants = estimator_constants(jnp.asarray(lamb))
        return constants.G, constants.b

    def get_initial_rule_state(
        self, initial_price: Float[Array, " asset"], params: Params, run_fingerprint: RunFingerprint
    ) -> dict[str, Float[Array, " asset"]]:
        """The state at the first price: `ewma` is the price, `running_a` zero (and `ewma_alt` the price)."""
        del params
        return _as_carry(initial_state(jnp.asarray(initial_price), run_fingerprint["use_alt_lamb"]))

    def calculate_rule_output_step(
        self,
        carry: Mapping[str, Float[Array, " asset"]],
        price: Float[Array, " asset"],
        params: Params,
        run_fingerprint: RunFingerprint,
    ) -> tuple[dict[str, Float[Array, " asset"]], Float[Array, " asset"]]:
        """One chunk price more, as a live pool would run: the next state and the weight changes it asks for."""
        constants = _constants(params, run_fingerprint)
        state = estimator_step(
            EstimatorState(carry["ewma"], carry["running_a"], carry.get("ewma_alt")), price, constants
        )
        k = _broadcast(_k(params, run_fingerprint), price)
        return _as_carry(state), momentum_weight_update(gradient(state, constants), k)

    def calculate_fine_weights(
        self,
        rule_output: Float[Array, "update asset"],
        initial_weights: Float[Array, " asset"],
        run_fingerprint: RunFingerprint,
        params: Params,
    ) -> Float[Array, "time asset"]:
        """Weights per minute: a first chunk that holds the initial ones, then a chunk for each row of changes.

        Returns:
            (rows + 1)·P minutes.
        """
        del params
        period = run_fingerprint["chunk_period"]
        m = run_fingerprint["weight_interpolation_period"]

        def update(weights: Array, change: Array) -> tuple[Array, tuple[Array, Array]]:
            target = target_weights(weights, change, run_fingerprint["minimum_weight"])
            step = step_per_minute(weights, target, m, run_fingerprint["maximum_change"])
            return weights + step * m, (weights, step)

        start = jnp.asarray(initial_weights)
        _, (origins, steps) = jax.lax.scan(update, start, rule_output)
        origins = jnp.concatenate([start[None], origins])
        steps = jnp.concatenate([jnp.zeros_like(start)[None], steps])
        tau = jnp.arange(period, dtype=start.dtype)
        method = run_fingerprint["weight_interpolation_method"]
        chunks = jax.vmap(lambda origin, step: weight_path(method, origin, step, tau, m))(origins, steps)
        return chunks.reshape(-1, start.shape[0])

    def calculate_initial_weights(self, params: Params) -> Float[Array, " asset"]:
        """`initial_weights` as given, else the softmax of `initial_weights_logits`."""
        if "initial_weights" in params:
            return jnp.asarray(params["initial_weights"])
        return jax.nn.softmax(jnp.asarray(params["initial_weights_logits"]))

    def calculate_weights(
        self,
        params: Params,
        run_fingerprint: RunFingerprint,
        prices: Float[Array, "time asset"],
        start_index: StartIndex,
        additional_oracle_input: Array | None = None,
    ) -> Float[Array, "minute asset"]:
        """Weights of the T = bout_length − 1 simulated minutes; no row depends on a later price."""
        period = run_fingerprint["chunk_period"]
        minutes = run_fingerprint["bout_length"] - 1
        changes = self.calculate_rule_outputs(params, run_fingerprint, prices, additional_oracle_input)
        rows = start_index[0] // period + jnp.arange((minutes - 1) // period)
        initial_weights = self.calculate_initial_weights(params)
        return self.calculate_fine_weights(_rows(changes, rows), initial_weights, run_fingerprint, params)[:minutes]

    def calculate_reserves_zero_fees(
        self,
        params: Params,
        run_fingerprint: RunFingerprint,
        prices: Float[Array, "time asset"],
        start_index: StartIndex,
        additional_oracle_input: Array | None = None,
    ) -> Float[Array, "minute asset"]:
        """Reserves of the T simulated minutes under perfect arbitrage without costs."""
        weights = self.calculate_weights(params, run_fingerprint, prices, start_index, additional_oracle_input)
        local = jax.lax.dynamic_slice_in_dim(prices, start_index[0], weights.shape[0])
        frequency = run_fingerprint["arb_frequency"]
        return perfect_arbitrage_reserves(weights, local, run_fingerprint["initial_pool_value"], frequency)

    def calculate_reserves_with_fees(
        self,
        params: Params,
        run_fingerprint: RunFingerprint,
        prices: Float[Array, "time asset"],
        start_index: StartIndex,
        additional_oracle_input: Array | None = None,
    ) -> Float[Array, "minute asset"]:
        """Reserves of the T simulated minutes with the fingerprint's costs, each of them one number."""
        costs = Costs(*(jnp.asarray(run_fingerprint[name]) for name in Costs._fields))
        return self._reserves(params, run_fingerprint, prices, start_index, additional_oracle_input, costs, Flow())

    def calculate_reserves_with_dynamic_inputs(
        self,
        params: Params,
        run_fingerprint: RunFingerprint,
        prices: Float[Array, "time asset"],
        start_index: StartIndex,
        fees: Float[Array, " minute"],
        gas_cost: Float[Array, " minute"],
        arb_fees: Float[Array, " minute"],
        trades: Float[Array, "minute 3"] | None = None,
        lp_supply: Float[Array, " minute"] | None = None,
        additional_oracle_input: Array | None = None,
    ) -> Float[Array, "minute asset"]:
        """Reserves of the T simulated minutes with costs that vary, outside swaps and changes of the supply.

        `trades` holds per minute the number of the token paid in, of the token paid out, and the amount in (0: none);
        `lp_supply` the pool tokens there are. All begin at minute 0.
        """
        fixed = (run_fingerprint["noise_trader_ratio"], run_fingerprint["protocol_fee_split"])
        costs = Costs(*(jnp.asarray(cost) for cost in (fees, gas_cost, arb_fees, *fixed)))
        flow = Flow(trades, lp_supply)
        return self._reserves(params, run_fingerprint, prices, start_index, additional_oracle_input, costs, flow)

    def _reserves(
        self,
        params: Params,
        run_fingerprint: RunFingerprint,
        prices: Float[Array, "time asset"],
        start_index: StartIndex,
        additional_oracle_input: Array | None,
        costs: Costs,
        flow: Flow,
    ) -> Float[Array, "minute asset"]:
        weights = self.calculate_weights(params, run_fingerprint, prices, start_index, additional_oracle_input)
        local = jax.lax.dynamic_slice_in_dim(prices, start_index[0], weights.shape[0])
        value, every = run_fingerprint["initial_pool_value"], run_fingerprint["arb_frequency"]
        return reserves_with_costs(weights, local, value, costs, every, flow)

    def init_base_parameters(
        self,
        initial_values_dict: Mapping[str, Any],
        run_fingerprint: RunFingerprint,
        n_assets: int,
        n_parameter_sets: int = 1,
        noise: str = "gaussian",
    ) -> dict[str, Any]:
        """Stacked starting parameters; set 0 is the initial values, the others are moved by `noise`.

        The generator is seeded from the fingerprint's `optimisation_settings.optuna_settings.seed`.

        Raises:
            ParamsError: a value is missing or has the wrong shape, or `noise` or a count is not known.
        """
        if n_parameter_sets < 1:
            raise ParamsError(f"`n_parameter_sets` must be at least 1, but got {n_parameter_sets}")
        params = initial_parameters(initial_values_dict, run_fingerprint, n_assets, n_parameter_sets)
        seed = run_fingerprint["optimisation_settings"]["optuna_settings"]["seed"]
        noisy = add_noise(params, noise, run_fingerprint, self.get_param_schema(), seed)
        return {**{name: jnp.asarray(values) for name, values in noisy.items()}, "subsidary_params": []}

    def _tree_flatten(self) -> tuple[tuple[()], None]:
        return (), None

    @classmethod
    def _tree_unflatten(cls, aux_data: None, children: tuple[()]) -> "MomentumPool":
        del aux_data, children
        return cls()


jax.tree_util.register_pytree_node(MomentumPool, MomentumPool._tree_flatten, MomentumPool._tree_unflatten)  # pyright: ignore[reportPrivateUsage]


def _lamb(params: Params, run_fingerprint: RunFingerprint) -> Array:
    logit = jnp.asarray(params["logit_lamb"])
    return capped_lamb(logit, run_fingerprint["max_memory_days"], run_fingerprint["chunk_period"])


def _constants(params: Params, run_fingerprint: RunFingerprint) -> EstimatorConstants:
    lamb_alt = None
    if run_fingerprint["use_alt_lamb"]:
        logit = jnp.asarray(params["logit_lamb"]) + jnp.asarray(params["logit_delta_lamb"])
        lamb_alt = capped_lamb(logit, run_fingerprint["max_memory_days"], run_fingerprint["chunk_period"])
    return estimator_constants(_lamb(params, run_fingerprint), lamb_alt)


def _k(params: Params, run_fingerprint: RunFingerprint) -> Array:
    period, longest = run_fingerprint["chunk_period"], run_fingerprint["max_memory_days"]
    return calc_k(params, lamb_to_memory_days_clipped(_lamb(params, run_fingerprint), period, longest))


def _estimator_states(
    params: Params, run_fingerprint: RunFingerprint, prices: Float[Array, "time asset"]
) -> tuple[EstimatorState, EstimatorConstants]:
    """States after each chunk price but the first."""
    chunk_prices = jnp.asarray(prices)[:: run_fingerprint["chunk_period"]]
    constants = _constants(params, run_fingerprint)

    def read(state: EstimatorState, price: Array) -> tuple[EstimatorState, EstimatorState]:
        state = estimator_step(state, price, constants)
        return state, state

    start = initial_state(chunk_prices[0], run_fingerprint["use_alt_lamb"])
    return jax.lax.scan(read, start, chunk_prices[1:])[1], constants


def _as_carry(state: EstimatorState) -> dict[str, Array]:
    return {name: value for name, value in state._asdict().items() if value is not None}


def _broadcast(k: Array, prices: Array) -> Array:
    return jnp.broadcast_to(k, prices.shape[-1:])


def _rows(values: Array, rows: Array) -> Array:
    """The given rows; NaN for rows that are not there, because a shifted table would look like a right one."""
    return jnp.take(values, rows, axis=0, mode="fill", fill_value=jnp.nan)
