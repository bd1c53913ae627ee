"""Array types with shapes, in one place. Axes are named; candidates (`*batch`) come last in everything that is hot.

`time`, `day`, `chunk`, `block` count along the simulation, `asset` follows the alphabetical token order.
The tests check these shapes at run time (jaxtyping with beartype); outside the tests they are plain annotations.
"""

from jaxtyping import Array, Bool, Float, Int

__all__ = ["Array", "Bool", "Float", "Int", "PerAsset", "PerCandidate"]

PerAsset = Float[Array, "asset *batch"]
"""One number per token (and candidate)."""

PerCandidate = Float[Array, "*batch"]
"""One number per candidate; a scalar where there is a single one."""
