"""Outside swaps of one bar against the constant product Π R^w (SPEC §9)."""

import jax.numpy as jnp
import numpy as np

from momentum_opt.pool.costs import Costs
from momentum_opt.pool.outside import LARGEST_SHARE, Span, Swaps, outside_swaps

WEIGHTS, RESERVES, PRICES = (0.2, 0.3, 0.5), (10.0, 400.0, 3000.0), (50.0, 2.0, 1.0)
FEE, SPLIT = 0.01, 0.25
IN, OUT, AMOUNT = (2, 0, 1, 2), (1, 1, 2, 0), (100.0, 7.0, 30.0, 500.0)
"""The first one is of another bar, the second one too large for the pool."""


def test_the_swaps_of_a_bar_keep_the_product_and_leave_their_fee():
    costs = Costs(*map(jnp.asarray, (FEE, 2.0, 1e-3, 1.0, SPLIT)))
    swaps = Swaps(jnp.array(IN), jnp.array(OUT), jnp.array(AMOUNT))
    tokens = (tuple(map(jnp.asarray, values)) for values in (RESERVES, PRICES, WEIGHTS))
    found = outside_swaps(*tokens, costs, swaps, Span(jnp.asarray(1), jnp.asarray(3)))

    assert AMOUNT[1] > LARGEST_SHARE * RESERVES[0]
    held, fees = np.array(RESERVES), 0.0
    for token_in, token_out, amount in list(zip(IN, OUT, AMOUNT, strict=True))[2:]:
        product = held[token_in] ** WEIGHTS[token_in] * held[token_out] ** WEIGHTS[token_out]
        traded = held[token_in] + (1.0 - FEE) * amount
        held[token_out] = (product / traded ** WEIGHTS[token_in]) ** (1.0 / WEIGHTS[token_out])
        held[token_in] += (1.0 - FEE * SPLIT) * amount
        fees += FEE * amount * PRICES[token_in]
    np.testing.assert_allclose(found.reserves, held, rtol=1e-12)
    np.testing.assert_allclose(found.income, ((1.0 - SPLIT) * fees, SPLIT * fees), rtol=1e-12)
    assert found.refused == 1.0
