"""Per-block statistics of a trial (SPEC §13): daily values of train in, mean and central sums of S blocks of days out.

They stand for the whole matrix of daily returns: every Sharpe ratio, skewness and kurtosis of any set of blocks follows
from them. Columns are the S equal blocks, oldest first, and last the T mod S oldest days that the blocks leave out.
"""

import base64
from typing import Final

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from momentum_opt.arrays import Array, Float

POWERS: Final = ("mean", "m2", "m3", "m4")
ROWS: Final = ("n", *POWERS, *(f"excess_{name}" for name in POWERS))
"""Rows of a candidate's sums; `excess_` is over the constant-weight pool, whose days are the same."""

Sums = NDArray[np.float64]
"""(candidate, row, column): `ROWS` by the S blocks and the rest."""


def block_lengths(observations: int, blocks: int) -> list[int]:
    """Days in each column: ⌊T/S⌋ in the S blocks, and T mod S in the rest."""
    length, rest = divmod(observations, blocks)
    return [length] * blocks + [rest]


def block_sums(
    log_value: Float[Array, "day *batch"], constant_weight: Float[Array, " day"], blocks: int
) -> Float[Array, "row column *batch"]:
    """`ROWS[1:]` of the daily log returns, and of those in excess of the constant-weight pool.

    Args:
        log_value: log of the value at every day boundary of the slice.
        constant_weight: the same of the constant-weight pool; any constant may be added.
        blocks: S.
    """
    returns = jnp.diff(log_value, axis=0)
    baseline = jnp.diff(constant_weight).reshape((-1,) + (1,) * (returns.ndim - 1))
    return jnp.concatenate([_columns(returns, blocks), _columns(returns - baseline, blocks)])


def _columns(returns: Float[Array, "day *batch"], blocks: int) -> Float[Array, "power column *batch"]:
    length, rest = divmod(returns.shape[0], blocks)
    cut = returns[rest:].reshape(blocks, length, *returns.shape[1:])
    return jnp.concatenate([_central_sums(cut), _central_sums(returns[None, :rest])], axis=1)


def _central_sums(cut: Float[Array, "column day *batch"]) -> Float[Array, "power column *batch"]:
    """Mean and Σ (x − mean)^p, p = 2, 3, 4; all zero where a column has no day."""
    if cut.shape[1] == 0:
        return jnp.zeros((len(POWERS), cut.shape[0], *cut.shape[2:]), cut.dtype)
    mean = jnp.mean(cut, axis=1)
    apart = cut - mean[:, None]
    square = apart * apart
    return jnp.stack([mean, jnp.sum(square, axis=1), jnp.sum(square * apart, axis=1), jnp.sum(square * square, axis=1)])


def with_counts(sums: Float[np.ndarray, "power column candidate"], observations: int) -> Sums:
    """The sums of a batch as the host keeps them: candidates first, the row of counts added."""
    n_columns, n_candidates = sums.shape[1:]
    counts = np.array(block_lengths(observations, n_columns - 1), np.float64)
    counts = np.broadcast_to(counts[:, None], (1, n_columns, n_candidates))
    return np.ascontiguousarray(np.moveaxis(np.concatenate([counts, sums]), -1, 0))


def encoded(sums: Float[np.ndarray, "row column"]) -> str:
    """One candidate's sums as text for a study's storage: base64 of little-endian float64, row by row.

    Half as long as a JSON list of numbers, exact, and cheap to copy.
    """
    return base64.b64encode(np.ascontiguousarray(sums, "<f8").tobytes()).decode("ascii")


def decoded(text: str) -> Float[np.ndarray, "row column"]:
    """The inverse of `encoded`.

    Raises:
        ValueError: the text holds anything else.
    """
    values = np.frombuffer(base64.b64decode(text, validate=True), "<f8")
    return values.reshape(len(ROWS), -1).astype(np.float64)


def column_names(blocks: int) -> list[str]:
    """Names of the sums in a table, row by row: `block_n_0` … `block_n_rest`, `block_mean_0` …."""
    places = [*map(str, range(blocks)), "rest"]
    return [f"block_{row}_{place}" for row in ROWS for place in places]


def as_columns(sums: Sums) -> dict[str, NDArray[np.float64]]:
    """The sums of many candidates as the columns of a table."""
    names = column_names(sums.shape[2] - 1)
    return dict(zip(names, sums.reshape(len(sums), -1).T, strict=True))
