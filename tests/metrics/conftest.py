"""Metrics are computed in float64, as everywhere."""

import jax

jax.config.update("jax_enable_x64", True)
