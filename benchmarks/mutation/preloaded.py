"""What the tests import from other packages, imported once in the process that all test processes are forked from.

No array is made and no device is asked for here: JAX starts its threads then, and those do not survive a fork. Nothing
of momentum-opt is imported either, as each fork has a changed copy of it.
"""

import gc
from importlib import import_module

PACKAGES = (
    "beartype", "hypothesis.extra.numpy", "hypothesis.strategies", "jax.experimental.pallas",
    "jax.experimental.pallas.triton", "jaxtyping", "matplotlib", "mpmath", "numba", "optuna", "pandas",
    "pyarrow.parquet", "pydantic", "pytest", "scipy.stats", "sqlalchemy", "typer.testing", "yaml",
)  # fmt: skip

for _name in PACKAGES:
    import_module(_name)
gc.freeze()
