"""Weights that a simulation keeps at some day boundaries: weights day by day in, those of the wanted boundaries out.

Few metrics read more than the ends of their slice, and to keep the weights of all days costs as much as to find them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float, Int, PerAsset, PerCandidate


@partial(
    jax.tree_util.register_dataclass, data_fields=["arb", "before", "turnover", "crossing"], meta_fields=["boundaries"]
)
@dataclass(frozen=True)
class BoundaryWeights:
    """A row for each boundary that is kept.

    Attributes:
        boundaries: which ones are kept, in order (static).
        arb: at the last arbitrage at or before the boundary.
        before: at the last arbitrage at or before the bar before it; without meaning at boundary 0.
        turnover: Σ |Δw| of the weights that the pool shows, from bar to bar since minute 0.
        crossing: the part of it from the bar before the boundary to the boundary.
    """

    boundaries: tuple[int, ...]
    arb: Float[Array, "row asset *batch"]
    before: Float[Array, "row asset *batch"]
    turnover: Float[Array, "row *batch"]
    crossing: Float[Array, "row *batch"]

    @classmethod
    def empty(cls, boundaries: tuple[int, ...], like: PerAsset) -> "BoundaryWeights":
        """No weights yet, for candidates of the shape of `like`."""
        weights = jnp.zeros((len(boundaries), *like.shape), like.dtype)
        return cls(boundaries, weights, weights, weights[:, 0], weights[:, 0])

    def places(self, n_days: int) -> Int[Array, " boundary"]:
        """Row of every boundary from 0 to `n_days`; beyond the last one for those that are not kept."""
        places = np.full(n_days + 1, len(self.boundaries))
        places[list(self.boundaries)] = np.arange(len(self.boundaries))
        return jnp.asarray(places)

    def put(
        self, place: Int[Array, ""], row: Callable[[], tuple[PerAsset, PerAsset, PerCandidate, PerCandidate]]
    ) -> "BoundaryWeights":
        """With the weights of one boundary; `row` is not asked for them where they are not kept."""
        if not self.boundaries:
            return self

        def put() -> BoundaryWeights:
            whole = (self.arb, self.before, self.turnover, self.crossing)
            return BoundaryWeights(
                self.boundaries,
                *(lax.dynamic_update_index_in_dim(*pair, place, axis=0) for pair in zip(whole, row(), strict=True)),
            )

        return lax.cond(place < len(self.boundaries), put, lambda: self)

    def rows(self, boundaries: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of boundaries, all of which are kept."""
        rows = np.searchsorted(self.boundaries, boundaries)
        assert np.array_equal(np.take(self.boundaries, rows), boundaries), "a boundary that was not kept"
        return rows
