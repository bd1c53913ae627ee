"""The pools: memory, estimator, rules, guard rails, interpolation, and a class per rule over them (SPEC §4 to §7)."""

from momentum_opt.pool.anti_momentum import AntiMomentumPool
from momentum_opt.pool.constant_weight import ConstantWeightPool
from momentum_opt.pool.momentum import MomentumPool
from momentum_opt.pool.pool import Pool
from momentum_opt.pool.registry import POOLS

__all__ = ["POOLS", "AntiMomentumPool", "ConstantWeightPool", "MomentumPool", "Pool"]
