"""The pool: memory, estimator, rule, guard rails, interpolation, and MomentumPool over them (SPEC §4 to §7)."""

from momentum_opt.pool.momentum import MomentumPool

__all__ = ["MomentumPool"]
