"""The constant-weight pool: its weights stay where they are, as in a Balancer pool; no k and no memory."""

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp

from momentum_opt.arrays import PerAsset
from momentum_opt.pool.pool import Params, Pool, RuleSettings
from momentum_opt.vocabulary.rules import CONSTANT_WEIGHT_PARAM_SCHEMA
from momentum_opt.vocabulary.schema import ParamSpec


class Rest(NamedTuple):
    """The state of a rule that remembers nothing."""

    change: PerAsset
    """Zero for every token, whatever the prices."""


class ConstantWeightPool(Pool):
    """A pool that keeps its initial weights; they are all there is to tune.

    Without costs its value is V_0 Π (p_i/p_i0)^w_i, the geometric mean of the prices' growth.
    """

    PARAM_SCHEMA: ClassVar[Mapping[str, ParamSpec]] = CONSTANT_WEIGHT_PARAM_SCHEMA
    STATE_PARAMS: ClassVar[tuple[str, ...] | None] = ()

    def rule_constants(self, params: Params, settings: RuleSettings) -> tuple[()]:
        """Nothing follows from the parameters but the initial weights."""
        del params, settings
        return ()

    def rule_state(self, first_price: PerAsset, settings: RuleSettings) -> Rest:
        """No change of any weight."""
        del settings
        return Rest(jnp.zeros_like(first_price))

    def read_price(self, state: Rest, price: PerAsset, constants: tuple[()]) -> Rest:
        """Prices say nothing to this rule."""
        del price, constants
        return state

    def weight_change(self, state: Rest, constants: tuple[()]) -> PerAsset:
        """u = 0."""
        del constants
        return state.change

    def resting_params(self, params: Params) -> dict[str, Any]:
        """As they are: these weights always rest."""
        return dict(params)
