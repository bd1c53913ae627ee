"""Words of the field: parameter schemas, metric names, samplers, rules. No JAX, no Optuna."""
