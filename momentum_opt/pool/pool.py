"""What every pool has in common (SPEC §4 to §9): rule outputs to weights, weights to reserves, as the seed names them.

A pool is a class with the four functions of its rule; everything else, here and in the engines, follows from them.
Arrays are time first and tokens last here, one parameter set at a time; `jax.vmap` over the parameters gives many.
Every method works under `jit`, `vmap` and `grad`; the run fingerprint is host data and never traced.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp

from momentum_opt.arrays import Array, Float, PerAsset
from momentum_opt.errors import ParamsError
from momentum_opt.pool.arbitrage import perfect_arbitrage_reserves
from momentum_opt.pool.costs import Costs
from momentum_opt.pool.guard_rails import step_per_minute, target_weights
from momentum_opt.pool.interpolation import weight_path
from momentum_opt.pool.parameters import add_noise, initial_parameters
from momentum_opt.pool.reserves import Flow, reserves_with_costs
from momentum_opt.vocabulary.schema import COMMON_PARAM_SCHEMA, ParamSpec

Params = Mapping[str, Any]
RunFingerprint = Mapping[str, Any]
StartIndex = Any
"""Row of minute 0 in the prices, as a pair (row, 0); may be traced."""

RuleConstants = Any
"""What parameters and settings fix before the first price; a tree of arrays that only the rule looks into."""
RuleState = Any
"""What the rule carries from one chunk price to the next: a NamedTuple of arrays with tokens first."""


class RuleSettings(NamedTuple):
    """Settings of the pool that rules read.

    `chunk_period` in minutes and `use_alt_lamb` are plain values, `max_memory_days` may be traced.
    """

    chunk_period: int
    max_memory_days: Float[Array, ""] | float
    use_alt_lamb: bool


class Pool(ABC):
    """A pool that moves its weights by a rule.

    `params` holds one value per token (or one for all) of the pool's own parameters, and `initial_weights_logits` or
    `initial_weights`. `run_fingerprint` is a `Fingerprint` or any mapping with its keys. `prices` (time, asset) are
    one row per minute, the first row on the chunk grid through minute 0 (row `start_index[0]`).

    The rule's functions act on any number of candidates at once: tokens are the first axis, candidates the last.
    """

    PARAM_SCHEMA: ClassVar[Mapping[str, ParamSpec]]

    STATE_PARAMS: ClassVar[tuple[str, ...] | None] = None
    """Parameters that the state depends on, where each token's state depends on the token's own values alone: then
    `simulation.sensitivities` differentiates the rule several times faster. None where that is not so, or not known."""

    def __init_subclass__(cls, **keywords: Any) -> None:
        """Every pool is a tree without leaves, so that it may be an argument of what JAX transforms."""
        super().__init_subclass__(**keywords)
        node: Any = cls
        jax.tree_util.register_pytree_node(node, node._tree_flatten, node._tree_unflatten)

    @abstractmethod
    def rule_constants(self, params: Params, settings: RuleSettings) -> RuleConstants:
        """What follows from the parameters alone."""

    @abstractmethod
    def rule_state(self, first_price: PerAsset, settings: RuleSettings) -> RuleState:
        """The state at the first chunk price."""

    @abstractmethod
    def read_price(self, state: RuleState, price: PerAsset, constants: RuleConstants) -> RuleState:
        """The state after one chunk price more."""

    @abstractmethod
    def weight_change(self, state: RuleState, constants: RuleConstants) -> PerAsset:
        """Change of the weights that the rule asks for, before the guard rails; it sums to zero over the tokens."""

    @abstractmethod
    def resting_params(self, params: Params) -> dict[str, Any]:
        """`params` changed so that the rule moves no weight: the constant-weight pool, by this rule's own program."""

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
        del additional_oracle_input  # rules read prices only
        states, constants = self._rule_states(params, run_fingerprint, prices)
        return jax.vmap(lambda state: self.weight_change(state, constants))(states)

    def get_initial_rule_state(
        self, initial_price: Float[Array, " asset"], params: Params, run_fingerprint: RunFingerprint
    ) -> dict[str, Float[Array, " asset"]]:
        """The rule's state at the first price, by name."""
        del params
        return _as_carry(self.rule_state(jnp.asarray(initial_price), _settings(run_fingerprint)))

    def calculate_rule_output_step(
        self,
        carry: Mapping[str, Float[Array, " asset"]],
        price: Float[Array, " asset"],
        params: Params,
        run_fingerprint: RunFingerprint,
    ) -> tuple[dict[str, Float[Array, " asset"]], Float[Array, " asset"]]:
        """One chunk price more, as a live pool would run: the next state and the weight changes it asks for."""
        settings = _settings(run_fingerprint)
        constants = self.rule_constants(params, settings)
        state = self.rule_state(jnp.asarray(price), settings)._replace(**carry)
        state = self.read_price(state, jnp.asarray(price), constants)
        return _as_carry(state), self.weight_change(state, constants)

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
        return self.calculate_fine_weights(rows_of(changes, rows), initial_weights, run_fingerprint, params)[:minutes]

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
        schema = self.get_param_schema()
        params = initial_parameters(initial_values_dict, run_fingerprint, n_assets, n_parameter_sets, schema)
        seed = run_fingerprint["optimisation_settings"]["optuna_settings"]["seed"]
        noisy = add_noise(params, noise, run_fingerprint, schema, seed)
        return {**{name: jnp.asarray(values) for name, values in noisy.items()}, "subsidary_params": []}

    def _rule_states(
        self, params: Params, run_fingerprint: RunFingerprint, prices: Float[Array, "time asset"]
    ) -> tuple[RuleState, RuleConstants]:
        """States after each chunk price but the first."""
        chunk_prices = jnp.asarray(prices)[:: run_fingerprint["chunk_period"]]
        settings = _settings(run_fingerprint)
        constants = self.rule_constants(params, settings)

        def read(state: RuleState, price: Array) -> tuple[RuleState, RuleState]:
            state = self.read_price(state, price, constants)
            return state, state

        return jax.lax.scan(read, self.rule_state(chunk_prices[0], settings), chunk_prices[1:])[1], constants

    def _tree_flatten(self) -> tuple[tuple[()], None]:
        return (), None

    @classmethod
    def _tree_unflatten(cls, aux_data: None, children: tuple[()]) -> "Pool":
        del aux_data, children
        return cls()


def _settings(run_fingerprint: RunFingerprint) -> RuleSettings:
    return RuleSettings(*(run_fingerprint[name] for name in RuleSettings._fields))


def _as_carry(state: RuleState) -> dict[str, Array]:
    return {name: value for name, value in state._asdict().items() if value is not None}


def rows_of(values: Array, rows: Array) -> Array:
    """The given rows; NaN for rows that are not there, because a shifted table would look like a right one."""
    return jnp.take(values, rows, axis=0, mode="fill", fill_value=jnp.nan)
